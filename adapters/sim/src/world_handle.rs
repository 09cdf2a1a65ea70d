//! What a program in a world has in its hands.

use std::{
    cell::RefCell,
    fmt,
    io::{self, ErrorKind},
    mem::ManuallyDrop,
    net::IpAddr,
    ops::RangeInclusive,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use millpond::{
    BoxFuture, Runtime, Socket, Spawn, Stream, StreamOptions, StreamReader, StreamWriter,
};

use crate::{
    fault::{Fault, Kind},
    host::Host,
    port::File,
    socket::SimSocket,
    task::{ROOT, Ready},
    trace::{End, Event},
    world::{Afterwards, Due, State, nanos, pair},
};

thread_local! {
    /// The world whose task this thread runs, and the host that the task is on. What has [`Entered`]
    /// takes it out again: without a destructor, it is there when those of other locals run a world.
    static CURRENT: RefCell<ManuallyDrop<Option<Host>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
}

fn current() -> Option<Host> {
    CURRENT.with_borrow(|current| (**current).clone())
}

/// What belongs to one world.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) ready: Arc<Ready>,
}

impl Shared {
    pub(crate) fn new(state: State, ready: Arc<Ready>) -> Self {
        Self {
            state: Mutex::new(state),
            ready,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A program that panics in the middle of something harms only itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something under the lock, and what follows from it without.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State, &mut Afterwards) -> T) -> T {
        let mut after = Afterwards::default();
        let result = work(&mut self.lock(), &mut after);
        after.run();
        result
    }

    pub(crate) fn now(&self) -> Instant {
        epoch() + Duration::from_nanos(self.lock().now)
    }
}

/// What the time of every world begins with. Only differences of it mean anything.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// Makes a host the current one, until this is dropped.
pub(crate) struct Entered(Option<Host>);

impl Entered {
    pub(crate) fn new(host: Host) -> Self {
        let before = CURRENT.replace(ManuallyDrop::new(Some(host)));
        Self(ManuallyDrop::into_inner(before))
    }

    /// Goes on to another host of the same world.
    pub(crate) fn go_to(&self, id: u32) {
        CURRENT.with_borrow_mut(|current| {
            if let Some(host) = &mut **current {
                host.id = id;
            }
        });
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let entered = CURRENT.replace(ManuallyDrop::new(self.0.take()));
        drop(ManuallyDrop::into_inner(entered));
    }
}

/// The host that the running task is on.
#[track_caller]
pub(crate) fn current_host() -> Host {
    current().expect("this works only within `Sim::run`, on the thread that called it")
}

/// The world whose task this thread runs, if it runs one.
#[cfg(feature = "__tls")]
pub(crate) fn current_world() -> Option<Arc<Shared>> {
    current().map(|host| host.shared)
}

/// A world, from within: to look at it and to interfere.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use millpond_sim::{Sim, world};
///
/// Sim::new(1).run(async {
///     world().sleep(Duration::from_secs(3600)).await; // takes no time at all
///     assert_eq!(world().elapsed(), Duration::from_secs(3600));
/// });
/// ```
#[derive(Clone)]
pub struct World {
    pub(crate) shared: Arc<Shared>,
}

/// The world that the caller is in.
///
/// # Panics
///
/// Outside of [`Sim::run`](crate::Sim::run), and on other threads.
///
/// # Examples
///
/// See [`World`].
#[track_caller]
pub fn world() -> World {
    World {
        shared: current_host().shared,
    }
}

impl World {
    /// The runtime of the host that the caller is on, or of the first one.
    ///
    /// # Examples
    ///
    /// A function that takes a runtime takes this one:
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use millpond_sim::{OpenError, Runtime, Server, Sim, world};
    ///
    /// async fn serve(runtime: Arc<dyn Runtime>) -> Result<Server, OpenError> {
    ///     millpond::start_server(runtime, "127.0.0.1:17", async |_, mut writer| {
    ///         writer.write(b"be excellent to each other\n")
    ///     })
    ///     .await
    /// }
    ///
    /// Sim::new(1).run(async {
    ///     let server = serve(world().runtime()).await.unwrap();
    ///     assert!(server.is_serving());
    /// });
    /// ```
    pub fn runtime(&self) -> Arc<dyn Runtime> {
        self.here().runtime()
    }

