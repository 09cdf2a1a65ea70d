//! What is read ahead of the reader, and which tasks are woken: by a socket that keeps one waker a direction.

mod support;

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use futures_lite::future::{block_on, poll_once, yield_now};
use millpond::{
    ReadError, StreamOptions, StreamReader, StreamWriter,
    adapter::{BoxFuture, Socket},
    pair, start_server,
};

use crate::support::{
    Alarm,
    world::{World, address},
};

/// The peer's end, and what is to be known of ours.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    incoming: VecDeque<u8>,
    end: Option<ErrorKind>,
    ended: bool,
    /// The last one that was given.
    waker: Option<Waker>,
    /// All that ever were.
    wakers: Vec<Waker>,
    reads: usize,
    is_released: bool,
}

struct Near(Wire);

impl Wire {
    fn open(&self, options: &StreamOptions) -> (StreamReader, StreamWriter) {
        let no_spawning = |_: BoxFuture<'static, ()>| panic!("nothing is left for the background");
        options.open(Box::new(Near(self.clone())), Arc::new(no_spawning))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    /// Without waking a task.
    fn put(&self, data: &[u8]) {
        self.change(|state| state.incoming.extend(data));
    }

    fn end(&self) {
        self.change(|state| state.ended = true);
        self.wake();
    }

    fn reset(&self) {
        self.change(|state| state.end = Some(ErrorKind::ConnectionReset));
        self.end();
    }

    fn wake(&self) {
        let waker = self.change(|state| state.waker.take());
        waker.into_iter().for_each(Waker::wake);
    }

    fn reads(&self) -> usize {
        self.change(|state| state.reads)
    }

    fn is_released(&self) -> bool {
        self.change(|state| state.is_released)
    }
}

impl Socket for Near {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.change(|state| {
            state.reads += 1;
            state.wakers.push(cx.waker().clone());
            let n = state.incoming.len().min(buf.len());
            if n == 0 && !state.ended {
                state.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if let (0, Some(kind)) = (n, state.end) {
                return Poll::Ready(Err(kind.into()));
            }
            for (to, from) in buf.iter_mut().zip(state.incoming.drain(..n)) {
                *to = from;
            }
            Poll::Ready(Ok(n))
        })
    }

    fn poll_write(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        self.0.change(|state| state.is_released = true);
    }
}

/// A task with a waker of its own.
#[derive(Default)]
struct Task(Arc<Alarm>);

impl Task {
    fn poll<F: Future>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        self.0.reset();
        future.poll(&mut Context::from_waker(&Waker::from(self.0.clone())))
    }

    fn is_woken(&self) -> bool {
        self.0.has_rung()
    }
}

#[test]
fn what_came_before_a_close_can_be_read_up_to_the_limit_and_what_comes_after_cannot() {
    for (len, kept) in [
        (0, 0),
        (1, 1),
        (99, 99),
        (100, 100),
        (101, 100),
        (1000, 100),
    ] {
        let wire = Wire::default();
        let (mut reader, mut writer) = wire.open(&StreamOptions::new().limit(100));
        wire.put(&vec![b'x'; len]);
        writer.close();
        assert!(wire.is_released());
        wire.put(b"too late");
        let received = block_on(reader.read_to_eof()).unwrap();
        assert_eq!(received.len(), kept, "of {len}");
        assert!(reader.at_eof());
    }
}

