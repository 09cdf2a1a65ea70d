//! The scenarios: every `pub(crate) async fn` of a [`Setup`](crate::setup::Setup) is one, and becomes a
//! test. What kind of place each module is for says `build.rs`.

pub(crate) mod aborting;
pub(crate) mod adopting;
pub(crate) mod binding;
pub(crate) mod broken_handshakes;
pub(crate) mod cancelling;
pub(crate) mod closing;
pub(crate) mod connecting;
pub(crate) mod draining;
pub(crate) mod duties;
pub(crate) mod ending;
pub(crate) mod ending_tls;
pub(crate) mod half_closing;
pub(crate) mod handshakes;
pub(crate) mod introspection;
pub(crate) mod leaving;
pub(crate) mod limits;
pub(crate) mod opening;
#[cfg(unix)]
pub(crate) mod pipes;
pub(crate) mod reading;
pub(crate) mod resets;
pub(crate) mod serving;
pub(crate) mod shutting_down;
#[cfg(unix)]
pub(crate) mod signals;
pub(crate) mod starting_tls;
pub(crate) mod streams;
pub(crate) mod taking;
pub(crate) mod thread_locals;
pub(crate) mod traffic;
pub(crate) mod traits;
pub(crate) mod trusting;
pub(crate) mod writing;
