//! How TLS ends, and what stays as it was when it begins.

#![cfg(feature = "__tls")]

mod support;

use std::{
    io::{self, ErrorKind, Write},
    pin::pin,
    sync::Mutex,
    task::{Context, Poll, ready},
};

use futures_util::future::join;
use millpond::{ReadError, TlsAcceptor, TlsConnector, WriteError, adapter::Socket, types::Info};
use support::tls::{
    NAME, Pace, Scene, VERSIONS, Version, Way, against_raw, finish, half_closing, identity, open,
    open_with, secure, tls,
};

#[test]
fn one_direction_ends_alone_with_tls_1_3_if_both_sides_allow_it() {
    let scene = Scene::new();
    let (mut client, mut server) = scene.secured_with(&half_closing(Version::Tls13));
    assert!(client.can_write_eof() && server.can_write_eof());
    client.write(b"question").unwrap();
    client.write_eof().unwrap();
    client.write_eof().unwrap();
    assert_eq!(client.write(b"more"), Err(WriteError::Finished));
    assert_eq!(scene.run(server.read_to_eof()).unwrap(), "question");
    for _ in 0..3 {
        server.write(b"answer").unwrap();
        assert_eq!(scene.run(client.read_exactly(6)).unwrap(), "answer");
    }
    server.write_eof().unwrap();
    assert_eq!(scene.run(client.read(1)).unwrap(), "");
    for stream in [&mut client, &mut server] {
        stream.close();
        scene.run(stream.wait_closed()).unwrap();
    }
}

#[test]
fn one_direction_does_not_end_alone_by_default_nor_ever_with_tls_1_2() {
    for sides in [
        tls(Version::Tls12).clone(),
        half_closing(Version::Tls12),
        tls(Version::Tls13).clone(),
    ] {
        goes_on_though_no_direction_can_end_alone(&sides);
    }
}

fn goes_on_though_no_direction_can_end_alone(sides: &(TlsAcceptor, TlsConnector)) {
    let scene = Scene::new();
    let (mut client, mut server) = scene.secured_with(sides);
    for stream in [&mut client, &mut server] {
        assert!(!stream.can_write_eof());
        let error = stream.write_eof().unwrap_err();
        let message = "the transport does not support a half-close: close the stream";
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(io::Error::from(error).kind(), ErrorKind::Unsupported);
        // It goes on.
        assert!(!stream.is_closing());
    }
    client.write(b"still here\n").unwrap();
    assert_eq!(scene.run(server.read_line()).unwrap(), "still here\n");
}

/// Both versions, and one direction of those that could end alone, but without half_close.
#[test]
fn the_peers_end_is_that_of_both_directions() {
    for version in VERSIONS {
        for reads in [false, true] {
            let case = format!("{version:?} {reads}");
            let scene = Scene::new();
            let (mut client, mut raw, _server) = against_raw(&scene, version);
            raw.session.writer().write_all(b"bye").unwrap();
            if !reads {
                raw.speak();
                assert_eq!(scene.run(client.read(9)).unwrap(), "bye");
            }
            raw.session.send_close_notify();
            raw.speak();
            if reads {
                assert_eq!(scene.run(client.read_to_eof()).unwrap(), "bye");
                assert!(client.is_closing(), "{case}");
            }
            assert_eq!(
                client.write(b"too late"),
                Err(WriteError::PeerClosed),
                "{case}"
            );
            assert!(client.is_closing(), "{case}");
            assert_eq!(
                scene.run(client.drain()),
                Err(WriteError::PeerClosed),
                "{case}"
            );
            scene.run(client.flush()).unwrap();
            scene.run(client.wait_closed()).unwrap();
            assert_eq!(scene.run(client.read(1)).unwrap(), "");
            // Its goodbye is answered, and nothing else.
            assert_eq!(raw.go_on(), b"", "{case}");
            let state = raw.session.process_new_packets().unwrap();
            assert!(state.peer_has_closed(), "{case}");
            assert!(scene.wire.has_ended(Way::ToServer), "{case}");
        }
    }
}

