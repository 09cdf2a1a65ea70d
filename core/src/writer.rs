//! The send half: every rule of writing.

use core::fmt;

use bytes::Bytes;

use crate::{
    error::{TransportError, WriteError},
    flow::{Event, Flow},
    queue::{Queue, Spent},
};

/// Above how many queued bytes writing pauses, unless set otherwise: 64 KiB, as in asyncio
/// (`_set_write_buffer_limits` in CPython's `asyncio/transports.py`).
pub const DEFAULT_HIGH_WATER: usize = 64 * 1024;

/// What [`Writer::room`] leaves at the least: a system call of its own for less is not worth it.
const LEAST_ROOM: usize = 8 * 1024;

/// The next thing for the transport to do. See [`Writer`] for an example.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a transport must know how to do each of them"
)]
pub enum Transmit<'a> {
    /// Reset the connection, then call [`Writer::ended`].
    Abort,
    /// Close the connection in both directions, then call [`Writer::ended`].
    Close,
    /// Send these bytes, which are not all, and not empty; then call [`Writer::sent`] with how many
    /// the transport took. [`Writer::chunks`] has the rest, for a vectored write.
    Data(&'a [u8]),
    /// Announce the end of the stream (half close), then call [`Writer::ended`].
    Shutdown,
}

/// The send half of a stream: bytes queued, steps for the transport out.
///
/// ```text
///   Open ──write_eof──▶ Finishing ──ended──▶ Finished        any ──fail──▶ Failed
///     │                     │                    │
///     └────────close────────┴─────────close──────┴─▶ Closing ──ended──▶ Closed
///                    (or peer_closed)                   │
///     any but Closed and Failed ──abort──▶ Aborting ◀─abort
///                                              └───────────ended──────▶ Aborted
/// ```
///
/// The application writes; the transport carries out what [`poll_transmit`](Self::poll_transmit)
/// says until it says nothing:
///
/// ```
/// use millpond_core::{Transmit, Writer};
///
/// let mut wire = Vec::new(); // instead of a socket
/// let mut writer = Writer::new();
/// writer.write(b"hello ")?;
/// writer.write(b"world")?;
/// writer.write_eof();
/// while let Some(step) = writer.poll_transmit() {
///     match step {
///         Transmit::Data(data) => {
///             wire.extend_from_slice(data);
///             let n = data.len();
///             writer.sent(n);
///         }
///         Transmit::Shutdown | Transmit::Close | Transmit::Abort => writer.ended(),
///     }
/// }
/// assert_eq!(wire, b"hello world");
/// # Ok::<(), millpond_core::WriteError>(())
/// ```
///
/// # Memory
///
/// Small writes are gathered in one block, [`Bytes`] of 8 KiB and more are queued as they are. An
/// empty queue holds no memory. A program that heeds [`is_paused`](Self::is_paused) keeps the queue
/// at the high watermark and one write; [`with_cap`](Self::with_cap) bounds it for one that does not.
pub struct Writer {
    queue: Queue,
    end: End,
    flow: Flow,
    /// Writing resumes when no more than this is queued. Invariant: `low <= high`.
    low: usize,
    /// Writing pauses when more than this is queued.
    high: usize,
    /// No write makes the queue longer than this.
    cap: usize,
}

/// How far the end of the stream has come.
///
/// Invariant: the queue is empty in all states but the first three.
#[derive(Clone, Debug)]
enum End {
    Open,
    /// `write_eof` was asked for, and the queue comes first.
    Finishing,
    /// Both directions are to be closed, and the queue comes first.
    Closing {
        by: Side,
    },
    /// The end of this direction was sent.
    Finished,
    Aborting,
    Closed {
        by: Side,
    },
    Aborted,
    Failed(TransportError),
}

/// Who has closed both directions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    This,
    Peer,
}

/// Construction and settings.
impl Writer {
    /// A writer with a high watermark of [`DEFAULT_HIGH_WATER`] bytes and a low one of a quarter.
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// assert_eq!(Writer::new().watermarks(), (16 * 1024, 64 * 1024));
    /// ```
    pub fn new() -> Self {
        Self::with_watermarks(DEFAULT_HIGH_WATER / 4, DEFAULT_HIGH_WATER)
    }