    /// The host that the caller is on, or the first one.
    fn here(&self) -> Host {
        let here = current().filter(|host| Arc::ptr_eq(&host.shared, &self.shared));
        here.unwrap_or_else(|| Host::new(self.shared.clone(), 0))
    }

    /// A host, by its name.
    ///
    /// # Panics
    ///
    /// If there is none of that name: [`Sim::host`](crate::Sim::host) makes them.
    ///
    /// # Examples
    ///
    /// See [`Host`].
    #[track_caller]
    pub fn host(&self, name: &str) -> Host {
        Host::new(self.shared.clone(), self.host_id(name))
    }

    #[track_caller]
    fn host_id(&self, name: &str) -> u32 {
        let state = self.shared.lock();
        let found = state.hosts.iter().position(|host| host.name == name);
        let Some(id) = found.and_then(|id| u32::try_from(id).ok()) else {
            let hosts = state.hosts.iter().map(|host| host.name.clone());
            let hosts: Vec<_> = hosts.collect();
            drop(state);
            panic!(
                "there is no host {name:?} in this world, but {}",
                hosts.join(", ")
            );
        };
        id
    }

    /// Runs a task on the host that the caller is on, or on the first one.
    ///
    /// ```
    /// use millpond_sim::{Sim, world};
    ///
    /// Sim::new(1).run(async {
    ///     world().spawn(async { println!("in the background") });
    /// });
    /// ```
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let runtime: Arc<dyn Spawn> = self.runtime();
        runtime.spawn(Box::pin(task));
    }
}

/// Connections without a server.
impl World {
    /// Two connected streams, as a client and a server have them, with the network of this world
    /// between them. Both are on the host that the caller is on, or on the first one. They have no
    /// clock, so closing them does not linger, and has no time limit.
    ///
    /// Where no world is needed there is [`pair`](crate::pair).
    ///
    /// # Panics
    ///
    /// If the limit of the options is 0, or the low watermark above the high one.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond_sim::{Fault, Sim, StreamOptions, world};
    ///
    /// Sim::new(1).fault(Fault::reset()).run(async {
    ///     let (mut client, _server) = world().connection(&StreamOptions::new());
    ///     assert!(client.0.read(1).await.is_err());
    /// });
    /// ```
    pub fn connection(&self, options: &StreamOptions) -> (Halves, Halves) {
        let here = self.here();
        let number = self
            .shared
            .with(|state, after| state.connect_directly(here.id, after));
        let spawner: Arc<dyn Spawn> = Arc::new(here);
        let open = |side| {
            let end = End {
                connection: number,
                side,
            };
            let socket = SimSocket::new(self.shared.clone(), end);
            options.open(Box::new(socket), spawner.clone())
        };
        (open(0), open(1))
    }
}

/// Pipes.
impl World {
    /// A pipe: the stream that reads it, and the one that writes it, as
    /// [`connect_read_pipe`](millpond::connect_read_pipe()) and
    /// [`connect_write_pipe`](millpond::connect_write_pipe()) make them of the ends of a pipe of the
    /// system. It belongs to the host that the caller is on, or to the first one.
    ///
    /// It is numbered like a connection whose client writes. It takes no time and no bandwidth, holds
    /// as much as a connection's [receiving buffer](crate::Sim::buffers) and a page at least, and
    /// takes up to 4096 bytes as a whole or not at all. [Faults](Fault) that reset are ends for it:
    /// who writes finds it broken.
    ///
    /// # Panics
    ///
    /// If the limit of the options is 0, or the low watermark above the high one.
    ///
    /// # Examples
    ///
    /// What a child prints:
    ///
    /// ```
    /// use millpond_sim::{Sim, StreamOptions, world};
    ///
    /// Sim::new(1).run(async {
    ///     let (mut output, mut child) = world().pipe(&StreamOptions::new());
    ///     child.write(b"one\ntw").unwrap();
    ///     drop(child); // it was killed
    ///     assert_eq!(output.read_line().await.unwrap(), "one\n");
    ///     assert_eq!(output.read_line().await.unwrap(), "tw");
    /// });
    /// ```
    pub fn pipe(&self, options: &StreamOptions) -> (Stream, Stream) {
        let spawner: Arc<dyn Spawn> = self.runtime();
        let open = |socket| Stream::from(options.open(socket, spawner.clone()));
        let (read, write) = self.pipe_sockets();
        (open(read), open(write))
    }

