//! Events for `tracing`, when that feature is on.

use std::{fmt, io};

use super::handler_error::HandlerError;

pub(crate) fn handler_error(error: &HandlerError) {
    #[cfg(feature = "tracing")]
    match error.client_has_left() {
        true => tracing::debug!(%error, "client disconnected"),
        false => tracing::error!(%error, "handler failed"),
    }
    let _ = error;
}

pub(crate) fn handshake_error(error: &dyn fmt::Display) {
    #[cfg(feature = "tracing")]
    tracing::debug!(%error, "TLS handshake failed");
    let _ = error;
}

pub(crate) fn accept_error(error: &io::Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%error, "accept failed, pausing");
    let _ = error;
}
