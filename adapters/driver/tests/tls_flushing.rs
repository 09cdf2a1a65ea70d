//! What TLS has to say leaves without being asked for.

#![cfg(feature = "__tls")]

mod support;

use std::{
    io::{self, Write},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use futures_util::{
    future::join,
    io::{AsyncRead, AsyncWrite, BufWriter},
};
use millpond::{Stream, adapter::Socket, types::FuturesIo};
use support::tls::{
    Pace, Raw, Scene, VERSIONS, Version, Way, against_raw, against_raw_with, finish, half_closing,
    open, secure, server_config,
};

/// How many records of data the client has sent completely.
fn records_to_server(scene: &Scene) -> usize {
    let sent = scene.wire.sent(Way::ToServer);
    let records = support::tls::records(&sent);
    let end = records.last().map_or(0, |(_, end)| *end);
    assert_eq!(end, sent.len(), "a record is not complete");
    records.iter().filter(|(kind, _)| *kind == 23).count()
}

#[test]
fn each_write_is_on_the_wire_when_it_returns() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut client, _server) = scene.secured(version);
        let before = records_to_server(&scene);
        client.write(b"one").unwrap();
        assert_eq!(records_to_server(&scene), before + 1);
        client.write_bytes(b"two".as_slice().into()).unwrap();
        assert_eq!(records_to_server(&scene), before + 2);
        let parts = [b"th", b"re"].map(|part| io::IoSlice::new(part));
        client.write_vectored(&parts).unwrap();
        assert!(records_to_server(&scene) > before + 2);
        assert_eq!(client.queued(), 0);
    }
}

#[test]
fn each_write_leaves_over_a_wire_that_takes_one_byte_at_a_time_or_later() {
    for version in VERSIONS {
        for len in [1, 100, 3000] {
            for pace in [Pace::Bytewise, Pace::Busy, Pace::Room(7)] {
                leaves(version, len, pace);
            }
        }
        leaves(version, 1_000_000, Pace::Random(9));
    }
}

/// A write does, while the client does nothing any more.
fn leaves(version: Version, len: usize, pace: Pace) {
    let scene = Scene::new();
    let (mut client, mut server) = scene.secured(version);
    scene.wire.pace(Way::ToServer, pace);
    let data = vec![b'x'; len];
    client.write(&data).unwrap();
    scene.world.settle();
    if matches!(pace, Pace::Busy) {
        scene.wire.pace(Way::ToServer, Pace::Bytewise);
        scene.world.settle();
    }
    let received = scene.run(server.read_exactly(len)).unwrap();
    assert!(received == data, "{version:?} {len} {pace:?}");
}

#[test]
fn new_keys_are_answered_without_a_write() {
    let scene = Scene::new();
    let (mut client, mut raw, _server) = against_raw(&scene, Version::Tls13);
    for _ in 0..3 {
        let before = scene.wire.sent_len(Way::ToServer);
        raw.session.refresh_traffic_keys().unwrap();
        raw.speak();
        assert!(scene.world.poll(pin!(client.read(1))).is_none());
        assert!(scene.wire.sent_len(Way::ToServer) > before, "no answer");
        // Both go on with the new keys.
        raw.session.writer().write_all(b"ping").unwrap();
        raw.speak();
        assert_eq!(scene.run(client.read(9)).unwrap(), "ping");
        client.write(b"pong").unwrap();
        assert_eq!(raw.go_on(), b"pong");
    }
}

#[test]
fn new_keys_are_answered_later_if_the_wire_is_busy() {
    let scene = Scene::new();
    let (mut client, mut raw, _server) = against_raw(&scene, Version::Tls13);
    scene.wire.pace(Way::ToServer, Pace::Busy);
    raw.session.refresh_traffic_keys().unwrap();
    raw.speak();
    assert!(scene.world.poll(pin!(client.read(1))).is_none());
    let before = scene.wire.sent_len(Way::ToServer);
    scene.wire.pace(Way::ToServer, Pace::Bytewise);
    scene.world.settle();
    assert!(scene.wire.sent_len(Way::ToServer) > before);
    raw.go_on();
}

