//! [millpond] on tokio: asyncio's streams for programs that run on [tokio](https://docs.rs/tokio).
//!
//! Everything here is [millpond]'s, with tokio as its runtime. Its page says what there is and how it
//! behaves, and its [guide](millpond::guide::from_asyncio) has every name of asyncio beside its
//! counterpart.
//!
//! # Examples
//!
//! ```
//! use std::io;
//!
//! use millpond_tokio::{StreamReader, StreamWriter, open_connection, start_server};
//!
//! async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
//!     loop {
//!         let line = reader.read_line().await?;
//!         if line.is_empty() {
//!             return Ok(()); // the end of the stream
//!         }
//!         writer.write_all(&line).await?;
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> io::Result<()> {
//!     let server = start_server("127.0.0.1:0", echo).await?;
//!
//!     let (mut reader, mut writer) = open_connection(&server.sockets()[0]).await?;
//!     writer.write(b"hello\n")?;
//!     assert_eq!(reader.read_line().await?, "hello\n");
//!     Ok(())
//! }
//! ```
//!
//! With the feature `tls` (or `tls-aws-lc-rs`), streams are protected from their first byte, or from a
//! later one, with `StreamWriter::start_tls`:
//!
#![cfg_attr(feature = "tls", doc = "```no_run")]
#![cfg_attr(not(feature = "tls"), doc = "```ignore")]
//! use std::io;
//!
//! use millpond_tokio::{
//!     TlsAcceptor, TlsConnector, connect,
//!     rustls::pki_types::{CertificateDer, PrivateKeyDer},
//!     start_server,
//! };
//!
//! async fn example(
//!     chain: Vec<CertificateDer<'static>>,
//!     key: PrivateKeyDer<'static>,
//! ) -> io::Result<()> {
//!     let tls = TlsConnector::new(); // trusts the roots of the system
//!     let mut stream = connect(("example.org", 443)).tls(&tls).await?;
//!     stream.write(b"HEAD / HTTP/1.0\r\nHost: example.org\r\n\r\n")?;
//!     println!("{:?}", stream.read_line().await?);
//!
//!     let tls = TlsAcceptor::new(chain, key);
//!     let server = start_server("0.0.0.0:443", async |_, mut writer| {
//!         writer.write(b"be excellent to each other\n")
//!     });
//!     server.tls(&tls).await?.serve_forever().await?;
//!     Ok(())
//! }
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(unix)]
mod pipes;
mod sockets;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

#[cfg(unix)]
use millpond::adapter::StdPipe;
pub use millpond::adapter::front::*;
use millpond::adapter::{
    Bound, BoxFuture, ConnectOptions, ListenOptions, Listener, Lookup, Socket, Spawn, StdListener,
    StdSocket, os,
};
#[cfg(unix)]
use tokio::net::unix::pipe;
use tokio::{net, runtime::Handle};

#[cfg(unix)]
use crate::pipes::Pipe;
use crate::sockets::Io;

/// tokio as a [`Runtime`].
///
/// It holds on to one tokio runtime, so that what must be written in the background can be spawned
/// from anywhere. When that runtime shuts down, what it had not delivered is lost, and the streams
/// fail: close them and await `wait_closed` before.
///
/// tokio knows whether a socket is ready only after its driver has looked. What is written before
/// that, to a socket that was just adopted, is queued, and leaves when it has.
///
/// Names are looked up on threads that are not tokio's: it does not wait for them when it ends, and its
/// time goes on meanwhile if it is paused.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use millpond_tokio::{Runtime, Tokio};
///
/// #[tokio::main]
/// async fn main() {
///     let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Tokio {
    handle: Handle,
}

impl Tokio {
    /// The tokio runtime that this is called in. It needs its I/O and time drivers enabled, as
    /// `#[tokio::main]` does.
    ///
    /// # Panics
    ///
    /// If it is called outside of one.
    ///
    /// # Examples
    ///
    /// See [`Tokio`].
    #[track_caller]
    pub fn current() -> Self {
        Self::new(Handle::current())
    }

    /// The tokio runtime of `handle`.
    ///
    /// ```
    /// use millpond_tokio::Tokio;
    ///
    /// let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    /// let runtime = Tokio::new(tokio.handle().clone());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(handle: Handle) -> Self {
        Self { handle }
    }
}

millpond::adapter::functions!(
    "millpond_tokio",
    Arc::new(Tokio::current()),
    /// # Panics
    ///
    /// If it is called outside of a tokio runtime.
);

/// [`millpond::from_io`] over any tokio stream, on this crate's runtime.
///
/// # Panics
///
/// Outside of a tokio runtime.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> std::io::Result<()> {
/// let (near, far) = tokio::io::duplex(64);
/// let mut stream = millpond_tokio::from_tokio(near);
/// let mut peer = millpond_tokio::from_tokio(far);
/// peer.write_all(b"hello\n").await?;
/// assert_eq!(stream.read_line().await?, "hello\n");
/// # Ok(()) }
/// ```
#[track_caller]
pub fn from_tokio<S>(io: S) -> Stream
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    millpond::from_tokio(runtime(), io)
}

