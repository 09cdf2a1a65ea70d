//! The runtime of the tests: its tasks run when the test says so, by a clock that the test moves, and
//! its network answers as the test has set it.

use std::{
    collections::{HashMap, VecDeque},
    future::{IntoFuture, poll_fn},
    io::{self, ErrorKind},
    mem,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use futures_lite::future::block_on;
use millpond::{
    Address, Runtime, Server,
    adapter::{
        Bound, BoxFuture, ConnectOptions, ListenOptions, Listener, Lookup, Socket, Spawn,
        StdListener, StdSocket, os,
    },
    types::StartServer,
};

use super::{peer::Peer, system::Listening};

/// No test needs as many.
const MAX_POLLS: usize = 100_000;

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
    executor: Executor,
    gates: HashMap<SocketAddr, Gate>,
    connecting: Option<Arc<Connect>>,
    resolving: Option<Arc<Resolve>>,
    /// What was to be connected to, in turn.
    tried: Vec<String>,
    /// The hosts whose addresses were asked for, in turn.
    resolved: Vec<String>,
    /// Attempts to connect that were dropped before their end.
    given_up: usize,
    /// Sockets that the world was to take over.
    adopted: usize,
    /// How many addresses were ever bound.
    bound: usize,
    /// The backlog of each that was listened on.
    backlogs: Vec<u32>,
}

/// What becomes of tasks.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Executor {
    /// They run while the world settles, if they were woken.
    #[default]
    Settling,
    /// Each has a thread, since other threads are waited for. Sleeping takes no time.
    Threads,
    /// They are not polled any more.
    Frozen,
    /// They are dropped.
    Ended,
}

type Connect = dyn Fn(&Address) -> Connecting + Send + Sync;
type Resolve = dyn Fn(&str) -> Resolving + Send + Sync;
pub type Connecting = BoxFuture<'static, io::Result<Box<dyn Socket>>>;
pub type Resolving = BoxFuture<'static, io::Result<Vec<SocketAddr>>>;

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

/// Whether this machine has the address: all that begin with 192.0.2.
fn is_here(address: SocketAddr) -> bool {
    matches!(address.ip(), IpAddr::V4(ip) if ip.octets()[..3] == [192, 0, 2])
}

