//! TLS whose connection is cut behind every byte, and TLS of which a bit is changed on the way.
//!
//! `MILLPOND_FLIPS` sets how many bits of each byte are changed, one after the other; 1 by default.

#![cfg(feature = "__tls")]

mod support;

use std::{env, io::ErrorKind, pin::pin};

use futures_util::future::join;
use millpond::{ReadError, Stream, TlsConnector, error::TlsError, types::TlsSide};
use support::tls::{Cut, NAME, Scene, VERSIONS, Version, WAYS, Way, Wire, records, tls};

/// What one side has sent, and where its ciphertext ends on the wire.
#[derive(Debug, Default)]
struct Sent {
    plaintext: Vec<u8>,
    /// Behind how many bytes of ciphertext how many of plaintext are complete.
    marks: Vec<(usize, usize)>,
    /// Behind how many its goodbye stands.
    goodbye: Option<usize>,
}

/// What one side has received.
#[derive(Debug, Default)]
struct Received {
    plaintext: Vec<u8>,
    end: Option<Result<(), ReadError>>,
    handshake: Option<TlsError>,
}

struct Side {
    stream: Stream,
    tls: TlsSide,
    speaks: Way,
    wire: Wire,
    sent: Sent,
    received: Received,
}

impl Side {
    fn new(stream: Stream, tls: impl Into<TlsSide>, speaks: Way, wire: &Wire) -> Self {
        Self {
            stream,
            tls: tls.into(),
            speaks,
            wire: wire.clone(),
            sent: Sent::default(),
            received: Received::default(),
        }
    }

    fn say(&mut self, data: &[u8]) {
        if self.stream.write(data).is_ok() {
            self.sent.plaintext.extend(data);
            let at = self.wire.sent_len(self.speaks);
            self.sent.marks.push((at, self.sent.plaintext.len()));
        }
    }

    async fn receive(&mut self, n: usize) {
        let until = self.received.plaintext.len() + n;
        while self.received.end.is_none() && self.received.plaintext.len() < until {
            match self.stream.read(n).await {
                Ok(data) if data.is_empty() => self.received.end = Some(Ok(())),
                Ok(data) => self.received.plaintext.extend(data),
                Err(error) => self.received.end = Some(Err(error)),
            }
        }
    }

    fn goodbye(&mut self) {
        let healthy = !self.stream.is_closing();
        self.stream.close();
        if healthy {
            self.sent.goodbye = Some(self.wire.sent_len(self.speaks));
        }
    }

    async fn shake(&mut self) -> bool {
        let starting = self.stream.start_tls(self.tls.clone());
        let starting = match &self.tls {
            TlsSide::Client(_) => starting.server_hostname(NAME),
            TlsSide::Server(_) => starting,
        };
        self.received.handshake = starting.await.err();
        self.received.handshake.is_none()
    }

    /// The client speaks first, and both end what they have to say, under TLS 1.2 `ender` first.
    async fn talk(mut self, ender: Way) -> (Sent, Received) {
        if self.shake().await {
            if self.speaks == Way::ToServer {
                self.say(b"one");
                self.say(b"and two\n");
                self.receive(10).await;
                self.say(b"three\n");
            } else {
                self.receive(11).await;
                self.say(b"fo");
                self.say(b"ur\nfive\n");
                self.receive(6).await;
            }
            let can_be_read_after_it = self.stream.can_write_eof();
            if can_be_read_after_it {
                if self.stream.write_eof().is_ok() {
                    self.sent.goodbye = Some(self.wire.sent_len(self.speaks));
                }
                self.receive(1).await;
            } else if self.speaks == ender {
                self.goodbye();
            } else {
                self.receive(1).await;
                self.goodbye();
            }
        }
        (self.sent, self.received)
    }
}

/// Every cut of one version, direction and kind. Returns how many bytes are sent in that direction.
fn sweep(version: Version, way: Way, cut: Cut) -> usize {
    let whole = converse(version, way, usize::MAX, cut);
    let len = whole.wire.sent_len(way);
    let mut ever_shaken = false;
    for at in 0..=len {
        let it = converse(version, way, at, cut);
        let case = format!("{version:?} {way:?} {cut:?} behind {at} of {len}");
        let shaken = it.cut_off().1.handshake.is_none();
        assert!(shaken || !ever_shaken, "{case}: less was enough");
        ever_shaken = shaken;
        let (sent, received) = it.cut_off();
        check(&case, sent, received, at, Some(cut));
        let (sent, received) = it.other();
        check(&case, sent, received, usize::MAX, None);
    }
    let (sent, received) = whole.cut_off();
    assert_eq!(received.end, Some(Ok(())));
    assert_eq!(received.plaintext, sent.plaintext);
    len
}

