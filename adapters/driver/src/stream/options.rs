//! How a stream buffers, and how long it waits.

use std::{sync::Arc, time::Duration};

use millpond_core::{DEFAULT_HIGH_WATER, DEFAULT_LIMIT, Reader, Writer};

use super::{reader::StreamReader, writer::StreamWriter};
use crate::{
    connection::{Closing, Connection, Idle, SocketPlace},
    open_error::OpenError,
    runtime::{Background, Runtime, Spawn},
    socket::Socket,
};

/// As long as nginx lingers (`lingering_time`); asyncio waits for ever for a peer that takes nothing.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// The settings of [`StreamOptions`] as methods of a builder. `$opened` is an example of one, `$done`
/// what finishes it, and `$options` the field where it keeps them.
macro_rules! stream_options {
    ($opened:literal) => {
        stream_options!($opened, ".await?;", options);
    };
    ($opened:literal, $done:literal, $($options:ident).+) => {
        /// The most bytes there may be before a separator; 64 KiB by default. It must not be 0.
        ///
        /// ```no_run
        /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
        #[doc = concat!("let opened = ", $opened, ".limit(1 << 20)", $done)]
        /// # Ok(()) }
        /// ```
        pub fn limit(mut self, limit: usize) -> Self {
            self.$($options).+ = self.$($options).+.limit(limit);
            self
        }

        /// The most bytes that may be buffered for one `read_exactly`, `peek`, `read_to_eof` or
        /// `read_with`; by default 16 MiB for the last, and no bound for the others.
        ///
        /// ```no_run
        /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
        #[doc = concat!("let opened = ", $opened, ".cap(1 << 24)", $done)]
        /// # Ok(()) }
        /// ```
        pub fn cap(mut self, cap: usize) -> Self {
            self.$($options).+ = self.$($options).+.cap(cap);
            self
        }

        /// Writing pauses when more than `high` bytes are queued, 64 KiB by default, and resumes at
        /// `low`, 16 KiB by default, which must not be above `high`.
        ///
        /// ```no_run
        /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
        #[doc = concat!("let opened = ", $opened, ".watermarks(0, 1 << 20)", $done)]
        /// # Ok(()) }
        /// ```
        #[doc(alias = "set_write_buffer_limits")]
        pub fn watermarks(mut self, low: usize, high: usize) -> Self {
            self.$($options).+ = self.$($options).+.watermarks(low, high);
            self
        }

        /// The most bytes that may be queued; not bounded by default. A write that would exceed it is
        /// refused as a whole, with [`WriteError::CapExceeded`](crate::WriteError::CapExceeded).
        ///
        /// A program that drains after each write never meets a cap that is above the high watermark
        /// by its largest write.
        ///
        /// ```no_run
        /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
        #[doc = concat!("let opened = ", $opened, ".write_cap(1 << 24)", $done)]
        /// # Ok(()) }
        /// ```
        pub fn write_cap(mut self, cap: usize) -> Self {
            self.$($options).+ = self.$($options).+.write_cap(cap);
            self
        }

        /// How long closing may take in all, 30 s by default:
        /// [`StreamOptions::close_timeout`](crate::StreamOptions::close_timeout) says what that is.
        ///
        /// ```no_run
        /// # use std::time::Duration;
        /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
        /// let soon = Duration::from_secs(5);
        #[doc = concat!("let opened = ", $opened, ".close_timeout(soon)", $done)]
        /// # Ok(()) }
        /// ```
        pub fn close_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.$($options).+ = self.$($options).+.close_timeout(timeout);
            self
        }

        /// How long a closed stream drops what the peer still sends; as long as the close timeout by
        /// default, so 30 s: [`StreamOptions::linger_timeout`](crate::StreamOptions::linger_timeout)
        /// says why.
        ///
        /// ```no_run
        /// # use std::time::Duration;
        /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
        /// let soon = Duration::from_secs(5);
        #[doc = concat!("let opened = ", $opened, ".linger_timeout(soon)", $done)]
        /// # Ok(()) }
        /// ```
        pub fn linger_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.$($options).+ = self.$($options).+.linger_timeout(timeout);
            self
        }

        /// Resets a connection on which no byte was read or written for so long; not bounded by default:
        /// [`StreamOptions::idle_timeout`](crate::StreamOptions::idle_timeout) says what follows.
        ///
        /// ```no_run
        /// # use std::time::Duration;
        /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
        /// let too_long = Duration::from_secs(300);
        #[doc = concat!("let opened = ", $opened, ".idle_timeout(too_long)", $done)]
        /// # Ok(()) }
        /// ```
        pub fn idle_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.$($options).+ = self.$($options).+.idle_timeout(timeout);
            self
        }
    };
}
pub(crate) use stream_options;

