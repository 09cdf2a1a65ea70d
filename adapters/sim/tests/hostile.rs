//! Ten thousand hostile clients of a simulated server with 100 places: an honest client is served all the
//! while, and nothing is left of them. As on real sockets, 90 of the clients hold a place at any time.

use std::{
    io::{self, ErrorKind},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::{BoxFuture, join, join_all};
use millpond_sim::{
    Server, Sim, Stream, StreamReader, StreamWriter, TlsAcceptor, TlsConnector, connect,
    start_server, timeout, tls,
    types::{Connect, Family, StartServer},
    world,
};

const ADDRESS: &str = "localhost:7";

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// Between two bytes of a client that drips.
const DRIP: Duration = Duration::from_millis(200);

/// No client may wait for longer.
const TOO_LONG: Duration = Duration::from_secs(5);

/// How long an honest client may wait.
const HONEST: Duration = Duration::from_secs(3);

/// Clients that hold a place until their time is over, in all and at once, and how many come for each of
/// them that do not.
const HOLD: usize = 2_500;
const AT_ONCE: usize = 90;
const BESIDE: usize = 3;

const PLACES: usize = 100;

/// Sockets that linger at once: fewer than the attack leaves behind, so that the oldest have to go.
const LINGERING: usize = 20;

/// More than the buffers of both sides hold.
const MUCH: &[u8] = &[b'x'; 1 << 20];

#[test]
fn an_honest_client_is_served() {
    withstand(None);
}

#[test]
fn an_honest_client_is_served_over_tls() {
    withstand(Some(tls::localhost));
}

fn withstand(make_tls: Option<fn() -> (TlsConnector, TlsAcceptor)>) {
    let sim = Sim::new(1).latency(MILLI..=3 * MILLI);
    let sim = sim.no_leaks().max_polls(1_000_000_000);
    let (honest, longest) = sim.run(async move {
        let (connector, acceptor) = make_tls.map(|make| make()).unzip();
        let server = with_limits(start_server(ADDRESS, handle).family(Family::Ipv4));
        let server = match acceptor {
            Some(acceptor) => server.tls(acceptor),
            None => server,
        };
        let server = server.await.unwrap();
        let clients = Clients(connector);
        let over = AtomicBool::new(false);
        let attack = async {
            attack(&clients).await;
            over.store(true, Ordering::Release);
        };
        let ((), honest) = join(attack, ask_honestly(&clients, &server, &over)).await;
        world().sleep(TOO_LONG).await;
        assert_eq!(busy(&server), (0, 0));
        assert_eq!(world().tasks(), 1, "the accepting one");
        assert_eq!(world().open_ends(), 0);
        honest
    });
    println!("{honest} honest requests, of which the longest took {longest:?}");
    assert!(honest > 500, "{honest}");
}

fn with_limits(server: StartServer) -> StartServer {
    server
        .max_connections(PLACES)
        .max_lingering(LINGERING)
        .idle_timeout(SECOND)
        .close_timeout(SECOND)
        .backlog(1024)
        .on_handler_error(|_| {})
        .on_accept_error(|error| panic!("{error}"))
}

/// Reading a request has its time, because a client that drips is never idle. All other limits are the
/// server's.
async fn handle(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let request = timeout(SECOND, reader.read_line()).await??;
    match &request[..] {
        b"wait\n" => {
            writer.write(b"well?\n")?;
            timeout(SECOND, reader.read_to_eof()).await??;
        }
        b"much\n" => {
            writer.write(MUCH)?;
            writer.drain().await?;
        }
        b"leave\n" => writer.write(MUCH)?,
        _ => writer.write_all(&request).await?,
    }
    Ok(())
}

/// How many clients it serves, and how many sockets linger.
fn busy(server: &Server) -> (usize, usize) {
    let text = format!("{server:?}");
    let number = |name: &str| {
        let (_, behind) = text.split_once(name).unwrap();
        let digits = behind.split(|c: char| !c.is_ascii_digit()).next();
        digits.unwrap().parse().unwrap()
    };
    (number("clients: "), number("lingering: "))
}

#[derive(Clone)]
struct Clients(Option<TlsConnector>);

type Client = fn(Clients) -> BoxFuture<'static, ()>;

macro_rules! kinds {
    ($($name:ident)*) => { [$(|clients| Box::pin(clients.$name())),*] };
}

/// Those that hold a place until their time is over.
static HOLDING: [Client; 6] = kinds! {
    silent_before_its_request
    dripping_before_its_request
    silent_in_the_handler
    dripping_in_the_handler
    never_reading_in_the_handler
    never_reading_behind_the_handler
};

/// Those that do not.
static OTHERS: [Client; 9] = kinds! {
    half_closed_before_its_request
    reset_before_its_request
    broken_hello
    half_closed_in_the_handler
    reset_in_the_handler
    silent_behind_the_handler
    dripping_behind_the_handler
    half_closed_behind_the_handler
    reset_behind_the_handler
};

/// For each client that holds a place some come that do not.
async fn attack(clients: &Clients) {
    let started = &AtomicUsize::new(0);
    let holding = (0..AT_ONCE).map(|_| async move {
        loop {
            let n = started.fetch_add(1, Ordering::AcqRel);
            if n >= HOLD {
                return;
            }
            for i in 0..BESIDE {
                let client = OTHERS[(BESIDE * n + i) % OTHERS.len()];
                world().spawn(client(clients.clone()));
            }
            HOLDING[n % HOLDING.len()](clients.clone()).await;
        }
    });
    join_all(holding).await;
}

/// How many requests were answered, and how long the longest took.
async fn ask_honestly(clients: &Clients, server: &Server, over: &AtomicBool) -> (usize, Duration) {
    let (mut count, mut longest, mut full) = (0, Duration::ZERO, 0);
    while !over.load(Ordering::Acquire) {
        let began = world().elapsed();
        clients.ask_and_receive(b"hello\n", b"hello\n").await;
        let took = world().elapsed() - began;
        assert!(took < HONEST, "an honest client was served after {took:?}");
        let (served, lingering) = busy(server);
        full += usize::from(lingering == LINGERING);
        assert!(lingering <= LINGERING, "{lingering}");
        assert!(served + lingering <= PLACES, "{served} and {lingering}");
        // Without a descriptor these are closed, and that is no failure.
        if lingering == LINGERING && count % 10 == 0 {
            world().fail_accepts(ErrorKind::OutOfMemory, 1);
        }
        count += 1;
        longest = longest.max(took);
        world().sleep(20 * MILLI).await;
    }
    assert!(full > 100, "{full}");
    (count, longest)
}

impl Clients {
    /// Below TLS, if there is any.
    async fn connect(&self) -> Stream {
        opened(connect(ADDRESS)).await
    }

    async fn ask(&self, request: &[u8]) -> Stream {
        let opening = connect(ADDRESS);
        let mut stream = match &self.0 {
            Some(connector) => opened(opening.tls(connector)).await,
            None => opened(opening).await,
        };
        stream.write(request).unwrap();
        stream
    }

    async fn ask_and_receive(&self, request: &[u8], answer: &[u8]) -> Stream {
        let mut stream = self.ask(request).await;
        assert_eq!(stream.read_exactly(answer.len()).await.unwrap(), answer);
        stream
    }
}

/// The clients do not linger: what is left is the server's.
async fn opened(opening: Connect) -> Stream {
    let opening = opening.family(Family::Ipv4).close_timeout(Duration::ZERO);
    opening.linger_timeout(Duration::ZERO).await.unwrap()
}

/// Before there is anything to handle: over TLS, before there is a handshake.
impl Clients {
    async fn silent_before_its_request(self) {
        until_the_end(self.connect().await).await;
    }

    async fn dripping_before_its_request(self) {
        drip(self.connect().await).await;
    }

    async fn half_closed_before_its_request(self) {
        half_close(self.connect().await).await;
    }

    async fn reset_before_its_request(self) {
        self.connect().await.abort();
    }

    /// No record of TLS, and a line that is too long.
    async fn broken_hello(self) {
        let mut stream = self.connect().await;
        let _ = stream.write(vec![b'x'; 70_000]); // it may be refused in the middle
        stay(stream).await;
    }
}

/// While its handler runs.
impl Clients {
    async fn silent_in_the_handler(self) {
        until_the_end(self.ask_and_receive(b"wait\n", b"well?\n").await).await;
    }

    async fn dripping_in_the_handler(self) {
        drip(self.ask_and_receive(b"wait\n", b"well?\n").await).await;
    }

    async fn half_closed_in_the_handler(self) {
        half_close(self.ask_and_receive(b"wait\n", b"well?\n").await).await;
    }

    async fn reset_in_the_handler(self) {
        self.ask_and_receive(b"wait\n", b"well?\n").await.abort();
    }

    async fn never_reading_in_the_handler(self) {
        let stream = self.ask(b"much\n").await;
        assert_reset(stay(stream).await).await;
    }
}

/// When its handler has returned.
impl Clients {
    async fn never_reading_behind_the_handler(self) {
        let stream = self.ask(b"leave\n").await;
        assert_reset(stay(stream).await).await;
    }

    async fn silent_behind_the_handler(self) {
        stay(self.ask_and_receive(b"hello\n", b"hello\n").await).await;
    }

    async fn dripping_behind_the_handler(self) {
        drip(self.ask_and_receive(b"hello\n", b"hello\n").await).await;
    }

    async fn half_closed_behind_the_handler(self) {
        half_close(self.ask(b"hello\n").await).await;
    }

    async fn reset_behind_the_handler(self) {
        self.ask_and_receive(b"hello\n", b"hello\n").await.abort();
    }
}

/// Reads what comes until the server has ended the connection, in whatever way.
async fn until_the_end(mut stream: Stream) {
    let ended = async { while stream.read(4096).await.is_ok_and(|some| !some.is_empty()) {} };
    timeout(TOO_LONG, ended).await.expect("the server keeps it");
}

/// Where a direction cannot end alone, both do.
async fn half_close(mut stream: Stream) {
    match stream.can_write_eof() {
        true => stream.write_eof().unwrap(),
        false => stream.close(),
    }
    until_the_end(stream).await;
}

/// Sends byte by byte until the server does not take it any more.
async fn drip(mut stream: Stream) {
    let began = world().elapsed();
    while stream.write(b"x").is_ok() {
        assert!(world().elapsed() - began < TOO_LONG, "it still takes bytes");
        world().sleep(DRIP).await;
    }
}

/// Neither reads nor writes for longer than the server waits.
async fn stay(stream: Stream) -> Stream {
    world().sleep(3 * SECOND).await;
    stream
}

async fn assert_reset(mut stream: Stream) {
    let all = stream.read_to_eof().await;
    assert!(all.is_err(), "the server has waited for it");
}
