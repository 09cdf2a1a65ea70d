//! What holds if the program says nothing: numbers that are documented, and so are measured.

mod support;

use std::{
    future::pending,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use millpond::{
    ReadError, Server, StreamReader, StreamWriter,
    adapter::{ListenOptions, SocketOptions},
    millpond_core::{DEFAULT_HIGH_WATER, DEFAULT_LIMIT, Status},
    open_connection, start_server,
    types::StartServer,
};

use crate::support::{
    internet::{ANSWERS, BLACK_HOLE, all, internet},
    peer::Peer,
    world::{World, address},
};

const KIB: u64 = 1024;

/// Much longer than anything takes.
const LONG: Duration = Duration::from_secs(100_000);

fn serving<F>(world: &World, handler: fn(StreamReader, StreamWriter) -> F) -> StartServer
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    start_server(world.runtime(), address(1), handler).on_handler_error(|_| {})
}

async fn returns(_: StreamReader, _: StreamWriter) -> io::Result<()> {
    Ok(())
}

async fn writes_something(_: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    Ok(writer.write(b"hello")?)
}

async fn is_stubborn(_reader: StreamReader, _writer: StreamWriter) -> io::Result<()> {
    pending().await
}

/// How long it takes in milliseconds until `done` is so, to the millisecond.
fn takes(world: &World, done: impl Fn() -> bool) -> u64 {
    let began = world.time();
    while !done() && world.time() - began < LONG {
        world.advance(Duration::from_millis(50));
    }
    millis(world.time() - began)
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap()
}

/// What a handler's halves are set to: limit, low and high watermark.
fn buffering() -> [u64; 3] {
    let seen = Arc::new(Mutex::new(None));
    let seen_by_handler = seen.clone();
    let world = World::default();
    let server = start_server(
        world.runtime(),
        address(1),
        move |reader: StreamReader, writer: StreamWriter| {
            *seen_by_handler.lock().unwrap() = Some((reader.limit(), writer.watermarks()));
            async {}
        },
    );
    let _server = world.serve(server);
    let _peer = world.call();
    let (limit, (low, high)) = seen.lock().unwrap().take().unwrap();
    [limit, low, high].map(|bytes| bytes as u64)
}

fn backlog() -> u64 {
    let world = World::default();
    let _server = world.serve(serving(&world, returns));
    u64::from(world.backlogs()[0])
}

/// A peer that takes nothing of what is left for it.
fn close_timeout() -> u64 {
    let world = World::default();
    let _server = world.serve(serving(&world, writes_something));
    let peer = Peer::default();
    peer.take(0);
    let socket = peer.socket();
    world.come(address(1), move || Ok(socket));
    takes(&world, || peer.was_reset())
}

/// A peer that says nothing after a close.
fn linger_time() -> u64 {
    let world = World::default();
    let _server = world.serve(serving(&world, returns));
    let peer = world.call();
    takes(&world, || peer.is_released())
}

/// A peer that does not stop to speak after a close: what it may say, and then no more.
fn linger_bytes() -> u64 {
    let world = World::default();
    let _server = world.serve(serving(&world, returns));
    let peer = world.call();
    let mut taken = 0;
    loop {
        peer.send(&[0; 64 * 1024]);
        world.settle();
        if peer.is_released() {
            return taken;
        }
        taken += 64 * KIB;
        assert!(taken < 1 << 30);
    }
}

/// Of so many peers that say nothing after a close.
fn max_lingering() -> u64 {
    const MANY: usize = 1_500;
    let world = World::default();
    let _server = world.serve(serving(&world, returns));
    let peers: Vec<Peer> = (0..MANY).map(|_| world.call()).collect();
    world.settle();
    let lingering = peers.iter().filter(|peer| !peer.is_released());
    lingering.count() as u64
}

async fn collects_without_end(mut reader: StreamReader, _: StreamWriter) -> io::Result<()> {
    let collected = reader.read_with(|_| Ok::<_, ReadError>(Status::<()>::NeedData));
    Ok(collected.await?)
}

