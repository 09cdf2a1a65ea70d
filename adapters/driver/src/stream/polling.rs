//! Both halves by poll, for futures that are written by hand.

use std::task::{Context, Poll, ready};

use millpond_core::{ReadError, Request, WriteError, Writer};

use super::{StreamReader, StreamWriter};
use crate::connection::WaitList;

/// Reading by poll: the whole of [`millpond_core::Reader`], which has the rules. The task that polled last
/// is the one that is woken.
impl StreamReader {
    /// Asks a question about what comes next, and gets more until there is an answer: how many bytes of
    /// [`buffered`](Self::buffered) it is. Nothing is taken: [`consume`](Self::consume) does that.
    ///
    /// # Errors
    ///
    /// As the read of the same name: `read_exactly` for [`Request::Exactly`], and so on.
    ///
    /// # Cancel safety
    ///
    /// Yes: it changes nothing that another request would not find.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    ///
    /// use millpond::types::Request;
    ///
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"key=value;")?;
    /// let n = poll_fn(|cx| reader.poll_request(cx, Request::Exactly(4))).await?;
    /// assert_eq!(&reader.buffered()[..n], b"key=");
    /// reader.consume(n);
    /// assert_eq!(reader.read_until(";").await?, "value;");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn poll_request(
        &mut self,
        cx: &Context<'_>,
        request: Request<'_>,
    ) -> Poll<Result<usize, ReadError>> {
        self.poll_answer(cx, request)
    }
}

/// Writing by poll. A cancelled poll leaves nothing behind but the waker, which the next one replaces.
impl StreamWriter {
    /// [`drain`](Self::drain) by poll: ready while no more than the high watermark is queued, and once it
    /// was more, when it is down to the low one.
    ///
    /// # Errors
    ///
    /// As [`drain`](Self::drain).
    ///
    /// # Cancel safety
    ///
    /// Yes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    ///
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"hello")?;
    /// poll_fn(|cx| writer.poll_drain(cx)).await?;
    /// assert_eq!(reader.read(5).await?, "hello");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn poll_drain(&mut self, cx: &Context<'_>) -> Poll<Result<(), WriteError>> {
        // A program that writes in a loop and is never paused must let others run, too. What is held back
        // has cost no system call, and to yield would send it in parts.
        if !self.connection.holds_something() {
            ready!(self.budget.poll_proceed(cx));
        }
        self.poll_until(cx, |core| match core.is_peer_closed() {
            true => Some(Err(WriteError::PeerClosed)),
            false => (!core.is_paused()).then_some(Ok(())),
        })
    }

    /// [`flush`](Self::flush) by poll: ready when everything is with the system.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    ///
    /// # Cancel safety
    ///
    /// Yes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    ///
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"hello")?;
    /// poll_fn(|cx| writer.poll_flush(cx)).await?;
    /// assert_eq!(writer.queued(), 0);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<Result<(), WriteError>> {
        // A program that writes in a loop must let others run, too: a write does not wait.
        ready!(self.budget.poll_proceed(cx));
        self.poll_all_sent(cx)
    }

    /// What a flush is in traits. It yields only for what is not yet sent: the writes there have yielded
    /// already, and to wait when everything has left misleads. hyper takes it for an answer that is not yet
    /// sent, and the peer that has read it and closes for one that has failed.
    pub(crate) fn poll_all_sent(&mut self, cx: &Context<'_>) -> Poll<Result<(), WriteError>> {
        self.connection.check_direction()?;
        self.connection.send_held_back();
        let flushed = self.connection.poll_flushed(&mut self.ticket, cx);
        if flushed.is_pending() {
            self.budget.reset();
        }
        flushed
    }

    /// Writes a part of `len` bytes or all of them, when there is room: how many may be written now. What
    /// the high watermark leaves is room, 8 KiB at the least.
    pub(crate) fn poll_room(
        &mut self,
        cx: &Context<'_>,
        len: usize,
    ) -> Poll<Result<usize, WriteError>> {
        ready!(self.budget.poll_proceed(cx));
        self.poll_until(cx, |core| match core.writable() {
            Err(error) => Some(Err(error)),
            Ok(()) => core.room().map(|room| Ok(room.min(len))),
        })
    }

    /// Ends this direction, and waits until the peer was sent the end: a half close where the stream can,
    /// and otherwise the end of both directions, as TLS has it.
    pub(crate) fn poll_end(&mut self, cx: &Context<'_>) -> Poll<Result<(), WriteError>> {
        match self.connection.inspect(Writer::writable) {
            Ok(()) if self.can_write_eof() => self.write_eof()?,
            Ok(()) => self.close(),
            // It has begun.
            Err(WriteError::Finished | WriteError::Closed | WriteError::PeerClosed) => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
        self.poll_until(cx, |core| core.is_finished().then_some(Ok(())))
    }

    /// Waits until nothing will ever be sent again.
    pub(super) fn poll_closed(&mut self, cx: &Context<'_>) -> Poll<Result<(), WriteError>> {
        self.connection.poll_closed(&mut self.ticket, cx)
    }

    /// The caller has cancelled its wait: no task is woken for it, and a cork holds back again.
    pub(super) fn stop_waiting(&mut self) {
        if self.ticket.is_used() {
            drop(self.connection.leave(&mut self.ticket));
        }
    }

    /// Waits until `done` has an answer, unless the stream has failed or was aborted.
    pub(super) fn poll_until<T>(
        &mut self,
        cx: &Context<'_>,
        done: impl FnOnce(&Writer) -> Option<Result<T, WriteError>>,
    ) -> Poll<Result<T, WriteError>> {
        self.connection.check_direction()?;
        let answer = self.connection.poll_until(&mut self.ticket, cx, |core| {
            if let Some(error) = core.error() {
                return Poll::Ready(Err(WriteError::Transport(error.clone())));
            }
            if core.is_aborted() {
                return Poll::Ready(Err(WriteError::Closed));
            }
            done(core).map_or(Poll::Pending, Poll::Ready)
        });
        if answer.is_pending() {
            self.budget.reset();
        }
        answer
    }
}
