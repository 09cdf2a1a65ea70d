//! A world, as a program in it holds it.

use std::{
    fmt,
    io::ErrorKind,
    net::IpAddr,
    ops::RangeInclusive,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use millpond::{
    Runtime, Stream, StreamOptions, StreamReader, StreamWriter,
    adapter::{BoxFuture, Socket, Spawn},
};

use crate::{
    fault::Fault,
    host::{
        current::{current, current_host},
        host::Host,
        socket::SimSocket,
    },
    struck::Cause,
    tape::Subject,
    time::nanos,
    trace::event::End,
    world::{backlog::File, flight::pair, shared::Shared},
};

/// A world, from within: to look at it and to change it.
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
        self.here().spawn(task);
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
        let number = self.shared.lock().connect_directly(here.id);
        let spawner: Arc<dyn Spawn> = Arc::new(here);
        let open = |end| {
            let socket = SimSocket::new(self.shared.clone(), end);
            options.open(Box::new(socket), spawner.clone())
        };
        (open(End::client(number)), open(End::server(number)))
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
    /// takes up to 4096 bytes as a whole or not at all. [Faults](Fault) that reset end it: the writer
    /// gets a broken pipe.
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
        let spawner: Arc<dyn Spawn> = Arc::new(self.here());
        let open = |socket| {
            let (reader, writer) = options.open(socket, spawner.clone());
            Stream::reunite(reader, writer).expect("both are halves of one stream")
        };
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
        let number = self.shared.lock().make_pipe(host);
        let [read, write] = SimSocket::pipe(&self.shared, number);
        (Box::new(read), Box::new(write))
    }
}

type Halves = (StreamReader, StreamWriter);

/// Time.
impl World {
    /// Waits for this long, by the world's clock.
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
        Duration::from_nanos(self.shared.lock().clock.now)
    }

    /// Lets the clock jump, as when a machine was suspended: what was due meanwhile happens now.
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
        let mut state = self.shared.lock();
        state.jump(nanos(duration), Cause::Program);
    }
}

/// Faults, and the network.
impl World {
    /// Adds a fault to the plan. A fault of a stream also applies to the connections that are there.
    /// One that names no connection applies to those to come, too, until
    /// [`stop_faults`](Self::stop_faults).
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
        self.shared.lock().inject(fault);
    }

    /// Stops all faults: those that are planned and have not happened yet, errors of accepting
    /// included, and random ones. Hosts that chance has partitioned reach each other again.
    ///
    /// ```
    /// use millpond_sim::{Fault, Sim, world};
    ///
    /// Sim::new(1).fault(Fault::refuse()).run(async {
    ///     world().stop_faults();
    /// });
    /// ```
    pub fn stop_faults(&self) {
        self.shared.lock().stop_faults();
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

    /// Cuts the network between two hosts. What is on its way waits, as TCP sends it again.
    ///
    /// # Panics
    ///
    /// If there is no host of such a name, or both are the same.
    ///
    /// # Examples
    ///
    /// See [`Sim::host`](crate::Sim::host).
    #[track_caller]
    pub fn partition(&self, one: &str, other: &str) {
        let hosts = self.pair_of_hosts(one, other);
        self.shared.lock().partition(hosts);
    }

    /// Cuts the network from one host to another, but not the way back. What is on its way waits, as TCP
    /// sends it again; [`heal`](Self::heal) ends it.
    ///
    /// # Panics
    ///
    /// If there is no host of such a name, or both are the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use millpond_sim::{Sim, StreamReader, StreamWriter, open_connection, timeout, world};
    ///
    /// let sim = Sim::new(1)
    ///     .host("localhost", ["10.0.0.1".parse().unwrap()])
    ///     .host("shop", ["10.0.0.80".parse().unwrap()]);
    /// sim.run(async {
    ///     let shop = world().host("shop").runtime();
    ///     let serve = async |mut reader: StreamReader, mut writer: StreamWriter| {
    ///         writer.write(&reader.read_line().await?)?;
    ///         Ok::<_, std::io::Error>(())
    ///     };
    ///     let _server = millpond::start_server(shop, ":80", serve).await.unwrap();
    ///     let (mut reader, mut writer) = open_connection("shop:80").await.unwrap();
    ///     world().partition_one_way("shop", "localhost");
    ///     writer.write(b"hello\n").unwrap(); // it gets there, and the answer does not come back
    ///     let answer = timeout(Duration::from_secs(60), reader.read_line()).await;
    ///     assert!(answer.is_err());
    ///     world().heal("localhost", "shop");
    ///     assert_eq!(reader.read_line().await.unwrap(), "hello\n");
    /// });
    /// ```
    #[track_caller]
    pub fn partition_one_way(&self, from: &str, to: &str) {
        self.pair_of_hosts(from, to); // which are two
        let (from, to) = (self.host_id(from), self.host_id(to));
        self.shared.lock().partition_one_way(from, to);
    }

    /// Ends a partition: the two hosts reach each other again.
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
        let hosts = self.pair_of_hosts(one, other);
        self.shared.lock().heal(hosts);
    }

    #[track_caller]
    fn pair_of_hosts(&self, one: &str, other: &str) -> (u32, u32) {
        assert!(
            one != other,
            "a host cannot be partitioned from itself: {one:?}"
        );
        pair(self.host_id(one), self.host_id(other))
    }

    /// Lets the next attempts to accept a connection fail, this many at each address on which a server
    /// listens now.
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
        self.shared.lock().fail_accepts(kind, times);
    }
}

/// Files, as far as servers at paths need them.
impl World {
    /// Makes a regular file at a path of the host that the caller is on, or of the first one, where no
    /// server can listen then.
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

/// Looking at the world.
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
        self.shared.lock().choices.index(Subject::Program, n)
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
        self.shared.lock().watched.trace().hash()
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("World")
            .field("now", &Duration::from_nanos(state.clock.now))
            .field("tasks", &state.live_tasks().count())
            .field("running", &state.is_root_alive())
            .finish_non_exhaustive()
    }
}