#[test]
fn what_is_queued_when_the_peer_ends_is_sent_before_close_notify() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut client, mut raw, _server) = against_raw(&scene, version);
        scene.wire.pace(Way::ToServer, Pace::Busy);
        let sent = vec![7; 1_000_000];
        client.write(&sent).unwrap();
        raw.session.send_close_notify();
        raw.speak();
        assert_eq!(scene.run(client.read(1)).unwrap(), "");
        assert!(client.is_closing() && client.queued() > 0);
        scene.wire.pace(Way::ToServer, Pace::Free);
        scene.run(client.wait_closed()).unwrap();
        assert!(raw.go_on() == sent, "{version:?}");
        let state = raw.session.process_new_packets().unwrap();
        assert!(state.peer_has_closed(), "{version:?}");
    }
}

/// What meets a cut first.
#[derive(Clone, Copy, Debug)]
enum Sees {
    Read,
    Write,
    Close,
}

/// As in asyncio: a truncation is no end for the reader, whatever meets it first. Whether what came is all
/// is no matter for a close, if nothing that was written is lost.
#[test]
fn a_cut_is_truncated_for_a_reader_and_fails_a_close_that_has_something_to_deliver() {
    for version in VERSIONS {
        for (pace, sees) in [Pace::Free, Pace::Busy]
            .into_iter()
            .flat_map(|pace| [Sees::Read, Sees::Write, Sees::Close].map(|sees| (pace, sees)))
        {
            let case = format!("{version:?} {pace:?} {sees:?}");
            let scene = Scene::new();
            let (mut client, _raw, _server) = against_raw(&scene, version);
            scene.wire.pace(Way::ToServer, pace);
            client.write(vec![7; 1_000_000]).unwrap();
            scene.wire.end(Way::ToClient);
            let truncated = Err(ReadError::Truncated);
            match sees {
                Sees::Read => assert_eq!(scene.run(client.read(1)), truncated, "{case}"),
                Sees::Write => assert_cut(client.write(b"?"), &case),
                Sees::Close => {}
            }
            client.close();
            let closed = scene.run(client.wait_closed());
            if matches!(pace, Pace::Busy) {
                assert_cut(closed, &case);
            } else {
                closed.unwrap();
            }
            assert_eq!(scene.run(client.read(1)), truncated, "{case}");
        }
    }
}

#[track_caller]
fn assert_cut(result: Result<(), WriteError>, case: &str) {
    let Err(WriteError::Transport(error)) = result else {
        panic!("{case}: {result:?}");
    };
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{case}");
}

/// What the socket below keeps back is flushed by TLS alone.
#[test]
fn close_notify_arrives_through_a_socket_that_buffers_writes() {
    for version in VERSIONS {
        for pace in [Pace::Free, Pace::Bytewise, Pace::Room(3), Pace::Random(5)] {
            let scene = Scene::new();
            let [client, server] = scene.wire.ends();
            let mut client = open(&scene.world, Box::new(KeepsBack::new(client)));
            let mut server = open(&scene.world, server);
            finish(&scene.world, secure(version, &mut client, &mut server));
            scene.wire.pace(Way::ToServer, pace);
            client.write(b"last").unwrap();
            client.close();
            let (closed, rest) = scene.run(join(client.wait_closed(), server.read_to_eof()));
            closed.unwrap();
            assert_eq!(rest.unwrap(), "last", "{version:?} {pace:?}");
        }
    }
}

/// Sends when it is flushed, and only then.
struct KeepsBack {
    inner: Box<dyn Socket>,
    kept: Mutex<Vec<u8>>,
}

impl KeepsBack {
    fn new(inner: Box<dyn Socket>) -> Self {
        Self {
            inner,
            kept: Mutex::default(),
        }
    }
}

impl Socket for KeepsBack {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.inner.poll_read(cx, buf)
    }

    fn poll_write(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.kept.lock().unwrap().extend(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut kept = self.kept.lock().unwrap();
        while !kept.is_empty() {
            let n = ready!(self.inner.poll_write(cx, &kept))?;
            kept.drain(..n);
        }
        Poll::Ready(Ok(()))
    }

    fn wants_flush(&self) -> bool {
        !self.kept.lock().unwrap().is_empty()
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_close(cx)
    }
}

