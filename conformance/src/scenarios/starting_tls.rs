//! TLS that begins in the middle of a stream.

use std::{
    future::IntoFuture,
    io::{self, ErrorKind},
    pin::pin,
    time::Duration,
};

use futures_channel::oneshot;
use futures_util::future::{Either, join, select};
use millpond::{
    ReadError, Stream, StreamOptions, StreamReader, TlsConnector, Transport, WriteError,
    adapter::os, error::TlsError, types::TlsSide,
};

use crate::{
    ask::Ask,
    certificates, data,
    polling::{interrupted, yield_now},
    setup::{Settings, Setup, whole},
};

pub(crate) mod system;

const SHORT: Duration = Duration::from_millis(50);

/// More than a socket and its peer's take.
const MUCH: usize = 8 * 1024 * 1024;

/// The first byte of TLS.
const HANDSHAKE: u8 = 0x16;

/// Both sides, as they are to begin.
fn sides() -> [TlsSide; 2] {
    [
        certificates::connector().into(),
        certificates::acceptor().into(),
    ]
}

/// Two connected streams without TLS.
async fn connect(setup: &mut Setup) -> (Stream, Stream) {
    connect_with(setup, Settings::DEFAULT).await
}

async fn connect_with(setup: &mut Setup, settings: Settings) -> (Stream, Stream) {
    let (near, far) = setup.connect_with(settings).await;
    (whole(near), whole(far))
}

/// Begins on both sides.
async fn begin(near: &mut Stream, far: &mut Stream) {
    let client = near.start_tls(certificates::connector());
    let client = client.server_hostname("localhost").into_future();
    let server = far.start_tls(certificates::acceptor()).into_future();
    let (client, server) = join(client, server).await;
    client.unwrap();
    server.unwrap();
}

async fn upgrade(near: &mut Stream, side: &TlsSide) -> Result<(), TlsError> {
    near.start_tls(side.clone())
        .server_hostname("localhost")
        .await
}

async fn assert_talks(near: &mut Stream, far: &mut Stream) {
    near.write(b"ping\n").unwrap();
    assert_eq!(far.read_line().await.unwrap(), "ping\n");
    far.write(b"pong\n").unwrap();
    assert_eq!(near.read_line().await.unwrap(), "pong\n");
}

/// Fails unless nothing can be read or written any more, and all says the same.
async fn assert_over(stream: &mut Stream, kind: ErrorKind) {
    assert_eq!(stream.buffered(), b"");
    let (reader, writer) = stream.split();
    for ask in Ask::ALL {
        match ask.of(reader).await {
            Err(ReadError::Transport(error)) => assert_eq!(error.kind(), kind, "{ask:?}"),
            other => panic!("{ask:?} gave {other:?}"),
        }
    }
    for _ in 0..2 {
        match writer.write(b"in the clear") {
            Err(WriteError::Transport(error)) => assert_eq!(error.kind(), kind),
            other => panic!("{other:?}"),
        }
        assert!(writer.is_closing());
        assert_eq!(writer.queued(), 0);
        writer.drain().await.unwrap_err();
    }
}

/// All that still comes, until the end of whichever kind.
async fn rest_of(reader: &mut StreamReader) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match reader.read(64 * 1024).await {
            Ok(some) if !some.is_empty() => all.extend_from_slice(&some),
            Ok(_) | Err(_) => return all,
        }
    }
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

pub(crate) async fn a_stream_goes_on_protected(mut setup: Setup) {
    let (mut near, mut far) = connect(&mut setup).await;
    near.write(b"STARTTLS\r\n").unwrap();
    assert_eq!(far.read_line().await.unwrap(), "STARTTLS\r\n");
    far.write(b"220 go ahead\r\n").unwrap();
    assert_eq!(near.read_line().await.unwrap(), "220 go ahead\r\n");
    begin(&mut near, &mut far).await;
    assert_talks(&mut near, &mut far).await;
    for (stream, certificates) in [(&near, 1), (&far, 0)] {
        let tls = stream.extra_info().tls.clone().unwrap();
        assert_eq!(tls.peer_certificates.len(), certificates);
        assert_eq!(tls.server_name.as_deref(), Some("localhost"));
        assert!(stream.extra_info().peer_addr.is_some());
    }
    near.close();
    assert_eq!(far.read(1).await.unwrap(), "");
}

