//! Ending a server that is at work.

use std::{
    future::pending,
    io,
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures_channel::{mpsc, oneshot};
use futures_util::{
    FutureExt, StreamExt,
    future::{Either, join_all, select},
};
use millpond::{
    Server, StreamReader, StreamWriter, adapter::ConnectOptions, error::HandlerErrorCause,
    types::StartServer,
};

use crate::{data, polling::interrupted, setup::Setup};

const VOLUME: usize = 8 * 1024 * 1024;

/// Made once: it takes a while, and would keep a runtime from its other work.
static MUCH: LazyLock<Vec<u8>> = LazyLock::new(|| data::bytes(1, VOLUME));

/// A stage for handlers that do not end by themselves.
const STAGE: Duration = Duration::from_secs(1);

/// A stage that is longer than any test.
const LONG: Duration = Duration::from_secs(600);

/// A stage that is over before the time that a handshake has: if one is waited for, it takes the next
/// stage to end it.
const SHORT_OF_A_HANDSHAKE: Duration = Duration::from_secs(20);

/// Does what the client says.
async fn obey(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    loop {
        let line = reader.read_line().await?;
        match &line[..] {
            b"" => return Ok(()),
            b"much\n" => writer.write(MUCH.as_slice())?,
            b"return\n" => return Ok(()),
            b"stubborn\n" => {
                writer.write(&line)?;
                pending().await
            }
            line => writer.write(line)?,
        }
    }
}

fn serve(setup: &mut Setup, stage: Duration) -> StartServer {
    setup
        .serve(obey)
        .shutdown_timeout(stage)
        .on_handler_error(|_| {})
}

/// A client whose handler has begun to run.
async fn client(setup: &Setup, server: &Server, line: &[u8]) -> (StreamReader, StreamWriter) {
    let (mut reader, mut writer) = setup.client(server).await;
    writer.write(b"hello\n").unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "hello\n");
    writer.write(line).unwrap();
    (reader, writer)
}

/// A client whose handler never ends, and has begun with that.
async fn stubborn_client(setup: &Setup, server: &Server) -> (StreamReader, StreamWriter) {
    let (mut reader, writer) = client(setup, server, b"stubborn\n").await;
    assert_eq!(reader.read_line().await.unwrap(), "stubborn\n");
    (reader, writer)
}

/// A client that has the first byte of much, and whose handler has returned or is about to.
async fn client_of_much(setup: &Setup, server: &Server) -> (StreamReader, StreamWriter) {
    let (mut reader, writer) = client(setup, server, b"much\nreturn\n").await;
    assert_eq!(reader.read_exactly(1).await.unwrap(), MUCH[..1]);
    (reader, writer)
}

/// Takes little at a time.
async fn read_slowly(setup: &Setup, reader: &mut StreamReader) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let piece = reader.read(256 * 1024).await.unwrap();
        if piece.is_empty() {
            return all;
        }
        all.extend_from_slice(&piece);
        setup.sleep(2).await;
    }
}

pub(crate) async fn a_server_without_connections_is_shut_down_at_once(mut setup: Setup) {
    let server = serve(&mut setup, LONG).await.unwrap();
    let shutdown = server.shutdown().await;
    assert_eq!(
        (shutdown.closed, shutdown.cancelled, shutdown.left),
        (0, 0, 0)
    );
    assert!(!server.is_serving());
}

pub(crate) async fn what_busy_handlers_write_is_delivered_by_a_shutdown(mut setup: Setup) {
    let server = serve(&mut setup, LONG).await.unwrap();
    let (mut reader, mut writer) = client_of_much(&setup, &server).await;
    writer.write([b'x'; 1000]).unwrap(); // never read
    let shutting = setup.spawn(async move {
        let shutdown = server.shutdown().await;
        (shutdown.closed, shutdown.cancelled, shutdown.left)
    });
    let got = read_slowly(&setup, &mut reader).await;
    data::assert_same(&got, &MUCH[1..]);
    assert_eq!(shutting.await, (0, 0, 0));
}

pub(crate) async fn handlers_that_wait_for_a_next_request_are_ended_at_once(mut setup: Setup) {
    let server = serve(&mut setup, LONG).await.unwrap();
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(client(&setup, &server, b"").await);
    }
    let began = setup.runtime.now();
    let shutdown = server.shutdown().await;
    assert!(setup.runtime.now() - began < LONG);
    assert_eq!(
        (shutdown.closed, shutdown.cancelled, shutdown.left),
        (0, 0, 0)
    );
    for (reader, _) in &mut clients {
        assert_eq!(reader.read_to_eof().await.unwrap(), "");
    }
}

