//! Peers that leave in the middle of a handshake, behind every byte of it.

use std::{
    io::ErrorKind,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_channel::mpsc;
use futures_util::StreamExt;
use millpond::{
    OpenError, ReadError, StreamReader, StreamWriter,
    error::TlsError,
    rustls::{self, ClientConnection, Connection, ServerConnection, pki_types::ServerName},
};

use crate::{
    certificates,
    setup::{Setup, Stream},
};

/// Resets are tried behind every so many bytes.
const STRIDE: usize = 7;

/// How a peer leaves behind this many bytes.
fn ways(sent: usize) -> &'static [bool] {
    match sent % STRIDE {
        0 => &[false, true],
        _ => &[false],
    }
}

/// Makes a handshake by hand, but says no more than `left` bytes of it. Whether that was all.
async fn shake(session: &mut Connection, (reader, writer): &mut Stream, mut left: usize) -> bool {
    loop {
        let mut sent = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut sent).unwrap();
        }
        let n = sent.len().min(left);
        writer.write(&sent[..n]).unwrap();
        left -= n;
        if n < sent.len() {
            return false;
        }
        if !session.is_handshaking() {
            return true;
        }
        let some = reader.read(64 * 1024).await.unwrap();
        let mut input = &some[..];
        while !input.is_empty() {
            session.read_tls(&mut input).unwrap();
            session.process_new_packets().unwrap();
        }
    }
}

fn leave((reader, mut writer): Stream, abort: bool) {
    if abort {
        writer.abort();
    }
    drop((reader, writer));
}

fn client() -> Connection {
    let config = certificates::client_config(&rustls::version::TLS13);
    let name = ServerName::try_from("localhost").unwrap();
    Connection::from(ClientConnection::new(Arc::new(config), name).unwrap())
}

/// Without tickets, which would come behind the handshake.
fn server() -> Connection {
    let mut config = certificates::server_config();
    config.send_tls13_tickets = 0;
    Connection::from(ServerConnection::new(Arc::new(config)).unwrap())
}

pub(crate) async fn a_client_that_leaves_behind_any_byte_is_reported(mut setup: Setup) {
    let (ended, mut ends) = mpsc::unbounded::<Result<ReadError, TlsError>>();
    let served = ended.clone();
    let handler = move |mut reader: StreamReader, _writer: StreamWriter| {
        let served = served.clone();
        async move {
            let end = reader.read(1).await.unwrap_err();
            served.unbounded_send(Ok(end)).unwrap();
        }
    };
    let starting = setup.serve(handler).tls(certificates::acceptor());
    let starting = starting.on_handshake_error(move |_, error| {
        ended.unbounded_send(Err(error.clone())).unwrap();
    });
    let server = starting.await.unwrap();
    for sent in 0.. {
        let mut done = false;
        for &abort in ways(sent) {
            let mut stream = setup.open(&server.sockets()[0]).await.unwrap();
            done = shake(&mut client(), &mut stream, sent).await;
            leave(stream, abort);
            let end = ends.next().await.unwrap();
            // A reset may destroy what came last.
            let complete = end.is_ok() || abort && done;
            assert_eq!(complete, done, "behind {sent}: {end:?}");
            let kind = match end {
                Ok(ReadError::Truncated) => ErrorKind::UnexpectedEof,
                Ok(end) => end.kind(),
                Err(failure) => failure.kind(),
            };
            assert_left(kind, sent);
        }
        if done {
            assert!(sent > 200);
            return;
        }
    }
}

pub(crate) async fn a_server_that_leaves_behind_any_byte_is_an_error(mut setup: Setup) {
    let say = Arc::new(AtomicUsize::new(0));
    let (ended, mut ends) = mpsc::unbounded();
    let limit = say.clone();
    let handler = move |reader: StreamReader, writer: StreamWriter| {
        let (sent, ended) = (limit.load(Ordering::Acquire), ended.clone());
        async move {
            let mut stream = (reader, writer);
            let done = shake(&mut server(), &mut stream, sent / 2).await;
            leave(stream, sent % 2 == 1);
            ended.unbounded_send(done).unwrap();
        }
    };
    let listening = setup.serve(handler).await.unwrap();
    for sent in 0.. {
        let mut done = false;
        for &abort in ways(sent) {
            say.store(2 * sent + usize::from(abort), Ordering::Release);
            let opening = setup.open(&listening.sockets()[0]);
            let opened = opening.tls(certificates::connector()).await;
            done = ends.next().await.unwrap();
            let kind = match opened {
                Ok((mut reader, _writer)) if done => reader.read(1).await.unwrap_err().kind(),
                Err(OpenError::Tls { source }) if abort || !done => source.kind(),
                other => panic!("behind {sent}: {other:?}"),
            };
            assert_left(kind, sent);
        }
        if done {
            assert!(sent > 500);
            return;
        }
    }
}

#[track_caller]
fn assert_left(kind: ErrorKind, sent: usize) {
    let ends = [
        ErrorKind::UnexpectedEof,
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
    ];
    assert!(ends.contains(&kind), "behind {sent}: {kind:?}");
}
