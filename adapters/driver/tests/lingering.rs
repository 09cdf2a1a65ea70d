//! Sockets that linger after their connections were closed: how many there may be, for how long, and who
//! comes first.

mod support;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use millpond::{
    Runtime, StreamOptions, StreamReader, StreamWriter, start_server, types::StartServer,
};

use crate::support::{
    peer::Peer,
    world::{World, address},
};

const SECOND: Duration = Duration::from_secs(1);

/// A server whose clients have their answer at once.
fn curt(world: &World) -> StartServer {
    start_server(world.runtime(), address(1), async |_, mut writer| {
        writer.write(b"bye")
    })
}

/// A client that says nothing, and does not end either.
fn call(world: &World) -> Peer {
    let peer = world.call();
    assert_eq!(peer.received(), b"bye");
    assert!(peer.received_end());
    peer
}

fn released(peers: &[Peer]) -> Vec<bool> {
    peers.iter().map(Peer::is_released).collect()
}

/// Too many open files.
fn too_many() -> io::Error {
    io::Error::from_raw_os_error(24)
}

#[test]
fn a_lingering_socket_counts_as_a_connection_and_blocks_no_others() {
    let world = World::default();
    let server = world.serve(curt(&world).max_connections(3));
    let mut peers = Vec::new();
    for n in 1..=100 {
        peers.push(call(&world));
        let open = peers.iter().filter(|peer| !peer.is_released()).count();
        assert_eq!(open, n.min(3));
        assert_eq!(
            world.tasks(),
            1 + open,
            "the accepting one and one for each"
        );
    }
    assert!(
        peers[..97].iter().all(Peer::is_released),
        "the oldest first"
    );
    let busy = format!("{server:?}");
    assert!(busy.contains("clients: 0, lingering: 3"), "{busy}");
    assert_eq!(world.time(), Duration::ZERO);
}

#[test]
fn a_connection_in_use_is_not_evicted() {
    let world = World::default();
    let server = start_server(
        world.runtime(),
        address(1),
        async |mut reader: StreamReader, mut writer: StreamWriter| {
            writer.write(b"bye")?;
            reader.read(1).await?;
            io::Result::Ok(())
        },
    );
    let _server = world.serve(server.max_connections(2));
    let slow = Peer::default();
    slow.take(1);
    let socket = slow.socket();
    world.come(address(1), move || Ok(socket));
    slow.send(b"x"); // so its handler returns, and most of the answer is still queued
    let served = world.call();
    let waiting = world.call();
    assert_eq!(world.waiting(), 1);
    assert_eq!(released(&[slow.clone(), served.clone()]), [false, false]);

    served.send(b"x");
    world.settle();
    assert_eq!(world.waiting(), 0);
    assert_eq!(waiting.received(), b"bye");
    assert_eq!(released(&[slow, served]), [false, true]);
}

#[test]
fn a_handler_that_goes_on_behind_its_close_takes_no_second_place() {
    let world = World::default();
    let inside = world.clone();
    let handler = move |_: StreamReader, mut writer: StreamWriter| {
        let world = inside.clone();
        async move {
            writer.write(b"bye").unwrap();
            writer.close();
            world.sleep(SECOND).await;
        }
    };
    let server = start_server(world.runtime(), address(1), handler).max_connections(2);
    let _server = world.serve(server);
    let first = call(&world);
    world.advance(SECOND);
    let second = call(&world);
    assert_eq!(released(&[first.clone(), second.clone()]), [false, false]);
    let third = call(&world);
    assert_eq!(released(&[first, second, third]), [true, false, false]);
    assert_eq!(world.waiting(), 0);
    let _fourth = world.call();
    assert_eq!(world.waiting(), 1, "two handlers run");
}

#[test]
fn without_descriptors_lingering_sockets_close_and_accepting_goes_on() {
    let world = World::default();
    let reports = Arc::new(AtomicUsize::new(0));
    let count = reports.clone();
    let server = curt(&world).on_accept_error(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let _server = world.serve(server);
    let peers: Vec<Peer> = (0..5).map(|_| call(&world)).collect();
    world.fail(too_many());
    assert!(peers.iter().all(Peer::is_released));
    let next = call(&world);
    assert_eq!(reports.load(Ordering::Relaxed), 0);
    assert_eq!(world.time(), Duration::ZERO);

    world.fail(too_many());
    world.fail(too_many());
    assert!(next.is_released());
    assert_eq!(
        reports.load(Ordering::Relaxed),
        1,
        "no socket was left to close"
    );
}

#[test]
fn no_more_linger_than_may() {
    for (max_lingering, may) in [(None, 1024), (Some(0), 0), (Some(7), 7)] {
        let world = World::default();
        let server = curt(&world);
        let _server = world.serve(match max_lingering {
            Some(max) => server.max_lingering(max),
            None => server,
        });
        let peers: Vec<Peer> = (0..may + 3).map(|_| call(&world)).collect();
        assert!(peers[..3].iter().all(Peer::is_released), "the oldest first");
        assert!(!peers[3..].iter().any(Peer::is_released));
        assert_eq!(world.tasks(), 1 + may);
    }
}

/// What is set to close and to linger, and how long it lingers.
const TIMES: [(Option<Duration>, Option<Duration>, Duration); 5] = [
    (None, None, Duration::from_secs(30)),
    (Some(SECOND), None, SECOND),
    (None, Some(SECOND), SECOND),
    (
        Some(SECOND),
        Some(Duration::from_secs(5)),
        Duration::from_secs(5),
    ),
    (None, Some(Duration::ZERO), Duration::ZERO),
];

#[test]
fn any_stream_lingers_for_its_time_and_no_longer() {
    for (close_timeout, linger_timeout, time) in TIMES {
        let mut options = StreamOptions::new();
        if let Some(timeout) = close_timeout {
            options = options.close_timeout(timeout);
        }
        if let Some(timeout) = linger_timeout {
            options = options.linger_timeout(timeout);
        }
        let world = World::default();
        let peer = Peer::default();
        let (_reader, mut writer) = options.open_on(peer.socket(), world.runtime());
        writer.close();
        if time > Duration::ZERO {
            for _ in 0..10 {
                assert!(!peer.is_released());
                world.advance(time / 10 - Duration::from_nanos(1));
                peer.send(b"dropped"); // which makes it no longer
            }
            world.advance(Duration::from_nanos(9));
            assert!(!peer.is_released());
            world.advance(Duration::from_nanos(1));
        }
        assert!(peer.is_released() && !peer.was_reset());
        assert_eq!(world.tasks(), 0);
    }
}

#[test]
fn a_runtime_that_ends_closes_lingering_sockets() {
    let world = World::default();
    let server = world.serve(curt(&world).max_connections(2));
    let peers = [call(&world), call(&world)];
    world.end();
    assert_eq!(released(&peers), [true, true]);
    let busy = format!("{server:?}");
    assert!(busy.contains("clients: 0, lingering: 0"), "{busy}");
}
