//! Taking the streams of a server instead of giving it a handler, by a clock that the test moves.

mod support;

use std::{
    collections::VecDeque,
    io,
    pin::{Pin, pin},
    time::Duration,
};

use futures_lite::{
    StreamExt,
    future::{poll_once, yield_now},
};
use millpond::{Server, Stream, listen, start_server, start_server_with, types::StartServer};

use crate::support::{
    peer::Peer,
    world::{World, address},
};

const STAGE: Duration = Duration::from_secs(5);

const SECOND: Duration = Duration::from_secs(1);

fn starting(world: &World) -> StartServer {
    listen(world.runtime(), address(1))
        .shutdown_timeout(STAGE)
        .on_handler_error(|error| panic!("there is no handler: {error}"))
}

fn serve(world: &World) -> Server {
    world.serve(starting(world))
}

/// What a call gives without waiting.
fn take(world: &World, server: &Server) -> Option<Stream> {
    world
        .poll(pin!(server.accept()))
        .expect("there is an answer")
}

fn has_to_wait(world: &World, server: &Server) -> bool {
    world.poll(pin!(server.accept())).is_none()
}

/// Says who it is.
fn call(world: &World, name: u8) -> Peer {
    let peer = world.call();
    peer.send(&[name]);
    peer
}

fn name(world: &World, mut stream: Stream) -> u8 {
    world.run(stream.read_exactly(1)).unwrap()[0]
}

#[test]
fn nothing_is_accepted_that_no_call_waits_for() {
    let world = World::default();
    let server = serve(&world);
    let _peers = [1, 2, 3].map(|name| call(&world, name));
    assert_eq!(world.waiting(), 3);
    for left in (0..3).rev() {
        assert!(take(&world, &server).is_some());
        assert_eq!(world.waiting(), left);
    }
    assert!(has_to_wait(&world, &server));
    let mut call_that_waits = pin!(server.accept());
    assert!(world.poll(call_that_waits.as_mut()).is_none());
    let _peer = call(&world, 4);
    assert_eq!(world.waiting(), 0);
    assert!(world.poll(call_that_waits).is_some());
}

#[test]
fn connections_come_in_their_order_to_every_call_that_waits() {
    let world = World::default();
    let server = serve(&world);
    let mut calls: Vec<_> = (0..5).map(|_| Box::pin(server.accept())).collect();
    for call in &mut calls {
        assert!(world.poll(call.as_mut()).is_none());
    }
    let _peers: Vec<_> = (0..7).map(|name| call(&world, name)).collect();
    assert_eq!(world.waiting(), 2, "as many as are waited for");
    let got: Vec<_> = calls
        .iter_mut()
        .map(|call| name(&world, world.poll(call.as_mut()).unwrap().unwrap()))
        .collect();
    assert_eq!(got, [0, 1, 2, 3, 4]);
}

/// Calls that begin, wait, and are dropped anywhere, while peers come: whatever happens, each stream is
/// given once, and none is lost.
#[test]
fn whatever_is_cancelled_each_connection_is_taken_once() {
    for seed in 1..300_u64 {
        let world = World::default();
        let server = serve(&world);
        let mut random = seed;
        let mut calls: VecDeque<Pin<Box<dyn Future<Output = Option<Stream>> + '_>>> =
            VecDeque::new();
        let (mut peers, mut got) = (Vec::new(), Vec::new());
        for _ in 0..60 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            match random % 6 {
                0 => calls.push_back(Box::pin(server.accept())),
                1 => drop(calls.pop_front()),
                2 => drop(calls.pop_back()),
                3 => peers.push(call(&world, u8::try_from(peers.len()).unwrap())),
                4 => world.settle(),
                _ => {
                    // Once, so that a call can be dropped between being woken and its answer.
                    let Some(mut first) = calls.pop_front() else {
                        continue;
                    };
                    match futures_lite::future::block_on(poll_once(first.as_mut())) {
                        Some(stream) => got.push(name(&world, stream.unwrap())),
                        None => calls.push_back(first),
                    }
                }
            }
        }
        calls.clear();
        while got.len() < peers.len() {
            got.push(name(&world, take(&world, &server).unwrap()));
        }
        got.sort_unstable();
        let all: Vec<_> = (0..u8::try_from(peers.len()).unwrap()).collect();
        assert_eq!(got, all, "seed {seed}");
        assert!(has_to_wait(&world, &server));
    }
}

