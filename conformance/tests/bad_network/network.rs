//! Two hosts, and what connects them.

use std::{env, io, sync::Arc};

use crate::{
    forwarder::{Faults, Forwarder},
    namespace::Namespace,
};

/// Clients are on the near host, 10.9.0.1, and servers on the far one, 10.9.0.2. `127.0.0.1` is the far
/// one on both, so that the suite's scenarios go through the network.
pub(crate) struct Network {
    pub(crate) near: Namespace,
    pub(crate) far: Namespace,
    pub(crate) forwarder: Option<Forwarder>,
}

impl Network {
    /// A cable of the kernel. `None` where this machine allows no network of its own.
    pub(crate) fn cable() -> Option<Arc<Self>> {
        let (near, far) = hosts()?;
        let made = near.try_run(&format!(
            "ip link add name cable type veth peer name cable netns {}",
            far.path()
        ));
        if !made.is_ok_and(|output| output.status.success()) {
            return skipped("no pair of interfaces can be made");
        }
        Some(Self::connected(near, far, None))
    }

    /// A program that hands the packets over, each in its own time, or not at all.
    pub(crate) fn forwarded(faults: Faults) -> Option<Arc<Self>> {
        let (near, far) = hosts()?;
        match Forwarder::between(&near, &far, faults) {
            Ok(forwarder) => Some(Self::connected(near, far, Some(forwarder))),
            Err(error) => skipped(&format!("no interface of a program can be made: {error}")),
        }
    }

    fn connected(near: Namespace, far: Namespace, forwarder: Option<Forwarder>) -> Arc<Self> {
        for (host, itself, peer) in [(&near, 1, 2), (&far, 2, 1)] {
            host.set("ipv4/conf/all/route_localnet", 1);
            // By itself a host also hears of its own errors.
            host.run("ip link set lo up");
            host.run("ip address del 127.0.0.1/8 dev lo");
            host.run(&format!("ip address add 10.9.0.{itself}/24 dev cable"));
            host.run("ip link set cable up");
            // What is lost is repeated soon.
            let route = "dev cable rto_min 20ms";
            host.run(&format!(
                "ip route change 10.9.0.0/24 src 10.9.0.{itself} {route}"
            ));
            host.run(&format!(
                "ip address add 127.0.0.{}/32 dev cable",
                3 - itself
            ));
            host.run(&format!(
                "ip route add 127.0.0.{}/32 via 10.9.0.{peer} src 127.0.0.{} {route}",
                3 - peer,
                3 - itself
            ));
        }
        Arc::new(Self {
            near,
            far,
            forwarder,
        })
    }

    pub(crate) fn hosts(&self) -> [&Namespace; 2] {
        [&self.near, &self.far]
    }
}

fn hosts() -> Option<(Namespace, Namespace)> {
    let both = || io::Result::Ok((Namespace::new()?, Namespace::new()?));
    match both() {
        Ok(both) => Some(both),
        Err(error) => skipped(&format!("no network of its own can be made: {error}")),
    }
}

fn skipped<T>(why: &str) -> Option<T> {
    let required = env::var("MILLPOND_REQUIRE")
        .is_ok_and(|list| list.split(',').any(|name| name.trim() == "network"));
    assert!(!required, "{why}");
    eprintln!("skipped: {why}");
    None
}
