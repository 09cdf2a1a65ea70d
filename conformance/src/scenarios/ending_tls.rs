//! The end of a protected stream, and what only looks like one.

use std::{
    future::IntoFuture,
    io::{self, ErrorKind},
    pin::pin,
};

use futures_channel::oneshot;
use futures_util::future::{join, select};
use millpond::{
    ReadError, Stream, StreamReader, StreamWriter, TlsAcceptor, TlsConnector, WriteError,
    adapter::BoxFuture,
};

use crate::{
    ask::{Ask, MESSAGE},
    certificates,
    place::Ending,
    setup::{Setup, Task, whole},
};

/// What carries the bytes between two streams, without knowing what they mean.
struct Cable {
    cut: oneshot::Sender<()>,
    carrying: Task<StreamWriter>,
}

impl Cable {
    /// Ends the direction to the client properly, as far as the cable can know. Whatever has come until
    /// now has been carried.
    async fn cut(self) -> StreamWriter {
        let _ = self.cut.send(());
        self.carrying.await
    }
}

async fn carry(reader: &mut StreamReader, writer: &mut StreamWriter) {
    while let Ok(some) = reader.read(64 * 1024).await {
        if some.is_empty() || writer.write_all(&some).await.is_err() {
            return;
        }
    }
}

/// A client and a server with TLS, and the cable between them.
async fn connect(
    setup: &mut Setup,
    connector: TlsConnector,
    acceptor: TlsAcceptor,
) -> (Stream, Cable, Stream) {
    let (near, (mut near_reader, mut near_writer)) = setup.connect().await;
    let ((mut far_reader, mut far_writer), far) = setup.connect().await;
    let there = setup.spawn(async move { carry(&mut near_reader, &mut far_writer).await });
    setup.keep(std::sync::Mutex::new(there));
    let (cut, is_cut) = oneshot::channel();
    let carrying = setup.spawn(async move {
        select(pin!(carry(&mut far_reader, &mut near_writer)), is_cut).await;
        near_writer.write_eof().unwrap_or_default();
        near_writer
    });
    let (mut near, mut far) = (whole(near), whole(far));
    let client = near.start_tls(connector).server_hostname("localhost");
    let server = far.start_tls(acceptor).into_future();
    let (client, server) = join(client.into_future(), server).await;
    client.unwrap();
    server.unwrap();
    (near, Cable { cut, carrying }, far)
}

/// Sends so much of the message, and sees to it that it has arrived.
async fn send(setup: &Setup, far: &mut Stream, near: &mut Stream, data: &[u8]) {
    // When it has come, all before it has. It is taken out again.
    far.write(b"!").unwrap();
    far.write(data).unwrap();
    far.flush().await.unwrap();
    near.read_exactly(1).await.unwrap();
    near.peek(data.len()).await.unwrap();
    setup.sleep(0).await;
}

/// Every kind of read, with the cut at every position of what it reads.
pub(crate) async fn a_connection_that_is_cut_is_truncated_behind_all_that_came(mut setup: Setup) {
    for ask in Ask::ALL {
        for len in 0..=MESSAGE.len() {
            let data = &MESSAGE[..len];
            let (connector, acceptor) = (certificates::connector(), certificates::acceptor());
            let (mut near, cable, mut far) = connect(&mut setup, connector, acceptor).await;
            send(&setup, &mut far, &mut near, data).await;
            let _cable = cable.cut().await;
            let (reader, writer) = near.split();
            let answer = ask.of(reader).await;
            // To the question asked, it is a failure like any other.
            let failed = match answer {
                Err(ReadError::Truncated) => Err(ReadError::Transport(
                    io::Error::from(ErrorKind::UnexpectedEof).into(),
                )),
                Err(ReadError::Transport(other)) => panic!("{ask:?} gave {other:?}"),
                answer => answer,
            };
            ask.assert_answer(&failed, data, Ending::Reset);
            for _ in 0..2 {
                assert_eq!(reader.read_to_eof().await, Err(ReadError::Truncated));
                assert!(!reader.at_eof());
            }
            match writer.write(b"?") {
                Err(WriteError::Transport(error)) => {
                    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
                }
                other => panic!("{other:?}"),
            }
            writer.close();
            writer.wait_closed().await.unwrap();
        }
    }
}

/// As in asyncio.
pub(crate) async fn a_truncation_can_be_taken_for_the_end(mut setup: Setup) {
    for ask in Ask::ALL {
        for len in 0..=MESSAGE.len() {
            let data = &MESSAGE[..len];
            let connector = certificates::connector().accept_truncation(true);
            let acceptor = certificates::acceptor();
            let (mut near, cable, mut far) = connect(&mut setup, connector, acceptor).await;
            send(&setup, &mut far, &mut near, data).await;
            let _cable = cable.cut().await;
            let (reader, _) = near.split();
            let answer = ask.of(reader).await;
            ask.assert_answer(&answer, data, Ending::Eof);
            reader.read_to_eof().await.unwrap();
            assert!(reader.at_eof());
        }
    }
}

