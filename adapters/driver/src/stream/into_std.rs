//! The system's socket of a stream, back.

use std::{error::Error, fmt, io};

use bytes::Bytes;

use super::Stream;
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
    /// [`IntoStdError`] with the stream, which goes on: `WouldBlock` if something waits to be sent,
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
    #[doc(alias = "into_parts")]
    #[doc(alias = "into_inner")]
    #[expect(clippy::result_large_err, reason = "the stream is given back")]
    pub fn into_std(mut self) -> Result<(StdSocket, Bytes), IntoStdError> {
        match self.reader.connection().give_back(std_of) {
            Ok((socket, ahead)) => {
                let buffered = self.reader.take_all();
                Ok((socket, Bytes::from([&buffered[..], &ahead].concat())))
            }
            Err(reason) => Err(IntoStdError {
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

/// Why a stream has not given its socket back, and the stream, which goes on; of
/// [`Stream::into_std`]. It converts into an [`io::Error`] of the same kind.
#[derive(Debug)]
#[non_exhaustive]
pub struct IntoStdError {
    /// As it was.
    pub stream: Stream,
    /// What is in the way.
    pub reason: io::Error,
}

impl fmt::Display for IntoStdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the socket cannot be given back: {}", self.reason)
    }
}

impl Error for IntoStdError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}

/// The stream is dropped.
impl From<IntoStdError> for io::Error {
    fn from(error: IntoStdError) -> Self {
        Self::new(error.reason.kind(), error.to_string())
    }
}
