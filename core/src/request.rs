//! What is asked of a reader, and what it answers.

use crate::separator::Separator;

/// What the application wants to know about the front of the stream.
///
/// A request holds no state: one that found too little can be dropped, asked again, or followed by
/// another one, and nothing is lost.
///
/// ```
/// use millpond_core::{Reader, Request, Status};
///
/// let mut reader = Reader::new();
/// reader.feed(b"GET / HTTP");
/// assert_eq!(reader.poll(Request::Line), Ok(Status::NeedData));
/// assert_eq!(reader.poll(Request::Exactly(3)), Ok(Status::Ready(3)));
/// assert_eq!(reader.poll(Request::UpTo(100)), Ok(Status::Ready(10)));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Request<'a> {
    /// Exactly so many bytes; asyncio's `readexactly`.
    ///
    /// The limit does not apply, the cap does. Nothing is allocated ahead of what arrives.
    Exactly(usize),
    /// Through the next line feed, or at the end of the stream whatever is left (0 bytes if
    /// nothing); asyncio's `readline`.
    ///
    /// `Differs from asyncio:` a line that is longer than the limit is reported once and skipped as
    /// a whole, even when its line feed has not arrived yet. CPython returns its tail as a line.
    Line,
    /// So many bytes, or fewer if the stream ends first; for looking ahead.
    ///
    /// An answer of 0 bytes to a request for more means the end. asyncio has no counterpart.
    Peek(usize),
    /// Everything up to the end of the stream; asyncio's `read(-1)`.
    ///
    /// The limit does not apply, the cap does.
    ///
    /// `Differs from asyncio:` what has arrived stays in the buffer until the end has come, so a
    /// read that is dropped loses nothing.
    ToEof,
    /// Through the next separator; asyncio's `readuntil`.
    ///
    /// The bytes before the separator may be as many as the limit, not one more.
    Until(&'a Separator),
    /// At least one byte and at most so many; asyncio's `read(n)`.
    ///
    /// An answer of 0 bytes to a request for more means the end of the stream. This is the one
    /// request whose answer depends on how the input was cut.
    UpTo(usize),
}

/// What [`Reader::poll`](crate::Reader::poll) found.
///
/// Not [`core::task::Poll`]: a core that does no I/O cannot promise to wake a task. See
/// [`Reader`](crate::Reader) for an example.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Status<T> {
    /// Feed more (or the end, or a failure) and ask again.
    NeedData,
    /// The answer.
    Ready(T),
}

impl<T> Status<T> {
    /// Turns the answer into something else.
    ///
    /// ```
    /// use millpond_core::{Reader, Request, Status};
    ///
    /// let mut reader = Reader::new();
    /// reader.feed(b"\x01\x02");
    /// let head = reader.poll(Request::Exactly(2))?.map(|n| reader.take(n));
    /// assert_eq!(head, Status::Ready("\x01\x02".into()));
    /// # Ok::<(), millpond_core::ReadError>(())
    /// ```
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Status<U> {
        match self {
            Self::NeedData => Status::NeedData,
            Self::Ready(answer) => Status::Ready(change(answer)),
        }
    }
}
