//! Files that can only be waited for by blocking: a thread does it.

use std::{
    fs::File,
    io::{self, ErrorKind, IoSlice, Read, Write},
    mem,
    os::unix::{fs::FileTypeExt, net::UnixStream},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    task::{Context, Poll, ready},
    thread,
    time::Duration,
};

use futures_util::task::AtomicWaker;
use rustix::event::{PollFd, PollFlags, poll};

use super::{ExtraInfo, Socket, StdPipe, StreamMode, send};

/// As much as the thread reads or writes in one job.
const BLOCK: usize = 64 * 1024;

/// When to try a file again that would block, and that the system cannot wait for: a terminal on
/// macOS.
const RETRY: Duration = Duration::from_millis(10);

/// One direction of a file, as a socket.
///
/// The thread starts with the first job. It does one at a time, and ends when this is dropped: at
/// once while it waits to read, so that it takes nothing that others may want; or after the system
/// call that it is in.
pub(crate) struct Blocking {
    file: Arc<File>,
    direction: Direction,
    desk: Arc<Desk>,
    /// Set when the thread was started.
    worker: OnceLock<Worker>,
}

/// What the thread is kept with.
struct Worker {
    jobs: Sender<Job>,
    /// Closed when the result is not wanted any more, which the thread sees at the other end.
    _owner: UnixStream,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    In,
    Out,
}

/// The thread has the file only as long as it works, so that an idle one is closed at once.
struct Job {
    file: Arc<File>,
    /// To be filled, or written.
    block: Vec<u8>,
}

/// Where the thread puts what it has done.
struct Desk {
    state: Mutex<State>,
    /// Who waits for the thread.
    waiting: AtomicWaker,
}

enum State {
    /// Nothing is to be done. The block is kept for the next job.
    Idle(Vec<u8>),
    /// The thread has a job.
    Busy,
    /// What became of it: how much of the block was read and not yet taken, or written.
    Done(Vec<u8>, io::Result<usize>),
}

impl Blocking {
    pub(crate) fn new(file: File, direction: Direction) -> Self {
        Self {
            file: Arc::new(file),
            direction,
            desk: Arc::new(Desk {
                state: Mutex::new(State::Idle(Vec::new())),
                waiting: AtomicWaker::new(),
            }),
            worker: OnceLock::new(),
        }
    }

    /// Waits until the thread has nothing to do, and takes what it has done.
    fn poll_take(&self, cx: &Context<'_>) -> Poll<State> {
        if self.desk.is_busy() {
            self.desk.waiting.register(cx.waker());
            if self.desk.is_busy() {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.desk.replace(State::Idle(Vec::new())))
    }

    fn hand_over(&self, block: Vec<u8>) -> io::Result<()> {
        let worker = match self.worker.get() {
            Some(worker) => worker,
            None => {
                let worker = start(self.direction, self.desk.clone())?;
                self.worker.get_or_init(|| worker)
            }
        };
        self.desk.replace(State::Busy);
        let file = self.file.clone();
        let sent = worker.jobs.send(Job { file, block });
        sent.map_err(|_| io::Error::other("the thread of a pipe has ended"))
    }
}

impl Socket for Blocking {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        debug_assert_eq!(self.direction, Direction::In);
        match ready!(self.poll_take(cx)) {
            State::Idle(mut block) => {
                block.resize(buf.len().min(BLOCK), 0);
                self.hand_over(block)?;
                self.poll_read(cx, buf) // it may be done already, and must know which task to wake
            }
            State::Done(mut block, Ok(len)) => {
                let n = len.min(buf.len());
                buf[..n].copy_from_slice(&block[..n]);
                let next = if n < len {
                    block.drain(..n);
                    State::Done(block, Ok(len - n))
                } else {
                    State::Idle(block)
                };
                self.desk.replace(next);
                Poll::Ready(Ok(n))
            }
            State::Done(_, Err(error)) => Poll::Ready(Err(error)),
            State::Busy => Poll::Pending,
        }
    }

