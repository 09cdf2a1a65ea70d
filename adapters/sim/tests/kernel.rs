//! The same scripts on the system's sockets and on simulated ones: both sides see the same.
//!
//! `MILLPOND_SCRIPTS` sets how many scripts of each kind are run. There is no difference that is known
//! of; what is not compared is how much fits into a buffer, and how long anything takes.

#![cfg(target_os = "linux")]

#[path = "support/size.rs"]
mod size;

use std::{
    future::poll_fn,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::{fd::AsFd, unix::net::UnixStream},
    task::{Context, Poll, Waker},
};

use millpond::adapter::{ConnectOptions, ListenOptions, Socket, os::SockRef};
use millpond_sim::{Address, Runtime, Sim, world};

const SCRIPTS: u64 = 2_000;

const TRIES: usize = 3;

/// What one side can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Action {
    Write(usize),
    /// Up to this many bytes.
    Read(usize),
    End,
    Close,
    Abort,
}

/// Which side does what, in this order.
type Script = Vec<(usize, Action)>;

/// One end of a connection.
trait End {
    fn write(&mut self, data: &[u8]) -> io::Result<usize>;
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;
    fn end(&mut self) -> io::Result<()>;
    /// The next thing is that it is dropped.
    fn abort(&mut self);
}

/// A socket of the system.
struct System<S>(S);

impl<S: Read + Write + AsFd> End for System<S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.write(data)
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }

    fn end(&mut self) -> io::Result<()> {
        SockRef::from(&self.0).shutdown(Shutdown::Write)
    }

    /// A unix socket ignores it.
    fn abort(&mut self) {
        let zero = Some(std::time::Duration::ZERO);
        SockRef::from(&self.0).set_linger(zero).unwrap();
    }
}

/// An end of a pipe.
enum PipeEnd {
    Reader(os_pipe::PipeReader),
    Writer(os_pipe::PipeWriter),
}

impl End for PipeEnd {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Writer(end) => end.write(data),
            Self::Reader(_) => unreachable!("it is never written to"),
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Reader(end) => end.read(buf),
            Self::Writer(_) => unreachable!("it is never read from"),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        unreachable!("it has only one direction, and that is closed")
    }

    fn abort(&mut self) {}
}

impl End for Box<dyn Socket> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        now(|cx| self.poll_write(cx, data))
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        now(|cx| self.poll_read(cx, buf))
    }

    fn end(&mut self) -> io::Result<()> {
        now(|cx| self.poll_close(cx))
    }

    fn abort(&mut self) {
        (**self).abort();
    }
}

