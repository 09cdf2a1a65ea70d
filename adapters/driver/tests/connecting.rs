//! Connecting, on a runtime whose network and clock are made up.

use std::{
    future::IntoFuture,
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_lite::future::{self, block_on};
use millpond::{
    Address, Bound, BoxFuture, ConnectOptions, FuturesIo, ListenOptions, Listener, Lookup,
    OpenError, Runtime, Socket, Spawn, StdListener, StdSocket, open_connection,
};

const BLACK_HOLE: &str = "192.0.2.1:80";
const REFUSES: &str = "192.0.2.2:80";
const ANSWERS: &str = "192.0.2.3:80";
const ANSWERS_V6: &str = "[2001:db8::3]:80";

/// Sleeping takes no time, but the clock goes on.
struct MadeUp {
    began: Instant,
    slept: Arc<Mutex<Duration>>,
    tried: Mutex<Vec<String>>,
    /// Attempts that were given up without an outcome.
    given_up: Arc<AtomicUsize>,
}

impl MadeUp {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            slept: Arc::default(),
            tried: Mutex::default(),
            given_up: Arc::default(),
        })
    }

    fn slept(&self) -> Duration {
        *self.slept.lock().unwrap()
    }

    fn tried(&self) -> Vec<String> {
        self.tried.lock().unwrap().clone()
    }
}

struct CountDrop(Arc<AtomicUsize>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Spawn for MadeUp {
    fn spawn(&self, _: BoxFuture<'static, ()>) {}
}

impl Runtime for MadeUp {
    fn connect<'a>(
        &'a self,
        address: &'a Address,
        _: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        let address = address.to_string();
        self.tried.lock().unwrap().push(address.clone());
        match &*address {
            BLACK_HOLE => {
                let guard = CountDrop(self.given_up.clone());
                Box::pin(async move {
                    let _guard = guard;
                    future::pending().await
                })
            }
            "/busy" if self.tried().len() < 4 => {
                Box::pin(async { Err(ErrorKind::WouldBlock.into()) })
            }
            REFUSES => Box::pin(async { Err(ErrorKind::ConnectionRefused.into()) }),
            _ => Box::pin(async {
                let nothing = futures_lite::io::Cursor::new(Vec::new());
                Ok(Box::new(FuturesIo::new(nothing)) as _)
            }),
        }
    }

    fn bind(&self, _: &Address, _: &ListenOptions) -> io::Result<Box<dyn Bound>> {
        Err(ErrorKind::Unsupported.into())
    }

    fn adopt(&self, _: StdSocket) -> io::Result<Box<dyn Socket>> {
        Err(ErrorKind::Unsupported.into())
    }

    fn adopt_listener(&self, _: StdListener) -> io::Result<Box<dyn Listener>> {
        Err(ErrorKind::Unsupported.into())
    }

    fn resolve<'a>(&'a self, lookup: &'a Lookup) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            match lookup.host.as_deref().unwrap() {
                "both.example" => Ok([BLACK_HOLE, REFUSES, ANSWERS_V6].map(parsed).to_vec()),
                "empty.example" => Ok(Vec::new()),
                _ => Err(io::Error::other("no such host")),
            }
        })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let slept = self.slept.clone();
        Box::pin(async move { *slept.lock().unwrap() += duration })
    }

    fn now(&self) -> Instant {
        self.began + self.slept()
    }
}

fn parsed(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn all(addresses: &[&str]) -> Vec<SocketAddr> {
    addresses.iter().copied().map(parsed).collect()
}

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
    let opening = open_connection(runtime.clone(), std::path::Path::new("/busy"));
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
        let target = std::path::Path::new(path);
        block_on(open_connection(runtime.clone(), target).into_future()).unwrap();
    }
    let address = Address::Abstract(b"name".to_vec());
    block_on(open_connection(runtime.clone(), &address).into_future()).unwrap();
    let long = format!("@{}", "x".repeat(107));
    assert_eq!(runtime.tried(), ["@name", r"@with\x00more", &long, "@name"]);
}

#[test]
fn a_connect_timeout_bounds_the_whole() {
    let opening = open_connection(MadeUp::new(), parsed(BLACK_HOLE));
    let opening = opening.connect_timeout(Duration::from_secs(5));
    let error = block_on(opening.into_future()).unwrap_err();
    assert_eq!(error.to_string(), "no connection within 5s");
    assert_eq!(io::Error::from(error).kind(), ErrorKind::TimedOut);
}

#[test]
fn what_cannot_be_resolved_says_which_host_and_why() {
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
fn bad_options_are_named_before_anything_is_tried() {
    let runtime = MadeUp::new();
    let open = |target: &str| open_connection(runtime.clone(), target);
    let long_path = std::path::PathBuf::from("/".repeat(108));
    let open_path = |path: &str| open_connection(runtime.clone(), std::path::Path::new(path));
    for (opening, named) in [
        (open_path(""), "path"),
        (open_path("a\0b"), "path"),
        (open_path("\0"), "path"),
        (open_path(&format!("\0{}", "x".repeat(108))), "path"),
        (open(ANSWERS).limit(0), "limit"),
        (open(ANSWERS).watermarks(2, 1), "watermarks"),
        (open("no port"), "address"),
        (open("host:65536"), "address"),
        (open("nul\0.example:80"), "host"),
        (open_connection(runtime.clone(), Vec::new()), "addresses"),
        (open_connection(runtime.clone(), long_path), "path"),
    ] {
        let error = block_on(opening.into_future()).unwrap_err();
        assert!(
            matches!(error, OpenError::Option { name, .. } if name == named),
            "{error}"
        );
        assert!(error.to_string().contains(&format!("`{named}`")));
        assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidInput);
    }
    assert!(runtime.tried().is_empty());
}
