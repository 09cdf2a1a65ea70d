//! How the driver treats a transport, looked at from below: sockets that watch, lie and fail.

mod support;

use std::{
    error::Error,
    fmt::{self, Write as _},
    io::{self, ErrorKind, IoSlice},
    pin::pin,
    sync::{Arc, Mutex, atomic::Ordering, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use futures_lite::future::{block_on, poll_once};
use millpond::{
    Bytes, ReadError, StreamOptions, StreamReader, StreamWriter, Transport, WriteError,
    adapter::{BoxFuture, Socket},
};

use crate::support::{Alarm, Kept, Scripted, fails, ready};

fn no_spawning(_: BoxFuture<'static, ()>) {
    panic!("nothing is left for the background");
}

fn kind<T: fmt::Debug>(result: Result<T, impl Into<io::Error>>) -> ErrorKind {
    result.unwrap_err().into().kind()
}

#[test]
fn a_write_that_the_socket_takes_needs_no_task() {
    let socket = Scripted::new([], [ready(5), ready(3), ready(3)]);
    let (_, mut writer) = socket.open(no_spawning);
    writer.write(b"hello").unwrap();
    writer.write(b" world").unwrap(); // in two pieces
    assert_eq!(socket.written(), b"hello world");
    writer.write(b"").unwrap();
    writer.close();
    assert_eq!(socket.closes.load(Ordering::Relaxed), 1);
}

#[test]
fn what_the_socket_does_not_take_is_sent_by_one_task() {
    let socket = Scripted::new([], [ready(2), Poll::Pending]);
    let kept = Kept::default();
    let (_, mut writer) = socket.open(kept.clone());
    writer.write(b"hello").unwrap();
    writer.write(b" world").unwrap();
    assert_eq!((kept.count(), writer.queued()), (1, 9));

    socket.then_writes([ready(4), ready(5)]);
    kept.poll_all();
    assert_eq!(socket.written(), b"hello world");
    assert_eq!((kept.count(), writer.queued()), (0, 0));
}

#[test]
fn the_write_side_of_a_socket_only_ever_sees_one_waker() {
    let socket = Scripted::new([], []);
    let kept = Kept::default();
    let (_, mut writer) = socket.open(kept.clone());
    writer.write(b"one").unwrap();
    kept.poll_all();
    socket.then_writes([ready(3)]);
    kept.poll_all();
    writer.write(b"two").unwrap();
    kept.poll_all();

    let wakers = socket.write_wakers.lock().unwrap();
    assert!(wakers.len() >= 4);
    assert!(wakers.iter().all(|waker| waker.will_wake(&wakers[0])));
}

#[test]
fn pieces_of_a_vectored_write_leave_in_one_call_and_in_order() {
    for taken in 1..=9 {
        let socket = Scripted::new([], [ready(taken)]);
        let kept = Kept::default();
        let (_, mut writer) = socket.open(kept.clone());
        let pieces = [&b"one"[..], b"", b"two", b"six"].map(IoSlice::new);
        writer.write_vectored(&pieces).unwrap();
        socket.then_writes([ready(9)]);
        kept.poll_all();
        assert_eq!(socket.written(), b"onetwosix", "{taken} taken at first");
    }
}

#[test]
fn a_writer_that_is_dropped_while_the_socket_is_busy_still_delivers_and_ends_the_stream() {
    let socket = Scripted::new([], []);
    let kept = Kept::default();
    let (reader, mut writer) = socket.open(kept.clone());
    writer.write(b"last words").unwrap();
    drop((reader, writer));
    assert_eq!(socket.closes.load(Ordering::Relaxed), 0);

    socket.then_writes([ready(10)]);
    kept.poll_all();
    assert_eq!(socket.written(), b"last words");
    assert_eq!(socket.closes.load(Ordering::Relaxed), 1);
    assert_eq!(Arc::strong_count(&socket), 1, "the connection is released");
}

#[test]
fn an_abort_does_not_wait_for_a_busy_socket() {
    let socket = Scripted::new([], []);
    let kept = Kept::default();
    let (_reader, mut writer) = socket.open(kept.clone());
    writer.write(b"never mind").unwrap();
    writer.abort();
    assert_eq!(socket.aborts.load(Ordering::Relaxed), 1);
    assert_eq!(Arc::strong_count(&socket), 1, "the socket is released");
    kept.poll_all();
    assert_eq!(kept.count(), 0, "the task has ended");
}

#[test]
fn an_executor_that_drops_the_task_fails_the_stream() {
    let socket = Scripted::new([], []);
    let kept = Kept::default();
    let (_, mut writer) = socket.open(kept.clone());
    writer.write(b"hello").unwrap();
    kept.0.lock().unwrap().clear();
    let error = block_on(writer.flush()).unwrap_err();
    assert!(
        error.to_string().contains("the runtime shut down"),
        "{error}"
    );
    assert_eq!(block_on(writer.wait_closed()), Err(error));
}

type Write = fn(&mut StreamWriter, &[u8]) -> Result<(), WriteError>;

const WAYS_TO_WRITE: [Write; 4] = [
    |writer, data| writer.write(data),
    |writer, data| writer.write_bytes(Bytes::copy_from_slice(data)),
    |writer, data| {
        let (head, tail) = data.split_at(data.len() / 2);
        writer.write_vectored(&[IoSlice::new(head), IoSlice::new(tail)])
    },
    |writer, data| block_on(writer.write_all(data)),
];

#[test]
fn a_write_above_the_cap_is_refused_as_a_whole_though_the_socket_would_take_it() {
    for write in WAYS_TO_WRITE {
        let socket = Scripted::new([], [ready(10)]);
        let options = StreamOptions::new().write_cap(10);
        let (_, mut writer) = socket.open_with(&options, no_spawning);
        let refused = write(&mut writer, &[b'x'; 11]);
        assert_eq!(refused, Err(WriteError::CapExceeded { cap: 10 }));
        assert_eq!((socket.write_calls(), writer.queued()), (0, 0));
        write(&mut writer, &[b'x'; 10]).unwrap();
        assert_eq!(socket.written(), [b'x'; 10]);
    }
}

#[test]
fn the_cap_counts_what_is_queued_while_the_socket_is_busy() {
    for write in WAYS_TO_WRITE {
        let socket = Scripted::new([], [ready(4)]);
        let kept = Kept::default();
        let options = StreamOptions::new().write_cap(10);
        let (_, mut writer) = socket.open_with(&options, kept.clone());
        write(&mut writer, b"0123456789").unwrap();
        let refused = write(&mut writer, b"abcde");
        assert_eq!(refused, Err(WriteError::CapExceeded { cap: 10 }));
        assert_eq!(writer.queued(), 6);
        write(&mut writer, b"ABCD").unwrap();
        write(&mut writer, b"").unwrap();
        assert_eq!(writer.queued(), 10);

        socket.then_writes([ready(10)]);
        kept.poll_all();
        assert_eq!(socket.written(), b"0123456789ABCD");
        write(&mut writer, &[b'x'; 10]).unwrap();
    }
}

#[test]
fn a_drain_that_waits_is_woken_when_higher_watermarks_resume_writing() {
    let socket = Scripted::new([], []);
    let (_, mut writer) = socket.open(Kept::default());
    writer.write(vec![0; 100_000]).unwrap();
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(alarm.clone());
    let mut cx = Context::from_waker(&waker);
    let transport = writer.transport();
    let mut drain = Box::pin(writer.drain());
    assert!(drain.as_mut().poll(&mut cx).is_pending());
    for (low, high, wakes) in [
        (50_000, 60_000, false),
        (99_999, 200_000, false),
        (100_000, 100_000, true),
    ] {
        transport.set_watermarks(low, high);
        assert_eq!((alarm.has_rung(), transport.is_paused()), (wakes, !wakes));
    }
    block_on(drain).unwrap();
    assert_eq!(writer.watermarks(), (100_000, 100_000));
    writer.set_watermarks(0, 99_999);
    assert!(pin!(writer.drain()).poll(&mut cx).is_pending());
}

#[test]
fn a_drain_that_waits_is_woken_by_a_failure() {
    let socket = Scripted::new([], []);
    let kept = Kept::default();
    let (_, mut writer) = socket.open(kept.clone());
    writer.write(vec![0; 100_000]).unwrap();
    let mut drain = Box::pin(writer.drain());
    assert!(block_on(poll_once(&mut drain)).is_none());
    socket.then_writes([fails(ErrorKind::ConnectionReset)]);
    kept.poll_all();
    assert_eq!(kind(block_on(drain)), ErrorKind::ConnectionReset);
}

#[test]
fn a_failed_write_is_reported_at_once_and_for_ever() {
    let socket = Scripted::new([], [fails(ErrorKind::BrokenPipe)]);
    let (_, mut writer) = socket.open(no_spawning);
    assert_eq!(kind(writer.write(b"hello")), ErrorKind::BrokenPipe);
    assert_eq!(kind(writer.write(b"hello")), ErrorKind::BrokenPipe);
    assert_eq!(kind(block_on(writer.drain())), ErrorKind::BrokenPipe);
    assert_eq!(kind(writer.write_eof()), ErrorKind::BrokenPipe);
    assert!(writer.is_closing());
}

#[test]
fn writes_of_nothing_and_of_too_much_are_failures() {
    for (answer, expected) in [(0, ErrorKind::WriteZero), (6, ErrorKind::InvalidData)] {
        let socket = Scripted::new([], [ready(answer)]);
        let (_, mut writer) = socket.open(no_spawning);
        assert_eq!(kind(writer.write(b"hello")), expected);
    }
}

#[test]
fn reads_of_more_than_fits_are_failures() {
    let socket = Scripted::new([ready(usize::MAX)], []);
    let (mut reader, _writer) = socket.open(no_spawning);
    assert_eq!(kind(block_on(reader.read(1))), ErrorKind::InvalidData);
}

#[test]
fn interrupted_calls_are_made_again() {
    let interrupted = || fails(ErrorKind::Interrupted);
    let socket = Scripted::new([interrupted(), ready(2)], [interrupted(), ready(2)]);
    let (mut reader, mut writer) = socket.open(no_spawning);
    assert_eq!(block_on(reader.read(10)).unwrap(), "xx");
    writer.write(b"yy").unwrap();
    assert_eq!(socket.written(), b"yy");
}

#[test]
fn a_failed_read_comes_after_the_data_and_stays() {
    let reset = fails(ErrorKind::ConnectionReset);
    let socket = Scripted::new([ready(3), reset, ready(0)], []);
    let (mut reader, _writer) = socket.open(no_spawning);
    assert_eq!(
        kind(block_on(reader.read_line())),
        ErrorKind::ConnectionReset
    );
    assert_eq!(reader.buffered(), b"xxx");
    assert_eq!(block_on(reader.read(10)).unwrap(), "xxx");
    for _ in 0..3 {
        assert_eq!(kind(block_on(reader.read(10))), ErrorKind::ConnectionReset);
    }
    assert!(!reader.at_eof());
}

/// The kernel reports a reset once; after the write side has met it, the read side sees an end.
#[test]
fn an_end_after_the_write_side_was_reset_is_a_reset() {
    let socket = Scripted::new([ready(3), ready(0)], [fails(ErrorKind::ConnectionReset)]);
    let (mut reader, mut writer) = socket.open(no_spawning);
    assert!(writer.write(b"hello").is_err());
    assert_eq!(
        kind(block_on(reader.read_to_eof())),
        ErrorKind::ConnectionReset
    );
    assert_eq!(reader.buffered(), b"xxx");
}

#[test]
fn an_end_before_a_broken_pipe_is_an_end() {
    let socket = Scripted::new([ready(3), ready(0)], [fails(ErrorKind::BrokenPipe)]);
    let (mut reader, mut writer) = socket.open(no_spawning);
    assert!(writer.write(b"hello").is_err());
    assert_eq!(block_on(reader.read_to_eof()).unwrap(), "xxx");
}

#[test]
fn a_stream_that_never_waits_yields() {
    let socket = Scripted::new((0..1000).map(|_| ready(1)), (0..1000).map(|_| ready(1)));
    let (mut reader, mut writer) = socket.open(no_spawning);
    let mut given_way = 0;
    for _ in 0..500 {
        given_way += usize::from(block_on(poll_once(reader.read(1))).is_none());
        given_way += usize::from(block_on(poll_once(writer.write_all(b"x"))).is_none());
    }
    assert!((4..20).contains(&given_way), "gave way {given_way} times");
}

#[test]
fn a_read_that_waits_is_woken_when_the_stream_is_closed_or_aborted() {
    for abort in [false, true] {
        let socket = Scripted::new([], []);
        let (mut reader, mut writer) = socket.open(no_spawning);
        let reading = thread::spawn(move || block_on(reader.read(1)));
        thread::sleep(Duration::from_millis(20));
        if abort {
            writer.abort();
        } else {
            writer.close();
        }
        let read = reading.join().unwrap();
        match read {
            Ok(end) => assert!(!abort && end.is_empty()),
            Err(error) => assert_eq!(kind::<()>(Err(error)), ErrorKind::ConnectionAborted),
        }
    }
}

#[test]
fn after_abort_everything_fails_at_once() {
    let socket = Scripted::new([ready(3)], []);
    let (mut reader, mut writer) = socket.open(no_spawning);
    writer.abort();
    assert_eq!(writer.write(b"x"), Err(WriteError::Closed));
    assert_eq!(block_on(writer.drain()), Err(WriteError::Closed));
    assert_eq!(block_on(writer.flush()), Err(WriteError::Closed));
    assert_eq!(block_on(writer.wait_closed()), Ok(()));
    let read = block_on(reader.read(1));
    assert!(matches!(read, Err(ReadError::Transport(_))), "{read:?}");
}

#[test]
fn what_is_written_under_a_cork_leaves_in_one_call_when_it_goes() {
    for write in WAYS_TO_WRITE {
        let socket = Scripted::new([], [ready(11)]);
        let (_reader, mut writer) = socket.open(no_spawning);
        let cork = writer.cork();
        for piece in [&b"one "[..], b"", b"two ", b"six"] {
            write(&mut writer, piece).unwrap();
        }
        assert_eq!((socket.write_calls(), writer.queued()), (0, 11));
        drop(cork);
        assert_eq!((socket.write_calls(), writer.queued()), (1, 0));
        assert_eq!(socket.written(), b"one two six");
    }
}

#[test]
fn of_several_corks_the_last_one_counts() {
    for first_goes_first in [false, true] {
        let socket = Scripted::new([], [ready(6)]);
        let (_reader, mut writer) = socket.open(no_spawning);
        let first = writer.cork();
        writer.write(b"one").unwrap();
        let second = writer.cork();
        writer.write(b"two").unwrap();
        let (goes, stays) = if first_goes_first {
            (first, second)
        } else {
            (second, first)
        };
        drop(goes);
        assert_eq!(socket.write_calls(), 0);
        drop(stays);
        assert_eq!(socket.written(), b"onetwo");
    }
}

#[test]
fn what_a_cork_cannot_send_when_it_goes_is_sent_by_a_task() {
    let socket = Scripted::new([], [ready(2)]);
    let kept = Kept::default();
    let (_reader, mut writer) = socket.open(kept.clone());
    let cork = writer.cork();
    writer.write(b"hello").unwrap();
    assert_eq!(kept.count(), 0);
    drop(cork);
    socket.then_writes([ready(3)]);
    kept.poll_all();
    assert_eq!((socket.written(), kept.count()), (b"hello".to_vec(), 0));
}

#[test]
fn a_large_write_takes_along_what_a_cork_holds_back_wherever_the_socket_cuts_it() {
    let body = [b'x'; 8192];
    let message = [b"head", &body[..]].concat();
    for taken in [1, 3, 4, 5, 8195, 8196] {
        let socket = Scripted::new([], [ready(taken), ready(8196 - taken)]);
        let (_reader, mut writer) = socket.open(no_spawning);
        let _cork = writer.cork();
        writer.write(b"head").unwrap();
        writer.write(body).unwrap();
        assert_eq!(socket.write_calls(), if taken == 8196 { 1 } else { 2 });
        assert_eq!((socket.written(), writer.queued()), (message.clone(), 0));
    }
    for taken in [1, 3, 4, 5, 8195] {
        let socket = Scripted::new([], [ready(taken)]);
        let kept = Kept::default();
        let (_reader, mut writer) = socket.open(kept.clone());
        let _cork = writer.cork();
        writer.write(b"head").unwrap();
        writer.write(body).unwrap();
        assert_eq!(writer.queued(), 8196 - taken, "the socket is busy");
        socket.then_writes([ready(8196 - taken)]);
        kept.poll_all();
        assert_eq!((socket.written(), writer.queued()), (message.clone(), 0));
    }
}

/// Or the rest would wait for the cork, and a task that waits for the answer would wait for ever.
#[test]
fn what_a_busy_socket_leaves_of_what_a_cork_held_back_is_sent_when_it_can_be() {
    let socket = Scripted::new([], [ready(2)]);
    let kept = Kept::default();
    let (mut reader, mut writer) = socket.open(kept.clone());
    let _cork = writer.cork();
    writer.write(b"hello").unwrap();
    assert!(block_on(poll_once(reader.read(1))).is_none());
    assert_eq!((writer.queued(), kept.count()), (3, 1));
    socket.then_writes([ready(3)]);
    kept.poll_all();
    assert_eq!((socket.written(), kept.count()), (b"hello".to_vec(), 0));
    writer.write(b"held back again").unwrap();
    assert_eq!((writer.queued(), kept.count()), (15, 0));
}

#[test]
fn a_cork_holds_nothing_back_from_a_task_that_waits() {
    type Wait = fn(&mut StreamReader, &mut StreamWriter);
    let waits: [(&str, Wait); 4] = [
        ("flush", |_, writer| block_on(writer.flush()).unwrap()),
        ("drain", |_, writer| {
            writer.set_watermarks(0, 1);
            block_on(writer.drain()).unwrap();
        }),
        ("read", |reader, _| {
            assert!(block_on(poll_once(reader.read(1))).is_none());
        }),
        ("wait_closed", |_, writer| {
            assert!(block_on(poll_once(writer.wait_closed())).is_none());
        }),
    ];
    for (name, wait) in waits {
        let socket = Scripted::new([], [ready(5)]);
        let (mut reader, mut writer) = socket.open(no_spawning);
        let _cork = writer.cork();
        writer.write(b"hello").unwrap();
        assert_eq!(socket.write_calls(), 0);
        wait(&mut reader, &mut writer);
        assert_eq!(socket.written(), b"hello", "before {name} waits");
    }
}

#[test]
fn a_cork_holds_back_no_more_than_the_high_watermark() {
    let socket = Scripted::new([], [ready(11)]);
    let options = StreamOptions::new().watermarks(0, 10);
    let (_reader, mut writer) = socket.open_with(&options, no_spawning);
    let _cork = writer.cork();
    writer.write([b'x'; 10]).unwrap();
    assert_eq!(socket.write_calls(), 0);
    writer.write(b"x").unwrap();
    assert_eq!((socket.write_calls(), writer.queued()), (1, 0));
}

#[test]
fn no_write_is_refused_because_of_what_a_cork_holds_back() {
    for write in WAYS_TO_WRITE {
        let socket = Scripted::new([], [ready(8)]);
        let options = StreamOptions::new().write_cap(10);
        let (_reader, mut writer) = socket.open_with(&options, Kept::default());
        let _cork = writer.cork();
        write(&mut writer, b"01234567").unwrap();
        write(&mut writer, b"89abcdef").unwrap();
        assert_eq!(socket.written(), b"01234567");
        // Now the socket is busy.
        let refused = write(&mut writer, b"ghi");
        assert_eq!(refused, Err(WriteError::CapExceeded { cap: 10 }));
        assert_eq!(writer.queued(), 8);
    }
}

/// What ends a stream of which both halves are given away.
type Finish = fn(StreamReader, StreamWriter) -> Option<StreamWriter>;

const ENDS: [(&str, Finish); 3] = [
    ("close", |_, mut writer| {
        writer.close();
        Some(writer)
    }),
    ("write_eof", |_, mut writer| {
        writer.write_eof().unwrap();
        Some(writer)
    }),
    ("drop", |_, _| None),
];

#[test]
fn the_end_of_a_stream_takes_along_what_a_cork_holds_back() {
    for (name, end) in ENDS {
        let socket = Scripted::new([], [ready(3)]);
        let (reader, mut writer) = socket.open(no_spawning);
        let cork = writer.cork();
        writer.write(b"bye").unwrap();
        let writer = end(reader, writer);
        assert_eq!(socket.written(), b"bye", "{name}");
        assert_eq!(socket.closes.load(Ordering::Relaxed), 1, "{name}");
        drop((cork, writer));
        assert_eq!(socket.write_calls(), 1, "{name}");
        assert_eq!(Arc::strong_count(&socket), 1, "{name}: it is released");
    }
}

#[test]
fn the_end_of_a_stream_is_delivered_to_a_busy_socket_though_a_cork_stays() {
    for (name, end) in ENDS {
        let socket = Scripted::new([], []);
        let kept = Kept::default();
        let (reader, mut writer) = socket.open(kept.clone());
        let cork = writer.cork();
        writer.write(b"bye").unwrap();
        let writer = end(reader, writer);
        assert_eq!(kept.count(), 1, "{name}");
        socket.then_writes([ready(3)]);
        kept.poll_all();
        assert_eq!(socket.written(), b"bye", "{name}");
        assert_eq!(socket.closes.load(Ordering::Relaxed), 1, "{name}");
        drop((cork, writer));
        assert_eq!(Arc::strong_count(&socket), 1, "{name}: it is released");
    }
}

#[test]
fn a_cork_does_nothing_to_a_stream_that_is_aborted_or_has_failed() {
    for abort in [false, true] {
        let socket = Scripted::new([], [fails(ErrorKind::BrokenPipe), ready(100)]);
        let (_reader, mut writer) = socket.open(no_spawning);
        let cork = writer.cork();
        writer.write(b"never mind").unwrap();
        if abort {
            writer.abort();
        } else {
            assert_eq!(kind(block_on(writer.flush())), ErrorKind::BrokenPipe);
        }
        assert!(writer.write(b"?").is_err());
        drop(cork);
        drop(writer.cork());
        assert_eq!((socket.written(), writer.queued()), (Vec::new(), 0));
        assert!(writer.write(b"?").is_err());
    }
}

#[test]
fn handles_and_what_they_wait_for_can_move_between_threads() {
    fn moves<T: Send>(_: &T) {}
    fn is_shared<T: Send + Sync + Unpin + 'static>(_: &T) {}

    let ((mut reader, mut writer), _peer) = millpond::pair();
    is_shared(&reader);
    is_shared(&writer);
    is_shared(&writer.cork());
    moves(&reader.read_line());
    moves(&reader.read_until("\n"));
    moves(&reader.lines().next());
    moves(&writer.write_all(b"x"));
    moves(&writer.wait_closed());
}

#[test]
fn a_dropped_stream_is_closed_and_abandoned_if_the_peer_reads_nothing() {
    for reader_first in [false, true] {
        let socket = Scripted::new([], []);
        let kept = Kept::default();
        let options = StreamOptions::new().close_timeout(Duration::ZERO);
        let (reader, mut writer) = socket.open_with(&options, kept.clone());
        let transport = reader.transport();
        writer.write(b"it is not taken").unwrap();
        if reader_first {
            drop(reader);
            assert!(!transport.is_closing());
            drop(writer);
        } else {
            drop(writer);
            kept.poll_all();
            assert!(!transport.is_closing(), "the reader goes on");
            drop(reader);
        }
        assert!(transport.is_closing());
        kept.poll_all();
        assert_eq!(kept.count(), 0, "the task has ended");
        assert_eq!(socket.aborts.load(Ordering::Relaxed), 1);
        assert_eq!(Arc::strong_count(&socket), 1, "the socket is released");
    }
}

#[test]
fn the_end_is_sent_once_in_whatever_order_the_halves_are_dropped() {
    for reader_first in [false, true] {
        let socket = Scripted::new([], []);
        let (reader, writer) = socket.open(no_spawning);
        let cork = writer.cork();
        if reader_first {
            drop((reader, writer));
        } else {
            drop((writer, reader));
        }
        assert_eq!(socket.closes.load(Ordering::Relaxed), 1);
        assert_eq!(Arc::strong_count(&socket), 1, "the socket is released");
        drop(cork);
    }
}

#[test]
fn cancelled_waits_leave_nothing_behind() {
    struct Asked;
    impl Wake for Asked {
        fn wake(self: Arc<Self>) {}
    }
    let ((_reader, mut writer), _peer) = StreamOptions::new().watermarks(0, 0).pair(1);
    writer.write(b"busy").unwrap();
    let mut give_up = |wait: fn(&mut StreamWriter) -> BoxFuture<'_, Result<(), WriteError>>| {
        let asked = Arc::new(Asked);
        let waker = Waker::from(asked.clone());
        let pending = wait(&mut writer)
            .as_mut()
            .poll(&mut Context::from_waker(&waker));
        assert!(pending.is_pending());
        drop(waker);
        assert_eq!(Arc::strong_count(&asked), 1);
    };
    give_up(|writer| Box::pin(writer.drain()));
    give_up(|writer| Box::pin(writer.flush()));
    give_up(|writer| Box::pin(writer.wait_closed()));
    give_up(|writer| {
        let closed = writer.closed();
        Box::pin(async {
            let _ = closed.await;
            Ok(())
        })
    });
    give_up(|writer| {
        let requested = writer.shutdown_requested();
        Box::pin(async {
            requested.await;
            Ok(())
        })
    });
}

#[test]
fn nothing_is_sent_early_for_a_cancelled_wait() {
    let ((_reader, mut writer), _peer) = millpond::pair();
    assert!(block_on(poll_once(writer.wait_closed())).is_none());
    let cork = writer.cork();
    writer.write(b"held back").unwrap();
    assert_eq!(writer.queued(), 9);
    drop(cork);
    assert_eq!(writer.queued(), 0);
}

/// Asks the transport on another thread, so that a lock that is held is a failure and no standstill.
fn look_at(transport: &Transport) {
    let (transport, (looked, has_looked)) = (transport.clone(), mpsc::channel());
    thread::spawn(move || looked.send(transport.queued()));
    let looked = has_looked.recv_timeout(Duration::from_secs(20));
    looked.expect("no lock is held");
}

/// Memory of the program's whose destructor uses the stream that it was written to.
struct Looks(Vec<u8>, Transport);

impl AsRef<[u8]> for Looks {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        look_at(&self.1);
    }
}