/// How a stream buffers, and how long it waits: its limit, caps, watermarks and timeouts.
///
/// [`OpenConnection`](crate::types::OpenConnection) and [`StartServer`](crate::types::StartServer) have these
/// settings as methods of their own; this is for streams over other transports.
///
/// # Examples
///
/// ```
/// use millpond::StreamOptions;
///
/// let ((reader, _), _peer) = StreamOptions::new().limit(1024).pair(4096);
/// assert_eq!(reader.limit(), 1024);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct StreamOptions {
    pub(crate) limit: usize,
    cap: Option<usize>,
    low: usize,
    high: usize,
    write_cap: Option<usize>,
    close_timeout: Duration,
    linger_timeout: Option<Duration>,
    idle_timeout: Option<Duration>,
}

/// A stream over a socket, and what is to be done about it.
pub(crate) struct Opened {
    pub(crate) reader: StreamReader,
    pub(crate) writer: StreamWriter,
    pub(crate) connection: Arc<Connection>,
    /// To be polled, if there is a time limit and a clock.
    pub(crate) idle: Option<Idle>,
}

impl Opened {
    /// The two halves. Nothing has to be polled.
    pub(crate) fn watched(self) -> (StreamReader, StreamWriter) {
        if let Some(idle) = self.idle {
            idle.spawn(&self.connection);
        }
        (self.reader, self.writer)
    }
}

impl StreamOptions {
    /// asyncio's defaults: a limit of 64 KiB, no caps, watermarks of 16 and 64 KiB; 30 s to close, and no
    /// idle timeout.
    ///
    /// ```
    /// let ((reader, _), _peer) = millpond::StreamOptions::new().pair(4096);
    /// assert_eq!(reader.limit(), 64 * 1024);
    /// ```
    pub fn new() -> Self {
        Self {
            limit: DEFAULT_LIMIT,
            cap: None,
            low: DEFAULT_HIGH_WATER / 4,
            high: DEFAULT_HIGH_WATER,
            write_cap: None,
            close_timeout: CLOSE_TIMEOUT,
            linger_timeout: None,
            idle_timeout: None,
        }
    }

    /// The most bytes there may be before a separator; 64 KiB by default.
    ///
    /// 0 is an error or a panic, as each use says.
    ///
    /// ```
    /// # use millpond::{ReadError, StreamOptions};
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = StreamOptions::new().limit(4).pair(4096);
    /// writer.write(b"12345\n")?;
    /// assert_eq!(reader.read_line().await, Err(ReadError::LimitOverrun { consumed: 5 }));
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The most bytes that may be buffered for one `read_exactly`, `peek`, `read_to_eof` or
    /// `read_with`; by default 16 MiB for the last, and no bound for the others.
    ///
    /// ```
    /// # use millpond::{ReadError, StreamOptions};
    /// # futures_lite::future::block_on(async {
    /// let ((mut reader, _), _peer) = StreamOptions::new().cap(1024).pair(4096);
    /// assert_eq!(reader.read_exactly(1025).await, Err(ReadError::CapExceeded { cap: 1024 }));
    /// # });
    /// ```
    pub fn cap(mut self, cap: usize) -> Self {
        self.cap = Some(cap);
        self
    }