    /// The thread has to read it first, and might take what others want.
    fn reads_at_once(&self) -> bool {
        false
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        debug_assert_eq!(self.direction, Direction::Out);
        let mut block = match ready!(self.poll_take(cx)) {
            State::Idle(block) | State::Done(block, Ok(_)) => block,
            State::Done(_, Err(error)) => return Poll::Ready(Err(error)),
            State::Busy => return Poll::Pending,
        };
        block.clear();
        for buf in bufs {
            let room = BLOCK - block.len();
            block.extend_from_slice(&buf[..buf.len().min(room)]);
        }
        let n = block.len();
        self.hand_over(block)?;
        Poll::Ready(Ok(n))
    }

    /// Waits until everything is written.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.direction == Direction::In {
            return Poll::Ready(Ok(()));
        }
        match ready!(self.poll_take(cx)) {
            State::Done(_, Err(error)) => return Poll::Ready(Err(error)),
            State::Idle(block) | State::Done(block, Ok(_)) => {
                self.desk.replace(State::Idle(block)); // for the next write
            }
            State::Busy => {}
        }
        Poll::Ready(Ok(()))
    }

    /// A block is not written before the thread has reported it.
    fn wants_flush(&self) -> bool {
        self.direction == Direction::Out
            && match &*self.desk.lock() {
                State::Busy | State::Done(_, Err(_)) => true,
                State::Idle(_) | State::Done(_, Ok(_)) => false,
            }
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }

    fn mode(&self) -> StreamMode {
        match self.direction {
            Direction::In => StreamMode::Read,
            Direction::Out => StreamMode::Write,
        }
    }

    fn extra_info(&self) -> ExtraInfo {
        ExtraInfo::of_pipe(&*self.file)
    }
}

impl Desk {
    fn is_busy(&self) -> bool {
        matches!(*self.lock(), State::Busy)
    }

