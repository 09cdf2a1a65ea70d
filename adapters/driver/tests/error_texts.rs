//! The texts of errors: what has happened, with which peer, and what to do; each cause once.
//!
//! A program prints an error's text, or returns it from `main`, which prints its `Debug`. Both stand
//! here, for errors as programs meet them.

#![cfg(feature = "__tls")]

mod support;

use std::{
    error::Error,
    future::IntoFuture,
    io::{self, ErrorKind},
    net::TcpListener,
    time::Duration,
};

use futures_lite::future::block_on;
use futures_util::future::join;
use millpond::{
    OpenError, ReadError, Stream, StreamOptions, TlsAcceptor, TlsConnector, WriteError, connect,
    fed, open_connection, pair, start_server, timeout,
    types::{OpenConnection, TlsSide},
};
use support::{
    internet::{BLACK_HOLE, REFUSES, all, internet, refusing},
    tls::{NAME, SERVER, Scene, Way, identity},
    whole,
    world::World,
};

const SECOND: Duration = Duration::from_secs(1);

/// An error, its kind, the variant that it is, and what it says.
type Row = (io::Error, ErrorKind, &'static str, &'static str);

/// Compares all before it fails, so that a change of many is seen at once.
fn check(rows: impl IntoIterator<Item = Row>) {
    let mut wrong = Vec::new();
    for (error, kind, variant, text) in rows {
        let printed = error.to_string();
        // What `main` prints; bytes may follow.
        let debug = format!("{error:?}");
        let expected = format!("Custom {{ kind: {kind:?}, error: {variant}({text}");
        if printed != text || !debug.starts_with(&expected) {
            wrong.push(format!("{printed}\n{debug}"));
        }
        assert_no_text_twice(&error);
        assert!(!printed.ends_with('.') && !printed.contains(char::is_control));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A report that walks the chain prints each cause once.
fn assert_no_text_twice(error: &dyn Error) {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        assert!(
            !texts.iter().any(|other| other.contains(&text)),
            "{texts:?}"
        );
        texts.push(text);
        next = error.source();
    }
}

fn error<T, E: Into<io::Error>>(result: Result<T, E>) -> io::Error {
    match result {
        Ok(_) => panic!("it is no error"),
        Err(error) => error.into(),
    }
}

fn not_opened(world: &World, opening: OpenConnection) -> io::Error {
    error(world.run(opening))
}

fn not_opened_at(target: &str) -> io::Error {
    let world = internet();
    not_opened(&world, open_connection(world.runtime(), target))
}

#[test]
fn options_that_cannot_be_used() {
    let long = "x".repeat(64) + ".example:80";
    let world = internet();
    let open = || open_connection(world.runtime(), SERVER);
    let not_opened = |opening| not_opened(&world, opening);
    let rows = [
        (
            not_opened_at("localhost:99999"),
            r#"option `address` cannot be used: the port "99999" in "localhost:99999" is above 65535"#,
        ),
        (
            not_opened_at("localhost"),
            r#"option `address` cannot be used: "localhost" has no port: it must be as in "example.org:80""#,
        ),
        (
            not_opened_at("localhost:http"),
            r#"option `address` cannot be used: the port "http" in "localhost:http" is not a number"#,
        ),
        (
            not_opened_at("::1:80"),
            r#"option `address` cannot be used: "::1:80" needs brackets around its host, as in "[::1]:80""#,
        ),
        (
            not_opened_at("localhost:0"),
            "option `port` cannot be used: it is 0, and no server listens on port 0",
        ),
        (
            not_opened_at(":80"),
            "option `host` cannot be used: it is empty",
        ),
        (
            not_opened_at("a..b:80"),
            "option `host` cannot be used: one of its labels is empty",
        ),
        (
            not_opened_at(&long),
            "option `host` cannot be used: one of its labels has 64 bytes, and the limit is 63",
        ),
        (
            not_opened(open().limit(0)),
            "option `limit` cannot be used: it must be at least 1",
        ),
        (
            not_opened(open().watermarks(2, 1)),
            "option `watermarks` cannot be used: the low one (2) is above the high one (1)",
        ),
        (
            not_opened(open().server_hostname(NAME)),
            "option `server_hostname` cannot be used: it is only meaningful with TLS",
        ),
        (
            not_opened(open().connect_timeout(Duration::ZERO)),
            "option `connect_timeout` cannot be used: it must be greater than 0",
        ),
    ];
    check(rows.map(|(error, text)| (error, ErrorKind::InvalidInput, "Option", text)));
}

#[cfg(not(feature = "idna"))]
#[test]
fn names_that_are_not_ascii_need_a_feature() {
    check([(
        not_opened_at("bücher.example:80"),
        ErrorKind::InvalidInput,
        "Option",
        r#"option `host` cannot be used: "bücher.example" is not ASCII: give its form that begins with "xn--", or enable the feature `idna`"#,
    )]);
}

#[test]
fn connections_that_cannot_be_opened() {
    let world = internet();
    let open = |target: &[&str]| open_connection(world.runtime(), all(target));
    let not_opened = |opening| not_opened(&world, opening);
    let deaf = refusing();
    let all_refuse = all(&["192.0.2.3:80", "192.0.2.5:80"]);
    let all_refuse = open_connection(deaf.runtime(), all_refuse);
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = std::net::TcpStream::connect(busy.local_addr().unwrap()).unwrap();
    let server = world.run(start_server(world.runtime(), SERVER, async |_, _| ()));
    check([
        (
            not_opened_at("no.example:80"),
            ErrorKind::Other,
            "Resolve",
            r#"the host "no.example" cannot be resolved: no such host"#,
        ),
        (
            not_opened_at("empty.example:80"),
            ErrorKind::NotFound,
            "Resolve",
            r#"the host "empty.example" cannot be resolved: it has no address"#,
        ),
        (
            not_opened(open(&[REFUSES])),
            ErrorKind::ConnectionRefused,
            "Connect",
            "cannot connect to 192.0.2.2:80: connection refused",
        ),
        (
            error(deaf.run(all_refuse)),
            ErrorKind::ConnectionRefused,
            "Connect",
            "cannot connect to 192.0.2.3:80: connection refused, nor to 192.0.2.5:80: connection refused",
        ),
        (
            not_opened(
                open_connection(world.runtime(), "hanging.example:80").connect_timeout(SECOND),
            ),
            ErrorKind::TimedOut,
            "TimedOut",
            "no connection to hanging.example:80 within 1s: still waiting for the addresses of the host",
        ),
        (
            not_opened(open(&[BLACK_HOLE]).connect_timeout(SECOND / 10)),
            ErrorKind::TimedOut,
            "TimedOut",
            "no connection to 192.0.2.1:80 within 100ms: still waiting for an answer from 192.0.2.1:80",
        ),
        (
            not_opened(open(&[REFUSES, BLACK_HOLE]).connect_timeout(SECOND)),
            ErrorKind::TimedOut,
            "TimedOut",
            "no connection to 192.0.2.2:80, 192.0.2.1:80 within 1s: still waiting for an answer from 192.0.2.1:80; cannot connect to 192.0.2.2:80: connection refused",
        ),
        (
            not_opened(open_connection(world.runtime(), connected)),
            ErrorKind::Unsupported,
            "Adopt",
            "the socket cannot be used: unsupported",
        ),
        (
            error(server),
            ErrorKind::AddrInUse,
            "Listen",
            "cannot listen on 192.0.2.1:443: address in use",
        ),
        (
            OpenError::Closed.into(),
            ErrorKind::InvalidInput,
            "Closed",
            "the server is closed and cannot be started again",
        ),
    ]);
}

#[cfg(unix)]
#[test]
fn pipes_that_cannot_be_used() {
    let directory = std::fs::File::open("/").unwrap();
    let world = World::default();
    let pipe = world.run(millpond::connect_read_pipe(world.runtime(), directory));
    check([(
        error(pipe),
        ErrorKind::IsADirectory,
        "Pipe",
        "the pipe cannot be used: it is a directory",
    )]);
}

#[test]
fn reads_that_have_no_answer() {
    let read = |data: &[u8], ask: fn(&mut Stream) -> Result<(), ReadError>| {
        let options = StreamOptions::new().limit(8).cap(10);
        let (near, (_, mut far)) = options.pair(1000);
        far.write(data).unwrap();
        far.close();
        error(ask(&mut whole(near)))
    };
    let (mut reader, mut writer) = pair().0;
    writer.abort();
    let aborted = error(block_on(reader.read(1)));
    let (feeder, mut reader) = fed();
    drop(feeder);
    let no_feeder = error(block_on(reader.read(1)));
    check([
        (
            read(b"half", |it| block_on(it.read_exactly(8)).map(drop)),
            ErrorKind::UnexpectedEof,
            "Incomplete",
            "the stream ended after 4 of 8 bytes",
        ),
        (
            read(b"half", |it| block_on(it.read_until("\r\n")).map(drop)),
            ErrorKind::UnexpectedEof,
            "Incomplete",
            "the stream ended after 4 bytes, before the separator",
        ),
        (
            read(b"too long for it\n", |it| {
                block_on(it.read_line()).map(drop)
            }),
            ErrorKind::InvalidData,
            "LimitOverrun",
            "no separator within the limit of 8 bytes: raise the limit, or read on without it",
        ),
        (
            read(b"", |it| block_on(it.read_exactly(11)).map(drop)),
            ErrorKind::InvalidData,
            "CapExceeded",
            "more than the cap of 10 bytes would have to be buffered: raise the cap, or read in parts",
        ),
        (
            ReadError::WriteOnly.into(),
            ErrorKind::Unsupported,
            "WriteOnly",
            "the stream is write-only",
        ),
        (
            ReadError::Truncated.into(),
            ErrorKind::UnexpectedEof,
            "Truncated",
            "the connection was cut off: the peer did not end the stream (over TLS with close_notify), so data may be missing; accept_truncation makes this a normal end",
        ),
        (
            aborted,
            ErrorKind::ConnectionAborted,
            "Transport",
            "the transport failed: the stream was aborted by this side",
        ),
        (
            no_feeder,
            ErrorKind::UnexpectedEof,
            "Transport",
            "the transport failed: the feeder was dropped before feed_eof",
        ),
    ]);
}

#[test]
fn writes_that_are_refused() {
    let write = |data: &[u8], end: fn(&mut Stream)| {
        let (near, _far) = StreamOptions::new().write_cap(10).pair(1000);
        let mut stream = whole(near);
        end(&mut stream);
        error(stream.write(data))
    };
    let world = World::default();
    check([
        (
            write(&[0; 11], |_| ()),
            ErrorKind::InvalidData,
            "CapExceeded",
            "more than the cap of 10 bytes would have to be queued: raise the cap, or write in smaller parts and drain in between",
        ),
        (
            write(b"x", Stream::close),
            ErrorKind::BrokenPipe,
            "Closed",
            "nothing can be written after close or abort",
        ),
        (
            write(b"x", |stream| stream.write_eof().unwrap()),
            ErrorKind::BrokenPipe,
            "Finished",
            "nothing can be written after write_eof",
        ),
        (
            WriteError::ReadOnly.into(),
            ErrorKind::Unsupported,
            "ReadOnly",
            "the stream is read-only",
        ),
        (
            error(world.run(timeout(&world, SECOND, std::future::pending::<()>()))),
            ErrorKind::TimedOut,
            "TimedOut",
            "timed out after 1s",
        ),
    ]);
}

fn acceptor() -> TlsAcceptor {
    let (certificate, key) = identity();
    TlsAcceptor::new(vec![certificate], key)
}

fn connector() -> TlsConnector {
    TlsConnector::with_roots([identity().0])
}

/// What both sides say of a handshake.
fn shake(connector: TlsConnector, acceptor: TlsAcceptor, name: &str) -> [Option<io::Error>; 2] {
    let scene = Scene::new();
    let (mut client, mut server) = scene.streams();
    let (client, server) = scene.run(join(
        client
            .start_tls(connector)
            .server_hostname(name)
            .into_future(),
        server.start_tls(acceptor).into_future(),
    ));
    [client.err().map(Into::into), server.err().map(Into::into)]
}

/// The error of a client that receives this and nothing else.
fn client_receives(bytes: &[u8], end: bool) -> io::Error {
    let scene = Scene::new();
    let (mut client, _server) = scene.streams();
    scene.wire.say(Way::ToClient, bytes);
    if end {
        scene.wire.end(Way::ToClient);
    }
    let connector = connector().handshake_timeout(SECOND);
    let starting = client.start_tls(connector).server_hostname(NAME);
    error(scene.world.run(starting))
}

#[test]
fn handshakes_that_fail() {
    let [by_stranger, refused] = shake(TlsConnector::with_roots([]), acceptor(), NAME);
    let [by_other, _] = shake(connector(), acceptor(), "other.example");
    let [_, uncertified] = shake(
        connector(),
        acceptor().require_client_certificate([identity().0]),
        NAME,
    );
    let [no_protocol, _] = shake(connector().alpn(["a"]), acceptor().alpn(["b"]), NAME);
    check([
        (
            by_stranger.unwrap(),
            ErrorKind::InvalidData,
            "Handshake",
            "the TLS handshake with example.org (192.0.2.1:443) failed: the peer's certificate is signed by no root that this side trusts: add one with add_root (invalid peer certificate: UnknownIssuer)",
        ),
        (
            refused.unwrap(),
            ErrorKind::InvalidData,
            "Handshake",
            "the TLS handshake with 192.0.2.9:50000 failed: the peer rejected the certificate of this side (received fatal alert: UnknownCA)",
        ),
        (
            by_other.unwrap(),
            ErrorKind::InvalidData,
            "Handshake",
            r#"the TLS handshake with other.example (192.0.2.1:443) failed: the peer's certificate is for another host name: set the expected one with server_hostname (invalid peer certificate: certificate not valid for name "other.example"; certificate is only valid for DnsName("example.org"))"#,
        ),
        (
            uncertified.unwrap(),
            ErrorKind::InvalidData,
            "Handshake",
            "the TLS handshake with 192.0.2.9:50000 failed: the peer sent no certificate, and require_client_certificate asks for one (peer sent no certificates)",
        ),
        (
            no_protocol.unwrap(),
            ErrorKind::InvalidData,
            "Handshake",
            "the TLS handshake with example.org (192.0.2.1:443) failed: the peer supports none of the protocols given to alpn (received fatal alert: NoApplicationProtocol)",
        ),
        (
            client_receives(b"220 ready\r\n", false),
            ErrorKind::InvalidData,
            "Handshake",
            "the TLS handshake with example.org (192.0.2.1:443) failed: the peer does not speak TLS (received corrupt message of type InvalidContentType)",
        ),
        (
            client_receives(b"\x16", true),
            ErrorKind::UnexpectedEof,
            "Handshake",
            "the TLS handshake with example.org (192.0.2.1:443) failed: the peer closed the connection during the handshake (tls handshake eof)",
        ),
        (
            client_receives(b"", true),
            ErrorKind::UnexpectedEof,
            "NeverBegan",
            "the TLS handshake with example.org (192.0.2.1:443) never began: the peer closed the connection during the handshake (tls handshake eof)",
        ),
        (
            client_receives(b"\x16", false),
            ErrorKind::TimedOut,
            "Handshake",
            "the TLS handshake with example.org (192.0.2.1:443) failed: timed out after the handshake_timeout of 1s",
        ),
        (
            client_receives(b"", false),
            ErrorKind::TimedOut,
            "NeverBegan",
            "the TLS handshake with example.org (192.0.2.1:443) never began: timed out after the handshake_timeout of 1s",
        ),
    ]);
}

/// The same on a connection that is opened with TLS.
#[test]
fn connections_whose_handshake_fails() {
    let open = |bytes: &'static [u8]| {
        let scene = Scene::new();
        let [client, _server] = scene.wire.ends();
        scene.wire.say(Way::ToClient, bytes);
        let connecting = connect(scene.world.connecting_to(client), SERVER)
            .tls(connector())
            .connect_timeout(SECOND);
        error(scene.world.run(connecting))
    };
    check([
        (
            open(b"220 ready\r\n"),
            ErrorKind::InvalidData,
            "Tls",
            "the TLS handshake with 192.0.2.1:443 failed: the peer does not speak TLS (received corrupt message of type InvalidContentType)",
        ),
        (
            open(b""),
            ErrorKind::TimedOut,
            "TimedOut",
            "no connection to 192.0.2.1:443 within 1s: still waiting for the TLS handshake with 192.0.2.1:443",
        ),
    ]);
}