/// Tasks and time.
impl World {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.clone())
    }

    /// A world whose tasks have threads, since others are waited for. Sleeping takes no time.
    pub fn on_threads() -> Self {
        let world = Self::default();
        world.lock().executor = Executor::Threads;
        world
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
        self.lock().executor = Executor::Frozen;
    }

    pub fn tasks(&self) -> usize {
        self.lock().tasks.len()
    }

    /// Ends the runtime: what it still has is dropped.
    pub fn end(&self) {
        let mut state = self.lock();
        state.executor = Executor::Ended;
        let tasks = mem::take(&mut state.tasks);
        drop(state);
        for task in tasks {
            drop(task.future.lock().unwrap().take());
        }
    }

    /// Wakes every task, as a runtime may, and settles.
    pub fn wake_all(&self) {
        let tasks = self.lock().tasks.clone();
        tasks.into_iter().for_each(Task::wake);
        self.settle();
    }

    /// Polls tasks until none is woken.
    pub fn settle(&self) {
        let mut rounds = 0;
        while self.lock().executor == Executor::Settling {
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

    /// Lets time go by until the next sleeper's is over. Returns whether there was one.
    pub fn go_on(&self) -> bool {
        let next = self.next_deadline();
        next.inspect(|next| self.go_to(*next)).is_some()
    }

    /// Whether a sleep has not ended.
    pub fn is_asleep(&self) -> bool {
        self.next_deadline().is_some()
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
            assert!(self.go_on(), "something is waited for that never comes");
        }
    }

    /// Polls `future` until neither it nor a task goes on.
    pub fn poll<F: Future + ?Sized>(&self, mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let bell = Arc::new(super::Alarm::default());
        let waker = Waker::from(bell.clone());
        for _ in 0..MAX_POLLS {
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
        panic!("it wakes itself for ever");
    }
}

/// The network.
impl World {
    pub fn serve(&self, starting: StartServer) -> Server {
        let server = block_on(starting.into_future()).unwrap();
        self.settle();
        server
    }

    /// What connecting does from now on.
    pub fn on_connect(&self, connect: impl Fn(&Address) -> Connecting + Send + Sync + 'static) {
        self.lock().connecting = Some(Arc::new(connect));
    }

    /// Which addresses a host has from now on.
    pub fn on_resolve(&self, resolve: impl Fn(&str) -> Resolving + Send + Sync + 'static) {
        self.lock().resolving = Some(Arc::new(resolve));
    }

    /// The runtime, whose next connection is this socket, and then there is none.
    pub fn connecting_to(&self, socket: Box<dyn Socket>) -> Arc<dyn Runtime> {
        let socket = Mutex::new(Some(socket));
        self.on_connect(move |_| {
            let socket = socket.lock().unwrap().take();
            Box::pin(async { socket.ok_or_else(|| ErrorKind::Unsupported.into()) })
        });
        self.runtime()
    }

    /// What was to be connected to, in turn.
    pub fn tried(&self) -> Vec<String> {
        self.lock().tried.clone()
    }

    /// The hosts whose addresses were asked for, in turn.
    pub fn resolved(&self) -> Vec<String> {
        self.lock().resolved.clone()
    }

    /// How many attempts to connect were dropped before their end.
    pub fn given_up(&self) -> usize {
        self.lock().given_up
    }

    /// How many sockets the world was to take over.
    pub fn adopted(&self) -> usize {
        self.lock().adopted
    }

    /// A peer that connects to the first address.
    pub fn call(&self) -> Peer {
        self.call_at(address(1))
    }

    pub fn call_at(&self, address: SocketAddr) -> Peer {
        let peer = Peer::default();
        let socket = peer.socket();
        self.come(address, || Ok(socket));
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
        match state.executor {
            Executor::Settling | Executor::Frozen => state.tasks.push(Arc::new(Task {
                future: Mutex::new(Some(task)),
                woken: AtomicBool::new(true),
            })),
            Executor::Threads => drop(thread::spawn(|| block_on(task))),
            Executor::Ended => {}
        }
    }
}

impl Runtime for World {
    fn connect<'a>(
        &'a self,
        address: &'a Address,
        _: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        let mut state = self.lock();
        state.tried.push(address.to_string());
        let connect = state.connecting.clone();
        drop(state);
        let Some(connect) = connect else {
            return Box::pin(async { Err(ErrorKind::Unsupported.into()) });
        };
        let connecting = connect(address);
        let attempt = Attempt(Some(self));
        Box::pin(async {
            let outcome = connecting.await;
            attempt.end();
            outcome
        })
    }

    /// A path is the system's.
    fn bind(&self, address: &Address, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
        match address.tcp() {
            Some(address) if is_here(address) => {
                self.lock().bound += 1;
                Ok(Box::new(At(self.clone(), address)))
            }
            Some(_) => Err(ErrorKind::AddrNotAvailable.into()),
            None => os::bind(self.runtime(), address, options),
        }
    }

    fn adopt(&self, _: StdSocket) -> io::Result<Box<dyn Socket>> {
        self.lock().adopted += 1;
        Err(ErrorKind::Unsupported.into())
    }

    fn adopt_listener(&self, listener: StdListener) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(Listening::new(listener)?))
    }

    fn resolve<'a>(&'a self, lookup: &'a Lookup) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let host = lookup.host.clone().unwrap_or_default();
        let mut state = self.lock();
        state.resolved.push(host.clone());
        let resolve = state.resolving.clone();
        drop(state);
        match resolve {
            Some(resolve) => resolve(&host),
            None => Box::pin(async { Err(ErrorKind::Unsupported.into()) }),
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let world = self.clone();
        let mut state = self.lock();
        state.slept.push(duration);
        let until = state.now + duration;
        if state.executor == Executor::Threads {
            state.now = until;
        }
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

/// Counts what is dropped before its end.
struct Attempt<'a>(Option<&'a World>);

impl Attempt<'_> {
    fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(world) = self.0 {
            world.lock().given_up += 1;
        }
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
