//! What tests with real peers share: the runtimes, and programs that are not Rust.
//!
//! A program that is not there is skipped, unless the environment variable `MILLPOND_REQUIRE`, a list
//! with commas, names it. `MILLPOND_PYTHON` is the path of another `python3`.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command},
    time::Duration,
};

pub(crate) use find::find;
use millpond::Runtime;
pub(crate) use runtimes::{OnSmol, OnTokio};

mod find;
mod runtimes;

/// A program that runs; killed when this is dropped.
pub(crate) struct Peer(pub(crate) Child);

impl Peer {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// The first line that it prints, such as its address; its output is to be piped.
    #[allow(dead_code, reason = "not every peer prints one")]
    pub(crate) fn first_line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.0.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "it prints a line");
        line
    }

    /// Waits until it has ended, and fails if it has failed.
    pub(crate) async fn succeed(&mut self, runtime: &dyn Runtime) {
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            runtime.sleep(Duration::from_millis(5)).await;
        };
        assert!(status.success(), "the peer ended with {status}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It fails if the program has ended, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