/// With so much buffered a parser without a cap is given up.
fn parse_cap() -> u64 {
    let world = World::default();
    let server = serving(&world, collects_without_end).close_timeout(Duration::ZERO);
    let _server = world.serve(server);
    let peer = world.call();
    let mut taken = 0;
    loop {
        peer.send(&[0; 64 * 1024]);
        world.settle();
        taken += 64 * KIB;
        if peer.is_released() {
            return taken;
        }
        assert!(taken < 1 << 30);
    }
}

/// How long a handler that waits for something else outlives its idle connection.
fn idle_grace() -> u64 {
    let world = World::default();
    let ended = Arc::new(Mutex::new(false));
    let reported = ended.clone();
    let server = start_server(world.runtime(), address(1), is_stubborn)
        .idle_timeout(Duration::from_secs(10))
        .on_handler_error(move |_| *reported.lock().unwrap() = true);
    let _server = world.serve(server);
    let _peer = world.call();
    takes(&world, || *ended.lock().unwrap()) - 10_000
}

/// Both of the stages that a handler takes which never ends by itself.
fn shutdown_timeout() -> u64 {
    let world = World::default();
    let server: Server = world.serve(serving(&world, is_stubborn));
    let _peer = world.call();
    let began = world.time();
    let shutdown = world.run(server.shutdown());
    assert_eq!(shutdown.cancelled, 1);
    millis((world.time() - began) / 2)
}

/// The first pause and the longest.
fn accept_pauses() -> [u64; 2] {
    let world = World::default();
    let _server = world.serve(serving(&world, returns).on_accept_error(|_| {}));
    for _ in 0..20 {
        world.queue(address(1), || Err(io::ErrorKind::OutOfMemory.into()));
    }
    world.advance(LONG);
    let pauses = world.slept();
    assert_eq!(pauses.len(), 20);
    [millis(pauses[0]), millis(pauses[19])]
}

fn attempt_delay() -> u64 {
    let world = internet();
    let opening = open_connection(world.runtime(), all(&[BLACK_HOLE, ANSWERS]));
    world.run(opening).unwrap();
    millis(world.time())
}

#[cfg(feature = "tls")]
fn handshake_timeout() -> u64 {
    let world = World::default();
    let (acceptor, _) = support::tls::tls(support::tls::Version::Tls13);
    let _server = world.serve(serving(&world, is_stubborn).tls(acceptor.clone()));
    let peer = world.call();
    takes(&world, || peer.is_released())
}

#[test]
fn the_defaults_are_these_numbers() {
    let [limit, low, high] = buffering();
    let [first_pause, longest_pause] = accept_pauses();
    let defaults = [
        ("limit", limit, 64 * KIB),
        ("low watermark", low, 16 * KIB),
        ("high watermark", high, 64 * KIB),
        ("DEFAULT_LIMIT", DEFAULT_LIMIT as u64, 64 * KIB),
        ("DEFAULT_HIGH_WATER", DEFAULT_HIGH_WATER as u64, 64 * KIB),
        ("backlog", backlog(), 100),
        ("close timeout", close_timeout(), 30_000),
        ("linger time", linger_time(), 30_000),
        ("linger bytes", linger_bytes(), 16 * KIB * KIB),
        ("max lingering", max_lingering(), 1024),
        ("parse cap", parse_cap(), 16 * KIB * KIB),
        ("grace after an idle timeout", idle_grace(), 1_000),
        ("shutdown timeout", shutdown_timeout(), 60_000),
        ("accept pause", first_pause, 100),
        ("longest accept pause", longest_pause, 1_000),
        ("connection attempt delay", attempt_delay(), 250),
        #[cfg(feature = "tls")]
        ("handshake timeout", handshake_timeout(), 60_000),
    ];
    for (name, measured, documented) in defaults {
        assert_eq!(measured, documented, "{name}");
    }
}

#[test]
fn the_defaults_of_sockets_are_those_of_asyncio() {
    let SocketOptions {
        no_delay,
        keep_alive,
        receive_buffer,
        send_buffer,
        ..
    } = SocketOptions::default();
    assert!(no_delay);
    assert_eq!(keep_alive, millpond::types::KeepAlive::Off);
    assert_eq!((receive_buffer, send_buffer), (None, None));
    let listen = ListenOptions::default();
    assert_eq!(listen.reuse_address, cfg!(not(windows)));
    assert!(!listen.reuse_port && listen.cleanup_socket);
    assert_eq!(listen.unix_mode, None);
}
