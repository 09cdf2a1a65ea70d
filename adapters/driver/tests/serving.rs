//! Serving, on a runtime whose network is made up.

mod support;

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use futures_lite::future::{self, block_on};
use millpond::{Address, Server, error::HandlerError, start_server};

use crate::support::{
    Handle, Scripted, fails, ready,
    world::{World, address},
};

fn call(world: &World, socket: &Arc<Scripted>) {
    let socket = Handle(socket.clone());
    world.come(address(1), || Ok(Box::new(socket)));
}

#[test]
fn what_a_handler_writes_before_it_waits_leaves_in_one_call() {
    let world = World::default();
    let server = start_server(
        world.runtime(),
        address(1),
        async |mut reader, mut writer| -> io::Result<()> {
            for word in ["one ", "two ", "three"] {
                writer.write_all(word.as_bytes()).await?;
            }
            reader.read(1).await?;
            writer.write(b"never mind")?;
            writer.flush().await?;
            future::pending().await
        },
    );
    let _server = world.serve(server);
    let socket = Scripted::new([Poll::Pending, ready(1)], [ready(13), ready(10)]);
    call(&world, &socket);
    assert_eq!(socket.written(), b"one two three");
    assert_eq!(socket.write_wakers.lock().unwrap().len(), 1, "one call");

    world.wake_all();
    assert_eq!(socket.written(), b"one two threenever mind");
}

#[test]
fn a_handler_that_writes_much_does_not_hold_it_back() {
    let world = World::default();
    let server = start_server(world.runtime(), address(1), async |_, mut writer| {
        writer.write(b"small").unwrap();
        writer.write(vec![0; 100_000]).unwrap();
        assert_eq!(writer.queued(), 0, "both have left while the handler ran");
    });
    let _server = world.serve(server);
    let socket = Scripted::new([], [ready(5), ready(100_000)]);
    call(&world, &socket);
    assert_eq!(socket.written().len(), 100_005);
}

#[test]
fn nothing_is_sent_behind_a_write_that_failed() {
    let world = World::default();
    let server = start_server(world.runtime(), address(1), async |_, mut writer| {
        writer.write(b"held back").unwrap();
        assert_eq!(
            writer.write(vec![0; 10_000]).unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
    });
    let _server = world.serve(server);
    let socket = Scripted::new([], [fails(ErrorKind::BrokenPipe), ready(10_000)]);
    call(&world, &socket);
    assert_eq!(socket.written(), b"");
}

#[test]
fn a_handler_that_returns_fails_or_panics_closes_its_stream_and_others_go_on() {
    let world = World::default();
    let reports = Arc::new(Mutex::new(Vec::new()));
    let reported = reports.clone();
    let server = start_server(
        world.runtime(),
        address(1),
        async |mut reader, mut writer| -> Result<(), &'static str> {
            writer.write(b"x").map_err(|_| "cannot write")?;
            match reader.read(10).await.map_or(0, |data| data.len()) {
                1 => Ok(()),
                2 => Err("two is too many"),
                n => panic!("{n} of them"),
            }
        },
    )
    .on_handler_error(move |error: HandlerError| reported.lock().unwrap().push(error.to_string()));
    let server = world.serve(server);
    for n in 1..=3 {
        let socket = Scripted::new([ready(n), ready(0)], [ready(1)]);
        call(&world, &socket);
        assert_eq!(socket.written(), b"x");
        assert!(socket.closes.load(Ordering::Relaxed) > 0);
        assert_eq!(Arc::strong_count(&socket), 1, "the connection is released");
    }
    let expected = [
        "the handler for an unknown peer failed: two is too many",
        "the handler for an unknown peer panicked: 3 of them",
    ];
    assert_eq!(*reports.lock().unwrap(), expected);
    assert!(server.is_serving());
}

#[test]
fn errors_of_accepting_neither_stop_the_server_nor_spin() {
    let world = World::default();
    let served = Arc::new(Mutex::new(0));
    let count = served.clone();
    let server = start_server(world.runtime(), address(1), move |_, _| {
        *count.lock().unwrap() += 1;
        async {}
    });
    let _server = world.serve(server);
    world.fail(ErrorKind::ConnectionAborted);
    assert!(world.slept().is_empty());
    world.fail(io::Error::from_raw_os_error(24)); // too many open files
    assert_eq!(world.slept().len(), 1);
    call(&world, &Scripted::new([], []));
    assert!(world.go_on());
    assert_eq!(*served.lock().unwrap(), 1);
}

#[test]
fn closing_ends_the_accepting_task_and_waits_for_handlers() {
    let world = World::default();
    let server = start_server(world.runtime(), address(1), async |mut reader, _| {
        let _end = reader.read(1).await;
    });
    let server = world.serve(server);
    let reads = [Poll::Pending, ready(0), ready(0)];
    let socket = Scripted::new(reads, []);
    call(&world, &socket);
    assert_eq!(server.sockets(), [Address::from(address(1))]);

    server.close();
    assert!(server.sockets().is_empty());
    assert!(block_on(server.serve_forever()).is_err(), "it is closed");
    let mut closed = Box::pin(server.wait_closed());
    assert!(
        block_on(future::poll_once(&mut closed)).is_none(),
        "a handler runs"
    );
    world.wake_all();
    assert!(block_on(future::poll_once(&mut closed)).is_some());
    assert_eq!(world.tasks(), 0);
}