    /// A writer that pauses when more than `high` bytes are queued and resumes at `low`.
    ///
    /// # Panics
    ///
    /// If `low` is above `high`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// let mut writer = Writer::with_watermarks(1, 4);
    /// writer.write(b"12345")?;
    /// assert!(writer.is_paused());
    /// writer.sent(3);
    /// assert!(writer.is_paused());
    /// writer.sent(1);
    /// assert!(!writer.is_paused());
    /// # Ok::<(), millpond_core::WriteError>(())
    /// ```
    pub fn with_watermarks(low: usize, high: usize) -> Self {
        assert_in_order(low, high);
        Self {
            queue: Queue::new(),
            end: End::Open,
            flow: Flow::default(),
            low,
            high,
            cap: usize::MAX,
        }
    }

    /// Bounds what may be queued, in bytes; there is no bound by default.
    ///
    /// A write that would make the queue longer than `cap` is refused as a whole, so one of more
    /// than `cap` bytes always is.
    ///
    /// `Differs from asyncio:` it has no such bound.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::{WriteError, Writer};
    /// let mut writer = Writer::new().with_cap(8);
    /// writer.write(b"hello")?;
    /// assert_eq!(writer.write(b"world"), Err(WriteError::CapExceeded { cap: 8 }));
    /// assert_eq!(writer.queued(), 5);
    /// # Ok::<(), WriteError>(())
    /// ```
    #[must_use]
    pub fn with_cap(mut self, cap: usize) -> Self {
        self.cap = cap;
        self
    }

    /// The low and the high watermark, in bytes.
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// assert_eq!(Writer::with_watermarks(0, 10).watermarks(), (0, 10));
    /// ```
    #[doc(alias = "get_write_buffer_limits")]
    pub fn watermarks(&self) -> (usize, usize) {
        (self.low, self.high)
    }

    /// Sets other watermarks, for what is queued already, too: writing pauses if it is more than
    /// `high`, resumes if it is no more than `low`, and in between stays as it is.
    ///
    /// `Differs from asyncio:` there a paused writer resumes with the next send at the earliest.
    ///
    /// # Panics
    ///
    /// If `low` is above `high`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// let mut writer = Writer::with_watermarks(0, 4);
    /// writer.write(b"12345")?;
    /// assert!(writer.is_paused());
    /// writer.set_watermarks(5, 10);
    /// assert!(!writer.is_paused());
    /// # Ok::<(), millpond_core::WriteError>(())
    /// ```
    #[doc(alias = "set_write_buffer_limits")]
    pub fn set_watermarks(&mut self, low: usize, high: usize) {
        assert_in_order(low, high);
        self.low = low;
        self.high = high;
        self.shrunk();
        self.grown();
    }

    /// The most bytes that may be queued.
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// assert_eq!(Writer::new().cap(), None);
    /// assert_eq!(Writer::new().with_cap(1024).cap(), Some(1024));
    /// ```
    pub fn cap(&self) -> Option<usize> {
        (self.cap < usize::MAX).then_some(self.cap)
    }
}

fn assert_in_order(low: usize, high: usize) {
    assert!(
        low <= high,
        "the low watermark ({low}) is above the high one ({high})"
    );
}

/// The application's side.
impl Writer {
    /// Queues a copy of `data`. Nothing is queued if it is empty.
    ///
    /// # Errors
    ///
    /// [`WriteError`] if the stream was finished, closed or aborted, its transport has failed, or
    /// more than the [cap](Self::with_cap) would be queued. Then nothing of `data` is queued.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::{WriteError, Writer};
    /// let mut writer = Writer::new();
    /// writer.write(b"bye")?;
    /// writer.write_eof();
    /// assert_eq!(writer.write(b"?"), Err(WriteError::Finished));
    /// # Ok::<(), millpond_core::WriteError>(())
    /// ```
    #[inline]
    pub fn write(&mut self, data: &[u8]) -> Result<(), WriteError> {
        self.accepts(data.len())?;
        self.queue.push(data);
        self.grown();
        Ok(())
    }

