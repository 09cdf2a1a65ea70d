//! What is told to `tracing`, when that feature is on.

use std::{fmt, io};

use crate::error::HandlerError;

pub(crate) fn handler_error(error: &HandlerError) {
    #[cfg(feature = "tracing")]
    tracing::error!(%error, "a handler did not end well");
    let _ = error;
}

pub(crate) fn handshake_error(error: &dyn fmt::Display) {
    #[cfg(feature = "tracing")]
    tracing::debug!(%error, "a client did not get through the handshake");
    let _ = error;
}

pub(crate) fn accept_error(error: &io::Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%error, "accept failed, pausing");
    let _ = error;
}