#[test]
fn tls_that_cannot_be_begun() {
    let start = |side: TlsSide, name: Option<&str>, before: fn(&mut Stream)| {
        let (near, (_, mut far)) = pair();
        let mut stream = whole(near);
        far.write(b"early").unwrap();
        before(&mut stream);
        let mut starting = stream.start_tls(side);
        if let Some(name) = name {
            starting = starting.server_hostname(name);
        }
        error(block_on(starting.into_future()))
    };
    let nothing = |_: &mut Stream| ();
    let read = |stream: &mut Stream| {
        block_on(stream.peek(1)).unwrap();
    };
    let (certificate, key) = identity();
    let other_key = rcgen::KeyPair::generate().unwrap().serialize_der();
    let mismatch = TlsAcceptor::new(vec![certificate], other_key.try_into().unwrap());
    let unreadable = TlsAcceptor::new(vec![vec![1, 2, 3].into()], key.clone_key());
    let empty = TlsAcceptor::new(Vec::new(), key);
    let rows = [
        (
            start(mismatch.into(), None, nothing),
            "Config",
            "setting `certificate` cannot be used: the key does not match the certificate (keys may not be consistent: KeyMismatch)",
        ),
        (
            start(unreadable.into(), None, nothing),
            "Config",
            "setting `certificate` cannot be used: the certificate cannot be parsed (invalid peer certificate: BadEncoding)",
        ),
        (
            start(empty.into(), None, nothing),
            "Config",
            "setting `certificate` cannot be used: it holds no certificate",
        ),
        (
            start(connector().into(), None, nothing),
            "Config",
            "setting `server_hostname` cannot be used: there is no host name to take it from, so it must be set",
        ),
        (
            start(connector().into(), Some("no name"), nothing),
            "Config",
            "setting `server_hostname` cannot be used: \"no name\" is not a host name or IP address",
        ),
    ];
    check(rows.map(|(error, variant, text)| (error, ErrorKind::InvalidInput, variant, text)));
    check([
        (
            start(connector().into(), Some(NAME), read),
            ErrorKind::InvalidData,
            "Buffered",
            "5 bytes were received before TLS and not read, so they are not protected by it: read them first, or call hand_over_buffered",
        ),
        (
            start(connector().into(), Some(NAME), Stream::close),
            ErrorKind::BrokenPipe,
            "Stream",
            "TLS cannot be started: nothing can be written after close or abort",
        ),
    ]);
}
