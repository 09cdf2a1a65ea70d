//! Addresses and hosts of a made-up internet.

use std::{
    future,
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use millpond::{Address, types::FuturesIo};

use super::world::{Connecting, Resolving, World};

pub const BLACK_HOLE: &str = "192.0.2.1:80";
pub const REFUSES: &str = "192.0.2.2:80";
pub const ANSWERS: &str = "192.0.2.3:80";
pub const ANSWERS_V6: &str = "[2001:db8::3]:80";

/// A world with this internet.
pub fn internet() -> World {
    let world = World::default();
    let busy = AtomicUsize::new(3);
    world.on_connect(move |address| connect(address, &busy));
    world.on_resolve(resolve);
    world
}

/// A world in which no server listens anywhere.
pub fn refusing() -> World {
    let world = World::default();
    world.on_connect(|_| fails(ErrorKind::ConnectionRefused));
    world
}

/// At `/busy` the backlog is full for the first so many.
fn connect(address: &Address, busy: &AtomicUsize) -> Connecting {
    let one_less = |n: usize| n.checked_sub(1);
    match &*address.to_string() {
        BLACK_HOLE => Box::pin(future::pending()),
        REFUSES => fails(ErrorKind::ConnectionRefused),
        "/busy"
            if busy
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                .is_ok() =>
        {
            fails(ErrorKind::WouldBlock)
        }
        _ => answers(),
    }
}

/// The connection ends at once.
pub fn answers() -> Connecting {
    let nothing = futures_lite::io::Cursor::new(Vec::new());
    Box::pin(async { Ok(Box::new(FuturesIo::new(nothing)) as _) })
}

fn fails(kind: ErrorKind) -> Connecting {
    Box::pin(async move { Err(kind.into()) })
}

fn resolve(host: &str) -> Resolving {
    let addresses = match host {
        "both.example" => Ok(all(&[BLACK_HOLE, REFUSES, ANSWERS_V6])),
        "empty.example" => Ok(Vec::new()),
        "hanging.example" => return Box::pin(future::pending()),
        _ => Err(io::Error::other("no such host")),
    };
    Box::pin(async { addresses })
}

pub fn parsed(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

pub fn all(addresses: &[&str]) -> Vec<SocketAddr> {
    addresses.iter().copied().map(parsed).collect()
}
