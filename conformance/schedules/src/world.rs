//! A runtime whose tasks are shuttle's, with a network in memory and a clock that stands still.

use std::{
    collections::VecDeque,
    future::pending,
    io::{self, ErrorKind},
    mem,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use millpond::{
    Address, Runtime, StreamOptions, StreamReader, StreamWriter,
    adapter::{Bound, BoxFuture, ConnectOptions, ListenOptions, Listener, Socket, Spawn},
};
use shuttle::{
    future::{JoinHandle, block_on, spawn},
    sync::{Mutex, MutexGuard},
};

use crate::{lacking::lacks, memory::connected};

pub(crate) const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 80);

/// How much is on its way in each direction.
const CAPACITY: usize = 2;

/// A stream's.
pub(crate) type Halves = (StreamReader, StreamWriter);

/// Two streams with each other, with flushers on whichever thread wakes them.
pub(crate) fn inline(options: &StreamOptions, scenario: fn(Halves, Halves)) {
    let (left, right) = options.pair(CAPACITY);
    scenario(left, right);
}

/// The same with flushers that are tasks, none of which is left behind.
pub(crate) fn in_tasks(options: &StreamOptions, scenario: fn(Halves, Halves)) {
    let world = World::new();
    let (left, right) = world.pair(options);
    scenario(left, right);
    world.finish();
}

/// Clones are the same world.
#[derive(Clone)]
pub(crate) struct World {
    began: Instant,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
    gate: Arc<Mutex<Gate>>,
}

/// The one address.
#[derive(Default)]
struct Gate {
    waiting: VecDeque<Box<dyn Socket>>,
    acceptor: Option<Waker>,
    closed: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            tasks: Arc::default(),
            gate: Arc::default(),
        }
    }

    /// Two streams with each other, whose flushers are tasks here.
    pub(crate) fn pair(&self, options: &StreamOptions) -> (Halves, Halves) {
        let (left, right) = connected(CAPACITY);
        let spawner = Arc::new(self.clone());
        (
            options.open(left, spawner.clone()),
            options.open(right, spawner),
        )
    }

    /// The same on this runtime, where small writes may be deferred.
    pub(crate) fn pair_on_runtime(
        &self,
        options: &StreamOptions,
    ) -> ((StreamReader, StreamWriter), (StreamReader, StreamWriter)) {
        let (left, right) = connected(CAPACITY);
        (
            options.open_on(left, self.runtime()),
            options.open_on(right, self.runtime()),
        )
    }

    /// The other end of a stream that was opened, if it was.
    pub(crate) fn accepted(&self) -> Halves {
        let socket = lock(&self.gate)
            .waiting
            .pop_front()
            .expect("a client has connected");
        StreamOptions::new().open(socket, Arc::new(self.clone()))
    }

    /// Late callers see the end.
    pub(crate) fn turn_away(&self) {
        let mut gate = lock(&self.gate);
        gate.closed = true;
        let waiting = mem::take(&mut gate.waiting);
        drop(gate);
        drop(waiting);
    }

    pub(crate) fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.clone())
    }

    /// Waits until the last task has ended: one that is left behind is a failure.
    pub(crate) fn finish(self) {
        loop {
            let task = lock(&self.tasks).pop();
            match task {
                Some(task) => block_on(task).expect("no task is aborted"),
                None => return,
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Spawn for World {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let task = spawn(task);
        lock(&self.tasks).push(task);
    }
}

impl Runtime for World {
    lacks! { ErrorKind::Unsupported.into(); adopt adopt_listener resolve }

    fn connect<'a>(
        &'a self,
        _: &'a Address,
        _: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async {
            let (client, server) = connected(CAPACITY);
            let mut gate = lock(&self.gate);
            if gate.closed {
                return Err(ErrorKind::ConnectionRefused.into());
            }
            gate.waiting.push_back(server);
            let acceptor = gate.acceptor.take();
            drop(gate);
            if let Some(acceptor) = acceptor {
                acceptor.wake();
            }
            Ok(client)
        })
    }

    fn bind(&self, _: &Address, _: &ListenOptions) -> io::Result<Box<dyn Bound>> {
        Ok(Box::new(self.clone()))
    }

    /// For ever: no timer makes up for a wake-up that was lost.
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(pending())
    }

    fn now(&self) -> Instant {
        self.began
    }
}

impl Bound for World {
    fn local_addr(&self) -> io::Result<Address> {
        Ok(Address::Tcp(ADDRESS))
    }

    fn listen(self: Box<Self>, _: u32) -> io::Result<Box<dyn Listener>> {
        Ok(self)
    }
}

impl Listener for World {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>> {
        let mut gate = lock(&self.gate);
        match gate.waiting.pop_front() {
            Some(socket) => Poll::Ready(Ok(socket)),
            None => {
                gate.acceptor = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn local_addr(&self) -> io::Result<Address> {
        Bound::local_addr(self)
    }
}
