//! What is below the two halves of a stream.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use millpond_core::Writer;

use crate::{
    connection::{Closed, Connection, ShutdownRequested},
    os::SockRef,
    socket::{ExtraInfo, StreamMode},
};

/// What is below the two halves of a stream; asyncio's `transport`.
///
/// It can be kept and cloned: to close or abort a stream whose halves are busy elsewhere, or to watch
/// it. It does not keep the connection alive.
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// let ((mut reader, writer), _peer) = millpond::pair();
/// let transport = writer.transport();
///
/// // One task reads, and another one aborts.
/// let reading = reader.read_line();
/// transport.abort();
/// assert!(reading.await.is_err());
/// assert!(transport.is_closing());
/// # });
/// ```
#[derive(Clone)]
#[doc(alias = "BaseTransport")]
#[doc(alias = "WriteTransport")]
pub struct Transport {
    connection: Weak<Connection>,
    extra_info: Arc<ExtraInfo>,
    mode: StreamMode,
}

impl Transport {
    pub(crate) fn new(connection: &Arc<Connection>) -> Self {
        Self {
            connection: Arc::downgrade(connection),
            extra_info: connection.extra_info(),
            mode: connection.mode(),
        }
    }

    /// As [`StreamWriter::close`](crate::StreamWriter::close).
    ///
    /// ```
    /// let ((reader, _writer), _peer) = millpond::pair();
    /// reader.transport().close();
    /// assert!(reader.transport().is_closing());
    /// ```
    pub fn close(&self) {
        if let Some(connection) = self.connection.upgrade() {
            connection.close();
        }
    }

    /// As [`StreamWriter::abort`](crate::StreamWriter::abort).
    ///
    /// See [`Transport`] for an example.
    pub fn abort(&self) {
        if let Some(connection) = self.connection.upgrade() {
            connection.abort();
        }
    }

    /// Whether the stream was closed or aborted, its transport has failed, or both halves are gone: as
    /// [`StreamWriter::is_closing`](crate::StreamWriter::is_closing).
    ///
    /// ```
    /// let ((reader, writer), _peer) = millpond::pair();
    /// let transport = reader.transport();
    /// assert!(!transport.is_closing());
    /// drop((reader, writer));
    /// assert!(transport.is_closing());
    /// ```
    pub fn is_closing(&self) -> bool {
        let connection = self.connection.upgrade();
        connection.is_none_or(|connection| connection.is_closing())
    }

    /// As [`StreamWriter::closed`](crate::StreamWriter::closed).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((reader, _writer), peer) = millpond::pair();
    /// let transport = reader.transport();
    /// drop(peer);
    /// transport.closed().await?;
    /// assert!(!transport.is_closing()); // this side can still say something
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn closed(&self) -> Closed {
        Closed::of(self.connection.clone(), self.mode)
    }

    /// How many bytes were written and not yet taken by the transport, in both halves' name.
    ///
    /// ```
    /// let ((_reader, mut writer), _peer) = millpond::StreamOptions::new().pair(10);
    /// writer.write(&[0; 100])?;
    /// assert_eq!(writer.transport().queued(), 90);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "get_write_buffer_size")]
    pub fn queued(&self) -> usize {
        self.inspect(Writer::queued).unwrap_or(0)
    }

    /// Whether the writer is asked to pause: as
    /// [`StreamWriter::is_paused`](crate::StreamWriter::is_paused).
    ///
    /// ```
    /// let ((_reader, mut writer), _peer) = millpond::StreamOptions::new().watermarks(0, 0).pair(10);
    /// writer.write(&[0; 11])?;
    /// assert!(writer.transport().is_paused());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_paused(&self) -> bool {
        self.inspect(Writer::is_paused).unwrap_or(false)
    }

    /// As [`StreamWriter::set_watermarks`](crate::StreamWriter::set_watermarks).
    ///
    /// ```
    /// let ((_reader, writer), _peer) = millpond::pair();
    /// writer.transport().set_watermarks(0, 1 << 20);
    /// assert_eq!(writer.watermarks(), (0, 1 << 20));
    /// ```
    ///
    /// # Panics
    ///
    /// If `low` is above `high`.
    #[doc(alias = "set_write_buffer_limits")]
    pub fn set_watermarks(&self, low: usize, high: usize) {
        if let Some(connection) = self.connection.upgrade() {
            connection.set_watermarks(low, high);
        }
    }

    /// Whether the stream can end this direction and leave the other one open.
    ///
    /// ```
    /// let ((reader, _writer), _peer) = millpond::pair();
    /// assert!(reader.transport().can_write_eof());
    /// ```
    pub fn can_write_eof(&self) -> bool {
        let connection = self.connection.upgrade();
        connection.is_some_and(|connection| connection.can_write_eof())
    }

    /// Which directions the stream has.
    ///
    /// See [`StreamMode`] for an example.
    pub fn mode(&self) -> StreamMode {
        self.mode
    }

    /// What is known of the connection.
    ///
    /// ```
    /// let ((reader, _writer), _peer) = millpond::pair();
    /// assert!(reader.transport().extra_info().peer_addr.is_none()); // memory has no address
    /// ```
    #[doc(alias = "get_extra_info")]
    pub fn extra_info(&self) -> &ExtraInfo {
        &self.extra_info
    }

    /// Lets `work` use the system's socket, to read or set an option for instance. `None` if the
    /// stream is closed or has no socket below.
    ///
    /// It lends its descriptor, too (`AsFd` and `AsRawFd`, on Windows `AsSocket`), for calls that the
    /// socket has no method for. That stays open and its number is not used again until `work` has
    /// returned, even if the stream is closed or aborted meanwhile; so `work` should be short.
    ///
    /// ```no_run
    /// # fn example(writer: &millpond::StreamWriter) -> std::io::Result<()> {
    /// let size = writer.transport().with_socket(|socket| socket.recv_buffer_size());
    /// if let Some(size) = size {
    ///     println!("the system buffers {} bytes", size?);
    /// }
    /// # #[cfg(unix)] {
    /// use std::os::fd::AsFd;
    ///
    /// let another = writer.transport().with_socket(|socket| socket.as_fd().try_clone_to_owned());
    /// # let _ = another;
    /// # }
    /// # Ok(()) }
    /// ```
    #[doc(alias = "AsFd")]
    #[doc(alias = "AsRawFd")]
    #[doc(alias = "AsSocket")]
    #[doc(alias = "as_fd")]
    #[doc(alias = "as_raw_fd")]
    #[doc(alias = "get_extra_info")]
    pub fn with_socket<T>(&self, work: impl FnOnce(SockRef<'_>) -> T) -> Option<T> {
        let connection = self.connection.upgrade()?;
        connection.with_socket(|socket| socket.system_socket().map(work))?
    }

    /// As [`StreamWriter::shutdown_requested`](crate::StreamWriter::shutdown_requested).
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let (halves, _peer) = millpond::pair();
    /// let shutdown = halves.0.transport().shutdown_requested();
    /// drop(halves);
    /// shutdown.await; // there is nothing left to end
    /// # });
    /// ```
    pub fn shutdown_requested(&self) -> ShutdownRequested {
        ShutdownRequested::new(self.connection.clone())
    }

    fn inspect<T>(&self, ask: impl FnOnce(&Writer) -> T) -> Option<T> {
        let connection = self.connection.upgrade()?;
        Some(connection.inspect(ask))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Transport");
        match self.connection.upgrade() {
            Some(connection) => debug.field("connection", &connection).finish(),
            None => debug.field("extra_info", &self.extra_info).finish(),
        }
    }
}
