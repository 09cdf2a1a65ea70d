//! What can go wrong with a read or a write. Partial data rides inside the error.
//!
//! All errors of these crates are as `std::io::Error` is: what is displayed has the cause in it, and
//! `source` goes on behind the cause. So the text alone says what happened, and a report that walks
//! the chain says nothing twice. `Debug`, which a `main` that returns an error prints, is that text
//! behind the name of the variant.

use alloc::{boxed::Box, sync::Arc};
use core::{error::Error, fmt};

use bytes::Bytes;

/// Why a request to a [`Reader`](crate::Reader) has no answer.
///
/// Under the `std` feature it converts into `std::io::Error`: [`Incomplete`](Self::Incomplete) as
/// `UnexpectedEof`, the two bounds as `InvalidData`, [`Transport`](Self::Transport) with the kind of
/// the transport's own error.
///
/// ```
/// use std::io;
///
/// use millpond_core::{Reader, ReadError, Request};
///
/// let mut reader = Reader::new();
/// reader.feed(b"half");
/// reader.feed_eof();
/// let error = reader.poll(Request::Exactly(8)).unwrap_err();
/// assert!(matches!(&error, ReadError::Incomplete { partial, .. } if partial == "half"));
///
/// let error = io::Error::from(error);
/// assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
/// assert_eq!(error.to_string(), "the stream ended after 4 of 8 bytes");
/// ```
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReadError {
    /// The stream ended before the request was answered.
    ///
    /// `As in asyncio:` what was left has been removed from the buffer and is handed over here, so
    /// asking again gives an empty `partial`.
    #[doc(alias = "IncompleteReadError")]
    Incomplete {
        /// The bytes before the end.
        partial: Bytes,
        /// How many bytes were asked for, unless the request was for a separator.
        expected: Option<usize>,
    },
    /// No separator begins within the limit.
    ///
    /// For [`Request::Until`](crate::Request::Until) nothing has been removed: asking again fails
    /// again. The way on is to consume `consumed` bytes, none of which begins a separator, or to
    /// give up. For [`Request::Line`](crate::Request::Line) the whole line is being skipped, and the
    /// next request starts behind it.
    ///
    /// `Differs from asyncio:` `consumed` is always the limit and one byte more. In CPython it
    /// depends on how the input was cut.
    #[doc(alias = "LimitOverrunError")]
    LimitOverrun {
        /// How many bytes can be consumed without cutting a separator in two.
        consumed: usize,
    },
    /// [`Request::Exactly`](crate::Request::Exactly), [`Request::Peek`](crate::Request::Peek),
    /// [`Request::ToEof`](crate::Request::ToEof) or a [parser](crate::Reader::poll_with) would need
    /// more in the buffer than the cap allows. Nothing has been removed.
    CapExceeded {
        /// The most the reader may buffer for one request.
        cap: usize,
    },
    /// The transport failed, and what had arrived before does not answer the request. It is still
    /// in the buffer. Every later request that the buffer does not answer reports the same failure.
    Transport(TransportError),
    /// The transport was cut off: one that marks the end of the stream, such as TLS, has ended without
    /// the mark (`close_notify`). Data may be missing; what arrived before is still in the buffer.
    ///
    /// A transport that [fails](crate::Reader::fail) with [`Truncated`] reports it.
    ///
    /// `Differs from asyncio:` there it is the end of the stream.
    Truncated,
    /// The stream has no direction towards this side, as that of a pipe that is written to.
    WriteOnly,
}

/// Why a [`Writer`](crate::Writer) does not take more data.
///
/// Under the `std` feature it converts into `std::io::Error`: [`Finished`](Self::Finished),
/// [`Closed`](Self::Closed) and [`PeerClosed`](Self::PeerClosed) as `BrokenPipe`, [`CapExceeded`](Self::CapExceeded) as `InvalidData`,
/// [`Transport`](Self::Transport) with the kind of the transport's own error.
///
/// ```
/// use std::io;
///
/// use millpond_core::WriteError;
///
/// let error = io::Error::from(WriteError::Finished);
/// assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
/// assert_eq!(error.to_string(), "nothing can be written after write_eof");
/// ```
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum WriteError {
    /// With this write, more would be queued than the cap allows. Nothing of it was written, and
    /// the stream goes on.
    CapExceeded {
        /// The most bytes that may be queued.
        cap: usize,
    },
    /// The stream was closed or aborted by this side.
    Closed,
    /// The end of the stream was already announced with `write_eof`.
    Finished,
    /// The peer has closed the stream, and with it this direction, too, as over TLS. What had arrived
    /// before can still be read.
    PeerClosed,
    /// The stream has no direction away from this side, as that of a pipe that is read from.
    ReadOnly,
    /// The transport failed; what was queued is lost. Every later call reports the same failure.
    Transport(TransportError),
}

/// The failure of a transport. It is kept and reported again, so it can be cloned: clones share one
/// error.
///
/// # Examples
///
/// ```
/// use millpond_core::{Reader, ReadError, Request, TransportError};
///
/// let mut reader = Reader::new();
/// reader.fail(TransportError::new("the cable was pulled"));
/// let error = reader.poll(Request::Line).unwrap_err();
/// assert_eq!(error.to_string(), "the transport failed: the cable was pulled");
/// ```
#[derive(Clone)]
pub struct TransportError(Arc<dyn Error + Send + Sync>);