#[test]
fn no_lock_is_held_while_what_was_written_is_dropped() {
    for (len, how) in (0..4).flat_map(|how| [(10, how), (10_000, how)]) {
        let options = StreamOptions::new().watermarks(0, 0);
        let ((_reader, mut writer), (mut peer, _peer_writer)) = options.pair(1);
        let looks = Looks(vec![b'x'; len], writer.transport());
        writer.write(b"busy").unwrap();
        writer.write_bytes(Bytes::from_owner(looks)).unwrap();
        match how {
            0 => drop(block_on(peer.read_exactly(4 + len)).unwrap()),
            1 => writer.abort(),
            2 => writer.transport().abort(),
            _ => drop(peer), // writing fails
        }
    }
}

#[test]
fn a_transport_can_be_printed_into_its_own_stream() {
    struct Own<'a>(&'a mut StreamWriter);
    impl fmt::Write for Own<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes()).map_err(|_| fmt::Error)
        }
    }
    let ((reader, mut writer), (mut peer, _peer_writer)) = millpond::pair();
    let transport = writer.transport();
    write!(Own(&mut writer), "{transport:?} {reader:?}").unwrap();
    writer.close();
    let printed = block_on(peer.read_to_eof()).unwrap();
    assert!(printed.starts_with(b"Transport { connection: Connection"));
}