/// A conversation, and what each side has sent and the other one received.
struct Conversation {
    to_server: (Sent, Received),
    to_client: (Sent, Received),
    way: Way,
    wire: Wire,
}

impl Conversation {
    /// In the direction that was cut.
    fn cut_off(&self) -> (&Sent, &Received) {
        let (sent, received) = match self.way {
            Way::ToServer => &self.to_server,
            Way::ToClient => &self.to_client,
        };
        (sent, received)
    }

    fn other(&self) -> (&Sent, &Received) {
        let (sent, received) = match self.way {
            Way::ToServer => &self.to_client,
            Way::ToClient => &self.to_server,
        };
        (sent, received)
    }
}

fn converse(version: Version, way: Way, at: usize, cut: Cut) -> Conversation {
    let scene = Scene::new();
    scene.wire.cut(way, at, cut);
    let (client, server) = scene.streams();
    let (acceptor, connector) = tls(version);
    let client = Side::new(client, connector, Way::ToServer, &scene.wire);
    let server = Side::new(server, acceptor, Way::ToClient, &scene.wire);
    let mut talking = pin!(join(client.talk(way), server.talk(way)));
    let talked = scene.world.poll(talking.as_mut());
    let ((client_said, client_heard), (server_said, server_heard)) = match (talked, cut) {
        (Some(talked), _) => talked,
        (None, Cut::Fin | Cut::Reset) => {
            panic!("{version:?} {way:?} {cut:?} behind {at}: it hangs")
        }
        // What says that more is to come is waited for, until one side gives up.
        (None, Cut::Flip(_)) => {
            WAYS.iter().for_each(|way| scene.wire.end(*way));
            scene.run(talking)
        }
    };
    Conversation {
        to_server: (client_said, server_heard),
        to_client: (server_said, client_heard),
        way,
        wire: scene.wire.clone(),
    }
}

/// `at` is how much of the ciphertext has arrived at most.
fn check(case: &str, sent: &Sent, received: &Received, at: usize, cut: Option<Cut>) {
    if let Some(error) = &received.handshake {
        // Of the first byte that is changed there is one.
        let silent = at == 0 && cut.is_none_or(|cut| !matches!(cut, Cut::Flip(_)));
        let began = matches!(error, TlsError::Handshake { .. });
        let never_began = matches!(error, TlsError::NeverBegan { .. });
        assert!(
            began && !silent || never_began && (at == 0 || cut.is_none()),
            "{case}: {error:?}"
        );
        if let Some(cut) = cut {
            let kind = match cut {
                Cut::Fin => Some(ErrorKind::UnexpectedEof),
                Cut::Reset => Some(ErrorKind::ConnectionReset),
                Cut::Flip(_) => None,
            };
            assert!(
                kind.is_none_or(|kind| kind == error.kind()),
                "{case}: {error:?}"
            );
        }
    }
    let complete = sent.marks.iter().take_while(|(end, _)| *end <= at).last();
    let complete = complete.map_or(0, |(_, n)| *n);
    let over = received.handshake.is_some() || received.end.is_some();
    if let (Some(_), Some(Cut::Flip(_))) = (&received.handshake, cut) {
        // What came with the end of it is not given away when the next record is no good.
        assert_eq!(received.plaintext, b"", "{case}");
    } else if over {
        assert_eq!(
            received.plaintext.escape_ascii().to_string(),
            sent.plaintext[..complete].escape_ascii().to_string(),
            "{case}: {received:?} of {sent:?}"
        );
    }
    let ended = sent.goodbye.is_some_and(|end| end <= at);
    match (&received.end, cut) {
        (Some(Ok(())), _) => assert!(ended, "{case}: a clean end of {sent:?}"),
        (Some(Err(ReadError::Truncated)), Some(Cut::Reset)) => panic!("{case}: it was reset"),
        (Some(Err(error)), Some(Cut::Fin)) => {
            assert_eq!(*error, ReadError::Truncated, "{case}");
            assert!(!ended, "{case}: {error:?}");
        }
        (Some(Err(error)), Some(Cut::Reset)) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{case}");
            assert!(!ended, "{case}: {error:?}");
        }
        (Some(Err(_)), None) => assert!(!ended, "{case}: {received:?}"),
        (Some(Err(_)), Some(Cut::Flip(_))) | (None, _) => {}
    }
}