#[test]
fn a_stream_has_its_place_until_both_halves_are_dropped() {
    let world = World::default();
    let server = world.serve(starting(&world).max_connections(2));
    let _peers = [1, 2, 3].map(|name| call(&world, name));
    let (mut reader, writer) = take(&world, &server).unwrap().into_split();
    let mut closed = take(&world, &server).unwrap();
    closed.close();
    assert!(has_to_wait(&world, &server), "it may still be read from");
    drop(writer);
    assert!(has_to_wait(&world, &server));
    assert_eq!(world.run(reader.read_exactly(1)).unwrap(), [1][..]);
    drop(reader);
    assert_eq!(name(&world, take(&world, &server).unwrap()), 3);
    drop(closed);
}

#[test]
fn closing_gives_what_was_accepted_and_then_nothing_and_streams_go_on() {
    let world = World::default();
    let server = serve(&world);
    let mut waits = Box::pin(server.accept());
    assert!(world.poll(waits.as_mut()).is_none());
    let peer = call(&world, 1);
    drop(waits);
    let mut waits = Box::pin(server.accept());
    let mut other = Box::pin(server.accept());
    assert!(
        futures_lite::future::block_on(poll_once(other.as_mut()))
            .unwrap()
            .is_some()
    );
    assert!(world.poll(waits.as_mut()).is_none());
    let _second = call(&world, 2);
    drop(waits);
    server.close();
    let mut stream = take(&world, &server).unwrap();
    assert!(take(&world, &server).is_none());
    assert!(take(&world, &server).is_none());
    let mut closed = pin!(server.wait_closed());
    assert!(world.poll(closed.as_mut()).is_none());
    assert_eq!(world.run(stream.read_exactly(1)).unwrap(), [2][..]);
    drop(stream);
    assert!(world.poll(closed).is_some());
    assert!(peer.is_released() || peer.received_end());
}

#[test]
fn a_call_that_waits_ends_with_the_server() {
    let world = World::default();
    let server = serve(&world);
    let mut calls = [(); 3].map(|()| Box::pin(server.accept()));
    for call in &mut calls {
        assert!(world.poll(call.as_mut()).is_none());
    }
    server.close();
    for call in calls {
        assert!(world.poll(pin!(call)).expect("it has ended").is_none());
    }
}

/// What a shutdown took, and for how long.
fn shut_down(world: &World, server: &Server) -> (Duration, [usize; 3]) {
    let began = world.time();
    let shutdown = world.run(server.shutdown());
    (
        world.time() - began,
        [shutdown.closed, shutdown.cancelled, shutdown.left],
    )
}

#[test]
fn a_shutdown_ends_idle_reads_of_streams_that_were_taken() {
    let world = World::default();
    let server = serve(&world);
    let peer = world.call();
    let mut stream = take(&world, &server).unwrap();
    millpond::adapter::Spawn::spawn(
        &world,
        Box::pin(async move {
            assert_eq!(stream.read_line().await.unwrap(), "");
            stream.write(b"good-bye").unwrap();
        }),
    );
    world.settle();
    assert_eq!(shut_down(&world, &server), (Duration::ZERO, [0, 0, 0]));
    assert_eq!(peer.received(), b"good-bye");
}

#[test]
fn a_shutdown_closes_and_then_resets_streams_that_are_kept() {
    let world = World::default();
    let server = serve(&world);
    let peer = world.call();
    let kept = take(&world, &server).unwrap();
    assert_eq!(shut_down(&world, &server), (2 * STAGE, [1, 1, 0]));
    assert!(peer.is_released() || peer.received_end());
    drop(kept);
}

/// A stream that was accepted for a call that is gone.
fn untaken(world: &World, server: &Server) -> Peer {
    let mut waits = Box::pin(server.accept());
    assert!(world.poll(waits.as_mut()).is_none());
    let peer = call(world, 1);
    assert_eq!(world.waiting(), 0);
    peer
}

#[test]
fn a_shutdown_does_not_wait_for_what_is_not_taken() {
    let world = World::default();
    let server = serve(&world);
    let peer = untaken(&world, &server);
    assert_eq!(shut_down(&world, &server), (Duration::ZERO, [0, 0, 0]));
    assert!(peer.received_end());
    assert!(take(&world, &server).is_none());
}

#[test]
fn what_a_call_waits_for_is_still_given_after_a_shutdown_has_begun() {
    let world = World::default();
    let server = serve(&world);
    let mut waits = Box::pin(server.accept());
    assert!(world.poll(waits.as_mut()).is_none());
    let _peer = call(&world, 7);
    let mut shutdown = pin!(server.shutdown());
    assert!(world.poll(shutdown.as_mut()).is_none());
    let stream = world.poll(waits.as_mut()).unwrap().unwrap();
    assert_eq!(name(&world, stream), 7);
    assert!(world.poll(shutdown).is_some());
}

