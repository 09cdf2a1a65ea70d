//! Upgrades to TLS that are given up.

#![cfg(feature = "__tls")]

mod support;

use std::{
    future::IntoFuture,
    io::ErrorKind,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use millpond::{
    ReadError, Stream, TlsConnector, Transport, WriteError, error::TlsError, types::TlsSide,
};
use support::tls::{NAME, Pace, Scene, VERSIONS, Version, WAYS, Way, tls};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum How {
    Drop,
    Close,
    Abort,
    /// The halves are dropped as well.
    DropAll,
}

const WAYS_OUT: [How; 4] = [How::Drop, How::Close, How::Abort, How::DropAll];

fn back(way: Way) -> Way {
    match way {
        Way::ToServer => Way::ToClient,
        Way::ToClient => Way::ToServer,
    }
}

fn side(version: Version, speaks: Way) -> TlsSide {
    let (acceptor, connector) = tls(version);
    match speaks {
        Way::ToServer => connector.into(),
        Way::ToClient => acceptor.into(),
    }
}

async fn begin(stream: &mut Stream, version: Version, speaks: Way) -> Result<(), TlsError> {
    let starting = stream.start_tls(side(version, speaks));
    match speaks {
        Way::ToServer => starting.server_hostname(NAME).await,
        Way::ToClient => starting.await,
    }
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Gives up the handshake of the side that speaks this way after so many polls. Returns false if it
/// was done before.
fn give_up(version: Version, speaks: Way, how: How, polls: usize) -> bool {
    let case = format!("{version:?} {speaks:?} {how:?} after {polls}");
    let scene = Scene::new();
    for way in WAYS {
        scene.wire.pace(way, Pace::Room(16)); // so that it takes many
    }
    let (client, server) = scene.streams();
    let (mut victim, mut other) = match speaks {
        Way::ToServer => (client, server),
        Way::ToClient => (server, client),
    };
    let transport = victim.transport();
    let mut others = Box::pin(async move {
        let shaken = begin(&mut other, version, back(speaks)).await;
        (shaken, other.read(99).await)
    });
    {
        let mut begun = Box::pin(begin(&mut victim, version, speaks));
        for _ in 0..polls {
            if poll_once(begun.as_mut()).is_ready() {
                return false;
            }
            assert!(poll_once(others.as_mut()).is_pending(), "{case}");
            scene.world.settle();
        }
        let ended = end_it(&transport, how);
        if ended {
            let result = scene.world.poll(begun.as_mut()).expect(&case);
            assert!(result.is_err(), "{case}");
        }
    }
    let sent = scene.wire.sent(speaks);
    if how == How::DropAll {
        drop(victim);
    } else {
        assert_over(&case, &scene, &mut victim, how, polls);
    }
    scene.world.settle();
    // Nothing was sent in the clear; what there is, is the beginning of TLS.
    let now = scene.wire.sent(speaks);
    assert!(
        now.starts_with(&sent) && now.len() <= sent.len() + 31,
        "{case}"
    );
    assert!(
        now.first().is_none_or(|kind| *kind == 22 || *kind == 21),
        "{case}"
    );
    let (shaken, read) = scene.world.poll(others.as_mut()).expect(&case);
    assert!(
        shaken.is_err() || read.is_err(),
        "{case}: {shaken:?} {read:?}"
    );
    if how == How::Abort && polls > 0 {
        assert!(scene.wire.was_reset(speaks), "{case}");
    }
    true
}

/// Whether it was the transport's doing.
fn end_it(transport: &Transport, how: How) -> bool {
    match how {
        How::Drop | How::DropAll => false,
        How::Close => {
            transport.close();
            true
        }
        How::Abort => {
            transport.abort();
            true
        }
    }
}

fn assert_over(case: &str, scene: &Scene, victim: &mut Stream, how: How, polls: usize) {
    if polls == 0 && how == How::Drop {
        return; // nothing has begun
    }
    let read = scene.run(victim.read(99));
    let written = victim.write(b"in the clear");
    let flushed = scene.run(victim.flush());
    assert!(written.is_err(), "{case}");
    if how == How::Drop {
        let Err(ReadError::Transport(reason)) = &read else {
            panic!("{case}: {read:?}");
        };
        assert_eq!(reason.kind(), ErrorKind::ConnectionAborted, "{case}");
        assert_eq!(
            reason.to_string(),
            "the upgrade to TLS was cancelled",
            "{case}"
        );
        let again = WriteError::Transport(reason.clone());
        assert_eq!(
            written.unwrap_err().to_string(),
            again.to_string(),
            "{case}"
        );
        assert!(flushed.is_err(), "{case}");
    } else if how == How::Abort {
        assert!(read.is_err(), "{case}");
    }
    // Once more: nothing hangs.
    let _ = scene.run(victim.read_line());
    let _ = scene.run(victim.wait_closed());
}

#[test]
fn an_upgrade_that_is_cancelled_at_any_poll_ends_the_stream() {
    let mut cases = 0;
    for version in VERSIONS {
        for speaks in WAYS {
            for how in WAYS_OUT {
                let first = usize::from(how == How::Drop || how == How::DropAll);
                let before = cases;
                for polls in first.. {
                    if !give_up(version, speaks, how, polls) {
                        break;
                    }
                    cases += 1;
                }
                assert!(cases > before + 20);
            }
        }
    }
    println!("{cases} cases");
}

#[test]
fn an_upgrade_that_was_never_polled_changes_nothing() {
    let scene = Scene::new();
    let (mut client, mut server) = scene.streams();
    drop(client.start_tls(&tls(Version::Tls13).1));
    let starting = client.start_tls(&tls(Version::Tls13).1);
    drop(starting.server_hostname(NAME).into_future());
    client.write(b"in the clear\n").unwrap();
    assert_eq!(scene.run(server.read_line()).unwrap(), "in the clear\n");
}

/// A peer that says the beginning of a handshake, and nothing more.
#[test]
fn a_handshake_that_takes_too_long_ends_the_stream_with_that_reason() {
    let timeout = Duration::from_secs(7);
    for received in 0..=5 {
        let scene = Scene::new();
        let (mut client, server) = scene.streams();
        scene
            .wire
            .say(Way::ToClient, &b"\x16\x03\x03\x00\x7a"[..received]);
        let connector = TlsConnector::from(&tls(Version::Tls13).1).handshake_timeout(timeout);
        let before = scene.world.time();
        {
            let starting = client.start_tls(connector).server_hostname(NAME);
            let mut starting = pin!(starting.into_future());
            assert!(scene.world.poll(starting.as_mut()).is_none());
            scene.world.advance(timeout - Duration::from_millis(1));
            assert!(scene.world.poll(starting.as_mut()).is_none());
            scene.world.advance(Duration::from_millis(1));
            let error = scene.world.poll(starting.as_mut()).unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            let never_began = matches!(error, TlsError::NeverBegan { .. });
            assert_eq!(never_began, received == 0, "{error}");
        }
        assert_eq!(scene.world.time() - before, timeout);
        let read = scene.run(client.read(1)).unwrap_err();
        assert_eq!(read.kind(), ErrorKind::TimedOut);
        let written = client.write(b"in the clear").unwrap_err();
        assert_eq!(written.kind(), ErrorKind::TimedOut);
        assert!(scene.wire.has_ended(Way::ToServer));
        drop(server);
    }
}
