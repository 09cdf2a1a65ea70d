//! The conformance suite in simulated worlds.

use std::time::Duration;

use millpond_conformance::{Harness, Scenario};
use millpond_sim::{Sim, world};

/// Some scenarios have threads of their own.
const OTHER_THREADS: Duration = Duration::from_secs(10);

/// Small enough to be full soon, even of single bytes.
const BUFFER: usize = 8 * 1024;

fn run(sim: Sim, scenario: Scenario) {
    sim.buffers(BUFFER, BUFFER)
        .other_threads(OTHER_THREADS)
        .run(async { scenario.on(world().runtime()).await });
}

/// An instant network.
mod calm {
    use super::*;

    struct Calm;

    impl Harness for Calm {
        fn run(scenario: Scenario) {
            run(Sim::new(1), scenario);
        }
    }

    millpond_conformance::suite!(
        Calm: tcp, unix, memory, narrow, futures_io, drip, hesitant, tcp_server, unix_server, runtime
    );
}

/// One that does as little as it may, and takes its time.
mod rough {
    use super::*;

    struct Rough;

    impl Harness for Rough {
        fn run(scenario: Scenario) {
            let latency = Duration::ZERO..=Duration::from_micros(500);
            run(Sim::new(2).rough().latency(latency), scenario);
        }
    }

    millpond_conformance::suite!(Rough: tcp, unix, futures_io, tcp_server, unix_server, runtime);
}
