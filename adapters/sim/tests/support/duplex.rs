//! A conversation in which both sides talk at once and know what they are to receive.

use std::{
    io::{self, ErrorKind, IoSlice},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::join;
use millpond_sim::{
    Bytes, ReadError, Run, Sim, StreamOptions, StreamReader, StreamWriter, World, open_connection,
    start_server, timeout, world,
};

use crate::cancel::cancel_after;

/// More than any random stall takes.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// How both sides are connected.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// Two streams.
    Streams,
    /// A client and a server.
    Server,
}

/// What is sent, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Talk {
    /// By the client and by the server.
    pub(crate) sent: [&'static [u8]; 2],
    /// Of the reader, in bytes.
    pub(crate) limit: usize,
    /// What is written at once, at most.
    pub(crate) piece: usize,
}

/// What one side has received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) data: Vec<u8>,
    /// How it ended: `None` is the end of the stream.
    pub(crate) failure: Option<ErrorKind>,
}

impl Received {
    /// Before there is a connection.
    fn nothing() -> Self {
        Self {
            data: Vec::new(),
            failure: Some(ErrorKind::ConnectionRefused),
        }
    }
}

/// A read of a world gives no more.
const READ_MAX: usize = 2048;

/// How a side may find that the network has failed.
const FAILURES: [ErrorKind; 5] = [
    ErrorKind::BrokenPipe,
    ErrorKind::ConnectionRefused,
    ErrorKind::ConnectionReset,
    ErrorKind::TimedOut,
    ErrorKind::UnexpectedEof,
];

impl Talk {
    /// Talks in a world: what became of it, and whether each side has received everything.
    ///
    /// # Panics
    ///
    /// If a byte is lost, repeated, moved or invented, if more is buffered than there should be, if
    /// something hangs or is left, or if it goes wrong for no reason.
    pub(crate) fn run(self, sim: Sim, place: Place, faults: bool) -> (Run<()>, bool) {
        let received = Arc::new(Mutex::new([Received::nothing(), Received::nothing()]));
        let mut sim = sim.no_leaks();
        if faults {
            sim = sim.kept_events(usize::MAX);
        }
        let run = sim.record(self.take_place(place, received.clone()));
        assert!(run.output.is_ok(), "{:?}", run.output);
        assert!(run.leaks.is_empty(), "{:?}", run.leaks);
        let received = received.lock().unwrap();
        let mut complete = true;
        for (side, received) in received.iter().enumerate() {
            let sent = self.sent[1 - side];
            assert!(sent.starts_with(&received.data), "{received:?} of {sent:?}");
            let whole = received.data.len() == sent.len() && received.failure.is_none();
            assert!(whole || faults, "{received:?} of {sent:?}");
            match received.failure {
                Some(kind) => assert!(FAILURES.contains(&kind), "{received:?}"),
                // Nothing else looks like the end.
                None if whole => {}
                None => assert!(run.trace.to_string().contains("end of the stream")),
            }
            complete &= whole;
        }
        (run, complete)
    }

    async fn take_place(self, place: Place, received: Arc<Mutex<[Received; 2]>>) {
        match place {
            Place::Streams => {
                let options = StreamOptions::new().limit(self.limit);
                let (client, server) = world().connection(&options);
                world().spawn(self.side(1, server, received.clone()));
                self.side(0, client, received).await;
            }
            Place::Server => {
                let shared = received.clone();
                let server = start_server("127.0.0.1:7", move |reader, writer| {
                    self.side(1, (reader, writer), shared.clone())
                });
                let server = server.limit(self.limit).on_accept_error(|_| {});
                let server = server.await.unwrap();
                if let Ok(client) = open_connection("127.0.0.1:7").limit(self.limit).await {
                    self.side(0, client, received).await;
                }
                server.close();
            }
        }
    }

    /// Sends all and receives all at once, and notes what it has received.
    async fn side(
        self,
        side: usize,
        (mut reader, mut writer): (StreamReader, StreamWriter),
        received: Arc<Mutex<[Received; 2]>>,
    ) {
        let world = world();
        let receive = async {
            loop {
                let read = self.read(&world, &mut reader).await;
                // What came before a failure is still there.
                let data = read.as_deref().unwrap_or_else(|_| reader.buffered());
                received.lock().unwrap()[side].data.extend(data);
                if read?.is_empty() {
                    return Ok(());
                }
            }
        };
        let say = self.say(&world, self.sent[side], &mut writer);
        let ended = timeout(TIME_LIMIT, join(receive, say)).await;
        let failure = match ended {
            Ok((Err(error), _) | (Ok(()), Err(error))) => Some(error.kind()),
            Ok((Ok(()), Ok(()))) => None,
            Err(_) => {
                writer.abort(); // two streams have no clock that would end them
                Some(ErrorKind::TimedOut)
            }
        };
        received.lock().unwrap()[side].failure = failure;
    }

    async fn say(
        self,
        world: &World,
        mut rest: &[u8],
        writer: &mut StreamWriter,
    ) -> io::Result<()> {
        while !rest.is_empty() {
            let len = 1 + world.choose(self.piece.min(rest.len()));
            let (piece, behind) = rest.split_at(len);
            match world.choose(3) {
                0 => writer.write(piece)?,
                1 => writer.write_bytes(Bytes::copy_from_slice(piece))?,
                _ => {
                    let (one, other) = piece.split_at(len / 2);
                    writer.write_vectored(&[IoSlice::new(one), IoSlice::new(other)])?;
                }
            }
            let (_, high) = writer.watermarks();
            assert!(writer.queued() <= high + len, "{} queued", writer.queued());
            while cancel_after(world.choose(3), writer.drain())
                .await
                .transpose()?
                .is_none()
            {}
            rest = behind;
        }
        Ok(writer.write_eof()?)
    }

    /// Some bytes, by any way of reading; none at the end.
    async fn read(self, world: &World, reader: &mut StreamReader) -> io::Result<Bytes> {
        let n = 1 + world.choose(self.limit);
        let how = [Ask::UpTo(n), Ask::Exactly(n), Ask::Line][world.choose(3)];
        loop {
            // 0 is for ever.
            let polls = world.choose(3);
            let read = match how {
                Ask::UpTo(n) => cancel_after(polls, reader.read(n)).await,
                Ask::Exactly(n) => cancel_after(polls, reader.read_exactly(n)).await,
                Ask::Line => cancel_after(polls, reader.read_until(b"\r\n")).await,
            };
            let buffered = reader.buffered().len();
            assert!(buffered <= self.limit + READ_MAX, "{buffered} buffered");
            match read {
                None => {}
                Some(Ok(data)) => {
                    how.assert_answers(&data);
                    return Ok(data);
                }
                Some(Err(ReadError::Incomplete { partial, .. })) => return Ok(partial),
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    UpTo(usize),
    Exactly(usize),
    Line,
}

impl Ask {
    #[track_caller]
    fn assert_answers(self, data: &[u8]) {
        let right = match self {
            Self::UpTo(n) => data.len() <= n, // nothing is the end
            Self::Exactly(n) => data.len() == n,
            Self::Line => data.windows(2).position(|pair| pair == b"\r\n") == Some(data.len() - 2),
        };
        assert!(right, "{data:?} for {self:?}");
    }
}
