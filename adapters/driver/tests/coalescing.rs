//! When small writes leave: at once, or together while the reader has more than it has answered with.

mod support;

use std::{
    future::Future,
    io::{ErrorKind, IoSlice},
    iter,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_lite::future::{block_on, poll_once};
use millpond::{ReadError, StreamOptions, StreamReader, StreamWriter, WriteError};
use millpond_core::{Reader, Request, Status};

use crate::support::{Alarm, Handle, Kept, Scripted, peer::Peer, ready, world::World};

type Write = fn(&mut StreamWriter, &[u8]) -> Result<(), WriteError>;

const WAYS_TO_WRITE: [Write; 3] = [
    |writer, data| writer.write(data),
    |writer, data| writer.write_bytes(data.to_vec().into()),
    |writer, data| {
        let (left, right) = data.split_at(data.len() / 2);
        writer.write_vectored(&[IoSlice::new(left), IoSlice::new(right)])
    },
];

/// A stream on the runtime of `world`, whose peer has sent so many bytes in one piece.
fn open(
    world: &World,
    options: &StreamOptions,
    sent: usize,
) -> (Arc<Scripted>, StreamReader, StreamWriter) {
    let socket = generous(sent);
    let handle = Box::new(Handle(socket.clone()));
    let (reader, writer) = options.open_on(handle, world.runtime());
    (socket, reader, writer)
}

/// Takes all that is written to it.
fn generous(sent: usize) -> Arc<Scripted> {
    let socket = Scripted::new([ready(sent)], []);
    socket.takes_all.store(true, Ordering::Relaxed);
    socket
}

fn read(reader: &mut StreamReader) {
    assert_eq!(block_on(reader.read_exactly(1)).unwrap(), "x");
}

#[test]
fn a_small_write_leaves_at_once_when_all_that_was_read_is_answered() {
    for write in WAYS_TO_WRITE {
        let world = World::default();
        let (socket, mut reader, mut writer) = open(&world, &StreamOptions::new(), 2);
        write(&mut writer, b"greeting").unwrap();
        assert_eq!((socket.write_calls(), writer.queued()), (1, 0));
        assert_eq!(block_on(reader.read(2)).unwrap(), "xx");
        for calls in 2..5 {
            write(&mut writer, b"answer").unwrap();
            assert_eq!((socket.write_calls(), writer.queued()), (calls, 0));
        }
        assert_eq!(world.tasks(), 0, "no flusher was needed");
    }
}

#[test]
fn the_answers_to_a_batch_leave_in_one_call_with_the_last_of_them() {
    for write in WAYS_TO_WRITE {
        let world = World::default();
        let (socket, mut reader, mut writer) = open(&world, &StreamOptions::new(), 200);
        for answered in 1..=200 {
            read(&mut reader);
            write(&mut writer, b"answer").unwrap();
            let drained = block_on(poll_once(writer.drain()));
            assert_eq!(drained, Some(Ok(())), "a drain neither waits nor yields");
            let sent = answered == 200;
            assert_eq!(socket.write_calls(), usize::from(sent));
        }
        assert_eq!(socket.written(), b"answer".repeat(200));
        assert_eq!(world.tasks(), 1, "the flusher of the batch");
        world.settle();
        assert_eq!((world.tasks(), socket.write_calls()), (0, 1));
    }
}

/// By every way to read, and by hand.
#[test]
fn what_is_left_behind_the_last_answer_counts_however_it_was_read() {
    type Read = fn(&mut StreamReader);
    fn two(core: &mut Reader) -> Result<Status<()>, ReadError> {
        Ok(match core.poll(Request::Exactly(2))? {
            Status::NeedData => Status::NeedData,
            Status::Ready(n) => {
                core.consume(n);
                Status::Ready(())
            }
        })
    }
    let reads: [(&str, Read); 5] = [
        ("read", |reader| {
            block_on(reader.read(2)).unwrap();
        }),
        ("read_ref", |reader| {
            block_on(reader.read_ref(2)).unwrap();
        }),
        ("read_with", |reader| {
            block_on(reader.read_with(two)).unwrap();
        }),
        ("consume", |reader| {
            block_on(reader.readable()).unwrap();
            reader.consume(2);
        }),
        ("messages", |reader| {
            block_on(reader.messages(two).next()).unwrap().unwrap();
        }),
    ];
    for (name, read) in reads {
        let world = World::default();
        let (_socket, mut reader, mut writer) = open(&world, &StreamOptions::new(), 4);
        read(&mut reader);
        writer.write(b"1").unwrap();
        assert_eq!(writer.queued(), 1, "{name} has left something");
        read(&mut reader);
        writer.write(b"2").unwrap();
        assert_eq!(writer.queued(), 0, "{name} has left nothing");
    }
}

fn poll(future: impl Future) {
    let _ = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
}

/// Whatever is a reason sends what was deferred before it waits or ends.
#[test]
fn what_is_deferred_leaves_when_there_is_a_reason() {
    type Reason = fn(&World, &mut StreamReader, &mut StreamWriter);
    let reasons: [(&str, Reason); 13] = [
        ("the task yields", |world, _, _| world.settle()),
        ("a read that is cancelled", |_, reader, _| {
            poll(reader.read_exactly(2));
        }),
        ("a flush", |_, _, writer| block_on(writer.flush()).unwrap()),
        ("a flush that is cancelled", |_, _, writer| {
            poll(writer.flush());
        }),
        ("a drain that waits", |_, _, writer| {
            writer.set_watermarks(0, 1);
            block_on(writer.drain()).unwrap();
        }),
        ("watermarks below it", |_, _, writer| {
            writer.set_watermarks(0, 7);
        }),
        ("the high watermark", |_, _, writer| {
            for _ in 0..11 {
                writer.write([0; 6000]).unwrap();
            }
        }),
        ("a large write", |_, _, writer| {
            writer.write([0; 8192]).unwrap();
        }),
        ("a cork that goes", |_, _, writer| drop(writer.cork())),
        ("a wait for the end", |_, _, writer| {
            poll(writer.wait_closed());
        }),
        ("a close", |_, _, writer| writer.close()),
        ("a close from elsewhere", |_, reader, _| {
            reader.transport().close();
        }),
        ("the end of the direction", |_, _, writer| {
            writer.write_eof().unwrap();
        }),
    ];
    for (name, reason) in reasons {
        let world = World::default();
        let (socket, mut reader, mut writer) = deferred(&world);
        reason(&world, &mut reader, &mut writer);
        assert!(socket.written().starts_with(b"deferred"), "{name}");
        assert_eq!(socket.write_calls(), 1, "{name}");
        world.advance(Duration::from_secs(60)); // a lingering close ends
        assert_eq!(world.tasks(), 0, "{name} leaves no task behind");
    }
}

#[test]
fn what_is_deferred_leaves_when_the_stream_is_dropped() {
    for writer_first in [true, false] {
        let world = World::default();
        let (socket, reader, writer) = deferred(&world);
        if writer_first {
            drop(writer);
            assert_eq!(socket.written(), b"deferred");
            drop(reader);
        } else {
            drop(reader);
            drop(writer);
        }
        assert_eq!(socket.written(), b"deferred");
        assert_eq!(socket.write_calls(), 1);
        world.advance(Duration::from_secs(60)); // a lingering close ends
        assert_eq!(world.tasks(), 0);
    }
}

/// A stream one of whose answers is deferred.
fn deferred(world: &World) -> (Arc<Scripted>, StreamReader, StreamWriter) {
    let (socket, mut reader, mut writer) = open(world, &StreamOptions::new(), 2);
    read(&mut reader);
    writer.write(b"deferred").unwrap();
    assert_eq!((socket.write_calls(), writer.queued()), (0, 8));
    (socket, reader, writer)
}

#[test]
fn no_write_is_refused_because_of_what_is_deferred() {
    for write in WAYS_TO_WRITE {
        let world = World::default();
        let options = StreamOptions::new().write_cap(10);
        let (socket, mut reader, mut writer) = open(&world, &options, 2);
        read(&mut reader);
        write(&mut writer, b"01234567").unwrap();
        write(&mut writer, b"89abcdef").unwrap();
        assert_eq!(socket.written(), b"01234567");
        world.settle();
        assert_eq!(socket.written(), b"0123456789abcdef");
    }
}

/// A reader that waits will not answer before more comes, so a write of another task has no reason to wait.
#[test]
fn a_write_leaves_at_once_while_the_reader_waits_for_the_rest_of_a_message_or_is_gone() {
    let world = World::default();
    let (socket, mut reader, mut writer) = open(&world, &StreamOptions::new(), 3);
    read(&mut reader);
    assert!(block_on(poll_once(reader.read_exactly(9))).is_none());
    writer.write(b"news").unwrap();
    assert_eq!((socket.write_calls(), writer.queued()), (1, 0));

    let (socket, mut reader, mut writer) = open(&world, &StreamOptions::new(), 3);
    read(&mut reader);
    drop(reader);
    writer.write(b"news").unwrap();
    assert_eq!((socket.write_calls(), writer.queued()), (1, 0));
}

/// Its flusher may run inside of the write: there is no task that could yield.
#[test]
fn nothing_is_deferred_without_a_runtime() {
    let socket = Scripted::new([ready(2)], [ready(6)]);
    let (mut reader, mut writer) = socket.open(Kept::default());
    read(&mut reader);
    writer.write(b"answer").unwrap();
    assert_eq!((socket.write_calls(), writer.queued()), (1, 0));
}

#[test]
fn what_a_busy_socket_leaves_of_what_was_deferred_is_the_flushers() {
    for taken in 0..14 {
        let world = World::default();
        let peer = Peer::default();
        peer.take(taken);
        peer.send(b"xx");
        let (mut reader, mut writer) = StreamOptions::new().open_on(peer.socket(), world.runtime());
        read(&mut reader);
        writer.write(b"deferred").unwrap();
        assert_eq!(peer.received(), b"");
        read(&mut reader);
        writer.write(b"direct").unwrap();
        writer.write(b", behind").unwrap();
        world.settle();
        assert_eq!(peer.received(), b"deferreddirect"[..taken], "{taken}");
        assert_eq!(world.tasks(), 1);
        peer.take(100);
        world.settle();
        assert_eq!(peer.received(), b"deferreddirect, behind", "{taken}");
        assert_eq!((world.tasks(), writer.queued()), (0, 0));
    }
}

#[test]
fn a_runtime_that_ends_fails_the_stream_only_if_something_is_left_for_its_flusher() {
    for answered in [1, 2] {
        let world = World::default();
        let (socket, mut reader, mut writer) = open(&world, &StreamOptions::new(), 2);
        for _ in 0..answered {
            read(&mut reader);
            writer.write(b"answer").unwrap();
        }
        assert_eq!(world.tasks(), 1);
        world.end();
        match answered {
            1 => {
                let error = writer.write(b"more").unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Other);
                assert!(error.to_string().contains("the runtime shut down"));
            }
            _ => {
                writer.write(b"more").unwrap();
                assert_eq!(socket.written(), b"answeranswermore");
            }
        }
    }
}

