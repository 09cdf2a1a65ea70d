//! What tests with real peers share: the runtimes, and programs that are not Rust.
//!
//! A program that is not there is skipped, unless the environment variable `MILLPOND_REQUIRE`, a list
//! with commas, names it. `MILLPOND_PYTHON` is the path of another `python3`.

use std::{
    process::{Child, Command},
    sync::Arc,
    time::Duration,
};

pub(crate) use find::find;
use millpond::Runtime;
use millpond_conformance::{Harness, Scenario};
use millpond_smol::Smol;
use millpond_tokio::Tokio;

mod find;

pub(crate) struct OnTokio;

pub(crate) struct OnSmol;

impl Harness for OnTokio {
    fn run(scenario: Scenario) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let tokio = Tokio::new(runtime.handle().clone());
        runtime.block_on(scenario.on(Arc::new(tokio)));
    }
}

impl Harness for OnSmol {
    fn run(scenario: Scenario) {
        smol::block_on(scenario.on(Arc::new(Smol)));
    }
}

/// A program that runs; killed when this is dropped.
pub(crate) struct Peer(pub(crate) Child);

impl Peer {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
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
