//! The send half as a sink of bytes.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_sink::Sink;
use millpond_core::WriteError;

use super::{Stream, StreamWriter};

/// Ready is [`drain`](StreamWriter::drain), sending [`write_bytes`](StreamWriter::write_bytes), flushing
/// [`flush`](StreamWriter::flush); closing ends this direction.
///
/// ```
/// use bytes::Bytes;
/// use futures_util::{SinkExt, StreamExt};
///
/// # futures_lite::future::block_on(async {
/// let ((_, mut writer), (mut reader, _)) = millpond::pair();
/// SinkExt::send(&mut writer, Bytes::from("one ")).await?;
/// SinkExt::send(&mut writer, Bytes::from("two")).await?;
/// SinkExt::close(&mut writer).await?;
/// assert_eq!(reader.read_to_eof().await?, "one two");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
impl Sink<Bytes> for StreamWriter {
    type Error = WriteError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.get_mut().poll_drain(cx)
    }

    fn start_send(self: Pin<&mut Self>, data: Bytes) -> Result<(), WriteError> {
        self.get_mut().write_bytes(data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.get_mut().poll_all_sent(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.get_mut().poll_end(cx)
    }
}

/// As that of [`StreamWriter`].
impl Sink<Bytes> for Stream {
    type Error = WriteError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.get_mut().writer.poll_drain(cx)
    }

    fn start_send(self: Pin<&mut Self>, data: Bytes) -> Result<(), WriteError> {
        self.get_mut().writer.write_bytes(data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.get_mut().writer.poll_all_sent(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.get_mut().writer.poll_end(cx)
    }
}
