//! What the system's sockets are set to.

use std::{net::SocketAddr, time::Duration};

/// Whether the system asks a silent peer now and then if it is still there; `SO_KEEPALIVE`.
///
/// A peer that does not answer makes reads and writes fail.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use millpond::types::KeepAlive;
///
/// assert_eq!(KeepAlive::from(true), KeepAlive::On);
/// assert_eq!(KeepAlive::from(Duration::from_secs(60)), KeepAlive::After(Duration::from_secs(60)));
/// ```
#[doc(alias = "SO_KEEPALIVE")]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeepAlive {
    /// The socket is left as it is: a new one does not ask.
    #[default]
    Off,
    /// It asks after the system's time, 2 h on Linux.
    On,
    /// It asks after so long a silence, which is rounded up to a whole second. The system's limits
    /// apply; Linux's is 32767 s.
    After(Duration),
}

impl From<bool> for KeepAlive {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl From<Duration> for KeepAlive {
    fn from(silence: Duration) -> Self {
        Self::After(silence)
    }
}

/// The settings of [`SocketOptions`] as methods of a builder; see `stream_options`.
macro_rules! socket_options {
    ($opened:literal, $done:literal, $($options:ident).+) => {
        /// Whether small writes leave at once (`TCP_NODELAY`); `true` by default, as in asyncio.
        ///
        /// ```no_run
        /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
        #[doc = concat!("let opened = ", $opened, ".no_delay(false)", $done)]
        /// # Ok(()) }
        /// ```
        pub fn no_delay(mut self, no_delay: bool) -> Self {
            self.$($options).+.no_delay = no_delay;
            self
        }

        /// Whether a silent peer is asked now and then if it is still there (`SO_KEEPALIVE`): no, by
        /// default; `true` for the system's times, or a [`Duration`](std::time::Duration) of silence.
        ///
        /// ```no_run
        /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
        /// let a_minute = std::time::Duration::from_secs(60);
        #[doc = concat!("let opened = ", $opened, ".keep_alive(a_minute)", $done)]
        /// # Ok(()) }
        /// ```
        pub fn keep_alive(mut self, keep_alive: impl Into<KeepAlive>) -> Self {
            self.$($options).+.keep_alive = keep_alive.into();
            self
        }

        /// How many bytes the system keeps for this side to read (`SO_RCVBUF`); its own choice by
        /// default.
        ///
        /// ```no_run
        /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
        #[doc = concat!("let opened = ", $opened, ".receive_buffer(1 << 20)", $done)]
        /// # Ok(()) }
        /// ```
        pub fn receive_buffer(mut self, bytes: usize) -> Self {
            self.$($options).+.receive_buffer = Some(bytes);
            self
        }

        /// How many bytes the system takes before the peer has them (`SO_SNDBUF`); its own choice by
        /// default.
        ///
        /// ```no_run
        /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
        #[doc = concat!("let opened = ", $opened, ".send_buffer(1 << 20)", $done)]
        /// # Ok(()) }
        /// ```
        pub fn send_buffer(mut self, bytes: usize) -> Self {
            self.$($options).+.send_buffer = Some(bytes);
            self
        }
    };
}
pub(crate) use socket_options;

/// What a connected socket of the system is set to.
///
/// # Examples
///
/// ```
/// use millpond::{adapter::SocketOptions, types::KeepAlive};
///
/// let mut options = SocketOptions::default();
/// options.keep_alive = KeepAlive::On;
/// assert!(options.no_delay);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SocketOptions {
    /// Whether small writes leave at once (`TCP_NODELAY`); `true` by default, as in asyncio. With
    /// `false` the socket is left as it is: a new one waits for more. Unix sockets never wait.
    #[doc(alias = "TCP_NODELAY")]
    pub no_delay: bool,
    /// Whether a silent peer is asked if it is still there; [`KeepAlive::Off`] by default, as in
    /// asyncio. It has no meaning for unix sockets.
    pub keep_alive: KeepAlive,
    /// How many bytes the system keeps for this side to read (`SO_RCVBUF`); `None`, its own choice,
    /// by default. Linux doubles the number, and every system has a limit.
    #[doc(alias = "SO_RCVBUF")]
    pub receive_buffer: Option<usize>,
    /// How many bytes the system takes before the peer has them (`SO_SNDBUF`); as above.
    #[doc(alias = "SO_SNDBUF")]
    pub send_buffer: Option<usize>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            no_delay: true,
            keep_alive: KeepAlive::Off,
            receive_buffer: None,
            send_buffer: None,
        }
    }
}

/// How a socket is connected.
///
/// # Examples
///
/// ```
/// use millpond::adapter::ConnectOptions;
///
/// let mut options = ConnectOptions::default();
/// options.local_addrs = vec![([127, 0, 0, 1], 0).into()];
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// What it is set to.
    pub socket: SocketOptions,
    /// The protocol below the stream, asyncio's `proto`; TCP by default. On Linux, 262 is MPTCP.
    /// Unix sockets ignore it.
    #[doc(alias = "proto")]
    pub protocol: Option<i32>,
    /// The addresses to connect from: the first one of the peer's family that can be bound is taken.
    /// With none, the default, the system chooses. Unix sockets ignore them.
    #[doc(alias = "local_addr")]
    pub local_addrs: Vec<SocketAddr>,
}

/// How an address is listened on.
///
/// # Examples
///
/// ```
/// use millpond::adapter::ListenOptions;
///
/// let mut options = ListenOptions::default();
/// options.reuse_port = true; // several processes share the port
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListenOptions {
    /// What each accepted socket is set to, and the listening one before it is bound: accepted ones
    /// inherit its buffer sizes, and TCP's window must know them early.
    pub socket: SocketOptions,
    /// Whether a port can be listened on again at once after a server closed (`SO_REUSEADDR`);
    /// `true` by default, as in asyncio, but `false` on Windows, where it lets others steal the
    /// port.
    #[doc(alias = "SO_REUSEADDR")]
    pub reuse_address: bool,
    /// Whether several sockets may listen on the same port (`SO_REUSEPORT`), if all of them say so;
    /// `false` by default. Unix sockets ignore it.
    #[doc(alias = "SO_REUSEPORT")]
    pub reuse_port: bool,
    /// Whether the path of a unix socket is removed when it is closed, if it is still the one that
    /// was made; `true` by default, as in asyncio since Python 3.13.
    pub cleanup_socket: bool,
    /// The mode of the path of a unix socket, from its first moment on; a client that may connect must be
    /// allowed to write. `None`, what the process's umask leaves of `0o777`, by default. It is for
    /// paths on Linux and Android; elsewhere binding fails as `Unsupported`.
    pub unix_mode: Option<u32>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            socket: SocketOptions::default(),
            reuse_address: cfg!(not(windows)),
            reuse_port: false,
            cleanup_socket: true,
            unix_mode: None,
        }
    }
}
