//! A world before it runs: its settings, its plan of faults, and how to run it.

use std::{fmt, net::IpAddr, ops::RangeInclusive, path::PathBuf, pin::pin, time::Duration};

use crate::{
    choice::Source,
    fault::Fault,
    host::world::World,
    run::{self, Action, Run},
    settings::Settings,
    time::nanos,
    trace::origin::Origin,
};

/// How the message of a world begins that has left something.
pub(crate) const LEFT: &str = "something is left";

/// A deterministic world that a program is to be run in.
///
/// It has one thread, a clock of its own that skips the time in which nothing happens, and a network
/// of its own. Everything that could go one way or another, such as which task runs next, is drawn
/// from a seed: the same seed gives the same world, event by event, on every machine.
///
/// By default the network is instant and does not fail. [`rough`](Self::rough) makes it as awkward as
/// a network that works may be; faults are planned ([`fault`](Self::fault)), random
/// ([`random_faults`](Self::random_faults)), or injected by the program ([`World::inject`]).
///
/// # Examples
///
/// ```
/// use millpond_sim::{Sim, open_connection, start_server};
///
/// Sim::new(1).run(async {
///     let server = start_server("127.0.0.1:7", async |mut reader, mut writer| {
///         writer.write(&reader.read_line().await.unwrap())
///     });
///     let server = server.await.unwrap();
///     let (mut reader, mut writer) = open_connection(&server.sockets()[0]).await.unwrap();
///     writer.write(b"hello\n").unwrap();
///     assert_eq!(reader.read_line().await.unwrap(), "hello\n");
/// });
/// ```
#[must_use = "does nothing unless something is run in it"]
pub struct Sim {
    origin: Origin,
    settings: Settings,
    actions: Vec<(Duration, Action)>,
}

/// Making a world, and running it.
impl Sim {
    /// The world of a seed.
    ///
    /// See [`Sim`] for an example.
    pub fn new(seed: u64) -> Self {
        Self::of(Origin::of_program(Source::Seed(seed)))
    }

    /// A world whose choices are made by some bytes, such as those of a fuzzer. When they are used
    /// up, the simplest choice is made: no fault, no delay, whole reads and writes.
    ///
    /// ```
    /// use millpond_sim::{Sim, world};
    ///
    /// fn fuzz(data: &[u8]) {
    ///     Sim::from_bytes(data).rough().run(async { /* the program */ });
    /// }
    /// fuzz(&[1, 2, 3]);
    /// ```
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::of(Origin::of_program(Source::Bytes(bytes.into())))
    }

    pub(crate) fn of(origin: Origin) -> Self {
        Self {
            origin,
            settings: Settings::new(),
            actions: Vec::new(),
        }
    }

    /// Runs a program until it ends, and drops what it has left behind.
    ///
    /// # Panics
    ///
    /// If the program or one of its tasks does, or a handler of a server. If nothing can ever happen
    /// any more: the message says which tasks wait for what. If something leaks, with
    /// [`no_leaks`](Self::no_leaks). In all cases the last events and the seed are printed.
    ///
    /// # Examples
    ///
    /// See [`Sim`].
    #[track_caller]
    pub fn run<F: Future>(self, program: F) -> F::Output {
        let no_leaks = self.settings.no_leaks;
        let run = self.record(program);
        let output = match run.output {
            Ok(output) => output,
            Err(stuck) => panic!("{stuck}"),
        };
        assert!(
            !no_leaks || run.leaks.is_empty(),
            "{LEFT}: {}",
            run.leaks.join("; ")
        );
        output
    }

    /// Like [`run`](Self::run), but returns what happened, and a world that got stuck as an error.
    ///
    /// If a panic drops the [`Run`], such as that of an assertion about it, the last events and the seed
    /// are printed as those of a failure.
    ///
    /// # Panics
    ///
    /// If the program or one of its tasks does, or a handler of a server.
    ///
    /// # Examples
    ///
    /// See [`Run`].
    pub fn record<F: Future>(self, program: F) -> Run<F::Output> {
        run::run(self.settings, self.origin, self.actions, pin!(program))
    }
}

