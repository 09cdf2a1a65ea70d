//! What a stream was made of, back.

mod support;

use std::{
    io::{self, ErrorKind},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{
    future::block_on,
    io::{Cursor, Sink, sink},
};
use millpond::{Runtime, Stream, from_halves, from_io};

use crate::support::world::World;

const INPUT: &str = "one\ntwo\nthree\nfour\n";

fn runtime() -> Arc<dyn Runtime> {
    World::default().runtime()
}

fn input() -> Cursor<Vec<u8>> {
    Cursor::new(INPUT.into())
}

/// So many lines are read, and some more are looked at.
fn read(stream: &mut Stream, lines: usize) -> String {
    let mut read = String::new();
    for _ in 0..lines {
        let line = block_on(stream.read_line()).unwrap();
        read.push_str(std::str::from_utf8(&line).unwrap());
    }
    let ahead = read.len() + 3;
    if ahead < INPUT.len() {
        assert_eq!(
            block_on(stream.peek(3)).unwrap(),
            &INPUT.as_bytes()[read.len()..ahead]
        );
    }
    read
}

/// Nothing is lost between what was read, what had come, and what the object has yet to give.
#[track_caller]
fn assert_whole(read: &str, buffered: &[u8], rest: &[u8]) {
    assert_eq!([read.as_bytes(), buffered, rest].concat(), INPUT.as_bytes());
}

fn behind(position: u64) -> &'static [u8] {
    &INPUT.as_bytes()[usize::try_from(position).unwrap()..]
}

#[test]
fn an_object_comes_back_with_all_that_was_not_read() {
    for lines in 0..=4 {
        let mut stream = from_io(runtime(), input());
        let text = read(&mut stream, lines);
        let (io, buffered) = stream.into_io::<Cursor<Vec<u8>>>().unwrap();
        assert_whole(&text, &buffered, behind(io.position()));

        let mut stream = from_halves(runtime(), input(), sink());
        let text = read(&mut stream, lines);
        let ((io, _), buffered) = stream.into_halves::<Cursor<Vec<u8>>, Sink>().unwrap();
        assert_whole(&text, &buffered, behind(io.position()));
    }
}

#[cfg(feature = "tokio")]
#[test]
fn an_object_of_tokio_comes_back_as_it_was_given() {
    use std::io::Cursor;

    use millpond::{from_tokio, from_tokio_halves};

    let input = || Cursor::new(INPUT.as_bytes().to_vec());
    for lines in 0..=4 {
        let mut stream = from_tokio(runtime(), input());
        let text = read(&mut stream, lines);
        let (io, buffered) = stream.into_io::<Cursor<Vec<u8>>>().unwrap();
        assert_whole(&text, &buffered, behind(io.position()));

        let mut stream = from_tokio_halves(runtime(), input(), Vec::new());
        let text = read(&mut stream, lines);
        let halves = stream.into_halves::<Cursor<Vec<u8>>, Vec<u8>>();
        let ((io, _), buffered) = halves.unwrap();
        assert_whole(&text, &buffered, behind(io.position()));
    }
}

#[test]
fn an_object_of_another_type_is_not_given_back_and_the_stream_goes_on() {
    let refused = from_io(runtime(), input()).into_io::<Cursor<&str>>();
    let refused = refused.unwrap_err();
    assert_eq!(refused.reason.kind(), ErrorKind::Unsupported);
    assert!(refused.to_string().contains("Cursor<&str>"), "{refused}");
    let refused = refused.stream.into_halves::<Cursor<Vec<u8>>, Sink>();
    let refused = refused.unwrap_err();
    assert_eq!(refused.reason.kind(), ErrorKind::Unsupported);
    let mut stream = refused.stream.into_std().unwrap_err().stream;
    assert_eq!(read(&mut stream, 4), INPUT);
    stream.into_io::<Cursor<Vec<u8>>>().unwrap();
}

/// Does one thing only from a call of `go_on` on, and gives nothing.
#[derive(Clone, Debug, Default)]
struct Slow(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    busy: Option<Busy>,
    written: Vec<u8>,
    ended: bool,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Busy {
    Writing,
    Flushing,
    Ending,
}

impl Slow {
    fn is(busy: Busy) -> Self {
        let slow = Self::default();
        slow.0.lock().unwrap().busy = Some(busy);
        slow
    }

    fn go_on(&self) {
        let mut state = self.0.lock().unwrap();
        state.busy = None;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll<T>(
        &self,
        cx: &Context<'_>,
        what: Busy,
        work: impl FnOnce(&mut State) -> T,
    ) -> Poll<io::Result<T>> {
        let mut state = self.0.lock().unwrap();
        if state.busy == Some(what) {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(work(&mut state)))
    }
}

impl AsyncRead for Slow {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

impl AsyncWrite for Slow {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Self::poll(&self, cx, Busy::Writing, |state| {
            state.written.extend(buf);
            buf.len()
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll(&self, cx, Busy::Flushing, |_| ())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll(&self, cx, Busy::Ending, |state| state.ended = true)
    }
}

#[test]
fn nothing_is_given_back_before_what_was_written_has_left() {
    for busy in [Busy::Writing, Busy::Flushing, Busy::Ending] {
        for ends in [false, true] {
            let (world, slow) = (World::default(), Slow::is(busy));
            let mut stream = from_io(world.runtime(), slow.clone());
            stream.write("hello").unwrap();
            if ends {
                stream.write_eof().unwrap();
            }
            world.settle();
            if ends || busy != Busy::Ending {
                let refused = stream.into_io::<Slow>().unwrap_err();
                assert_eq!(
                    refused.reason.kind(),
                    ErrorKind::WouldBlock,
                    "{busy:?} {ends}"
                );
                stream = refused.stream;
            }
            slow.go_on();
            world.run(stream.flush()).unwrap();
            let (object, buffered) = stream.into_io::<Slow>().unwrap();
            assert!(buffered.is_empty());
            let state = object.0.lock().unwrap();
            assert_eq!((&state.written[..], state.ended), (&b"hello"[..], ends));
        }
    }
}

#[test]
fn the_object_is_neither_ended_nor_polled_afterwards() {
    let (world, slow) = (World::default(), Slow::default());
    let mut stream = from_io(world.runtime(), slow.clone());
    stream.write("hello").unwrap();
    let transport = stream.transport();
    world.run(stream.flush()).unwrap();
    let (object, _) = stream.into_io::<Slow>().unwrap();
    transport.abort();
    world.settle();
    assert!(transport.is_closing());
    assert_eq!(world.tasks(), 0);
    assert_eq!(Arc::strong_count(&object.0), 2, "the test's and the object");
    assert!(!slow.0.lock().unwrap().ended);
}

#[test]
fn what_was_closed_gives_nothing_back() {
    let mut stream = from_io(runtime(), input());
    stream.close();
    let refused = stream.into_io::<Cursor<Vec<u8>>>().unwrap_err();
    assert_eq!(refused.reason.kind(), ErrorKind::BrokenPipe);
}
