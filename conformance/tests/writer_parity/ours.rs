//! millpond's writer, on a runtime that follows the steps.

use std::{
    future::{Future, poll_fn},
    io::{ErrorKind, IoSlice},
    net::Ipv4Addr,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    task::Poll,
    thread::{self, JoinHandle},
    time::Duration,
};

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::{
    StreamExt,
    future::{Either, select},
    lock::{Mutex, OwnedMutexGuard},
};
use millpond::{
    ReadError, Runtime, StreamReader, StreamWriter, Target, Transport, WriteError,
    adapter::BoxFuture, error::TransportError, open_connection,
};
use millpond_conformance::{Harness, run};

use crate::{
    BUFFER, LONG, QUIET, Side, data,
    peer::Address,
    step::{Level, Outcome, Step},
};

/// A writer on the runtime of a thread.
pub(crate) struct Ours {
    start: fn(&'static str, Steps, mpsc::Sender<Outcome>),
    name: &'static str,
    open: Option<Open>,
}

type Steps = UnboundedReceiver<Command>;

enum Command {
    Open(Address),
    Do(Step),
}

struct Open {
    commands: UnboundedSender<Command>,
    outcomes: mpsc::Receiver<Outcome>,
    thread: JoinHandle<()>,
}

impl Ours {
    pub(crate) fn new<H: Harness>(name: &'static str) -> Self {
        let start = |name, steps, outcomes| {
            run::<H>(name, move |runtime| {
                Box::pin(follow(runtime, steps, outcomes))
            });
        };
        Self {
            start,
            name,
            open: None,
        }
    }

    fn ask(&mut self, command: Command) -> Outcome {
        let open = self.open.as_ref().expect("it is open");
        let _ = open.commands.unbounded_send(command);
        match open.outcomes.recv_timeout(LONG) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => panic!("{}: a step does not end", self.name),
            Err(RecvTimeoutError::Disconnected) => {
                let thread = self.open.take().expect("it is open").thread;
                resume_unwind(thread.join().unwrap_err());
            }
        }
    }

    /// Lets the runtime end.
    pub(crate) fn end(mut self) {
        if let Some(open) = self.open.take() {
            drop(open.commands);
            open.thread.join().unwrap();
        }
    }
}

impl Side for Ours {
    fn open(&mut self, address: &Address) {
        let (commands, steps) = unbounded();
        let (outcome, outcomes) = mpsc::channel();
        let (start, name) = (self.start, self.name);
        self.open = Some(Open {
            commands,
            outcomes,
            thread: thread::spawn(move || start(name, steps, outcome)),
        });
        assert_eq!(self.ask(Command::Open(address.clone())), Outcome::Done);
    }

    fn does(&mut self, step: Step) -> Outcome {
        self.ask(Command::Do(step))
    }
}

async fn follow(runtime: Arc<dyn Runtime>, mut steps: Steps, outcomes: mpsc::Sender<Outcome>) {
    let mut hands = None;
    while let Some(command) = steps.next().await {
        let outcome = match command {
            Command::Open(address) => {
                hands = Some(Hands::open(runtime.clone(), address).await);
                Outcome::Done
            }
            Command::Do(step) => hands.as_mut().expect("it is open").does(step).await,
        };
        if outcomes.send(outcome).is_err() {
            return; // the test has failed
        }
    }
}

/// Both halves of a stream.
struct Hands {
    runtime: Arc<dyn Runtime>,
    reader: StreamReader,
    /// Locked by what waits.
    writer: Arc<Mutex<StreamWriter>>,
    transport: Transport,
    waiting: Option<BoxFuture<'static, Outcome>>,
    position: usize,
}

impl Hands {
    async fn open(runtime: Arc<dyn Runtime>, address: Address) -> Self {
        let target: Target = match address {
            Address::Port(port) => (Ipv4Addr::LOCALHOST, port).into(),
            Address::Path(path) => path.into(),
        };
        let opening = open_connection(runtime.clone(), target)
            .send_buffer(BUFFER)
            .receive_buffer(BUFFER);
        let (reader, writer) = opening.await.unwrap();
        Self {
            runtime,
            reader,
            transport: writer.transport(),
            writer: Arc::new(Mutex::new(writer)),
            waiting: None,
            position: 0,
        }
    }