impl TransportError {
    /// Wraps any error, or a message.
    ///
    /// ```
    /// use millpond_core::TransportError;
    ///
    /// assert_eq!(TransportError::new("no route").to_string(), "no route");
    /// ```
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(error.into()))
    }

    /// The error of the transport, for downcasting.
    ///
    /// ```
    /// use millpond_core::TransportError;
    ///
    /// let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    /// let error = TransportError::from(reset);
    /// assert!(error.get_ref().is::<std::io::Error>());
    /// ```
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }

    /// The kind of the transport's error, `Other` if it is not an I/O error.
    ///
    /// ```
    /// use std::io::{Error, ErrorKind};
    ///
    /// use millpond_core::TransportError;
    ///
    /// let error = TransportError::from(Error::from(ErrorKind::ConnectionReset));
    /// assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    /// ```
    #[cfg(feature = "std")]
    pub fn kind(&self) -> std::io::ErrorKind {
        match self.0.downcast_ref::<std::io::Error>() {
            Some(error) => error.kind(),
            None if self.0.is::<Truncated>() => std::io::ErrorKind::UnexpectedEof,
            None => std::io::ErrorKind::Other,
        }
    }
}

#[cfg(feature = "std")]
impl ReadError {
    /// The one that is inside an I/O error, as crates give it that read a stream through a trait, or `?`
    /// in a function that returns [`std::io::Result`]: with what had come before the end.
    ///
    /// It is found as the inner error and among its sources.
    ///
    /// ```
    /// use std::io;
    ///
    /// use millpond_core::{ReadError, Reader, Request};
    ///
    /// fn header(reader: &mut Reader) -> io::Result<()> {
    ///     reader.poll(Request::Exactly(8))?;
    ///     Ok(())
    /// }
    ///
    /// let mut reader = Reader::new();
    /// reader.feed(b"half");
    /// reader.feed_eof();
    /// let error = header(&mut reader).unwrap_err();
    /// match ReadError::from_io(&error) {
    ///     Some(ReadError::Incomplete { partial, .. }) => assert_eq!(partial, "half"),
    ///     other => panic!("{other:?}"),
    /// }
    /// ```
    #[doc(alias = "downcast_ref")]
    pub fn from_io(error: &std::io::Error) -> Option<&Self> {
        inside(error)
    }

    /// The kind that it has as an I/O error.
    ///
    /// ```
    /// use millpond_core::{Reader, Request};
    ///
    /// let mut reader = Reader::new();
    /// reader.feed_eof();
    /// let error = reader.poll(Request::Exactly(1)).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    /// ```
    pub fn kind(&self) -> std::io::ErrorKind {
        match self {
            Self::Incomplete { .. } | Self::Truncated => std::io::ErrorKind::UnexpectedEof,
            Self::LimitOverrun { .. } | Self::CapExceeded { .. } => std::io::ErrorKind::InvalidData,
            Self::Transport(error) => error.kind(),
            Self::WriteOnly => std::io::ErrorKind::Unsupported,
        }
    }
}

#[cfg(feature = "std")]
impl WriteError {
    /// The one that is inside an I/O error, as crates give it that write to a stream through a trait.
    ///
    /// ```
    /// use std::io;
    ///
    /// use millpond_core::WriteError;
    ///
    /// let error = io::Error::from(WriteError::Finished);
    /// assert_eq!(WriteError::from_io(&error), Some(&WriteError::Finished));
    /// ```
    pub fn from_io(error: &std::io::Error) -> Option<&Self> {
        inside(error)
    }

    /// The kind that it has as an I/O error.
    ///
    /// ```
    /// assert_eq!(millpond_core::WriteError::Closed.kind(), std::io::ErrorKind::BrokenPipe);
    /// ```
    pub fn kind(&self) -> std::io::ErrorKind {
        match self {
            Self::Finished | Self::Closed | Self::PeerClosed => std::io::ErrorKind::BrokenPipe,
            Self::ReadOnly => std::io::ErrorKind::Unsupported,
            Self::CapExceeded { .. } => std::io::ErrorKind::InvalidData,
            Self::Transport(error) => error.kind(),
        }
    }
}

/// The first of its type inside an I/O error. One that is inside another is reached, too: `source` goes on
/// behind it.
#[cfg(feature = "std")]
fn inside<E: Error + 'static>(error: &std::io::Error) -> Option<&E> {
    let mut next: &(dyn Error + 'static) = error.get_ref()?;
    loop {
        if let Some(found) = next.downcast_ref() {
            return Some(found);
        }
        next = match next.downcast_ref::<std::io::Error>() {
            Some(error) => error.get_ref()?,
            None => next.source()?,
        };
    }
}

