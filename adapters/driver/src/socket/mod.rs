//! What the driver needs of a runtime's sockets, and what it knows of them.

#[cfg(unix)]
mod blocking;
mod futures_io;
mod halves;
mod info;
mod mode;
mod options;
mod outgoing;
mod send;
mod standard;
mod system;
#[cfg(feature = "__tls")]
mod tls_info;
#[cfg(feature = "tokio")]
mod tokio_io;

use std::{
    any::Any,
    fmt,
    io::{self, IoSlice},
    task::{Context, Poll},
};

pub use socket2::SockRef;

#[cfg(unix)]
pub(crate) use self::blocking::{Blocking, Direction, adopt_blocking};
#[cfg(unix)]
pub use self::standard::StdPipe;
#[cfg(feature = "__tls")]
pub use self::tls_info::TlsInfo;
#[cfg(feature = "tokio")]
pub(crate) use self::tokio_io::TokioIo;
pub use self::{
    futures_io::FuturesIo,
    info::{Address, ExtraInfo, Info, RawHandle, SystemHandle},
    mode::StreamMode,
    options::{ConnectOptions, KeepAlive, ListenOptions, SocketOptions},
    send::{send, send_vectored},
    standard::{StdListener, StdSocket},
    system::{check_stream, extra_info, local_addr, reset_on_close},
};
pub(crate) use self::{halves::Halves, options::socket_options};

/// A connected stream: the methods of [`AsyncRead`](::futures_io::AsyncRead) and
/// [`AsyncWrite`](::futures_io::AsyncWrite), on a shared reference, so that both directions work at once without a lock.
///
/// Each direction is polled by one party at a time, and always with that party's current waker. While it
/// is polled, nothing may be asked of the stream that it belongs to: that would wait for itself.
/// A method should try the operation first and wait for readiness only when it would block.
///
/// # Examples
///
/// Any futures-io stream becomes one with [`FuturesIo`]; a runtime's adapter implements it for its
/// sockets. One that gives everything back:
///
/// ```
/// use std::{
///     io,
///     sync::{Arc, Mutex},
///     task::{Context, Poll},
/// };
///
/// use millpond::{StreamOptions, adapter::{BoxFuture, Socket}};
///
/// #[derive(Default)]
/// struct Echo(Mutex<Vec<u8>>);
///
/// impl Socket for Echo {
///     fn poll_read(&self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
///         let mut data = self.0.lock().unwrap();
///         let n = data.len().min(buf.len());
///         buf[..n].copy_from_slice(&data[..n]);
///         data.drain(..n);
///         Poll::Ready(Ok(n))
///     }
///
///     fn poll_write(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
///         self.0.lock().unwrap().extend(buf);
///         Poll::Ready(Ok(buf.len()))
///     }
///
///     fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
///         Poll::Ready(Ok(()))
///     }
/// }
///
/// # futures_lite::future::block_on(async {
/// let never_busy = |_: BoxFuture<'static, ()>| unreachable!("the socket takes everything");
/// let (mut reader, mut writer) =
///     StreamOptions::new().open(Box::new(Echo::default()), Arc::new(never_busy));
/// writer.write(b"hello\n")?;
/// assert_eq!(reader.read_line().await?, "hello\n");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[doc(alias = "Transport")]
#[doc(alias = "Protocol")]
pub trait Socket: Send + Sync + 'static {
    /// Reads into `buf`; `Ok(0)` is the end of the stream.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Whether [`poll_read`](Self::poll_read) gives what has come at once. Where it only sets a read
    /// going, nothing is looked at ahead of a reader that has not asked: `close` keeps nothing,
    /// `at_eof` and `is_closing` know what reads have come upon.
    fn reads_at_once(&self) -> bool {
        true
    }

    /// Writes from `buf`, which is not empty; `Ok(0)` is taken for a failure.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// Writes from several buffers, of which none is empty, in one go; from the first one alone if
    /// the transport cannot do better.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write(cx, bufs.first().map_or(&[], |buf| buf))
    }

    /// Sends what it keeps back of what was written, if it does so at all.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    fn poll_flush(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Whether there is something that [`poll_flush`](Self::poll_flush) would send.
    fn wants_flush(&self) -> bool {
        false
    }

    /// Ends this direction alone (half-close): reading goes on.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// What a writer must know of the peer though no task reads: `Ok` if the peer has closed the stream
    /// and with it this side's direction, too, an error if it has refused what it was sent.
    ///
    /// It is asked before each write, each wait for one and each end, and does not wait; what it gives
    /// once it gives again. While what has been received waits to be read it need not look for more.
    /// Most sockets report that to a read alone, so the default is pending.
    ///
    /// # Errors
    ///
    /// What the transport has failed with.
    fn poll_peer_closed(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    /// Whether [`poll_peer_closed`](Self::poll_peer_closed) and [`wants_flush`](Self::wants_flush) never
    /// have anything to say, as of the system's sockets: what was written is with the system, and only
    /// reading shows what the peer has done. Then small writes are cheaper, because neither is asked, and
    /// [`Stream::into_std`](crate::Stream::into_std) gives the [system's socket](Self::system_socket), which
    /// carries what the stream does.
    fn is_plain(&self) -> bool {
        false
    }

    /// Prepares for a reset: dropping the socket, which follows, should not deliver anything more.
    fn abort(&self) {
        if let Some(socket) = self.system_socket() {
            reset_on_close(&*socket);
        }
    }

    /// Which directions it has. In one that it does not have, it is never polled.
    fn mode(&self) -> StreamMode {
        StreamMode::ReadWrite
    }

    /// Whether [`poll_close`](Self::poll_close) leaves the other direction open.
    fn can_write_eof(&self) -> bool {
        true
    }

    /// What is known of the connection.
    fn extra_info(&self) -> ExtraInfo {
        let socket = self.system_socket();
        socket.map_or_else(ExtraInfo::default, |socket| extra_info(&*socket))
    }

    /// Moves what it was made of to `to`, if that is an `Option` of that very type: for
    /// [`Stream::into_io`](crate::Stream::into_io). It is not polled any more then.
    ///
    /// By default nothing is given back.
    fn give_back(&self, to: &mut dyn Any) {
        let _ = to;
    }

    /// The system's socket below, if there is one: for its options and addresses.
    fn system_socket(&self) -> Option<SockRef<'_>> {
        None
    }
}