/// Over TLS, it has not begun its handshake.
pub(crate) async fn a_client_that_has_sent_nothing_is_not_waited_for(mut setup: Setup) {
    let server = serve(&mut setup, SHORT_OF_A_HANDSHAKE).await.unwrap();
    let options = ConnectOptions::default();
    let connecting = setup.runtime.connect(&server.sockets()[0], &options);
    let socket = connecting.await.unwrap();
    setup.until_there_are(1, &server).await;
    let shutdown = server.shutdown().await;
    assert_eq!((shutdown.closed, shutdown.cancelled), (0, 0));
    drop(socket);
}

/// It answers, and ends when it comes back for the next one.
pub(crate) async fn a_handler_in_the_middle_of_a_request_gets_the_time(mut setup: Setup) {
    let (begun, mut begins) = mpsc::unbounded();
    let (finish, finished) = oneshot::channel::<()>();
    let finished = finished.shared();
    let server = setup.serve(move |mut reader: StreamReader, mut writer: StreamWriter| {
        let (begun, finished) = (begun.clone(), finished.clone());
        async move {
            loop {
                let line = reader.read_line().await?;
                if line.is_empty() {
                    return io::Result::Ok(());
                }
                begun.unbounded_send(()).unwrap();
                finished.clone().await.unwrap();
                writer.write(&line)?;
            }
        }
    });
    let server = server.shutdown_timeout(LONG).await.unwrap();
    let (mut reader, mut writer) = setup.client(&server).await;
    writer.write(b"a request\n").unwrap();
    begins.next().await.unwrap();
    let shutting = setup.spawn(async move { server.shutdown().await });
    setup.sleep(10).await;
    finish.send(()).unwrap();
    assert_eq!(reader.read_to_eof().await.unwrap(), "a request\n");
    let shutdown = shutting.await;
    assert_eq!((shutdown.closed, shutdown.cancelled), (0, 0));
}

pub(crate) async fn idle_handlers_that_are_left_alone_are_ended_by_the_second_stage(
    mut setup: Setup,
) {
    // A machine may be too busy for a stage once in a while.
    for _ in 0..10 {
        let server = serve(&mut setup, STAGE).end_idle_on_shutdown(false);
        let server = server.await.unwrap();
        let mut clients = Vec::new();
        for _ in 0..10 {
            clients.push(client(&setup, &server, b"").await);
        }
        let began = setup.runtime.now();
        let shutdown = server.shutdown().await;
        assert!(setup.runtime.now() - began >= STAGE);
        assert_eq!((shutdown.closed, shutdown.left), (10, 0));
        if shutdown.cancelled == 0 {
            for (reader, _) in &mut clients {
                assert_eq!(reader.read_to_eof().await.unwrap(), "");
            }
            return;
        }
    }
    panic!("some are cancelled each time");
}

pub(crate) async fn handlers_that_wait_for_ever_are_cancelled_and_reported(mut setup: Setup) {
    let (report, mut reports) = mpsc::unbounded();
    let server = serve(&mut setup, STAGE).on_handler_error(move |error| {
        report.unbounded_send(error.cause).unwrap();
    });
    let server = server.await.unwrap();
    let (mut reader, _writer) = stubborn_client(&setup, &server).await;
    let began = setup.runtime.now();
    let shutdown = server.shutdown().await;
    assert!(setup.runtime.now() - began >= 2 * STAGE);
    assert_eq!((shutdown.closed, shutdown.cancelled), (1, 1));
    let cause = reports.next().await.unwrap();
    assert!(matches!(cause, HandlerErrorCause::Cancelled), "{cause:?}");
    let _ended = reader.read_to_eof().await;
    server.wait_closed().await;
}

pub(crate) async fn a_client_that_takes_nothing_does_not_hold_up_a_shutdown(mut setup: Setup) {
    let server = serve(&mut setup, STAGE).close_timeout(LONG).await.unwrap();
    let (mut reader, _writer) = client_of_much(&setup, &server).await;
    let shutdown = server.shutdown().await;
    assert_eq!((shutdown.closed, shutdown.cancelled), (1, 1));
    server.wait_closed().await; // in a moment, though a busy machine may need more than a stage
    // It comes to an end, of whichever kind.
    let got = reader.read_to_eof().await;
    assert!(got.map_or(0, |all| all.len()) < VOLUME);
}

