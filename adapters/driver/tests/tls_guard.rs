//! What futures-rustls makes of sockets that are not as it wants them, and what the driver does.

#![cfg(feature = "__tls")]

mod support;

use std::{
    cell::Cell,
    io::{self, IoSlice},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use futures_rustls::rustls::pki_types::ServerName;
use futures_util::{
    future::join,
    io::{AsyncRead, AsyncWrite},
};
use millpond::{adapter::Socket, error::TlsError};
use support::{
    Alarm,
    tls::{NAME, Scene, VERSIONS, Version, Way, client_config, finish, open, tls},
};

/// Pends when it is read from, and writes nothing, successfully.
#[derive(Default)]
struct WritesNothing(AtomicUsize);

impl AsyncRead for WritesNothing {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

impl AsyncWrite for WritesNothing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        let calls = self.0.fetch_add(1, Ordering::Relaxed);
        assert!(calls < 10_000, "it spins");
        Poll::Ready(Ok(0))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn connector(version: Version) -> futures_rustls::TlsConnector {
    futures_rustls::TlsConnector::from(Arc::new(client_config(version)))
}

fn name() -> ServerName<'static> {
    ServerName::try_from(NAME).unwrap()
}

#[test]
fn without_the_guard_a_write_of_nothing_spins() {
    let shaking = connector(Version::Tls13).connect(name(), WritesNothing::default());
    let mut shaking = Box::pin(shaking);
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let _ = shaking
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
    }));
    assert_eq!(*polled.unwrap_err().downcast::<&str>().unwrap(), "it spins");
}

/// Sends what it was given when it is flushed the second time, and wakes for that.
#[derive(Clone, Default)]
struct FlushesLater(Arc<Later>);

#[derive(Default)]
struct Later {
    kept: Mutex<Vec<u8>>,
    sent: Mutex<Vec<u8>>,
    asked: AtomicBool,
}

