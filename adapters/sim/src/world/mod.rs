//! The state of a world behind its one lock, and what the network, the clock and chance do with it.

pub(crate) mod attempt;
pub(crate) mod backlog;
pub(crate) mod chance;
pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod connections;
pub(crate) mod deferred;
pub(crate) mod flight;
pub(crate) mod link;
pub(crate) mod port;
pub(crate) mod schedule;
pub(crate) mod shared;
pub(crate) mod state;
pub(crate) mod stuck;
pub(crate) mod task;
