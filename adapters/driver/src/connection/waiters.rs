//! Tasks that wait for something to change, where there can be several.

use std::{
    collections::BTreeMap,
    mem,
    task::{Context, Waker},
};

/// Each has one ticket, however often it is polled, until all are woken or it leaves.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    wakers: BTreeMap<u64, Waker>,
    /// Invariant: above the number of every ticket.
    next: u64,
}

/// The tasks of a list, to be woken or dropped once no lock is held: a waker may run anything.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Wakers(BTreeMap<u64, Waker>);

/// The number under which a task waits in a list, once it had to.
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
    /// Whether its task has had to wait, and may be in the list.
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        self.0.is_some()
    }
}

/// What has such a list, under a lock.
pub(crate) trait WaitList {
    /// Takes the waker of `ticket` off the list. It is dropped when the lock is released.
    fn leave(&self, ticket: &mut Ticket) -> Option<Waker>;
}

impl<L: WaitList> WaitList for &L {
    fn leave(&self, ticket: &mut Ticket) -> Option<Waker> {
        L::leave(self, ticket)
    }
}

/// A wait in a list, which it leaves when it is dropped.
pub(crate) struct Waiting<L: WaitList> {
    pub(crate) list: L,
    pub(crate) ticket: Ticket,
}

impl<L: WaitList> Waiting<L> {
    pub(crate) fn new(list: L) -> Self {
        Self {
            list,
            ticket: Ticket::default(),
        }
    }
}

impl<L: WaitList> Drop for Waiting<L> {
    #[inline]
    fn drop(&mut self) {
        if self.ticket.is_used() {
            drop(self.list.leave(&mut self.ticket));
        }
    }
}