impl Later {
    fn poll_flush(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if !self.asked.swap(true, Ordering::Relaxed) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.asked.store(false, Ordering::Relaxed);
        self.sent
            .lock()
            .unwrap()
            .append(&mut self.kept.lock().unwrap());
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for FlushesLater {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

impl AsyncWrite for FlushesLater {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.kept.lock().unwrap().extend(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn without_the_guard_a_flush_that_waits_is_forgotten_and_hangs() {
    let stream = FlushesLater::default();
    let mut shaking = Box::pin(connector(Version::Tls13).connect(name(), stream.clone()));
    let bell = Arc::new(Alarm::default());
    let waker = Waker::from(bell.clone());
    let mut polls = 0;
    loop {
        bell.reset();
        polls += 1;
        assert!(
            shaking
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        if !bell.has_rung() {
            break;
        }
    }
    assert_eq!(polls, 2);
    assert!(!stream.0.kept.lock().unwrap().is_empty()); // the hello, for ever
    assert!(stream.0.sent.lock().unwrap().is_empty());
}

/// A wire's end that does some things in its own way.
struct Queer {
    end: Box<dyn Socket>,
    kept: Mutex<Vec<u8>>,
    flushes: AtomicUsize,
    habit: Habit,
    /// So many operations are honest before.
    honest: AtomicUsize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Habit {
    WritesNothing,
    WritesTooMuch,
    ReadsTooMuch,
    FailsReading(io::ErrorKind),
    FailsWriting(io::ErrorKind),
    /// Keeps what it is given until it was flushed so often.
    FlushesAfter(usize),
}

fn queer(end: Box<dyn Socket>, habit: Habit, honest: usize) -> Box<dyn Socket> {
    Box::new(Queer {
        end,
        kept: Mutex::default(),
        flushes: AtomicUsize::new(0),
        habit,
        honest: AtomicUsize::new(honest),
    })
}

impl Queer {
    fn is_honest(&self) -> bool {
        let less = |n: usize| n.checked_sub(1);
        let honest = &self.honest;
        honest
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}

impl Socket for Queer {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.habit {
            Habit::ReadsTooMuch if !self.is_honest() => Poll::Ready(Ok(buf.len() + 1)),
            Habit::FailsReading(kind) if !self.is_honest() => Poll::Ready(Err(kind.into())),
            Habit::WritesNothing
            | Habit::WritesTooMuch
            | Habit::ReadsTooMuch
            | Habit::FailsReading(_)
            | Habit::FailsWriting(_)
            | Habit::FlushesAfter(_) => self.end.poll_read(cx, buf),
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.habit {
            Habit::WritesNothing if !self.is_honest() => Poll::Ready(Ok(0)),
            Habit::WritesTooMuch if !self.is_honest() => Poll::Ready(Ok(buf.len() + 1)),
            Habit::FailsWriting(kind) if !self.is_honest() => Poll::Ready(Err(kind.into())),
            Habit::FlushesAfter(_) => {
                self.kept.lock().unwrap().extend(buf);
                Poll::Ready(Ok(buf.len()))
            }
            Habit::WritesNothing
            | Habit::WritesTooMuch
            | Habit::ReadsTooMuch
            | Habit::FailsReading(_)
            | Habit::FailsWriting(_) => self.end.poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        self.poll_write(cx, &all)
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Habit::FlushesAfter(times) = self.habit {
            if self.flushes.fetch_add(1, Ordering::Relaxed) < times {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.flushes.store(0, Ordering::Relaxed);
            let kept = std::mem::take(&mut *self.kept.lock().unwrap());
            if !kept.is_empty() {
                assert!(self.end.poll_write(cx, &kept).is_ready());
            }
        }
        Poll::Ready(Ok(()))
    }

    fn wants_flush(&self) -> bool {
        !self.kept.lock().unwrap().is_empty()
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if Socket::poll_flush(self, cx).is_pending() {
            return Poll::Pending;
        }
        self.end.poll_close(cx)
    }
}

#[test]
fn a_socket_that_lies_or_fails_fails_the_handshake_or_the_stream() {
    let mut habits = vec![
        (Habit::WritesNothing, io::ErrorKind::WriteZero),
        (Habit::WritesTooMuch, io::ErrorKind::InvalidData),
        (Habit::ReadsTooMuch, io::ErrorKind::InvalidData),
    ];
    for kind in [
        io::ErrorKind::BrokenPipe,
        // futures-rustls takes the stream for ended after it.
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::NotConnected,
        io::ErrorKind::Other,
        io::ErrorKind::OutOfMemory,
        io::ErrorKind::TimedOut,
    ] {
        habits.push((Habit::FailsReading(kind), kind));
        habits.push((Habit::FailsWriting(kind), kind));
    }
    let later = Cell::new(0);
    for version in VERSIONS {
        for &(habit, kind) in &habits {
            for honest in 0..12 {
                let case = format!("{version:?} {habit:?} after {honest}");
                let scene = Scene::new();
                let [client, server] = scene.wire.ends();
                let mut client = open(&scene.world, queer(client, habit, honest));
                let mut server = open(&scene.world, server);
                let (acceptor, connector) = tls(version);
                let serve = async {
                    if server.start_tls(acceptor).await.is_ok() {
                        while let Ok(it @ 1..) = server.read(99).await.map(|data| data.len()) {
                            let _ = server.write(vec![b'.'; it]);
                        }
                    }
                    server.close();
                };
                let (later, case) = (&later, &case);
                let lie = async move {
                    if let Err(error) = client.start_tls(connector).server_hostname(NAME).await {
                        assert!(
                            matches!(
                                error,
                                TlsError::Handshake { .. } | TlsError::NeverBegan { .. }
                            ),
                            "{case}: {error:?}"
                        );
                        return error.kind();
                    }
                    later.set(later.get() + 1);
                    loop {
                        if let Err(error) = client.write_all(b"hello").await {
                            return io::Error::from(error).kind();
                        }
                        if let Err(error) = client.read(99).await {
                            assert!(client.read(99).await.is_err(), "{case}: an end");
                            return io::Error::from(error).kind();
                        }
                    }
                };
                let (_, seen) = finish(&scene.world, join(serve, lie));
                assert_eq!(seen, kind, "{case}");
            }
        }
    }
    assert!(later.get() > 20); // both stages are reached
}

#[test]
fn a_flush_that_waits_is_waited_for() {
    for version in VERSIONS {
        for times in [0, 1, 2, 5] {
            let scene = Scene::new();
            let habit = Habit::FlushesAfter(times);
            let [client, server] = scene.wire.ends().map(|end| queer(end, habit, 0));
            let mut client = open(&scene.world, client);
            let mut server = open(&scene.world, server);
            finish(
                &scene.world,
                support::tls::secure(version, &mut client, &mut server),
            );
            client.write(b"hello\n").unwrap();
            assert_eq!(scene.run(server.read_line()).unwrap(), "hello\n");
            server.write(b"hi").unwrap();
            server.close();
            assert_eq!(scene.run(client.read_exactly(2)).unwrap(), "hi");
            assert_eq!(
                scene.run(client.read(1)).unwrap(),
                "",
                "{version:?} {times}"
            );
        }
    }
}

#[test]
fn a_flush_that_never_ends_can_be_cancelled() {
    let scene = Scene::new();
    let [client, _server] = scene.wire.ends();
    let mut client = open(
        &scene.world,
        queer(client, Habit::FlushesAfter(usize::MAX), 0),
    );
    let transport = client.transport();
    let starting = client
        .start_tls(&tls(Version::Tls13).1)
        .server_hostname(NAME);
    let mut starting = pin!(async { starting.await });
    // It wakes itself for ever: so it is polled by hand.
    for _ in 0..10 {
        let polled = starting
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }
    transport.abort();
    assert!(scene.world.poll(starting).unwrap().is_err());
    assert_eq!(scene.wire.sent_len(Way::ToServer), 0);
}