pub(crate) async fn the_host_that_was_connected_to_is_asked_for(mut setup: Setup) {
    let serve = |mut reader: StreamReader, mut writer: millpond::StreamWriter| async move {
        let shaken = writer
            .start_tls(&mut reader, certificates::acceptor())
            .await;
        if shaken.is_ok() {
            let line = reader.read_line().await.unwrap_or_default();
            writer.write(&line).unwrap_or_default();
        }
    };
    let server = setup.serve(serve).await.unwrap();
    let address = server.sockets()[0].tcp().unwrap();
    for opening in [
        setup.open(address),
        setup.open(("localhost", address.port())),
    ] {
        let (mut reader, mut writer) = opening.await.unwrap();
        let upgrading = writer.start_tls(&mut reader, certificates::connector());
        upgrading.await.unwrap();
        writer.write(b"hello\n").unwrap();
        assert_eq!(reader.read_line().await.unwrap(), "hello\n");
    }
    let (mut reader, mut writer) = setup.open(address).await.unwrap();
    let upgrading = writer.start_tls(&mut reader, certificates::connector());
    let refused = upgrading.server_hostname("elsewhere.example").await;
    assert!(
        matches!(refused, Err(TlsError::Handshake { .. })),
        "{refused:?}"
    );
    let mut stream = Stream::reunite(reader, writer).unwrap();
    assert_over(&mut stream, ErrorKind::InvalidData).await;
}

pub(crate) async fn limit_and_watermarks_are_kept(mut setup: Setup) {
    let settings = Settings {
        limit: 5,
        cap: Some(7),
        write_cap: Some(1 << 20),
        ..Settings::watermarks(100, 200)
    };
    let (mut near, mut far) = connect_with(&mut setup, settings).await;
    begin(&mut near, &mut far).await;
    assert_eq!(near.limit(), 5);
    assert_eq!(near.watermarks(), (100, 200));
    far.write(b"too long\n").unwrap();
    assert!(near.read_exactly(8).await.is_err());
    assert!(near.read_line().await.is_err());
    assert_eq!(
        near.write(vec![0; (1 << 20) + 1]),
        Err(WriteError::CapExceeded { cap: 1 << 20 })
    );
    while near.queued() <= 200 {
        near.write(vec![0; 100_000]).unwrap();
    }
    assert!(near.is_paused());
    setup.stays_pending(near.drain()).await;
}

/// What is queued when TLS begins, with a peer that takes its time.
pub(crate) async fn what_is_queued_goes_first_and_in_the_clear(mut setup: Setup) {
    for corked in [false, true] {
        let (mut near, far) = connect(&mut setup).await;
        let sent = data::bytes(1, if corked { 1000 } else { MUCH });
        let cork = corked.then(|| near.cork());
        near.write(&sent).unwrap();
        assert!(near.queued() > 0);
        let (mut far_reader, mut far_writer) = far.into_split();
        let upgrading = near.start_tls(certificates::connector());
        let upgrading = upgrading.server_hostname("localhost").into_future();
        let reading = async {
            setup.sleep(20).await;
            let mut received = Vec::new();
            while received.len() < sent.len() {
                let max = (sent.len() - received.len()).min(100_000);
                received.extend(far_reader.read(max).await.unwrap());
                yield_now().await;
            }
            data::assert_same(&received, &sent);
            let begins = far_reader.peek(1).await.unwrap();
            assert_eq!(begins, [HANDSHAKE], "what follows is protected");
            let upgrading = far_writer.start_tls(&mut far_reader, certificates::acceptor());
            upgrading.hand_over_buffered(true).await.unwrap();
        };
        let (upgraded, ()) = join(upgrading, reading).await;
        upgraded.unwrap();
        drop(cork);
        let mut far = Stream::reunite(far_reader, far_writer).unwrap();
        assert_talks(&mut near, &mut far).await;
    }
}

