//! A runtime whose network and clock are made up.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_lite::future;
use millpond::{
    Address, Runtime,
    adapter::{BoxFuture, ConnectOptions, Lookup, Socket, Spawn, StdSocket},
    types::{ExtraInfo, FuturesIo},
};

use super::lacking::{lacks, swallows};

pub const BLACK_HOLE: &str = "192.0.2.1:80";
pub const REFUSES: &str = "192.0.2.2:80";
/// No server listens there, and the system connects a socket to itself.
pub const ITSELF: &str = "192.0.2.4:80";
pub const ANSWERS: &str = "192.0.2.3:80";
pub const ANSWERS_V6: &str = "[2001:db8::3]:80";

/// Sleeping takes no time, but the clock goes on.
pub struct MadeUp {
    began: Instant,
    slept: Arc<Mutex<Duration>>,
    tried: Mutex<Vec<String>>,
    /// No answer comes.
    refusing: bool,
    resolved: Mutex<Vec<String>>,
    pub adopted: AtomicUsize,
    pub spawned: AtomicUsize,
    /// Attempts that were given up without an outcome.
    pub given_up: Arc<AtomicUsize>,
    /// Connections that were reset.
    pub reset: Arc<AtomicUsize>,
}

impl MadeUp {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::whose(false))
    }

    pub fn refusing() -> Arc<Self> {
        Arc::new(Self::whose(true))
    }

    fn whose(refusing: bool) -> Self {
        Self {
            refusing,
            began: Instant::now(),
            slept: Arc::default(),
            tried: Mutex::default(),
            resolved: Mutex::default(),
            adopted: AtomicUsize::new(0),
            spawned: AtomicUsize::new(0),
            given_up: Arc::default(),
            reset: Arc::default(),
        }
    }

    pub fn slept(&self) -> Duration {
        *self.slept.lock().unwrap()
    }

    pub fn resolved(&self) -> Vec<String> {
        self.resolved.lock().unwrap().clone()
    }

    pub fn tried(&self) -> Vec<String> {
        self.tried.lock().unwrap().clone()
    }
}

struct CountDrop(Arc<AtomicUsize>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A socket that is connected to itself.
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

impl Spawn for MadeUp {
    /// The task never runs.
    fn spawn(&self, _: BoxFuture<'static, ()>) {
        self.spawned.fetch_add(1, Ordering::Relaxed);
    }
}

impl Runtime for MadeUp {
    lacks! { ErrorKind::Unsupported.into(); bind adopt_listener }

    fn connect<'a>(
        &'a self,
        address: &'a Address,
        _: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        let text = address.to_string();
        self.tried.lock().unwrap().push(text.clone());
        match &*text {
            ITSELF => {
                let socket = Itself(address.clone(), self.reset.clone());
                Box::pin(async { Ok(Box::new(socket) as _) })
            }
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
            _ if self.refusing => Box::pin(async { Err(ErrorKind::ConnectionRefused.into()) }),
            REFUSES => Box::pin(async { Err(ErrorKind::ConnectionRefused.into()) }),
            _ => Box::pin(async {
                let nothing = futures_lite::io::Cursor::new(Vec::new());
                Ok(Box::new(FuturesIo::new(nothing)) as _)
            }),
        }
    }

    fn adopt(&self, _: StdSocket) -> io::Result<Box<dyn Socket>> {
        self.adopted.fetch_add(1, Ordering::Relaxed);
        Err(ErrorKind::Unsupported.into())
    }

    fn resolve<'a>(&'a self, lookup: &'a Lookup) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let host = lookup.host.clone().unwrap_or_default();
        self.resolved.lock().unwrap().push(host);
        Box::pin(async move {
            match lookup.host.as_deref().unwrap() {
                "both.example" => Ok([BLACK_HOLE, REFUSES, ANSWERS_V6].map(parsed).to_vec()),
                "empty.example" => Ok(Vec::new()),
                "hanging.example" => future::pending().await,
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

pub fn parsed(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

pub fn all(addresses: &[&str]) -> Vec<SocketAddr> {
    addresses.iter().copied().map(parsed).collect()
}
