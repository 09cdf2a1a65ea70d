//! Programs that run beside the tests.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

/// For what takes a moment, on a machine that is busy.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(60);

pub(crate) const RUNTIMES: [&str; 2] = ["tokio", "smol"];

/// Whether a program is there. It must be if the environment variable `MILLPOND_REQUIRE`, a list with
/// commas, names it.
pub(crate) fn there_is(name: &str, version: &str) -> bool {
    let required = env::var("MILLPOND_REQUIRE")
        .is_ok_and(|list| list.split(',').any(|required| required.trim() == name));
    match Command::new(name).arg(version).output() {
        Ok(output) if output.status.success() => true,
        problem if required => panic!("{name} cannot be run: {problem:?}"),
        _ => {
            eprintln!("skipped: there is no {name}");
            false
        }
    }
}

/// A program that runs, until this is dropped.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
}

impl Program {
    pub(crate) fn start(path: &str, args: &[&str]) -> Self {
        let mut child = Command::new(path)
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                // A receiver that was dropped must not make the program fail.
                let _ = sender.send(line.unwrap());
            }
        });
        Self { child, lines }
    }

    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(TIME_LIMIT).expect("a line")
    }

    /// As ctrl-C does.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", "INT", &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// `None` when it has ended.
    pub(crate) fn next_line(&self) -> Option<String> {
        match self.lines.recv_timeout(TIME_LIMIT) {
            Ok(line) => Some(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("it says nothing for a long time"),
        }
    }

    /// Its output, when it has ended well.
    pub(crate) fn output(mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(TIME_LIMIT) {
                Ok(line) => lines.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it goes on after {lines:#?}"),
            }
        }
        // It has closed its output, so this is soon.
        assert!(self.child.wait().unwrap().success(), "{lines:#?}");
        lines
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server and its address.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(path: &str, runtime: &str) -> Self {
        Self::start_with(path, runtime, &[])
    }

    pub(crate) fn start_with(path: &str, runtime: &str, args: &[&str]) -> Self {
        let args = [&["--runtime", runtime, "--port", "0"], args].concat();
        let program = Program::start(path, &args);
        let line = program.line();
        let address = line.strip_prefix("Serving on ").unwrap().to_owned();
        Self { program, address }
    }

    pub(crate) fn port(&self) -> &str {
        self.address.rsplit_once(':').unwrap().1
    }
}