/// What does not happen at once would block.
fn now<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<T>>) -> io::Result<T> {
    match poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Plays a script, and writes down what each side sees.
fn play<E: End>(ends: [E; 2], script: &Script) -> Vec<String> {
    let mut ends = ends.map(Some);
    let mut next = [0_u8; 2];
    let mut seen = Vec::new();
    for (side, action) in script {
        let Some(end) = &mut ends[*side] else {
            continue; // closed
        };
        let result = match action {
            Action::Write(len) => {
                let data: Vec<u8> = (0..*len).map(|_| step(&mut next[*side])).collect();
                end.write(&data).map(|n| format!("wrote {n}"))
            }
            Action::Read(len) => {
                let mut buf = vec![0; *len];
                end.read(&mut buf).map(|n| format!("read {:?}", &buf[..n]))
            }
            Action::End => end.end().map(|()| "ended".to_owned()),
            Action::Close => {
                ends[*side] = None;
                Ok("closed".to_owned())
            }
            Action::Abort => {
                end.abort();
                ends[*side] = None;
                Ok("aborted".to_owned())
            }
        };
        let result =
            result.unwrap_or_else(|error| format!("{action:?} failed: {:?}", error.kind()));
        seen.push(format!("{side} {result}"));
    }
    seen
}

fn step(next: &mut u8) -> u8 {
    *next = next.wrapping_add(1);
    *next
}

fn system_tcp() -> [System<TcpStream>; 2] {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    for end in [&client, &server] {
        end.set_nonblocking(true).unwrap();
        end.set_nodelay(true).unwrap();
    }
    [System(client), System(server)]
}

fn system_unix() -> [System<UnixStream>; 2] {
    let (one, other) = UnixStream::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    other.set_nonblocking(true).unwrap();
    [System(one), System(other)]
}

/// The client writes.
fn system_pipe() -> [PipeEnd; 2] {
    let (reader, writer) = os_pipe::pipe().unwrap();
    SockRef::from(&reader).set_nonblocking(true).unwrap();
    SockRef::from(&writer).set_nonblocking(true).unwrap();
    [PipeEnd::Writer(writer), PipeEnd::Reader(reader)]
}

fn simulated_pipe() -> [Box<dyn Socket>; 2] {
    let (reader, writer) = world().pipe_sockets();
    [writer, reader]
}

async fn simulated(address: Address) -> [Box<dyn Socket>; 2] {
    let runtime = world().runtime();
    let bound = runtime.bind(&address, &ListenOptions::default()).unwrap();
    let listener = bound.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let options = ConnectOptions::default();
    let client = Runtime::connect(&*runtime, &address, &options).await;
    let server = poll_fn(|cx| listener.poll_accept(cx)).await;
    [client.unwrap(), server.unwrap()]
}

fn on_sim(address: &Address, script: &Script) -> Vec<String> {
    Sim::new(1).run(async { play(simulated(address.clone()).await, script) })
}

fn scripts() -> u64 {
    size::of("MILLPOND_SCRIPTS", SCRIPTS)
}

/// A random script.
fn draw(seed: u64, actions: [&[Action]; 2]) -> Script {
    Sim::new(seed).run(async {
        let len = 2 + world().choose(14);
        let action = |_| {
            let side = world().choose(2);
            (side, actions[side][world().choose(actions[side].len())])
        };
        (0..len).map(action).collect()
    })
}

/// Reads are as likely as all the rest: they are where something shows.
const ACTIONS: [Action; 11] = [
    Action::Read(1),
    Action::Read(3),
    Action::Read(100),
    Action::Read(100),
    Action::Write(0),
    Action::Write(1),
    Action::Write(5),
    Action::Write(5),
    Action::End,
    Action::Close,
    Action::Abort,
];

/// Fails if the system sees anything else than the world. The system may be late when it is busy, so
/// it may try again.
#[track_caller]
fn assert_same(script: &Script, simulated: &[String], system: impl Fn() -> Vec<String>) {
    let same = (0..TRIES).any(|_| system() == simulated);
    assert!(
        same,
        "{script:?}\nin a world: {simulated:?}\non the system: {:?}",
        system()
    );
}

/// Plays random scripts at an address of a world and on the system.
fn compare<E: End>(address: &Address, system: fn() -> [E; 2]) {
    for seed in 0..scripts() {
        let script = draw(seed, [&ACTIONS; 2]);
        assert_same(&script, &on_sim(address, &script), || {
            play(system(), &script)
        });
    }
}

#[test]
fn tcp_is_as_the_systems() {
    compare(&Address::from(([127, 0, 0, 1], 0)), system_tcp);
}

#[test]
fn unix_sockets_are_as_the_systems() {
    compare(&Address::Unix(Some("/socket".into())), system_unix);
}

#[test]
fn pipes_are_as_the_systems() {
    use Action::{Close, Read, Write};
    let writer = [Write(0), Write(1), Write(5), Write(100), Close];
    let reader = [Read(0), Read(1), Read(3), Read(100), Close];
    for seed in 0..scripts() {
        let script = draw(seed, [&writer, &reader]);
        let simulated = Sim::new(1).run(async { play(simulated_pipe(), &script) });
        assert_same(&script, &simulated, || play(system_pipe(), &script));
    }
}

/// What is at most a page comes whole or not at all, and how much that is in the end.
#[test]
fn a_full_pipe_takes_small_writes_as_a_whole_and_large_ones_in_part() {
    fn fill<E: End>([mut writer, mut reader]: [E; 2]) -> Vec<Result<usize, io::ErrorKind>> {
        let mut write = |len| writer.write(&vec![7; len]).map_err(|error| error.kind());
        let mut seen: Vec<_> = [60_000, 4096, 4096].into_iter().map(&mut write).collect();
        seen.push(reader.read(&mut [0; 2048]).map_err(|error| error.kind()));
        seen.extend([4096, 5000].into_iter().map(write));
        seen
    }
    let simulated = Sim::new(1).run(async { fill(simulated_pipe()) });
    let blocked = Err(io::ErrorKind::WouldBlock);
    assert_eq!(simulated[..3], [Ok(60_000), Ok(4096), blocked]);
    assert_eq!(simulated[4], blocked);
    // How much more of a large one fits is the system's own affair: it counts pages.
    let system = fill(system_pipe());
    assert_eq!(simulated[..5], system[..5]);
    assert!(matches!(simulated[5], Ok(1..5000)), "{simulated:?}");
}

/// How much fits differs, but not what follows from it.
fn fill_and_drain<E: End>(mut ends: [E; 2]) -> Vec<&'static str> {
    let mut seen = Vec::new();
    let block = [7; 4096];
    let mut written = 0;
    while let Ok(n) = ends[0].write(&block) {
        written += n;
    }
    let refused = ends[0].write(b"!").unwrap_err().kind();
    seen.push(if refused == io::ErrorKind::WouldBlock {
        "full"
    } else {
        "failed"
    });
    ends[0].end().unwrap();
    let mut buf = [0; 4096];
    loop {
        match ends[1].read(&mut buf) {
            Ok(0) => break seen.push("the end"),
            Ok(n) => written -= n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                std::thread::yield_now(); // the system is sending
            }
            Err(_) => break seen.push("failed"),
        }
    }
    seen.push(if written == 0 { "all" } else { "not all" });
    seen.push(match ends[1].write(b"!") {
        Ok(1) => "the other direction is open",
        _ => "failed",
    });
    seen
}

