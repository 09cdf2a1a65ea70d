//! Those who wait for something to change, where there can be several.

use std::{
    collections::BTreeMap,
    mem,
    task::{Context, Waker},
};

/// Each has one ticket, however often it asks, until all are woken or it leaves.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    wakers: BTreeMap<u64, Waker>,
    /// Invariant: above the number of every ticket.
    next: u64,
}

/// Who was in a list, to be woken or dropped once no lock is held: a waker may run anything.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Wakers(BTreeMap<u64, Waker>);

/// Under which somebody waits in a list, once it had to.
#[derive(Debug, Default)]
pub(crate) struct Ticket(Option<u64>);

impl Waiters {
    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    /// Returns the waker that waited with this ticket before, to be dropped once no lock is held.
    #[must_use]
    pub(crate) fn wait(&mut self, ticket: &mut Ticket, cx: &Context<'_>) -> Option<Waker> {
        let number = *ticket.0.get_or_insert(self.next);
        self.next = self.next.max(number + 1);
        match self.wakers.get_mut(&number) {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            Some(waker) => Some(mem::replace(waker, cx.waker().clone())),
            None => self.wakers.insert(number, cx.waker().clone()),
        }
    }

    /// Returns the waker that waited with this ticket, to be dropped once no lock is held.
    #[must_use]
    pub(crate) fn leave(&mut self, ticket: &mut Ticket) -> Option<Waker> {
        self.wakers.remove(&ticket.0.take()?)
    }

    pub(crate) fn take(&mut self) -> Wakers {
        Wakers(mem::take(&mut self.wakers))
    }
}

impl Wakers {
    pub(crate) fn wake(self) {
        self.0.into_values().for_each(Waker::wake);
    }
}

impl Ticket {
    /// Whether somebody has had to wait with it, and may be in the list.
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        self.0.is_some()
    }
}

/// What has such a list, under a lock.
pub(crate) trait WaitList {
    /// `work` is done under the lock.
    fn with_waiters<T>(&self, work: impl FnOnce(&mut Waiters) -> T) -> T;
}

/// A wait in the list of `list`, which is left when this is dropped.
pub(crate) struct Waiting<'a, L: WaitList> {
    list: &'a L,
    pub(crate) ticket: Ticket,
}

impl<'a, L: WaitList> Waiting<'a, L> {
    pub(crate) fn new(list: &'a L) -> Self {
        Self {
            list,
            ticket: Ticket::default(),
        }
    }
}

impl<L: WaitList> Waiting<'_, L> {
    fn leave(&mut self) {
        let waker = self.list.with_waiters(|all| all.leave(&mut self.ticket));
        drop(waker); // not under the lock
    }
}

impl<L: WaitList> Drop for Waiting<'_, L> {
    #[inline]
    fn drop(&mut self) {
        if self.ticket.is_used() {
            self.leave();
        }
    }
}