/// The peer need not take the goodbye, but what was written.
#[test]
fn a_close_fails_if_what_was_written_cannot_leave() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut client, _server) = scene.secured(version);
        scene.wire.pace(Way::ToServer, Pace::Busy);
        client.write(b"never sent").unwrap();
        assert_eq!(client.queued(), 0); // it is in the session
        client.close();
        // The wire takes no more from now on.
        scene.wire.end(Way::ToServer);
        let error = scene.run(client.wait_closed()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{version:?}");
    }
}

#[test]
fn streams_that_are_closed_or_dropped_send_close_notify() {
    for version in VERSIONS {
        for how in [
            "drop",
            "reader first",
            "writer first",
            "close",
            "close and drop",
        ] {
            for pace in [Pace::Free, Pace::Bytewise, Pace::Room(3), Pace::Random(4)] {
                let case = format!("{version:?} {how} {pace:?}");
                let scene = Scene::new();
                let (mut client, mut server) = scene.secured(version);
                scene.wire.pace(Way::ToServer, pace);
                client.write([b'x'; 500]).unwrap();
                let mut kept = None;
                match how {
                    "drop" => drop(client),
                    "close" => {
                        client.close();
                        kept = Some(client);
                    }
                    "close and drop" => {
                        client.close();
                        drop(client);
                    }
                    _ => {
                        let (reader, writer) = client.into_split();
                        if how == "reader first" {
                            drop(reader);
                            drop(writer);
                        } else {
                            drop(writer);
                            drop(reader);
                        }
                    }
                }
                let read = scene.run(server.read_to_eof());
                assert_eq!(read.unwrap().len(), 500, "{case}");
                if let Some(mut client) = kept {
                    scene.run(client.wait_closed()).unwrap();
                }
            }
        }
    }
}

#[test]
fn an_aborted_stream_sends_no_close_notify() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut client, mut server) = scene.secured(version);
        client.write(b"half a l").unwrap();
        client.abort();
        let error = scene.run(server.read_line()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(server.buffered(), b"half a l");
        assert!(scene.wire.was_reset(Way::ToServer));
    }
}

#[test]
fn what_was_held_back_is_sent_before_close_notify() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut client, mut server) = scene.secured(version);
        let before = scene.wire.sent_len(Way::ToServer);
        let cork = client.cork();
        for _ in 0..10 {
            client.write(b"one of ten ").unwrap();
        }
        assert_eq!(scene.wire.sent_len(Way::ToServer), before);
        client.close();
        assert_eq!(scene.run(server.read_to_eof()).unwrap().len(), 110);
        drop(cork);
        scene.run(client.wait_closed()).unwrap();
        // One record of data, and the goodbye.
        let sent = scene.wire.sent(Way::ToServer);
        assert_eq!(support::tls::records(&sent[before..]).len(), 2);
    }
}

#[test]
fn what_was_written_before_leaves_in_the_clear_and_nothing_after_it() {
    for pace in [Pace::Free, Pace::Bytewise, Pace::Room(4)] {
        for corked in [false, true] {
            let scene = Scene::new();
            let (mut client, mut server) = scene.streams();
            scene.wire.pace(Way::ToServer, pace);
            let cork = corked.then(|| client.cork());
            client.write(b"STARTTLS\r\n").unwrap();
            scene.run(async {
                let (acceptor, connector) = tls(Version::Tls13);
                let one = async {
                    let starting = client.start_tls(connector).server_hostname(NAME);
                    starting.await.unwrap();
                    client.write(b"secret\n").unwrap();
                    client.flush().await.unwrap();
                };
                let other = async {
                    for byte in b"STARTTLS\r\n" {
                        assert_eq!(server.read_exactly(1).await.unwrap()[0], *byte);
                    }
                    let early = server.start_tls(acceptor).hand_over_buffered(true);
                    early.await.unwrap();
                    assert_eq!(server.read_line().await.unwrap(), "secret\n");
                };
                join(one, other).await;
            });
            drop(cork);
            let sent = scene.wire.sent(Way::ToServer);
            assert!(sent.starts_with(b"STARTTLS\r\n\x16\x03"));
            assert!(!sent.windows(6).any(|part| part == b"secret"));
        }
    }
}

