//! The runtimes that there are adapters for.

use std::sync::Arc;

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
