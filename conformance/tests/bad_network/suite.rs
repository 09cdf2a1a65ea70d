//! The scenarios of the suite, with the client and the server on two hosts and a bad network in between.
//! It takes some minutes of waiting, and is run by its name alone, as `.ci/network` does.
//!
//! Where the system allows no such network, as it does to root, a line says so, and the scenarios run on
//! loopback; with `network` in the list `MILLPOND_REQUIRE` it is a failure.
#![cfg(target_os = "linux")]

mod between;
#[allow(dead_code, reason = "here nothing is counted")]
mod forwarder;
#[allow(dead_code, reason = "here no host is changed")]
mod namespace;
#[allow(dead_code, reason = "here there is no cable")]
mod network;

use std::{
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use between::Between;
use forwarder::Faults;
use millpond::Runtime;
use millpond_conformance::{Harness, Scenario};
use millpond_smol::Smol;
use millpond_tokio::Tokio;
use network::Network;

const FAULTS: Faults = Faults {
    delay: Duration::from_millis(1),
    jitter: Duration::from_millis(1),
    loss: 0.01,
    duplication: 0.01,
};

/// Scenarios whose peer leaves as soon as it has spoken: TCP may lose its last words then. And one with
/// hundreds of connections, each of which may take seconds.
const NOT_HERE: [&str; 3] = [
    "::resets::",
    "::a_close_that_may_take_no_time_gives_up_what_cannot_be_sent_at_once",
    "::a_server_can_be_shut_down_in_a_flood_of_connections",
];

/// The runtime for a scenario, whose name this thread has: on the network, or as it is.
fn between(runtime: impl Runtime + 'static) -> Arc<dyn Runtime> {
    static NETWORK: OnceLock<Option<Arc<Network>>> = OnceLock::new();
    let thread = thread::current();
    let name = thread.name().expect("the suite gives it one");
    if NOT_HERE.iter().any(|part| name.contains(part)) {
        return Arc::new(runtime);
    }
    match NETWORK.get_or_init(|| Network::forwarded(FAULTS)) {
        Some(network) => Arc::new(Between {
            runtime: Arc::new(runtime),
            network: network.clone(),
        }),
        None => Arc::new(runtime),
    }
}

struct OnTokio;

impl Harness for OnTokio {
    fn run(scenario: Scenario) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let tokio = Tokio::new(runtime.handle().clone());
        runtime.block_on(scenario.on(between(tokio)));
    }
}

struct OnSmol;

impl Harness for OnSmol {
    fn run(scenario: Scenario) {
        smol::block_on(scenario.on(between(Smol)));
    }
}

mod on_tokio {
    millpond_conformance::suite!(super::OnTokio: tcp, tls, start_tls, tcp_server, tls_server);
}

mod on_smol {
    millpond_conformance::suite!(super::OnSmol: tcp, tls, start_tls, tcp_server, tls_server);
}
