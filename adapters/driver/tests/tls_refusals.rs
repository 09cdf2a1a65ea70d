//! A peer that refuses what it is sent, and a writer that never reads.

#![cfg(feature = "__tls")]

mod support;

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::{future::join, task::AtomicWaker};
use millpond::{
    Stream, StreamWriter, WriteError,
    adapter::{BoxFuture, Socket},
    rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier, version::TLS13},
};
use support::tls::{
    Pace, Raw, Scene, VERSIONS, Version, Way, against_raw, against_raw_with, finish, half_closing,
    identity, open, provider, secure, secure_with, tls,
};

/// A way to write something, or to wait for it.
type Ask = fn(&mut StreamWriter) -> BoxFuture<'_, Result<(), WriteError>>;

const ASKS: [(&str, Ask); 8] = [
    ("write", |it| {
        Box::pin(async { it.write(b"a line of a log\n") })
    }),
    ("write_bytes", |it| {
        Box::pin(async { it.write_bytes("more".into()) })
    }),
    ("write_vectored", |it| {
        Box::pin(async { it.write_vectored(&[IoSlice::new(b"mo"), IoSlice::new(b"re")]) })
    }),
    ("corked write", |it| {
        Box::pin(async {
            let _cork = it.cork();
            it.write(b"more")
        })
    }),
    ("write_all", |it| Box::pin(it.write_all(b"more"))),
    ("drain", |it| Box::pin(it.drain())),
    ("flush", |it| Box::pin(it.flush())),
    ("close", |it| {
        Box::pin(async {
            it.close();
            it.wait_closed().await
        })
    }),
];

#[track_caller]
fn assert_alert(case: &str, answer: Result<(), WriteError>, alert: &str) {
    let Err(WriteError::Transport(error)) = answer else {
        panic!("{case}: {answer:?}");
    };
    let expected = format!("received fatal alert: {alert}");
    let text = error.to_string();
    assert!(text.contains(&expected), "{case}: {text}");
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{case}");
}

/// Takes nothing more: it says by an alert that what it has got is no record of this session.
fn refuse(raw: &mut Raw) {
    let mut nonsense = &b"\x17\x03\x03\x00\x20this is no ciphertext of the key"[..];
    raw.session.read_tls(&mut nonsense).unwrap();
    raw.session.process_new_packets().unwrap_err();
    raw.speak();
}

#[test]
fn a_writer_that_never_reads_gets_an_alert_at_any_time() {
    for version in VERSIONS {
        for (name, ask) in ASKS {
            for written in [0, 1, 10] {
                let case = format!("{version:?} {name} after {written}");
                let scene = Scene::new();
                let (client, mut raw, _server) = against_raw(&scene, version);
                let (mut reader, mut writer) = client.into_split();
                for _ in 0..written {
                    scene.run(writer.write_all(b"before")).unwrap();
                }
                refuse(&mut raw);
                assert_alert(&case, scene.run(ask(&mut writer)), "BadRecordMac");
                // It stays so, for every call.
                for (name, ask) in ASKS {
                    let case = format!("{case}, then {name}");
                    assert_alert(&case, scene.run(ask(&mut writer)), "BadRecordMac");
                }
                assert!(writer.is_closing());
                let read = scene.run(reader.read(1)).unwrap_err();
                assert_eq!(read.kind(), ErrorKind::InvalidData, "{case}");
            }
        }
    }
}

