//! The conformance suite in simulated worlds: all of it that needs no sockets of the system.

use std::{thread, time::Duration};

use millpond_conformance::{Harness, Scenario};
use millpond_sim::{Sim, world};

/// Some scenarios have threads of their own.
const OTHER_THREADS: Duration = Duration::from_secs(10);

/// Small enough to be full soon, even of single bytes.
const BUFFER: usize = 8 * 1024;

fn run(sim: Sim, scenario: Scenario) {
    sim.buffers(BUFFER, BUFFER)
        .other_threads(OTHER_THREADS)
        .tolerate_panics()
        .run(async { scenario.on(world().runtime()).await });
}

/// An instant network, with whole reads and writes.
mod smooth {
    use super::*;

    struct Smooth;

    impl Harness for Smooth {
        fn run(scenario: Scenario) {
            run(Sim::new(1), scenario);
        }
    }

    millpond_conformance::suite!(
        Smooth: tcp, unix, memory, narrow, futures_io, drip, hesitant, tls, tls12, start_tls, tls_memory,
        tcp_server, unix_server, tls_server, runtime, tls_runtime
    );
}

/// A slow network, with partial reads and writes and spurious wake-ups.
mod rough {
    use super::*;

    /// About what is done at once or not at all.
    const AT_ONCE: [&str; 2] = [
        "a_close_that_may_take_no_time_gives_up_what_cannot_be_sent_at_once",
        "a_closed_stream_takes_what_comes_no_longer_than_the_close_timeout",
    ];

    struct Rough;

    impl Harness for Rough {
        fn run(scenario: Scenario) {
            let latency = Duration::ZERO..=Duration::from_micros(500);
            let sim = Sim::new(2).latency(latency).spurious_wakeups(8);
            let thread = thread::current();
            let name = thread.name().unwrap_or_default();
            match AT_ONCE.iter().any(|scenario| name.ends_with(scenario)) {
                true => run(sim, scenario),
                false => run(sim.rough(), scenario),
            }
        }
    }

    millpond_conformance::suite!(
        Rough: tcp, unix, futures_io, tls, tls12, start_tls, tcp_server, unix_server, tls_server,
        runtime, tls_runtime
    );
}
