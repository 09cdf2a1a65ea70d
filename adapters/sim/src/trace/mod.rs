//! What happened in a world: its events, their hash, and the report of a failure.

pub(crate) mod digest;
pub(crate) mod event;
pub(crate) mod failure;
pub(crate) mod record;
#[allow(
    clippy::module_inception,
    reason = "the room is named after its public type"
)]
pub(crate) mod trace;
