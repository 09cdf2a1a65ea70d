//! A socket on which something happens at the worst moment.

use std::{
    io,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    thread,
};

use millpond::{adapter::Socket, types::ExtraInfo};

type Deed = Box<dyn FnOnce() + Send>;

/// Does something once, when a read has just found nothing, and has not yet returned: on a thread of its
/// own, as it would come from elsewhere.
pub(crate) struct Meddler {
    inner: Box<dyn Socket>,
    deed: Mutex<Option<Deed>>,
}

impl Meddler {
    pub(crate) fn new(inner: Box<dyn Socket>, deed: impl FnOnce() + Send + 'static) -> Self {
        Self {
            inner,
            deed: Mutex::new(Some(Box::new(deed))),
        }
    }
}

impl Socket for Meddler {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = self.inner.poll_read(cx, buf);
        if read.is_pending() {
            let deed = self
                .deed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            deed.into_iter().for_each(|deed| drop(thread::spawn(deed)));
        }
        read
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.inner.poll_write(cx, buf)
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_close(cx)
    }

    fn abort(&self) {
        self.inner.abort();
    }

    fn extra_info(&self) -> ExtraInfo {
        self.inner.extra_info()
    }
}