/// The network.
impl Sim {
    /// Adds a host with a name and addresses. Every host also has the loopback addresses; the first one
    /// is called `localhost` and has no others unless it is named here.
    ///
    /// # Panics
    ///
    /// If another host has one of the addresses, or one is a loopback address.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use millpond_sim::{Sim, StreamWriter, open_connection, timeout, world};
    ///
    /// let sim = Sim::new(1)
    ///     .host("localhost", ["10.0.0.1".parse().unwrap()])
    ///     .host("shop", ["10.0.0.80".parse().unwrap()]);
    /// sim.run(async {
    ///     let shop = world().host("shop").runtime();
    ///     let serve = async |_, mut writer: StreamWriter| writer.write(b"hello");
    ///     let _server = millpond::start_server(shop, ":80", serve).await.unwrap();
    ///     let (mut reader, _writer) = open_connection("shop:80").await.unwrap();
    ///     assert_eq!(reader.read_to_eof().await.unwrap(), "hello");
    ///
    ///     world().partition("localhost", "shop");
    ///     let opening = timeout(Duration::from_secs(10), open_connection("shop:80"));
    ///     assert!(opening.await.is_err());
    ///     world().heal("localhost", "shop");
    ///     open_connection("shop:80").await.unwrap();
    /// });
    /// ```
    #[track_caller]
    pub fn host(mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let addresses: Vec<_> = addresses.into_iter().collect();
        let loopback = addresses.iter().find(|ip| ip.is_loopback());
        assert!(
            loopback.is_none(),
            "every host has the address {loopback:?}, and so it cannot be that of {name:?}"
        );
        let hosts = &mut self.settings.hosts;
        for (other, taken) in hosts.iter().filter(|(known, _)| known != name) {
            let shared = addresses.iter().find(|ip| taken.contains(ip));
            assert!(
                shared.is_none(),
                "the hosts {other:?} and {name:?} have the same address {shared:?}"
            );
        }
        match hosts.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => known.extend(addresses),
            None => hosts.push((name.to_owned(), addresses)),
        }
        self
    }

    /// What a name resolves to, in this order; with no address, it does not resolve. Names of hosts
    /// resolve to their addresses. Capital letters make no difference.
    ///
    /// ```
    /// use millpond_sim::{Fault, Sim, open_connection, start_server};
    ///
    /// let sim = Sim::new(1).name("www", ["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()]);
    /// sim.fault(Fault::black_hole().connection(1)).run(async {
    ///     let server = start_server("127.0.0.1:80", async |_, mut writer| writer.write(b"hello"));
    ///     let server = server.await.unwrap();
    ///     // The first address does not answer; a moment later the second one is tried.
    ///     let (mut reader, _writer) = open_connection("www:80").await.unwrap();
    ///     assert_eq!(reader.read_to_eof().await.unwrap(), "hello");
    /// });
    /// ```
    pub fn name(mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.settings.set_name(name, addresses);
        self
    }

    /// How long it takes to resolve a name; no time by default.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let sim = Sim::new(1).resolve_delay(std::time::Duration::from_millis(50));
    /// ```
    pub fn resolve_delay(mut self, delay: Duration) -> Self {
        self.settings.resolve_delay = delay;
        self
    }

    /// How long something takes from one end of a TCP connection to the other: each time it is drawn
    /// from this range. No time by default.
    ///
    /// # Panics
    ///
    /// If the second time is less than the first.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// use std::time::Duration;
    ///
    /// let sim = Sim::new(1).latency(Duration::from_millis(10)..=Duration::from_millis(300));
    /// ```
    #[track_caller]
    pub fn latency(mut self, time: RangeInclusive<Duration>) -> Self {
        self.settings.set_latency(&time);
        self
    }

    /// How long something takes between two hosts, either way, in place of [`latency`](Self::latency).
    ///
    /// # Panics
    ///
    /// If a host is not there yet: [`host`](Self::host) comes before. If the second time is less than the
    /// first.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// use std::time::Duration;
    ///
    /// let [near, far] = [1, 300].map(Duration::from_millis);
    /// let sim = Sim::new(1)
    ///     .host("shop", ["10.0.0.80".parse().unwrap()])
    ///     .host("moon", ["10.0.0.81".parse().unwrap()])
    ///     .latency(near..=near)
    ///     .latency_between("shop", "moon", far..=far);
    /// ```
    #[track_caller]
    pub fn latency_between(
        mut self,
        one: &str,
        other: &str,
        time: RangeInclusive<Duration>,
    ) -> Self {
        let mut hosts = [one, other].map(|name| self.id_of(name));
        hosts.sort_unstable();
        self.settings.set_latency_of((hosts[0], hosts[1]), &time);
        self
    }

    /// Lets the clock of a host go faster, by so many millionths, or slower if that is negative: what waits
    /// there wakes earlier or later, and its time is another one. A quartz drifts by up to 100.
    ///
    /// # Panics
    ///
    /// If the host is not there yet: [`host`](Self::host) comes before. If its time would stand still or go back.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use millpond_sim::{Sim, world};
    ///
    /// let fast = Sim::new(1).clock_drift("localhost", 250_000);
    /// fast.run(async {
    ///     let program = world().runtime();
    ///     let then = program.now();
    ///     program.sleep(Duration::from_secs(10)).await;
    ///     assert_eq!(program.now() - then, Duration::from_secs(10));
    ///     assert_eq!(world().elapsed(), Duration::from_secs(8));
    /// });
    /// ```
    #[track_caller]
    pub fn clock_drift(mut self, host: &str, millionths: i32) -> Self {
        assert!(millionths > -1_000_000, "time does not stand still");
        let id = self.id_of(host);
        self.settings.drifts.insert(id, millionths);
        self
    }

    #[track_caller]
    fn id_of(&self, name: &str) -> u32 {
        let mut hosts = self.settings.hosts.iter();
        let found = hosts.position(|(known, _)| known == name);
        let id = found.and_then(|id| u32::try_from(id).ok());
        id.unwrap_or_else(|| panic!("there is no host {name:?} yet"))
    }

    /// How many bytes a second each direction of a TCP connection carries; any number by default.
    ///
    /// # Panics
    ///
    /// If it is 0.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let modem = Sim::new(1).bandwidth(7000);
    /// ```
    #[track_caller]
    pub fn bandwidth(mut self, bytes_per_second: u64) -> Self {
        self.settings.set_bandwidth(Some(bytes_per_second));
        self
    }

    /// The sizes of the send and the receive buffer at each end of a connection, in bytes, unless the
    /// program sets them itself; 64 KiB each by default, and a byte at least.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let narrow = Sim::new(1).buffers(1, 1);
    /// ```
    pub fn buffers(mut self, send: usize, receive: usize) -> Self {
        self.settings.send_buffer = send;
        self.settings.receive_buffer = receive;
        self
    }
}

