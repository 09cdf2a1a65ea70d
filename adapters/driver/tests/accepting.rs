//! Accepting: errors, bounds and time, by a clock that the test moves.

mod support;

use std::{
    future::pending,
    io::{self, ErrorKind},
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use millpond::{
    Address, OpenError, Server, Stream, StreamReader, StreamServer, StreamWriter,
    error::HandlerError, start_server, types::StartServer,
};

use crate::support::{
    peer::Peer,
    world::{World, address},
};

const MILLI: Duration = Duration::from_millis(1);

/// Too many open files.
fn too_many() -> io::Error {
    io::Error::from_raw_os_error(24)
}

async fn until_the_end(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    while !reader.read(1).await?.is_empty() {
        writer.write(b".")?;
    }
    Ok(())
}

fn starting(world: &World) -> StartServer {
    start_server(world.runtime(), address(1), until_the_end)
}

#[test]
fn accepting_pauses_for_longer_after_each_error_and_each_streak_is_reported_once() {
    let world = World::default();
    let reports = Arc::new(AtomicUsize::new(0));
    let count = reports.clone();
    let _server = world.serve(starting(&world).on_accept_error(move |error| {
        assert_eq!(error.raw_os_error(), Some(24));
        count.fetch_add(1, Ordering::Relaxed);
    }));
    for streak in 1..=2 {
        let began = world.slept().len();
        for _ in 0..6 {
            world.queue(address(1), || Err(too_many()));
        }
        let peer = Peer::default();
        let socket = peer.socket();
        world.come(address(1), move || Ok(socket));
        world.advance(3499 * MILLI);
        assert_eq!(world.waiting(), 1, "the peer");
        world.advance(MILLI);
        assert_eq!(world.waiting(), 0);
        peer.send(b"x");
        world.settle();
        assert_eq!(peer.received(), b".");
        let pauses = world.slept().split_off(began);
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000].map(|n| n * MILLI));
        assert_eq!(reports.load(Ordering::Relaxed), streak);
    }
}

/// What accept(2) of Linux says to go on after as if no client had called.
#[cfg(target_os = "linux")]
#[test]
fn an_error_of_one_connection_neither_pauses_nor_is_reported_and_every_other_does() {
    const OF_ONE_CONNECTION: [i32; 14] = [
        libc::ENETDOWN,
        libc::EPROTO,
        libc::ENOPROTOOPT,
        libc::EHOSTDOWN,
        libc::ENONET,
        libc::EHOSTUNREACH,
        libc::EOPNOTSUPP,
        libc::ENETUNREACH,
        libc::EPERM,
        libc::ETIMEDOUT,
        libc::ECONNABORTED,
        libc::ECONNRESET,
        libc::ECONNREFUSED,
        libc::EINTR,
    ];
    for code in 1..=133 {
        let world = World::default();
        let reports = Arc::new(AtomicUsize::new(0));
        let count = reports.clone();
        let _server = world.serve(starting(&world).on_accept_error(move |error| {
            assert_eq!(error.raw_os_error(), Some(code));
            count.fetch_add(1, Ordering::Relaxed);
        }));
        for _ in 0..3 {
            world.queue(address(1), move || Err(io::Error::from_raw_os_error(code)));
        }
        let peer = world.call();
        peer.send(b"x");
        world.settle();
        let at_once = OF_ONE_CONNECTION.contains(&code);
        let name = io::Error::from_raw_os_error(code);
        assert_eq!(peer.received() == b".", at_once, "{name}");
        assert_eq!(world.slept().is_empty(), at_once, "{name}");
        assert_eq!(reports.load(Ordering::Relaxed) == 0, at_once, "{name}");
    }
}

