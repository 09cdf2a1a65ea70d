//! Ending servers, by a clock that the test moves.

mod support;

use std::{
    future::pending,
    io,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::Duration,
};

use futures_lite::future::poll_once;

use millpond::{
    Server, StreamReader, StreamWriter,
    error::{HandlerError, HandlerErrorCause},
    start_server,
    types::{Shutdown, StartServer},
};

use crate::support::{
    Alarm,
    peer::Peer,
    world::{World, address},
};

const STAGE: Duration = Duration::from_secs(5);

const SECOND: Duration = Duration::from_secs(1);

type Reports = Arc<Mutex<Vec<String>>>;

/// What a handler does is what its peer says.
async fn obey(world: World, mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    use millpond::Runtime;
    let line = reader.read_line().await?;
    match &line[..] {
        b"" | b"half a li" => {}
        b"work\n" => {
            world.sleep(2 * SECOND).await;
            writer.write(b"done\n")?;
        }
        b"reply\n" => writer.write(b"a reply\n")?,
        b"stubborn\n" => pending().await,
        b"attentive\n" => {
            let shutdown = writer.shutdown_requested();
            let given_up = writer.transport().shutdown_requested();
            assert!(poll_once(given_up).await.is_none());
            shutdown.await;
            writer.shutdown_requested().await; // it has begun for good
            writer.write(b"going away\n")?;
        }
        b"drain\n" => {
            writer.write(vec![0; 100_000])?;
            writer.drain().await?;
        }
        b"busy at the end\n" => {
            let end = reader.read(1).await?;
            assert_eq!(end, "");
            world.sleep(2 * SECOND).await;
        }
        other => panic!("{other:?}"),
    }
    Ok(())
}

fn starting(world: &World) -> (StartServer, Reports) {
    let reports = Reports::default();
    let reported = reports.clone();
    let inside = world.clone();
    let server = start_server(world.runtime(), address(1), move |reader, writer| {
        obey(inside.clone(), reader, writer)
    })
    .shutdown_timeout(STAGE)
    .on_handler_error(move |error: HandlerError| {
        let cause = match error.cause {
            HandlerErrorCause::Cancelled => "cancelled".to_owned(),
            other @ (HandlerErrorCause::Failed(_) | HandlerErrorCause::Panicked(_) | _) => {
                other.to_string()
            }
        };
        reported.lock().unwrap().push(cause);
    });
    (server, reports)
}

fn serve(world: &World) -> (Server, Reports) {
    let (starting, reports) = starting(world);
    (world.serve(starting), reports)
}

fn call(world: &World, line: &[u8]) -> Peer {
    let peer = world.call();
    peer.send(line);
    world.settle();
    peer
}

/// What a shutdown took, and for how long.
fn shut_down(world: &World, server: &Server) -> (Duration, [usize; 3]) {
    let began = world.time();
    let shutdown = world.run(server.shutdown());
    (world.time() - began, counts(shutdown))
}

fn counts(shutdown: Shutdown) -> [usize; 3] {
    [shutdown.closed, shutdown.cancelled, shutdown.left]
}

#[test]
fn a_server_without_connections_is_shut_down_at_once() {
    let world = World::default();
    let (server, _) = serve(&world);
    assert_eq!(shut_down(&world, &server), (Duration::ZERO, [0, 0, 0]));
    assert_eq!(shut_down(&world, &server), (Duration::ZERO, [0, 0, 0]));
    assert_eq!(world.tasks(), 0);
}

#[test]
fn each_kind_of_handler_is_ended_by_its_stage_and_no_later() {
    // What the handler does, when it has ended, and what that took.
    let kinds: [(bool, &[u8], Duration, [usize; 3]); 9] = [
        (true, b"work\n", 2 * SECOND, [0, 0, 0]),
        (true, b"", Duration::ZERO, [0, 0, 0]),
        (true, b"half a li", STAGE, [1, 0, 0]),
        (true, b"busy at the end\n", 2 * SECOND, [0, 0, 0]),
        (true, b"stubborn\n", 2 * STAGE, [1, 1, 0]),
        (true, b"drain\n", 2 * STAGE, [1, 1, 0]),
        (false, b"work\n", 2 * SECOND, [0, 0, 0]),
        (false, b"", STAGE, [1, 0, 0]),
        (false, b"busy at the end\n", STAGE + 2 * SECOND, [1, 0, 0]),
    ];
    for (end_idle, line, time, counts) in kinds {
        let world = World::default();
        let (starting, reports) = starting(&world);
        let server = world.serve(starting.end_idle_on_shutdown(end_idle));
        let peer = call(&world, b"");
        peer.take(0);
        peer.send(line);
        world.settle();
        if line == b"work\n" {
            peer.take(100);
        }
        let name = String::from_utf8_lossy(line);
        assert_eq!(shut_down(&world, &server), (time, counts), "{name}");
        let cancelled = counts[1] > 0;
        // What is closed properly is not reset any more.
        assert_eq!(peer.was_reset(), line == b"drain\n", "{name}");
        assert_eq!(peer.received_end(), line != b"drain\n", "{name}");
        let expected: &[&str] = if cancelled { &["cancelled"] } else { &[] };
        assert_eq!(*reports.lock().unwrap(), expected, "{name}");
    }
}

