//! Beginning TLS in the middle of a stream.

use std::{
    fmt,
    future::{IntoFuture, poll_fn},
    io,
    pin::pin,
    sync::Arc,
    task::Poll,
};

use bytes::Bytes;
use futures_util::FutureExt;

use super::{Stream, StreamReader, StreamWriter};
use crate::{
    connection::{Upgrade, Waiting},
    runtime::BoxFuture,
    tls::{Handshake, Progress, TlsAcceptor, TlsConnector, TlsError},
};

impl StreamWriter {
    /// Begins TLS on a stream that has begun without; asyncio's `start_tls`.
    ///
    /// What was written leaves first, in the clear. What was received and not read is refused, because
    /// it was not protected: the error leaves the stream as it was.
    /// [`hand_over_buffered`](crate::types::StartTls::hand_over_buffered) is for peers that do not wait. Then
    /// both halves go on as they are, limit and watermarks included, over TLS.
    ///
    /// `Differs from asyncio:` there, what was received before can be read as if it had come over TLS;
    /// the name of the server is not looked at unless it is given; and a handshake that is cancelled
    /// leaves readers waiting for ever. Here the stream ends with the reason.
    ///
    /// # Panics
    ///
    /// If `reader` is not the other half of this stream.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use millpond::{StreamReader, StreamWriter, TlsConnector};
    ///
    /// async fn protect(reader: &mut StreamReader, writer: &mut StreamWriter) -> std::io::Result<()> {
    ///     writer.write(b"STARTTLS\r\n")?;
    ///     assert!(reader.read_line().await?.starts_with(b"220 "));
    ///     writer.start_tls(reader, TlsConnector::new()).server_hostname("example.org").await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn start_tls<'a>(
        &'a mut self,
        reader: &'a mut StreamReader,
        side: impl Into<TlsSide>,
    ) -> StartTls<'a> {
        StartTls::new(reader, self, side.into())
    }
}

impl Stream {
    /// As [`StreamWriter::start_tls`].
    ///
    /// ```no_run
    /// use millpond::{Stream, TlsConnector};
    ///
    /// async fn protect(stream: &mut Stream) -> std::io::Result<()> {
    ///     stream.write(b"STARTTLS\r\n")?;
    ///     assert!(stream.read_line().await?.starts_with(b"220 "));
    ///     stream.start_tls(TlsConnector::new()).server_hostname("example.org").await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn start_tls(&mut self, side: impl Into<TlsSide>) -> StartTls<'_> {
        self.writer.start_tls(&mut self.reader, side)
    }
}

/// Which side of TLS this is: that of a [`TlsConnector`] or of a [`TlsAcceptor`], which convert into
/// it.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum TlsSide {
    /// The one that begins.
    Client(TlsConnector),
    /// The one that has a certificate.
    Server(TlsAcceptor),
}

impl From<TlsConnector> for TlsSide {
    fn from(connector: TlsConnector) -> Self {
        Self::Client(connector)
    }
}

impl From<&TlsConnector> for TlsSide {
    fn from(connector: &TlsConnector) -> Self {
        Self::Client(connector.clone())
    }
}

impl From<TlsAcceptor> for TlsSide {
    fn from(acceptor: TlsAcceptor) -> Self {
        Self::Server(acceptor)
    }
}

impl From<&TlsAcceptor> for TlsSide {
    fn from(acceptor: &TlsAcceptor) -> Self {
        Self::Server(acceptor.clone())
    }
}

/// An upgrade to TLS that begins when this is awaited; made by
/// [`StreamWriter::start_tls`](crate::StreamWriter::start_tls).
///
/// # Errors
///
/// Awaiting it gives a [`TlsError`]: [`Buffered`](TlsError::Buffered) and
/// [`Config`](TlsError::Config) before anything is done, and the stream is as it was; the others end
/// the stream, and what is read or written afterwards fails with the same reason.
///
/// # Cancel safety
///
/// No stream goes on in the clear: dropped before the handshake is done, this ends it.
///
/// # Examples
///
/// See [`StreamWriter::start_tls`](crate::StreamWriter::start_tls).
#[must_use = "does nothing unless awaited"]
pub struct StartTls<'a> {
    reader: &'a mut StreamReader,
    writer: &'a mut StreamWriter,
    side: TlsSide,
    server_hostname: Option<String>,
    hand_over: bool,
}

impl<'a> StartTls<'a> {
    pub(crate) fn new(
        reader: &'a mut StreamReader,
        writer: &'a mut StreamWriter,
        side: TlsSide,
    ) -> Self {
        assert!(
            Arc::ptr_eq(reader.connection(), writer.connection()),
            "the reader and the writer are halves of different streams"
        );
        Self {
            reader,
            writer,
            side,
            server_hostname: None,
            hand_over: false,
        }
    }