    /// Queues `data`, without copying it if it is 8 KiB or more.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::{Transmit, Writer};
    /// use bytes::Bytes;
    ///
    /// static PAGE: [u8; 10_000] = [0; 10_000];
    /// let mut writer = Writer::new();
    /// writer.write_bytes(Bytes::from_static(&PAGE))?;
    /// assert!(matches!(writer.poll_transmit(), Some(Transmit::Data(d)) if d.as_ptr() == PAGE.as_ptr()));
    /// # Ok::<(), millpond_core::WriteError>(())
    /// ```
    pub fn write_bytes(&mut self, data: Bytes) -> Result<(), WriteError> {
        self.accepts(data.len())?;
        self.queue.push_bytes(data);
        self.grown();
        Ok(())
    }

    /// Whether a write would be taken, whatever its length; [`accepts`](Self::accepts) heeds the
    /// cap, too.
    ///
    /// # Errors
    ///
    /// What the write would fail with.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::{WriteError, Writer};
    /// let mut writer = Writer::new();
    /// assert_eq!(writer.writable(), Ok(()));
    /// writer.close();
    /// assert_eq!(writer.writable(), Err(WriteError::Closed));
    /// ```
    #[inline]
    pub fn writable(&self) -> Result<(), WriteError> {
        match &self.end {
            End::Open => Ok(()),
            End::Finishing | End::Finished => Err(WriteError::Finished),
            End::Closing { by: Side::Peer } | End::Closed { by: Side::Peer } => {
                Err(WriteError::PeerClosed)
            }
            End::Closing { .. } | End::Aborting | End::Closed { .. } | End::Aborted => {
                Err(WriteError::Closed)
            }
            End::Failed(error) => Err(WriteError::Transport(error.clone())),
        }
    }

    /// Whether a write of `len` bytes would be taken, for a transport that sends some of them before
    /// it queues the rest. One of no bytes never exceeds the cap.
    ///
    /// # Errors
    ///
    /// What the write would fail with.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::{WriteError, Writer};
    /// let mut writer = Writer::new().with_cap(8);
    /// writer.write(b"hello")?;
    /// assert_eq!(writer.accepts(3), Ok(()));
    /// assert_eq!(writer.accepts(4), Err(WriteError::CapExceeded { cap: 8 }));
    /// # Ok::<(), WriteError>(())
    /// ```
    #[inline]
    pub fn accepts(&self, len: usize) -> Result<(), WriteError> {
        self.writable()?;
        if len > self.cap.saturating_sub(self.queue.len()) {
            return Err(WriteError::CapExceeded { cap: self.cap });
        }
        Ok(())
    }

    /// Announces the end of the stream once the queue is sent; the other direction goes on.
    ///
    /// It does nothing after the first time, and nothing after `close`, `abort` or a failure.
    ///
    /// ```
    /// # use millpond_core::{Transmit, Writer};
    /// let mut writer = Writer::new();
    /// writer.write_eof();
    /// assert_eq!(writer.poll_transmit(), Some(Transmit::Shutdown));
    /// ```
    pub fn write_eof(&mut self) {
        if let End::Open = self.end {
            self.end = End::Finishing;
        }
    }

    /// Closes the connection once the queue is sent.
    ///
    /// It does nothing after the first time, and nothing after `abort` or a failure.
    ///
    /// ```
    /// # use millpond_core::{Transmit, Writer};
    /// let mut writer = Writer::new();
    /// writer.close();
    /// assert_eq!(writer.poll_transmit(), Some(Transmit::Close));
    /// ```
    pub fn close(&mut self) {
        match self.end {
            End::Open | End::Finishing | End::Finished => {
                self.end = End::Closing { by: Side::This };
            }
            End::Closing { .. }
            | End::Aborting
            | End::Closed { .. }
            | End::Aborted
            | End::Failed(_) => {}
        }
    }