pub(crate) async fn what_was_received_and_not_read_is_refused(mut setup: Setup) {
    for side in sides() {
        let (mut near, mut far) = connect(&mut setup).await;
        far.write(b"STARTTLS\r\nRCPT TO:<evil>\r\n").unwrap();
        assert_eq!(near.read_line().await.unwrap(), "STARTTLS\r\n");
        near.peek(16).await.unwrap();
        match upgrade(&mut near, &side).await {
            Err(TlsError::Buffered { len }) => assert_eq!(len, 16),
            other => panic!("{other:?}"),
        }
        // It is as it was.
        assert_eq!(near.read_line().await.unwrap(), "RCPT TO:<evil>\r\n");
        assert_talks(&mut near, &mut far).await;
    }
}

/// Whether it was read before, or is only on its way.
pub(crate) async fn what_was_received_in_the_clear_never_comes_out_after(mut setup: Setup) {
    for side in sides() {
        for read_before in [false, true] {
            let (mut near, mut far) = connect(&mut setup).await;
            far.write(b"evil\n").unwrap();
            far.flush().await.unwrap();
            if read_before {
                near.peek(5).await.unwrap();
            }
            let upgrading = near.start_tls(side.clone()).server_hostname("localhost");
            let failed = upgrading.hand_over_buffered(true).await.unwrap_err();
            assert_eq!(failed.kind(), ErrorKind::InvalidData, "{failed:?}");
            assert_over(&mut near, ErrorKind::InvalidData).await;
        }
    }
}

pub(crate) async fn what_came_too_early_can_be_handed_over(mut setup: Setup) {
    let (mut near, mut far) = connect(&mut setup).await;
    near.write(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
        .unwrap();
    let client = async { upgrade(&mut near, &certificates::connector().into()).await };
    let server = async {
        let line = far.read_line().await.unwrap();
        assert!(line.starts_with(b"PROXY "));
        while far.buffered().len() < 6 {
            far.peek(6).await.unwrap();
        }
        far.start_tls(certificates::acceptor())
            .hand_over_buffered(true)
            .await
    };
    let (client, server) = join(client, server).await;
    client.unwrap();
    server.unwrap();
    assert_talks(&mut near, &mut far).await;
}

pub(crate) async fn a_handshake_that_fails_ends_the_stream(mut setup: Setup) {
    let (mut near, mut far) = connect(&mut setup).await;
    let untrusting = TlsConnector::with_roots([]);
    let client = async {
        let upgrading = near.start_tls(untrusting).server_hostname("localhost");
        upgrading.await.unwrap_err()
    };
    let server = async {
        let upgrading = far.start_tls(certificates::acceptor());
        upgrading.await.unwrap_err()
    };
    let (client, server) = join(client, server).await;
    for failed in [&client, &server] {
        assert!(matches!(failed, TlsError::Handshake { .. }), "{failed:?}");
        let io: io::Error = failed.clone().into();
        assert_eq!(io.kind(), ErrorKind::InvalidData);
    }
    assert!(server.to_string().contains("UnknownCA"), "{server}");
    assert_over(&mut near, ErrorKind::InvalidData).await;
    assert_over(&mut far, ErrorKind::InvalidData).await;
}

pub(crate) async fn a_handshake_that_takes_too_long_ends_the_stream(mut setup: Setup) {
    let sides: [TlsSide; 2] = [
        certificates::connector().handshake_timeout(SHORT).into(),
        certificates::acceptor().handshake_timeout(SHORT).into(),
    ];
    for side in sides {
        let (mut near, mut far) = connect(&mut setup).await;
        let failed = upgrade(&mut near, &side).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::TimedOut);
        assert_over(&mut near, ErrorKind::TimedOut).await;
        assert!(!contains(&rest_of(far.split().0).await, b"in the clear"));
    }
}