pub(crate) async fn a_waiting_read_reports_a_truncation(mut setup: Setup) {
    for accepted in [false, true] {
        let connector = certificates::connector().accept_truncation(accepted);
        let acceptor = certificates::acceptor();
        let (mut near, cable, _far) = connect(&mut setup, connector, acceptor).await;
        let reading = setup.spawn(async move { near.read(1).await });
        setup.sleep(10).await;
        let _cable = cable.cut().await;
        let ended = reading.await;
        match accepted {
            true => assert_eq!(ended.unwrap(), ""),
            false => assert_eq!(ended, Err(ReadError::Truncated)),
        }
    }
}

/// Of both versions of TLS, and however the peer ends.
pub(crate) async fn a_close_notify_is_an_end_though_the_connection_is_cut(mut setup: Setup) {
    let ends: [fn(Stream) -> Option<Stream>; 3] = [
        |stream| {
            drop(stream);
            None
        },
        |mut stream| {
            stream.close();
            Some(stream)
        },
        |mut stream| {
            match stream.can_write_eof() {
                true => stream.write_eof().unwrap(),
                false => stream.close(),
            }
            Some(stream)
        },
    ];
    for connector in [certificates::connector(), certificates::old_connector()] {
        for end in ends {
            let acceptor = certificates::acceptor();
            let (mut near, cable, mut far) = connect(&mut setup, connector.clone(), acceptor).await;
            far.write(b"bye").unwrap();
            let _far = end(far);
            assert_eq!(near.read_to_eof().await.unwrap(), "bye");
            let _cable = cable.cut().await;
            assert_eq!(near.read(1).await.unwrap(), "");
        }
    }
}

/// With `half_close` on both sides it can, but never before TLS 1.3.
pub(crate) async fn one_direction_cannot_be_ended_alone_by_default(mut setup: Setup) {
    for (connector, half_close, can) in [
        (certificates::connector(), false, false),
        (certificates::connector(), true, true),
        (certificates::old_connector(), false, false),
        (certificates::old_connector(), true, false),
    ] {
        let connector = connector.half_close(half_close);
        let acceptor = certificates::acceptor().half_close(half_close);
        let (mut near, _cable, mut far) = connect(&mut setup, connector, acceptor).await;
        for stream in [&mut near, &mut far] {
            assert_eq!(stream.can_write_eof(), can);
        }
        match near.write_eof() {
            Ok(()) => {
                assert!(can);
                assert_eq!(far.read(1).await.unwrap(), "");
                far.write(b"answer\n").unwrap();
                assert_eq!(near.read_line().await.unwrap(), "answer\n");
            }
            Err(WriteError::Transport(error)) => {
                assert!(!can);
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                near.write(b"as before\n").unwrap();
                assert_eq!(far.read_line().await.unwrap(), "as before\n");
                near.close();
                assert_eq!(far.read(1).await.unwrap(), "");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// As in asyncio, so that nothing is sent to a peer that would take it for an attack. What had arrived
/// can be read.
pub(crate) async fn the_peers_end_is_that_of_both_directions(mut setup: Setup) {
    for connector in [certificates::connector(), certificates::old_connector()] {
        let acceptor = certificates::acceptor();
        let (mut near, _cable, mut far) = connect(&mut setup, connector, acceptor).await;
        far.write(b"bye").unwrap();
        far.close();
        far.wait_closed().await.unwrap();
        assert_eq!(near.read_to_eof().await.unwrap(), "bye");
        assert!(near.is_closing());
        assert_eq!(near.write(b"?"), Err(WriteError::PeerClosed));
        assert_eq!(near.drain().await, Err(WriteError::PeerClosed));
        near.wait_closed().await.unwrap();
        assert_eq!(near.read(1).await.unwrap(), "");
    }
}

type Writing = fn(&mut Stream) -> BoxFuture<'_, Result<(), WriteError>>;

/// Every way to write, while no task reads.
const WRITINGS: [Writing; 3] = [
    |stream| Box::pin(async { stream.write(b"a line of a log\n") }),
    |stream| Box::pin(stream.write_all(b"a line of a log\n")),
    |stream| Box::pin(stream.drain()),
];

pub(crate) async fn a_writer_that_never_reads_learns_of_the_peers_end(mut setup: Setup) {
    for connector in [certificates::connector(), certificates::old_connector()] {
        for write in WRITINGS {
            let acceptor = certificates::acceptor();
            let (mut near, _cable, mut far) =
                connect(&mut setup, connector.clone(), acceptor).await;
            far.close();
            let error = loop {
                match write(&mut near).await {
                    Ok(()) => setup.sleep(1).await,
                    Err(error) => break error,
                }
            };
            assert_eq!(error, WriteError::PeerClosed);
            assert!(near.is_closing());
            near.wait_closed().await.unwrap();
            assert_eq!(near.read(1).await.unwrap(), "");
        }
    }
}

/// The peer has not reported it: it may be a cut.
pub(crate) async fn a_writer_that_never_reads_learns_of_a_cut(mut setup: Setup) {
    for write in WRITINGS {
        let (connector, acceptor) = (certificates::connector(), certificates::acceptor());
        let (mut near, cable, _far) = connect(&mut setup, connector, acceptor).await;
        let _cable = cable.cut().await;
        let error = loop {
            match write(&mut near).await {
                Ok(()) => setup.sleep(1).await,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(near.read(1).await, Err(ReadError::Truncated));
        near.close();
        near.wait_closed().await.unwrap();
    }
}
