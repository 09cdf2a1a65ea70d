//! Pipes in smol's reactor as millpond's sockets.

use std::{
    fs::File,
    io::{self, IoSlice, Read, Write},
    task::{Context, Poll},
};

use async_io::Async;
use millpond::{
    StreamMode,
    adapter::{Socket, os},
    types::ExtraInfo,
};

/// One end of a pipe.
pub(crate) struct Pipe {
    pub(crate) file: Async<File>,
    pub(crate) mode: StreamMode,
}

impl Socket for Pipe {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        os::poll_io(
            || self.file.get_ref().read(buf),
            || self.file.poll_readable(cx),
        )
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        os::poll_io(
            || self.file.get_ref().write_vectored(bufs),
            || self.file.poll_writable(cx),
        )
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // it is dropped next
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn mode(&self) -> StreamMode {
        self.mode
    }

    fn extra_info(&self) -> ExtraInfo {
        ExtraInfo::of_pipe(self.file.get_ref())
    }
}
