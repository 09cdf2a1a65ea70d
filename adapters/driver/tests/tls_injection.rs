//! What was received before TLS does not come out of it.
//!
//! `MILLPOND_INJECTIONS` sets up to which length what is injected is cut everywhere: with 4096, its
//! greatest, that is every split of every length, 33 and a half million cases.

#![cfg(feature = "__tls")]

mod support;

use std::{
    env,
    fmt::{self, Display},
    io::ErrorKind,
};

use futures_util::future::join;
use millpond::{Stream, adapter::Socket, error::TlsError, types::TlsSide};
use support::tls::{NAME, Scene, VERSIONS, Version, WAYS, Way, Wire, open, tls};

const COMMAND: &[u8] = b"STARTTLS\r\n";

/// Every one up to this length is cut everywhere.
const SHORT: usize = 48;

const LONGEST: usize = 4096;

/// `SHORT`, unless the environment says otherwise.
fn short() -> usize {
    let set = env::var("MILLPOND_INJECTIONS");
    set.map_or(SHORT, |length| length.parse().unwrap())
}

/// Where the command and `n` bytes behind it are cut in two: everywhere if they are short, or else
/// around the end of the command and at their own.
fn splits(n: usize, short: usize) -> Vec<usize> {
    let end = COMMAND.len();
    match n <= short {
        true => (0..=end + n).collect(),
        false => vec![0, end - 1, end, end + 1, end + n],
    }
}

/// What is tried, for the message if it fails.
struct Case {
    version: Version,
    way: Way,
    n: usize,
    split: usize,
}

impl Case {
    fn new(version: Version, way: Way, n: usize, split: usize) -> Self {
        Self {
            version,
            way,
            n,
            split,
        }
    }
}

impl Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            way,
            n,
            split,
        } = self;
        write!(f, "{version:?} {way:?} {n} split at {split}")
    }
}

fn injected(n: usize) -> Vec<u8> {
    let line = b"RCPT TO:<evil@example.org>\r\n";
    line.iter().copied().cycle().take(n).collect()
}

/// A stream whose peer is the test, which it reads by `way`; and the peer's end.
fn victim(scene: &Scene, way: Way) -> (Stream, Box<dyn Socket>) {
    let [client, server] = scene.wire.ends();
    match way {
        Way::ToServer => (open(&scene.world, server), client),
        Way::ToClient => (open(&scene.world, client), server),
    }
}

/// The command and what is injected, of which the victim has received all before the split.
fn command_and(case: &Case, injected: &[u8]) -> (Scene, Vec<u8>, Stream, Box<dyn Socket>) {
    let all = [COMMAND, injected].concat();
    let scene = Scene::new();
    let (stream, peer) = victim(&scene, case.way);
    scene.wire.say(case.way, &all[..case.split]);
    (scene, all, stream, peer)
}

async fn begin(stream: &mut Stream, way: Way, version: Version) -> Result<(), TlsError> {
    begin_with(stream, way, version, false).await
}

async fn begin_with(
    stream: &mut Stream,
    way: Way,
    version: Version,
    hand_over: bool,
) -> Result<(), TlsError> {
    let (acceptor, connector) = tls(version);
    let side = match way {
        Way::ToServer => TlsSide::from(acceptor),
        Way::ToClient => TlsSide::from(connector),
    };
    let starting = stream.start_tls(side).hand_over_buffered(hand_over);
    match way {
        Way::ToServer => starting.await,
        Way::ToClient => starting.server_hostname(NAME).await,
    }
}

/// Nothing can be read any more, nor written.
async fn assert_over(case: &impl Display, stream: &mut Stream, wire: &Wire, way: Way) {
    assert_eq!(stream.buffered(), b"", "{case}");
    assert!(stream.read(9999).await.is_err(), "{case}");
    assert!(stream.read_line().await.is_err(), "{case}");
    let sent = wire.sent_len(back(way));
    assert!(stream.write(b"in the clear").is_err(), "{case}");
    assert!(stream.flush().await.is_err(), "{case}");
    assert_eq!(wire.sent_len(back(way)), sent, "{case}");
}

fn back(way: Way) -> Way {
    match way {
        Way::ToServer => Way::ToClient,
        Way::ToClient => Way::ToServer,
    }
}

/// One case of what is refused: the stream goes on as it was, or is over.
fn refuse(case: &Case, injected: &[u8]) {
    let Case {
        version,
        way,
        n,
        split,
    } = *case;
    let (scene, all, mut stream, _peer) = command_and(case, injected);
    scene.run(async {
        if split < COMMAND.len() {
            // The rest comes while the line is waited for.
            let later = async { scene.wire.say(way, &all[split..]) };
            assert_eq!(join(stream.read_line(), later).await.0.unwrap(), COMMAND);
        } else {
            assert_eq!(stream.read_line().await.unwrap(), COMMAND);
            scene.wire.say(way, &all[split..]);
        }
        let buffered = stream.buffered().len();
        let arrived_at_once = match split.checked_sub(COMMAND.len()) {
            Some(at_once) => at_once,
            None => n,
        };
        assert_eq!(buffered, arrived_at_once, "{case}");
        let error = begin(&mut stream, way, version).await.unwrap_err();
        if buffered == 0 {
            // It is on the wire, and no TLS.
            let failed = matches!(error, TlsError::Handshake { .. });
            assert!(failed, "{case}: {error:?}");
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{case}");
            assert_over(case, &mut stream, &scene.wire, way).await;
        } else {
            let refused = matches!(error, TlsError::Buffered { len } if len == buffered);
            assert!(refused, "{case}: {error:?}");
            // It goes on as it was.
            assert_eq!(scene.wire.sent_len(back(way)), 0, "{case}");
            assert_eq!(stream.read_exactly(n).await.unwrap(), injected, "{case}");
            stream.write(b"no\r\n").unwrap();
            assert_eq!(scene.wire.sent(back(way)), b"no\r\n", "{case}");
        }
    });
}