#[test]
fn a_server_that_is_dropped_drops_what_was_not_taken() {
    let world = World::default();
    let server = serve(&world);
    let peer = untaken(&world, &server);
    assert!(!peer.received_end());
    drop(server);
    world.settle();
    assert!(peer.received_end());
}

#[test]
fn an_idle_connection_that_is_not_taken_is_given_up() {
    let world = World::default();
    let server = world.serve(starting(&world).idle_timeout(SECOND).max_connections(1));
    let peer = untaken(&world, &server);
    world.advance(3 * SECOND);
    assert!(peer.was_reset());
    let _peer = call(&world, 2);
    assert_eq!(name(&world, take(&world, &server).unwrap()), 2);
}

#[test]
fn accepting_goes_on_behind_errors() {
    let world = World::default();
    let server = world.serve(starting(&world).on_accept_error(|_| {}));
    let mut waits = pin!(server.accept());
    assert!(world.poll(waits.as_mut()).is_none());
    world.fail(io::ErrorKind::ConnectionAborted);
    world.fail(io::Error::from_raw_os_error(24));
    let _peer = call(&world, 3);
    let stream = world.run(waits).unwrap();
    assert_eq!(name(&world, stream), 3);
}

#[test]
fn a_loop_over_what_is_there_lets_others_run() {
    let world = World::default();
    let server = serve(&world);
    let mut calls: Vec<_> = (0..400).map(|_| Box::pin(server.accept())).collect();
    for call in &mut calls {
        assert!(world.poll(call.as_mut()).is_none());
    }
    let _peers: Vec<_> = (0..400).map(|_| world.call()).collect();
    drop(calls);
    let mut taken = 0;
    let mut yields = 0;
    let mut all = Box::pin(async {
        let mut incoming = server.incoming();
        while taken < 400 {
            assert!(incoming.next().await.is_some());
            taken += 1;
        }
    });
    while futures_lite::future::block_on(poll_once(all.as_mut())).is_none() {
        yields += 1;
    }
    assert!((3..10).contains(&yields), "{yields}");
}

#[test]
fn incoming_ends_with_the_server_and_can_be_dropped_anywhere() {
    let world = World::default();
    let server = serve(&world);
    let _peers = [1, 2, 3].map(|name| call(&world, name));
    let mut names = Vec::new();
    for _ in 0..2 {
        let mut incoming = server.incoming();
        let stream = world.poll(pin!(incoming.next())).unwrap().unwrap();
        names.push(name(&world, stream));
        assert!(format!("{incoming:?}").starts_with("Incoming"));
    }
    let rest = async {
        let mut rest = Vec::new();
        let mut incoming = server.incoming();
        while let Some(stream) = incoming.next().await {
            rest.push(stream);
            yield_now().await;
            server.close();
        }
        assert!(incoming.next().await.is_none());
        rest
    };
    let rest = world.poll(pin!(rest)).unwrap();
    names.extend(rest.into_iter().map(|stream| name(&world, stream)));
    assert_eq!(names, [1, 2, 3]);
}

#[test]
fn a_server_that_does_not_serve_yet_keeps_calls_waiting() {
    let world = World::default();
    let server = world.serve(starting(&world).start_serving(false));
    let mut waits = pin!(server.accept());
    assert!(world.poll(waits.as_mut()).is_none());
    server.start_serving().unwrap();
    let _peer = call(&world, 5);
    assert_eq!(name(&world, world.poll(waits).unwrap().unwrap()), 5);
}

#[test]
#[should_panic(expected = "start it by `listen`")]
fn a_server_with_a_handler_has_nothing_to_take() {
    let world = World::default();
    let server = world.serve(start_server(world.runtime(), address(1), async |_, _| {}));
    let _ = server.incoming();
}

#[test]
fn a_stream_without_a_socket_of_the_system_is_kept() {
    let (one, _other) = millpond::pair();
    let stream = Stream::reunite(one.0, one.1).unwrap();
    let refused = stream.into_std().unwrap_err();
    assert_eq!(refused.reason.kind(), io::ErrorKind::Unsupported);
    let mut stream = refused.stream;
    stream.write(b"as before").unwrap();
    stream.close();
    let refused = io::Error::from(stream.into_std().unwrap_err());
    assert_eq!(refused.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn each_handler_is_given_a_clone_of_the_state() {
    let world = World::default();
    let state = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let server = start_server_with(
        world.runtime(),
        state.clone(),
        address(1),
        async |state, _, mut writer| {
            let n = state.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            writer.write(n.to_string())
        },
    );
    let server = world.serve(server);
    for n in 0..3 {
        let peer = world.call();
        assert_eq!(peer.received(), n.to_string().as_bytes());
    }
    drop(server);
    world.settle();
}