/// A server's configuration that wants to see a certificate of each client.
fn wanting_certificates() -> ServerConfig {
    let (certificate, key) = identity();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

/// Under TLS 1.3 a client is through with its handshake before the server has seen its certificate.
#[test]
fn a_client_without_a_certificate_that_only_writes_gets_the_alert() {
    for (name, ask) in ASKS {
        let scene = Scene::new();
        let (mut client, mut raw, _server) =
            against_raw_with(&scene, &tls(Version::Tls13).1, wanting_certificates());
        scene.run(client.write_all(b"sent too soon")).unwrap();
        assert!(raw.try_go_on().is_err());
        raw.speak();
        let (_reader, mut writer) = client.into_split();
        assert_alert(name, scene.run(ask(&mut writer)), "CertificateRequired");
    }
}

#[test]
fn a_writer_that_waits_for_a_peer_that_reads_nothing_gets_its_alert() {
    for version in VERSIONS {
        for close in [false, true] {
            let scene = Scene::new();
            let (client, mut raw, _server) = against_raw(&scene, version);
            let (_reader, mut writer) = client.into_split();
            scene.wire.pace(Way::ToServer, Pace::Busy);
            writer.write(vec![0; 1_000_000]).unwrap();
            if close {
                writer.close();
            }
            let mut waiting = pin!(async {
                match close {
                    true => writer.wait_closed().await,
                    false => writer.drain().await,
                }
            });
            assert!(scene.world.poll(waiting.as_mut()).is_none());
            refuse(&mut raw);
            let answer = scene.world.poll(waiting).expect("it is woken");
            assert_alert(&format!("{version:?} {close}"), answer, "BadRecordMac");
        }
    }
}

/// What had arrived before stays readable, and the alert comes behind it.
#[test]
fn what_was_received_before_a_refusal_can_be_read() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut client, mut raw, _server) = against_raw(&scene, version);
        io::Write::write_all(&mut raw.session.writer(), b"220 hello\n").unwrap();
        raw.speak();
        refuse(&mut raw);
        let refused = (0..3).find_map(|_| client.write(b"?").err());
        assert!(refused.is_some());
        assert_eq!(scene.run(client.read_line()).unwrap(), "220 hello\n");
        assert!(scene.run(client.read_line()).is_err());
    }
}

/// The largest that there may be.
const RECORD: usize = 5 + 16 * 1024 + 2048;

/// A writer looks, but does not read on behalf of a reader that does not.
#[test]
fn a_writer_that_never_reads_buffers_no_more_than_a_record() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut client, mut server) = scene.secured(version);
        let sent = vec![7; 1_000_000];
        scene.wire.pace(Way::ToClient, Pace::Room(50_000));
        server.write(&sent).unwrap();
        let before = scene.wire.taken(Way::ToClient);
        for _ in 0..1000 {
            scene.run(client.write_all(b"tick\n")).unwrap();
            scene.run(client.flush()).unwrap();
        }
        let taken = scene.wire.taken(Way::ToClient) - before;
        // And what has followed the handshake.
        assert!(taken <= RECORD + 1000, "{version:?}: {taken}");
        assert!(scene.run(client.read_exactly(sent.len())).unwrap() == sent);
    }
}

/// Counts the calls of the system that it would cost.
struct Counting {
    inner: Box<dyn Socket>,
    calls: Arc<Calls>,
}

#[derive(Default)]
struct Calls {
    reads: AtomicUsize,
    writes: AtomicUsize,
}

impl Calls {
    /// Reads and writes since the last time.
    fn take(&self) -> (usize, usize) {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::Relaxed);
        (take(&self.reads), take(&self.writes))
    }
}

impl Socket for Counting {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.calls.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.poll_read(cx, buf)
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.calls.writes.fetch_add(1, Ordering::Relaxed);
        self.inner.poll_write(cx, buf)
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_close(cx)
    }
}

/// A client whose calls are counted, and its server.
fn counted(scene: &Scene, version: Version) -> (Stream, Arc<Calls>, Stream) {
    let [client, server] = scene.wire.ends();
    let calls = Arc::new(Calls::default());
    let counting = Counting {
        inner: client,
        calls: calls.clone(),
    };
    let mut client = open(&scene.world, Box::new(counting));
    let mut server = open(&scene.world, server);
    finish(&scene.world, secure(version, &mut client, &mut server));
    // Whatever follows a handshake.
    server.write(b".").unwrap();
    scene.run(client.read_exactly(1)).unwrap();
    calls.take();
    (client, calls, server)
}