/// What a program has to handle on any network.
impl Sim {
    /// All that a program has to handle on any network that works: partial reads and writes, operations
    /// that are pending for no reason, and spurious wake-ups.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let sim = Sim::new(1).rough();
    /// ```
    pub fn rough(self) -> Self {
        self.partial_io(true)
            .spurious_pending(4)
            .spurious_wakeups(8)
    }

    /// Whether reads and writes do a random part of what they could, and at least a byte; `false` by
    /// default.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let sim = Sim::new(1).partial_io(true);
    /// ```
    pub fn partial_io(mut self, partial: bool) -> Self {
        self.settings.partial_io = partial;
        self
    }

    /// One in this many operations is pending for no reason, and the task is woken at once; 0, the
    /// default, is none.
    ///
    /// # Panics
    ///
    /// If it is 1: nothing would ever be done.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let sim = Sim::new(1).spurious_pending(3);
    /// ```
    #[track_caller]
    pub fn spurious_pending(mut self, one_in: u32) -> Self {
        assert!(
            one_in != 1,
            "if every operation is pending nothing is ever done"
        );
        self.settings.spurious_pending = one_in;
        self
    }

    /// Each time a task runs, once in this many times another one is woken for no reason; 0, the
    /// default, is never.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let sim = Sim::new(1).spurious_wakeups(10);
    /// ```
    pub fn spurious_wakeups(mut self, one_in: u32) -> Self {
        self.settings.spurious_wakeups = one_in;
        self
    }

