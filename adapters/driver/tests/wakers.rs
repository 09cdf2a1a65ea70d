//! A waker may run anything, also what uses the stream that wakes it: none is called under a lock.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Wake, Waker},
    thread,
    time::Duration,
};

use futures_lite::future::block_on;
use millpond::{StreamOptions, Transport};

/// Far more than anything here takes.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Uses every stream that it knows when it is woken.
struct Curious {
    transports: Vec<Transport>,
    woken: AtomicUsize,
}

impl Wake for Curious {
    fn wake(self: Arc<Self>) {
        for transport in &self.transports {
            let _ = transport.is_closing();
            let _ = format!("{transport:?}");
        }
        self.woken.fetch_add(1, Ordering::Relaxed);
    }
}

fn curious(transports: impl Into<Vec<Transport>>) -> (Arc<Curious>, Waker) {
    let curious = Arc::new(Curious {
        transports: transports.into(),
        woken: AtomicUsize::new(0),
    });
    (curious.clone(), Waker::from(curious))
}

/// Fails if `test` waits for itself.
fn ends(test: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let running = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    let ended = ended.recv_timeout(TIME_LIMIT);
    assert_ne!(ended, Err(mpsc::RecvTimeoutError::Timeout), "it hangs");
    running.join().unwrap();
}

#[test]
fn a_waker_of_a_pair_may_use_both_streams() {
    ends(|| {
        let ((mut reader, near), (mut far_reader, mut far)) =
            StreamOptions::new().limit(2).watermarks(0, 1).pair(2);
        let (woken, waker) = curious([near.transport(), far.transport()]);
        let cx = &mut Context::from_waker(&waker);

        // A write wakes the reader, and a task that waits for the other side to leave.
        let mut closed = near.closed();
        assert!(Pin::new(&mut closed).poll(cx).is_pending());
        assert!(pin!(reader.read(10)).poll(cx).is_pending());
        far.write(b"more than it takes").unwrap();
        assert!(woken.woken.load(Ordering::Relaxed) > 0);

        // A read wakes a drain.
        let before = woken.woken.load(Ordering::Relaxed);
        let mut drain = Box::pin(far.drain());
        assert!(drain.as_mut().poll(cx).is_pending());
        assert_eq!(
            block_on(reader.read_exactly(18)).unwrap(),
            "more than it takes"
        );
        assert!(woken.woken.load(Ordering::Relaxed) > before);
        drop(drain);

        // An end wakes all tasks.
        let before = woken.woken.load(Ordering::Relaxed);
        assert!(pin!(far_reader.read(10)).poll(cx).is_pending());
        near.transport().abort();
        assert!(woken.woken.load(Ordering::Relaxed) > before);
    });
}

#[test]
fn a_waker_of_a_feeder_may_use_the_reader() {
    ends(|| {
        let (mut feeder, mut reader) = StreamOptions::new().limit(2).fed();
        let (woken, waker) = curious([reader.transport()]);
        let cx = &mut Context::from_waker(&waker);
        feeder.feed(b"more than it takes").unwrap();
        {
            let mut drain = Box::pin(feeder.drain());
            assert!(drain.as_mut().poll(cx).is_pending());
            let read = block_on(reader.read_exactly(18)).unwrap();
            assert_eq!(read, "more than it takes");
            assert!(woken.woken.load(Ordering::Relaxed) > 0);
        }
        let before = woken.woken.load(Ordering::Relaxed);
        let mut closed = reader.closed();
        assert!(Pin::new(&mut closed).poll(cx).is_pending());
        feeder.feed_eof();
        assert!(woken.woken.load(Ordering::Relaxed) > before);
    });
}
