//! The standard library's sockets, without a difference between TCP and unix sockets.

use std::io::{self, IoSlice, Read, Write};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
#[cfg(windows)]
use std::os::windows::io::{AsSocket, BorrowedSocket};

use socket2::SockRef;

#[cfg(unix)]
use super::system::{StreamKind, stream_kind};
use super::{check_stream, send, send_vectored};

/// A connected stream socket of the standard library; asyncio's `sock`.
///
/// ```no_run
/// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
/// let (here, there) = millpond::adapter::os::socket_pair()?;
/// let (mut reader, mut writer) = millpond::open_connection(runtime, here).await?;
/// # Ok(()) }
/// ```
///
/// Whatever its kind, an adapter can use it as it is: it reads, writes and has a descriptor.
#[derive(Debug)]
#[non_exhaustive]
pub enum StdSocket {
    /// A TCP connection.
    Tcp(std::net::TcpStream),
    /// A unix-domain connection.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

/// A listening stream socket of the standard library.
///
/// ```no_run
/// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let server = millpond::start_server(runtime, listener, async |_, _| {}).await?;
/// # Ok(()) }
/// ```
///
/// Whatever its kind, an adapter can use it as it is: it accepts and has a descriptor.
#[derive(Debug)]
#[non_exhaustive]
pub enum StdListener {
    /// For TCP connections.
    Tcp(std::net::TcpListener),
    /// For unix-domain connections.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

/// One end of a pipe or FIFO of the standard library; what
/// [`Runtime::adopt_pipe`](crate::Runtime::adopt_pipe) takes over.
///
/// ```no_run
/// # fn example(runtime: &dyn millpond::Runtime) -> std::io::Result<()> {
/// use millpond::adapter::StdPipe;
///
/// let fifo = std::fs::File::open("/run/log.fifo")?;
/// let socket = runtime.adopt_pipe(StdPipe::Reader(fifo.into()))?;
/// # Ok(()) }
/// ```
#[cfg(unix)]
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a pipe has two ends")]
pub enum StdPipe {
    /// It is read from.
    Reader(OwnedFd),
    /// It is written to.
    Writer(OwnedFd),
}

/// Does the same with whichever it is.
macro_rules! each {
    ($kind:ident, $this:expr, $socket:ident => $done:expr) => {
        match $this {
            $kind::Tcp($socket) => $done,
            #[cfg(unix)]
            $kind::Unix($socket) => $done,
        }
    };
}

impl StdSocket {
    /// Whether operations fail with `WouldBlock` instead of waiting.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{ErrorKind, Read};
    ///
    /// let (here, _there) = millpond::adapter::os::socket_pair()?;
    /// here.set_nonblocking(true)?;
    /// let error = (&here).read(&mut [0]).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        each!(Self, self, socket => socket.set_nonblocking(nonblocking))
    }

    /// # Errors
    ///
    /// If it carries no stream, as one that was made of another kind of descriptor.
    pub(crate) fn check(&self) -> io::Result<()> {
        check_stream(self)
    }
}

impl StdListener {
    /// Takes the next connection.
    ///
    /// # Errors
    ///
    /// That of the system; `WouldBlock` if no connection waits, and it
    /// [does not wait](Self::set_nonblocking) either.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond::adapter::StdListener;
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let near = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let far = StdListener::from(listener).accept()?;
    /// assert_eq!(millpond::adapter::os::local_addr(&far)?.tcp(), Some(near.peer_addr()?));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn accept(&self) -> io::Result<StdSocket> {
        each!(Self, self, listener => Ok(listener.accept()?.0.into()))
    }

    /// Whether [`accept`](Self::accept) fails with `WouldBlock` instead of waiting. What it accepts may
    /// wait or not, depending on the system.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// use millpond::adapter::StdListener;
    ///
    /// let listener = StdListener::from(std::net::TcpListener::bind("127.0.0.1:0")?);
    /// listener.set_nonblocking(true)?;
    /// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        each!(Self, self, listener => listener.set_nonblocking(nonblocking))
    }

    /// # Errors
    ///
    /// As [`StdSocket::check`].
    pub(crate) fn check(&self) -> io::Result<()> {
        check_stream(self)
    }
}

impl Read for &StdSocket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        each!(StdSocket, self, socket => (&*socket).read(buf))
    }
}

/// A peer that has left is `BrokenPipe`, and never the signal `SIGPIPE`.
impl Write for &StdSocket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        send(*self, buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        send_vectored(*self, bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // sockets keep nothing back
    }
}

/// Whatever has one descriptor.
macro_rules! descriptor {
    ($socket:ty) => {
        #[cfg(unix)]
        impl AsFd for $socket {
            fn as_fd(&self) -> BorrowedFd<'_> {
                each!(Self, self, socket => socket.as_fd())
            }
        }

        #[cfg(windows)]
        impl AsSocket for $socket {
            fn as_socket(&self) -> BorrowedSocket<'_> {
                each!(Self, self, socket => socket.as_socket())
            }
        }
    };
}

descriptor!(StdSocket);
descriptor!(StdListener);

impl From<std::net::TcpStream> for StdSocket {
    fn from(socket: std::net::TcpStream) -> Self {
        Self::Tcp(socket)
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::UnixStream> for StdSocket {
    fn from(socket: std::os::unix::net::UnixStream) -> Self {
        Self::Unix(socket)
    }
}

impl From<std::net::TcpListener> for StdListener {
    fn from(listener: std::net::TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::UnixListener> for StdListener {
    fn from(listener: std::os::unix::net::UnixListener) -> Self {
        Self::Unix(listener)
    }
}

/// Another handle of the same socket.
impl TryFrom<SockRef<'_>> for StdSocket {
    type Error = io::Error;

    #[cfg(unix)]
    fn try_from(socket: SockRef<'_>) -> io::Result<Self> {
        Self::try_from(OwnedFd::from(socket.try_clone()?))
    }

    #[cfg(not(unix))]
    fn try_from(socket: SockRef<'_>) -> io::Result<Self> {
        Ok(Self::Tcp(socket.try_clone()?.into()))
    }
}

/// What asyncio takes by its descriptor, as `socket.socket(fileno=...)` does.
///
/// ```
/// use std::os::{fd::OwnedFd, unix::net::UnixStream};
///
/// let (here, _there) = UnixStream::pair()?;
/// let socket = millpond::adapter::StdSocket::try_from(OwnedFd::from(here))?;
/// assert!(matches!(socket, millpond::adapter::StdSocket::Unix(_)));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// `InvalidInput`, which says why, if it is no socket, carries no stream, or is neither of TCP nor a
/// unix socket. It is closed then.
#[cfg(unix)]
impl TryFrom<OwnedFd> for StdSocket {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        Ok(match stream_kind(&fd)? {
            StreamKind::Tcp => Self::Tcp(fd.into()),
            StreamKind::Unix => Self::Unix(fd.into()),
        })
    }
}

/// A socket that is bound, by its descriptor: one that was inherited from a supervisor for instance.
///
/// ```
/// use std::{net::TcpListener, os::fd::OwnedFd};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let listener = millpond::adapter::StdListener::try_from(OwnedFd::from(listener))?;
/// assert!(matches!(listener, millpond::adapter::StdListener::Tcp(_)));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// As for [`StdSocket`].
#[cfg(unix)]
impl TryFrom<OwnedFd> for StdListener {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        Ok(match stream_kind(&fd)? {
            StreamKind::Tcp => Self::Tcp(fd.into()),
            StreamKind::Unix => Self::Unix(fd.into()),
        })
    }
}
