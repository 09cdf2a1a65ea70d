//! Servers whose connections are taken one by one, without a handler.

use std::{future::IntoFuture, time::Duration};

use futures_util::{
    StreamExt,
    future::{join, join_all},
};
use millpond::{ReadError, Server, WriteError};

use crate::{
    data,
    polling::{interrupted, poll_once, yield_now},
    setup::{Setup, Stream, whole},
};

/// A client, and the stream that the server has for it.
async fn connect(setup: &Setup, server: &Server) -> (Stream, millpond::Stream) {
    let (client, taken) = join(setup.client(server), server.accept()).await;
    (client, taken.unwrap())
}

/// Whichever of several clients it is.
async fn assert_connected(client: &mut Stream, taken: &mut millpond::Stream) {
    client.1.write(b"hello\n").unwrap();
    assert_eq!(taken.read_line().await.unwrap(), "hello\n");
    taken.write(b"hello yourself\n").unwrap();
    assert_eq!(client.0.read_line().await.unwrap(), "hello yourself\n");
}

/// Sends a number, and waits for the next.
async fn ask(setup: &Setup, server: &Server, number: u8) {
    let (mut reader, mut writer) = setup.client(server).await;
    writer.write([number]).unwrap();
    let answer = reader.read_exactly(1).await.unwrap();
    assert_eq!(answer[0], number + 1);
}

async fn answer(mut stream: millpond::Stream) -> u8 {
    let number = stream.read_exactly(1).await.unwrap()[0];
    stream.write([number + 1]).unwrap();
    number
}

pub(crate) async fn a_stream_is_taken_and_is_that_of_the_client(mut setup: Setup) {
    let server = setup.listen().await.unwrap();
    let (mut client, mut taken) = connect(&setup, &server).await;
    let local = client.1.extra_info().local_addr.clone();
    let peer = taken.extra_info().peer_addr.clone();
    if let (Some(local), Some(peer)) = (local, peer) {
        assert_eq!(local.to_string(), peer.to_string());
    }
    assert_connected(&mut client, &mut taken).await;
    let sent = data::bytes(1, 1 << 20);
    taken.write(&sent).unwrap();
    drop(taken);
    data::assert_same(&client.0.read_to_eof().await.unwrap(), &sent);
}

pub(crate) async fn each_connection_is_taken_once(mut setup: Setup) {
    let server = setup.listen().await.unwrap();
    let clients = join_all((0..40).map(|number| ask(&setup, &server, number)));
    let serving = server.incoming().take(40).map(answer);
    let serving = serving.buffer_unordered(40).collect::<Vec<_>>();
    let (_, mut numbers) = join(clients, serving).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
}

pub(crate) async fn several_tasks_take_streams_at_once(mut setup: Setup) {
    let server = setup.listen().await.unwrap();
    let clients = join_all((0..40).map(|number| ask(&setup, &server, number)));
    let serving = join_all((0..4).map(|_| async {
        let mut numbers = Vec::new();
        while let Some(stream) = server.accept().await {
            numbers.push(answer(stream).await);
        }
        numbers
    }));
    let serving = join(serving, async {
        clients.await;
        server.close();
    });
    let mut numbers = serving.await.0.concat();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
}

pub(crate) async fn a_call_that_is_given_up_anywhere_loses_no_stream(mut setup: Setup) {
    let server = setup.listen().await.unwrap();
    for number in 0..20 {
        let serving = async {
            let mut polls = 1;
            loop {
                if let Some(stream) = interrupted(polls, || (), server.accept()).await {
                    return answer(stream.unwrap()).await;
                }
                polls = 3 - polls;
                yield_now().await;
            }
        };
        let (_, answered) = join(ask(&setup, &server, number), serving).await;
        assert_eq!(answered, number);
    }
    assert!(poll_once(server.accept()).is_pending());
}

pub(crate) async fn a_stream_that_was_taken_is_counted_until_it_is_dropped(mut setup: Setup) {
    let server = setup.listen().max_connections(1).await.unwrap();
    let (mut first, mut taken) = connect(&setup, &server).await;
    let mut second = Box::pin(connect(&setup, &server));
    setup.stays_pending(&mut second).await;
    assert_connected(&mut first, &mut taken).await;
    let (reader, mut writer) = taken.into_split();
    writer.close();
    drop(writer);
    setup.stays_pending(&mut second).await;
    drop(reader);
    let (mut second, mut taken) = second.await;
    assert_connected(&mut second, &mut taken).await;
}

