//! tokio's pipes as millpond's sockets.

use std::{
    io::{self, IoSlice},
    task::{Context, Poll},
};

use millpond::{
    StreamMode,
    adapter::{Socket, os},
    types::ExtraInfo,
};
use tokio::net::unix::pipe::{Receiver, Sender};

/// One end of a pipe.
pub(crate) enum Pipe {
    Receiver(Receiver),
    Sender(Sender),
}

impl Socket for Pipe {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Receiver(pipe) => os::poll_io(|| pipe.try_read(buf), || pipe.poll_read_ready(cx)),
            Self::Sender(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Receiver(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
            Self::Sender(pipe) => os::poll_io(
                || pipe.try_write_vectored(bufs),
                || pipe.poll_write_ready(cx),
            ),
        }
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // it is dropped next
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn mode(&self) -> StreamMode {
        match self {
            Self::Receiver(_) => StreamMode::Read,
            Self::Sender(_) => StreamMode::Write,
        }
    }

    fn extra_info(&self) -> ExtraInfo {
        match self {
            Self::Receiver(pipe) => ExtraInfo::of_pipe(pipe),
            Self::Sender(pipe) => ExtraInfo::of_pipe(pipe),
        }
    }
}
