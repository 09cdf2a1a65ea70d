//! Connecting, on a runtime whose network and clock are made up.

mod support;

use std::{
    future::IntoFuture,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::atomic::Ordering,
    time::Duration,
};

use futures_lite::future::{self, block_on};
use millpond::{
    Address, OpenError, Target,
    adapter::Socket,
    open_connection, start_server,
    types::{Family, FuturesIo, OpenConnection},
};

use crate::support::made_up::{
    ANSWERS, ANSWERS_V6, BLACK_HOLE, ITSELF, MadeUp, REFUSES, all, parsed,
};

#[test]
fn an_address_that_does_not_answer_delays_the_next_by_a_quarter_of_a_second() {
    let runtime = MadeUp::new();
    let addresses = all(&[BLACK_HOLE, ANSWERS]);
    block_on(open_connection(runtime.clone(), addresses).into_future()).unwrap();
    assert_eq!(runtime.tried(), [BLACK_HOLE, ANSWERS]);
    assert_eq!(runtime.slept(), Duration::from_millis(250));
    assert_eq!(
        runtime.given_up.load(Ordering::Relaxed),
        1,
        "the loser is closed"
    );
}

#[test]
fn an_address_that_refuses_delays_nothing() {
    let runtime = MadeUp::new();
    let addresses = all(&[REFUSES, ANSWERS, BLACK_HOLE]);
    block_on(open_connection(runtime.clone(), addresses).into_future()).unwrap();
    assert_eq!(runtime.tried(), [REFUSES, ANSWERS]);
    assert_eq!(runtime.slept(), Duration::ZERO);
}

#[test]
fn a_connection_to_itself_is_a_refused_attempt_and_is_reset_at_once() {
    let runtime = MadeUp::new();
    let error = block_on(open_connection(runtime.clone(), parsed(ITSELF)).into_future());
    let error = error.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot connect to 192.0.2.4:80: no server listens there: the socket connected to itself"
    );
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(runtime.reset.load(Ordering::Relaxed), 1);

    // As any that is refused, it leaves the race to the others.
    let runtime = MadeUp::new();
    let addresses = all(&[ITSELF, ANSWERS]);
    block_on(open_connection(runtime.clone(), addresses).into_future()).unwrap();
    assert_eq!(runtime.tried(), [ITSELF, ANSWERS]);
    assert_eq!(runtime.slept(), Duration::ZERO);
}

#[test]
fn a_host_with_both_families_is_tried_in_turn() {
    let runtime = MadeUp::new();
    let opening = open_connection(runtime.clone(), ("both.example", 80));
    block_on(opening.into_future()).unwrap();
    assert_eq!(runtime.tried(), [BLACK_HOLE, ANSWERS_V6]);
}

#[test]
fn without_a_delay_addresses_are_tried_in_the_order_given_and_one_at_a_time() {
    let runtime = MadeUp::new();
    let addresses = all(&[REFUSES, ANSWERS, ANSWERS_V6]);
    let opening = open_connection(runtime.clone(), addresses).happy_eyeballs_delay(None);
    block_on(opening.into_future()).unwrap();
    assert_eq!(runtime.tried(), [REFUSES, ANSWERS]);

    let runtime = MadeUp::new();
    let addresses = all(&[BLACK_HOLE, ANSWERS]);
    let opening = open_connection(runtime.clone(), addresses).happy_eyeballs_delay(None);
    assert!(block_on(future::poll_once(opening.into_future())).is_none());
    assert_eq!(runtime.tried(), [BLACK_HOLE]);
    assert_eq!(
        runtime.given_up.load(Ordering::Relaxed),
        1,
        "dropped, so closed"
    );
}

