//! Why a connection or a server could not be opened.
//!
//! Causes are in the text, and `source` goes on behind them, as in [`millpond_core`]'s errors.

use std::{borrow::Cow, error::Error, fmt, io, time::Duration};

#[cfg(not(feature = "__tls"))]
use crate::tls::HandshakeError;
#[cfg(feature = "__tls")]
use crate::tls::TlsError;

use crate::socket::Address;

/// Why a connection or a server could not be opened.
///
/// It converts into [`io::Error`] with the kind of the cause.
///
/// ```no_run
/// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) {
/// let error = millpond::open_connection(runtime, "127.0.0.1:1").await.unwrap_err();
/// assert_eq!(error.to_string(), "cannot connect to 127.0.0.1:1: Connection refused (os error 111)");
/// # }
/// ```
#[non_exhaustive]
pub enum OpenError {
    /// An option cannot be used. Nothing was connected to or listened on, and nothing was looked up
    /// unless it is the `family`, of which a host has no address.
    Option {
        /// The name of the option.
        name: &'static str,
        /// What is wrong with it.
        reason: Cow<'static, str>,
    },
    /// A host has no address that can be found.
    Resolve {
        /// The host, as it was given.
        host: String,
        /// The error of the resolver.
        source: io::Error,
    },
    /// Every attempt to connect failed.
    ///
    /// `Differs from asyncio:` it has the error of each attempt, as with `all_errors` there.
    #[doc(alias = "all_errors")]
    Connect {
        /// Each address that was tried and why it failed, in the order in which they failed. Never
        /// empty.
        attempts: Vec<(Address, io::Error)>,
    },
    /// An address cannot be listened on.
    Listen {
        /// The address.
        address: Address,
        /// Why not.
        source: io::Error,
    },
    /// Resolving, connecting and the handshake of TLS took longer than they may.
    TimedOut {
        /// What was to be connected to, as it was given.
        target: String,
        /// How long it may take.
        timeout: Duration,
        /// What it was waiting for, in words.
        waiting_for: String,
        /// Each address that had failed before and why, in the order in which they failed.
        attempts: Vec<(Address, io::Error)>,
    },
    /// The server was closed before.
    Closed,
    /// The connection was opened, and TLS could not be begun on it.
    #[cfg(feature = "__tls")]
    Tls {
        /// Why not.
        source: TlsError,
    },
    /// The runtime did not take over a socket that was given.
    Adopt {
        /// Why not.
        source: io::Error,
    },
    /// What was given as a pipe cannot be used as one.
    Pipe {
        /// Why not.
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn option(name: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Option {
            name,
            reason: reason.into(),
        }
    }

    /// A socket that was given carries no stream.
    pub(crate) fn no_stream(error: io::Error) -> Self {
        Self::option("sock", error.to_string())
    }

    /// The kind that it has as an I/O error: that of the cause.
    pub fn kind(&self) -> io::ErrorKind {
        let without_cause = match self {
            Self::TimedOut { .. } => io::ErrorKind::TimedOut,
            #[cfg(feature = "__tls")]
            Self::Tls { source } => source.kind(),
            Self::Closed
            | Self::Option { .. }
            | Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Listen { .. }
            | Self::Adopt { .. }
            | Self::Pipe { .. } => io::ErrorKind::InvalidInput,
        };
        self.cause().map_or(without_cause, io::Error::kind)
    }

    fn cause(&self) -> Option<&io::Error> {
        match self {
            Self::Closed | Self::Option { .. } | Self::TimedOut { .. } => None,
            #[cfg(feature = "__tls")]
            Self::Tls { .. } => None,
            Self::Connect { attempts } => attempts.first().map(|(_, source)| source),
            Self::Resolve { source, .. }
            | Self::Listen { source, .. }
            | Self::Adopt { source }
            | Self::Pipe { source } => Some(source),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option { name, reason } => write!(f, "option `{name}` cannot be used: {reason}"),
            Self::Resolve { host, source } => {
                write!(f, "the host {host:?} cannot be resolved: {source}")
            }
            Self::Connect { attempts } => {
                f.write_str("cannot connect to ")?;
                for (i, (address, source)) in attempts.iter().enumerate() {
                    let separator = if i == 0 { "" } else { ", nor to " };
                    write!(f, "{separator}{address}: {source}")?;
                }
                Ok(())
            }
            Self::Listen { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::TimedOut {
                target,
                timeout,
                waiting_for,
                attempts,
            } => {
                write!(
                    f,
                    "no connection to {target} within {timeout:?}: still waiting for {waiting_for}"
                )?;
                for (address, source) in attempts {
                    write!(f, "; cannot connect to {address}: {source}")?;
                }
                Ok(())
            }
            Self::Closed => f.write_str("the server is closed and cannot be started again"),
            Self::Adopt { source } => write!(f, "the socket cannot be used: {source}"),
            Self::Pipe { source } => write!(f, "the pipe cannot be used: {source}"),
            #[cfg(feature = "__tls")]
            Self::Tls { source } => source.fmt(f),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        #[cfg(feature = "__tls")]
        if let Self::Tls { source } = self {
            return source.source();
        }
        self.cause().and_then(Error::source)
    }
}

impl fmt::Debug for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Option { .. } => "Option",
            Self::Resolve { .. } => "Resolve",
            Self::Connect { .. } => "Connect",
            Self::Listen { .. } => "Listen",
            Self::TimedOut { .. } => "TimedOut",
            Self::Closed => "Closed",
            #[cfg(feature = "__tls")]
            Self::Tls { .. } => "Tls",
            Self::Adopt { .. } => "Adopt",
            Self::Pipe { .. } => "Pipe",
        };
        f.debug_tuple(name).field(&format_args!("{self}")).finish()
    }
}

/// Keeps the kind of the cause; the [`OpenError`] is the inner one.
impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        Self::new(error.kind(), error)
    }
}

#[cfg(not(feature = "__tls"))]
impl From<HandshakeError> for OpenError {
    fn from(never: HandshakeError) -> Self {
        match never {}
    }
}

#[cfg(feature = "__tls")]
impl From<TlsError> for OpenError {
    fn from(source: TlsError) -> Self {
        match source {
            TlsError::Config { name, reason } => Self::Option { name, reason },
            TlsError::Buffered { .. }
            | TlsError::Handshake { .. }
            | TlsError::NeverBegan { .. }
            | TlsError::Stream { .. } => Self::Tls { source },
        }
    }
}
