//! Streams that are dropped by the destructors of their thread's locals.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, LocalKey},
};

use crate::{
    ask::MESSAGE,
    polling::poll_once,
    setup::{Setup, Stream},
};

type Local = &'static LocalKey<Cell<Option<Left>>>;

thread_local! {
    static ONE: Cell<Option<Left>> = const { Cell::new(None) };
    static OTHER: Cell<Option<Left>> = const { Cell::new(None) };
}

/// What is left in a thread local. A panic of the destructor of one ends the process.
struct Left {
    half: Option<Box<dyn Any>>,
    panicked: Arc<AtomicBool>,
}

impl Drop for Left {
    fn drop(&mut self) {
        let half = self.half.take();
        if catch_unwind(AssertUnwindSafe(|| drop(half))).is_err() {
            self.panicked.store(true, Ordering::Release);
        }
    }
}

/// Destructors run in the order of first use, or the other way round: so both orders are tried, of the
/// two halves, and of them and whatever else the thread has.
pub(crate) async fn a_stream_can_be_left_to_the_end_of_its_thread(mut setup: Setup) {
    for locals in [[&ONE, &OTHER], [&OTHER, &ONE]] {
        for locals_first in [false, true] {
            let (near, (mut reader, _writer)) = setup.connect().await;
            let panicked = Arc::new(AtomicBool::new(false));
            let left = panicked.clone();
            let thread = thread::spawn(move || leave(near, locals, locals_first, &left));
            thread.join().unwrap();
            assert!(!panicked.load(Ordering::Acquire));
            assert_eq!(reader.read_to_eof().await.unwrap(), MESSAGE);
        }
    }
}

/// Uses a stream and leaves its halves in `locals`.
fn leave(stream: Stream, locals: [Local; 2], locals_first: bool, panicked: &Arc<AtomicBool>) {
    let (mut reader, mut writer) = stream;
    if locals_first {
        // Destructors are registered with the first use.
        for local in locals {
            local.set(None);
        }
    }
    assert!(poll_once(reader.read_exactly(1)).is_pending());
    writer.write(MESSAGE).unwrap();
    let halves: [Box<dyn Any>; 2] = [Box::new(reader), Box::new(writer)];
    for (local, half) in locals.into_iter().zip(halves) {
        let panicked = panicked.clone();
        let half = Some(half);
        local.set(Some(Left { half, panicked }));
    }
}