#[test]
fn addresses_that_this_machine_lacks_are_left_out_if_one_is_left() {
    let listen = |addresses: &[SocketAddr]| {
        let world = World::default();
        world.run(start_server(world.runtime(), addresses, async |_, _| {}))
    };
    let elsewhere = SocketAddr::from(([198, 51, 100, 1], 80));
    let server = listen(&[elsewhere, address(1)]).unwrap();
    assert_eq!(server.sockets(), [Address::from(address(1))]);

    let error = listen(&[elsewhere]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot listen on 198.51.100.1:80: ")
    );
    let taken = SocketAddr::new(address(1).ip(), 81);
    let error = listen(&[address(1), taken]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

/// A server whose handler sends ten bytes, reads nothing, and returns.
fn serve_curtly(world: &World, close_timeout: Option<Duration>) -> Server {
    let server = start_server(world.runtime(), address(1), async |_, mut writer| {
        writer.write(b"go away! \n")
    });
    world.serve(match close_timeout {
        Some(timeout) => server.close_timeout(timeout),
        None => server,
    })
}

/// What is set as close timeout, and how long that is.
const CLOSE_TIMEOUTS: [(Option<Duration>, Duration); 2] = [
    (None, Duration::from_secs(30)),
    (Some(Duration::from_millis(7)), Duration::from_millis(7)),
];

#[test]
fn what_a_peer_still_sends_is_dropped_until_it_ends_so_that_it_can_read_what_it_was_sent() {
    let world = World::default();
    let _server = serve_curtly(&world, None);
    let reads = [ready(5), ready(100), Poll::Pending, ready(7), ready(0)];
    let socket = Scripted::new(reads, [ready(10)]);
    call(&world, &socket);
    assert!(socket.closes.load(Ordering::Relaxed) > 0);
    assert_eq!(Arc::strong_count(&socket), 2, "not released");
    world.wake_all();
    assert_eq!(Arc::strong_count(&socket), 1, "released");
}

#[test]
fn a_peer_that_neither_sends_nor_ends_is_waited_for_half_a_minute_or_as_long_as_is_set() {
    for (close_timeout, time) in CLOSE_TIMEOUTS {
        let world = World::default();
        let _server = serve_curtly(&world, close_timeout);
        let socket = Scripted::new([], [ready(10)]);
        call(&world, &socket);
        assert_eq!(Arc::strong_count(&socket), 2, "not released");
        world.advance(time);
        assert_eq!(Arc::strong_count(&socket), 1, "released");
        assert_eq!(world.slept(), [time]);
    }
}

#[test]
fn a_peer_is_not_waited_for_if_there_is_no_time_to_close() {
    let world = World::default();
    let _server = serve_curtly(&world, Some(Duration::ZERO));
    let quiet = Scripted::new([], [ready(10)]);
    call(&world, &quiet);
    assert_eq!(quiet.written(), b"go away! \n");
    assert!(quiet.closes.load(Ordering::Relaxed) > 0);
    assert_eq!(Arc::strong_count(&quiet), 1, "released at once");

    let busy = Scripted::new([], [ready(4)]);
    call(&world, &busy);
    assert_eq!(busy.aborts.load(Ordering::Relaxed), 1);
    assert_eq!(Arc::strong_count(&busy), 1, "released at the first look");
    assert!(world.slept().is_empty());
}

#[test]
fn a_peer_that_floods_a_closed_connection_is_not_read_for_ever() {
    let world = World::default();
    let _server = serve_curtly(&world, None);
    let socket = Scripted::new((0..1000).map(|_| ready(64 * 1024)), [ready(10)]);
    call(&world, &socket);
    assert_eq!(Arc::strong_count(&socket), 1, "released");
}

#[test]
fn a_peer_that_takes_nothing_is_reset_after_half_a_minute_or_as_long_as_is_set() {
    for (close_timeout, time) in CLOSE_TIMEOUTS {
        let world = World::default();
        let _server = serve_curtly(&world, close_timeout);
        let socket = Scripted::new([], [Poll::Pending, ready(4)]);
        call(&world, &socket);
        world.wake_all();
        assert_eq!(socket.written(), b"go a");
        assert_eq!(Arc::strong_count(&socket), 2, "not released");
        world.advance(time);
        assert_eq!(socket.aborts.load(Ordering::Relaxed), 1);
        assert_eq!(Arc::strong_count(&socket), 1, "released");
        let slept = world.slept();
        assert!(!slept.is_empty() && slept.iter().all(|it| *it == time));
    }
}
