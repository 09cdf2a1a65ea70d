//! [millpond] on smol: asyncio's streams for programs that run on [smol](https://docs.rs/smol).
//!
//! Everything here is [millpond]'s, with smol as its runtime. Its page says what there is and how it
//! behaves, and its [guide](millpond::guide::from_asyncio) has every name of asyncio beside its
//! counterpart.
//!
//! # Examples
//!
//! ```
//! use std::io;
//!
//! use millpond_smol::{StreamReader, StreamWriter, open_connection, start_server};
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
//! fn main() -> io::Result<()> {
//!     smol::block_on(async {
//!         let server = start_server("127.0.0.1:0", echo).await?;
//!
//!         let (mut reader, mut writer) = open_connection(&server.sockets()[0]).await?;
//!         writer.write(b"hello\n")?;
//!         assert_eq!(reader.read_line().await?, "hello\n");
//!         Ok(())
//!     })
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
//! use millpond_smol::{
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

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_io::Async;
#[cfg(unix)]
use millpond::adapter::StdPipe;
pub use millpond::adapter::front::*;
use millpond::adapter::{
    Bound, BoxFuture, ConnectOptions, ListenOptions, Listener, Lookup, Socket, Spawn, StdListener,
    StdSocket, os,
};

#[cfg(unix)]
use crate::pipes::Pipe;
use crate::sockets::Io;

/// smol as a [`Runtime`]: tasks run on its global executor, sockets on its reactor.
///
/// The global executor has one thread unless the environment variable `SMOL_THREADS` says more.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use millpond_smol::{Runtime, Smol};
///
/// let runtime: Arc<dyn Runtime> = Arc::new(Smol);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "smol's executor is global: there is nothing to hold"
)]
pub struct Smol;

millpond::adapter::functions!("millpond_smol", Arc::new(Smol));

/// A connected TCP socket of smol's, for [`open_connection`] and [`connect`](fn@connect) to take
/// over; asyncio's `sock`.
///
/// It can be a `smol::net::TcpStream`, a `smol::Async<std::net::TcpStream>`, or an [`Arc`] of one. It
/// is used as it is, and the options of the connection, such as `no_delay`, are set on it. Clones of
/// it keep the connection open; while it belongs to a stream, they should not be used.
///
/// # Examples
///
/// ```
/// use millpond_smol::{from_tcp, open_connection};
/// use smol::net::{TcpListener, TcpStream};
///
/// # smol::block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let stream = TcpStream::connect(listener.local_addr()?).await?;
///
/// let (mut reader, mut writer) = open_connection(from_tcp(stream)).await?;
/// writer.write(b"hello\n")?;
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
pub fn from_tcp(stream: impl Into<Arc<Async<std::net::TcpStream>>>) -> Box<dyn Socket> {
    sockets::from_shared(stream.into())
}

/// A connected unix socket of smol's; see [`from_tcp`].
///
/// # Examples
///
/// ```
/// use millpond_smol::{connect, from_unix};
/// use smol::net::unix::UnixStream;
///
/// # smol::block_on(async {
/// let (here, there) = UnixStream::pair()?;
/// let mut here = connect(from_unix(here)).await?;
/// let mut there = connect(from_unix(there)).await?;
/// here.write(b"hello\n")?;
/// assert_eq!(there.read_line().await?, "hello\n");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[cfg(unix)]
pub fn from_unix(stream: impl Into<Arc<Async<std::os::unix::net::UnixStream>>>) -> Box<dyn Socket> {
    sockets::from_shared(stream.into())
}

impl Spawn for Smol {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        smol::spawn(task).detach();
    }
}

impl Runtime for Smol {
    fn connect<'a>(
        &'a self,
        address: &'a Address,
        options: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let socket = Async::new(os::connect(address, options)?)?;
            socket.writable().await?;
            os::connected(socket.get_ref())?;
            Ok(Box::new(Io(socket)) as _)
        })
    }

    fn bind(&self, address: &Address, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
        os::bind(Arc::new(*self), address, options)
    }

    fn adopt(&self, socket: StdSocket) -> io::Result<Box<dyn Socket>> {
        Ok(Box::new(Io(Async::new(socket)?)))
    }

    fn adopt_listener(&self, listener: StdListener) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(Io(Async::new(listener)?)))
    }

    fn resolve<'a>(&'a self, lookup: &'a Lookup) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        os::resolve(lookup)
    }

    #[cfg(unix)]
    fn adopt_pipe(&self, pipe: StdPipe) -> io::Result<Box<dyn Socket>> {
        let (fd, mode) = match pipe {
            StdPipe::Reader(fd) => (fd, StreamMode::Read),
            StdPipe::Writer(fd) => (fd, StreamMode::Write),
        };
        let file = Async::new(fd.into())?;
        Ok(Box::new(Pipe { file, mode }))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            async_io::Timer::after(duration).await;
        })
    }
}