#[test]
fn an_end_that_came_before_a_close_is_the_end_and_a_reset_is_one() {
    let wire = Wire::default();
    let (mut reader, mut writer) = wire.open(&StreamOptions::new());
    wire.put(b"bye");
    wire.reset();
    writer.close();
    assert_eq!(block_on(reader.read(10)).unwrap(), "bye");
    let error = block_on(reader.read(10)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn nothing_is_read_for_a_dropped_reader_nor_after_an_abort() {
    let wire = Wire::default();
    let (reader, mut writer) = wire.open(&StreamOptions::new());
    wire.put(b"unread");
    drop(reader);
    writer.close();
    assert_eq!(wire.reads(), 0);

    let wire = Wire::default();
    let (mut reader, mut writer) = wire.open(&StreamOptions::new());
    wire.put(b"seen");
    assert!(!reader.at_eof());
    wire.put(b"unseen");
    writer.abort();
    assert_eq!(block_on(reader.read(100)).unwrap(), "seen");
    let error = block_on(reader.read(100)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
}

#[test]
fn the_read_side_of_a_socket_only_ever_sees_one_waker() {
    let wire = Wire::default();
    let (mut reader, writer) = wire.open(&StreamOptions::new());
    let tasks = [Task::default(), Task::default()];
    for task in &tasks {
        assert!(task.poll(pin!(reader.read(1))).is_pending());
        assert!(task.poll(pin!(writer.closed())).is_pending());
    }
    assert!(!reader.at_eof() && !writer.is_closing());
    let wakers = wire.change(|state| state.wakers.clone());
    assert_eq!(wakers.len(), 6);
    assert!(wakers.iter().all(|waker| waker.will_wake(&wakers[0])));
}

/// A task that polls last, only waits for the end, or is dropped takes nothing from the others.
#[test]
fn each_waiting_task_is_woken_whatever_the_others_do() {
    for others in 0..16_u8 {
        let wire = Wire::default();
        let (mut reader, writer) = wire.open(&StreamOptions::new());
        let [reads, watches, watches_too] = [(); 3].map(|()| Task::default());
        let mut watching = writer.closed();
        let mut watching_too = writer.closed();
        {
            let mut reading = pin!(reader.read(1));
            assert!(reads.poll(reading.as_mut()).is_pending());
            assert!(watches.poll(Pin::new(&mut watching)).is_pending());
            assert!(watches_too.poll(Pin::new(&mut watching_too)).is_pending());
            if others & 1 != 0 {
                assert!(reads.poll(reading.as_mut()).is_pending());
            }
            if others & 2 != 0 {
                assert!(!writer.is_closing());
            }
            if others & 4 != 0 {
                drop(watching_too);
            }
            // With 8 the read is dropped here.
            if others & 8 == 0 {
                wire.end();
                assert!(reads.is_woken(), "{others}");
                assert!(reads.poll(reading).is_ready());
            }
        }
        wire.end();
        assert!(watches.is_woken(), "{others}");
        assert!(watches.poll(Pin::new(&mut watching)).is_ready());
    }
}

/// So that no task depends on the socket's waking.
#[test]
fn a_task_that_meets_the_end_wakes_the_others() {
    for is_reset in [false, true] {
        let wire = Wire::default();
        let (mut reader, writer) = wire.open(&StreamOptions::new());
        let [reads, watches] = [(); 2].map(|()| Task::default());
        let mut closed = writer.closed();
        let mut reading = Box::pin(reader.read(100));
        assert!(reads.poll(reading.as_mut()).is_pending());
        assert!(watches.poll(Pin::new(&mut closed)).is_pending());

        wire.put(b"some");
        assert!(watches.poll(Pin::new(&mut closed)).is_pending());
        assert!(reads.is_woken());
        match reads.poll(reading.as_mut()) {
            Poll::Ready(read) => assert_eq!(read.unwrap(), "some"),
            Poll::Pending => panic!("it was read ahead"),
        }
        drop(reading);

        assert!(watches.poll(Pin::new(&mut closed)).is_pending());
        wire.change(|state| state.waker = None);
        match is_reset {
            true => wire.reset(),
            false => wire.end(),
        }
        assert!(!watches.is_woken());
        assert_eq!(block_on(reader.read(100)).is_err(), is_reset);
        assert!(watches.is_woken());
        let ended = watches.poll(Pin::new(&mut closed));
        assert!(matches!(ended, Poll::Ready(ended) if ended.is_err() == is_reset));
    }
}

#[test]
fn closed_waits_for_room_and_is_woken_when_there_is_some() {
    let wire = Wire::default();
    let (mut reader, writer) = wire.open(&StreamOptions::new().limit(4));
    let task = Task::default();
    let mut closed = writer.closed();
    wire.put(b"12345678ab");
    wire.end();
    let full = wire.reads();
    assert!(task.poll(Pin::new(&mut closed)).is_pending());
    assert_eq!(wire.reads() - full, 1);
    assert!(task.poll(Pin::new(&mut closed)).is_pending());
    assert_eq!(wire.reads() - full, 1, "there is no room");

    assert_eq!(block_on(reader.read(1)).unwrap(), "1");
    assert!(task.is_woken());
    assert!(task.poll(Pin::new(&mut closed)).is_pending());
    reader.set_limit(100);
    assert!(task.is_woken());
    assert!(matches!(
        task.poll(Pin::new(&mut closed)),
        Poll::Ready(Ok(()))
    ));
    assert_eq!(block_on(reader.read_to_eof()).unwrap(), "2345678ab");
}

#[test]
fn a_reader_that_goes_makes_room_without_end() {
    let wire = Wire::default();
    let (reader, writer) = wire.open(&StreamOptions::new().limit(4));
    let task = Task::default();
    let mut closed = writer.closed();
    wire.put(&[b'x'; 1_000]);
    wire.end();
    assert!(task.poll(Pin::new(&mut closed)).is_pending());
    drop(reader);
    assert!(task.is_woken());
    assert!(matches!(block_on(closed), Ok(())));
}

/// It yields now and then.
#[test]
fn closed_does_not_keep_its_thread_for_itself() {
    struct Endless(AtomicUsize);

    impl Socket for Endless {
        fn poll_read(&self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_write(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    let no_spawning = |_: BoxFuture<'static, ()>| panic!("nothing is left for the background");
    let socket = Box::new(Endless(AtomicUsize::new(0)));
    let (reader, writer) = StreamOptions::new().open(socket, Arc::new(no_spawning));
    drop(reader);
    let task = Task::default();
    let mut closed = writer.closed();
    for _ in 0..3 {
        assert!(task.poll(Pin::new(&mut closed)).is_pending());
        assert!(task.is_woken());
    }
    assert!(!writer.is_closing()); // looks at a limited number of bytes
}

#[test]
fn a_stream_that_cannot_be_read_says_so() {
    struct Sink;

    impl Socket for Sink {
        fn poll_read(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            panic!("it has no such direction")
        }

        fn poll_write(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn mode(&self) -> millpond::StreamMode {
            millpond::StreamMode::Write
        }
    }

    let no_spawning = |_: BoxFuture<'static, ()>| panic!("nothing is left for the background");
    let (reader, mut writer) = StreamOptions::new().open(Box::new(Sink), Arc::new(no_spawning));
    assert_eq!(block_on(writer.closed()), Err(ReadError::WriteOnly));
    assert!(!reader.at_eof() && !writer.is_closing());
    writer.close();
    assert!(writer.is_closing());
}

/// As many interleavings as two threads make of it.
#[test]
fn a_reader_and_closed_on_different_threads_lose_nothing() {
    for round in 0..200_usize {
        let ((mut reader, writer), (_far_reader, mut far_writer)) =
            StreamOptions::new().limit(16).pair(1 + round % 7);
        let sent: Vec<u8> = (0..100 + round).map(|n| n as u8).collect();
        let all = sent.clone();
        let sending = thread::spawn(move || {
            for piece in all.chunks(5) {
                far_writer.write(piece).unwrap();
            }
            drop(far_writer);
        });
        let transport = writer.transport();
        let watching = thread::spawn(move || {
            block_on(async {
                // Some give up, one stays.
                for _ in 0..round {
                    if poll_once(transport.closed()).await.is_some() {
                        break;
                    }
                    yield_now().await;
                }
                transport.closed().await.unwrap();
            });
        });
        let received = block_on(async {
            let mut received = Vec::new();
            while !reader.at_eof() {
                received.extend_from_slice(&reader.read(7).await.unwrap());
            }
            received
        });
        assert_eq!(received, sent, "round {round}");
        sending.join().unwrap();
        watching.join().unwrap();
    }
}

/// The one waker that the socket keeps is that of the lingering task, whatever the reader does then.
#[test]
fn a_reader_takes_no_wake_up_from_a_connection_that_lingers() {
    type Halves = Arc<Mutex<Option<(StreamReader, StreamWriter)>>>;

    let world = World::default();
    let halves = Halves::default();
    let kept = halves.clone();
    let starting = start_server(world.runtime(), address(1), move |reader, mut writer| {
        writer.close();
        *kept.lock().unwrap() = Some((reader, writer));
        async {}
    });
    let _server = world.serve(starting.close_timeout(Duration::from_secs(1_000_000)));
    let wire = Wire::default();
    let near = Box::new(Near(wire.clone()));
    world.come(address(1), move || Ok(near));
    let (mut reader, writer) = halves.lock().unwrap().take().unwrap();
    assert!(!wire.is_released(), "it lingers");

    let reads = wire.reads();
    assert!(reader.at_eof() && writer.is_closing());
    assert_eq!(block_on(reader.read(1)).unwrap(), "");
    assert_eq!(wire.reads(), reads, "it is not the reader's any more");
    wire.end();
    world.settle();
    assert!(wire.is_released());
}

#[test]
fn a_connection_does_not_linger_for_a_peer_that_is_known_to_have_ended() {
    let wire = Wire::default();
    let (reader, mut writer) = wire.open(&StreamOptions::new());
    wire.end();
    assert!(reader.at_eof());
    let reads = wire.reads();
    writer.close();
    assert_eq!(wire.reads(), reads);
    assert!(wire.is_released());
}

#[test]
fn closed_takes_no_more_than_the_limit_from_a_feeder() {
    let (mut feeder, reader) = StreamOptions::new().limit(10).fed();
    feeder.feed(&[0; 100]).unwrap();
    for _ in 0..3 {
        assert!(!reader.at_eof());
    }
    assert_eq!(feeder.queued(), 90);
}

#[test]
fn a_pair_reports_the_peers_end_and_reset() {
    let ((reader, writer), (far_reader, mut far_writer)) = pair();
    assert!(!reader.at_eof() && !writer.is_closing());
    far_writer.write_eof().unwrap();
    assert!(reader.at_eof() && !writer.is_closing());
    assert_eq!(block_on(writer.closed()), Ok(()));
    drop((far_reader, far_writer));

    let ((reader, writer), (_far_reader, mut far_writer)) = pair();
    far_writer.abort();
    assert!(writer.is_closing() && !reader.at_eof());
}