    /// Drops the queue, by returning what is not to be dropped under a lock, and resets the connection.
    ///
    /// It does nothing when the stream is closed already, or its transport has failed.
    ///
    /// ```
    /// # use millpond_core::{Transmit, Writer};
    /// let mut writer = Writer::new();
    /// writer.write(b"never mind")?;
    /// writer.abort();
    /// assert_eq!(writer.poll_transmit(), Some(Transmit::Abort));
    /// assert_eq!(writer.queued(), 0);
    /// # Ok::<(), millpond_core::WriteError>(())
    /// ```
    pub fn abort(&mut self) -> Spent {
        match self.end {
            End::Open | End::Finishing | End::Finished | End::Closing { .. } => {
                self.end = End::Aborting;
                self.forget_queue()
            }
            End::Aborting | End::Closed { .. } | End::Aborted | End::Failed(_) => Spent::default(),
        }
    }

    /// Whether more is queued than the high watermark, or was and has not come down to the low one.
    /// Whether writing `len` bytes more would neither pause writing nor exceed the cap.
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// let mut writer = Writer::with_watermarks(0, 4).with_cap(8);
    /// assert!(writer.has_room_for(4) && !writer.has_room_for(5));
    /// writer.write(b"12345")?;
    /// assert!(writer.is_paused() && !writer.has_room_for(0));
    /// # Ok::<(), millpond_core::WriteError>(())
    /// ```
    #[inline]
    pub fn has_room_for(&self, len: usize) -> bool {
        let most = self.high.min(self.cap);
        !self.is_paused() && len <= most.saturating_sub(self.queue.len())
    }

    /// The level of back-pressure: a program should wait while it is true. See
    /// [`with_watermarks`](Self::with_watermarks) for an example.
    pub fn is_paused(&self) -> bool {
        self.flow.is_paused()
    }

    /// How much may be written now by a program that waits before it writes: as much as the high
    /// watermark leaves, and at least 8 KiB, so that a low watermark of 0 does not make it send byte by
    /// byte; never more than the cap leaves. `None` while it should wait, as
    /// [`is_paused`](Self::is_paused) says, or because the cap is reached.
    ///
    /// asyncio has no counterpart: it takes everything. This is for interfaces that take a part of what
    /// they are given, such as `AsyncWrite`.
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// let mut writer = Writer::with_watermarks(0, 20_000);
    /// assert_eq!(writer.room(), Some(20_000));
    /// writer.write(&[0; 15_000])?;
    /// assert_eq!(writer.room(), Some(8 * 1024));
    /// writer.write(&[0; 8 * 1024])?; // above the high watermark
    /// assert_eq!(writer.room(), None);
    /// writer.sent(15_000 + 8 * 1024);
    /// assert_eq!(writer.room(), Some(20_000));
    /// # Ok::<(), millpond_core::WriteError>(())
    /// ```
    pub fn room(&self) -> Option<usize> {
        let below_high = self.high.saturating_sub(self.queued()).max(LEAST_ROOM);
        let below_cap = self.cap.saturating_sub(self.queued());
        let room = below_high.min(below_cap);
        (room > 0 && !self.is_paused()).then_some(room)
    }

    /// Whether the peer was sent the end of this direction, or there is none to send: the transport has
    /// carried out [`write_eof`](Self::write_eof) or [`close`](Self::close), or has failed.
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// let mut writer = Writer::new();
    /// writer.write_eof();
    /// assert!(!writer.is_finished());
    /// writer.ended();
    /// assert!(writer.is_finished());
    /// ```
    pub fn is_finished(&self) -> bool {
        matches!(self.end, End::Finished) || self.is_closed()
    }

    /// Whether the stream was closed or aborted, or by the peer, or its transport has failed.
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// let mut writer = Writer::new();
    /// writer.write_eof();
    /// assert!(!writer.is_closing());
    /// writer.close();
    /// assert!(writer.is_closing());
    /// ```
    pub fn is_closing(&self) -> bool {
        match self.end {
            End::Open | End::Finishing | End::Finished => false,
            End::Closing { .. }
            | End::Aborting
            | End::Closed { .. }
            | End::Aborted
            | End::Failed(_) => true,
        }
    }

