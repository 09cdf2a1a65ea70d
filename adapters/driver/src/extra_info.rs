//! What is known of a connection besides its bytes.

use std::{fmt, net::SocketAddr, path::PathBuf};

/// Where an end of a connection is, or a server listens.
///
/// # Examples
///
/// ```
/// use millpond::Address;
///
/// let address = Address::from(([127, 0, 0, 1], 8888));
/// assert_eq!(address.to_string(), "127.0.0.1:8888");
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// The path of a unix socket; `None` for an end that was not bound to one.
    Unix(Option<PathBuf>),
}

impl Address {
    /// The IP address and port, if it is one.
    ///
    /// ```
    /// use millpond::Address;
    ///
    /// assert_eq!(Address::from(([127, 0, 0, 1], 80)).tcp().unwrap().port(), 80);
    /// ```
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl<A: Into<SocketAddr>> From<A> for Address {
    fn from(address: A) -> Self {
        Self::Tcp(address.into())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(Some(path)) => path.display().fmt(f),
            Self::Unix(None) => f.write_str("(unnamed unix socket)"),
        }
    }
}

/// What is known of a connection besides its bytes; asyncio's `get_extra_info`.
///
/// # Examples
///
/// ```
/// let ((reader, writer), _peer) = millpond::pair();
/// assert!(writer.extra_info().peer_addr.is_none()); // memory has no address
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ExtraInfo {
    /// The peer's address; asyncio's `peername`. `None` if the system did not tell.
    pub peer_addr: Option<Address>,
    /// This side's address; asyncio's `sockname`.
    pub local_addr: Option<Address>,
}

impl ExtraInfo {
    /// Both addresses; what could not be found out is left out.
    ///
    /// ```
    /// use millpond::{Address, ExtraInfo};
    ///
    /// let peer = Address::from(([127, 0, 0, 1], 80));
    /// let info = ExtraInfo::new(Some(peer.clone()), None);
    /// assert_eq!(info.peer_addr, Some(peer));
    /// ```
    pub fn new(peer_addr: Option<Address>, local_addr: Option<Address>) -> Self {
        Self {
            peer_addr,
            local_addr,
        }
    }
}
