//! A test in a process of its own, for what it prints.

use std::{env, process::Command};

/// Set where the test that this program runs is its own child.
const CHILD: &str = "MILLPOND_TEST_CHILD";

/// What a test prints that fails, alone in a process of its own.
pub(crate) fn failing_alone(
    test: &str,
    variables: &[(&str, &str)],
    fails: impl FnOnce(),
) -> String {
    if env::var_os(CHILD).is_some() {
        fails();
        unreachable!("it does not fail");
    }
    let (text, passed) = run(test, variables);
    assert!(!passed, "{text}");
    assert!(!text.contains("it does not fail"), "{text}");
    text
}

/// What a test prints, alone in a process of its own, and whether it passes.
pub(crate) fn run(test: &str, variables: &[(&str, &str)]) -> (String, bool) {
    let output = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env_remove("RUST_TEST_THREADS")
        .env_remove("MILLPOND_SEED")
        .env_remove("MILLPOND_SHRINK")
        .env_remove("MILLPOND_TRACES")
        .env("RUST_BACKTRACE", "0")
        .env(CHILD, "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    (text, output.status.success())
}
