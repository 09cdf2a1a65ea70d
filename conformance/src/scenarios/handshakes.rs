//! Handshakes that go wrong, or nowhere, and what servers and clients make of them.

use std::{
    future::IntoFuture,
    io::{self, ErrorKind},
    net::SocketAddr,
    time::Duration,
};

use futures_channel::mpsc;
use futures_util::{
    StreamExt,
    future::{join, join_all},
};
use millpond::{
    OpenError, ReadError, Server, StreamReader, StreamWriter, TlsAcceptor, error::TlsError,
    types::StartServer,
};

use crate::{
    certificates, data,
    polling::interrupted,
    setup::{Setup, Stream},
};

/// For what is to end by itself.
const SHORT: Duration = Duration::from_millis(100);

/// For what is to be ended by something else.
const LONG: Duration = Duration::from_secs(600);

/// Less than a handshake may take by default.
const SOON: Duration = Duration::from_secs(59);

/// The first bytes of a handshake: that it is one, the version, and that 512 bytes follow.
const BEGINNING: &[u8] = &[0x16, 3, 1, 2, 0];

type Failures = mpsc::UnboundedReceiver<TlsError>;

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    loop {
        let line = reader.read_line().await?;
        if line.is_empty() {
            return Ok(());
        }
        writer.write(&line)?;
    }
}

/// A server, and its reports of handshakes that failed.
fn serve(setup: &mut Setup, tls: TlsAcceptor) -> (StartServer, Failures) {
    let (failed, failures) = mpsc::unbounded();
    let starting = setup
        .serve(echo)
        .tls(tls)
        .on_handshake_error(move |peer, error| {
            assert!(peer.is_some());
            let _ = failed.unbounded_send(error.clone());
        });
    (starting, failures)
}

async fn start(setup: &mut Setup, tls: TlsAcceptor) -> (Server, SocketAddr, Failures) {
    let (starting, failures) = serve(setup, tls);
    let server = starting.await.unwrap();
    let address = server.sockets()[0].tcp().unwrap();
    (server, address, failures)
}

async fn open(setup: &Setup, address: SocketAddr) -> Stream {
    let opening = setup.open(address).tls(certificates::connector());
    opening.await.unwrap()
}

async fn assert_echoes((reader, writer): &mut Stream) {
    writer.write(b"hello\n").unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "hello\n");
}

async fn assert_serves(setup: &Setup, address: SocketAddr) {
    assert_echoes(&mut open(setup, address).await).await;
}

/// A client that begins a handshake and does nothing more, and is at it.
async fn stall(setup: &Setup, server: &Server) -> Stream {
    let (reader, mut writer) = setup.open(&server.sockets()[0]).await.unwrap();
    writer.write(BEGINNING).unwrap();
    setup.sleep(20).await;
    (reader, writer)
}

/// Reads to the end, of whichever kind.
async fn end_of(stream: &mut Stream) {
    while let Ok(some) = stream.0.read(1000).await {
        if some.is_empty() {
            return;
        }
    }
}

/// Of a handshake that the peer had begun.
#[track_caller]
fn kind(failure: &TlsError) -> ErrorKind {
    assert!(matches!(failure, TlsError::Handshake { .. }), "{failure:?}");
    failure.kind()
}

/// Of one of which the peer has not sent a byte.
#[track_caller]
fn kind_of_silence(failure: &TlsError) -> ErrorKind {
    let never_began = matches!(failure, TlsError::NeverBegan { .. });
    assert!(never_began, "{failure:?}");
    failure.kind()
}