#[test]
fn a_handler_sees_a_shutdown_and_finishes_by_itself() {
    let world = World::default();
    let (server, _) = serve(&world);
    let peer = call(&world, b"attentive\n");
    assert_eq!(shut_down(&world, &server), (Duration::ZERO, [0, 0, 0]));
    assert_eq!(peer.received(), b"going away\n");
}

#[test]
fn a_wait_for_a_shutdown_is_woken_when_the_stream_is_closed_instead() {
    let ((reader, writer), _peer) = millpond::pair();
    let mut requested = pin!(writer.transport().shutdown_requested());
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(alarm.clone());
    let cx = &mut Context::from_waker(&waker);
    assert!(requested.as_mut().poll(cx).is_pending());
    drop((reader, writer));
    assert!(alarm.has_rung());
    assert!(requested.as_mut().poll(cx).is_ready());
}

#[test]
fn all_kinds_of_handlers_are_ended_together() {
    let world = World::default();
    let (starting, reports) = starting(&world);
    let server = world.serve(starting.end_idle_on_shutdown(false));
    let worker = call(&world, b"work\n");
    let idle = call(&world, b"");
    let stubborn = call(&world, b"stubborn\n");
    let (time, counts) = shut_down(&world, &server);
    assert_eq!((time, counts), (2 * STAGE, [2, 1, 0]));
    assert_eq!(worker.received(), b"done\n");
    assert!(idle.received_end() && !idle.was_reset());
    assert!(stubborn.received_end());
    assert_eq!(*reports.lock().unwrap(), ["cancelled"]);
}

#[test]
fn what_had_come_before_a_shutdown_is_answered_and_then_the_handler_ends() {
    let world = World::default();
    let server = start_server(
        world.runtime(),
        address(1),
        async |mut reader: StreamReader, mut writer: StreamWriter| {
            loop {
                let line = reader.read_line().await?;
                if line.is_empty() {
                    return io::Result::Ok(());
                }
                writer.write(&line)?;
            }
        },
    );
    let server = world.serve(server);
    let peer = world.call();
    // The handler was not polled since.
    peer.send(b"one\ntwo\n");
    assert_eq!(shut_down(&world, &server), (Duration::ZERO, [0, 0, 0]));
    assert_eq!(peer.received(), b"one\ntwo\n");
    assert!(peer.received_end() && !peer.was_reset());
}

#[test]
fn what_a_handler_left_to_a_peer_that_takes_nothing_does_not_outlive_a_shutdown() {
    let world = World::default();
    let (starting, reports) = starting(&world);
    let server = world.serve(starting.close_timeout(1000 * SECOND));
    let peer = world.call();
    peer.take(3);
    peer.send(b"reply\n");
    world.settle();
    assert_eq!(shut_down(&world, &server), (2 * STAGE, [1, 1, 0]));
    assert_eq!(peer.received(), b"a r");
    assert!(peer.was_reset() && peer.is_released());
    assert_eq!(world.tasks(), 0);
    assert!(reports.lock().unwrap().is_empty(), "no handler suffered");
}

#[test]
fn what_a_handler_left_is_delivered_within_the_stages() {
    let world = World::default();
    let (server, _) = serve(&world);
    let peer = world.call();
    peer.take(3);
    peer.send(b"reply\n");
    world.settle();
    let mut shutdown = pin!(server.shutdown());
    assert!(world.poll(shutdown.as_mut()).is_none());
    world.advance(SECOND);
    peer.take(100);
    world.settle();
    let shutdown = world.poll(shutdown.as_mut()).unwrap();
    assert_eq!(counts(shutdown), [0, 0, 0]);
    assert_eq!(peer.received(), b"a reply\n");
    assert!(!peer.was_reset());
}

#[test]
fn a_handler_that_never_waits_is_left_behind_in_bounded_time() {
    let world = World::default();
    let (server, reports) = serve(&world);
    let peer = call(&world, b"");
    // The accepting task has ended, but the handler is not polled.
    server.close();
    world.settle();
    world.freeze();
    assert_eq!(shut_down(&world, &server), (3 * STAGE, [1, 1, 1]));
    assert!(peer.received_end() || peer.was_reset());
    assert!(reports.lock().unwrap().is_empty());
}

