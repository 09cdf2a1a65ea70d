//! Detached threads for what may hang: the end of the program does not wait for them.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    thread,
};

use futures_util::task::AtomicWaker;

type Job = Box<dyn FnOnce() + Send>;

/// A thread for each job, up to a number; further jobs wait for one to end.
///
/// A thread ends with its job if no other one waits, so that what is not used costs nothing.
pub(super) struct Threads {
    most: usize,
    state: Mutex<State>,
}

struct State {
    /// Invariant: at most `most`.
    running: usize,
    /// In the order in which they came. Invariant: empty while fewer than `most` threads run.
    waiting: BTreeMap<u64, Job>,
    /// The number of the next one to wait.
    next: u64,
}

impl Threads {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            state: Mutex::new(State {
                running: 0,
                waiting: BTreeMap::new(),
                next: 0,
            }),
        }
    }

    /// What comes of `work` on a thread. If this is dropped, work that waits is never begun, and of
    /// work that is under way the result is dropped.
    ///
    /// # Errors
    ///
    /// Those of the work, and if no thread can be started.
    pub(super) async fn run<T: Send + 'static>(
        &'static self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let desk = Arc::new(Desk::default());
        let wanted = Arc::downgrade(&desk);
        let _place = self.start(Box::new(move || {
            let done = catch_unwind(AssertUnwindSafe(work));
            let panicked = |_| Err(io::Error::other("the lookup panicked"));
            put(&wanted, done.unwrap_or_else(panicked));
        }))?;
        poll_fn(|cx| desk.poll_take(cx)).await
    }

    fn start(&'static self, job: Job) -> io::Result<Option<Place>> {
        let mut state = self.lock();
        if state.running == self.most {
            let number = state.next;
            state.next += 1;
            state.waiting.insert(number, job);
            return Ok(Some(Place(self, number)));
        }
        state.running += 1;
        drop(state);
        let thread = thread::Builder::new().name("millpond-lookup".to_owned());
        match thread.spawn(move || self.work(job)) {
            Ok(_) => Ok(None), // no task waits for it
            Err(error) => {
                self.lock().running -= 1;
                let why = format!("no thread can be started to look up the name: {error}");
                Err(io::Error::new(error.kind(), why))
            }
        }
    }

    /// What a thread does: its job, and those that wait when it is done.
    fn work(&self, job: Job) {
        let mut next = Some(job);
        while let Some(job) = next {
            job();
            let mut state = self.lock();
            next = state.waiting.pop_first().map(|(_, job)| job);
            state.running -= usize::from(next.is_none());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// That of a job among those that wait.
struct Place(&'static Threads, u64);

impl Drop for Place {
    fn drop(&mut self) {
        let job = self.0.lock().waiting.remove(&self.1);
        drop(job); // without the lock
    }
}

/// Where the thread puts what has come of a job.
struct Desk<T> {
    done: Mutex<Option<io::Result<T>>>,
    waiting: AtomicWaker,
}

impl<T> Default for Desk<T> {
    fn default() -> Self {
        Self {
            done: Mutex::new(None),
            waiting: AtomicWaker::new(),
        }
    }
}

impl<T> Desk<T> {
    fn poll_take(&self, cx: &Context<'_>) -> Poll<io::Result<T>> {
        self.waiting.register(cx.waker());
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.take().map_or(Poll::Pending, Poll::Ready)
    }
}

/// No task waits any more if the desk is gone.
fn put<T>(desk: &Weak<Desk<T>>, done: io::Result<T>) {
    if let Some(desk) = desk.upgrade() {
        *desk.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        desk.waiting.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::{Pin, pin},
        sync::mpsc::{self, Receiver, Sender},
        task::Waker,
    };

    use futures_lite::future::block_on;

    use super::*;

    fn threads(most: usize) -> &'static Threads {
        Box::leak(Box::new(Threads::new(most)))
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Work that reports when it has begun, and ends on a signal.
    fn work(name: u8, begun: &Sender<u8>) -> (Sender<()>, impl FnOnce() -> io::Result<u8> + use<>) {
        let (end, ended) = mpsc::channel();
        let begun = begun.clone();
        let work = move || {
            begun.send(name).unwrap();
            ended.recv().unwrap();
            Ok(name)
        };
        (end, work)
    }

    fn idle(threads: &Threads) -> bool {
        let state = threads.lock();
        state.running == 0 && state.waiting.is_empty()
    }

    fn has_not_begun(begun: &Receiver<u8>) -> bool {
        begun.try_recv() == Err(mpsc::TryRecvError::Empty)
    }

    #[test]
    fn no_more_threads_run_than_may_and_the_others_wait_for_their_turn() {
        let threads = threads(2);
        let (begin, begun) = mpsc::channel();
        let (ends, works): (Vec<_>, Vec<_>) = (0..5).map(|name| work(name, &begin)).unzip();
        let mut running: Vec<_> = works
            .into_iter()
            .map(|it| Box::pin(threads.run(it)))
            .collect();
        for run in &mut running {
            assert!(poll(run.as_mut()).is_pending());
        }
        let mut first = [begun.recv().unwrap(), begun.recv().unwrap()];
        first.sort();
        assert_eq!(first, [0, 1]);
        assert_eq!(threads.lock().running, 2);
        assert!(has_not_begun(&begun));
        ends[1].send(()).unwrap();
        assert_eq!(begun.recv().unwrap(), 2, "the first to wait");

        // A lookup that is cancelled while it waits never begins, and leaves nothing.
        drop(running.remove(3));
        assert_eq!(threads.lock().waiting.len(), 1);
        ends[0].send(()).unwrap();
        assert_eq!(begun.recv().unwrap(), 4);
        ends[2].send(()).unwrap();
        ends[4].send(()).unwrap();
        for (run, name) in running.into_iter().zip([0, 1, 2, 4]) {
            assert_eq!(block_on(run).unwrap(), name);
        }
        while !idle(threads) {
            thread::yield_now();
        }
        assert_eq!(
            block_on(threads.run(|| Ok(7))).unwrap(),
            7,
            "it starts again"
        );
    }

    #[test]
    fn a_cancelled_lookup_is_not_waited_for_and_its_thread_goes_on() {
        let threads = threads(1);
        let (begin, begun) = mpsc::channel();
        let (end, hanging) = work(0, &begin);
        {
            let mut run = pin!(threads.run(hanging));
            assert!(poll(run.as_mut()).is_pending());
            begun.recv().unwrap();
        }
        let mut next = pin!(threads.run(|| Ok(1)));
        assert!(poll(next.as_mut()).is_pending());
        end.send(()).unwrap();
        assert_eq!(block_on(next).unwrap(), 1);
    }

    #[test]
    fn a_panic_is_an_error_and_costs_no_thread() {
        let threads = threads(1);
        for _ in 0..3 {
            let run = threads.run(|| -> io::Result<()> { panic!("on purpose") });
            assert!(block_on(run).is_err());
        }
        assert_eq!(block_on(threads.run(|| Ok(1))).unwrap(), 1);
    }
}
