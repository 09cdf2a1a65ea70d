//! The streams that a server has accepted and that are not taken yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    task::{Context, Poll, Waker},
};

use crate::{
    connection::{Ticket, Waiters, Wakers},
    runtime::Budget,
    stream::Stream,
};

/// What there is for [`Server::accept`](crate::Server::accept), and who waits for it. Of a server with a
/// handler there is nothing.
#[derive(Default)]
pub(crate) struct Untaken {
    /// The clients that were accepted and are not ready yet, because of their handshake.
    coming: BTreeSet<u64>,
    /// The streams of the others.
    ready: BTreeMap<u64, Stream>,
    /// How many calls wait: from their first poll to their answer.
    calls: usize,
    /// Their tasks. Who was woken is off this list until it is polled.
    waiters: Waiters,
    /// That of all calls: each is too short for one of its own.
    budget: Budget,
    /// The accepting task waits for a call.
    holds_up: bool,
    /// What no call waits for is not kept.
    over: bool,
}

impl Untaken {
    /// Whether the accepting task shall go on: nothing is accepted that no call waits for. Those that are
    /// in their handshake do not count, so that a silent one delays no other.
    pub(crate) fn is_wanted(&mut self) -> bool {
        let wanted = self.calls > self.ready.len();
        self.holds_up = !wanted;
        wanted
    }

    pub(crate) fn expect(&mut self, client: u64) {
        self.coming.insert(client);
    }

    /// Gives the stream back if no call will take it.
    pub(crate) fn offer(&mut self, client: u64, stream: Stream) -> (Wakers, Option<Stream>) {
        self.coming.remove(&client);
        let refused = match self.is_abandoned() {
            true => Some(stream),
            false => self.ready.insert(client, stream),
        };
        (self.waiters.take(), refused)
    }

    /// The client is gone, and with it its stream if that was not taken.
    pub(crate) fn withdraw(&mut self, client: u64) -> (Wakers, Option<Stream>) {
        let stream = self.ready.remove(&client);
        let wakers = match self.coming.remove(&client) {
            true => self.waiters.take(), // it may have been the last
            false => Wakers::default(),
        };
        (wakers, stream)
    }

    /// Pending if others have to run first.
    pub(crate) fn next(&mut self) -> Poll<Option<Stream>> {
        if !self.ready.is_empty() && !self.budget.spend() {
            return Poll::Pending;
        }
        Poll::Ready(self.ready.pop_first().map(|(_, stream)| stream))
    }

    /// Whether a client may still become ready.
    pub(crate) fn is_expecting(&self) -> bool {
        !self.coming.is_empty()
    }

    /// Returns whether the accepting task has to be woken for this call, and a waker to be dropped once no
    /// lock is held.
    pub(crate) fn wait(&mut self, ticket: &mut Ticket, cx: &Context<'_>) -> (bool, Option<Waker>) {
        if !ticket.is_used() {
            self.calls += 1;
        }
        self.budget.reset();
        let before = self.waiters.wait(ticket, cx);
        (self.holds_up && self.calls > self.ready.len(), before)
    }

    /// Returns what no call will take, too.
    pub(crate) fn leave(&mut self, ticket: &mut Ticket) -> (Option<Waker>, BTreeMap<u64, Stream>) {
        if ticket.is_used() {
            self.calls -= 1;
        }
        let waker = self.waiters.leave(ticket);
        (waker, self.leftover())
    }

    /// From now on nothing is kept that no call waits for. Returns what is not.
    pub(crate) fn end(&mut self) -> BTreeMap<u64, Stream> {
        self.over = true;
        self.leftover()
    }

    pub(crate) fn wake_all(&mut self) -> Wakers {
        self.waiters.take()
    }

    fn leftover(&mut self) -> BTreeMap<u64, Stream> {
        match self.is_abandoned() {
            true => mem::take(&mut self.ready),
            false => BTreeMap::new(),
        }
    }

    fn is_abandoned(&self) -> bool {
        self.over && self.calls == 0
    }
}