#[test]
fn a_shutdown_can_be_dropped_at_any_time_and_called_again() {
    for millis in (0..16_000).step_by(500) {
        let world = World::default();
        let (server, _) = serve(&world);
        let peers = [&b"work\n"[..], b"", b"stubborn\n"].map(|line| call(&world, line));
        {
            let mut shutdown = pin!(server.shutdown());
            let _dropped = world.poll(shutdown.as_mut());
            let end = Duration::from_millis(millis);
            while world.time() < end {
                world.advance(Duration::from_millis(500));
                if world.poll(shutdown.as_mut()).is_some() {
                    break;
                }
            }
        }
        assert!(!server.is_serving());
        let shutdown = world.run(server.shutdown());
        assert_eq!(shutdown.left, 0);
        assert_eq!(peers[0].received(), b"done\n");
        peers.iter().for_each(Peer::end);
        world.settle();
        assert_eq!(world.tasks(), 0, "after {millis} ms");
        assert!(peers.iter().all(Peer::is_released));
        assert!(peers.iter().all(Peer::received_end));
    }
}

#[test]
fn a_shutdown_that_may_take_no_time_cancels_at_once() {
    let world = World::default();
    let (starting, _) = starting(&world);
    let server = world.serve(starting.shutdown_timeout(Duration::ZERO));
    let _peers = [&b"work\n"[..], b"", b"stubborn\n"].map(|line| call(&world, line));
    let (time, _) = shut_down(&world, &server);
    assert_eq!(time, Duration::ZERO);
    world.settle();
    assert_eq!(counts(world.run(server.shutdown())), [0, 0, 0]);
}

#[test]
fn a_client_accepted_while_the_server_closes_is_not_served() {
    let world = World::default();
    let served = Arc::new(Mutex::new(0));
    let count = served.clone();
    let server = start_server(world.runtime(), address(1), move |_, _| {
        *count.lock().unwrap() += 1;
        async {}
    });
    let server = Arc::new(world.serve(server));
    let closing = server.clone();
    let peer = Peer::default();
    let socket = peer.socket();
    world.come(address(1), move || {
        closing.close();
        Ok(socket)
    });
    assert_eq!(*served.lock().unwrap(), 0);
    let waited = pin!(server.wait_closed());
    assert!(world.poll(waited).is_some());
    world.run(async { world.advance(100 * SECOND) });
    assert!(peer.is_released());
}

#[test]
fn a_server_has_ended_only_when_its_accepting_task_has() {
    let world = World::default();
    let (server, _) = serve(&world);
    server.close();
    // The accepting task may be at work on another thread, with the address in its hands.
    assert_eq!(world.tasks(), 1);
    {
        let mut ended = Box::pin(server.wait_closed());
        let waker = Alarm::default();
        let waker = Waker::from(Arc::new(waker));
        let cx = &mut Context::from_waker(&waker);
        assert!(ended.as_mut().poll(cx).is_pending());
        world.settle();
        assert!(ended.as_mut().poll(cx).is_ready());
    }
    assert_eq!(world.tasks(), 0);
}

#[test]
fn a_runtime_that_ends_closes_its_servers() {
    let world = World::default();
    let (server, _) = serve(&world);
    let peer = call(&world, b"stubborn\n");
    let mut forever = Box::pin(server.serve_forever());
    assert!(world.poll(forever.as_mut()).is_none());
    world.end();
    assert!(world.poll(forever.as_mut()).is_some());
    assert!(!server.is_serving());
    assert!(world.poll(pin!(server.wait_closed())).is_some());
    assert!(peer.is_released());
}

#[test]
fn a_cancelled_wait_for_the_end_leaves_no_waker() {
    let world = World::default();
    let (server, _) = serve(&world);
    let _peer = call(&world, b"stubborn\n");
    let alarm = Arc::new(Alarm::default());
    for _ in 0..10 {
        let waker = Waker::from(alarm.clone());
        let cx = &mut Context::from_waker(&waker);
        let mut closed = Box::pin(server.wait_closed());
        assert!(closed.as_mut().poll(cx).is_pending());
        let mut forever = Box::pin(server.serve_forever());
        assert!(forever.as_mut().poll(cx).is_pending());
        // Both are of one task: the one that stays is still woken.
        drop(closed);
        drop(forever);
    }
    assert_eq!(Arc::strong_count(&alarm), 1);
}

#[test]
fn of_two_that_wait_in_one_task_the_one_that_stays_is_woken() {
    let world = World::default();
    let (server, _) = serve(&world);
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(alarm.clone());
    let cx = &mut Context::from_waker(&waker);
    let mut closed = Box::pin(server.wait_closed());
    let mut forever = Box::pin(server.serve_forever());
    assert!(closed.as_mut().poll(cx).is_pending());
    assert!(forever.as_mut().poll(cx).is_pending());
    drop(closed);
    server.close();
    assert!(alarm.has_rung());
}
