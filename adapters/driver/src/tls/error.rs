//! Why TLS could not be begun.

use std::{borrow::Cow, error::Error, fmt, io};

use futures_rustls::rustls;
use millpond_core::{TransportError, WriteError};

use super::failure;

/// Why TLS could not be begun on a stream.
///
/// It converts into [`io::Error`] with the kind of the cause.
///
/// ```
/// use millpond::{TlsConnector, error::TlsError};
///
/// # futures_lite::future::block_on(async {
/// let ((mut reader, mut writer), _peer) = millpond::pair();
/// let refused = writer.start_tls(&mut reader, TlsConnector::new()).await.unwrap_err();
/// assert!(matches!(refused, TlsError::Config { name: "server_hostname", .. }));
/// # });
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum TlsError {
    /// Something was received before and not read; the stream is as it was. Read it and see what it
    /// is, or hand it over: [`StartTls::hand_over_buffered`](crate::types::StartTls::hand_over_buffered).
    Buffered {
        /// How many bytes.
        len: usize,
    },
    /// A setting cannot be used; the stream is as it was.
    Config {
        /// The name of the setting.
        name: &'static str,
        /// What is wrong with it.
        reason: Cow<'static, str>,
    },
    /// The handshake failed, took too long, or was ended from elsewhere, and so was the stream. The peer
    /// had begun it: what it has sent was wrong, as plain HTTP on a port of TLS is, or not all.
    Handshake {
        /// The peer: the name that was to be verified, and the address.
        peer: String,
        /// What happened.
        source: TransportError,
    },
    /// The peer has not sent a byte, until it left, or time was up, or this was ended from elsewhere; and
    /// so has the stream ended. Load balancers and port scanners look at servers so.
    NeverBegan {
        /// The peer, in the same way.
        peer: String,
        /// What happened.
        source: TransportError,
    },
    /// The stream had ended before.
    Stream {
        /// How.
        source: WriteError,
    },
}

impl TlsError {
    pub(crate) fn config(name: &'static str, reason: impl fmt::Display) -> Self {
        Self::Config {
            name,
            reason: reason.to_string().into(),
        }
    }

    /// The kind that it has as an I/O error.
    ///
    /// ```
    /// let error = millpond::error::TlsError::from(millpond::WriteError::Closed);
    /// assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    /// ```
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Buffered { .. } => io::ErrorKind::InvalidData,
            Self::Config { .. } => io::ErrorKind::InvalidInput,
            Self::Handshake { source, .. } | Self::NeverBegan { source, .. } => source.kind(),
            Self::Stream { source } => source.kind(),
        }
    }
}

impl TlsError {
    /// The error of rustls, if the handshake failed in it: this distinguishes what is wrong with a
    /// certificate.
    ///
    /// ```no_run
    /// use millpond::{OpenError, TlsConnector, rustls::{CertificateError, Error}};
    ///
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) {
    /// let opening = millpond::open_connection(runtime, ("example.org", 443));
    /// if let Err(OpenError::Tls { source }) = opening.tls(TlsConnector::new()).await {
    ///     match source.rustls() {
    ///         Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
    ///             eprintln!("example.org's certificate is signed by no root that this system trusts");
    ///         }
    ///         _ => eprintln!("{source}"),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn rustls(&self) -> Option<&rustls::Error> {
        match self {
            Self::Handshake { source, .. } | Self::NeverBegan { source, .. } => {
                failure::of_rustls(source.get_ref())
            }
            Self::Buffered { .. } | Self::Config { .. } | Self::Stream { .. } => None,
        }
    }
}

impl From<WriteError> for TlsError {
    fn from(source: WriteError) -> Self {
        Self::Stream { source }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffered { len } => write!(
                f,
                "{len} bytes were received before TLS and not read, so they are not protected by it: read \
                 them first, or call hand_over_buffered"
            ),
            Self::Config { name, reason } => {
                write!(f, "setting `{name}` cannot be used: {reason}")
            }
            Self::Handshake { peer, source } => {
                write!(f, "the TLS handshake with {peer} failed: {source}")
            }
            Self::NeverBegan { peer, source } => {
                write!(f, "the TLS handshake with {peer} never began: {source}")
            }
            Self::Stream { source } => write!(f, "TLS cannot be started: {source}"),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Buffered { .. } | Self::Config { .. } => None,
            Self::Handshake { source, .. } | Self::NeverBegan { source, .. } => source.source(),
            Self::Stream { source } => source.source(),
        }
    }
}

impl fmt::Debug for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Buffered { .. } => "Buffered",
            Self::Config { .. } => "Config",
            Self::Handshake { .. } => "Handshake",
            Self::NeverBegan { .. } => "NeverBegan",
            Self::Stream { .. } => "Stream",
        };
        f.debug_tuple(name).field(&format_args!("{self}")).finish()
    }
}

/// Keeps the kind; the [`TlsError`] is the inner one.
impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> Self {
        Self::new(error.kind(), error)
    }
}