/// The peer does its part, so that the handshake can be cancelled at each step.
pub(crate) async fn an_upgrade_dropped_at_any_await_ends_the_stream(mut setup: Setup) {
    for swap in [false, true] {
        let [mut this, mut other] = sides();
        if swap {
            std::mem::swap(&mut this, &mut other);
        }
        let mut times = 1;
        loop {
            let (mut near, mut far) = connect(&mut setup).await;
            let side = other.clone();
            let (go, going) = oneshot::channel();
            let mut go = Some(go);
            let peer = setup.spawn(async move {
                // Not before this side waits for it.
                let _: Result<(), _> = going.await;
                let upgraded = upgrade(&mut far, &side).await;
                (far, upgraded)
            });
            let upgrading = upgrade(&mut near, &this);
            if let Some(upgraded) = interrupted(times, || drop(go.take()), upgrading).await {
                upgraded.unwrap();
                let (mut far, upgraded) = peer.await;
                upgraded.unwrap();
                assert_talks(&mut near, &mut far).await;
                break;
            }
            assert_over(&mut near, ErrorKind::ConnectionAborted).await;
            // The peer sees an end though this side's halves are still there.
            let (mut far, upgraded) = peer.await;
            if upgraded.is_ok() {
                assert_eq!(rest_of(far.split().0).await, b"");
                assert!(!far.at_eof(), "that is no proper end");
            }
            times += 1;
        }
        assert!(times > 1, "it never had to wait");
    }
}

/// It has not begun to exchange the socket then.
pub(crate) async fn an_upgrade_dropped_while_the_queue_is_sent_ends_the_stream(mut setup: Setup) {
    let (mut near, mut far) = connect(&mut setup).await;
    near.write(data::bytes(1, MUCH)).unwrap();
    let side = certificates::connector().into();
    setup.stays_pending(upgrade(&mut near, &side)).await;
    assert_over(&mut near, ErrorKind::ConnectionAborted).await;
    let came = rest_of(far.split().0).await;
    assert!(came.len() < MUCH);
    assert!(!contains(&came, b"in the clear"));
}

/// While the queue is sent, and while the peer is waited for.
pub(crate) async fn an_upgrade_can_be_ended_from_elsewhere(mut setup: Setup) {
    for queued in [0, MUCH] {
        for end in [Transport::close as fn(&Transport), Transport::abort] {
            let (mut near, mut far) = connect(&mut setup).await;
            near.write(data::bytes(1, queued)).unwrap();
            let transport = near.transport();
            let upgrading = setup.spawn(async move {
                let upgraded = upgrade(&mut near, &certificates::connector().into()).await;
                (near, upgraded)
            });
            setup.sleep(20).await;
            end(&transport);
            let reading = setup.spawn(async move { rest_of(far.split().0).await });
            let (mut near, upgraded) = upgrading.await;
            upgraded.unwrap_err();
            assert!(transport.is_closing());
            near.write(b"in the clear").unwrap_err();
            near.read(1).await.unwrap_or_default();
            assert_eq!(near.buffered(), b"");
            assert!(!contains(&reading.await, b"in the clear"));
        }
    }
}

pub(crate) async fn nothing_can_be_upgraded_after_the_end(mut setup: Setup) {
    for side in sides() {
        for abort in [false, true] {
            let (mut near, _far) = connect(&mut setup).await;
            if abort {
                near.abort();
            } else {
                near.close();
            }
            let failed = upgrade(&mut near, &side).await.unwrap_err();
            assert!(matches!(failed, TlsError::Stream { .. }), "{failed:?}");
        }
        let (mut near, _far) = connect(&mut setup).await;
        near.write_eof().unwrap();
        let failed = upgrade(&mut near, &side).await.unwrap_err();
        assert!(matches!(failed, TlsError::Stream { .. }), "{failed:?}");
    }
}