#[test]
fn errors_of_single_connections_without_end_let_others_run() {
    let world = World::default();
    let _server = world.serve(starting(&world).on_accept_error(|error| panic!("{error}")));
    let log = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..10_000 {
        let log = log.clone();
        world.queue(address(1), move || {
            log.lock().unwrap().push("error");
            Err(ErrorKind::ConnectionAborted.into())
        });
    }
    let turns = log.clone();
    millpond::adapter::Spawn::spawn(
        &world,
        Box::pin(async move {
            for _ in 0..50 {
                turns.lock().unwrap().push("turn");
                futures_lite::future::yield_now().await;
            }
        }),
    );
    world.settle();
    let log = log.lock().unwrap();
    let others = log.iter().rposition(|it| *it == "turn").unwrap();
    assert!(others < 50 * 130, "{others}");
    assert!(world.slept().is_empty());
}

#[test]
fn a_server_that_pauses_accepting_is_closed_at_once() {
    let world = World::default();
    let server = world.serve(starting(&world).on_accept_error(|_| {}));
    world.fail(too_many());
    server.close();
    assert!(world.poll(pin!(server.wait_closed())).is_some());
    assert_eq!((world.time(), world.tasks()), (Duration::ZERO, 0));
}

#[test]
fn a_report_that_panics_does_not_end_the_server() {
    let quietly = || std::panic::resume_unwind(Box::new("no"));
    let world = World::default();
    let server = start_server(world.runtime(), address(1), async |mut reader, _| {
        reader.read_exactly(1).await.map(drop)
    });
    let server = server.on_accept_error(move |_| quietly());
    let server = world.serve(server.on_handler_error(move |_| quietly()));
    world.fail(too_many());
    world.advance(100 * MILLI);
    for _ in 0..2 {
        let peer = world.call();
        peer.end();
        world.settle();
        assert!(peer.received_end() && peer.is_released());
    }
    assert!(server.is_serving());
    assert_eq!(world.tasks(), 1, "the accepting one");
}

#[test]
fn a_handler_that_panics_when_it_is_called_is_reported_and_closes_its_stream() {
    let world = World::default();
    let reports = Arc::new(Mutex::new(Vec::new()));
    let reported = reports.clone();
    let handler =
        |_, _| -> std::future::Ready<()> { std::panic::resume_unwind(Box::new("at once")) };
    let server = start_server(world.runtime(), address(1), handler).on_handler_error(
        move |error: HandlerError| reported.lock().unwrap().push(error.to_string()),
    );
    let server = world.serve(server);
    for n in 1..=2 {
        let peer = world.call();
        peer.end();
        world.settle();
        assert!(peer.received_end() && peer.is_released());
        assert_eq!(reports.lock().unwrap().len(), n);
    }
    let expected = "the handler for an unknown peer panicked: at once";
    assert_eq!(reports.lock().unwrap()[0], expected);
    assert!(server.is_serving());
}

#[test]
fn no_more_are_accepted_than_may_be_even_if_one_is_only_closing() {
    let world = World::default();
    let server = start_server(world.runtime(), address(1), async |_, mut writer| {
        writer.write(b"hello")
    });
    let server = server.max_connections(2).close_timeout(1000 * 1000 * MILLI);
    let server = world.serve(server);
    let slow: Vec<Peer> = (0..2)
        .map(|_| {
            let peer = Peer::default();
            peer.take(1);
            let socket = peer.socket();
            world.come(address(1), move || Ok(socket));
            peer
        })
        .collect();
    let waiting: Vec<Peer> = (0..3).map(|_| world.call()).collect();
    assert_eq!(
        world.waiting(),
        3,
        "the slow ones are closing, but not closed"
    );
    slow[1].take(100);
    world.settle();
    assert_eq!(world.waiting(), 0, "each makes room for the next");
    assert!(waiting.iter().all(|peer| peer.received() == b"hello"));
    assert_eq!(slow[0].received(), b"h");
    assert!(format!("{server:?}").contains("clients: 1"), "{server:?}");
}