pub(crate) async fn a_shutdown_can_be_dropped_at_any_await_and_called_again(mut setup: Setup) {
    for times in 1..4 {
        let server = serve(&mut setup, STAGE).await.unwrap();
        let (mut reader, _writer) = stubborn_client(&setup, &server).await;
        let _dropped = interrupted(times, || {}, server.shutdown()).await;
        assert!(!server.is_serving());
        server.shutdown().await;
        let _ended = reader.read_to_eof().await;
        server.wait_closed().await;
    }
}

/// Each either connects and is ended properly, or is not served at all.
pub(crate) async fn a_server_can_be_shut_down_in_a_flood_of_connections(mut setup: Setup) {
    for round in 0..10 {
        // Handlers have one, also those that are cancelled.
        let running = Arc::new(());
        let run = running.clone();
        let server = setup.serve(move |mut reader: StreamReader, _| {
            let running = run.clone();
            async move {
                let _end = reader.read_to_eof().await;
                drop(running);
            }
        });
        let server = server
            .shutdown_timeout(Duration::from_millis(5))
            .await
            .unwrap();
        let address = server.sockets()[0].clone();
        let flood = join_all((0..30).map(|_| async {
            if let Ok((mut reader, _writer)) = setup.open(&address).await {
                let _ended = reader.read_to_eof().await;
            }
        }));
        let shutting = async {
            setup.sleep(round / 3).await;
            let _took = server.shutdown().await;
            server.wait_closed().await;
            // The closure has one, and this.
            Arc::strong_count(&running) - 2
        };
        let (shutting, flood) = (std::pin::pin!(shutting), std::pin::pin!(flood));
        match select(shutting, flood).await {
            Either::Left((still_running, flood)) => {
                assert_eq!(still_running, 0);
                flood.await;
            }
            Either::Right((_, shutting)) => assert_eq!(shutting.await, 0),
        }
        let again = setup.serve_at(&address, obey).await.unwrap();
        assert_eq!(again.sockets()[0], address, "it is free");
    }
}

pub(crate) async fn wait_closed_waits_for_a_slow_client_to_get_everything(mut setup: Setup) {
    let server = serve(&mut setup, LONG).await.unwrap();
    let (mut reader, _writer) = client_of_much(&setup, &server).await;
    server.close();
    setup.stays_pending(server.wait_closed()).await;
    let waiting = setup.spawn(async move { server.wait_closed().await });
    let got = read_slowly(&setup, &mut reader).await;
    data::assert_same(&got, &MUCH[1..]);
    waiting.await;
}

/// What a handler has not read does not destroy what it wrote, even if more comes all the time.
pub(crate) async fn a_slow_client_that_keeps_sending_gets_everything(mut setup: Setup) {
    let server = serve(&mut setup, LONG).await.unwrap();
    let (mut reader, mut writer) = client_of_much(&setup, &server).await;
    let inside = setup.runtime.clone();
    let sending = setup.spawn(async move {
        // It sends on until long after the server has closed its side.
        for _ in 0..400 {
            if writer.write(vec![b'x'; 10_000]).is_err() || writer.drain().await.is_err() {
                break;
            }
            inside.sleep(Duration::from_millis(1)).await;
        }
    });
    let got = read_slowly(&setup, &mut reader).await;
    data::assert_same(&got, &MUCH[1..]);
    sending.await;
}

pub(crate) async fn close_clients_ends_handlers_and_goes_on_accepting(mut setup: Setup) {
    let server = serve(&mut setup, LONG).await.unwrap();
    let mut before = client(&setup, &server, b"").await;
    server.close_clients();
    assert_eq!(before.0.read_to_eof().await.unwrap(), "");
    assert!(server.is_serving());
    let (mut reader, mut writer) = client(&setup, &server, b"").await;
    writer.write(b"still here\n").unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "still here\n");
    server.close();
    server.close_clients();
    server.wait_closed().await;
    assert_eq!(reader.read_to_eof().await.unwrap(), "");
}

pub(crate) async fn abort_clients_delivers_nothing_more(mut setup: Setup) {
    let server = serve(&mut setup, LONG).await.unwrap();
    let (mut reader, _writer) = client(&setup, &server, b"much\n").await;
    setup.sleep(20).await;
    server.close();
    server.abort_clients();
    server.wait_closed().await;
    assert!(reader.read_to_eof().await.map_or(0, |all| all.len()) < VOLUME);
}
