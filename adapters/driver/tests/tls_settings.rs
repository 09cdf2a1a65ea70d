//! What can be set on both sides of TLS, and what is refused.

#![cfg(feature = "__tls")]

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use futures_lite::future::{block_on, try_zip};
use millpond::{
    Stream, TlsAcceptor, TlsConnector, error::TlsError, pair, rustls::pki_types::PrivateKeyDer,
    types::TlsSide,
};
use support::{
    tls::{NAME, Version, client_config, identity, server_config, tls},
    whole,
};

fn acceptor() -> TlsAcceptor {
    let (certificate, key) = identity();
    TlsAcceptor::new(vec![certificate], key)
}

fn connector() -> TlsConnector {
    TlsConnector::with_roots([identity().0])
}

/// The setting that is refused before anything is sent, and why.
#[track_caller]
fn refused(side: TlsSide) -> (&'static str, String) {
    let ((reader, writer), mut peer) = pair();
    let mut stream = Stream::reunite(reader, writer).unwrap();
    let is_client = matches!(side, TlsSide::Client(_));
    let starting = stream.start_tls(side);
    let starting = match is_client {
        true => starting.server_hostname(NAME),
        false => starting,
    };
    let refused = match block_on(async { starting.await }) {
        Err(TlsError::Config { name, reason }) => (name, reason.into_owned()),
        other => panic!("{other:?}"),
    };
    // The stream is as it was.
    stream.write(b"in the clear\n").unwrap();
    assert_eq!(block_on(peer.0.read_line()).unwrap(), "in the clear\n");
    refused
}

/// A server that was to require certificates must not be one that asks for none.
#[test]
fn a_setting_that_cannot_be_used_is_refused_by_its_name() {
    let (certificate, key) = identity();
    let chain = || vec![certificate.clone()];
    let no_chain = "it holds no certificate";
    let other = || {
        let other = rcgen::KeyPair::generate().unwrap().serialize_der();
        PrivateKeyDer::try_from(other).unwrap()
    };
    let server = |chain, key| TlsSide::from(TlsAcceptor::new(chain, key));
    let client = |chain, key| TlsSide::from(connector().client_certificate(chain, key));
    for (side, option, why) in [
        (server(Vec::new(), key.clone_key()), "certificate", no_chain),
        (client(Vec::new(), key), "client_certificate", no_chain),
        (server(chain(), other()), "certificate", "key"),
        (client(chain(), other()), "client_certificate", "key"),
        (
            acceptor().require_client_certificate([]).into(),
            "require_client_certificate",
            "root",
        ),
        (
            acceptor().handshake_timeout(Duration::ZERO).into(),
            "handshake_timeout",
            "0",
        ),
        (
            connector().handshake_timeout(Duration::ZERO).into(),
            "handshake_timeout",
            "0",
        ),
    ] {
        let (name, reason) = refused(side);
        assert_eq!(name, option, "{reason}");
        assert!(reason.contains(why), "{option}: {reason}");
    }
}

/// Neither is lost silently: each says which peers are trusted.
#[test]
fn settings_of_a_whole_configuration_are_not_set_beside_it() {
    let (certificate, key) = identity();
    let chain = vec![certificate.clone()];
    let client = || TlsConnector::from(Arc::new(client_config(Version::Tls13)));
    let server = || TlsAcceptor::from(Arc::new(server_config(Version::Tls13)));
    let settings: [(&str, &dyn Fn()); 5] = [
        ("add_root", &|| drop(client().add_root(certificate.clone()))),
        ("client_certificate", &|| {
            drop(client().client_certificate(chain.clone(), key.clone_key()));
        }),
        ("alpn", &|| drop(client().alpn(["h2"]))),
        ("alpn", &|| drop(server().alpn(["h2"]))),
        ("require_client_certificate", &|| {
            drop(server().require_client_certificate([certificate.clone()]));
        }),
    ];
    for (name, set) in settings {
        let panicked = catch_unwind(AssertUnwindSafe(set)).unwrap_err();
        let sentence = panicked.downcast::<String>().unwrap();
        let begin = format!("`{name}` was called, but a whole configuration was given");
        assert!(sentence.starts_with(&begin), "{sentence}");
    }
}

#[test]
fn a_setting_that_is_changed_after_the_first_use_counts() {
    let once = |connector: &TlsConnector, acceptor: &TlsAcceptor| {
        let (client, server) = pair();
        let (mut client, mut server) = (whole(client), whole(server));
        block_on(async {
            let shaking = async {
                let starting = client.start_tls(connector);
                starting.server_hostname(NAME).await.unwrap();
            };
            let serving = async { server.start_tls(acceptor).await.unwrap() };
            futures_util::future::join(shaking, serving).await;
        });
        client.extra_info().tls.as_ref().unwrap().alpn.clone()
    };
    let (connector, acceptor) = (connector(), acceptor());
    assert_eq!(once(&connector, &acceptor), None);
    let (connector, acceptor) = (connector.alpn(["one"]), acceptor.alpn(["one"]));
    assert_eq!(once(&connector, &acceptor).as_deref(), Some(&b"one"[..]));
    let (whole, _) = tls(Version::Tls12);
    assert_eq!(once(&connector, whole), None);
}

/// A certificate has an address without the zone, which names an interface of this machine alone.
#[test]
fn the_zone_of_an_address_is_no_part_of_its_name() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let names = rcgen::CertificateParams::new(["fe80::1".to_owned()]).unwrap();
    let certificate = names.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let connector = TlsConnector::with_roots([certificate.clone()]);
    let acceptor = TlsAcceptor::new(vec![certificate], key);
    for name in ["fe80::1", "fe80::1%eth0", "fe80::1%2"] {
        let (client, server) = pair();
        let (mut client, mut server) = (whole(client), whole(server));
        let shaking = client.start_tls(&connector).server_hostname(name);
        let shaken = try_zip(async { shaking.await }, async {
            server.start_tls(&acceptor).await
        });
        block_on(shaken).unwrap();
    }
}

#[cfg(feature = "idna")]
#[test]
fn a_name_in_other_letters_is_verified_in_those_of_certificates() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let names = rcgen::CertificateParams::new(["xn--bcher-kva.example".to_owned()]).unwrap();
    let certificate = names.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let connector = TlsConnector::with_roots([certificate.clone()]);
    let acceptor = TlsAcceptor::new(vec![certificate], key);
    for (name, verified) in [
        ("bücher.example", true),
        ("Bücher.Example", true),
        ("xn--bcher-kva.example", true),
        ("bûcher.example", false),
    ] {
        let (client, server) = pair();
        let (mut client, mut server) = (whole(client), whole(server));
        let shaking = client.start_tls(&connector).server_hostname(name);
        let shaken = block_on(try_zip(async { shaking.await }, async {
            server.start_tls(&acceptor).await
        }));
        assert_eq!(shaken.is_ok(), verified, "{name}");
        if verified {
            let tls = server.extra_info().tls.clone().unwrap();
            assert_eq!(tls.server_name.as_deref(), Some("xn--bcher-kva.example"));
        }
    }
}
