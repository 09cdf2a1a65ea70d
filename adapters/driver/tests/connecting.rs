//! Connecting, in a world whose network and clock are made up.

mod support;

use std::{
    future::IntoFuture,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_lite::future::block_on;
use millpond::{
    Address, OpenError, Runtime, Target,
    adapter::Socket,
    open_connection, start_server,
    types::{ExtraInfo, Family, FuturesIo, OpenConnection},
};

use crate::support::{
    internet::{
        ANSWERS, ANSWERS_V6, BLACK_HOLE, REFUSES, all, answers, internet, parsed, refusing,
    },
    lacking::swallows,
    world::World,
};

/// The error of an attempt that has to fail.
#[track_caller]
fn failed(world: &World, open: impl FnOnce(Arc<dyn Runtime>) -> OpenConnection) -> OpenError {
    world.run(open(world.runtime())).unwrap_err()
}

#[test]
fn an_address_that_does_not_answer_delays_the_next_by_a_quarter_of_a_second() {
    let world = internet();
    let addresses = all(&[BLACK_HOLE, ANSWERS]);
    world
        .run(open_connection(world.runtime(), addresses))
        .unwrap();
    assert_eq!(world.tried(), [BLACK_HOLE, ANSWERS]);
    assert_eq!(world.time(), Duration::from_millis(250));
    assert_eq!(world.given_up(), 1, "the loser is closed");
}

#[test]
fn an_address_that_refuses_delays_nothing() {
    let world = internet();
    let addresses = all(&[REFUSES, ANSWERS, BLACK_HOLE]);
    world
        .run(open_connection(world.runtime(), addresses))
        .unwrap();
    assert_eq!(world.tried(), [REFUSES, ANSWERS]);
    assert_eq!(world.time(), Duration::ZERO);
}

/// Where no server listens, and the system connects a socket to itself.
const ITSELF: &str = "192.0.2.4:80";

/// A socket that is connected to itself, and counts its resets.
struct Itself(Address, Arc<AtomicUsize>);

impl Socket for Itself {
    swallows! {}

    fn abort(&self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }

    fn extra_info(&self) -> ExtraInfo {
        ExtraInfo::new(Some(self.0.clone()), Some(self.0.clone()))
    }
}

/// The internet, in which [`ITSELF`] is one.
fn connecting_to_itself(reset: &Arc<AtomicUsize>) -> World {
    let world = internet();
    let reset = reset.clone();
    world.on_connect(move |address| {
        if address.to_string() == ITSELF {
            let socket = Itself(address.clone(), reset.clone());
            return Box::pin(async { Ok(Box::new(socket) as _) });
        }
        answers()
    });
    world
}

#[test]
fn a_connection_to_itself_is_a_refused_attempt_and_is_reset_at_once() {
    let reset = Arc::new(AtomicUsize::new(0));
    let world = connecting_to_itself(&reset);
    let error = world.run(open_connection(world.runtime(), parsed(ITSELF)));
    let error = error.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot connect to 192.0.2.4:80: no server listens there: the socket connected to itself"
    );
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(reset.load(Ordering::Relaxed), 1);

    // As any that is refused, it leaves the race to the others.
    let world = connecting_to_itself(&reset);
    let addresses = all(&[ITSELF, ANSWERS]);
    world
        .run(open_connection(world.runtime(), addresses))
        .unwrap();
    assert_eq!(world.tried(), [ITSELF, ANSWERS]);
    assert_eq!(world.time(), Duration::ZERO);
}

#[test]
fn a_host_with_both_families_is_tried_in_turn() {
    let world = internet();
    let opening = open_connection(world.runtime(), ("both.example", 80));
    world.run(opening).unwrap();
    assert_eq!(world.tried(), [BLACK_HOLE, ANSWERS_V6]);
}