    fn replace(&self, next: State) -> State {
        mem::replace(&mut *self.lock(), next)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start(direction: Direction, desk: Arc<Desk>) -> io::Result<Worker> {
    let (sender, jobs) = mpsc::channel();
    let (owner, end) = UnixStream::pair()?;
    let name = match direction {
        Direction::In => "millpond-read",
        Direction::Out => "millpond-write",
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || work(direction, &desk, &jobs, &end))?;
    Ok(Worker {
        jobs: sender,
        _owner: owner,
    })
}

/// What the thread does.
fn work(direction: Direction, desk: &Desk, jobs: &Receiver<Job>, owner: &UnixStream) {
    while let Ok(Job { file, mut block }) = jobs.recv() {
        let outcome = match direction {
            Direction::In => read(&file, &mut block, owner),
            Direction::Out => write_all(&file, &block, owner),
        };
        drop(file);
        desk.replace(State::Done(block, outcome));
        desk.waiting.wake();
    }
}

/// Waits before it reads: a read that blocks could not be cancelled, and would take what comes after
/// the stream was dropped.
fn read(file: &File, block: &mut [u8], owner: &UnixStream) -> io::Result<usize> {
    wait(file, PollFlags::IN, owner)?;
    patiently(file, PollFlags::IN, owner, || (&*file).read(block))
}

fn write_all(file: &File, block: &[u8], owner: &UnixStream) -> io::Result<usize> {
    let socket = file.metadata()?.file_type().is_socket();
    let mut written = 0;
    while written < block.len() {
        let rest = &block[written..];
        let write = || match socket {
            true => send(file, rest),
            false => (&*file).write(rest),
        };
        match patiently(file, PollFlags::OUT, owner, write)? {
            0 => return Err(ErrorKind::WriteZero.into()),
            n => written += n,
        }
    }
    Ok(written)
}

/// Repeats what was interrupted, and what would block once it does not: another process, with which the file is
/// shared may have asked for that.
fn patiently<T>(
    file: &File,
    ready: PollFlags,
    owner: &UnixStream,
    mut operation: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if wait(file, ready, owner)? == Waited::InVain {
                    thread::sleep(RETRY);
                }
            }
            result => return result,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Waited {
    /// The file is ready, or has something to say.
    Ready,
    /// The system cannot wait for such a file.
    InVain,
}

/// Waits until the file is ready.
///
/// # Errors
///
/// `BrokenPipe` when the owner of the thread was dropped: the result is not wanted any more.
fn wait(file: &File, ready: PollFlags, owner: &UnixStream) -> io::Result<Waited> {
    let mut both = [PollFd::new(owner, PollFlags::IN), PollFd::new(file, ready)];
    loop {
        match poll(&mut both, None) {
            Ok(_) => break,
            Err(error) if error == rustix::io::Errno::INTR => {}
            Err(error) => return Err(error.into()),
        }
    }
    let [owner, file] = both.map(|fd| fd.revents());
    if !owner.is_empty() {
        return Err(ErrorKind::BrokenPipe.into());
    }
    Ok(match file.contains(PollFlags::NVAL) {
        true => Waited::InVain,
        false => Waited::Ready,
    })
}

/// What a runtime does that cannot wait for pipes itself.
pub(crate) fn adopt_blocking(pipe: StdPipe) -> Box<dyn Socket> {
    Box::new(match pipe {
        StdPipe::Reader(pipe) => Blocking::new(pipe.into(), Direction::In),
        StdPipe::Writer(pipe) => Blocking::new(pipe.into(), Direction::Out),
    })
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        os::{fd::OwnedFd, unix::net::UnixStream},
        sync::atomic::{AtomicUsize, Ordering},
        task::{Wake, Waker},
        time::Instant,
    };

    use futures_lite::future::{block_on, poll_once};

    use super::*;

    /// Far more than anything here takes.
    const TIME_LIMIT: Duration = Duration::from_secs(30);

    /// More than a socket holds, with the block that the thread has.
    const PLENTY: usize = 1024 * 1024;

    /// Sockets block as pipes do, and have a mode that does not.
    fn pair(direction: Direction) -> (Blocking, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        far.set_read_timeout(Some(TIME_LIMIT)).unwrap();
        let file = File::from(OwnedFd::from(near));
        (Blocking::new(file, direction), far)
    }

    /// A socket without room, and how much is in it.
    fn full(nonblocking: bool) -> (Blocking, UnixStream, usize) {
        let (mut near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut filled = 0;
        while near.write(b"x").is_ok() {
            filled += 1;
        }
        near.set_nonblocking(nonblocking).unwrap();
        let file = File::from(OwnedFd::from(near));
        (Blocking::new(file, Direction::Out), far, filled)
    }

    async fn read(blocking: &Blocking, len: usize) -> io::Result<Vec<u8>> {
        let mut buf = vec![0; len];
        let n = poll_fn(|cx| blocking.poll_read(cx, &mut buf)).await?;
        buf.truncate(n);
        Ok(buf)
    }

    async fn write(blocking: &Blocking, data: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| blocking.poll_write(cx, data)).await
    }

    async fn flush(blocking: &Blocking) -> io::Result<()> {
        poll_fn(|cx| blocking.poll_flush(cx)).await
    }

    async fn close(blocking: &Blocking) -> io::Result<()> {
        poll_fn(|cx| blocking.poll_close(cx)).await
    }

    fn until(mut done: impl FnMut() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < TIME_LIMIT);
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn no_thread_is_started_before_it_is_needed() {
        let (reader, _peer) = pair(Direction::In);
        assert!(reader.worker.get().is_none());
        block_on(poll_once(read(&reader, 1)));
        assert!(reader.worker.get().is_some());
        let (writer, _peer) = pair(Direction::Out);
        block_on(close(&writer)).unwrap();
        assert!(writer.worker.get().is_none());
    }

    #[test]
    fn a_read_takes_no_more_than_was_asked_for() {
        let (reader, mut peer) = pair(Direction::In);
        peer.write_all(b"hello world").unwrap();
        let file = reader.file.clone();
        block_on(async {
            assert_eq!(read(&reader, 5).await.unwrap(), b"hello");
            thread::sleep(Duration::from_millis(20));
            let mut rest = [0; 20];
            assert_eq!((&*file).read(&mut rest).unwrap(), 6); // it was left alone
        });
    }

    #[test]
    fn what_was_read_for_a_cancelled_read_is_kept() {
        let (reader, mut peer) = pair(Direction::In);
        block_on(async {
            assert!(poll_once(read(&reader, 100)).await.is_none());
            peer.write_all(b"hello").unwrap();
            for expected in [&b"he"[..], b"ll", b"o"] {
                assert_eq!(read(&reader, 2).await.unwrap(), expected);
            }
            peer.write_all(b"!").unwrap();
            drop(peer);
            assert_eq!(read(&reader, 100).await.unwrap(), b"!");
            assert_eq!(read(&reader, 100).await.unwrap(), b"");
        });
    }

    #[test]
    fn the_last_one_to_ask_is_woken() {
        let (reader, mut peer) = pair(Direction::In);
        let counts = [Arc::new(Count::default()), Arc::new(Count::default())];
        for count in &counts {
            let waker = Waker::from(count.clone());
            let polled = reader.poll_read(&mut Context::from_waker(&waker), &mut [0]);
            assert!(polled.is_pending());
        }
        peer.write_all(b"x").unwrap();
        until(|| counts[1].0.load(Ordering::Relaxed) == 1);
        assert_eq!(counts[0].0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn closing_and_looking_take_nothing_that_was_not_asked_for() {
        let (blocking, mut peer) = pair(Direction::In);
        let file = blocking.file.clone();
        peer.write_all(b"for others").unwrap();
        let no_spawning = |_: crate::runtime::BoxFuture<'static, ()>| panic!("nothing is written");
        let (reader, mut writer) =
            crate::StreamOptions::new().open(Box::new(blocking), Arc::new(no_spawning));
        assert!(!reader.at_eof() && !writer.is_closing());
        writer.close();
        let mut rest = [0; 20];
        assert_eq!((&*file).read(&mut rest).unwrap(), 10);
    }

    #[test]
    fn a_write_is_handed_over_and_the_next_one_waits() {
        let (writer, mut peer) = pair(Direction::Out);
        let block = vec![7; PLENTY];
        block_on(async {
            // Blocks go over until the socket is full and the thread is stuck with one.
            let (mut sent, mut refusals) = (0, 0);
            while refusals < 20 {
                match poll_once(write(&writer, &block)).await {
                    Some(n) => {
                        assert_eq!(n.unwrap(), BLOCK);
                        (sent, refusals) = (sent + BLOCK, 0);
                        assert!(sent < PLENTY);
                    }
                    None => refusals += 1,
                }
                thread::sleep(Duration::from_millis(5));
            }
            assert!(poll_once(close(&writer)).await.is_none());
            let received = thread::spawn(move || {
                let mut received = vec![0; sent];
                peer.read_exact(&mut received).unwrap();
                (received, peer)
            });
            close(&writer).await.unwrap();
            let (received, _peer) = received.join().unwrap();
            assert!(received.iter().all(|byte| *byte == 7));
        });
    }

    #[test]
    fn several_buffers_are_written_as_one() {
        let (writer, mut peer) = pair(Direction::Out);
        let bufs = [IoSlice::new(b"one, "), IoSlice::new(b"two")];
        let n = block_on(poll_fn(|cx| writer.poll_write_vectored(cx, &bufs)));
        assert_eq!(n.unwrap(), 8);
        block_on(close(&writer)).unwrap();
        let mut received = [0; 8];
        peer.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"one, two");
    }

    #[test]
    fn a_failure_comes_with_the_next_call() {
        for next in ["write", "flush", "close"] {
            let (writer, peer) = pair(Direction::Out);
            drop(peer);
            block_on(async {
                assert_eq!(write(&writer, b"lost").await.unwrap(), 4);
                let failed = match next {
                    "write" => write(&writer, b"more").await.map(|_| ()),
                    "flush" => flush(&writer).await,
                    _ => close(&writer).await,
                };
                assert_eq!(failed.unwrap_err().kind(), ErrorKind::BrokenPipe);
            });
        }
        let directory = Blocking::new(File::open("/").unwrap(), Direction::In);
        let error = block_on(read(&directory, 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IsADirectory);
    }

    #[test]
    fn a_flush_waits_until_the_thread_has_written_everything() {
        for nonblocking in [false, true] {
            let (writer, mut peer, filled) = full(nonblocking);
            assert!(!writer.wants_flush());
            block_on(async {
                assert_eq!(write(&writer, &[7; BLOCK]).await.unwrap(), BLOCK);
                assert!(writer.wants_flush());
                assert!(poll_once(flush(&writer)).await.is_none());
                let receiving = thread::spawn(move || {
                    peer.read_exact(&mut vec![0; filled + BLOCK]).unwrap();
                });
                flush(&writer).await.unwrap();
                assert!(!writer.wants_flush());
                receiving.join().unwrap();
            });
        }
    }

    #[test]
    fn an_idle_thread_has_nothing_open() {
        let (reader, mut peer) = pair(Direction::In);
        peer.write_all(b"x").unwrap();
        block_on(read(&reader, 1)).unwrap();
        drop(reader);
        let error = peer.write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_thread_that_waits_for_input_ends_at_once_and_takes_nothing() {
        for nonblocking in [false, true] {
            let (near, mut peer) = UnixStream::pair().unwrap();
            near.set_nonblocking(nonblocking).unwrap();
            let mut twin = near.try_clone().unwrap();
            let reader = Blocking::new(File::from(OwnedFd::from(near)), Direction::In);
            assert!(block_on(poll_once(read(&reader, 100))).is_none());
            let desk = Arc::downgrade(&reader.desk);
            drop(reader);
            until(|| desk.strong_count() == 0);
            peer.write_all(b"hello").unwrap();
            let mut received = [0; 5];
            twin.read_exact(&mut received).unwrap();
            assert_eq!(&received, b"hello");
        }
    }

    #[test]
    fn a_thread_that_writes_ends_with_its_reader() {
        let (writer, peer) = pair(Direction::Out);
        let block = vec![0; BLOCK];
        while block_on(poll_once(write(&writer, &block))).is_some() {
            thread::sleep(Duration::from_millis(5));
        }
        let desk = Arc::downgrade(&writer.desk);
        drop(writer);
        drop(peer);
        until(|| desk.strong_count() == 0);
    }

    /// Another owner may have set it: the file is shared.
    #[test]
    fn a_file_that_does_not_block_is_tried_again() {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let open = |direction| {
            let twin = near.try_clone().unwrap();
            Blocking::new(File::from(OwnedFd::from(twin)), direction)
        };
        let (reader, writer) = (open(Direction::In), open(Direction::Out));
        block_on(async {
            assert!(poll_once(read(&reader, 9)).await.is_none());
            far.write_all(b"hello").unwrap();
            assert_eq!(read(&reader, 9).await.unwrap(), b"hello");

            let received = thread::spawn(move || {
                let mut received = vec![0; PLENTY];
                far.read_exact(&mut received).unwrap();
                far
            });
            let mut sent = 0;
            while sent < PLENTY {
                sent += write(&writer, &vec![0; PLENTY - sent]).await.unwrap();
            }
            close(&writer).await.unwrap();
            received.join().unwrap();
        });
    }

    #[test]
    fn a_thread_that_waits_to_write_ends_with_its_pipe() {
        let (writer, _peer, _) = full(true);
        block_on(write(&writer, b"!")).unwrap();
        let desk = Arc::downgrade(&writer.desk);
        drop(writer);
        until(|| desk.strong_count() == 0);
    }
}
