//! Who is on the other side of TLS.

use std::{
    io,
    net::{Ipv6Addr, SocketAddr},
    sync::Arc,
};

use futures_channel::mpsc;
use futures_util::StreamExt;
use millpond::{
    OpenError, Server, Stream, StreamReader, StreamServer, StreamWriter, TlsAcceptor, TlsConnector,
    WriteError,
    adapter::{BoxFuture, os},
    error::TlsError,
    rustls::{self, CertificateError, ServerConfig},
    types::{Info, OpenConnection, TlsInfo},
};

use crate::{
    certificates::{self, Certified},
    setup::{Setup, whole},
};

pub(crate) mod system;

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let line = reader.read_line().await?;
    Ok(writer.write(&line)?)
}

/// A server, its address, and its reports of handshakes that failed.
async fn start(
    setup: &mut Setup,
    tls: TlsAcceptor,
) -> (Server, SocketAddr, mpsc::UnboundedReceiver<TlsError>) {
    let (failed, failures) = mpsc::unbounded();
    let starting = setup.serve(echo).tls(tls);
    let starting = starting.on_handshake_error(move |peer, error| {
        assert!(peer.is_some());
        failed.unbounded_send(error.clone()).unwrap();
    });
    let server = starting.await.unwrap();
    let address = server.sockets()[0].tcp().unwrap();
    (server, address, failures)
}

/// Says hello, and returns what is known of the connection.
async fn greet(opening: OpenConnection) -> TlsInfo {
    let (mut reader, mut writer) = opening.await.unwrap();
    writer.write(b"hello\n").unwrap();
    assert_eq!(reader.read_to_eof().await.unwrap(), "hello\n");
    writer.extra_info().tls.clone().unwrap()
}

/// What the handshake has failed with.
#[track_caller]
fn refusal(result: Result<(StreamReader, StreamWriter), OpenError>) -> TlsError {
    match result {
        Err(OpenError::Tls {
            source: source @ TlsError::Handshake { .. },
        }) => source,
        other => panic!("the handshake does not fail: {other:?}"),
    }
}