/// What a peer asks for without end, while it takes nothing: the answers that were kept for it.
fn answers_to_a_flood(written: usize) -> usize {
    let scene = Scene::new();
    let (mut client, mut raw, _server) = against_raw(&scene, Version::Tls13);
    scene.wire.pace(Way::ToServer, Pace::Busy);
    client.write(vec![b'x'; written]).unwrap();
    let before = scene.wire.sent_len(Way::ToServer);
    for _ in 0..1000 {
        raw.session.refresh_traffic_keys().unwrap();
        // Without data in between it would be too many for rustls.
        raw.session.writer().write_all(b".").unwrap();
        raw.speak();
        assert_eq!(scene.run(client.read(9)).unwrap(), ".");
    }
    scene.wire.pace(Way::ToServer, Pace::Free);
    scene.world.settle();
    assert!(raw.go_on().len() >= written);
    // Both still understand each other.
    client.write(b"still here").unwrap();
    assert!(raw.go_on().ends_with(b"still here"));
    let sent = scene.wire.sent(Way::ToServer);
    let mut from = 0;
    let lens = support::tls::records(&sent[before..]).into_iter();
    lens.filter(|(_, end)| *end - std::mem::replace(&mut from, *end) == NEW_KEYS)
        .count()
}

/// A record that says so.
const NEW_KEYS: usize = 5 + 5 + 1 + 16;

#[test]
fn a_flood_of_new_keys_is_answered_once_there_is_room_and_does_not_pile_up() {
    assert!((1..=2).contains(&answers_to_a_flood(0)));
    let under_way = answers_to_a_flood(1_000_000);
    assert!((1..=20).contains(&under_way), "{under_way}");
}

/// All of it is one record of which nothing can be read before its end.
#[test]
fn a_read_yields_while_a_record_comes_in_pieces() {
    let scene = Scene::new();
    let (mut client, mut raw, _server) = against_raw(&scene, Version::Tls13);
    raw.session.writer().write_all(&[b'x'; 10_000]).unwrap();
    raw.speak();
    scene.wire.pace(Way::ToClient, Pace::Bytewise);
    let before = scene.wire.taken(Way::ToClient);
    {
        let mut reading = pin!(client.read_exactly(10_000));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(reading.as_mut().poll(&mut cx).is_pending());
        let taken = scene.wire.taken(Way::ToClient) - before;
        assert!((1..1000).contains(&taken), "{taken} in one poll");
        assert_eq!(finish(&scene.world, reading).unwrap().len(), 10_000);
    }
}

fn half_closing_against_raw(scene: &Scene) -> (Stream, Raw, Box<dyn Socket>) {
    let connector = &half_closing(Version::Tls13).1;
    let config = server_config(Version::Tls13);
    let (client, mut raw, server) = against_raw_with(scene, connector, config);
    raw.go_on();
    (client, raw, server)
}

#[test]
fn new_keys_after_the_end_of_this_direction_are_no_failure() {
    let scene = Scene::new();
    let (mut client, mut raw, _server) = half_closing_against_raw(&scene);
    client.write_eof().unwrap();
    let before = scene.wire.sent_len(Way::ToServer);
    raw.go_on();
    raw.session.refresh_traffic_keys().unwrap();
    raw.session.writer().write_all(b"the rest").unwrap();
    raw.session.send_close_notify();
    raw.speak();
    assert_eq!(scene.run(client.read_to_eof()).unwrap(), "the rest");
    assert_eq!(scene.wire.sent_len(Way::ToServer), before);
    client.close();
    scene.run(client.wait_closed()).unwrap();
}

const NO_CIPHERTEXT: &[u8] = b"\x17\x03\x03\x00\x20this is no ciphertext of the key";

#[test]
fn what_is_no_tls_after_the_end_of_this_direction_is_a_failure_and_no_panic() {
    let scene = Scene::new();
    let (mut client, _raw, _server) = half_closing_against_raw(&scene);
    client.write_eof().unwrap();
    scene.wire.say(Way::ToClient, NO_CIPHERTEXT);
    let error = scene.run(client.read(1)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
}

/// What comes then is read and dropped in the background.
#[test]
fn what_is_no_tls_after_a_close_is_no_panic() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut client, _raw, _server) = against_raw(&scene, version);
        client.close();
        scene.run(client.wait_closed()).unwrap();
        scene.world.settle();
        let before = scene.wire.taken(Way::ToClient);
        scene.wire.say(Way::ToClient, NO_CIPHERTEXT);
        scene.world.settle();
        assert!(scene.wire.taken(Way::ToClient) > before, "{version:?}");
    }
}

