//! What a program in a world holds: the world, its hosts, their sockets, and scripted peers.

pub(crate) mod current;
#[allow(
    clippy::module_inception,
    reason = "the room is named after its public type"
)]
pub(crate) mod host;
pub(crate) mod script;
pub(crate) mod socket;
#[cfg(feature = "__tls")]
pub mod tls;
pub(crate) mod world;
