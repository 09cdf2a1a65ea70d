//! TLS over a socket, by rustls: itself a socket. It knows no stream.

mod acceptor;
mod config;
mod connector;
mod error;
mod failure;
mod guard;
mod handshake;
mod progress;
mod provider;
mod side;
mod socket;
mod waiting;

use std::time::Duration;

pub use acceptor::TlsAcceptor;
pub use connector::TlsConnector;
pub use error::TlsError;
pub(crate) use error::TlsError as HandshakeError;
pub use futures_rustls::rustls;

pub(crate) use handshake::Handshake;
pub(crate) use progress::Progress;

/// How long a handshake may take; asyncio's default.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// What both sides have in common.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) handshake_timeout: Duration,
    pub(crate) truncation: Truncation,
    /// Whether one direction may end alone, where the version of TLS allows it.
    pub(crate) half_close: bool,
}

/// What an end of the stream is without the peer's word for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Truncation {
    Refused,
    /// As in asyncio.
    Accepted,
}

impl Truncation {
    fn accepted(accept: bool) -> Self {
        match accept {
            true => Self::Accepted,
            false => Self::Refused,
        }
    }
}

impl Terms {
    /// # Errors
    ///
    /// [`TlsError::Config`].
    fn check(&self) -> Result<(), TlsError> {
        match self.handshake_timeout.is_zero() {
            true => Err(TlsError::config(
                "handshake_timeout",
                "it must be greater than 0",
            )),
            false => Ok(()),
        }
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            handshake_timeout: HANDSHAKE_TIMEOUT,
            truncation: Truncation::Refused,
            half_close: false,
        }
    }
}