/// A connection whose handler has returned, and whose peer takes one byte a second of what it is sent.
fn call_slowly(world: &World) -> Peer {
    let peer = Peer::default();
    peer.take(1);
    let socket = peer.socket();
    world.come(address(1), move || Ok(socket));
    assert_eq!(peer.received(), b"h");
    for taken in 2..=5 {
        world.advance(999 * MILLI);
        assert!(!peer.was_reset());
        peer.take(1);
        world.settle();
        assert_eq!(peer.received().len(), taken);
    }
    peer
}

/// Sends more than is taken in this test.
fn greeting(world: &World) -> StartServer {
    start_server(world.runtime(), address(1), async |_, mut writer| {
        writer.write(b"hello, and welcome")
    })
}

#[test]
fn what_a_peer_takes_little_by_little_is_delivered_for_the_close_timeout_in_all() {
    let world = World::default();
    let server = greeting(&world).close_timeout(5_000 * MILLI);
    let server = world.serve(server.max_connections(1));
    let peer = call_slowly(&world);
    world.advance(5_000 * MILLI - world.time() - MILLI);
    assert!(!peer.was_reset());
    let next = Peer::default();
    let socket = next.socket();
    world.queue(address(1), move || Ok(socket));
    world.advance(MILLI);
    assert!(peer.was_reset() && peer.is_released());
    assert_eq!(peer.received(), b"hello");
    assert_eq!(next.received(), b"hello, and welcome", "the place is free");
    assert!(format!("{server:?}").contains("clients: 0"), "{server:?}");
}

#[test]
fn a_peer_that_takes_nothing_is_idle_even_when_its_handler_has_returned() {
    let world = World::default();
    let server = greeting(&world).close_timeout(1_000_000 * MILLI);
    let server = world.serve(server.idle_timeout(1_000 * MILLI));
    let peer = call_slowly(&world);
    world.advance(999 * MILLI);
    assert!(!peer.was_reset());
    world.advance(MILLI);
    assert!(peer.was_reset() && peer.is_released());
    assert_eq!(peer.received(), b"hello");
    assert!(format!("{server:?}").contains("clients: 0"), "{server:?}");
    assert_eq!(world.tasks(), 1, "the accepting one");
}

#[test]
fn a_flood_at_one_address_does_not_starve_another() {
    let world = World::default();
    let order = Arc::new(Mutex::new(Vec::new()));
    let server = start_server(
        world.runtime(),
        &[address(1), address(2), address(3)][..],
        async |_, _| {},
    );
    let server = world.serve(server);
    assert_eq!(server.sockets().len(), 3);
    let queue = |at: SocketAddr, name: u8| {
        let (order, socket) = (order.clone(), Peer::default().socket());
        world.queue(at, move || {
            order.lock().unwrap().push(name);
            Ok(socket)
        });
    };
    (0..500).for_each(|_| queue(address(1), 1));
    (0..3).for_each(|_| queue(address(2), 2));
    queue(address(3), 3);
    world.settle();
    let order = order.lock().unwrap();
    assert_eq!(order.len(), 504);
    let last = |name| order.iter().rposition(|it| *it == name).unwrap();
    assert!(last(2) < 9 && last(3) < 4, "{:?}", &order[..20]);
}

/// A server whose connections end after ten seconds of silence, and what reading failed with.
fn serve_with_idle_timeout(world: &World) -> (Server, Arc<Mutex<Vec<String>>>) {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let reported = reports.clone();
    let inside = world.clone();
    let server = start_server(
        world.runtime(),
        address(1),
        move |mut reader, mut writer| {
            let world = inside.clone();
            async move {
                use millpond::Runtime;
                loop {
                    match &reader.read(1).await?[..] {
                        b"" => return Ok::<(), io::Error>(()),
                        b"w" => {
                            for _ in 0..5 {
                                world.sleep(6000 * MILLI).await;
                                writer.write(b".")?;
                            }
                        }
                        b"s" => pending().await,
                        _ => {}
                    }
                }
            }
        },
    )
    .idle_timeout(10_000 * MILLI)
    .shutdown_timeout(MILLI)
    .on_handler_error(move |error| reported.lock().unwrap().push(error.to_string()));
    (world.serve(server), reports)
}

