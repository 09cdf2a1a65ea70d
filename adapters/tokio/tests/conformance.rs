//! The conformance suite on tokio, with many threads and with one.

use std::sync::Arc;

use millpond_conformance::{Harness, Scenario};
use millpond_tokio::Tokio;
use tokio::runtime::{Builder, Runtime};

struct MultiThread;

struct CurrentThread;

impl Harness for MultiThread {
    fn run(scenario: Scenario) {
        run_on(
            &Builder::new_multi_thread().enable_all().build().unwrap(),
            scenario,
        );
    }
}

impl Harness for CurrentThread {
    fn run(scenario: Scenario) {
        run_on(
            &Builder::new_current_thread().enable_all().build().unwrap(),
            scenario,
        );
    }
}

fn run_on(runtime: &Runtime, scenario: Scenario) {
    let tokio = Tokio::new(runtime.handle().clone());
    runtime.block_on(scenario.on(Arc::new(tokio)));
}

mod multi_thread {
    millpond_conformance::suite!(super::MultiThread);
}

mod current_thread {
    millpond_conformance::suite!(super::CurrentThread);
}
