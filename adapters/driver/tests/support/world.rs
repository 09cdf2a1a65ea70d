//! A world of its own: a runtime whose tasks run when the test says so, by a clock that the test
//! moves, and peers whose every byte the test gives and takes.

use std::{
    collections::{HashMap, VecDeque},
    future::{IntoFuture, poll_fn},
    io::{self, ErrorKind},
    mem,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use futures_lite::future::block_on;
use millpond::{
    Address, Runtime, Server,
    adapter::{Bound, BoxFuture, ConnectOptions, ListenOptions, Listener, Socket, Spawn},
    types::StartServer,
};

use super::lacking::lacks;

/// Where everything happens. Clones are the same world.
#[derive(Clone)]
pub struct World {
    began: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Since the world began.
    now: Duration,
    tasks: Vec<Arc<Task>>,
    sleepers: Vec<Sleeper>,
    /// How long each sleep was asked to be.
    slept: Vec<Duration>,
    gates: HashMap<SocketAddr, Gate>,
    /// What connecting gives, in turn.
    connections: VecDeque<Box<dyn Socket>>,
    frozen: bool,
    ended: bool,
    /// How many addresses were ever bound.
    bound: usize,
    /// The backlog of each that was listened on.
    backlogs: Vec<u32>,
}

struct Task {
    future: Mutex<Option<BoxFuture<'static, ()>>>,
    woken: AtomicBool,
}

struct Sleeper {
    until: Duration,
    awake: Arc<AtomicBool>,
    waker: Waker,
}

type Accepted = Box<dyn FnOnce() -> io::Result<Box<dyn Socket>> + Send>;

/// A listening address.
#[derive(Default)]
struct Gate {
    waiting: VecDeque<Accepted>,
    waker: Option<Waker>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
    }
}

impl Default for World {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            state: Arc::default(),
        }
    }
}

pub fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 80))
}

/// Tasks and time.
impl World {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.clone())
    }

    /// The runtime, whose next connection is this socket.
    pub fn connecting_to(&self, socket: Box<dyn Socket>) -> Arc<dyn Runtime> {
        self.lock().connections.push_back(socket);
        self.runtime()
    }

    /// Since the world began.
    pub fn time(&self) -> Duration {
        self.lock().now
    }

    pub fn slept(&self) -> Vec<Duration> {
        self.lock().slept.clone()
    }

    /// From now on tasks are not polled any more: each is as one that never waits.
    pub fn freeze(&self) {
        self.lock().frozen = true;
    }

    pub fn tasks(&self) -> usize {
        self.lock().tasks.len()
    }

    /// Ends the runtime: what it still has is dropped.
    pub fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        let tasks = mem::take(&mut state.tasks);
        drop(state);
        for task in tasks {
            drop(task.future.lock().unwrap().take());
        }
    }

    /// Polls tasks until none is woken.
    pub fn settle(&self) {
        let mut rounds = 0;
        while !self.lock().frozen {
            rounds += 1;
            assert!(rounds < 100_000, "tasks wake themselves for ever");
            let tasks = self.lock().tasks.clone();
            let woken = |task: &&Arc<Task>| task.woken.swap(false, Ordering::AcqRel);
            let woken: Vec<_> = tasks.iter().filter(woken).collect();
            if woken.is_empty() {
                break;
            }
            for task in woken {
                let mut future = task.future.lock().unwrap_or_else(PoisonError::into_inner);
                let waker = Waker::from(task.clone());
                let ended = future.as_mut().is_none_or(|future| {
                    let poll = || future.as_mut().poll(&mut Context::from_waker(&waker));
                    let poll = std::panic::AssertUnwindSafe(poll);
                    std::panic::catch_unwind(poll).map_or(true, |polled| polled.is_ready())
                });
                if ended {
                    *future = None;
                    self.lock().tasks.retain(|it| !Arc::ptr_eq(it, task));
                }
            }
        }
    }

    /// Lets so much time go by, one sleeper after the other.
    pub fn advance(&self, time: Duration) {
        let end = self.time() + time;
        self.settle();
        while let Some(next) = self.next_deadline().filter(|next| *next <= end) {
            self.go_to(next);
        }
        self.lock().now = end;
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.lock().sleepers.iter().map(|it| it.until).min()
    }

    fn go_to(&self, time: Duration) {
        let mut state = self.lock();
        state.now = state.now.max(time);
        let now = state.now;
        let all = mem::take(&mut state.sleepers);
        let (due, later): (Vec<_>, _) = all.into_iter().partition(|it| it.until <= now);
        state.sleepers = later;
        drop(state);
        for sleeper in due {
            sleeper.awake.store(true, Ordering::Release);
            sleeper.waker.wake();
        }
        self.settle();
    }

    /// Runs `future` to its end. When nothing else can happen time goes by.
    pub fn run<F: IntoFuture>(&self, future: F) -> F::Output {
        let mut future = pin!(future.into_future());
        loop {
            if let Some(output) = self.poll(future.as_mut()) {
                return output;
            }
            let next = self.next_deadline();
            self.go_to(next.expect("something is waited for that never comes"));
        }
    }

    /// Polls `future` until neither it nor a task goes on.
    pub fn poll<F: Future>(&self, mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let bell = Arc::new(super::Alarm::default());
        let waker = Waker::from(bell.clone());
        loop {
            self.settle();
            bell.reset();
            if let Poll::Ready(it) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Some(it);
            }
            self.settle();
            if !bell.has_rung() {
                return None;
            }
        }
    }
}