fn sweep_both_ways(version: Version, cut: Cut) {
    let bytes = WAYS.map(|way| sweep(version, way, cut));
    // And one before the first byte.
    let cases: usize = bytes.iter().map(|bytes| bytes + 1).sum();
    println!("{version:?} {cut:?}: {cases} cases, {bytes:?} bytes to the server and to the client");
    assert!(bytes.iter().all(|bytes| *bytes > 300));
}

#[test]
fn an_end_behind_any_byte_is_no_clean_end_with_tls_1_2() {
    sweep_both_ways(Version::Tls12, Cut::Fin);
}

#[test]
fn an_end_behind_any_byte_is_no_clean_end_with_tls_1_3() {
    sweep_both_ways(Version::Tls13, Cut::Fin);
}

#[test]
fn a_reset_behind_any_byte_is_reported_with_tls_1_2() {
    sweep_both_ways(Version::Tls12, Cut::Reset);
}

#[test]
fn a_reset_behind_any_byte_is_reported_with_tls_1_3() {
    sweep_both_ways(Version::Tls13, Cut::Reset);
}

/// Whether it is what each record repeats in the clear and nothing depends on: its version, and the
/// kind that it has inside, too.
fn is_repeated(ciphertext: &[u8], at: usize) -> bool {
    let ends = records(ciphertext).into_iter().map(|(_, end)| end);
    let begin = ends.take_while(|end| *end <= at).last();
    at - begin.unwrap_or(0) <= 2
}

/// Changes each byte in turn. Returns how many cases that were, and how many have come to nothing.
fn flip(version: Version, way: Way, flips: u8) -> (usize, usize) {
    let len = converse(version, way, usize::MAX, Cut::Fin)
        .wire
        .sent_len(way);
    let (mut cases, mut harmless) = (0, 0);
    for at in 0..len {
        for flip in 0..flips {
            let bit = (u8::try_from(at % 8).unwrap() + flip) % 8;
            let it = converse(version, way, at, Cut::Flip(bit));
            let case = format!("{version:?} {way:?} bit {bit} of byte {at}");
            let (sent, received) = it.cut_off();
            cases += 1;
            if received.end == Some(Ok(())) {
                assert!(is_repeated(&it.wire.sent(way), at), "{case} is not missed");
                assert_eq!(received.plaintext, sent.plaintext, "{case}");
                harmless += 1;
                continue;
            }
            check(&case, sent, received, at, Some(Cut::Flip(bit)));
            // An alert comes back, or what was sent before.
            let (sent, received) = it.other();
            assert!(sent.plaintext.starts_with(&received.plaintext), "{case}");
        }
    }
    (cases, harmless)
}

#[test]
fn nothing_comes_out_behind_a_bit_that_was_changed() {
    let flips = env::var("MILLPOND_FLIPS").map_or(1, |flips| flips.parse().unwrap());
    for version in VERSIONS {
        for way in WAYS {
            let (cases, harmless) = flip(version, way, flips);
            println!("{version:?} {way:?}: {cases} cases, {harmless} without an effect");
            assert!(harmless * 20 < cases);
        }
    }
}

#[test]
fn a_truncation_that_is_accepted_is_an_end() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut client, mut server) = scene.streams();
        let (acceptor, connector) = tls(version);
        let connector = TlsConnector::from(connector).accept_truncation(true);
        scene.run(async {
            let (one, other) = join(
                async { client.start_tls(connector).server_hostname(NAME).await },
                async { server.start_tls(acceptor).await },
            )
            .await;
            one.unwrap();
            other.unwrap();
            server.write(b"all of it").unwrap();
            scene.wire.end(Way::ToClient);
            assert_eq!(client.read_to_eof().await.unwrap(), "all of it");
        });
    }
}