pub(crate) async fn streams_go_on_when_their_server_is_closed(mut setup: Setup) {
    let server = setup.listen().await.unwrap();
    let (mut client, mut taken) = connect(&setup, &server).await;
    server.close();
    assert!(server.accept().await.is_none());
    assert_connected(&mut client, &mut taken).await;
    setup.stays_pending(server.wait_closed()).await;
    taken.write(b"last words").unwrap();
    drop(taken);
    assert_eq!(client.0.read_to_eof().await.unwrap(), "last words");
    drop(client);
    server.wait_closed().await;
}

pub(crate) async fn calls_that_wait_end_with_their_server(mut setup: Setup) {
    let server = setup.listen().await.unwrap();
    let calls = join_all((0..3).map(|_| server.accept()));
    let close = async {
        setup.sleep(5).await;
        server.close();
    };
    let (answers, ()) = join(calls, close).await;
    assert!(answers.iter().all(Option::is_none));
    server.wait_closed().await;
}

pub(crate) async fn a_shutdown_ends_reads_of_idle_streams_that_were_taken(mut setup: Setup) {
    let server = setup.listen().await.unwrap();
    let (mut client, mut taken) = connect(&setup, &server).await;
    let serving = async move {
        assert_eq!(taken.read_line().await, Ok("".into()));
        taken.write(b"good-bye").unwrap();
    };
    let client = async move {
        assert_eq!(client.0.read_to_eof().await.unwrap(), "good-bye");
    };
    let (shutdown, ((), ())) = join(server.shutdown(), join(serving, client)).await;
    assert_eq!((shutdown.closed, shutdown.cancelled), (0, 0));
}

pub(crate) async fn a_shutdown_resets_streams_that_are_kept_for_too_long(mut setup: Setup) {
    let starting = setup.listen().end_idle_on_shutdown(false);
    let starting = starting.shutdown_timeout(Duration::from_millis(50));
    let server = starting.await.unwrap();
    let (client, mut taken) = connect(&setup, &server).await;
    let shutdown = server.shutdown().await;
    assert_eq!((shutdown.closed, shutdown.left), (1, 0));
    assert!(taken.is_closing());
    assert_eq!(taken.write(b"too late"), Err(WriteError::Closed));
    drop(client);
}

pub(crate) async fn what_is_not_taken_does_not_hold_up_a_shutdown(mut setup: Setup) {
    let server = setup.listen().await.unwrap();
    let opening = setup.open(&server.sockets()[0]).into_future();
    let client = setup.spawn(async move {
        if let Ok((mut reader, _writer)) = opening.await {
            let _ = reader.read_to_eof().await;
        }
    });
    let mut waits = Box::pin(server.accept());
    assert!(poll_once(&mut waits).is_pending());
    setup.until_there_are(1, &server).await;
    drop(waits);
    let shutdown = server.shutdown().await;
    assert_eq!((shutdown.closed, shutdown.cancelled), (0, 0));
    assert!(server.accept().await.is_none());
    client.await;
}

pub(crate) async fn streams_have_the_options_of_their_server(mut setup: Setup) {
    let server = setup.listen().limit(4).await.unwrap();
    let (mut client, mut taken) = connect(&setup, &server).await;
    assert_eq!(taken.limit(), 4);
    client.1.write(b"too long\n").unwrap();
    let overrun = taken.read_line().await.unwrap_err();
    assert!(
        matches!(overrun, ReadError::LimitOverrun { .. }),
        "{overrun:?}"
    );
}

pub(crate) async fn clients_that_have_left_are_taken_like_others(mut setup: Setup) {
    let server = setup.listen().await.unwrap();
    let (client, mut taken) = connect(&setup, &server).await;
    let mut client = whole(client);
    client.write(b"I must go").unwrap();
    drop(client);
    assert_eq!(taken.read_exactly(9).await.unwrap(), "I must go");
    assert!(taken.read(1).await.is_ok_and(|end| end.is_empty()));
}