/// The network.
impl World {
    pub fn serve(&self, starting: StartServer) -> Server {
        let server = block_on(starting.into_future()).unwrap();
        self.settle();
        server
    }

    /// A peer that connects to the first address.
    pub fn call(&self) -> Peer {
        self.call_at(address(1))
    }

    pub fn call_at(&self, address: SocketAddr) -> Peer {
        let peer = Peer::default();
        let line = Line(peer.clone());
        self.come(address, || Ok(Box::new(line)));
        peer
    }

    /// Accepting fails once.
    pub fn fail(&self, error: impl Into<io::Error>) {
        let error = error.into();
        self.come(address(1), || Err(error));
    }

    /// What `accepted` gives comes in; it is called while it is accepted.
    pub fn come(
        &self,
        address: SocketAddr,
        accepted: impl FnOnce() -> io::Result<Box<dyn Socket>> + Send + 'static,
    ) {
        self.queue(address, accepted);
        self.settle();
    }

    pub fn queue(
        &self,
        address: SocketAddr,
        accepted: impl FnOnce() -> io::Result<Box<dyn Socket>> + Send + 'static,
    ) {
        let mut state = self.lock();
        let gate = state.gates.entry(address).or_default();
        gate.waiting.push_back(Box::new(accepted));
        let waker = gate.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// How many addresses were ever bound.
    pub fn bound(&self) -> usize {
        self.lock().bound
    }

    /// The backlog of each address that was listened on.
    pub fn backlogs(&self) -> Vec<u32> {
        self.lock().backlogs.clone()
    }

    /// How many wait to be accepted.
    pub fn waiting(&self) -> usize {
        self.lock().gates.values().map(|it| it.waiting.len()).sum()
    }
}

struct At(World, SocketAddr);

impl Listener for At {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>> {
        let mut state = self.0.lock();
        let gate = state.gates.entry(self.1).or_default();
        match gate.waiting.pop_front() {
            Some(accepted) => {
                drop(state);
                Poll::Ready(accepted())
            }
            None => {
                gate.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn local_addr(&self) -> io::Result<Address> {
        Ok(Address::from(self.1))
    }
}

/// On any port but 80 another server listens already.
impl Bound for At {
    fn local_addr(&self) -> io::Result<Address> {
        Listener::local_addr(self)
    }

    fn listen(self: Box<Self>, backlog: u32) -> io::Result<Box<dyn Listener>> {
        self.0.lock().backlogs.push(backlog);
        match self.1.port() {
            80 => Ok(self),
            _ => Err(ErrorKind::AddrInUse.into()),
        }
    }
}

impl Spawn for World {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let mut state = self.lock();
        if !state.ended {
            state.tasks.push(Arc::new(Task {
                future: Mutex::new(Some(task)),
                woken: AtomicBool::new(true),
            }));
        }
    }
}

impl Runtime for World {
    lacks! { ErrorKind::Unsupported.into(); adopt adopt_listener resolve }

    fn connect<'a>(
        &'a self,
        _: &'a Address,
        _: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        let socket = self.lock().connections.pop_front();
        Box::pin(async { socket.ok_or_else(|| ErrorKind::Unsupported.into()) })
    }

