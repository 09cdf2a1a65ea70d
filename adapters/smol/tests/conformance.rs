//! The conformance suite on smol.

use std::sync::Arc;

use millpond_conformance::{Harness, Scenario};
use millpond_smol::Smol;

struct OnSmol;

impl Harness for OnSmol {
    fn run(scenario: Scenario) {
        smol::block_on(scenario.on(Arc::new(Smol)));
    }
}

millpond_conformance::suite!(OnSmol);