    /// Whether nothing will ever be sent again: the stream is closed, or its transport has failed.
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// let mut writer = Writer::new();
    /// writer.close();
    /// assert!(!writer.is_closed());
    /// writer.ended(); // the transport has closed the connection
    /// assert!(writer.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        matches!(self.end, End::Closed { .. } | End::Aborted | End::Failed(_))
    }

    /// Whether the stream was aborted, so that what was queued is lost. A failure of the transport
    /// before the abort was carried out takes its place.
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// let mut writer = Writer::new();
    /// writer.abort();
    /// assert!(writer.is_aborted());
    /// ```
    pub fn is_aborted(&self) -> bool {
        matches!(self.end, End::Aborting | End::Aborted)
    }

    /// Whether the stream was [closed by the peer](Self::peer_closed), so that nothing more can be
    /// written.
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// let mut writer = Writer::new();
    /// writer.close();
    /// assert!(!writer.is_peer_closed());
    /// ```
    pub fn is_peer_closed(&self) -> bool {
        matches!(
            self.end,
            End::Closing { by: Side::Peer } | End::Closed { by: Side::Peer }
        )
    }

    /// How many bytes wait to be sent.
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// let mut writer = Writer::new();
    /// writer.write(b"hello")?;
    /// writer.sent(2);
    /// assert_eq!(writer.queued(), 3);
    /// # Ok::<(), millpond_core::WriteError>(())
    /// ```
    #[doc(alias = "get_write_buffer_size")]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The failure of the transport.
    ///
    /// ```
    /// # use millpond_core::{TransportError, Writer};
    /// let mut writer = Writer::new();
    /// writer.fail(TransportError::new("reset"));
    /// assert_eq!(writer.error().unwrap().to_string(), "reset");
    /// ```
    pub fn error(&self) -> Option<&TransportError> {
        match &self.end {
            End::Failed(error) => Some(error),
            End::Open
            | End::Finishing
            | End::Closing { .. }
            | End::Finished
            | End::Aborting
            | End::Closed { .. }
            | End::Aborted => None,
        }
    }
}

