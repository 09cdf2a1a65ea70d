//! What tests with real peers share: the runtimes, and programs that are not Rust.
//!
//! A program that is not there is skipped, unless the environment variable `MILLPOND_REQUIRE`, a list
//! with commas, names it. `MILLPOND_PYTHON` is the path of another `python3`.

use std::{
    env,
    process::{Child, Command, Output},
    sync::Arc,
    time::Duration,
};

use millpond::Runtime;
use millpond_conformance::{Harness, Scenario};
use millpond_smol::Smol;
use millpond_tokio::Tokio;

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

/// What to run for `name`. `None` if it is not there, and is not required.
pub(crate) fn find(name: &str) -> Option<String> {
    // There are other programs of the name `nc`, which have other options.
    let (argument, signature) = match name {
        "curl" => ("--version", "curl "),
        "nc" => ("-h", "OpenBSD netcat"),
        "python3" => ("--version", "Python 3"),
        "socat" => ("-V", "socat version"),
        _ => panic!("{name} is not known"),
    };
    let chosen = env::var("MILLPOND_PYTHON")
        .ok()
        .filter(|_| name == "python3");
    let required = env::var("MILLPOND_REQUIRE")
        .is_ok_and(|list| list.split(',').any(|required| required.trim() == name));
    let must_be_there = chosen.is_some() || required;
    let program = chosen.unwrap_or_else(|| name.to_owned());
    match Command::new(&program).arg(argument).output() {
        Ok(output) if says(&output, signature) => Some(program),
        problem if must_be_there => panic!("{program} cannot be run: {problem:?}"),
        _ => {
            eprintln!("skipped: there is no {program}");
            None
        }
    }
}

fn says(output: &Output, signature: &str) -> bool {
    [&output.stdout, &output.stderr]
        .into_iter()
        .any(|text| String::from_utf8_lossy(text).contains(signature))
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