    fn bind(&self, address: &Address, _: &ListenOptions) -> io::Result<Box<dyn Bound>> {
        self.lock().bound += 1;
        Ok(Box::new(At(self.clone(), address.tcp().unwrap())))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let world = self.clone();
        let mut state = self.lock();
        state.slept.push(duration);
        let until = state.now + duration;
        drop(state);
        let awake = Arc::new(AtomicBool::new(false));
        let _forgotten = Forgotten(world.clone(), awake.clone());
        Box::pin(async move {
            let _forgotten = _forgotten;
            poll_fn(|cx| {
                if awake.load(Ordering::Acquire) || world.time() >= until {
                    return Poll::Ready(());
                }
                let mut state = world.lock();
                state
                    .sleepers
                    .retain(|sleeper| !Arc::ptr_eq(&sleeper.awake, &awake));
                state.sleepers.push(Sleeper {
                    until,
                    awake: awake.clone(),
                    waker: cx.waker().clone(),
                });
                Poll::Pending
            })
            .await;
        })
    }

    fn now(&self) -> Instant {
        self.began + self.time()
    }
}

/// A sleep that is dropped does not move the clock.
struct Forgotten(World, Arc<AtomicBool>);

impl Drop for Forgotten {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let sleepers = mem::take(&mut state.sleepers);
        let (gone, kept): (Vec<_>, _) = sleepers
            .into_iter()
            .partition(|sleeper| Arc::ptr_eq(&sleeper.awake, &self.1));
        state.sleepers = kept;
        drop(state);
        drop(gone);
    }
}

/// The other end of a connection.
#[derive(Clone, Default)]
pub struct Peer(Arc<Both>);

#[derive(Default)]
struct Both {
    wire: Mutex<Wire>,
    /// How often the server's end was dropped.
    released: AtomicUsize,
    aborted: AtomicBool,
}

#[derive(Default)]
struct Wire {
    sent: VecDeque<u8>,
    ended: bool,
    failed: Option<ErrorKind>,
    received: Vec<u8>,
    received_end: bool,
    /// How much more the peer takes; `None` if it takes everything.
    room: Option<usize>,
    wakers: Vec<Waker>,
}

impl Peer {
    fn change(&self, change: impl FnOnce(&mut Wire)) {
        let mut wire = self.0.wire.lock().unwrap();
        change(&mut wire);
        let wakers = mem::take(&mut wire.wakers);
        drop(wire);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub fn send(&self, data: &[u8]) {
        self.change(|wire| wire.sent.extend(data));
    }

    pub fn end(&self) {
        self.change(|wire| wire.ended = true);
    }

    /// What is read and written from now on fails so.
    pub fn fail(&self, kind: ErrorKind) {
        self.change(|wire| wire.failed = Some(kind));
    }

    /// Takes so many bytes, and then no more.
    pub fn take(&self, n: usize) {
        self.change(|wire| wire.room = Some(n));
    }

    pub fn received(&self) -> Vec<u8> {
        self.0.wire.lock().unwrap().received.clone()
    }

    /// Whether the server has ended its direction.
    pub fn received_end(&self) -> bool {
        self.0.wire.lock().unwrap().received_end
    }

    pub fn was_reset(&self) -> bool {
        self.0.aborted.load(Ordering::Acquire)
    }

    /// Whether the server has let go of its socket.
    pub fn is_released(&self) -> bool {
        self.0.released.load(Ordering::Acquire) == 1
    }

    /// A socket for the server, to be given to [`World::come`].
    pub fn socket(&self) -> Box<dyn Socket> {
        Box::new(Line(self.clone()))
    }
}

struct Line(Peer);

impl Socket for Line {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.0.0.wire.lock().unwrap();
        if let Some(kind) = wire.failed {
            return Poll::Ready(Err(kind.into()));
        }
        if wire.sent.is_empty() && !wire.ended {
            wire.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        let n = wire.sent.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(wire.sent.drain(..n)) {
            *to = from;
        }
        Poll::Ready(Ok(n))
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.0.0.wire.lock().unwrap();
        if let Some(kind) = wire.failed {
            return Poll::Ready(Err(kind.into()));
        }
        let n = wire.room.map_or(buf.len(), |room| room.min(buf.len()));
        if n == 0 {
            wire.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        wire.room = wire.room.map(|room| room - n);
        wire.received.extend(&buf[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.0.wire.lock().unwrap().received_end = true;
        Poll::Ready(Ok(()))
    }

    fn abort(&self) {
        self.0.0.aborted.store(true, Ordering::Release);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.0.released.fetch_add(1, Ordering::AcqRel);
    }
}