const ROUNDS: usize = 100;

/// One that waits in vain and one that brings the answer for each message, as without looking.
#[test]
fn checking_for_an_alert_costs_no_call_while_a_task_reads() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut client, calls, mut server) = counted(&scene, version);
        let (done, ()) = scene.run(join(
            async {
                for _ in 0..ROUNDS {
                    client.write_all(b"ping\n").await?;
                    client.read_line().await?;
                }
                Ok::<_, io::Error>(())
            },
            async {
                for _ in 0..ROUNDS {
                    let line = server.read_line().await.unwrap();
                    server.write_all(&line).await.unwrap();
                }
            },
        ));
        done.unwrap();
        let (reads, writes) = calls.take();
        assert_eq!(writes, ROUNDS, "{version:?}");
        assert!(reads <= 2 * ROUNDS + 1, "{version:?}: {reads}");
    }
}

#[test]
fn a_writer_that_never_reads_looks_once_until_something_comes() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (mut client, calls, mut server) = counted(&scene, version);
        for _ in 0..ROUNDS {
            scene.run(client.write_all(b"a line of a log\n")).unwrap();
        }
        assert_eq!(calls.take(), (1, ROUNDS), "{version:?}");
        server.write(b"thanks").unwrap();
        for _ in 0..ROUNDS {
            scene.run(client.write_all(b"a line of a log\n")).unwrap();
        }
        assert_eq!(calls.take(), (1, ROUNDS), "{version:?}");
    }
}

/// The writer may take what the reader was waiting for, and the socket has nothing more to report.
#[test]
fn a_reader_that_waits_gets_what_a_writer_has_found() {
    for version in VERSIONS {
        let scene = Scene::new();
        let (client, mut server) = scene.secured(version);
        let (mut reader, mut writer) = client.into_split();
        let mut reading = pin!(reader.read_exactly(5));
        assert!(scene.world.poll(reading.as_mut()).is_none());
        server.write(b"hello").unwrap();
        for _ in 0..3 {
            writer.write(b"tick").unwrap();
        }
        assert_eq!(scene.world.poll(reading).unwrap().unwrap(), "hello");
    }
}

/// The goodbye needs no peer that takes it, but that there was none is news.
#[test]
fn a_reset_that_close_notify_meets_first_is_one_for_the_reader() {
    let scene = Scene::new();
    let [client, server] = scene.wire.ends();
    let client = OneReset {
        inner: client,
        wire: scene.wire.clone(),
        reported: AtomicUsize::new(0),
        reader: AtomicWaker::new(),
    };
    let mut client = open(&scene.world, Box::new(client));
    let mut server = open(&scene.world, server);
    let sides = half_closing(Version::Tls13);
    finish(&scene.world, secure_with(&sides, &mut client, &mut server));
    server.abort();
    client.write_eof().unwrap();
    let error = scene.run(client.read(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error:?}");
}

/// Reports a reset once, and to the writer first, as the system may.
struct OneReset {
    inner: Box<dyn Socket>,
    wire: support::tls::Wire,
    reported: AtomicUsize,
    reader: AtomicWaker,
}

impl OneReset {
    fn is_reset(&self) -> bool {
        self.wire.was_reset(Way::ToClient)
    }
}

impl Socket for OneReset {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.is_reset() {
            true if self.reported.load(Ordering::Relaxed) > 0 => Poll::Ready(Ok(0)),
            true => {
                self.reader.register(cx.waker());
                Poll::Pending
            }
            false => self.inner.poll_read(cx, buf),
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if !self.is_reset() {
            return self.inner.poll_write(cx, buf);
        }
        self.reader.wake();
        Poll::Ready(Err(match self.reported.fetch_add(1, Ordering::Relaxed) {
            0 => ErrorKind::ConnectionReset.into(),
            _ => ErrorKind::BrokenPipe.into(),
        }))
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_close(cx)
    }
}
