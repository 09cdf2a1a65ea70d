//! Networks that work, though badly.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crate::{conversations, forwarder::Faults, link::on_each, network::Network};

#[test]
fn a_slow_cable_with_a_short_queue_loses_nothing() {
    let slow = || {
        let network = Network::cable()?;
        for host in network.hosts() {
            host.run("tc qdisc add dev cable root handle 1: tbf rate 1mbit burst 3000 latency 1s");
            host.run("tc qdisc add dev cable parent 1:1 pfifo limit 5");
        }
        Some(network)
    };
    on_each("a slow cable", slow, |link| {
        Box::pin(async move {
            conversations::all(&link).await;
            let dropped = link
                .network
                .hosts()
                .map(|host| dropped(&host.run("tc -s qdisc")));
            println!("dropped by the queues: {dropped:?}");
            assert!(dropped.iter().sum::<usize>() > 0, "no queue was full");
        })
    });
}

/// The sum of what queues have dropped.
fn dropped(statistics: &str) -> usize {
    let number = |text: &str| text.split_once(',')?.0.parse::<usize>().ok();
    let counts = statistics.split("dropped ").skip(1).filter_map(number);
    counts.sum()
}

#[test]
fn small_packets_lose_nothing() {
    let small = || {
        let network = Network::cable()?;
        for host in network.hosts() {
            host.run("ip link set cable mtu 200");
        }
        Some(network)
    };
    on_each("small packets", small, |link| {
        Box::pin(async move { conversations::all(&link).await })
    });
}

#[test]
fn packets_that_are_late_lost_doubled_or_overtaken_lose_nothing() {
    let faults = Faults {
        delay: Duration::from_millis(5),
        jitter: Duration::from_millis(5),
        loss: 0.03,
        duplication: 0.03,
    };
    let network = move || -> Option<Arc<Network>> { Network::forwarded(faults) };
    on_each("packets that are late", network, |link| {
        Box::pin(async move {
            conversations::all(&link).await;
            let counts = &link.network.forwarder.as_ref().unwrap().counts;
            println!("{counts:?}");
            for count in [&counts.lost, &counts.doubled, &counts.overtaken] {
                assert!(count.load(Ordering::Relaxed) > 0, "{counts:?}");
            }
        })
    });
}