    /// The ends of a [`pipe`](Self::pipe) as sockets: the one that is read, and the one that is
    /// written.
    ///
    /// ```
    /// use millpond_sim::{Sim, StreamMode, world};
    ///
    /// Sim::new(1).run(async {
    ///     let (read, write) = world().pipe_sockets();
    ///     assert_eq!((read.mode(), write.mode()), (StreamMode::Read, StreamMode::Write));
    /// });
    /// ```
    pub fn pipe_sockets(&self) -> (Box<dyn Socket>, Box<dyn Socket>) {
        let host = self.here().id;
        let number = self
            .shared
            .with(|state, after| state.make_pipe(host, after));
        let [read, write] = SimSocket::pipe(&self.shared, number);
        (Box::new(read), Box::new(write))
    }
}

type Halves = (StreamReader, StreamWriter);

/// Time.
impl World {
    /// Waits for so long, from now on, by the world's clock.
    ///
    /// # Cancel safety
    ///
    /// Yes.
    ///
    /// # Examples
    ///
    /// See [`World`].
    pub fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.runtime().sleep(duration)
    }

    /// The world's time. It has nothing to do with that of other clocks.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use millpond_sim::{Sim, world};
    ///
    /// Sim::new(1).run(async {
    ///     let then = world().now();
    ///     world().sleep(Duration::from_secs(1)).await;
    ///     assert_eq!(world().now() - then, Duration::from_secs(1));
    /// });
    /// ```
    pub fn now(&self) -> Instant {
        self.shared.now()
    }

    /// How old the world is.
    ///
    /// See [`World`] for an example.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.shared.lock().now)
    }

    /// Lets the clock jump, as when a machine was asleep: what should have happened meanwhile
    /// happens now.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use millpond_sim::{Sim, world};
    ///
    /// Sim::new(1).run(async {
    ///     world().jump(Duration::from_secs(86_400));
    ///     assert!(world().elapsed() >= Duration::from_secs(86_400));
    /// });
    /// ```
    pub fn jump(&self, duration: Duration) {
        self.shared.lock().jump(nanos(duration));
    }

    /// Does something at a time of the world, whoever waits for what.
    pub(crate) fn at(&self, time: Duration, deed: Box<dyn FnOnce(&Self) + Send>) {
        self.shared.lock().add_timer(nanos(time), Due::Call(deed));
    }
}

/// What goes wrong.
impl World {
    /// Adds a fault to the plan. If it is one of a stream, it also strikes connections that there
    /// are. One that names no connection strikes those to come, too, until [`calm`](Self::calm).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// use millpond_sim::{Fault, Sim, open_connection, start_server, world};
    ///
    /// Sim::new(1).run(async {
    ///     let server = start_server("127.0.0.1:7", async |mut reader, _writer| {
    ///         reader.read(1).await.map(drop)
    ///     });
    ///     let server = server.on_handler_error(|_| {}).await.unwrap();
    ///     let (mut reader, _writer) = open_connection(&server.sockets()[0]).await.unwrap();
    ///     world().inject(Fault::reset());
    ///     let failure = reader.read(1).await.unwrap_err();
    ///     assert_eq!(std::io::Error::from(failure).kind(), ErrorKind::ConnectionReset);
    /// });
    /// ```
    pub fn inject(&self, fault: Fault) {
        self.shared.with(|state, after| {
            state.faults.push(fault);
            let Kind::Stream(kind) = fault.kind else {
                return;
            };
            let connections = state.connections.iter();
            let struck = connections.filter(|(number, it)| fault.strikes(**number, it.target()));
            let numbers: Vec<_> = struck.map(|(number, _)| *number).collect();
            for number in numbers {
                let side = fault.direction.writer();
                state.strike_after(number, side, fault.after, kind, after);
            }
        });
    }

