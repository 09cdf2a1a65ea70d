//! Streams that have one direction only, over sockets that are never asked for the other one.

mod support;

use std::{
    future::IntoFuture,
    io::{self, IoSlice},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use futures_lite::future::{block_on, poll_once};
use millpond::{
    Bytes, ReadError, Separator, Stream, StreamMode, StreamReader, WriteError,
    adapter::Socket,
    connect,
    millpond_core::{Reader, Request, Status},
};

use crate::support::{Alarm, world::World};

#[derive(Default)]
struct Seen {
    written: Mutex<Vec<u8>>,
    closes: AtomicUsize,
    aborts: AtomicUsize,
}

/// Gives these bytes, then is not ready; takes everything.
struct OneWay {
    mode: StreamMode,
    data: Mutex<Vec<u8>>,
    seen: Arc<Seen>,
}

impl Socket for OneWay {
    fn poll_read(&self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        assert!(self.mode.can_read(), "it cannot be read");
        let data = std::mem::take(&mut *self.data.lock().unwrap());
        if data.is_empty() {
            return Poll::Pending;
        }
        buf[..data.len()].copy_from_slice(&data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_write(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        assert!(self.mode.can_write(), "it cannot be written");
        self.seen.written.lock().unwrap().extend(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        assert!(self.mode.can_write(), "it has no direction to be ended");
        self.seen.closes.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn abort(&self) {
        self.seen.aborts.fetch_add(1, Ordering::Relaxed);
    }

    fn mode(&self) -> StreamMode {
        self.mode
    }
}

struct Test {
    seen: Arc<Seen>,
    world: World,
}

impl Test {
    /// On a runtime, which has a clock: without one nothing would linger anyway.
    fn open(mode: StreamMode) -> (Self, Stream) {
        let seen = Arc::new(Seen::default());
        let world = World::default();
        let socket = OneWay {
            mode,
            data: Mutex::new(b"hello\n".to_vec()),
            seen: seen.clone(),
        };
        let opening = connect(world.runtime(), Box::new(socket) as Box<dyn Socket>);
        let stream = block_on(opening.into_future()).unwrap();
        assert_eq!(stream.mode(), mode);
        (Self { seen, world }, stream)
    }

    fn is_released(&self) -> bool {
        assert_eq!(self.world.tasks(), 0, "nothing is lingered on");
        Arc::strong_count(&self.seen) == 1
    }

    fn closes(&self) -> usize {
        self.seen.closes.load(Ordering::Relaxed)
    }
}

fn parse(reader: &mut Reader) -> Result<Status<Bytes>, ReadError> {
    let found = reader.poll(Request::Line)?;
    Ok(found.map(|n| reader.take(n)))
}

async fn assert_cannot_be_read(reader: &mut StreamReader) {
    let no = ReadError::WriteOnly;
    let crlf = Separator::new("\r\n");
    for n in [0, 1, 1000] {
        assert_eq!(reader.read(n).await, Err(no.clone()));
        assert_eq!(reader.read_ref(n).await, Err(no.clone()));
        assert_eq!(reader.read_exactly(n).await, Err(no.clone()));
        assert_eq!(reader.read_exactly_ref(n).await, Err(no.clone()));
        assert_eq!(reader.peek(n).await, Err(no.clone()));
    }
    assert_eq!(reader.read_line().await, Err(no.clone()));
    assert_eq!(reader.read_line_ref().await, Err(no.clone()));
    assert_eq!(reader.read_until("\n").await, Err(no.clone()));
    assert_eq!(reader.read_until_ref(&crlf).await, Err(no.clone()));
    assert_eq!(reader.read_to_eof().await, Err(no.clone()));
    assert_eq!(reader.read_with(parse).await, Err(no.clone()));
    assert_eq!(reader.lines().next().await, Some(Err(no.clone())));
    assert!(!reader.at_eof());
}

#[test]
fn every_read_of_a_write_only_stream_fails_before_and_after_its_end() {
    let (test, mut stream) = Test::open(StreamMode::Write);
    assert_eq!(block_on(stream.read(1)), Err(ReadError::WriteOnly));
    let (mut reader, mut writer) = stream.into_split();
    block_on(async {
        assert_cannot_be_read(&mut reader).await;
        writer.write(b"hello").unwrap();
        assert_cannot_be_read(&mut reader).await;
        writer.close();
        writer.wait_closed().await.unwrap();
        assert_cannot_be_read(&mut reader).await;
    });
    assert_eq!(*test.seen.written.lock().unwrap(), b"hello");
    assert!(test.is_released());
}

#[test]
fn a_cap_does_not_hide_that_a_stream_is_write_only() {
    let world = World::default();
    let socket = OneWay {
        mode: StreamMode::Write,
        data: Mutex::default(),
        seen: Arc::default(),
    };
    let opening = connect(world.runtime(), Box::new(socket) as Box<dyn Socket>).cap(10);
    let mut stream = block_on(opening.into_future()).unwrap();
    assert_eq!(block_on(stream.read_exactly(11)), Err(ReadError::WriteOnly));
    assert_eq!(block_on(stream.peek(11)), Err(ReadError::WriteOnly));
}

#[test]
fn every_write_of_a_read_only_stream_fails_before_and_after_its_end() {
    let (test, mut stream) = Test::open(StreamMode::Read);
    let no = WriteError::ReadOnly;
    block_on(async {
        for closed in [false, true] {
            assert_eq!(stream.write(b"?"), Err(no.clone()));
            assert_eq!(stream.write(b""), Err(no.clone()));
            assert_eq!(stream.write_bytes("?".into()), Err(no.clone()));
            let pieces = [IoSlice::new(b"?")];
            assert_eq!(stream.write_vectored(&pieces), Err(no.clone()));
            assert_eq!(stream.write_all(b"?").await, Err(no.clone()));
            assert_eq!(stream.drain().await, Err(no.clone()));
            assert_eq!(stream.flush().await, Err(no.clone()));
            assert_eq!(stream.write_eof(), Err(no.clone()));
            drop(stream.cork());
            let expected = if closed { "" } else { "hello\n" };
            assert_eq!(stream.read(10).await.unwrap(), expected);
            stream.close();
            stream.wait_closed().await.unwrap();
        }
    });
    assert!(test.is_released());
}

#[test]
fn both_kinds_can_be_closed_and_aborted() {
    for mode in [StreamMode::Read, StreamMode::Write] {
        let (test, mut stream) = Test::open(mode);
        stream.close();
        assert!(stream.is_closing());
        block_on(stream.wait_closed()).unwrap();
        assert!(test.is_released());
        assert_eq!(test.closes(), usize::from(mode.can_write()), "{mode:?}");

        let (test, mut stream) = Test::open(mode);
        stream.abort();
        assert!(stream.is_closing());
        block_on(stream.wait_closed()).unwrap();
        assert!(test.is_released());
        assert_eq!(test.seen.aborts.load(Ordering::Relaxed), 1, "{mode:?}");
        assert_eq!(test.closes(), 0, "{mode:?}");
    }
}

#[test]
fn a_read_only_stream_that_is_closed_wakes_its_reader() {
    for abort in [false, true] {
        let (_test, stream) = Test::open(StreamMode::Read);
        let transport = stream.transport();
        let (mut reader, _writer) = stream.into_split();
        block_on(reader.read(100)).unwrap();
        let alarm = Arc::new(Alarm::default());
        let waker = Waker::from(alarm.clone());
        let mut reading = pin!(reader.read(1));
        let mut poll = || reading.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(poll().is_pending());
        if abort {
            transport.abort();
        } else {
            transport.close();
        }
        assert!(alarm.has_rung());
        match poll() {
            Poll::Ready(Ok(end)) => assert!(end.is_empty() && !abort),
            Poll::Ready(Err(_)) => assert!(abort),
            Poll::Pending => panic!("it waits on"),
        }
    }
}

#[test]
fn dropping_the_half_that_a_stream_does_not_have_ends_nothing() {
    let (test, stream) = Test::open(StreamMode::Read);
    let (mut reader, writer) = stream.into_split();
    drop(writer);
    assert_eq!(block_on(reader.read_line()).unwrap(), "hello\n");
    assert!(block_on(poll_once(reader.read(1))).is_none());
    drop(reader);
    assert!(test.is_released());

    let (test, stream) = Test::open(StreamMode::Write);
    let (reader, mut writer) = stream.into_split();
    drop(reader);
    writer.write(b"hello").unwrap();
    block_on(writer.flush()).unwrap();
    assert_eq!(test.closes(), 0);
    drop(writer);
    assert_eq!(test.closes(), 1);
    assert_eq!(*test.seen.written.lock().unwrap(), b"hello");
    assert!(test.is_released());
}

#[test]
fn the_half_that_a_stream_has_closes_it_when_it_is_dropped_first() {
    for mode in [StreamMode::Read, StreamMode::Write] {
        let (test, stream) = Test::open(mode);
        let transport = stream.transport();
        drop(stream);
        assert!(transport.is_closing());
        assert!(test.is_released());
        assert_eq!(test.closes(), usize::from(mode.can_write()));
    }
    let (test, stream) = Test::open(StreamMode::Write);
    let (_reader, writer) = stream.into_split();
    drop(writer);
    assert!(test.is_released());
}

#[test]
fn write_eof_closes_a_write_only_stream() {
    let (test, mut stream) = Test::open(StreamMode::Write);
    stream.write(b"bye").unwrap();
    stream.write_eof().unwrap();
    stream.write_eof().unwrap();
    assert!(stream.is_closing());
    assert!(stream.write(b"?").is_err());
    block_on(stream.wait_closed()).unwrap();
    assert_eq!(test.closes(), 1);
    assert!(test.is_released());
}

#[test]
fn descriptions_say_that_there_is_one_direction() {
    for mode in [StreamMode::Read, StreamMode::Write] {
        let (_test, stream) = Test::open(mode);
        assert!(format!("{stream:?}").contains(&format!("mode: {mode:?}")));
    }
}