/// The transport's side.
impl Writer {
    /// The next thing to do, or `None` when there is nothing. It says the same again until the
    /// transport has reported it done.
    ///
    /// To be asked after each call of the application's side, and after each step. See
    /// [`Writer`] for an example.
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        if let Some(chunk) = self.queue.chunks().next() {
            return Some(Transmit::Data(chunk));
        }
        match self.end {
            End::Finishing => Some(Transmit::Shutdown),
            End::Closing { .. } => Some(Transmit::Close),
            End::Aborting => Some(Transmit::Abort),
            End::Open | End::Finished | End::Closed { .. } | End::Aborted | End::Failed(_) => None,
        }
    }

    /// Everything that waits to be sent, front to back, for one vectored write. No chunk is empty.
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// use bytes::Bytes;
    ///
    /// let mut writer = Writer::new();
    /// writer.write(b"head")?;
    /// writer.write(b"er")?;
    /// writer.write_bytes(Bytes::from(vec![0; 100_000]))?;
    /// let lens: Vec<usize> = writer.chunks().map(<[u8]>::len).collect();
    /// assert_eq!(lens, [6, 100_000]);
    /// # Ok::<(), millpond_core::WriteError>(())
    /// ```
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        self.queue.chunks()
    }

    /// The transport has taken the first `n` bytes of the queue. Returns what is not to be dropped under
    /// a lock.
    ///
    /// # Panics
    ///
    /// If fewer were queued.
    ///
    /// # Examples
    ///
    /// See [`Writer`].
    pub fn sent(&mut self, n: usize) -> Spent {
        let spent = self.queue.remove(n);
        self.shrunk();
        spent
    }

    /// The [`Shutdown`](Transmit::Shutdown), [`Close`](Transmit::Close) or
    /// [`Abort`](Transmit::Abort) was carried out.
    ///
    /// # Panics
    ///
    /// If none was asked for, or bytes are still queued before it.
    ///
    /// # Examples
    ///
    /// See [`Writer`].
    pub fn ended(&mut self) {
        assert!(self.queue.is_empty(), "the queue is sent before the end");
        self.end = match self.end {
            End::Finishing => End::Finished,
            End::Closing { by } => End::Closed { by },
            End::Aborting => End::Aborted,
            End::Open | End::Finished | End::Closed { .. } | End::Aborted | End::Failed(_) => {
                panic!("an end was reported that was not asked for")
            }
        };
    }

    /// The peer has closed the stream, which ends both directions where none ends alone, as over TLS:
    /// what is queued is sent, then the stream is closed, and later writes say why.
    ///
    /// It is ignored once this side has closed or aborted the stream, or the transport has failed.
    ///
    /// ```
    /// # use millpond_core::{Transmit, WriteError, Writer};
    /// let mut writer = Writer::new();
    /// writer.peer_closed();
    /// assert_eq!(writer.write(b"x"), Err(WriteError::PeerClosed));
    /// assert_eq!(writer.poll_transmit(), Some(Transmit::Close));
    /// ```
    pub fn peer_closed(&mut self) {
        if !self.is_closing() {
            self.end = End::Closing { by: Side::Peer };
        }
    }

    /// The transport has failed: the queue is dropped, and every later write reports the failure. Returns
    /// what is not to be dropped under a lock.
    ///
    /// It is ignored once the stream is closed or has failed.
    ///
    /// ```
    /// # use millpond_core::{TransportError, WriteError, Writer};
    /// let mut writer = Writer::new();
    /// writer.fail(TransportError::new("reset"));
    /// assert!(matches!(writer.write(b"x"), Err(WriteError::Transport(_))));
    /// ```
    pub fn fail(&mut self, error: impl Into<TransportError>) -> Spent {
        if self.is_closed() {
            return Spent::default();
        }
        self.end = End::Failed(error.into());
        self.forget_queue()
    }

    /// The change of back-pressure since the last call: [`Event::PauseWriting`] and
    /// [`Event::ResumeWriting`], always in turn.
    ///
    /// ```
    /// # use millpond_core::{Event, Writer};
    /// let mut writer = Writer::with_watermarks(0, 0);
    /// writer.write(b"x")?;
    /// assert_eq!(writer.poll_event(), Some(Event::PauseWriting));
    /// writer.sent(1);
    /// assert_eq!(writer.poll_event(), Some(Event::ResumeWriting));
    /// # Ok::<(), millpond_core::WriteError>(())
    /// ```
    pub fn poll_event(&mut self) -> Option<Event> {
        self.flow.report().map(|paused| {
            if paused {
                Event::PauseWriting
            } else {
                Event::ResumeWriting
            }
        })
    }

    #[inline]
    fn grown(&mut self) {
        if self.queue.len() > self.high {
            self.flow.pause();
        }
    }

    fn shrunk(&mut self) {
        if self.queue.len() <= self.low {
            self.flow.resume();
        }
    }

    fn forget_queue(&mut self) -> Spent {
        let spent = self.queue.clear();
        self.flow.resume();
        spent
    }
}

/// How much is queued, how much may be, and how the stream stands.
impl Writer {
    /// What is printed of the writer, to be printed later: an error and a formatter may be the
    /// program's and do anything, which must not happen under a lock.
    ///
    /// ```
    /// # use millpond_core::Writer;
    /// let writer = Writer::new();
    /// assert_eq!(format!("{:?}", writer.snapshot()), format!("{writer:?}"));
    /// ```
    pub fn snapshot(&self) -> impl fmt::Debug + use<> {
        Snapshot {
            queued: self.queued(),
            watermarks: self.watermarks(),
            paused: self.is_paused(),
            end: self.end.clone(),
        }
    }
}

struct Snapshot {
    queued: usize,
    watermarks: (usize, usize),
    paused: bool,
    end: End,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("queued", &self.queued)
            .field("watermarks", &self.watermarks)
            .field("paused", &self.paused)
            .field("end", &self.end)
            .finish()
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.snapshot().fmt(f)
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}
