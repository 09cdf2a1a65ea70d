//! The interpreter that tests talk to.

use std::{env, process::Command};

/// `python3`, or what the environment variable `MILLPOND_PYTHON` names. `None` if there is none, and
/// none is required: `MILLPOND_REQUIRE` is a list with commas of what must be there.
pub(crate) fn interpreter() -> Option<String> {
    let chosen = env::var("MILLPOND_PYTHON");
    let required = env::var("MILLPOND_REQUIRE")
        .is_ok_and(|list| list.split(',').any(|name| name.trim() == "python3"));
    let must_be_there = chosen.is_ok() || required;
    let interpreter = chosen.unwrap_or_else(|_| "python3".to_owned());
    match Command::new(&interpreter).arg("--version").output() {
        Ok(output) if output.status.success() => Some(interpreter),
        problem if must_be_there => panic!("{interpreter} cannot be run: {problem:?}"),
        _ => {
            eprintln!("skipped: there is no {interpreter}");
            None
        }
    }
}