#[test]
fn when_all_fail_the_error_names_each_address_and_why() {
    let addresses = vec![parsed(REFUSES); 2];
    let error = block_on(open_connection(MadeUp::new(), addresses).into_future()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot connect to 192.0.2.2:80: connection refused, nor to 192.0.2.2:80: connection refused"
    );
    assert_eq!(io::Error::from(error).kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_unix_socket_whose_backlog_is_full_is_tried_every_10_ms() {
    let runtime = MadeUp::new();
    let opening = open_connection(runtime.clone(), Path::new("/busy"));
    block_on(opening.into_future()).unwrap();
    assert_eq!(runtime.tried(), ["/busy"; 4]);
    assert_eq!(runtime.slept(), Duration::from_millis(30));
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_path_that_begins_with_a_nul_is_an_abstract_address() {
    let runtime = MadeUp::new();
    let long = format!("\0{}", "x".repeat(107));
    for path in ["\0name", "\0with\0more", &long] {
        let target = Path::new(path);
        block_on(open_connection(runtime.clone(), target).into_future()).unwrap();
    }
    let address = Address::Abstract(b"name".to_vec());
    block_on(open_connection(runtime.clone(), &address).into_future()).unwrap();
    let long = format!("@{}", "x".repeat(107));
    assert_eq!(runtime.tried(), ["@name", r"@with\0more", &long, "@name"]);
}

#[test]
fn a_connect_timeout_bounds_the_whole() {
    let opening = open_connection(MadeUp::new(), parsed(BLACK_HOLE));
    let opening = opening.connect_timeout(Duration::from_secs(5));
    let error = block_on(opening.into_future()).unwrap_err();
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
        let error = block_on(open_connection(MadeUp::new(), (host, 80)).into_future()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the host {host:?} cannot be resolved: {why}")
        );
    }
}

#[test]
fn bad_options_are_named_before_anything_is_touched() {
    let runtime = MadeUp::new();
    let open = |target: &str| open_connection(runtime.clone(), target);
    let open_path = |path: &str| open_connection(runtime.clone(), Path::new(path));
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
            open_connection(runtime.clone(), ("both.example", 0)),
            "port",
        ),
        (
            open_connection(runtime.clone(), (["both.example", ""], 80)),
            "host",
        ),
        (
            open_connection(runtime.clone(), all(&[ANSWERS, "192.0.2.3:0"])),
            "port",
        ),
        (open_connection(runtime.clone(), Vec::new()), "addresses"),
        (
            open_connection(runtime.clone(), (Vec::<String>::new(), 80)),
            "addresses",
        ),
        (
            open_connection(runtime.clone(), &Address::Unix(None)),
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
        let error = block_on(opening.into_future()).expect_err(&what);
        assert!(
            matches!(error, OpenError::Option { name, .. } if name == named),
            "{what}: {error}"
        );
        assert!(error.to_string().contains(&format!("`{named}`")));
        assert!(!error.to_string().ends_with('.'), "{error}");
        assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidInput);
    }
    let touched = (runtime.tried(), runtime.resolved(), runtime.slept());
    assert_eq!(touched, (Vec::new(), Vec::new(), Duration::ZERO));
}

#[test]
fn a_datagram_socket_that_looks_like_a_stream_is_refused_before_it_is_taken_over() {
    #[cfg(unix)]
    {
        use std::os::fd::OwnedFd;

        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let disguised = TcpStream::from(OwnedFd::from(datagrams));
        let runtime = MadeUp::new();
        let opening = open_connection(runtime.clone(), disguised).local_addr(("both.example", 0));
        let error = block_on(opening.into_future()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "option `sock` cannot be used: a stream socket is needed, and this is a datagram socket"
        );
        assert_eq!(runtime.adopted.load(Ordering::Relaxed), 0);
        assert!(runtime.resolved().is_empty(), "nothing is looked up before");
    }
}

/// Opens a connection or starts a server with a socket of the wrong kind.
#[track_caller]
fn assert_wrong_kind<F: Future<Output = Result<T, OpenError>>, T: std::fmt::Debug>(
    runtime: &MadeUp,
    begin: impl IntoFuture<IntoFuture = F, Output = F::Output>,
    why: &str,
) {
    let error = block_on(begin.into_future()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("option `sock` cannot be used: {why}")
    );
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(runtime.adopted.load(Ordering::Relaxed), 0);
    assert!(runtime.resolved().is_empty() && runtime.tried().is_empty());
}

#[test]
fn a_listener_cannot_be_opened_as_a_connection() {
    let runtime = MadeUp::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let opening = open_connection(runtime.clone(), listener).local_addr(("both.example", 0));
    let why = "it listens, so nothing can be sent on it: connect to its address, or serve on it";
    assert_wrong_kind(&runtime, opening, why);
}

#[test]
fn a_connected_socket_cannot_be_served_on() {
    let runtime = MadeUp::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let any: Box<dyn Socket> = Box::new(FuturesIo::new(futures_lite::io::Cursor::new(Vec::new())));
    for target in [Target::from(socket), Target::from(any)] {
        let starting = start_server(runtime.clone(), target, async |_, _| {});
        let why = "it is connected, so it cannot accept connections: give a listener, or open it as \
                   a connection";
        assert_wrong_kind(&runtime, starting, why);
    }
}

#[test]
fn a_connection_begins_at_an_address_and_not_at_a_socket() {
    let runtime = MadeUp::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let opening = open_connection(runtime.clone(), ANSWERS).local_addr(listener);
    let error = block_on(opening.into_future()).unwrap_err();
    let what = "option `local_addr` cannot be used: it is a socket: give its address";
    assert_eq!(error.to_string(), what);
    assert!(runtime.tried().is_empty());
}

#[test]
fn a_socket_that_the_runtime_does_not_take_over_is_an_error_with_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let error = block_on(open_connection(MadeUp::new(), socket).into_future()).unwrap_err();
    assert_eq!(error.to_string(), "the socket cannot be used: unsupported");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

fn tried_by(opening: impl FnOnce(std::sync::Arc<MadeUp>) -> OpenConnection) -> Vec<String> {
    let runtime = MadeUp::new();
    let _ = block_on(future::poll_once(opening(runtime.clone()).into_future()));
    runtime.tried()
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
    let runtime = MadeUp::new();
    let opening = open_connection(runtime.clone(), "[fe80::1%eth0]:80");
    block_on(opening.into_future()).unwrap_err();
    assert_eq!(runtime.resolved(), ["fe80::1%eth0"]);
}

