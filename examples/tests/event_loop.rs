//! The conformance suite on an event loop of our own.
#![cfg(unix)]

use std::sync::Arc;

use millpond_conformance::{Harness, Scenario};
use millpond_examples::event_loop::run;

struct OnEventLoop;

impl Harness for OnEventLoop {
    fn run(scenario: Scenario) {
        run(|event_loop| scenario.on(Arc::new(event_loop))).unwrap();
    }
}

millpond_conformance::suite!(OnEventLoop);