    /// Takes back what was planned and has not struck yet, errors of accepting included; what goes
    /// wrong by chance does so no more, either, and hosts that were cut off by chance are reached
    /// again.
    ///
    /// ```
    /// use millpond_sim::{Fault, Sim, world};
    ///
    /// Sim::new(1).fault(Fault::refuse()).run(async {
    ///     world().calm();
    /// });
    /// ```
    pub fn calm(&self) {
        self.shared.lock().calm();
    }

    /// From now on, how long something takes from one end of a TCP connection to the other, as
    /// [`Sim::latency`](crate::Sim::latency) has it. What is on its way already is not overtaken.
    ///
    /// # Panics
    ///
    /// If the second time is less than the first.
    ///
    /// # Examples
    ///
    /// A network that is slow for ten seconds:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use millpond_sim::Sim;
    ///
    /// let [fast, slow] = [1, 900].map(Duration::from_millis);
    /// let sim = Sim::new(1)
    ///     .latency(fast..=fast)
    ///     .at(Duration::from_secs(10), move |world| world.set_latency(slow..=slow))
    ///     .at(Duration::from_secs(20), move |world| world.set_latency(fast..=fast));
    /// ```
    pub fn set_latency(&self, time: RangeInclusive<Duration>) {
        self.shared.lock().settings.set_latency(&time);
    }

    /// From now on, how many bytes a second each direction of a TCP connection carries; `None` is any
    /// number.
    ///
    /// # Panics
    ///
    /// If it is 0.
    ///
    /// ```
    /// use millpond_sim::{Sim, world};
    ///
    /// Sim::new(1).run(async { world().set_bandwidth(Some(7000)) });
    /// ```
    pub fn set_bandwidth(&self, bytes_per_second: Option<u64>) {
        let mut state = self.shared.lock();
        state.settings.set_bandwidth(bytes_per_second);
    }

    /// From now on, what a name resolves to, as [`Sim::name`](crate::Sim::name) has it.
    ///
    /// ```
    /// use millpond_sim::{Sim, open_connection, start_server, world};
    ///
    /// Sim::new(1).run(async {
    ///     let _server = start_server("127.0.0.1:80", async |_, _| {}).await.unwrap();
    ///     open_connection("www:80").await.unwrap_err();
    ///     world().set_name("www", ["127.0.0.1".parse().unwrap()]);
    ///     open_connection("www:80").await.unwrap();
    /// });
    /// ```
    pub fn set_name(&self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        self.shared.lock().settings.set_name(name, addresses);
    }

    /// Lets two hosts no longer reach each other. What is on its way waits, as TCP repeats it.
    ///
    /// # Panics
    ///
    /// If there is no host of such a name, or both are the same.
    ///
    /// # Examples
    ///
    /// See [`Sim::host`](crate::Sim::host).
    #[track_caller]
    pub fn part(&self, one: &str, other: &str) {
        let (a, b) = self.pair_of_hosts(one, other);
        let mut state = self.shared.lock();
        state.note(Event::Partitioned(a, b));
        state.partitions.insert((a, b));
    }

    /// Lets two hosts reach each other again.
    ///
    /// # Panics
    ///
    /// If there is no host of such a name, or both are the same.
    ///
    /// # Examples
    ///
    /// See [`Sim::host`](crate::Sim::host).
    #[track_caller]
    pub fn heal(&self, one: &str, other: &str) {
        let (a, b) = self.pair_of_hosts(one, other);
        let mut state = self.shared.lock();
        state.note(Event::Healed(a, b));
        state.partitions.remove(&(a, b));
        state.resume();
    }

    #[track_caller]
    fn pair_of_hosts(&self, one: &str, other: &str) -> (u32, u32) {
        assert!(one != other, "nobody is parted from themselves: {one:?}");
        pair(self.host_id(one), self.host_id(other))
    }

    /// Lets the next attempts to accept a connection fail, so many at every address that is listened
    /// on now.
    ///
    /// ```
    /// use millpond_sim::{Sim, open_connection, start_server, world};
    ///
    /// Sim::new(1).run(async {
    ///     let server = start_server("127.0.0.1:7", async |_, _| {});
    ///     let server = server.on_accept_error(|_| {}).await.unwrap();
    ///     world().fail_accepts(std::io::ErrorKind::OutOfMemory, 3);
    ///     open_connection("127.0.0.1:7").await.unwrap(); // the server has recovered
    /// });
    /// ```
    pub fn fail_accepts(&self, kind: ErrorKind, times: usize) {
        self.shared
            .with(|state, after| state.fail_accepts(kind, times, after));
    }
}

