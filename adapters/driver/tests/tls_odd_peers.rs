//! Peers that speak TLS as few do, or nearly.

#![cfg(feature = "__tls")]

mod support;

use std::{io::ErrorKind, pin::pin, time::Duration};

use futures_lite::future::{block_on, zip};
use millpond::{
    Stream, TlsAcceptor, TlsConnector, adapter::Socket, error::TlsError, pair,
    rustls::pki_types::PrivateKeyDer,
};
use support::{
    tls::{Pace, Raw, Scene, VERSIONS, Version, Way, client_config, open, tls},
    whole,
};

/// An alert that is no failure, in the clear: `close_notify` is 0, `user_canceled` 90.
const fn warning(description: u8) -> [u8; 7] {
    [21, 3, 3, 0, 2, 1, description]
}

/// A server of the driver's, its client that is rustls alone, and what keeps the client's end.
fn against_client(scene: &Scene, version: Version) -> (Stream, Raw, Box<dyn Socket>) {
    let [client, server] = scene.wire.ends();
    let server = open(&scene.world, server);
    let raw = Raw::client(&scene.wire, client_config(version));
    (server, raw, client)
}

/// A record with each byte of the first ones.
fn in_pieces(records: &[u8], len: usize) -> Vec<u8> {
    let mut pieces = Vec::new();
    let mut begin = 0;
    for (kind, end) in support::tls::records(records) {
        for piece in records[begin + 5..end].chunks(len) {
            let len = u16::try_from(piece.len()).unwrap().to_be_bytes();
            pieces.extend([kind, 3, 3]);
            pieces.extend(len);
            pieces.extend(piece);
        }
        begin = end;
    }
    pieces
}

#[test]
fn a_hello_in_records_of_a_few_bytes_begins_tls() {
    for version in VERSIONS {
        for len in [1, 2, 3, 4, 5, 7, 100] {
            for at_once in [true, false] {
                let scene = Scene::new();
                let (mut server, mut raw, _client) = against_client(&scene, version);
                let hello = in_pieces(&raw.say_nothing_yet(), len);
                {
                    let mut shaking = pin!(async { server.start_tls(&tls(version).0).await });
                    for piece in hello.chunks(if at_once { hello.len() } else { 1 }) {
                        scene.wire.say(Way::ToServer, piece);
                        assert!(scene.world.poll(shaking.as_mut()).is_none());
                    }
                    raw.go_on();
                    let shaken = scene.world.poll(shaking);
                    shaken.expect("it is all there").unwrap();
                }
                server.write(b"hello\n").unwrap();
                assert_eq!(raw.go_on(), b"hello\n", "{version:?} {len}");
            }
        }
    }
}

/// What comes of what a client says in the clear, and of its end if it is waited for. An empty piece
/// stands for its hello.
fn fails(version: Version, pieces: &[&[u8]]) -> TlsError {
    let scene = Scene::new();
    let (mut server, mut raw, _client) = against_client(&scene, version);
    for piece in pieces {
        match piece {
            [] => raw.speak(),
            piece => scene.wire.say(Way::ToServer, piece),
        }
    }
    let error = {
        let mut shaking = pin!(async { server.start_tls(&tls(version).0).await });
        let shaken = scene.world.poll(shaking.as_mut()).unwrap_or_else(|| {
            scene.wire.end(Way::ToServer);
            scene.world.poll(shaking.as_mut()).expect("it is over")
        });
        shaken.unwrap_err()
    };
    assert!(matches!(error, TlsError::Handshake { .. }), "{error:?}");
    assert!(scene.run(server.read(1)).is_err());
    error
}

/// That was an endless loop once, elsewhere. It may be waited whether something follows, since any peer
/// can send that in the clear.
#[test]
fn a_close_notify_in_the_middle_of_a_handshake_does_not_spin() {
    for version in VERSIONS {
        for pieces in [&[&[][..], &warning(0)][..], &[&warning(0)]] {
            let kind = fails(version, pieces).kind();
            let ends = [ErrorKind::InvalidData, ErrorKind::UnexpectedEof];
            assert!(ends.contains(&kind), "{version:?} {kind:?}");
        }
    }
}

#[test]
fn what_only_keeps_a_handshake_busy_ends_it() {
    let alerts = warning(90).repeat(1000);
    let empty = [22, 3, 3, 0, 0].repeat(1000);
    // As some middle boxes like to see them, but not so many.
    let changes = [20, 3, 3, 0, 1, 1].repeat(1000);
    for version in VERSIONS {
        for flood in [&alerts, &empty, &changes] {
            for pieces in [&[&[][..], flood][..], &[flood]] {
                let kind = fails(version, pieces).kind();
                assert_eq!(
                    kind,
                    ErrorKind::InvalidData,
                    "{version:?} {:?}",
                    &flood[..5]
                );
            }
        }
    }
}

/// Whatever it says of its length.
#[test]
fn the_head_of_a_record_that_cannot_be_ends_the_handshake() {
    for head in [
        &[22, 3, 1, 0xff, 0xff][..],
        &[22, 3, 1, 0x48, 0x01],
        &[22, 9, 9, 0, 1, 0],
        &[22, 3, 1, 0, 0],
        &[23, 3, 3, 0, 1, 0],
        &[0x80, 0x2e, 1, 3, 1],
    ] {
        let error = fails(Version::Tls13, &[head]);
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{head:?}: {error}");
    }
}

/// That it may take as long as the handshake is no reason to forget it.
#[test]
fn why_a_handshake_failed_is_reported_though_the_alert_is_never_sent() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut server, _raw, _client) = against_client(&scene, version);
        scene.wire.pace(Way::ToClient, Pace::Busy);
        scene.wire.say(Way::ToServer, b"GET / HTTP/1.1\r\n\r\n");
        let mut shaking = pin!(async { server.start_tls(&tls(version).0).await });
        assert!(scene.world.poll(shaking.as_mut()).is_none());
        scene.world.advance(Duration::from_secs(60));
        let error = scene.world.poll(shaking).expect("time is up");
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidData);
    }
}

/// A certificate that a trusted authority has signed can have names that were not checked.
#[test]
fn the_names_of_a_certificate_are_printed_as_plain_text() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mut names = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let odd = rcgen::string::Ia5String::try_from("x\n\x1b[2J\x7f").unwrap();
    names.subject_alt_names = vec![
        rcgen::SanType::DnsName(odd.clone()),
        rcgen::SanType::URI(odd),
    ];
    let certificate = names.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let connector = TlsConnector::with_roots([certificate.clone()]);
    let acceptor = TlsAcceptor::new(vec![certificate], key);

    let (client, server) = pair();
    let (mut client, mut server) = (whole(client), whole(server));
    let shaking = client.start_tls(connector).server_hostname("example.org");
    let (refused, _) = block_on(zip(async { shaking.await }, async {
        server.start_tls(acceptor).await
    }));
    let refused = refused.unwrap_err();
    let mut texts = vec![refused.to_string(), format!("{refused:?}")];
    let mut cause = std::error::Error::source(&refused);
    while let Some(error) = cause {
        texts.extend([error.to_string(), format!("{error:?}")]);
        cause = error.source();
    }
    assert!(texts[0].contains(r"x\n\u{1b}[2J\u{7f}"), "{texts:?}");
    assert!(texts.iter().all(|text| !text.contains(char::is_control)));
    let of_rustls = refused.rustls().unwrap();
    assert!(!of_rustls.to_string().contains(char::is_control));
}