/// It is found, as no certificate has a zone, and then no answer comes.
#[cfg(feature = "__tls")]
#[test]
fn an_address_with_a_zone_is_a_name_for_tls_without_it() {
    let runtime = MadeUp::new();
    let connector = millpond::TlsConnector::dangerously_without_verification();
    for target in ["[fe80::1%eth0]:80", "[fe80::1%2]:80"] {
        let opening = open_connection(runtime.clone(), target).tls(&connector);
        let error = block_on(opening.into_future()).unwrap_err();
        assert!(!matches!(error, OpenError::Option { .. }), "{error}");
    }
    assert_eq!(runtime.resolved(), ["fe80::1%eth0"]);
    assert_eq!(runtime.tried(), ["[fe80::1%2]:80"]);
}

#[test]
fn a_name_in_other_letters_is_looked_up_in_those_of_dns() {
    let runtime = MadeUp::new();
    for opening in [
        open_connection(runtime.clone(), "bücher.example:80"),
        open_connection(runtime.clone(), ("bücher.example", 80)),
        open_connection(runtime.clone(), (["bücher.example"], 80)),
        #[cfg(feature = "__tls")]
        open_connection(runtime.clone(), ("bücher.example", 80))
            .tls(millpond::TlsConnector::dangerously_without_verification()),
        #[cfg(feature = "__tls")]
        open_connection(runtime.clone(), ("xn--bcher-kva.example", 80))
            .tls(millpond::TlsConnector::dangerously_without_verification())
            .server_hostname("BÜCHER.example"),
    ] {
        let error = block_on(opening.into_future()).unwrap_err();
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
    let resolved = runtime.resolved();
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
    let runtime = MadeUp::new();
    let opening = open_connection(runtime.clone(), (hosts, 80)).happy_eyeballs_delay(None);
    let timeout = Duration::from_secs(1);
    block_on(opening.connect_timeout(timeout).into_future()).unwrap_err();
    // One at a time, and the second one never ends.
    assert_eq!(runtime.tried(), [REFUSES, BLACK_HOLE]);
    assert_eq!(runtime.resolved(), ["both.example"]);
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
        let runtime = MadeUp::refusing();
        let opening = open_connection(runtime.clone(), all(&given));
        let opening = match count {
            Some(count) => opening.interleave(count),
            None => opening,
        };
        block_on(opening.into_future()).unwrap_err();
        assert_eq!(runtime.tried(), order.map(|i| given[i]), "{count:?}");
    }
    let runtime = MadeUp::refusing();
    let opening = open_connection(runtime.clone(), all(&given)).happy_eyeballs_delay(None);
    block_on(opening.into_future()).unwrap_err();
    assert_eq!(runtime.tried(), given, "without a delay the order is kept");
    let runtime = MadeUp::refusing();
    let opening = open_connection(runtime.clone(), all(&given)).happy_eyeballs_delay(None);
    block_on(opening.interleave(1).into_future()).unwrap_err();
    assert_eq!(runtime.tried(), [0, 3, 1, 4, 2].map(|i| given[i]));
}

#[test]
fn another_delay_is_kept() {
    let runtime = MadeUp::new();
    let addresses = all(&[BLACK_HOLE, BLACK_HOLE, ANSWERS]);
    let opening = open_connection(runtime.clone(), addresses);
    let delay = Duration::from_millis(40);
    block_on(opening.happy_eyeballs_delay(delay).into_future()).unwrap();
    assert_eq!(runtime.slept(), 2 * delay);
    assert_eq!(runtime.given_up.load(Ordering::Relaxed), 2);
}

#[test]
fn a_timeout_that_never_ends_is_none() {
    let opening = open_connection(MadeUp::new(), parsed(ANSWERS));
    let opening = opening
        .connect_timeout(Duration::MAX)
        .happy_eyeballs_delay(Duration::MAX);
    block_on(opening.into_future()).unwrap();
}

#[test]
fn any_socket_can_be_given() {
    let runtime = MadeUp::new();
    let nothing = futures_lite::io::Cursor::new(b"hello".to_vec());
    let socket: Box<dyn Socket> = Box::new(FuturesIo::new(nothing));
    let opening = open_connection(runtime.clone(), socket);
    let (mut reader, _writer) = block_on(opening.into_future()).unwrap();
    assert_eq!(block_on(reader.read_to_eof()).unwrap(), "hello");
    assert!(runtime.tried().is_empty());
}

#[test]
fn brackets_are_for_addresses_alone() {
    let host: IpAddr = "::1".parse().unwrap();
    let tried = tried_by(|runtime| open_connection(runtime, (host, 80)));
    assert_eq!(tried, ["[::1]:80"]);
    let runtime = MadeUp::new();
    let opening = open_connection(runtime.clone(), ("[example.org]", 80));
    block_on(opening.into_future()).unwrap_err();
    assert_eq!(runtime.resolved(), ["[example.org]"]);
}
