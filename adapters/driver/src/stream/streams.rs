//! What a reader receives as a stream of items.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use millpond_core::{ReadError, Reader, Request, Status};

use super::StreamReader;

/// The most of one of [`Chunks`], in bytes: what a reader takes from a socket at once.
const CHUNK: usize = 64 * 1024;

impl StreamReader {
    /// The lines of the stream, one after the other, up to its end; the last one may lack its line
    /// feed.
    ///
    /// `As in asyncio:` it is `async for line in reader`, and can go on behind a line that is too
    /// long.
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"one\ntwo\n")?;
    /// drop(writer);
    /// let mut lines = reader.lines();
    /// while let Some(line) = lines.next().await {
    ///     print!("{}", line?.escape_ascii());
    /// }
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "__aiter__")]
    pub fn lines(&mut self) -> Lines<'_> {
        Lines { reader: self }
    }

    /// What comes, as it comes, up to the end of the stream: pieces of at least one byte and at most
    /// 64 KiB.
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"body")?;
    /// drop(writer);
    /// let mut chunks = reader.chunks();
    /// while let Some(chunk) = chunks.next().await {
    ///     assert_eq!(chunk?, "body");
    /// }
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "ReaderStream")]
    pub fn chunks(&mut self) -> Chunks<'_> {
        Chunks { reader: self }
    }

    /// What a parser makes of the stream, one message after the other, up to its end. The parser is that
    /// of [`read_with`](Self::read_with): it is asked for the next message as long as there is one.
    ///
    /// ```
    /// use millpond::{ReadError, millpond_core::Reader, types::{Request, Status}};
    ///
    /// /// A number in two bytes.
    /// fn number(reader: &mut Reader) -> Result<Status<u16>, ReadError> {
    ///     let found = reader.poll(Request::Exactly(2))?;
    ///     Ok(found.map(|n| u16::from_be_bytes(reader.lend(n).try_into().unwrap())))
    /// }
    ///
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(&[0, 1, 0, 2, 0])?;
    /// drop(writer);
    /// let mut numbers = reader.messages(number);
    /// assert_eq!(numbers.next().await.unwrap()?, 1);
    /// assert_eq!(numbers.next().await.unwrap()?, 2);
    /// assert!(matches!(numbers.next().await, Some(Err(ReadError::Incomplete { .. }))));
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    ///
    /// A parser with a state that is kept beside the reader outlives this, too, so it can be made anew for
    /// each message: `reader.messages(|core| parser.parse(core)).next().await`.
    #[doc(alias = "Framed")]
    #[doc(alias = "FramedRead")]
    pub fn messages<T, E, P>(&mut self, parse: P) -> Messages<'_, P>
    where
        P: FnMut(&mut Reader) -> Result<Status<T>, E>,
        E: From<ReadError>,
    {
        Messages {
            reader: self,
            parse,
            at: At::Messages,
        }
    }
}

/// The lines of a stream; made by [`StreamReader::lines`].
///
/// It is a [`Stream`], and has a `next` of its own for programs without combinators.
///
/// ```
/// # futures_lite::future::block_on(async {
/// use futures_util::TryStreamExt;
///
/// let ((_, mut writer), (mut reader, _)) = millpond::pair();
/// writer.write(b"one\ntwo\n")?;
/// drop(writer);
/// let lines: Vec<_> = reader.lines().try_collect().await?;
/// assert_eq!(lines, ["one\n", "two\n"]);
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Lines<'a> {
    reader: &'a mut StreamReader,
}

impl Lines<'_> {
    /// The next line with its line feed, or `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// As [`StreamReader::read_line`]. After a line that is too long, the next call gives the line
    /// behind it.
    ///
    /// # Cancel safety
    ///
    /// Yes: a call that is dropped has taken nothing.
    ///
    /// # Examples
    ///
    /// See [`StreamReader::lines`].
    #[doc(alias = "__anext__")]
    pub async fn next(&mut self) -> Option<Result<Bytes, ReadError>> {
        poll_fn(|cx| self.reader.poll_item(cx, Request::Line)).await
    }
}

impl Stream for Lines<'_> {
    type Item = Result<Bytes, ReadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().reader.poll_item(cx, Request::Line)
    }
}

/// What a stream brings, piece by piece; made by [`StreamReader::chunks`].
///
/// It is a [`Stream`], and has a `next` of its own for programs without combinators.
#[derive(Debug)]
pub struct Chunks<'a> {
    reader: &'a mut StreamReader,
}

impl Chunks<'_> {
    /// The next piece, or `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// As [`StreamReader::read`].
    ///
    /// # Cancel safety
    ///
    /// Yes: a call that is dropped has taken nothing.
    ///
    /// # Examples
    ///
    /// See [`StreamReader::chunks`].
    pub async fn next(&mut self) -> Option<Result<Bytes, ReadError>> {
        poll_fn(|cx| self.reader.poll_item(cx, Request::UpTo(CHUNK))).await
    }
}

impl Stream for Chunks<'_> {
    type Item = Result<Bytes, ReadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().reader.poll_item(cx, Request::UpTo(CHUNK))
    }
}

/// The messages that a parser makes of a stream; made by [`StreamReader::messages`].
///
/// It is a [`Stream`], and has a `next` of its own for programs without combinators.
pub struct Messages<'a, P> {
    reader: &'a mut StreamReader,
    parse: P,
    at: At,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    Messages,
    /// Behind an error.
    Over,
}

impl<T, E, P> Messages<'_, P>
where
    P: FnMut(&mut Reader) -> Result<Status<T>, E>,
    E: From<ReadError>,
{
    /// The next message, or `None` if the stream ends before it begins, or behind an error.
    ///
    /// # Errors
    ///
    /// As [`StreamReader::read_with`]; [`ReadError::Incomplete`] if the stream ends within a message.
    ///
    /// # Cancel safety
    ///
    /// Yes: what the parser has taken is in its state, which outlives the call.
    ///
    /// # Examples
    ///
    /// See [`StreamReader::messages`].
    pub async fn next(&mut self) -> Option<Result<T, E>> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    fn poll_message(&mut self, cx: &Context<'_>) -> Poll<Option<Result<T, E>>> {
        if let Err(error) = self.reader.check_direction() {
            return Poll::Ready(Some(Err(error.into())));
        }
        if self.at == At::Over {
            return Poll::Ready(None);
        }
        loop {
            match self.reader.core.poll_message(&mut self.parse) {
                Ok(Status::NeedData) => ready!(self.reader.poll_fill(cx)),
                Ok(Status::Ready(message)) => {
                    self.reader.has_answered();
                    return Poll::Ready(message.map(Ok));
                }
                Err(error) => {
                    self.at = At::Over;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

impl<T, E, P> Stream for Messages<'_, P>
where
    P: FnMut(&mut Reader) -> Result<Status<T>, E> + Unpin,
    E: From<ReadError>,
{
    type Item = Result<T, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_message(cx)
    }
}

impl<P> fmt::Debug for Messages<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages")
            .field("reader", &self.reader)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
