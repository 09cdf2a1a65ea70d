//! Two hosts with a bad network in between, which are namespaces of the system: nothing is lost or in
//! another order, errors come in time, and nothing is held for ever.
//!
//! Where the system allows no such thing, as it does to root, this is skipped, and says so; with `network`
//! in the list `MILLPOND_REQUIRE` that is a failure.
//! `MILLPOND_BAD_NETWORK=10` makes the conversations ten times as long.
#![cfg(target_os = "linux")]

mod between;
mod cable;
mod conditions;
mod conversations;
mod forwarder;
mod link;
mod namespace;
mod network;
#[path = "../common/runtimes.rs"]
mod runtimes;
#[path = "../common/tls_for.rs"]
mod tls_for;