    /// Whether tasks run in the order in which they were woken, instead of a random one; `false` by
    /// default.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let sim = Sim::new(1).in_order(true);
    /// ```
    pub fn in_order(mut self, in_order: bool) -> Self {
        self.settings.in_order = in_order;
        self
    }
}

/// Faults.
impl Sim {
    /// Adds a fault to the plan.
    ///
    /// See [`Fault`] for an example.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.settings.faults.push(fault);
        self
    }

    /// All that goes wrong in networks: one in this many connections is reset, ended or stalled, after
    /// up to 64 KiB or up to a minute, whatever its tasks wait for; small numbers are as likely as large ones. Of
    /// the attempts to connect half as many are refused, half as many get no answer at first (TCP asks again
    /// after a second), half as many make accepting fail, and half as many of those to another host start a
    /// partition of up to a minute. 0, the default, is none.
    ///
    /// A cut between two given bytes of a short conversation is in about one of a thousand worlds; a
    /// [`Sweep`](crate::Sweep) has each of them.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let sim = Sim::new(1).rough().random_faults(3);
    /// ```
    pub fn random_faults(mut self, one_in: u32) -> Self {
        self.settings.random_faults = one_in;
        self
    }

    /// One in this many writes to a connection has a [changed bit](Fault::flip) in one of its bytes; 0, the
    /// default, is none. It is no part of [`random_faults`](Self::random_faults): with it an answer may be
    /// wrong, unless the protocol has a checksum.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let sim = Sim::new(1).random_flips(100);
    /// ```
    pub fn random_flips(mut self, one_in: u32) -> Self {
        self.settings.random_flips = one_in;
        self
    }

    /// Of one in this many writes to a connection some of the first bytes [arrive twice](Fault::repeat); 0, the
    /// default, is none. It is no part of [`random_faults`](Self::random_faults), as flips are not.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let sim = Sim::new(1).random_repeats(100);
    /// ```
    pub fn random_repeats(mut self, one_in: u32) -> Self {
        self.settings.random_repeats = one_in;
        self
    }

    /// Lets each world have only some of all that is left to chance: of the kinds of faults, and of what a
    /// [rough](Self::rough) network does, each is there in one of two worlds. So a world has many faults of one
    /// kind, where otherwise another one would come first.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let sim = Sim::new(1).rough().random_faults(2).swarm();
    /// ```
    pub fn swarm(mut self) -> Self {
        self.settings.swarm = true;
        self
    }

    /// Each time a task runs, once in this many times the [clock jumps](World::jump) by up to this long;
    /// 0, the default, is never.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// use std::time::Duration;
    ///
    /// let laptop = Sim::new(1).random_jumps(50, Duration::from_secs(3600));
    /// ```
    pub fn random_jumps(mut self, one_in: u32, longest: Duration) -> Self {
        self.settings.random_jumps = (one_in, nanos(longest));
        self
    }

    /// Does something at a time of the world, whatever its tasks wait for. It happens on the first host.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use millpond_sim::Sim;
    ///
    /// let sim = Sim::new(1)
    ///     .host("shop", ["10.0.0.80".parse().unwrap()])
    ///     .at(Duration::from_secs(10), |world| world.partition("localhost", "shop"))
    ///     .at(Duration::from_secs(20), |world| world.heal("localhost", "shop"));
    /// ```
    pub fn at(mut self, time: Duration, action: impl FnOnce(&World) + Send + 'static) -> Self {
        self.actions.push((time, Box::new(action)));
        self
    }
}