pub(crate) async fn a_failed_handshake_is_reported_and_the_server_goes_on(mut setup: Setup) {
    let (_server, address, mut failures) = start(&mut setup, certificates::acceptor()).await;
    let mut nonsense = vec![
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        vec![0; 100],
        vec![0xff; 20_000],
        [BEGINNING, &[0xff; 512][..]].concat(),
    ];
    nonsense.extend((0..10).map(|seed| data::bytes(seed, 1000)));
    for bytes in nonsense {
        let mut stream = setup.open(address).await.unwrap();
        stream.1.write(&bytes).unwrap();
        stream.1.write_eof().unwrap_or_default();
        end_of(&mut stream).await;
        let failure = failures.next().await.unwrap();
        let expected = [ErrorKind::InvalidData, ErrorKind::UnexpectedEof];
        assert!(expected.contains(&kind(&failure)), "{failure:?}");
        assert_serves(&setup, address).await;
    }
}

/// What it has sent too much must not destroy it.
pub(crate) async fn a_client_without_tls_gets_an_alert(mut setup: Setup) {
    const FATAL_ALERT: &[u8] = b"\x15\x03\x03\x00\x02\x02";
    let (_server, address, mut failures) = start(&mut setup, certificates::acceptor()).await;
    for len in [100, 10_000, 1_000_000] {
        let (mut reader, mut writer) = setup.open(address).await.unwrap();
        writer.write(vec![b'x'; len]).unwrap();
        let answer = reader.read_to_eof().await.unwrap();
        assert!(answer.starts_with(FATAL_ALERT), "{len}: {answer:?}");
        let failure = failures.next().await.unwrap();
        assert_eq!(kind(&failure), ErrorKind::InvalidData);
        let text = failure.to_string();
        assert!(text.contains("the peer does not speak TLS"), "{text}");
        assert!(failure.rustls().is_some(), "{failure:?}");
    }
}

pub(crate) async fn a_client_that_leaves_in_the_handshake_is_reported(mut setup: Setup) {
    let (server, address, mut failures) = start(&mut setup, certificates::acceptor()).await;
    for len in 0..=BEGINNING.len() {
        for abort in [false, true] {
            let (_reader, mut writer) = setup.open(address).await.unwrap();
            writer.write(&BEGINNING[..len]).unwrap();
            // A client that is gone before it was accepted may never be seen.
            setup.until_there_are(1, &server).await;
            if abort {
                writer.abort();
            } else {
                writer.close();
            }
            let failure = failures.next().await.unwrap();
            match (len, abort) {
                (0, _) => kind_of_silence(&failure),
                (_, false) => kind(&failure),
                // The last bytes may be destroyed with the connection.
                (_, true) => failure.kind(),
            };
            setup.until_there_are(0, &server).await;
        }
    }
    assert_serves(&setup, address).await;
    server.close();
    server.wait_closed().await;
}