#[test]
fn without_a_delay_addresses_are_tried_in_the_order_given_and_one_at_a_time() {
    let world = internet();
    let addresses = all(&[REFUSES, ANSWERS, ANSWERS_V6]);
    let opening = open_connection(world.runtime(), addresses).happy_eyeballs_delay(None);
    world.run(opening).unwrap();
    assert_eq!(world.tried(), [REFUSES, ANSWERS]);

    let world = internet();
    let addresses = all(&[BLACK_HOLE, ANSWERS]);
    let opening = open_connection(world.runtime(), addresses).happy_eyeballs_delay(None);
    assert!(world.poll(opening.into_future().as_mut()).is_none());
    assert_eq!(world.tried(), [BLACK_HOLE]);
    assert_eq!(world.given_up(), 1, "dropped, so closed");
}

#[test]
fn when_all_fail_the_error_names_each_address_and_why() {
    let addresses = vec![parsed(REFUSES); 2];
    let error = failed(&internet(), |runtime| open_connection(runtime, addresses));
    assert_eq!(
        error.to_string(),
        "cannot connect to 192.0.2.2:80: connection refused, nor to 192.0.2.2:80: connection refused"
    );
    assert_eq!(io::Error::from(error).kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_unix_socket_whose_backlog_is_full_is_tried_every_10_ms() {
    let world = internet();
    let opening = open_connection(world.runtime(), Path::new("/busy"));
    world.run(opening).unwrap();
    assert_eq!(world.tried(), ["/busy"; 4]);
    assert_eq!(world.time(), Duration::from_millis(30));
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_path_that_begins_with_a_nul_is_an_abstract_address() {
    let world = internet();
    let long = format!("\0{}", "x".repeat(107));
    for path in ["\0name", "\0with\0more", &long] {
        let target = Path::new(path);
        world.run(open_connection(world.runtime(), target)).unwrap();
    }
    let address = Address::Abstract(b"name".to_vec());
    world
        .run(open_connection(world.runtime(), &address))
        .unwrap();
    let long = format!("@{}", "x".repeat(107));
    assert_eq!(world.tried(), ["@name", r"@with\0more", &long, "@name"]);
}

#[test]
fn a_connect_timeout_bounds_the_whole() {
    let world = internet();
    let opening = open_connection(world.runtime(), parsed(BLACK_HOLE));
    let opening = opening.connect_timeout(Duration::from_secs(5));
    let error = world.run(opening).unwrap_err();
    let OpenError::TimedOut { timeout, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(timeout, Duration::from_secs(5));
    assert_eq!(io::Error::from(error).kind(), ErrorKind::TimedOut);
}

#[test]
fn a_resolve_error_names_the_host_and_the_cause() {
    for (host, why) in [
        ("no.example", "no such host"),
        ("empty.example", "it has no address"),
    ] {
        let error = failed(&internet(), |runtime| open_connection(runtime, (host, 80)));
        assert_eq!(
            error.to_string(),
            format!("the host {host:?} cannot be resolved: {why}")
        );
    }
}

#[test]
fn bad_options_are_named_before_anything_is_touched() {
    let world = internet();
    let open = |target: &str| open_connection(world.runtime(), target);
    let open_path = |path: &str| open_connection(world.runtime(), Path::new(path));
    let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let long_host = format!("{}:80", "x.".repeat(126) + "xx");
    let long_label = format!("{}.example:80", "x".repeat(64));
    for (opening, named) in [
        (open_path(""), "path"),
        (open_path("a\0b"), "path"),
        (open_path("\0"), "path"),
        (open_path(&"/".repeat(108)), "path"),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        (open_path(&format!("\0{}", "x".repeat(108))), "path"),
        (open(ANSWERS).limit(0), "limit"),
        (open(ANSWERS).watermarks(2, 1), "watermarks"),
        (
            open(ANSWERS).connect_timeout(Duration::ZERO),
            "connect_timeout",
        ),
        (
            open(ANSWERS).server_hostname("example.org"),
            "server_hostname",
        ),
        (open(ANSWERS).family(Family::Ipv6), "family"),
        (open(ANSWERS_V6).family(Family::Ipv4), "family"),
        (open("no port"), "address"),
        (open("host:65536"), "address"),
        (open("::1:80"), "address"),
        (open("2001:db8::1"), "address"),
        (open(":80"), "host"),
        (open("nul\0.example:80"), "host"),
        (open(&long_host), "host"),
        (open(&long_label), "host"),
        (open("two..dots.example:80"), "host"),
        (open(".:80"), "host"),
        (open("both.example:0"), "port"),
        (open("192.0.2.3:0"), "port"),
        (
            open_connection(world.runtime(), ("both.example", 0)),
            "port",
        ),
        (
            open_connection(world.runtime(), (["both.example", ""], 80)),
            "host",
        ),
        (
            open_connection(world.runtime(), all(&[ANSWERS, "192.0.2.3:0"])),
            "port",
        ),
        (open_connection(world.runtime(), Vec::new()), "addresses"),
        (
            open_connection(world.runtime(), (Vec::<String>::new(), 80)),
            "addresses",
        ),
        (
            open_connection(world.runtime(), &Address::Unix(None)),
            "address",
        ),
        // The target is looked at before the local address is looked up, and the other way round.
        (open("no port").local_addr(("both.example", 0)), "address"),
        (open("both.example:80").local_addr("no port"), "local_addr"),
        (open("both.example:80").local_addr("nul\0:80"), "local_addr"),
        (
            open("both.example:80").local_addr(Path::new("/run/socket")),
            "local_addr",
        ),
        (open("both.example:80").local_addr(Vec::new()), "local_addr"),
        (
            open("both.example:80")
                .family(Family::Ipv6)
                .local_addr(here),
            "local_addr",
        ),
    ] {
        let what = format!("{opening:?}");
        let error = world.run(opening).expect_err(&what);
        assert!(
            matches!(error, OpenError::Option { name, .. } if name == named),
            "{what}: {error}"
        );
        assert!(error.to_string().contains(&format!("`{named}`")));
        assert!(!error.to_string().ends_with('.'), "{error}");
        assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidInput);
    }
    let touched = (world.tried(), world.resolved(), world.time());
    assert_eq!(touched, (Vec::new(), Vec::new(), Duration::ZERO));
}

#[test]
fn a_datagram_socket_that_looks_like_a_stream_is_refused_before_it_is_taken_over() {
    #[cfg(unix)]
    {
        use std::os::fd::OwnedFd;

        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let disguised = TcpStream::from(OwnedFd::from(datagrams));
        let world = internet();
        let opening = open_connection(world.runtime(), disguised).local_addr(("both.example", 0));
        let error = world.run(opening).unwrap_err();
        assert_eq!(
            error.to_string(),
            "option `sock` cannot be used: a stream socket is needed, and this is a datagram socket"
        );
        assert_eq!(world.adopted(), 0);
        assert!(world.resolved().is_empty(), "nothing is looked up before");
    }
}

/// Opens a connection or starts a server with a socket of the wrong kind.
#[track_caller]
fn assert_wrong_kind<F: Future<Output = Result<T, OpenError>>, T: std::fmt::Debug>(
    world: &World,
    begin: impl IntoFuture<IntoFuture = F, Output = F::Output>,
    why: &str,
) {
    let error = world.run(begin).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("option `sock` cannot be used: {why}")
    );
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(world.adopted(), 0);
    assert!(world.resolved().is_empty() && world.tried().is_empty());
}

#[test]
fn a_listener_cannot_be_opened_as_a_connection() {
    let world = internet();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let opening = open_connection(world.runtime(), listener).local_addr(("both.example", 0));
    let why = "it listens, so nothing can be sent on it: connect to its address, or serve on it";
    assert_wrong_kind(&world, opening, why);
}

#[test]
fn a_connected_socket_cannot_be_served_on() {
    let world = internet();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let any: Box<dyn Socket> = Box::new(FuturesIo::new(futures_lite::io::Cursor::new(Vec::new())));
    for target in [Target::from(socket), Target::from(any)] {
        let starting = start_server(world.runtime(), target, async |_, _| {});
        let why = "it is connected, so it cannot accept connections: give a listener, or open it as \
                   a connection";
        assert_wrong_kind(&world, starting, why);
    }
}

#[test]
fn a_connection_begins_at_an_address_and_not_at_a_socket() {
    let world = internet();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let opening = open_connection(world.runtime(), ANSWERS).local_addr(listener);
    let error = world.run(opening).unwrap_err();
    let what = "option `local_addr` cannot be used: it is a socket: give its address";
    assert_eq!(error.to_string(), what);
    assert!(world.tried().is_empty());
}

#[test]
fn a_socket_that_the_runtime_does_not_take_over_is_an_error_with_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let error = failed(&internet(), |runtime| open_connection(runtime, socket));
    assert_eq!(error.to_string(), "the socket cannot be used: unsupported");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

fn tried_by(opening: impl FnOnce(Arc<dyn Runtime>) -> OpenConnection) -> Vec<String> {
    let world = internet();
    let _ = world.poll(opening(world.runtime()).into_future().as_mut());
    world.tried()
}

#[test]
fn an_ipv6_address_may_be_in_brackets_and_keeps_its_scope() {
    for target in ["[2001:db8::3]:80", "[::1%7]:80"] {
        let tried = tried_by(|runtime| open_connection(runtime, target));
        assert_eq!(tried, [target]);
    }
    for host in ["2001:db8::3", "[2001:db8::3]"] {
        let tried = tried_by(|runtime| open_connection(runtime, (host, 80)));
        assert_eq!(tried, [ANSWERS_V6]);
    }
    // A scope that has a name is the resolver's business.
    let world = internet();
    let opening = open_connection(world.runtime(), "[fe80::1%eth0]:80");
    world.run(opening).unwrap_err();
    assert_eq!(world.resolved(), ["fe80::1%eth0"]);
}

/// It is found, as no certificate has a zone, and then no answer comes.
#[cfg(feature = "__tls")]
#[test]
fn an_address_with_a_zone_is_a_name_for_tls_without_it() {
    let world = internet();
    let connector = millpond::TlsConnector::dangerously_without_verification();
    for target in ["[fe80::1%eth0]:80", "[fe80::1%2]:80"] {
        let opening = open_connection(world.runtime(), target).tls(&connector);
        let error = world.run(opening).unwrap_err();
        assert!(!matches!(error, OpenError::Option { .. }), "{error}");
    }
    assert_eq!(world.resolved(), ["fe80::1%eth0"]);
    assert_eq!(world.tried(), ["[fe80::1%2]:80"]);
}

#[test]
fn a_name_in_other_letters_is_looked_up_in_those_of_dns() {
    let world = internet();
    for opening in [
        open_connection(world.runtime(), "bücher.example:80"),
        open_connection(world.runtime(), ("bücher.example", 80)),
        open_connection(world.runtime(), (["bücher.example"], 80)),
        #[cfg(feature = "__tls")]
        open_connection(world.runtime(), ("bücher.example", 80))
            .tls(millpond::TlsConnector::dangerously_without_verification()),
        #[cfg(feature = "__tls")]
        open_connection(world.runtime(), ("xn--bcher-kva.example", 80))
            .tls(millpond::TlsConnector::dangerously_without_verification())
            .server_hostname("BÜCHER.example"),
    ] {
        let error = world.run(opening).unwrap_err();
        if cfg!(feature = "idna") {
            assert!(matches!(error, OpenError::Resolve { .. }), "{error}");
        } else {
            let text = error.to_string();
            assert!(matches!(error, OpenError::Option { .. }), "{text}");
            assert!(
                text.contains("\"xn--\"") && text.contains("`idna`"),
                "{text}"
            );
        }
    }
    let resolved = world.resolved();
    assert_eq!(resolved.is_empty(), !cfg!(feature = "idna"));
    assert!(resolved.iter().all(|name| name == "xn--bcher-kva.example"));
}

#[test]
fn a_family_leaves_out_addresses_of_the_other_one() {
    for (family, expected) in [
        (Family::Ipv4, &[REFUSES, ANSWERS][..]),
        (Family::Ipv6, &[ANSWERS_V6][..]),
    ] {
        let addresses = all(&[REFUSES, ANSWERS_V6, ANSWERS]);
        let tried = tried_by(|runtime| open_connection(runtime, addresses).family(family));
        assert_eq!(tried, expected);
    }
    let tried =
        tried_by(|runtime| open_connection(runtime, "both.example:80").family(Family::Ipv6));
    assert_eq!(tried, [ANSWERS_V6]);
}

#[test]
fn addresses_of_several_hosts_count_and_each_once() {
    let hosts = ["192.0.2.2", "both.example", "192.0.2.2", "2001:db8::3"];
    let world = internet();
    let opening = open_connection(world.runtime(), (hosts, 80)).happy_eyeballs_delay(None);
    let timeout = Duration::from_secs(1);
    world.run(opening.connect_timeout(timeout)).unwrap_err();
    // One at a time, and the second one never ends.
    assert_eq!(world.tried(), [REFUSES, BLACK_HOLE]);
    assert_eq!(world.resolved(), ["both.example"]);
}

#[test]
fn interleave_is_the_number_of_first_addresses_of_the_first_family() {
    let v6: Vec<String> = (1..=3).map(|n| format!("[2001:db8::{n}]:80")).collect();
    let given: Vec<&str> = v6.iter().map(|a| &**a).chain([REFUSES, ANSWERS]).collect();
    for (count, order) in [
        (None, [0, 3, 1, 4, 2]),
        (Some(0), [0, 1, 2, 3, 4]),
        (Some(1), [0, 3, 1, 4, 2]),
        (Some(2), [0, 1, 3, 2, 4]),
        (Some(3), [0, 1, 2, 3, 4]),
        (Some(99), [0, 1, 2, 3, 4]),
    ] {
        let world = refusing();
        let opening = open_connection(world.runtime(), all(&given));
        let opening = match count {
            Some(count) => opening.interleave(count),
            None => opening,
        };
        world.run(opening).unwrap_err();
        assert_eq!(world.tried(), order.map(|i| given[i]), "{count:?}");
    }
    let world = refusing();
    let opening = open_connection(world.runtime(), all(&given)).happy_eyeballs_delay(None);
    world.run(opening).unwrap_err();
    assert_eq!(world.tried(), given, "without a delay the order is kept");
    let world = refusing();
    let opening = open_connection(world.runtime(), all(&given)).happy_eyeballs_delay(None);
    world.run(opening.interleave(1)).unwrap_err();
    assert_eq!(world.tried(), [0, 3, 1, 4, 2].map(|i| given[i]));
}

#[test]
fn another_delay_is_kept() {
    let world = internet();
    let addresses = all(&[BLACK_HOLE, BLACK_HOLE, ANSWERS]);
    let opening = open_connection(world.runtime(), addresses);
    let delay = Duration::from_millis(40);
    world.run(opening.happy_eyeballs_delay(delay)).unwrap();
    assert_eq!(world.time(), 2 * delay);
    assert_eq!(world.given_up(), 2);
}

#[test]
fn a_timeout_that_never_ends_is_none() {
    let world = internet();
    let opening = open_connection(world.runtime(), parsed(ANSWERS));
    let opening = opening
        .connect_timeout(Duration::MAX)
        .happy_eyeballs_delay(Duration::MAX);
    world.run(opening).unwrap();
}

#[test]
fn any_socket_can_be_given() {
    let world = internet();
    let nothing = futures_lite::io::Cursor::new(b"hello".to_vec());
    let socket: Box<dyn Socket> = Box::new(FuturesIo::new(nothing));
    let opening = open_connection(world.runtime(), socket);
    let (mut reader, _writer) = world.run(opening).unwrap();
    assert_eq!(block_on(reader.read_to_eof()).unwrap(), "hello");
    assert!(world.tried().is_empty());
}

#[test]
fn brackets_are_for_addresses_alone() {
    let host: IpAddr = "::1".parse().unwrap();
    let tried = tried_by(|runtime| open_connection(runtime, (host, 80)));
    assert_eq!(tried, ["[::1]:80"]);
    let world = internet();
    let opening = open_connection(world.runtime(), ("[example.org]", 80));
    world.run(opening).unwrap_err();
    assert_eq!(world.resolved(), ["[example.org]"]);
}