#[test]
fn limit_cap_and_watermarks_stay_across_an_upgrade() {
    for version in VERSIONS {
        let scene = Scene::new();
        let [client, server] = scene.wire.ends();
        let mut client = open_with(&scene.world, client, |connect| {
            connect
                .watermarks(10, 100)
                .write_cap(1000)
                .limit(50)
                .cap(200)
        });
        let mut server = open_with(&scene.world, server, |connect| connect);
        finish(&scene.world, secure(version, &mut client, &mut server));
        assert_eq!((client.watermarks(), client.limit()), ((10, 100), 50));
        scene.wire.pace(Way::ToServer, Pace::Busy);
        // The session takes some of it, too, but not without bound.
        let mut taken = 0;
        let refused = loop {
            match client.write([0; 100]) {
                Ok(()) => taken += 100,
                Err(error) => {
                    let queued = client.queued();
                    scene.world.settle();
                    if client.queued() == queued {
                        break error;
                    }
                }
            }
            assert!(taken < 1 << 20);
        };
        assert_eq!(refused, WriteError::CapExceeded { cap: 1000 });
        assert!(client.is_paused() && client.queued() <= 1000);
        assert!(taken - client.queued() <= 64 * 1024);
        {
            let mut draining = pin!(client.drain());
            assert!(scene.world.poll(draining.as_mut()).is_none());
            scene.wire.pace(Way::ToServer, Pace::Free);
            finish(&scene.world, draining).unwrap();
        }
        assert_eq!(scene.run(server.read_exactly(taken)).unwrap().len(), taken);
        server.write([b'x'; 51]).unwrap();
        let error = scene.run(client.read_until("\n")).unwrap_err();
        assert!(matches!(error, ReadError::LimitOverrun { .. }));
        let error = scene.run(client.read_exactly(201)).unwrap_err();
        assert_eq!(error, ReadError::CapExceeded { cap: 200 });
    }
}

#[test]
fn both_sides_know_what_was_agreed_on() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (client, server) = scene.secured(version);
        let name = match version {
            Version::Tls12 => "TLSv1_2",
            Version::Tls13 => "TLSv1_3",
        };
        for stream in [&client, &server] {
            let info = stream.extra_info();
            let tls = info.tls.as_ref().unwrap();
            assert_eq!(tls.protocol, name);
            assert_eq!(tls.server_name.as_deref(), Some(NAME));
            assert_eq!(tls.alpn, None);
            assert!(tls.cipher.starts_with("TLS"), "{}", tls.cipher);
            assert_eq!(info.get("cipher"), Some(Info::Text(&tls.cipher)));
            assert_eq!(stream.transport().extra_info().tls.as_ref(), Some(tls));
        }
        let certificate = identity().0;
        let seen = client.extra_info().get("peercert");
        assert_eq!(seen, Some(Info::Certificate(&certificate)));
        assert_eq!(server.extra_info().get("peercert"), None);
        assert_eq!(
            client.extra_info().tls.as_ref().unwrap().cipher,
            server.extra_info().tls.as_ref().unwrap().cipher
        );
    }
}

#[test]
fn descriptions_show_no_secret() {
    let (acceptor, connector) = tls(Version::Tls13);
    let terms =
        "terms: Terms { handshake_timeout: 60s, truncation: Refused, half_close: false }, ..";
    assert_eq!(
        format!("{connector:?}"),
        format!("TlsConnector {{ {terms} }}")
    );
    assert_eq!(
        format!("{acceptor:?}"),
        format!("TlsAcceptor {{ {terms} }}")
    );
    let scene = Scene::new();
    let (mut client, _server) = scene.streams();
    let starting = client.start_tls(connector);
    let shown = format!("{starting:?}");
    assert!(
        shown.starts_with("StartTls { writer: StreamWriter {"),
        "{shown}"
    );
    assert!(shown.contains("side: Client(TlsConnector {"), "{shown}");
}