pub(crate) async fn a_server_without_tls_is_no_peer_for_a_client_with_it(mut setup: Setup) {
    let talk = async |_, mut writer: StreamWriter| {
        writer.write(b"220 speak, friend, and enter\r\n").unwrap();
    };
    let server = setup.serve(talk).await.unwrap();
    let opening = setup.open(&server.sockets()[0]);
    match opening.tls(certificates::connector()).await {
        Err(OpenError::Tls { source }) => {
            assert_eq!(kind(&source), ErrorKind::InvalidData);
            let text = source.to_string();
            assert!(text.contains("the peer does not speak TLS"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_server_that_leaves_in_the_handshake_is_an_error(mut setup: Setup) {
    for abort in [false, true] {
        let leave = move |mut reader: StreamReader, mut writer: StreamWriter| async move {
            reader.read(1).await.unwrap();
            if abort {
                writer.abort();
            }
        };
        let server = setup.serve(leave).await.unwrap();
        let opening = setup.open(&server.sockets()[0]);
        let failed = opening.tls(certificates::connector()).await.unwrap_err();
        let expected = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
        assert!(expected.contains(&failed.kind()), "{failed:?}");
    }
}

pub(crate) async fn a_stalled_handshake_does_not_block_other_clients(mut setup: Setup) {
    let (server, address, failures) = start(&mut setup, certificates::acceptor()).await;
    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(stall(&setup, &server).await);
    }
    join_all((0..10).map(|_| assert_serves(&setup, address))).await;
    server.abort_clients();
    assert_eq!(failures.take(20).collect::<Vec<_>>().await.len(), 20);
}

pub(crate) async fn a_stalled_handshake_ends_in_time(mut setup: Setup) {
    let tls = certificates::acceptor().handshake_timeout(SHORT);
    let (server, address, mut failures) = start(&mut setup, tls).await;
    let began = setup.runtime.now();
    let mut stalled = stall(&setup, &server).await;
    end_of(&mut stalled).await;
    let took = setup.runtime.now() - began;
    assert!((SHORT..SOON).contains(&took), "{took:?}");
    let failure = failures.next().await.unwrap();
    assert_eq!(kind(&failure), ErrorKind::TimedOut);
    assert!(failure.to_string().contains("100ms"), "{failure}");

    // A handler may take longer.
    let mut stream = open(&setup, address).await;
    setup.sleep(150).await;
    assert_echoes(&mut stream).await;
}

/// As load balancers and port scanners look at servers.
pub(crate) async fn a_client_that_sends_nothing_has_an_error_of_its_own(mut setup: Setup) {
    let tls = certificates::acceptor().handshake_timeout(SHORT);
    let (_server, address, mut failures) = start(&mut setup, tls).await;
    let mut silent = setup.open(address).await.unwrap();
    end_of(&mut silent).await;
    let failure = failures.next().await.unwrap();
    assert_eq!(kind_of_silence(&failure), ErrorKind::TimedOut);
    let text = failure.to_string();
    assert!(text.contains("never began"), "{text}");
    // Not so a client that sends something, be it one byte or wrong.
    for beginning in [&BEGINNING[..1], b"\n"] {
        let mut stream = setup.open(address).await.unwrap();
        stream.1.write(beginning).unwrap();
        end_of(&mut stream).await;
        kind(&failures.next().await.unwrap());
    }
}

pub(crate) async fn a_client_that_feeds_a_handshake_drop_by_drop_ends_in_time(mut setup: Setup) {
    let tls = certificates::acceptor().handshake_timeout(SHORT);
    let (_server, address, mut failures) = start(&mut setup, tls).await;
    let (_reader, mut writer) = setup.open(address).await.unwrap();
    writer.write(BEGINNING).unwrap();
    let began = setup.runtime.now();
    while writer.write([0]).is_ok() {
        let took = setup.runtime.now() - began;
        assert!(took < SOON, "it still takes bytes");
        setup.sleep(5).await;
    }
    assert_eq!(kind(&failures.next().await.unwrap()), ErrorKind::TimedOut);
}

pub(crate) async fn a_stalled_handshake_counts_as_a_connection(mut setup: Setup) {
    let (starting, mut failures) = serve(&mut setup, certificates::acceptor());
    let server = starting.max_connections(1).await.unwrap();
    let address = server.sockets()[0].tcp().unwrap();
    let mut stalled = stall(&setup, &server).await;
    let waiting = open(&setup, address);
    let mut waiting = Box::pin(waiting);
    setup.stays_pending(&mut waiting).await;
    stalled.1.close();
    assert_echoes(&mut waiting.await).await;
    kind(&failures.next().await.unwrap());
}

pub(crate) async fn a_stalled_handshake_is_ended_with_its_server(mut setup: Setup) {
    let tls = || certificates::acceptor().handshake_timeout(LONG);
    for end in [
        Server::close_clients as fn(&Server),
        Server::abort_clients as fn(&Server),
    ] {
        let (server, address, mut failures) = start(&mut setup, tls()).await;
        let mut stalled = stall(&setup, &server).await;
        setup.until_there_are(1, &server).await;
        end(&server);
        end_of(&mut stalled).await;
        kind(&failures.next().await.unwrap());
        assert_serves(&setup, address).await;
        server.close();
        server.wait_closed().await;
    }

    let (starting, mut failures) = serve(&mut setup, tls());
    let server = starting.shutdown_timeout(SHORT).await.unwrap();
    let mut stalled = stall(&setup, &server).await;
    setup.until_there_are(1, &server).await;
    let shutdown = server.shutdown().await;
    assert_eq!(shutdown.closed, 1);
    end_of(&mut stalled).await;
    // On a busy machine it may have to be cancelled, and then no task is left to report it.
    if shutdown.cancelled == 0 {
        kind(&failures.next().await.unwrap());
    }
}

/// As asyncio's `wait_closed`.
pub(crate) async fn a_server_that_is_closed_waits_for_a_handshake(mut setup: Setup) {
    let tls = certificates::acceptor().handshake_timeout(LONG);
    let (server, ..) = start(&mut setup, tls).await;
    let stalled = stall(&setup, &server).await;
    setup.until_there_are(1, &server).await;
    server.close();
    setup.stays_pending(server.wait_closed()).await;
    drop(stalled);
    server.wait_closed().await;
}

/// One that is taken from by calls, instead of having a handler.
pub(crate) async fn a_stalled_handshake_keeps_no_call_waiting_but_for_its_own(mut setup: Setup) {
    let tls = certificates::acceptor().handshake_timeout(LONG);
    let server = setup.listen().tls(tls).await.unwrap();
    let address = server.sockets()[0].tcp().unwrap();
    let taking = setup.spawn(async move {
        let mut streams = Vec::new();
        while let Some(mut stream) = server.accept().await {
            stream.write(b"welcome\n").unwrap();
            streams.push(stream);
            if streams.len() == 10 {
                server.close();
            }
        }
        (server, streams)
    });
    let mut stalled = Vec::new();
    for _ in 0..20 {
        let (reader, mut writer) = setup.open(address).await.unwrap();
        writer.write(BEGINNING).unwrap();
        stalled.push((reader, writer));
    }
    join_all((0..10).map(|_| async {
        let (mut reader, _writer) = open(&setup, address).await;
        assert_eq!(reader.read_line().await.unwrap(), "welcome\n");
    }))
    .await;
    // What was accepted before the close may still become a stream.
    let mut taking = Box::pin(taking);
    setup.stays_pending(&mut taking).await;
    drop(stalled);
    let (server, streams) = taking.await;
    drop(streams);
    server.wait_closed().await;
}

pub(crate) async fn a_failed_handshake_is_reported_and_taking_goes_on(mut setup: Setup) {
    let (failed, mut failures) = mpsc::unbounded();
    let starting = setup.listen().tls(certificates::acceptor());
    let starting = starting.on_handshake_error(move |_, error| {
        let _ = failed.unbounded_send(error.clone());
    });
    let server = starting.await.unwrap();
    let address = server.sockets()[0].tcp().unwrap();
    let clients = async {
        let (reader, mut writer) = setup.open(address).await.unwrap();
        writer.write(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        kind(&failures.next().await.unwrap());
        drop((reader, writer));
        open(&setup, address).await
    };
    let (_client, taken) = join(clients, server.accept()).await;
    assert!(taken.unwrap().extra_info().tls.is_some());
}

/// A server that accepts and says nothing.
async fn mute(setup: &mut Setup) -> (Server, mpsc::UnboundedReceiver<Result<usize, ReadError>>) {
    let (ended, ends) = mpsc::unbounded();
    let handler = move |mut reader: StreamReader, writer: StreamWriter| {
        let ended = ended.clone();
        async move {
            let _mute = writer;
            let all = reader.read_to_eof().await;
            let _ = ended.unbounded_send(all.map(|all| all.len()));
        }
    };
    (setup.serve(handler).await.unwrap(), ends)
}

pub(crate) async fn a_client_waits_for_a_mute_server_no_longer_than_it_may(mut setup: Setup) {
    let (server, mut ends) = mute(&mut setup).await;
    let open = |tls| setup.open(&server.sockets()[0]).tls(tls);
    let began = setup.runtime.now();
    let impatient = certificates::connector().handshake_timeout(SHORT);
    match open(impatient).await {
        Err(OpenError::Tls { source }) => {
            assert_eq!(kind_of_silence(&source), ErrorKind::TimedOut);
        }
        other => panic!("{other:?}"),
    }
    match open(certificates::connector()).connect_timeout(SHORT).await {
        Err(OpenError::TimedOut { timeout, .. }) => assert_eq!(timeout, SHORT),
        other => panic!("{other:?}"),
    }
    let took = setup.runtime.now() - began;
    assert!((2 * SHORT..SOON).contains(&took), "{took:?}");
    for _ in 0..2 {
        // The server sees how the client begins, and that it leaves.
        let len = ends.next().await.unwrap().unwrap_or(usize::MAX);
        assert!(len > 0);
    }
}

pub(crate) async fn opening_can_be_cancelled_at_any_await_of_the_handshake(mut setup: Setup) {
    let (server, address, _failures) = start(&mut setup, certificates::acceptor()).await;
    let mut times = 1;
    loop {
        let opening = setup.open(address).tls(certificates::connector());
        if let Some(opened) = interrupted(times, || {}, opening.into_future()).await {
            assert_echoes(&mut opened.unwrap()).await;
            break;
        }
        times += 1;
    }
    // None of the cancelled ones is left.
    server.close();
    server.wait_closed().await;
}

pub(crate) async fn a_client_that_gives_up_leaves_a_mute_server(mut setup: Setup) {
    let (server, mut ends) = mute(&mut setup).await;
    for _ in 0..5 {
        let opening = setup.open(&server.sockets()[0]);
        let opening = opening.tls(certificates::connector()).into_future();
        setup.stays_pending(opening).await;
        ends.next().await.unwrap().unwrap_or_default();
    }
}

pub(crate) async fn many_handshakes_are_made_at_once(mut setup: Setup) {
    let (server, address, _failures) = start(&mut setup, certificates::acceptor()).await;
    join_all((0..50).map(|_| assert_serves(&setup, address))).await;
    server.close();
    server.wait_closed().await;
}

/// The first thing a server says may come with the end of its handshake, and what it is sent with the
/// end of the client's.
pub(crate) async fn what_follows_a_handshake_at_once_is_read(mut setup: Setup) {
    for _ in 0..10 {
        let greet = |mut reader: StreamReader, mut writer: StreamWriter| async move {
            writer.write(b"220 hello\r\n").unwrap();
            let line = reader.read_line().await.unwrap();
            writer.write(&line).unwrap();
        };
        let serving = setup.serve(greet).tls(certificates::acceptor());
        let server = serving.await.unwrap();
        let opening = setup.open(&server.sockets()[0]);
        let opening = opening.tls(certificates::connector());
        let (mut reader, mut writer) = opening.await.unwrap();
        let ((), all) = join(
            async {
                writer.write(b"bye\n").unwrap();
            },
            reader.read_to_eof(),
        )
        .await;
        assert_eq!(all.unwrap(), "220 hello\r\nbye\n");
    }
}

pub(crate) async fn a_report_that_panics_does_not_end_the_server(mut setup: Setup) {
    let starting = setup.serve(echo).tls(certificates::acceptor());
    let starting = starting.on_handshake_error(|_, _| panic!("as the scenario wants it"));
    let server = starting.await.unwrap();
    let address = server.sockets()[0].tcp().unwrap();
    let mut stream = setup.open(address).await.unwrap();
    stream.1.write(b"nonsense\n").unwrap();
    end_of(&mut stream).await;
    assert_serves(&setup, address).await;
    server.close();
    server.wait_closed().await;
}
