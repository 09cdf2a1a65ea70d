//! How TLS ends, and what stays as it was when it begins.

#![cfg(feature = "__tls")]

mod support;

use std::{io::ErrorKind, pin::pin};

use futures_util::future::join;
use millpond::{Info, ReadError, WriteError};
use support::tls::{
    NAME, Pace, Scene, VERSIONS, Version, Way, finish, identity, open_with, poll_on, secure, tls,
};

#[test]
fn one_direction_ends_alone_with_tls_1_3() {
    let scene = Scene::new();
    let (mut client, mut server) = scene.secured(Version::Tls13);
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
fn one_direction_does_not_end_alone_with_tls_1_2() {
    let scene = Scene::new();
    let (mut client, mut server) = scene.secured(Version::Tls12);
    for stream in [&mut client, &mut server] {
        assert!(!stream.can_write_eof());
        let error = stream.write_eof().unwrap_err();
        let message = "this direction cannot be ended alone: close the stream";
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(std::io::Error::from(error).kind(), ErrorKind::Unsupported);
        // It goes on.
        assert!(!stream.is_closing());
    }
    client.write(b"still here\n").unwrap();
    assert_eq!(scene.run(server.read_line()).unwrap(), "still here\n");
}

#[test]
fn streams_that_are_closed_or_just_dropped_say_goodbye() {
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
                client.write(&[b'x'; 500]).unwrap();
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
fn an_aborted_stream_does_not_say_goodbye() {
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
fn what_was_held_back_leaves_before_the_goodbye() {
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
            match client.write(&[0; 100]) {
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
            assert!(poll_on(&scene.world, draining.as_mut()).is_none());
            scene.wire.pace(Way::ToServer, Pace::Free);
            finish(&scene.world, draining).unwrap();
        }
        assert_eq!(scene.run(server.read_exactly(taken)).unwrap().len(), taken);
        server.write(&[b'x'; 51]).unwrap();
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
fn descriptions_tell_no_secret() {
    let (acceptor, connector) = tls(Version::Tls13);
    let terms = "terms: Terms { handshake_timeout: 60s, truncation: Refused }, ..";
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