/// It would keep the memory of a task that has ended.
#[test]
fn a_flusher_that_has_ended_leaves_no_waker_behind() {
    let socket = Scripted::new([], []);
    let kept = Kept::default();
    let (_reader, mut writer) = socket.open(kept.clone());
    writer.write(b"busy").unwrap();
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(alarm.clone());
    let mut flusher = kept.0.lock().unwrap().pop().unwrap();
    let mut poll = || flusher.as_mut().poll(&mut Context::from_waker(&waker));
    assert_eq!(poll(), Poll::Pending);
    let waiting = Arc::strong_count(&alarm);
    socket.then_writes([ready(4)]);
    assert_eq!(poll(), Poll::Ready(()));
    assert_eq!(Arc::strong_count(&alarm), waiting - 1);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Read,
    Write,
    WriteLarge,
    Drain,
    Flush,
    Cork,
    Uncork,
    Yield,
}

const STEPS: [Step; 8] = [
    Step::Read,
    Step::Write,
    Step::WriteLarge,
    Step::Drain,
    Step::Flush,
    Step::Cork,
    Step::Uncork,
    Step::Yield,
];

/// Every program of four steps behind a first read, on a plain socket and on one that may have news: nothing
/// is lost or out of order, and only a cork or what is left to answer holds anything back.
#[test]
fn each_short_program_sends_in_order_and_holds_nothing_back_without_a_reason() {
    for number in 0..STEPS.len().pow(4) {
        let digit = |place: u32| STEPS[number / STEPS.len().pow(place) % STEPS.len()];
        let steps: Vec<Step> = iter::once(Step::Read).chain((0..4).map(digit)).collect();
        for plain in [true, false] {
            run(&steps, plain);
        }
    }
}

