//! What happened in a world: its events, their hash, its faults, and the report of a failure.

pub(crate) mod digest;
pub(crate) mod event;
pub(crate) mod history;
pub(crate) mod note;
pub(crate) mod origin;
pub(crate) mod record;
#[allow(
    clippy::module_inception,
    reason = "the room is named after its public type"
)]
pub(crate) mod trace;
pub(crate) mod transcript;
pub(crate) mod watched;