    async fn does(&mut self, step: Step) -> Outcome {
        match step {
            Step::Write(n) => self.write(n),
            Step::WriteLines(sizes) => self.write_lines(sizes),
            Step::WriteUntilItFails => write_until_it_fails(&*self.runtime, self.writer()).await,
            Step::WriteEof => done(self.writer().write_eof()),
            Step::CanWriteEof => Outcome::Is(self.transport.can_write_eof()),
            Step::Close => {
                self.transport.close();
                Outcome::Done
            }
            Step::Abort => {
                self.transport.abort();
                Outcome::Done
            }
            Step::IsClosing => Outcome::Is(self.transport.is_closing()),
            Step::Drain => {
                self.begin(|mut writer| async move { done(writer.drain().await) })
                    .await
            }
            Step::WaitClosed => {
                self.begin(|mut writer| async move { done(writer.wait_closed().await) })
                    .await
            }
            Step::Drained => done(self.writer().drain().await),
            Step::Closed => done(self.writer().wait_closed().await),
            Step::Finish => match self.waiting.take() {
                Some(waiting) => waiting.await,
                None => Outcome::Absent,
            },
            Step::FinishSoon => self.finish_soon().await,
            Step::GiveUp => {
                self.waiting = None;
                Outcome::Done
            }
            Step::SetLimits { low, high } => {
                let queued = self.transport.queued();
                self.set_limits(low.of(queued), high.of(queued))
            }
            Step::Limits => {
                let (low, high) = self.writer().watermarks();
                Outcome::Limits { low, high }
            }
            Step::Queue => {
                let writer = self.writer();
                let (low, high) = writer.watermarks();
                Outcome::Queue(Level::of(writer.queued(), low, high))
            }
            Step::Settle => settle(&*self.runtime, &self.transport).await,
            Step::UntilEmpty => {
                while self.transport.queued() > 0 {
                    self.runtime.sleep(Duration::from_millis(1)).await;
                }
                Outcome::Done
            }
            Step::ReadExactly(n) => match self.reader.read_exactly(n).await {
                Ok(_) => Outcome::Done,
                Err(error) => unread(&error),
            },
            Step::ReadEnd => match self.reader.read(1).await {
                Ok(data) => {
                    assert_eq!(data, "");
                    Outcome::Ended
                }
                Err(error) => unread(&error),
            },
            Step::Peer(step) => panic!("{step:?} is the peer's"),
        }
    }

    fn writer(&self) -> OwnedMutexGuard<StreamWriter> {
        let writer = self.writer.clone().try_lock_owned();
        writer.expect("nothing waits that has to be given up first")
    }

    fn write(&mut self, n: usize) -> Outcome {
        let result = self.writer().write(&data()[self.position..][..n]);
        self.written(n, result)
    }

    fn write_lines(&mut self, sizes: &[usize]) -> Outcome {
        let mut rest = &data()[self.position..];
        let pieces: Vec<IoSlice<'_>> = sizes
            .iter()
            .map(|n| {
                let (piece, behind) = rest.split_at(*n);
                rest = behind;
                IoSlice::new(piece)
            })
            .collect();
        let result = self.writer().write_vectored(&pieces);
        self.written(sizes.iter().sum(), result)
    }

    /// What is refused is not skipped, so that it can be seen from what arrives.
    fn written(&mut self, n: usize, result: Result<(), WriteError>) -> Outcome {
        if result.is_ok() {
            self.position += n;
        }
        done(result)
    }

    fn set_limits(&self, low: usize, high: usize) -> Outcome {
        let set = AssertUnwindSafe(|| self.transport.set_watermarks(low, high));
        match catch_unwind(set) {
            Ok(()) => Outcome::Done,
            Err(_) => Outcome::Misuse,
        }
    }

    async fn finish_soon(&mut self) -> Outcome {
        let waiting = self.waiting.take().expect("something waits");
        match select(waiting, self.runtime.sleep(QUIET)).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => Outcome::Waits,
        }
    }

    /// Begins something, and says whether it waits.
    async fn begin<F>(&mut self, work: impl FnOnce(OwnedMutexGuard<StreamWriter>) -> F) -> Outcome
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut work: BoxFuture<'static, Outcome> = Box::pin(work(self.writer()));
        match poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => {
                self.waiting = Some(work);
                Outcome::Waits
            }
        }
    }
}

async fn write_until_it_fails(
    runtime: &dyn Runtime,
    mut writer: OwnedMutexGuard<StreamWriter>,
) -> Outcome {
    loop {
        if let Err(error) = writer.write_all(b"x").await {
            return unwritten(&error);
        }
        runtime.sleep(Duration::from_millis(1)).await;
    }
}

async fn settle(runtime: &dyn Runtime, transport: &Transport) -> Outcome {
    let mut before = None;
    while before != Some(transport.queued()) {
        before = Some(transport.queued());
        runtime.sleep(QUIET).await;
    }
    Outcome::Done
}

fn done(result: Result<(), WriteError>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => unwritten(&error),
    }
}

fn unwritten(error: &WriteError) -> Outcome {
    match error {
        WriteError::Closed => Outcome::Lost,
        WriteError::Finished => Outcome::Finished,
        WriteError::Transport(error) => failed(error),
        WriteError::CapExceeded { .. } | WriteError::ReadOnly | _ => panic!("{error}"),
    }
}

fn unread(error: &ReadError) -> Outcome {
    let ReadError::Transport(error) = error else {
        panic!("{error}");
    };
    failed(error)
}

fn failed(error: &TransportError) -> Outcome {
    let known = [
        (ErrorKind::BrokenPipe, Outcome::BrokenPipe),
        (ErrorKind::ConnectionAborted, Outcome::Lost), // by this side
        (ErrorKind::ConnectionReset, Outcome::Reset),
    ];
    let outcome = known.iter().find(|(kind, _)| *kind == error.kind());
    outcome.unwrap_or_else(|| panic!("{error}")).1
}
