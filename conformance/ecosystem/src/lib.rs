//! The tests are what there is here. They run millpond's streams under the crates, and against
//! the servers, that others wrote: over real sockets, and in simulated worlds with faults.

/// The programs of the guide, which need these crates.
#[cfg(doctest)]
#[doc = include_str!("../../../adapters/driver/docs/from_tokio.md")]
mod from_tokio {}