const REPORT: &str = "the handler for an unknown peer failed: the transport failed: idle timeout: nothing was read or written for 10s";

#[test]
fn a_silent_connection_ends_in_its_time_and_no_earlier() {
    let world = World::default();
    let (_server, reports) = serve_with_idle_timeout(&world);
    let peer = world.call();
    world.advance(9_999 * MILLI);
    assert!(!peer.is_released());
    world.advance(MILLI);
    assert!(peer.is_released());
    assert_eq!(*reports.lock().unwrap(), [REPORT]);
    assert_eq!(world.tasks(), 1);
}

#[test]
fn what_comes_in_keeps_a_connection_alive() {
    let world = World::default();
    let (_server, reports) = serve_with_idle_timeout(&world);
    let peer = world.call();
    for _ in 0..20 {
        world.advance(9_000 * MILLI);
        peer.send(b"x");
        world.settle();
    }
    world.advance(9_999 * MILLI);
    assert!(!peer.is_released());
    world.advance(MILLI);
    assert!(peer.is_released());
    assert_eq!(*reports.lock().unwrap(), [REPORT]);
    // It does not wake for each byte: a sleep for each time, and one when it was too early.
    assert!(world.slept().len() < 50, "{:?}", world.slept().len());
}

#[test]
fn what_goes_out_keeps_a_connection_alive() {
    let world = World::default();
    let (_server, reports) = serve_with_idle_timeout(&world);
    let peer = world.call();
    peer.send(b"w");
    world.settle();
    world.advance(39_999 * MILLI);
    assert!(!peer.is_released());
    assert_eq!(peer.received(), b".....");
    world.advance(MILLI);
    assert!(peer.is_released());
    assert_eq!(*reports.lock().unwrap(), [REPORT]);
}

#[test]
fn a_handler_that_waits_for_something_else_is_cancelled_after_its_connection_was_ended() {
    let world = World::default();
    let (server, reports) = serve_with_idle_timeout(&world);
    let peer = world.call();
    peer.send(b"s");
    world.advance(10_000 * MILLI);
    assert!(peer.is_released());
    world.advance(999 * MILLI);
    assert!(reports.lock().unwrap().is_empty());
    assert!(format!("{server:?}").contains("clients: 1"), "{server:?}");
    world.advance(MILLI);
    let cancelled = "the handler for an unknown peer was cancelled: nothing was read or written for \
                     10s, and it had not finished by itself";
    assert_eq!(*reports.lock().unwrap(), [cancelled]);
    assert!(format!("{server:?}").contains("clients: 0"), "{server:?}");
    assert_eq!(world.tasks(), 1, "the accepting one");
}

#[test]
fn a_handler_has_no_longer_to_end_than_its_connection_may_be_idle() {
    let world = World::default();
    let server = start_server(world.runtime(), address(1), async |_, _writer| {
        pending::<()>().await;
    });
    let server = server.idle_timeout(20 * MILLI).on_handler_error(|_| {});
    let server = world.serve(server);
    let _peer = world.call();
    world.advance(39 * MILLI);
    assert!(format!("{server:?}").contains("clients: 1"), "{server:?}");
    world.advance(MILLI);
    assert!(format!("{server:?}").contains("clients: 0"), "{server:?}");
}

#[test]
fn a_handler_that_has_closed_its_stream_is_not_idle() {
    let world = World::default();
    let inside = world.clone();
    let handler = move |_: StreamReader, mut writer: StreamWriter| {
        let world = inside.clone();
        async move {
            use millpond::Runtime;
            writer.close();
            world.sleep(60_000 * MILLI).await; // there is more to do than to answer
        }
    };
    let server = start_server(world.runtime(), address(1), handler);
    let server = server.idle_timeout(1_000 * MILLI);
    let server = world.serve(server.on_handler_error(|error| panic!("{error}")));
    let peer = world.call();
    peer.end();
    world.advance(59_999 * MILLI);
    assert!(peer.is_released() && !peer.was_reset());
    assert!(format!("{server:?}").contains("clients: 1"), "{server:?}");
    world.advance(MILLI);
    assert!(format!("{server:?}").contains("clients: 0"), "{server:?}");
}