/// What a run has to fulfil, and what is kept of it.
impl Sim {
    /// When the program has ended, goes on until nothing can happen any more, and fails if then a
    /// task has not ended or a connection is not closed.
    ///
    /// ```should_panic
    /// use millpond_sim::{Sim, world};
    ///
    /// Sim::new(1).no_leaks().run(async {
    ///     world().spawn(std::future::pending());
    /// });
    /// ```
    pub fn no_leaks(mut self) -> Self {
        self.settings.no_leaks = true;
        self
    }

    /// Lets the world go on when a handler of a server panics, as a server does everywhere. By default
    /// the world fails, so that a handler can assert something.
    ///
    /// ```
    /// use millpond_sim::{Sim, open_connection, start_server};
    ///
    /// Sim::new(1).tolerate_panics().run(async {
    ///     let server = start_server("127.0.0.1:7", async |mut reader, _writer| {
    ///         assert_eq!(reader.read(5).await.unwrap(), "hello");
    ///     });
    ///     let _server = server.on_handler_error(|_| {}).await.unwrap();
    ///     for _ in 0..2 {
    ///         let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.unwrap();
    ///         writer.write(b"howdy").unwrap(); // so it panics
    ///         assert_eq!(reader.read_to_eof().await.unwrap(), "");
    ///     }
    /// });
    /// ```
    pub fn tolerate_panics(mut self) -> Self {
        self.settings.tolerates_panics = true;
        self
    }

    /// How often tasks may be polled before the world counts as stuck; 10 million times by default.
    ///
    /// ```
    /// use millpond_sim::Sim;
    ///
    /// let run = Sim::new(1).max_polls(1000).record(std::future::poll_fn(|cx| {
    ///     cx.waker().wake_by_ref();
    ///     std::task::Poll::<()>::Pending
    /// }));
    /// assert!(run.output.is_err());
    /// ```
    pub fn max_polls(mut self, polls: u64) -> Self {
        self.settings.max_polls = polls;
        self
    }

    /// How many of the last events are kept for reports; 40 by default. `usize::MAX` keeps all.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let run = Sim::new(1).kept_events(usize::MAX).record(async { /* .. */ });
    /// println!("{}", run.trace);
    /// ```
    pub fn kept_events(mut self, events: usize) -> Self {
        self.settings.kept_events = events;
        self
    }

    /// Keeps all that happens, for [`Run::picture`]. By default only the last events are.
    ///
    /// See [`Picture`](crate::Picture) for an example.
    pub fn keep_picture(mut self) -> Self {
        self.settings.keeps_picture = true;
        self
    }

    /// When the world is over, draws it as a page in this file, whether it has failed or not. Of a
    /// [`check`](crate::check()) that fails it is the smallest world that is drawn last.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let file = directory.path().join("world.html");
    /// Sim::new(7).picture(&file).run(async { /* .. */ });
    /// assert!(file.exists());
    /// ```
    pub fn picture(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.page = Some(file.into());
        self
    }

    /// If it fails, saves all that has happened in a directory of its own within this one: a file with
    /// every event, a [page that shows them](crate::Picture), and a file for each end of a connection with
    /// what it has received, as a trace that `millpond-conformance` shows and replays. By default that is what the environment variable
    /// `MILLPOND_TRACES` names; without it nothing is saved.
    ///
    /// Under TLS what is received is ciphertext. The traces are of readers with the default limit.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let sim = Sim::new(1).save_failures_in("target/failures");
    /// ```
    pub fn save_failures_in(mut self, directory: impl Into<PathBuf>) -> Self {
        self.settings.saved = Some(directory.into());
        self
    }

    /// For programs that have threads of their own: how long to wait for them, by the real clock,
    /// before the world counts as stuck. What threads do is not determined by the seed, and the
    /// world's clock does not wait for them: while a thread works, a timeout of an hour passes at once.
    ///
    /// ```
    /// # use millpond_sim::Sim;
    /// let sim = Sim::new(1).other_threads(std::time::Duration::from_secs(10));
    /// ```
    pub fn other_threads(mut self, time: Duration) -> Self {
        self.settings.other_threads = Some(time);
        self
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("source", &self.origin.source)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
