//! What is deferred until the lock is released.

use std::task::Waker;

/// Wakers to be woken, and dropped, without the lock: they may run anything. Dropping it does so.
#[derive(Default)]
pub(crate) struct Deferred {
    wake: [Option<Waker>; 2],
    more: Vec<Waker>,
    dropped: Option<Waker>,
}

impl Deferred {
    pub(super) fn is_empty(&self) -> bool {
        // The others are used when the first place is taken.
        self.wake[0].is_none() && self.dropped.is_none()
    }

    pub(super) fn wake(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        match self.wake.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(waker),
            None => self.more.push(waker),
        }
    }

    /// Registers the waker of a task that waits, in place of the last one.
    pub(super) fn register(&mut self, place: &mut Option<Waker>, waker: &Waker) {
        match place {
            Some(old) if old.will_wake(waker) => {}
            _ => self.dropped = place.replace(waker.clone()),
        }
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        let first = self.wake.iter_mut().filter_map(Option::take);
        first.chain(self.more.drain(..)).for_each(Waker::wake);
    }
}
