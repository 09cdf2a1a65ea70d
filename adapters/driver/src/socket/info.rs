//! What is known of a connection besides its bytes.

use std::{fmt, net::SocketAddr, path::PathBuf};

use crate::escape::Escaped;

/// The number of a descriptor, or of a socket on Windows.
#[cfg(not(windows))]
pub type RawHandle = std::ffi::c_int;

/// The number of a descriptor, or of a socket on Windows.
#[cfg(windows)]
pub type RawHandle = std::os::windows::io::RawSocket;

/// Where an end of a connection is, or a server listens.
///
/// It is printed in one line that says exactly which address it is: `127.0.0.1:80`, `/run/x.sock`,
/// `@name` for an abstract one. The peer chooses the path of its own socket, so what cannot be printed
/// is escaped as in a string of Rust, and a path that could be taken for something else is quoted.
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
    /// The name of a unix socket that is in no directory, without the NUL that it begins with.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Abstract(Vec<u8>),
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
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Abstract(_) => None,
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
            Self::Unix(Some(path)) => {
                let bytes = path.as_os_str().as_encoded_bytes();
                match bytes.first() {
                    Some(b'/' | b'.' | b'a'..=b'z' | b'A'..=b'Z') => Escaped(bytes).fmt(f),
                    _ => write!(f, "{path:?}"), // in quotation marks
                }
            }
            Self::Unix(None) => f.write_str("(unnamed unix socket)"),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Abstract(name) => write!(f, "@{}", Escaped(name)),
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
    /// The peer's address; asyncio's `peername`. `None` if the system has none.
    #[doc(alias = "peername")]
    #[doc(alias = "getpeername")]
    pub peer_addr: Option<Address>,
    /// This side's address; asyncio's `sockname`.
    #[doc(alias = "sockname")]
    #[doc(alias = "getsockname")]
    pub local_addr: Option<Address>,
    /// What the system knows it by; asyncio's `socket` and `pipe`.
    #[doc(alias = "fileno")]
    pub handle: Option<SystemHandle>,
    /// What is known of TLS, once it has begun.
    #[cfg(feature = "__tls")]
    pub tls: Option<super::TlsInfo>,
}

/// What the system knows an open connection by.
///
/// It is for logs, and means something else once the connection is closed; to work with the socket
/// there is [`Transport::with_socket`](crate::Transport::with_socket).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SystemHandle {
    /// A pipe, a file or a terminal.
    Pipe(RawHandle),
    /// A socket.
    Socket(RawHandle),
}

/// One thing that is known of a connection; given by [`ExtraInfo::get`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Info<'a> {
    /// Of `peername` and `sockname`.
    Address(&'a Address),
    /// Of `peercert`: the peer's certificate, as it came (DER).
    Certificate(&'a [u8]),
    /// Of `socket` and `pipe`.
    Handle(RawHandle),
    /// Of `cipher`.
    Text(&'a str),
}

impl ExtraInfo {
    /// Both addresses; what could not be found out is left out.
    ///
    /// ```
    /// use millpond::{Address, types::ExtraInfo};
    ///
    /// let peer = Address::from(([127, 0, 0, 1], 80));
    /// let info = ExtraInfo::new(Some(peer.clone()), None);
    /// assert_eq!(info.peer_addr, Some(peer));
    /// ```
    pub fn new(peer_addr: Option<Address>, local_addr: Option<Address>) -> Self {
        Self {
            peer_addr,
            local_addr,
            ..Self::default()
        }
    }

    /// What is known of a pipe: its number.
    ///
    /// ```
    /// use millpond::types::ExtraInfo;
    ///
    /// let file = std::fs::File::open("/dev/null")?;
    /// assert!(ExtraInfo::of_pipe(&file).get("pipe").is_some());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(unix)]
    pub fn of_pipe(pipe: &impl std::os::fd::AsRawFd) -> Self {
        Self {
            handle: Some(SystemHandle::Pipe(pipe.as_raw_fd())),
            ..Self::default()
        }
    }

    /// What asyncio gives by this name: `peername`, `sockname`, `socket`, `pipe`, and of TLS `peercert`
    /// and `cipher`. `None` for what is not known, as for any other name.
    ///
    /// ```
    /// use millpond::{Address, types::ExtraInfo};
    ///
    /// let info = ExtraInfo::new(Some(Address::from(([127, 0, 0, 1], 80))), None);
    /// assert_eq!(info.get("peername").unwrap().to_string(), "127.0.0.1:80");
    /// assert!(info.get("sockname").is_none());
    /// ```
    #[doc(alias = "get_extra_info")]
    pub fn get(&self, name: &str) -> Option<Info<'_>> {
        match (name, self.handle) {
            ("peername", _) => self.peer_addr.as_ref().map(Info::Address),
            ("sockname", _) => self.local_addr.as_ref().map(Info::Address),
            ("socket", Some(SystemHandle::Socket(raw))) => Some(Info::Handle(raw)),
            ("pipe", Some(SystemHandle::Pipe(raw))) => Some(Info::Handle(raw)),
            #[cfg(feature = "__tls")]
            ("peercert", _) => {
                let certificates = &self.tls.as_ref()?.peer_certificates;
                certificates.first().map(|first| Info::Certificate(first))
            }
            #[cfg(feature = "__tls")]
            ("cipher", _) => self.tls.as_ref().map(|tls| Info::Text(&tls.cipher)),
            _ => None,
        }
    }
}

impl fmt::Display for Info<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Certificate(der) => write!(f, "a certificate of {} bytes", der.len()),
            Self::Handle(raw) => raw.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}