/// [`millpond::from_halves`] over any two tokio streams, on this crate's runtime: a child's output and
/// input.
///
/// # Panics
///
/// Outside of a tokio runtime.
///
/// # Examples
///
/// ```no_run
/// use std::process::Stdio;
///
/// use tokio::process::Command;
///
/// # async fn example() -> std::io::Result<()> {
/// let mut bc = Command::new("bc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// let (output, input) = (bc.stdout.take().unwrap(), bc.stdin.take().unwrap());
/// let mut stream = millpond_tokio::from_tokio_halves(output, input);
/// stream.write_all(b"6 * 7\n").await?;
/// assert_eq!(stream.read_line().await?, "42\n");
/// # Ok(()) }
/// ```
#[track_caller]
pub fn from_tokio_halves<R, W>(reader: R, writer: W) -> Stream
where
    R: tokio::io::AsyncRead + Send + Unpin + 'static,
    W: tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    millpond::from_tokio_halves(runtime(), reader, writer)
}

/// A connected TCP socket of tokio's, for [`open_connection`] and [`connect`](fn@connect) to take
/// over; asyncio's `sock`.
///
/// It is used as it is, on the tokio runtime that it belongs to. The options of the connection, such
/// as `no_delay`, are set on it.
///
/// # Examples
///
/// ```
/// use millpond_tokio::{from_tcp, open_connection};
/// use tokio::net::{TcpListener, TcpStream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let stream = TcpStream::connect(listener.local_addr()?).await?;
///
/// let (mut reader, mut writer) = open_connection(from_tcp(stream)).await?;
/// writer.write(b"hello\n")?;
/// # Ok(()) }
/// ```
pub fn from_tcp(stream: net::TcpStream) -> Box<dyn Socket> {
    Box::new(Io(stream))
}

/// A connected unix socket of tokio's; see [`from_tcp`].
///
/// # Examples
///
/// ```
/// use millpond_tokio::{connect, from_unix};
/// use tokio::net::UnixStream;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let (here, there) = UnixStream::pair()?;
/// let mut here = connect(from_unix(here)).await?;
/// let mut there = connect(from_unix(there)).await?;
/// here.write(b"hello\n")?;
/// assert_eq!(there.read_line().await?, "hello\n");
/// # Ok(()) }
/// ```
#[cfg(unix)]
pub fn from_unix(stream: net::UnixStream) -> Box<dyn Socket> {
    Box::new(Io(stream))
}

impl Spawn for Tokio {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.handle.spawn(task);
    }
}

impl Runtime for Tokio {
    fn connect<'a>(
        &'a self,
        address: &'a Address,
        options: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            match self.register(os::connect(address, options)?)? {
                Registered::Tcp(stream) => {
                    stream.0.writable().await?;
                    os::connected(&stream.0)?;
                    Ok(Box::new(stream) as _)
                }
                #[cfg(unix)]
                Registered::Unix(stream) => {
                    stream.0.writable().await?;
                    os::connected(&stream.0)?;
                    Ok(Box::new(stream) as _)
                }
            }
        })
    }

    fn bind(&self, address: &Address, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
        os::bind(Arc::new(self.clone()), address, options)
    }

    fn adopt(&self, socket: StdSocket) -> io::Result<Box<dyn Socket>> {
        socket.set_nonblocking(true)?;
        Ok(match self.register(socket)? {
            Registered::Tcp(stream) => Box::new(stream),
            #[cfg(unix)]
            Registered::Unix(stream) => Box::new(stream),
        })
    }

    fn adopt_listener(&self, listener: StdListener) -> io::Result<Box<dyn Listener>> {
        let _inside = self.handle.enter();
        listener.set_nonblocking(true)?;
        match listener {
            StdListener::Tcp(listener) => Ok(Box::new(Io(net::TcpListener::from_std(listener)?))),
            #[cfg(unix)]
            StdListener::Unix(listener) => Ok(Box::new(Io(net::UnixListener::from_std(listener)?))),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn resolve<'a>(&'a self, lookup: &'a Lookup) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        os::resolve(lookup)
    }

    #[cfg(unix)]
    fn adopt_pipe(&self, pipe: StdPipe) -> io::Result<Box<dyn Socket>> {
        let _inside = self.handle.enter();
        Ok(Box::new(match pipe {
            StdPipe::Reader(fd) => Pipe::Receiver(pipe::Receiver::from_owned_fd(fd)?),
            StdPipe::Writer(fd) => Pipe::Sender(pipe::Sender::from_owned_fd(fd)?),
        }))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let _inside = self.handle.enter();
        Box::pin(tokio::time::sleep(duration))
    }

    /// tokio's time can be paused, for tests. In the destructors of a thread's locals, where streams may
    /// be dropped, nothing can be entered any more: there it is the system's.
    fn now(&self) -> Instant {
        let ends = Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed());
        let _inside = (!ends).then(|| self.handle.enter());
        tokio::time::Instant::now().into_std()
    }
}

/// A socket that tokio knows.
enum Registered {
    Tcp(Io<net::TcpStream>),
    #[cfg(unix)]
    Unix(Io<net::UnixStream>),
}

impl Tokio {
    /// Makes a socket known to tokio, one that does not block.
    fn register(&self, socket: StdSocket) -> io::Result<Registered> {
        let _inside = self.handle.enter();
        match socket {
            StdSocket::Tcp(socket) => Ok(Registered::Tcp(Io(net::TcpStream::from_std(socket)?))),
            #[cfg(unix)]
            StdSocket::Unix(socket) => Ok(Registered::Unix(Io(net::UnixStream::from_std(socket)?))),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