/// Files, of which there are only as many as servers at paths need.
impl World {
    /// Puts a regular file at a path of the host that the caller is on, or of the first one, into the
    /// way of a server.
    ///
    /// ```
    /// use millpond_sim::{Sim, start_unix_server, world};
    ///
    /// Sim::new(1).run(async {
    ///     world().make_file("/run/motd.sock");
    ///     let server = start_unix_server("/run/motd.sock", async |_, _| {}).await;
    ///     assert!(server.is_err());
    /// });
    /// ```
    pub fn make_file(&self, path: impl AsRef<Path>) {
        let key = (self.here().id, path.as_ref().to_owned());
        self.shared.lock().files.insert(key, File::Regular);
    }

    /// Whether anything is at a path of the host that the caller is on, or of the first one.
    ///
    /// ```
    /// use millpond_sim::{Sim, start_unix_server, world};
    ///
    /// Sim::new(1).run(async {
    ///     let server = start_unix_server("/run/motd.sock", async |_, _| {}).await.unwrap();
    ///     assert!(world().file_exists("/run/motd.sock"));
    ///     drop(server);
    ///     assert!(!world().file_exists("/run/motd.sock"));
    /// });
    /// ```
    pub fn file_exists(&self, path: impl AsRef<Path>) -> bool {
        let key = (self.here().id, path.as_ref().to_owned());
        self.shared.lock().files.contains_key(&key)
    }
}

/// What was seen.
impl World {
    /// A number below `n`, drawn as the world draws its own, for choices of the test.
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond_sim::{Sim, world};
    ///
    /// let dice = |seed| Sim::new(seed).run(async { world().choose(6) + 1 });
    /// assert_eq!(dice(5), dice(5));
    /// ```
    pub fn choose(&self, n: usize) -> usize {
        assert!(n > 0, "there is no number below 0");
        self.shared.lock().choices.index(n)
    }

    /// How many tasks have not ended, without the one that [`Sim::run`](crate::Sim::run) was given.
    ///
    /// ```
    /// use millpond_sim::{Sim, world};
    ///
    /// Sim::new(1).run(async {
    ///     world().spawn(std::future::pending());
    ///     assert_eq!(world().tasks(), 1);
    /// });
    /// ```
    pub fn tasks(&self) -> usize {
        self.shared.lock().live_tasks().count()
    }

    /// How many ends of connections are not closed, with those that wait to be accepted.
    ///
    /// ```
    /// use millpond_sim::{Sim, world};
    ///
    /// Sim::new(1).run(async { assert_eq!(world().open_ends(), 0) });
    /// ```
    pub fn open_ends(&self) -> usize {
        self.shared.lock().open_ends().count()
    }

    /// A number made of everything that has happened until now; see
    /// [`Trace::hash`](crate::Trace::hash).
    ///
    /// ```
    /// use millpond_sim::{Sim, world};
    ///
    /// Sim::new(1).run(async { println!("{:016x}", world().trace_hash()) });
    /// ```
    pub fn trace_hash(&self) -> u64 {
        self.shared.lock().trace.hash()
    }
}

impl State {
    pub(crate) fn open_ends(&self) -> impl Iterator<Item = End> {
        let ends = self.connections.iter().flat_map(|(number, connection)| {
            [0, 1].map(|side| {
                (
                    &connection.ends[side],
                    End {
                        connection: *number,
                        side,
                    },
                )
            })
        });
        ends.filter(|(end, _)| end.is_held()).map(|(_, at)| at)
    }

    pub(crate) fn is_root_alive(&self) -> bool {
        self.tasks.get(ROOT).is_some_and(|slot| slot.alive)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("World")
            .field("now", &Duration::from_nanos(state.now))
            .field("tasks", &state.live_tasks().count())
            .field("running", &state.is_root_alive())
            .finish_non_exhaustive()
    }
}

pub(crate) fn unsupported() -> io::Error {
    io::Error::new(
        ErrorKind::Unsupported,
        "a simulated world has no sockets of the system",
    )
}