    /// The name that the server's certificate must have. By default it is the host that was connected
    /// to; where there is none it must be given. It is for clients alone.
    ///
    /// `Differs from asyncio:` there the default is not to look at the name at all.
    ///
    /// ```no_run
    /// # async fn example(mut stream: millpond::Stream, tls: millpond::TlsConnector) -> std::io::Result<()> {
    /// stream.start_tls(&tls).server_hostname("mail.example.org").await?;
    /// # Ok(()) }
    /// ```
    pub fn server_hostname(mut self, name: impl Into<String>) -> Self {
        self.server_hostname = Some(name.into());
        self
    }

    /// Takes what was received and not read for the beginning of TLS, instead of refusing it: for a
    /// peer that is known not to wait, as behind a line of the PROXY protocol. It never comes out as
    /// plaintext.
    ///
    /// ```no_run
    /// # async fn example(mut stream: millpond::Stream, tls: millpond::TlsAcceptor) -> std::io::Result<()> {
    /// let proxy = stream.read_until("\r\n").await?;
    /// stream.start_tls(&tls).hand_over_buffered(true).await?;
    /// # Ok(()) }
    /// ```
    pub fn hand_over_buffered(mut self, hand_over: bool) -> Self {
        self.hand_over = hand_over;
        self
    }

    async fn start(self) -> Result<(), TlsError> {
        let connection = self.writer.connection().clone();
        let handshake = match &self.side {
            TlsSide::Server(acceptor) => acceptor.handshake()?,
            TlsSide::Client(connector) => {
                let host = connection.host();
                connector.handshake_with(self.server_hostname.as_deref().or(host))?
            }
        };
        let buffered = self.reader.buffered().len();
        if buffered > 0 && !self.hand_over {
            return Err(TlsError::Buffered { len: buffered });
        }
        let early = self.reader.take_all();
        upgrade(self.reader, self.writer, &handshake, early).await
    }
}

impl<'a> IntoFuture for StartTls<'a> {
    type Output = Result<(), TlsError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

impl fmt::Debug for StartTls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartTls")
            .field("writer", &self.writer)
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}

/// Puts TLS between the stream and its socket. Whatever goes wrong, or if this is dropped, the stream
/// ends. It has both halves, so that nothing is read or written meanwhile.
pub(crate) async fn upgrade(
    _reader: &mut StreamReader,
    writer: &mut StreamWriter,
    handshake: &Handshake,
    early: Bytes,
) -> Result<(), TlsError> {
    let connection = writer.connection().clone();
    let mut upgrade = Upgrade::new(&connection);
    let stream = |source| TlsError::Stream { source };
    let mut waiting = Waiting::new(&connection);
    poll_fn(|cx| connection.poll_flushed(&mut waiting.ticket, cx))
        .await
        .map_err(stream)?;
    let (below, ahead) = upgrade.take_socket().map_err(stream)?;
    let early = Bytes::from([&early[..], &ahead[..]].concat());
    let timeout = handshake.terms().handshake_timeout;
    let mut timer = connection.timer(timeout);
    let progress = Progress::new(&early);
    let mut shaking = pin!(handshake.run(below, early, progress.clone()));
    let mut shutdown = writer.shutdown_requested();
    let shaken = poll_fn(|cx| {
        // From elsewhere.
        if let Poll::Ready(closing) = connection.poll_closing(&mut waiting.ticket, cx) {
            return Poll::Ready(Err(closing.into()));
        }
        if let Poll::Ready(result) = shaking.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        let is_shut_down = shutdown.poll_unpin(cx).is_ready();
        if is_shut_down && connection.shutdown().ends_idle_reads() && progress.is_silent() {
            let why = "the server is shutting down";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, why)));
        }
        match &mut timer {
            Some(timer) => timer.as_mut().poll(cx).map(|()| Err(too_late(timeout))),
            None => Poll::Pending,
        }
    })
    .await;
    match shaken {
        Ok(socket) => {
            upgrade.finish(socket);
            writer.refresh();
            Ok(())
        }
        Err(error) => {
            let peer = handshake.peer(writer.extra_info().peer_addr.as_ref());
            let error = progress.explain(peer, error.into());
            if let TlsError::Handshake { source, .. } | TlsError::NeverBegan { source, .. } = &error
            {
                upgrade.fail(source.clone());
            }
            Err(error)
        }
    }
}

fn too_late(timeout: std::time::Duration) -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("timed out after the handshake_timeout of {timeout:?}"),
    )
}