#[test]
fn nothing_follows_the_alert_though_there_is_something_to_be_read() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut client, mut raw, _server) = against_raw(&scene, version);
        raw.session.writer().write_all(b"before").unwrap();
        raw.speak();
        scene.wire.say(Way::ToClient, NO_CIPHERTEXT);
        assert_eq!(scene.run(client.read(3)).unwrap(), "bef");
        let sent = scene.wire.sent_len(Way::ToServer);
        let error = client.write(b"after").unwrap_err();
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidData);
        assert_eq!(scene.run(client.read(9)).unwrap(), "ore");
        assert!(scene.run(client.read(9)).is_err());
        assert_eq!(scene.wire.sent_len(Way::ToServer), sent);
    }
}

#[test]
fn an_alert_for_what_is_no_tls_is_sent_without_a_write() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut client, _raw, _server) = against_raw(&scene, version);
        let before = scene.wire.sent_len(Way::ToServer);
        scene.wire.say(Way::ToClient, NO_CIPHERTEXT);
        let error = scene.run(client.read(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        let sent = scene.wire.sent(Way::ToServer);
        let alert = support::tls::records(&sent[before..]);
        assert_eq!(alert.last().unwrap().1, sent.len() - before, "{version:?}");
    }
}

/// A wire's end for futures-io.
struct Io(Box<dyn Socket>);

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buf)
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_close(cx)
    }
}

fn buffering(end: Box<dyn Socket>) -> Box<dyn Socket> {
    Box::new(FuturesIo::new(BufWriter::new(Io(end))))
}

#[test]
fn a_stream_that_buffers_is_flushed_in_the_clear_and_under_tls() {
    for pace in [Pace::Free, Pace::Bytewise, Pace::Room(5), Pace::Random(3)] {
        for version in [None, Some(Version::Tls12), Some(Version::Tls13)] {
            let case = format!("{pace:?} {version:?}");
            let scene = Scene::new();
            scene.wire.pace(Way::ToServer, pace);
            scene.wire.pace(Way::ToClient, pace);
            let [client, server] = scene.wire.ends().map(buffering);
            let mut client = open(&scene.world, client);
            let mut server = open(&scene.world, server);
            if let Some(version) = version {
                finish(&scene.world, secure(version, &mut client, &mut server));
            }
            for len in [1, 10, 10_000, 100_000] {
                let data = vec![b'a'; len];
                client.write(&data).unwrap();
                let received = scene.run(server.read_exactly(len));
                assert_eq!(received.unwrap(), data, "{case}");
                server.write(&data).unwrap();
                let received = scene.run(client.read_exactly(len));
                assert_eq!(received.unwrap(), data, "{case}");
            }
            scene.run(server.flush()).unwrap();
            // What is below TLS is not the stream.
            let given_back = server.into_io::<BufWriter<Io>>();
            let mut server = match (given_back, version) {
                (Ok((io, _)), None) => open(&scene.world, Box::new(FuturesIo::new(io))),
                (Err(refused), Some(_)) => refused.stream,
                _ => panic!("{case}"),
            };
            client.write(b"last").unwrap();
            client.close();
            let (closed, rest) = scene.run(join(client.wait_closed(), server.read_to_eof()));
            closed.unwrap();
            assert_eq!(rest.unwrap(), "last", "{case}");
        }
    }
}

#[test]
fn flush_waits_for_the_ciphertext() {
    let scene = Scene::new();
    let (mut client, _server) = scene.secured(Version::Tls13);
    scene.wire.pace(Way::ToServer, Pace::Busy);
    client.write(b"hello").unwrap();
    {
        let mut flushing = pin!(client.flush());
        assert!(scene.world.poll(flushing.as_mut()).is_none());
        scene.wire.pace(Way::ToServer, Pace::Bytewise);
        finish(&scene.world, flushing).unwrap();
    }
    records_to_server(&scene);
}