fn run(steps: &[Step], plain: bool) {
    const SENT: usize = 3;
    let world = World::default();
    let scripted = generous(SENT);
    let peer = Peer::default();
    peer.send(&[b'x'; SENT]);
    let socket = match plain {
        true => Box::new(Handle(scripted.clone())),
        false => peer.socket(),
    };
    let received = || match plain {
        true => scripted.written(),
        false => peer.received(),
    };
    let (mut reader, mut writer) = StreamOptions::new().open_on(socket, world.runtime());
    let mut corks = Vec::new();
    let mut written = Vec::new();
    let mut left = None;
    for (number, step) in steps.iter().enumerate() {
        let mark = u8::try_from(number).unwrap();
        match step {
            Step::Read if left == Some(0) => continue, // there is no more to come
            Step::Read => {
                read(&mut reader);
                left = Some(left.unwrap_or(SENT) - 1);
            }
            Step::Write | Step::WriteLarge => {
                let len = if let Step::Write = step { 100 } else { 8192 };
                let data = vec![mark; len];
                WAYS_TO_WRITE[number % 3](&mut writer, &data).unwrap();
                written.extend(data);
            }
            Step::Drain => assert_eq!(block_on(poll_once(writer.drain())), Some(Ok(()))),
            Step::Flush => block_on(writer.flush()).unwrap(),
            Step::Cork => corks.push(writer.cork()),
            Step::Uncork => drop(corks.pop()),
            Step::Yield => world.settle(),
        }
        let queued = writer.queued();
        let sent = written.len() - queued;
        assert_eq!(received(), written[..sent], "{steps:?} {plain}");
        let may_hold = !corks.is_empty() || left.is_some_and(|left| left > 0);
        let sends = matches!(step, Step::Write) && !may_hold;
        let must_send = sends || matches!(step, Step::WriteLarge | Step::Flush);
        assert!(!must_send || queued == 0, "{steps:?} {plain} at {number}");
    }
    corks.clear();
    world.settle();
    assert_eq!(received(), written, "{steps:?} {plain}");
    assert_eq!(world.tasks(), 0, "{steps:?} {plain}");
}