#[test]
fn a_full_buffer_refuses_and_then_everything_arrives_and_the_end() {
    let tcp = Address::from(([127, 0, 0, 1], 0));
    let unix = Address::Unix(Some("/socket".into()));
    let sim = |address| Sim::new(1).run(async { fill_and_drain(simulated(address).await) });
    assert_eq!(sim(tcp), fill_and_drain(system_tcp()));
    assert_eq!(sim(unix), fill_and_drain(system_unix()));
}

/// What is written when the reader has gone, step by step.
#[test]
fn a_close_with_unread_input_resets_and_one_without_does_not() {
    use Action::{Close, Read, Write};
    let unread = vec![(0, Write(5)), (1, Write(3)), (1, Close)];
    let tail = [
        (0, Read(100)),
        (0, Read(100)),
        (0, Read(100)),
        (0, Write(1)),
        (0, Write(1)),
    ];
    let script: Script = unread.into_iter().chain(tail).collect();
    let address = Address::from(([127, 0, 0, 1], 0));
    let seen = on_sim(&address, &script);
    assert_eq!(seen, play(system_tcp(), &script));
    assert_eq!(seen[4], "0 Read(100) failed: ConnectionReset");
    assert_eq!(seen[5], "0 read []");
    assert_eq!(seen[6], "0 Write(1) failed: BrokenPipe");
}

#[test]
fn a_port_without_a_server_refuses_and_one_in_use_cannot_be_taken() {
    let kind = |result: io::Result<()>| result.unwrap_err().kind();
    let address = Address::from(([127, 0, 0, 1], 1));
    let refused = Sim::new(1).run(async {
        let options = ConnectOptions::default();
        let connected = world()
            .runtime()
            .connect(&address, &options)
            .await
            .map(drop);
        kind(connected)
    });
    assert_eq!(refused, kind(TcpStream::connect("127.0.0.1:1").map(drop)));

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let system = kind(TcpListener::bind(taken.local_addr().unwrap()).map(drop));
    let simulated = Sim::new(1).run(async {
        let (runtime, options) = (world().runtime(), ListenOptions::default());
        let address = Address::from(([127, 0, 0, 1], 80));
        let _taken = runtime.bind(&address, &options).unwrap();
        kind(runtime.bind(&address, &options).map(drop))
    });
    assert_eq!(simulated, system);
}
