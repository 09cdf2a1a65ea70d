//! How far a handshake has come.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use millpond_core::TransportError;

use super::error::TlsError;

/// What of a handshake is seen from below it, and what is left of it if it is cancelled: the error depends
/// on this.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// At least one byte has come from the peer.
    received: AtomicBool,
    /// It has failed, and the alert that says why is on its way.
    failed: Mutex<Option<TransportError>>,
}

impl Progress {
    pub(crate) fn new(early: &Bytes) -> Arc<Self> {
        let progress = Self::default();
        progress.received(early.len());
        Arc::new(progress)
    }

    pub(crate) fn received(&self, n: usize) {
        if n > 0 {
            self.received.store(true, Ordering::Relaxed);
        }
    }

    /// Whether no byte has come from the peer.
    pub(crate) fn is_silent(&self) -> bool {
        !self.received.load(Ordering::Relaxed)
    }

    pub(super) fn fail(&self, error: TransportError) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Why there is no TLS with this peer, which has ended with `error`.
    pub(crate) fn explain(&self, peer: String, error: TransportError) -> TlsError {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let source = failed.clone().unwrap_or(error);
        match self.is_silent() {
            true => TlsError::NeverBegan { peer, source },
            false => TlsError::Handshake { peer, source },
        }
    }
}