#[test]
fn settings_that_cannot_be_are_refused_before_anything_is_bound() {
    let world = World::default();
    let refused = |server: StartServer, option: &str| {
        let error = world.run(server).unwrap_err();
        let OpenError::Option { name, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(name, option);
    };
    refused(starting(&world).max_connections(0), "max_connections");
    refused(
        starting(&world).idle_timeout(Duration::ZERO),
        "idle_timeout",
    );
    refused(starting(&world).limit(0), "limit");
    refused(starting(&world).watermarks(2, 1), "watermarks");
    assert_eq!(world.bound(), 0);
}

/// A port that cannot be listened on, only bound.
const TAKEN: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    81,
);

#[test]
fn an_address_that_cannot_be_listened_on_closes_the_server() {
    let world = World::default();
    let server = start_server(world.runtime(), &[address(1), TAKEN][..], until_the_end);
    let server = world.run(server.start_serving(false)).unwrap();
    assert_eq!(server.sockets().len(), 2);
    match server.start_serving() {
        Err(OpenError::Listen { address, source }) => {
            assert_eq!(address, Address::from(TAKEN));
            assert_eq!(source.kind(), ErrorKind::AddrInUse);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(server.start_serving(), Err(OpenError::Closed)));
    assert!(server.sockets().is_empty());
    assert!(world.poll(pin!(server.wait_closed())).is_some());
}

#[test]
fn a_stream_server_that_could_not_listen_can_try_again() {
    let world = World::default();
    let server = StreamServer::new(world.runtime(), TAKEN, async |_: Stream| {});
    for _ in 0..2 {
        world.run(server.bind()).unwrap();
        assert!(server.is_bound());
        let error = world.run(server.start_serving()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(!server.is_bound());
        let error = world.run(server.serve_forever()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }
}

#[test]
fn a_stream_server_whose_shutdown_was_dropped_must_end_before_it_is_bound_again() {
    let world = World::default();
    let server = StreamServer::new(world.runtime(), address(1), async |_: Stream| {
        pending::<()>().await;
    })
    .on_handler_error(|_| {});
    world.run(server.start_serving()).unwrap();
    let _peer = world.call();
    assert!(world.poll(pin!(server.shutdown())).is_none());
    assert!(!server.is_bound() && !server.is_serving());
    assert!(server.sockets().is_empty());
    for error in [
        world.run(server.bind()).unwrap_err(),
        world.run(server.start_serving()).unwrap_err(),
        world.run(server.serve_forever()).unwrap_err(),
    ] {
        assert!(matches!(error, OpenError::Closed), "{error}");
    }
    assert_eq!(world.run(server.shutdown()).cancelled, 1);
    world.run(server.start_serving()).unwrap();
    assert!(server.is_bound() && server.is_serving());
}

#[test]
fn a_stream_server_that_is_closed_leaves_its_handlers_alone_and_can_be_bound_when_they_have_ended()
{
    let world = World::default();
    let server = StreamServer::new(world.runtime(), address(1), async |mut stream: Stream| {
        stream.read_to_eof().await.map(drop)
    });
    server.close();
    assert!(world.poll(pin!(server.wait_closed())).is_some());
    for _ in 0..2 {
        world.run(server.start_serving()).unwrap();
        let peer = world.call();
        assert!(world.poll(pin!(server.wait_closed())).is_none());
        server.close();
        assert!(!server.is_bound() && !server.is_serving());
        assert!(world.poll(pin!(server.serve_forever())).is_some());
        assert!(world.poll(pin!(server.wait_closed())).is_none());
        assert!(matches!(world.run(server.bind()), Err(OpenError::Closed)));
        peer.end();
        world.run(server.wait_closed());
    }
    world.run(server.bind()).unwrap();
}