#[track_caller]
fn assert_needs_a_name<T: std::fmt::Debug>(result: Result<T, OpenError>) {
    match result {
        Err(OpenError::Option { name, .. }) => assert_eq!(name, "server_hostname"),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn the_host_is_the_name_that_the_certificate_must_have(mut setup: Setup) {
    let (_server, address, _) = start(&mut setup, certificates::acceptor()).await;
    let port = address.port();
    let tls = certificates::connector();
    for (name, opening) in [
        ("localhost", setup.open(("localhost", port))),
        ("localhost", setup.open(format!("localhost:{port}"))),
        ("127.0.0.1", setup.open(("127.0.0.1", port))),
        ("127.0.0.1", setup.open(address)),
        (
            "localhost",
            setup.open(address).server_hostname("localhost"),
        ),
    ] {
        let info = greet(opening.tls(&tls)).await;
        assert_eq!(info.server_name.as_deref(), Some(name));
    }
}

pub(crate) async fn an_ipv6_address_is_a_name_too(setup: Setup) {
    let serving = setup.serve_at((Ipv6Addr::LOCALHOST, 0), echo);
    let Ok(server) = serving.tls(certificates::acceptor()).await else {
        return; // there is no IPv6 here
    };
    let address = server.sockets()[0].tcp().unwrap();
    let port = address.port();
    let tls = certificates::connector();
    for opening in [
        setup.open(address),
        setup.open(("::1", port)),
        setup.open(("[::1]", port)),
        setup.open(format!("[::1]:{port}")),
    ] {
        let info = greet(opening.tls(&tls)).await;
        assert_eq!(info.server_name.as_deref(), Some("::1"));
    }
}

pub(crate) async fn a_name_must_be_given_where_there_is_no_host(mut setup: Setup) {
    let (_server, address, _) = start(&mut setup, certificates::acceptor()).await;
    let tls = certificates::connector();
    let several = (["127.0.0.1", "localhost"], address.port());
    assert_needs_a_name(setup.open(several).tls(&tls).await);
    let named = setup.open(several).server_hostname("localhost");
    greet(named.tls(&tls)).await;

    for no_name in ["", "no name", "a..b"] {
        let named = setup.open(address).server_hostname(no_name);
        assert_needs_a_name(named.tls(&tls).await);
    }
    // Without TLS, it means nothing.
    assert_needs_a_name(setup.open(address).server_hostname("localhost").await);
}

#[cfg(unix)]
pub(crate) async fn a_unix_socket_can_have_tls_and_needs_a_name(mut setup: Setup) {
    let path = setup.new_path();
    let serving = setup.serve_at(&*path, echo).tls(certificates::acceptor());
    let _server = serving.await.unwrap();
    let tls = certificates::connector();
    assert_needs_a_name(setup.open(&*path).tls(&tls).await);
    let named = setup.open(&*path).server_hostname("localhost").tls(&tls);
    let info = greet(named).await;
    assert_eq!(info.server_name.as_deref(), Some("localhost"));
}

pub(crate) async fn a_certificate_that_is_no_good_is_refused(mut setup: Setup) {
    let mut strangers = certificates::client_config(&rustls::version::TLS13);
    strangers.enable_sni = false;
    let is_wrong_name: fn(&CertificateError) -> bool =
        |error| matches!(error, CertificateError::NotValidForNameContext { .. });
    for (certified, what, is_it) in [
        (Certified::elsewhere(), "not valid for name", is_wrong_name),
        (Certified::expired(), "expired", |error| {
            matches!(error, CertificateError::ExpiredContext { .. })
        }),
        (Certified::untrusted(), "UnknownIssuer", |error| {
            matches!(error, CertificateError::UnknownIssuer)
        }),
    ] {
        let (_server, address, mut failures) = start(&mut setup, certified.acceptor()).await;
        for tls in [
            certificates::connector(),
            certificates::connector().alpn(["line"]),
            TlsConnector::from(Arc::new(strangers.clone())),
        ] {
            let refused = refusal(setup.open(address).tls(tls).await);
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
            assert!(refused.to_string().contains(what), "{refused}");
            // A program can distinguish them.
            match refused.rustls() {
                Some(rustls::Error::InvalidCertificate(error)) => assert!(is_it(error), "{error}"),
                other => panic!("{other:?}"),
            }
            // The server gets the reason.
            let failure = failures.next().await.unwrap();
            assert!(matches!(failure, TlsError::Handshake { .. }), "{failure:?}");
        }
        // It goes on, for clients that do not verify.
        let unverified = TlsConnector::dangerously_without_verification();
        greet(setup.open(address).tls(&unverified)).await;
    }
}

pub(crate) async fn the_systems_authorities_do_not_vouch_for_a_made_up_one(mut setup: Setup) {
    let (_server, address, _) = start(&mut setup, certificates::acceptor()).await;
    // There may be none on this system.
    match setup.open(address).tls(TlsConnector::new()).await {
        Err(OpenError::Option { name, .. }) => assert_eq!(name, "tls"),
        other => drop(refusal(other)),
    }
    let with_ours = TlsConnector::with_roots([]).add_root(certificates::authority());
    greet(setup.open(address).tls(with_ours)).await;
}

pub(crate) async fn a_client_shows_its_certificate_to_a_server_that_asks(mut setup: Setup) {
    let picky = certificates::acceptor().require_client_certificate([certificates::authority()]);
    let (_server, address, mut failures) = start(&mut setup, picky).await;
    let with = |certified: &Certified| {
        certificates::connector().client_certificate(certified.chain(), certified.key())
    };
    greet(setup.open(address).tls(with(Certified::client()))).await;
    setup.stays_pending(failures.next()).await;
    for tls in [certificates::connector(), with(Certified::untrusted())] {
        // In TLS 1.3 the client is done before the server has seen its certificate.
        let ended = match setup.open(address).tls(tls).await {
            Ok((mut reader, _writer)) => io::Error::from(reader.read(1).await.unwrap_err()),
            refused => io::Error::from(refused.unwrap_err()),
        };
        let text = ended.to_string();
        assert!(text.contains("alert"), "{text}");
        failures.next().await.unwrap();
    }
}

type Writing = fn(&mut StreamWriter) -> BoxFuture<'_, Result<(), WriteError>>;

/// Every way to write, while no task reads.
const WRITINGS: [Writing; 5] = [
    |writer| Box::pin(async { writer.write(b"a line of a log\n") }),
    |writer| Box::pin(writer.write_all(b"a line of a log\n")),
    |writer| Box::pin(writer.drain()),
    |writer| Box::pin(writer.flush()),
    |writer| {
        Box::pin(async {
            let _cork = writer.cork();
            writer.write(b"a line of a log\n")
        })
    },
];

/// In TLS 1.3 the client is done before the server has seen its certificate: of what it says then, all
/// is lost.
pub(crate) async fn a_refused_client_that_only_writes_gets_the_alert(mut setup: Setup) {
    let picky = certificates::acceptor().require_client_certificate([certificates::authority()]);
    let (_server, address, _failures) = start(&mut setup, picky).await;
    for write in WRITINGS {
        let opening = setup.open(address).tls(certificates::connector());
        let (mut reader, mut writer) = opening.await.unwrap();
        let refused = loop {
            match write(&mut writer).await {
                Ok(()) => setup.sleep(1).await,
                Err(refused) => break refused,
            }
        };
        let text = refused.to_string();
        let alert = "received fatal alert: CertificateRequired";
        assert!(text.contains(alert), "{text}");
        assert!(writer.is_closing());
        // Whatever is asked next.
        assert_eq!(writer.write(b"?"), Err(refused.clone()));
        assert_eq!(writer.flush().await, Err(refused.clone()));
        writer.close();
        assert_eq!(writer.wait_closed().await, Err(refused));
        let read = reader.read(1).await.unwrap_err().to_string();
        assert!(read.contains(alert), "{read}");
    }
}

pub(crate) async fn a_protocol_is_agreed_on_or_there_is_none(mut setup: Setup) {
    let two = certificates::acceptor().alpn(["two", "one"]);
    let (_server, address, mut failures) = start(&mut setup, two).await;
    let client = |names: &[&str]| certificates::connector().alpn(names);
    for (names, agreed) in [
        (&["one", "two", "three"][..], Some("two")),
        (&["one"], Some("one")),
        (&[], None),
    ] {
        let info = greet(setup.open(address).tls(client(names))).await;
        assert_eq!(info.alpn.as_deref(), agreed.map(str::as_bytes));
    }
    refusal(setup.open(address).tls(client(&["three"])).await);
    failures.next().await.unwrap();

    let (_server, address, _) = start(&mut setup, certificates::acceptor()).await;
    let info = greet(setup.open(address).tls(client(&["one"]))).await;
    assert_eq!(info.alpn, None);
}

pub(crate) async fn whole_configurations_are_taken_as_they_are(mut setup: Setup) {
    let mut server: ServerConfig = certificates::server_config();
    server.alpn_protocols = vec![b"theirs".to_vec()];
    let (_server, address, _) = start(&mut setup, Arc::new(server).into()).await;
    for (version, name) in [
        (&rustls::version::TLS12, "TLSv1_2"),
        (&rustls::version::TLS13, "TLSv1_3"),
    ] {
        let mut client = certificates::client_config(version);
        client.alpn_protocols = vec![b"theirs".to_vec()];
        let tls = TlsConnector::from(Arc::new(client));
        let info = greet(setup.open(address).tls(&tls)).await;
        assert_eq!(info.protocol, name);
        assert_eq!(info.alpn.as_deref(), Some(&b"theirs"[..]));
    }
}

pub(crate) async fn both_sides_know_how_they_are_protected(mut setup: Setup) {
    let (accepted, mut incoming) = mpsc::unbounded();
    let handler = move |_: StreamReader, writer: StreamWriter| {
        accepted
            .unbounded_send(writer.extra_info().clone())
            .unwrap();
        async {}
    };
    let acceptor = certificates::acceptor()
        .alpn(["line"])
        .require_client_certificate([certificates::authority()]);
    let server = setup.serve(handler).tls(acceptor).await.unwrap();
    let client = Certified::client();
    let connector = certificates::connector()
        .alpn(["line"])
        .client_certificate(client.chain(), client.key());
    let port = server.sockets()[0].tcp().unwrap().port();
    let opening = setup.open(("localhost", port)).tls(connector);
    let (_reader, writer) = opening.await.unwrap();
    let there = incoming.next().await.unwrap();
    let here = writer.extra_info();
    let (plain, _peer) = setup.connect().await;
    let has_socket = plain.1.extra_info().get("socket").is_some();
    for (info, peer) in [(here, Certified::server()), (&there, client)] {
        let tls = info.tls.as_ref().unwrap();
        assert_eq!(tls.peer_certificates, peer.chain());
        assert_eq!(tls.protocol, "TLSv1_3");
        assert_eq!(tls.alpn.as_deref(), Some(&b"line"[..]));
        assert_eq!(tls.server_name.as_deref(), Some("localhost"));
        assert!(tls.cipher.starts_with("TLS13_"), "{}", tls.cipher);
        let certificate = Info::Certificate(&peer.certificate);
        assert_eq!(info.get("peercert"), Some(certificate));
        assert_eq!(info.get("cipher"), Some(Info::Text(&tls.cipher)));
        assert!(info.get("peername").is_some());
        assert_eq!(info.get("socket").is_some(), has_socket);
    }
    assert_eq!(here.peer_addr, there.local_addr);
}

pub(crate) async fn a_stream_and_its_server_have_the_same_settings(setup: Setup) {
    async fn handler(mut stream: Stream) -> io::Result<()> {
        let line = stream.read_line().await?;
        Ok(stream.write_all(&line).await?)
    }
    let localhost = ("127.0.0.1", 0);
    let server = StreamServer::new(setup.runtime.clone(), localhost, handler);
    let server = server.tls(certificates::acceptor());
    server.start_serving().await.unwrap();
    let address = server.sockets()[0].tcp().unwrap();
    let connecting = millpond::connect(setup.runtime.clone(), address);
    let mut stream = connecting.tls(certificates::connector()).await.unwrap();
    assert!(stream.extra_info().tls.is_some());
    stream.write(b"hello\n").unwrap();
    assert_eq!(stream.read_to_eof().await.unwrap(), "hello\n");
    server.shutdown().await;
}
