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
fn ways(said: usize) -> &'static [bool] {
    match said % STRIDE {
        0 => &[false, true],
        _ => &[false],
    }
}

/// Makes a handshake by hand, but says no more than `left` bytes of it. Whether that was all.
async fn shake(session: &mut Connection, (reader, writer): &mut Stream, mut left: usize) -> bool {
    loop {
        let mut said = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut said).unwrap();
        }
        let n = said.len().min(left);
        writer.write(&said[..n]).unwrap();
        left -= n;
        if n < said.len() {
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
    for said in 0.. {
        let mut done = false;
        for &abort in ways(said) {
            let mut stream = setup.open(&server.sockets()[0]).await.unwrap();
            done = shake(&mut client(), &mut stream, said).await;
            leave(stream, abort);
            let end = ends.next().await.unwrap();
            // A reset may destroy what came last.
            let complete = end.is_ok() || abort && done;
            assert_eq!(complete, done, "behind {said}: {end:?}");
            let kind = match end {
                Ok(ReadError::Truncated) => ErrorKind::UnexpectedEof,
                Ok(end) => end.kind(),
                Err(failure) => failure.kind(),
            };
            assert_left(kind, said);
        }
        if done {
            assert!(said > 200);
            return;
        }
    }
}

pub(crate) async fn a_server_that_leaves_behind_any_byte_is_an_error(mut setup: Setup) {
    let say = Arc::new(AtomicUsize::new(0));
    let (ended, mut ends) = mpsc::unbounded();
    let limit = say.clone();
    let handler = move |reader: StreamReader, writer: StreamWriter| {
        let (said, ended) = (limit.load(Ordering::Acquire), ended.clone());
        async move {
            let mut stream = (reader, writer);
            let done = shake(&mut server(), &mut stream, said / 2).await;
            leave(stream, said % 2 == 1);
            ended.unbounded_send(done).unwrap();
        }
    };
    let listening = setup.serve(handler).await.unwrap();
    for said in 0.. {
        let mut done = false;
        for &abort in ways(said) {
            say.store(2 * said + usize::from(abort), Ordering::Release);
            let opening = setup.open(&listening.sockets()[0]);
            let opened = opening.tls(certificates::connector()).await;
            done = ends.next().await.unwrap();
            let kind = match opened {
                Ok((mut reader, _writer)) if done => reader.read(1).await.unwrap_err().kind(),
                Err(OpenError::Tls { source }) if abort || !done => source.kind(),
                other => panic!("behind {said}: {other:?}"),
            };
            assert_left(kind, said);
        }
        if done {
            assert!(said > 500);
            return;
        }
    }
}

#[track_caller]
fn assert_left(kind: ErrorKind, said: usize) {
    let ends = [
        ErrorKind::UnexpectedEof,
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
    ];
    assert!(ends.contains(&kind), "behind {said}: {kind:?}");
}