pub(crate) async fn a_peer_that_has_ended_cannot_shake_hands(mut setup: Setup) {
    for side in sides() {
        let (mut near, mut far) = connect(&mut setup).await;
        far.write_eof().unwrap();
        let failed = upgrade(&mut near, &side).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::UnexpectedEof, "{failed:?}");
        assert_over(&mut near, ErrorKind::UnexpectedEof).await;
    }
}

pub(crate) async fn tls_can_begin_within_tls(mut setup: Setup) {
    let (mut near, mut far) = connect(&mut setup).await;
    for _ in 0..3 {
        begin(&mut near, &mut far).await;
        assert_talks(&mut near, &mut far).await;
    }
    let sent = data::bytes(1, MUCH / 8);
    let (written, read) = join(near.write_all(&sent), far.read_exactly(sent.len())).await;
    written.unwrap();
    data::assert_same(&read.unwrap(), &sent);
    near.write(b"bye").unwrap();
    drop(near);
    assert_eq!(far.read_to_eof().await.unwrap(), "bye");
}

pub(crate) async fn any_socket_can_be_upgraded(mut setup: Setup) {
    // In the middle of a handshake, 6 bytes are sent before anything is read.
    let (near, far) = StreamOptions::new().pair(6);
    let (mut near, mut far) = (whole(near), whole(far));
    // A server's handshake ends with tickets for the client, which has to read for them to have room.
    let client = async {
        upgrade(&mut near, &certificates::connector().into())
            .await
            .unwrap();
        assert_eq!(near.read_line().await.unwrap(), "220 go ahead\r\n");
    };
    let server = async {
        upgrade(&mut far, &certificates::acceptor().into())
            .await
            .unwrap();
        far.write(b"220 go ahead\r\n").unwrap();
    };
    join(client, server).await;
    assert_talks(&mut near, &mut far).await;

    #[cfg(unix)]
    {
        let mut unix = Setup::new(setup.runtime.clone(), crate::place::Place::Unix, setup.name);
        let (mut near, mut far) = connect(&mut unix).await;
        begin(&mut near, &mut far).await;
        assert_talks(&mut near, &mut far).await;
        setup.keep(unix);
    }
}

pub(crate) async fn halves_of_different_streams_are_refused(mut setup: Setup) {
    let (mut near, far) = setup.connect().await;
    let mut other = far.0;
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        drop(near.1.start_tls(&mut other, certificates::connector()));
    }));
    let text = *refused.unwrap_err().downcast::<&str>().unwrap();
    assert!(text.contains("different streams"), "{text}");
    near.1.write(b"as before\n").unwrap();
    assert_eq!(other.read_line().await.unwrap(), "as before\n");
}

/// An upgrade that is only made and not awaited has done nothing.
pub(crate) async fn an_upgrade_that_is_not_awaited_does_nothing(mut setup: Setup) {
    let (mut near, mut far) = connect(&mut setup).await;
    drop(near.start_tls(certificates::connector()));
    drop(near.start_tls(certificates::connector()).into_future());
    assert_talks(&mut near, &mut far).await;
}

/// A timeout around it is as good as its own.
pub(crate) async fn an_upgrade_in_a_select_ends_the_stream_if_it_loses(mut setup: Setup) {
    let (mut near, _far) = connect(&mut setup).await;
    {
        let side = certificates::connector().into();
        let (upgrading, sleep) = (pin!(upgrade(&mut near, &side)), pin!(setup.sleep(20)));
        let lost = select(upgrading, sleep).await;
        assert!(matches!(lost, Either::Right(_)));
    }
    assert_over(&mut near, ErrorKind::ConnectionAborted).await;
}