#[test]
fn no_lock_is_held_while_an_error_is_printed() {
    /// The stream's own failure, which looks at the stream.
    #[derive(Default)]
    struct Curious(Mutex<Option<Transport>>);
    impl fmt::Debug for Curious {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            look_at(&self.0.lock().unwrap().take().unwrap());
            f.write_str("curious")
        }
    }
    impl fmt::Display for Curious {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Debug::fmt(self, f)
        }
    }
    impl Error for Curious {}

    let curious: &'static Curious = Box::leak(Box::default());
    let socket = Scripted::new([], [Poll::Ready(Err(io::Error::other(curious)))]);
    let (_, mut writer) = socket.open(no_spawning);
    writer.write(b"fails").unwrap_err();
    for printed in [
        &writer as &dyn fmt::Debug,
        &writer.transport(),
        &writer.cork(),
    ] {
        *curious.0.lock().unwrap() = Some(writer.transport());
        assert!(format!("{printed:?}").contains("curious"));
    }
}

#[test]
fn a_close_of_a_dead_connection_succeeds_and_other_errors_fail_it() {
    for error in [
        ErrorKind::NotConnected,
        ErrorKind::BrokenPipe,
        ErrorKind::ConnectionReset,
        ErrorKind::Other,
    ] {
        let socket = Scripted::new([], []);
        *socket.close_error.lock().unwrap() = Some(error);
        let (_, mut writer) = socket.open(no_spawning);
        writer.close();
        let closed = block_on(writer.wait_closed());
        assert_eq!(socket.closes.load(Ordering::Relaxed), 1);
        let failure = closed.err().map(|failure| io::Error::from(failure).kind());
        assert_eq!(failure, (error != ErrorKind::NotConnected).then_some(error));
    }
}

/// Takes nothing before it may.
struct Slow {
    is_writing: mpsc::Sender<()>,
    may_go_on: Mutex<mpsc::Receiver<()>>,
}

impl Socket for Slow {
    fn poll_read(&self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        buf[0] = b'x';
        ready(1)
    }

    fn poll_write(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.is_writing.send(()).unwrap();
        self.may_go_on.lock().unwrap().recv().unwrap();
        ready(buf.len())
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_reader_goes_on_while_a_write_is_under_way() {
    let (is_writing, writing) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let may_go_on = Mutex::new(may_go_on);
    let slow = Slow {
        is_writing,
        may_go_on,
    };
    let (mut reader, mut writer) = StreamOptions::new().open(Box::new(slow), Arc::new(no_spawning));
    let write = thread::spawn(move || writer.write(b"slow"));
    writing.recv().unwrap();
    let (read, has_read) = mpsc::channel();
    thread::spawn(move || read.send(block_on(reader.read_exactly(3))));
    let has_read = has_read.recv_timeout(Duration::from_secs(20));
    assert_eq!(
        has_read.expect("it takes no lock of the writer").unwrap(),
        "xxx"
    );
    go_on.send(()).unwrap();
    write.join().unwrap().unwrap();
}