#[test]
fn what_came_with_the_command_is_refused_and_can_be_read_in_the_clear() {
    let (version, short) = (Version::Tls13, short());
    let mut cases = 0;
    for way in WAYS {
        for n in 1..=LONGEST {
            let injected = injected(n);
            for split in splits(n, short) {
                refuse(&Case::new(version, way, n, split), &injected);
                cases += 1;
            }
        }
    }
    println!("{cases} cases");
    assert!(cases >= WAYS.len() * LONGEST * 5);
}

/// One case of what is handed over: some of it is buffered, and the rest on the wire.
fn hand_over(case: &Case, injected: &[u8]) {
    let (way, version) = (case.way, case.version);
    let (scene, all, mut stream, _peer) = command_and(case, injected);
    scene.run(async {
        assert_eq!(stream.read_line().await.unwrap(), COMMAND);
        scene.wire.say(way, &all[case.split..]);
        scene.wire.end(way);
        let begun = begin_with(&mut stream, way, version, true).await;
        let error = begun.unwrap_err();
        let failed = matches!(error, TlsError::Handshake { .. });
        assert!(failed, "{case}: {error:?}");
        assert_over(case, &mut stream, &scene.wire, way).await;
    });
}

/// Of both versions while they are short; what is long differs in its length alone.
#[test]
fn what_is_handed_over_is_no_plaintext_afterwards() {
    let short = short();
    let mut cases = 0;
    for way in WAYS {
        for n in 1..=LONGEST {
            let injected = injected(n);
            let versions = match n <= SHORT {
                true => &VERSIONS[..],
                false => &[Version::Tls13],
            };
            for &version in versions {
                let splits = splits(n, short).into_iter();
                for split in splits.filter(|split| *split > COMMAND.len()) {
                    hand_over(&Case::new(version, way, n, split), &injected);
                    cases += 1;
                }
            }
        }
    }
    println!("{cases} cases");
    assert!(cases >= WAYS.len() * LONGEST);
}

/// The injected bytes come before those of the true peer, which begins TLS as well.
#[test]
fn what_was_injected_in_front_of_a_true_handshake_makes_it_fail() {
    let mut cases = 0;
    for version in VERSIONS {
        for way in WAYS {
            for n in (1..=SHORT).chain([100, 1000, 4096]) {
                let case = format!("{version:?} {way:?} {n}");
                let scene = Scene::new();
                let (mut client, mut server) = scene.streams();
                scene.wire.say(way, &injected(n));
                scene.run(async {
                    let (_, _) = join(
                        begin(&mut client, Way::ToClient, version),
                        begin(&mut server, Way::ToServer, version),
                    )
                    .await;
                    let victim = match way {
                        Way::ToServer => &mut server,
                        Way::ToClient => &mut client,
                    };
                    assert_over(&case, victim, &scene.wire, way).await;
                });
                cases += 1;
            }
        }
    }
    println!("{cases} cases");
}

/// As behind a proxy that sends its line and passes on the client's first bytes in one segment.
#[test]
fn a_proxy_line_and_a_hello_in_one_segment_begin_tls_at_every_split() {
    const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
    let mut cases = 0;
    for version in VERSIONS {
        let hello = {
            let scene = Scene::new();
            let (mut client, _server) = scene.streams();
            scene.wire.end(Way::ToClient);
            let _ = scene.run(begin(&mut client, Way::ToClient, version));
            records(&scene.wire.sent(Way::ToServer))
        };
        for split in 0..=hello {
            let scene = Scene::new();
            let (mut client, mut server) = scene.streams();
            scene.wire.say(Way::ToServer, LINE);
            // So much of the hello comes with the line, and the rest in its own time.
            let room = LINE.len() + split;
            scene
                .wire
                .pace(Way::ToServer, support::tls::Pace::Room(room));
            scene.run(async {
                let client_side = async {
                    begin(&mut client, Way::ToClient, version).await.unwrap();
                    client.write(b"hello\n").unwrap();
                    assert_eq!(client.read_line().await.unwrap(), "hi\n");
                };
                let server_side = async {
                    futures_lite::future::yield_now().await; // after the client's first segment
                    assert_eq!(server.read_line().await.unwrap(), LINE);
                    assert_eq!(server.buffered().len(), split);
                    scene.wire.pace(Way::ToServer, support::tls::Pace::Free);
                    begin_with(&mut server, Way::ToServer, version, true)
                        .await
                        .unwrap();
                    assert_eq!(server.read_line().await.unwrap(), "hello\n");
                    server.write(b"hi\n").unwrap();
                };
                join(client_side, server_side).await;
            });
            cases += 1;
        }
    }
    println!("{cases} cases");
}

/// How long the first record is.
fn records(ciphertext: &[u8]) -> usize {
    support::tls::records(ciphertext)[0].1
}
