//! Streams over whatever can be read and written.

use std::sync::Arc;

use futures_io::{AsyncRead, AsyncWrite};

use super::{Stream, StreamOptions};
#[cfg(feature = "tokio")]
use crate::socket::TokioIo;
use crate::{
    runtime::Runtime,
    socket::{FuturesIo, Halves, Socket},
};

/// A stream over any futures-io stream: a channel of SSH, a WebSocket, one of another library.
///
/// Both directions poll the one object, so there is a lock around it, which is held during a poll. It has
/// no reset: after [`abort`](Stream::abort) it is dropped, and what the peer sees of that is its own
/// matter. Where reading and writing are two objects, see [`from_halves`].
///
/// The adapters have a function of the same name that knows its runtime. With other options:
/// [`StreamOptions::from_io`].
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use futures_lite::io::Cursor;
/// use millpond::Runtime;
///
/// async fn second_line(runtime: Arc<dyn Runtime>) -> std::io::Result<millpond::Bytes> {
///     let mut stream = millpond::from_io(runtime, Cursor::new(b"one\ntwo\n".to_vec()));
///     stream.read_line().await?;
///     Ok(stream.read_line().await?)
/// }
/// ```
pub fn from_io<S>(runtime: Arc<dyn Runtime>, io: S) -> Stream
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    StreamOptions::new().from_io(runtime, io)
}

/// A stream whose directions are two objects: a child's output and input, the halves of a QUIC stream.
///
/// Each direction has a lock of its own. It has no reset: after [`abort`](Stream::abort) both are dropped.
///
/// The adapters have a function of the same name that knows its runtime. With other options:
/// [`StreamOptions::from_halves`].
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use futures_lite::io::{Cursor, sink};
/// use millpond::{Runtime, Stream};
///
/// fn greeted(runtime: Arc<dyn Runtime>) -> Stream {
///     millpond::from_halves(runtime, Cursor::new("hello\n"), sink())
/// }
/// ```
#[doc(alias = "join")]
pub fn from_halves<R, W>(runtime: Arc<dyn Runtime>, reader: R, writer: W) -> Stream
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    StreamOptions::new().from_halves(runtime, reader, writer)
}

/// As [`from_io`], over any tokio stream.
///
/// ```
/// use std::sync::Arc;
///
/// use millpond::{Runtime, Stream};
/// use tokio::io::{AsyncRead, AsyncWrite};
///
/// fn stream(
///     runtime: Arc<dyn Runtime>,
///     io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
/// ) -> Stream {
///     millpond::from_tokio(runtime, io)
/// }
/// ```
#[cfg(feature = "tokio")]
pub fn from_tokio<S>(runtime: Arc<dyn Runtime>, io: S) -> Stream
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    from_io(runtime, TokioIo(io))
}

/// As [`from_halves`], over tokio's.
///
/// ```
/// use std::sync::Arc;
///
/// use millpond::{Runtime, Stream};
/// use tokio::io::{AsyncRead, AsyncWrite};
///
/// fn stream(
///     runtime: Arc<dyn Runtime>,
///     reader: impl AsyncRead + Send + Unpin + 'static,
///     writer: impl AsyncWrite + Send + Unpin + 'static,
/// ) -> Stream {
///     millpond::from_tokio_halves(runtime, reader, writer)
/// }
/// ```
#[cfg(feature = "tokio")]
pub fn from_tokio_halves<R, W>(runtime: Arc<dyn Runtime>, reader: R, writer: W) -> Stream
where
    R: tokio::io::AsyncRead + Send + Unpin + 'static,
    W: tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    from_halves(runtime, TokioIo(reader), TokioIo(writer))
}

/// Over whatever can be read and written.
impl StreamOptions {
    /// As [`from_io`](crate::from_io), with these options.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use millpond::{Runtime, Stream, StreamOptions};
    /// # fn example(runtime: Arc<dyn Runtime>) -> Stream {
    /// # let io = futures_lite::io::Cursor::new(Vec::new());
    /// StreamOptions::new().limit(1024).from_io(runtime, io)
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`open_on`](Self::open_on).
    pub fn from_io<S>(&self, runtime: Arc<dyn Runtime>, io: S) -> Stream
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.joined(runtime, Box::new(FuturesIo::new(io)))
    }

    /// As [`from_halves`](crate::from_halves), with these options.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use millpond::{Runtime, Stream, StreamOptions};
    /// # fn example(runtime: Arc<dyn Runtime>) -> Stream {
    /// # let (reader, writer) = (futures_lite::io::empty(), futures_lite::io::sink());
    /// StreamOptions::new().limit(1024).from_halves(runtime, reader, writer)
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`open_on`](Self::open_on).
    pub fn from_halves<R, W>(&self, runtime: Arc<dyn Runtime>, reader: R, writer: W) -> Stream
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        self.joined(runtime, Box::new(Halves::new(reader, writer)))
    }

    fn joined(&self, runtime: Arc<dyn Runtime>, socket: Box<dyn Socket>) -> Stream {
        let (reader, writer) = self.open_on(socket, runtime);
        Stream { reader, writer }
    }
}
