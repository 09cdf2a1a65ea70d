//! What a stream was made of, back.

use std::{any, error::Error, fmt, io};

use bytes::Bytes;

use super::Stream;
#[cfg(feature = "tokio")]
use crate::socket::TokioIo;
use crate::socket::{Socket, StdSocket};

impl Stream {
    /// The system's socket, and what was received and not read, which comes before whatever the socket
    /// gives: for what goes on with the socket itself.
    ///
    /// The socket stays non-blocking, as the runtime has made it:
    /// [`set_nonblocking(false)`](StdSocket::set_nonblocking) makes it block.
    ///
    /// What is queued is not lost, but an error: await [`flush`](Self::flush) before.
    ///
    /// # Errors
    ///
    /// [`IntoInnerError`] with the stream, which goes on: `WouldBlock` if something waits to be sent,
    /// `Unsupported` if it is not a socket of the system, as over TLS and in memory, and that of a write
    /// if it was closed or has failed.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::io::Read;
    ///
    /// use millpond::Stream;
    ///
    /// async fn go_on_in_a_thread(mut stream: Stream) -> std::io::Result<()> {
    ///     stream.write(b"220 go ahead\r\n")?;
    ///     stream.flush().await?;
    ///     let (socket, buffered) = stream.into_std()?;
    ///     socket.set_nonblocking(false)?;
    ///     std::thread::spawn(move || {
    ///         let mut input = buffered.chain(&socket);
    ///         std::io::copy(&mut input, &mut std::io::stdout())
    ///     });
    ///     Ok(())
    /// }
    /// ```
    #[expect(clippy::result_large_err, reason = "the stream is given back")]
    pub fn into_std(self) -> Result<(StdSocket, Bytes), IntoInnerError> {
        self.give_back(std_of)
    }

    /// What the stream was made of by [`from_io`](crate::from_io) or `from_tokio`, and what was received
    /// and not read, which comes before whatever that gives.
    ///
    /// What is queued or was not flushed is not lost, but an error: await [`flush`](Self::flush) before.
    ///
    /// # Errors
    ///
    /// [`IntoInnerError`] with the stream, which goes on: `WouldBlock` if something waits to be sent,
    /// `Unsupported` if it was not made of an `S`, or if there is TLS on it, and that of a write if it was
    /// closed or has failed.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use futures_lite::io::Cursor;
    /// use millpond::{Stream, StreamOptions};
    ///
    /// /// What was read in vain is put back.
    /// fn rewound(stream: Stream) -> std::io::Result<Cursor<Vec<u8>>> {
    ///     let (mut cursor, buffered) = stream.into_io::<Cursor<Vec<u8>>>()?;
    ///     let ahead = u64::try_from(buffered.len()).unwrap();
    ///     cursor.set_position(cursor.position() - ahead);
    ///     Ok(cursor)
    /// }
    /// # let runtime = std::sync::Arc::new(|_: millpond::adapter::BoxFuture<'static, ()>| ());
    /// # let socket = millpond::types::FuturesIo::new(Cursor::new(b"one\ntwo\n".to_vec()));
    /// # let (reader, writer) = StreamOptions::new().open(Box::new(socket), runtime);
    /// # let mut stream = Stream::reunite(reader, writer).unwrap();
    /// stream.read_line().await?;
    /// assert_eq!(rewound(stream)?.position(), 4);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "into_parts")]
    #[doc(alias = "into_inner")]
    #[expect(clippy::result_large_err, reason = "the stream is given back")]
    pub fn into_io<S: 'static>(self) -> Result<(S, Bytes), IntoInnerError> {
        self.give_back(|socket| {
            let mut io = None::<S>;
            socket.give_back(&mut io);
            #[cfg(feature = "tokio")]
            if io.is_none() {
                let mut tokio = None::<TokioIo<S>>;
                socket.give_back(&mut tokio);
                io = tokio.map(|it| it.0);
            }
            io.ok_or_else(not_made_of::<S>)
        })
    }

    /// As [`into_io`](Self::into_io), for a stream that was made by [`from_halves`](crate::from_halves) or
    /// `from_tokio_halves`: what is read, what is written, and what was received and not read.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::io::{Cursor, Sink};
    /// use millpond::{Stream, error::IntoInnerError};
    ///
    /// fn rest(stream: Stream) -> Result<Vec<u8>, IntoInnerError> {
    ///     let ((input, _output), buffered) = stream.into_halves::<Cursor<Vec<u8>>, Sink>()?;
    ///     let read = usize::try_from(input.position()).unwrap();
    ///     Ok([&buffered[..], &input.into_inner()[read..]].concat())
    /// }
    /// ```
    #[expect(clippy::result_large_err, reason = "the stream is given back")]
    pub fn into_halves<R: 'static, W: 'static>(self) -> Result<((R, W), Bytes), IntoInnerError> {
        self.give_back(|socket| {
            let mut halves = None::<(R, W)>;
            socket.give_back(&mut halves);
            #[cfg(feature = "tokio")]
            if halves.is_none() {
                let mut tokio = None::<(TokioIo<R>, TokioIo<W>)>;
                socket.give_back(&mut tokio);
                halves = tokio.map(|(reader, writer)| (reader.0, writer.0));
            }
            halves.ok_or_else(not_made_of::<(R, W)>)
        })
    }

    /// What `take` makes of the socket, and what was received and not read.
    #[expect(clippy::result_large_err, reason = "the stream is given back")]
    fn give_back<T>(
        mut self,
        take: impl FnOnce(&dyn Socket) -> io::Result<T>,
    ) -> Result<(T, Bytes), IntoInnerError> {
        match self.reader.connection().give_back(take) {
            Ok((taken, ahead)) => {
                let buffered = self.reader.take_all();
                Ok((taken, Bytes::from([&buffered[..], &ahead].concat())))
            }
            Err(reason) => Err(IntoInnerError {
                stream: self,
                reason,
            }),
        }
    }
}

/// Another handle of the same socket.
fn std_of(socket: &dyn Socket) -> io::Result<StdSocket> {
    // What is below TLS is not the stream.
    let system = socket.system_socket().filter(|_| socket.is_plain());
    match system {
        Some(system) => StdSocket::try_from(system),
        None => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the stream is not that of a socket of the system alone",
        )),
    }
}

fn not_made_of<S>() -> io::Error {
    let name = any::type_name::<S>();
    let what = format!("the stream is not that of a {name} alone");
    io::Error::new(io::ErrorKind::Unsupported, what)
}

/// Why a stream has not given back what it was made of, and the stream, which goes on; of
/// [`Stream::into_std`], [`Stream::into_io`] and [`Stream::into_halves`]. It converts into an
/// [`io::Error`] of the same kind.
#[derive(Debug)]
#[non_exhaustive]
pub struct IntoInnerError {
    /// As it was.
    pub stream: Stream,
    /// What is in the way.
    pub reason: io::Error,
}

impl fmt::Display for IntoInnerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the socket cannot be given back: {}", self.reason)
    }
}

impl Error for IntoInnerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}

/// The stream is dropped.
impl From<IntoInnerError> for io::Error {
    fn from(error: IntoInnerError) -> Self {
        Self::new(error.reason.kind(), error.to_string())
    }
}