    /// Writing pauses when more than `high` bytes are queued, 64 KiB by default, and resumes at
    /// `low`, 16 KiB by default.
    ///
    /// A low watermark above the high one is an error or a panic, as each use says.
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) =
    ///     millpond::StreamOptions::new().watermarks(0, 0).pair(1);
    /// writer.write(b"ab")?;
    /// assert_eq!(writer.queued(), 1); // above 0, so a drain waits until it is sent
    /// assert_eq!(reader.read_exactly(2).await?, "ab");
    /// writer.drain().await?;
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "set_write_buffer_limits")]
    pub fn watermarks(mut self, low: usize, high: usize) -> Self {
        self.low = low;
        self.high = high;
        self
    }

    /// The most bytes that may be queued; not bounded by default.
    ///
    /// A write is refused as a whole, with [`WriteError::CapExceeded`](crate::WriteError::CapExceeded),
    /// if it and what is queued are together more than `cap`, whatever the socket would take of it
    /// at once: so a write of more than `cap` bytes always is. A program that drains after each
    /// write never meets a cap that is above the high watermark by its largest write.
    ///
    /// `Differs from asyncio:` it has no such bound, and what a program writes without draining is
    /// queued until the memory is used up.
    ///
    /// ```
    /// # use millpond::{StreamOptions, WriteError};
    /// let ((_, mut writer), _peer) = StreamOptions::new().write_cap(100).pair(10);
    /// writer.write(&[0; 100])?; // 10 of them are on their way
    /// assert_eq!(writer.write(&[0; 11]), Err(WriteError::CapExceeded { cap: 100 }));
    /// writer.write(&[0; 10])?;
    /// # Ok::<(), WriteError>(())
    /// ```
    pub fn write_cap(mut self, cap: usize) -> Self {
        self.write_cap = Some(cap);
        self
    }

    /// How long closing may take in all, 30 s by default.
    ///
    /// It is a deadline, which begins with the close: if the peer has not taken by then everything that
    /// is queued, and the end of TLS, the connection is reset, and
    /// [`wait_closed`](StreamWriter::wait_closed) fails with `TimedOut`. What the peer takes meanwhile
    /// makes it no longer. Only the reader of a pipe may take its time, as a pager does.
    ///
    /// When everything was sent the socket may [linger](Self::linger_timeout) for as long again, if
    /// no other time is set for that.
    ///
    /// With 0, what the socket does not take at once after the close is lost, and the socket is
    /// closed as soon as all is sent. That may be before the peer has read it, and unread input then
    /// destroys it.
    ///
    /// Any other time needs the clock of a runtime. Without one ([`open`](Self::open)), what is
    /// queued waits for the peer however long that takes, and the socket is closed as soon as all is
    /// sent.
    ///
    /// `Differs from asyncio:` it waits for ever.
    ///
    /// ```
    /// # use std::{io::ErrorKind, time::Duration};
    /// # use millpond::StreamOptions;
    /// # futures_lite::future::block_on(async {
    /// let options = StreamOptions::new().close_timeout(Duration::ZERO);
    /// let ((_, mut writer), _peer) = options.pair(10);
    /// writer.write(&[0; 100])?;
    /// writer.close();
    /// let error = writer.wait_closed().await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::TimedOut);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// How long a closed stream drops what the peer still sends; as long as the
    /// [close timeout](Self::close_timeout) by default, so 30 s.
    ///
    /// The system resets a connection that is closed with unread input, or gets some later, and the
    /// reset destroys what the peer has not read yet. So when everything was sent, what comes is read
    /// and dropped in the background, until the peer has ended, too, but for so long and 16 MiB at
    /// the most. [`wait_closed`](StreamWriter::wait_closed) does not wait for that. With 0 the socket
    /// is closed as soon as everything was sent.
    ///
    /// The sockets of a server that linger count among its
    /// [`max_connections`](crate::types::StartServer::max_connections), are closed when a new connection
    /// needs their place, and are bounded by [`max_lingering`](crate::types::StartServer::max_lingering), too. Those
    /// of other streams have nothing but this time.
    ///
    /// It needs the clock of a runtime: without one ([`open`](Self::open)), and over pipes, nothing
    /// lingers.
    ///
    /// `Differs from asyncio:` it reads nothing after a close.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let options = millpond::StreamOptions::new().linger_timeout(Duration::from_secs(1));
    /// ```
    pub fn linger_timeout(mut self, timeout: Duration) -> Self {
        self.linger_timeout = Some(timeout);
        self
    }

    /// Resets a connection on which no byte was read or written for so long; not bounded by default.
    ///
    /// What is asked of the stream then fails as `TimedOut`. It is looked at until the connection is
    /// closed: also during a TLS handshake, which has to be made within this time, and while what was
    /// written is being delivered after a close. What a peer sends and is not read does not count as
    /// read.
    ///
    /// A server's handler whose connection was ended so has as long again, but 1 s at the most, to
    /// return by itself. Then it is cancelled where it waits, and reported as
    /// [`Idle`](crate::error::HandlerErrorCause::Idle), so that one that waits for something else does not
    /// keep its place.
    ///
    /// It needs the clock of a runtime. Without one ([`open`](Self::open)) nothing is bounded. 0 is an
    /// error or a panic, as each use says.
    ///
    /// asyncio has no counterpart.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
    /// let mut upstream = millpond::connect(runtime, "192.0.2.1:80")
    ///     .idle_timeout(Duration::from_secs(60))
    ///     .await?;
    /// let late = upstream.read_line().await; // if nothing comes for a minute
    /// assert_eq!(late.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    /// # Ok(()) }
    /// ```
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// The two halves of a stream over a socket; `spawner` runs what is delivered in the
    /// background.
    ///
    /// # Panics
    ///
    /// If the limit is 0, or the low watermark above the high one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use futures_lite::io::Cursor;
    /// use millpond::{StreamOptions, adapter::BoxFuture, types::FuturesIo};
    ///
    /// # futures_lite::future::block_on(async {
    /// let on_a_thread = |task: BoxFuture<'static, ()>| {
    ///     std::thread::spawn(move || futures_lite::future::block_on(task));
    /// };
    /// let stream = FuturesIo::new(Cursor::new(b"one\ntwo\n".to_vec()));
    /// let (mut reader, _writer) =
    ///     StreamOptions::new().limit(80).open(Box::new(stream), Arc::new(on_a_thread));
    /// assert_eq!(reader.read_line().await?, "one\n");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn open(
        &self,
        socket: Box<dyn Socket>,
        spawner: Arc<dyn Spawn>,
    ) -> (StreamReader, StreamWriter) {
        let background = Background::Spawner(spawner);
        self.open_shared(socket, background, None, None).watched()
    }

    /// As [`open`](Self::open), on a runtime: with its clock the timeouts hold, too.
    ///
    /// # Panics
    ///
    /// As [`open`](Self::open), and if the idle timeout is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::Arc, time::Duration};
    ///
    /// use futures_io::{AsyncRead, AsyncWrite};
    /// use millpond::{Runtime, StreamOptions, StreamReader, StreamWriter, types::FuturesIo};
    ///
    /// /// What an SSH library calls a channel.
    /// fn channel(
    ///     runtime: Arc<dyn Runtime>,
    ///     channel: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    /// ) -> (StreamReader, StreamWriter) {
    ///     let options = StreamOptions::new().idle_timeout(Duration::from_secs(60));
    ///     options.open_on(Box::new(FuturesIo::new(channel)), runtime)
    /// }
    /// ```
    pub fn open_on(
        &self,
        socket: Box<dyn Socket>,
        runtime: Arc<dyn Runtime>,
    ) -> (StreamReader, StreamWriter) {
        assert!(
            self.idle_timeout != Some(Duration::ZERO),
            "the idle timeout must be greater than 0"
        );
        let background = Background::Runtime(runtime);
        self.open_shared(socket, background, None, None).watched()
    }

    /// Both halves, and what they share.
    pub(crate) fn open_shared(
        &self,
        socket: Box<dyn Socket>,
        background: Background,
        place: Option<SocketPlace>,
        host: Option<&str>,
    ) -> Opened {
        let idle = match (self.idle_timeout, &background) {
            (Some(timeout), Background::Runtime(runtime)) => {
                Some(Idle::new(timeout, runtime.clone()))
            }
            (Some(_), Background::Spawner(_)) | (None, _) => None,
        };
        let mut reader = Reader::with_limit(self.limit);
        if let Some(cap) = self.cap {
            reader = reader.with_cap(cap);
        }
        let mut writer = Writer::with_watermarks(self.low, self.high);
        if let Some(cap) = self.write_cap {
            writer = writer.with_cap(cap);
        }
        let connection = Connection::new(
            socket,
            background,
            Closing {
                timeout: self.close_timeout,
                linger_timeout: self.linger_timeout.unwrap_or(self.close_timeout),
                place,
            },
            idle.as_ref().map(Idle::activity),
            host,
            writer,
            self.limit,
        );
        let reader = StreamReader::new(reader, connection.clone());
        let writer = StreamWriter::new(connection.clone());
        Opened {
            reader,
            writer,
            connection,
            idle,
        }
    }

    /// For options that come from outside: an error instead of a panic.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        if self.limit == 0 {
            return Err(OpenError::option("limit", "it must be at least 1"));
        }
        if self.low > self.high {
            let (low, high) = (self.low, self.high);
            return Err(OpenError::option(
                "watermarks",
                format!("the low one ({low}) is above the high one ({high})"),
            ));
        }
        if self.idle_timeout == Some(Duration::ZERO) {
            return Err(OpenError::option(
                "idle_timeout",
                "it must be greater than 0",
            ));
        }
        Ok(())
    }
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self::new()
    }
}
