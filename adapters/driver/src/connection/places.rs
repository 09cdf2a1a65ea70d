//! The sockets of a server: how many there are, and those that only linger.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    task::Context,
};

use crate::{
    socket::Socket,
    sync::{AtomicWaker, Mutex, MutexGuard},
};

/// Every accepted connection has a place, and sockets that only linger lose theirs, the oldest
/// first, as soon as a new connection needs it.
pub(crate) struct Places {
    /// The most that may linger.
    max_lingering: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Invariant: as many as there are [`SocketPlace`]s.
    taken: usize,
    /// In the order in which they began.
    lingering: BTreeMap<u64, Arc<Lingerer>>,
    next: u64,
}

/// That of a socket, until this is dropped.
pub(crate) struct SocketPlace(Arc<Places>);

/// A socket that lingers, until it has ended, or has lost its place.
pub(crate) struct Lingerer {
    stay: Mutex<Option<Stay>>,
    /// Its task.
    task: AtomicWaker,
}

/// Invariant: the socket is dropped before its place is free.
struct Stay {
    socket: Arc<dyn Socket>,
    _place: Option<SocketPlace>,
}

/// A lingerer that can be asked to leave, until this is dropped.
pub(crate) struct Entry {
    places: Arc<Places>,
    number: u64,
}

impl Places {
    pub(crate) fn new(max_lingering: usize) -> Arc<Self> {
        Arc::new(Self {
            max_lingering,
            state: Mutex::default(),
        })
    }

    pub(crate) fn take(self: &Arc<Self>) -> SocketPlace {
        self.lock().taken += 1;
        SocketPlace(self.clone())
    }

    pub(crate) fn lingering(&self) -> usize {
        self.lock().lingering.len()
    }

    /// Takes places from lingering sockets, until there are no more than so many, or none lingers.
    pub(crate) fn make_room(&self, max: usize) {
        self.evict_while(|state| state.taken > max);
    }

    /// Takes the places of all lingering sockets. Returns whether there were any.
    pub(crate) fn evict_all(&self) -> bool {
        self.evict_while(|_| true) > 0
    }

    fn enter(self: &Arc<Self>, lingerer: &Arc<Lingerer>) -> Entry {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.lingering.insert(number, lingerer.clone());
        drop(state);
        self.evict_while(|state| state.lingering.len() > self.max_lingering);
        Entry {
            places: self.clone(),
            number,
        }
    }

    /// The oldest first. Returns how many were evicted.
    fn evict_while(&self, needed: impl Fn(&State) -> bool) -> usize {
        let mut count = 0;
        loop {
            let mut state = self.lock();
            let oldest = match needed(&state) {
                true => state.lingering.pop_first(),
                false => None,
            };
            drop(state);
            let Some((_, lingerer)) = oldest else {
                return count;
            };
            lingerer.give_up();
            count += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SocketPlace {
    fn drop(&mut self) {
        self.0.lock().taken -= 1;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let lingerer = self.places.lock().lingering.remove(&self.number);
        drop(lingerer);
    }
}

impl Lingerer {
    /// With a place it may be evicted; without one it has no limit.
    pub(crate) fn new(
        place: Option<SocketPlace>,
        socket: Arc<dyn Socket>,
    ) -> (Arc<Self>, Option<Entry>) {
        let places = place.as_ref().map(|place| place.0.clone());
        let lingerer = Arc::new(Self {
            stay: Mutex::new(Some(Stay {
                socket,
                _place: place,
            })),
            task: AtomicWaker::new(),
        });
        let entry = places.map(|places| places.enter(&lingerer));
        (lingerer, entry)
    }

    /// `None` once it was evicted. The task is woken then.
    pub(crate) fn socket(&self, cx: &Context<'_>) -> Option<Arc<dyn Socket>> {
        // Before the check, so that an eviction in between wakes.
        self.task.register(cx.waker());
        self.stay().as_ref().map(|stay| stay.socket.clone())
    }

    fn give_up(&self) {
        let stay = self.stay().take();
        drop(stay);
        self.task.wake();
    }

    fn stay(&self) -> MutexGuard<'_, Option<Stay>> {
        self.stay.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