/// An address that is taken, but that no client can connect to yet; what
/// [`Runtime::bind`](crate::Runtime::bind) gives. Dropping it gives the address back.
///
/// A unix socket at a path is an exception: it listens as soon as it is bound, so that no other process takes
/// it for one that a dead process has left.
///
/// # Examples
///
/// ```no_run
/// # fn example(runtime: &dyn millpond::Runtime) -> std::io::Result<()> {
/// use millpond::{Address, adapter::ListenOptions};
///
/// let bound = runtime.bind(&Address::from(([127, 0, 0, 1], 0)), &ListenOptions::default())?;
/// println!("listening on {}", bound.local_addr()?);
/// let listener = bound.listen(100)?;
/// # Ok(()) }
/// ```
pub trait Bound: Send + Sync + 'static {
    /// The address, with the port that the system chose.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn local_addr(&self) -> io::Result<Address>;

    /// Listens: up to `backlog` connections wait to be accepted, or as many as the system allows.
    ///
    /// # Errors
    ///
    /// What the system or the runtime says.
    fn listen(self: Box<Self>, backlog: u32) -> io::Result<Box<dyn Listener>>;
}

/// A socket that connections come in on; what [`Bound::listen`] gives.
///
/// One without any client:
///
/// ```
/// use std::{
///     io,
///     task::{Context, Poll},
/// };
///
/// use millpond::{Address, adapter::{Listener, Socket}};
///
/// struct Quiet;
///
/// impl Listener for Quiet {
///     fn poll_accept(&self, _: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>> {
///         Poll::Pending
///     }
///
///     fn local_addr(&self) -> io::Result<Address> {
///         Ok(Address::from(([127, 0, 0, 1], 1)))
///     }
/// }
/// ```
pub trait Listener: Send + Sync + 'static {
    /// Takes the next connection.
    ///
    /// # Errors
    ///
    /// What accepting fails with. It may be asked again.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>>;

    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn local_addr(&self) -> io::Result<Address>;
}

impl fmt::Debug for dyn Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bound").field(&self.local_addr()).finish()
    }
}

impl fmt::Debug for dyn Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.extra_info()).finish()
    }
}