/// What a transport [fails](crate::Reader::fail) with when it was cut off; it is reported as
/// [`ReadError::Truncated`].
///
/// ```
/// use millpond_core::{ReadError, Reader, Request, TransportError, Truncated};
///
/// let mut reader = Reader::new();
/// reader.feed(b"half a li");
/// reader.fail(TransportError::new(Truncated));
/// assert_eq!(reader.poll(Request::Line), Err(ReadError::Truncated));
/// assert_eq!(TransportError::new(Truncated).kind(), std::io::ErrorKind::UnexpectedEof);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "there is nothing to say about it"
)]
pub struct Truncated;

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the connection was cut off: the peer did not end the stream (over TLS with close_notify), so \
             data may be missing; accept_truncation makes this a normal end",
        )
    }
}

impl Error for Truncated {}

/// How a failure of the transport is reported.
impl From<&TransportError> for ReadError {
    fn from(error: &TransportError) -> Self {
        match error.get_ref().is::<Truncated>() {
            true => Self::Truncated,
            false => Self::Transport(error.clone()),
        }
    }
}

/// Equal if they are the same failure, not if they say the same.
impl PartialEq for TransportError {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for TransportError {}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete {
                partial,
                expected: Some(expected),
            } => write!(
                f,
                "the stream ended after {} of {expected} bytes",
                partial.len()
            ),
            Self::Incomplete {
                partial,
                expected: None,
            } => write!(
                f,
                "the stream ended after {} bytes, before the separator",
                partial.len()
            ),
            Self::LimitOverrun { consumed } => write!(
                f,
                "no separator within the limit of {} bytes: raise the limit, or read on without it",
                consumed.saturating_sub(1)
            ),
            Self::CapExceeded { cap } => write!(
                f,
                "more than the cap of {cap} bytes would have to be buffered: raise the cap, or read in parts"
            ),
            Self::Transport(error) => write!(f, "the transport failed: {error}"),
            Self::Truncated => Truncated.fmt(f),
            Self::WriteOnly => f.write_str("the stream is write-only"),
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CapExceeded { cap } => write!(
                f,
                "more than the cap of {cap} bytes would have to be queued: raise the cap, or write in smaller parts and drain in between"
            ),
            Self::Closed => f.write_str("nothing can be written after close or abort"),
            Self::Finished => f.write_str("nothing can be written after write_eof"),
            Self::PeerClosed => {
                f.write_str("nothing can be written after the peer has closed the stream")
            }
            Self::ReadOnly => f.write_str("the stream is read-only"),
            Self::Transport(error) => write!(f, "the transport failed: {error}"),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TransportError")
            .field(&format_args!("{self}"))
            .finish()
    }
}

impl fmt::Debug for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Incomplete { partial, .. } => {
                return f
                    .debug_tuple("Incomplete")
                    .field(&format_args!("{self}"))
                    .field(&Beginning(partial))
                    .finish();
            }
            Self::LimitOverrun { .. } => "LimitOverrun",
            Self::CapExceeded { .. } => "CapExceeded",
            Self::Transport(_) => "Transport",
            Self::Truncated => "Truncated",
            Self::WriteOnly => "WriteOnly",
        };
        f.debug_tuple(name).field(&format_args!("{self}")).finish()
    }
}

impl fmt::Debug for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::CapExceeded { .. } => "CapExceeded",
            Self::Closed => "Closed",
            Self::Finished => "Finished",
            Self::PeerClosed => "PeerClosed",
            Self::ReadOnly => "ReadOnly",
            Self::Transport(_) => "Transport",
        };
        f.debug_tuple(name).field(&format_args!("{self}")).finish()
    }
}

/// As many bytes as help to see what they are.
struct Beginning<'a>(&'a Bytes);

impl fmt::Debug for Beginning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 64;
        let shown = self.0.len().min(MOST);
        let dots = if shown < self.0.len() { ".." } else { "" };
        write!(f, "{:?}{dots}", self.0.slice(..shown))
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Transport(error) => error.source(),
            Self::Incomplete { .. }
            | Self::LimitOverrun { .. }
            | Self::CapExceeded { .. }
            | Self::Truncated
            | Self::WriteOnly => None,
        }
    }
}

impl Error for WriteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Transport(error) => error.source(),
            Self::CapExceeded { .. }
            | Self::Finished
            | Self::PeerClosed
            | Self::Closed
            | Self::ReadOnly => None,
        }
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[cfg(feature = "std")]
mod io {
    use std::io::Error;

    use super::{ReadError, TransportError, WriteError};

    /// An I/O error that was made of a failure becomes that failure again.
    impl From<Error> for TransportError {
        fn from(error: Error) -> Self {
            error.downcast().unwrap_or_else(Self::new)
        }
    }

    /// Keeps the kind; the transport's error is the inner one.
    impl From<TransportError> for Error {
        fn from(error: TransportError) -> Self {
            Self::new(error.kind(), error)
        }
    }

    /// Keeps the kind; the [`ReadError`] with its partial data is the inner one.
    impl From<ReadError> for Error {
        fn from(error: ReadError) -> Self {
            Self::new(error.kind(), error)
        }
    }

    /// Keeps the kind; the [`WriteError`] is the inner one.
    impl From<WriteError> for Error {
        fn from(error: WriteError) -> Self {
            Self::new(error.kind(), error)
        }
    }
}
