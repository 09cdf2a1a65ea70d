//! This program once more, as a server in a process of its own with few descriptors.

use std::{
    env, fs,
    io::{self, BufReader},
    process::{ChildStdout, Command, Stdio},
    sync::Arc,
};

use millpond::Runtime;

/// Which runtime the server of this process is to run on, if it is one.
const SERVE_ON: &str = "MILLPOND_SERVE_ON";

pub(crate) type Output = io::Lines<BufReader<ChildStdout>>;

/// Runs the ignored test `name` of this program on that runtime, with no more than so many files open.
pub(crate) fn command(name: &str, runtime: &str, files: usize) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")])
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(SERVE_ON, runtime)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// What follows `before` in the next line of output that begins so.
pub(crate) fn printed(output: &mut Output, before: &str) -> String {
    let found = output.find_map(|line| Some(line.unwrap().strip_prefix(before)?.to_owned()));
    found.unwrap_or_else(|| panic!("the server prints {before}"))
}

/// Serves if this process is to be a server.
pub(crate) fn serve<F: Future>(server: impl FnOnce(Arc<dyn Runtime>) -> F) {
    match env::var(SERVE_ON).as_deref() {
        Ok("tokio") => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let tokio = millpond_tokio::Tokio::new(runtime.handle().clone());
            runtime.block_on(server(Arc::new(tokio)));
        }
        Ok(_) => drop(smol::block_on(server(Arc::new(millpond_smol::Smol)))),
        Err(_) => {}
    }
}

pub(crate) fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}
