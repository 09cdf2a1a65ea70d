//! A socket that makes everything take as many steps as it can.

use std::{
    io,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use millpond::{adapter::Socket, types::ExtraInfo};

use crate::data::Random;

/// One in so many calls is put off.
const HESITATION: usize = 3;

/// Gives and takes at most one byte a call. A hesitant one is also not ready now and then, for no
/// reason, and wakes at once.
pub(crate) struct Drip {
    inner: Box<dyn Socket>,
    hesitation: Option<Mutex<Random>>,
}

impl Drip {
    pub(crate) fn new(inner: Box<dyn Socket>) -> Self {
        Self {
            inner,
            hesitation: None,
        }
    }

    pub(crate) fn hesitant(inner: Box<dyn Socket>, seed: u64) -> Self {
        Self {
            inner,
            hesitation: Some(Mutex::new(Random::new(seed))),
        }
    }

    fn poll_mood(&self, cx: &Context<'_>) -> Poll<()> {
        if let Some(random) = &self.hesitation {
            let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
            if random.up_to(HESITATION) == 1 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }
}

impl Socket for Drip {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_mood(cx));
        let len = buf.len().min(1);
        self.inner.poll_read(cx, &mut buf[..len])
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_mood(cx));
        self.inner.poll_write(cx, &buf[..buf.len().min(1)])
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_mood(cx));
        self.inner.poll_close(cx)
    }

    fn abort(&self) {
        self.inner.abort();
    }

    fn can_write_eof(&self) -> bool {
        self.inner.can_write_eof()
    }

    fn extra_info(&self) -> ExtraInfo {
        self.inner.extra_info()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::IoSlice,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Wake, Waker},
    };

    use super::*;

    /// Takes whatever it is given, and gives as much as there is room for.
    struct Greedy;

    impl Socket for Greedy {
        fn poll_read(&self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            buf.fill(b'x');
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_write(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many of `calls` were answered with one byte; the others must have been put off.
    fn answered(calls: usize, mut call: impl FnMut() -> Poll<io::Result<usize>>) -> usize {
        (0..calls)
            .filter(|_| match call() {
                Poll::Ready(Ok(1)) => true,
                Poll::Pending => false,
                other => panic!("{other:?}"),
            })
            .count()
    }

    #[test]
    fn it_gives_one_byte() {
        let drip = Drip::new(Box::new(Greedy));
        let mut cx = Context::from_waker(Waker::noop());
        let mut buf = [0; 4];
        assert_eq!(answered(10, || drip.poll_read(&mut cx, &mut buf)), 10);
        assert_eq!(&buf, b"x\0\0\0");
    }

    #[test]
    fn it_takes_one_byte() {
        let drip = Drip::new(Box::new(Greedy));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(answered(10, || drip.poll_write(&mut cx, b"abc")), 10);
        let bufs = [IoSlice::new(b"abc"), IoSlice::new(b"def")];
        assert_eq!(
            answered(10, || drip.poll_write_vectored(&mut cx, &bufs)),
            10
        );
    }

    #[test]
    fn a_hesitant_one_is_put_off_in_every_direction_and_wakes_each_time() {
        let drip = Drip::hesitant(Box::new(Greedy), 1);
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        let mut cx = Context::from_waker(&waker);
        let reads = answered(100, || drip.poll_read(&mut cx, &mut [0; 4]));
        let writes = answered(100, || drip.poll_write(&mut cx, b"abc"));
        let closes = answered(100, || drip.poll_close(&mut cx).map_ok(|()| 1));
        for answered in [reads, writes, closes] {
            assert!((20..=80).contains(&answered), "{answered} of 100");
        }
        let put_off = 300 - reads - writes - closes;
        assert_eq!(wakes.0.load(Ordering::Relaxed), put_off);
    }
}
