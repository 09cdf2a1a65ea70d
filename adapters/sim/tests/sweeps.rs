//! Conversations that are cut off at every byte in every way, and cancelled at every poll.
//!
//! `MILLPOND_SWEEPS` sets in how many worlds each of that is done: a smooth one, and rough ones.

#[path = "support/cancel.rs"]
mod cancel;
#[path = "support/size.rs"]
mod size;
#[path = "support/yield_now.rs"]
mod yield_now;

use std::{
    io::{self, ErrorKind},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use cancel::cancel_after;
use millpond_sim::{
    Bytes, Cut, Direction, Fault, GiveUp, ReadError, Sim, StreamReader, StreamWriter, Sweep,
    TlsAcceptor, TlsConnector, open_connection, start_server, timeout, tls, world,
};
use yield_now::yield_now;

const WORLDS: u64 = 2;

/// More than any stall takes.
const TIME_LIMIT: Duration = Duration::from_secs(300);

const STALL: Duration = Duration::from_secs(20);

/// How a side may find that the other one has gone.
const GONE: [ErrorKind; 3] = [
    ErrorKind::BrokenPipe,
    ErrorKind::ConnectionReset,
    ErrorKind::UnexpectedEof,
];

/// What is sent in both directions.
#[derive(Clone, Copy, Debug)]
struct Conversation {
    /// Each is sent when the answer to the one before has come.
    requests: &'static [&'static [u8]],
    answer: fn(&[u8]) -> Vec<u8>,
    /// Whether TLS begins behind the first answer.
    upgrades: bool,
}

const ECHO: Conversation = Conversation {
    requests: &[b"one\n", b"\n", b"and a longer line\n"],
    answer: <[u8]>::to_vec,
    upgrades: false,
};

/// An answer says how long it is, and may contain the end of a line.
const LOOKUP: Conversation = Conversation {
    requests: &[b"GET 3\n", b"GET 40\n", b"GET 0\n"],
    answer: |request| {
        let len = std::str::from_utf8(&request[4..request.len() - 1]).unwrap();
        let body: Vec<u8> = (0..len.parse().unwrap()).collect();
        let head = format!("{}\n", body.len());
        [head.as_bytes(), &body, b"\n"].concat()
    },
    upgrades: false,
};

const UPGRADE: Conversation = Conversation {
    requests: &[b"STARTTLS\n", b"a secret\n", b"and another one\n"],
    answer: <[u8]>::to_vec,
    upgrades: true,
};

const ALL: [Conversation; 3] = [ECHO, LOOKUP, UPGRADE];

/// What is cancelled, and when.
#[derive(Clone, Debug)]
enum Cancel {
    Nothing,
    /// Each read of the client, again and again, after so many polls that were pending.
    EachRead(usize),
    /// One of all that the client waits for.
    One(GiveUp),
    Client(GiveUp),
    /// The handler of the server.
    Handler(GiveUp),
}

/// `None` if it is given up.
async fn unless<F: Future>(give_up: Option<&GiveUp>, future: F) -> Option<F::Output> {
    match give_up {
        Some(give_up) => give_up.around(future).await,
        None => Some(future.await),
    }
}

/// What one side has got, and how it ended.
#[derive(Clone, Debug, Default)]
struct Seen {
    data: Vec<u8>,
    ended: Ended,
    /// Whether, behind a failure, there was the end of the stream.
    proper_end: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Ended {
    /// It was cancelled, or never there.
    #[default]
    Not,
    /// With all answers.
    Well,
    Failed(ErrorKind),
}

/// Both sides.
#[derive(Clone, Debug, Default)]
struct Outcome {
    server: Seen,
    client: Seen,
}

type Shared = Arc<Mutex<Outcome>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Outcome> {
    shared.lock().unwrap()
}

impl From<io::Result<()>> for Ended {
    fn from(result: io::Result<()>) -> Self {
        match result {
            Ok(()) => Self::Well,
            Err(error) => Self::Failed(error.kind()),
        }
    }
}

impl Ended {
    fn by(self, kinds: &[ErrorKind]) -> bool {
        matches!(self, Self::Failed(kind) if kinds.contains(&kind))
    }
}

impl Seen {
    /// What a read has given, or what there was of it.
    fn keep(&mut self, read: Result<Bytes, ReadError>) -> io::Result<()> {
        match &read {
            Ok(data) | Err(ReadError::Incomplete { partial: data, .. }) => self.data.extend(data),
            Err(_) => {}
        }
        Ok(read.map(drop)?)
    }

    /// What has come before a failure and was not read, and how it ended.
    fn keep_rest(&mut self, rest: &Rest) {
        self.data.extend(&rest.data);
        self.proper_end = rest.proper_end;
    }
}

struct Rest {
    data: Bytes,
    proper_end: bool,
}

async fn rest(reader: &mut StreamReader) -> Rest {
    let (data, proper_end) = match timeout(TIME_LIMIT, reader.read_to_eof()).await {
        Ok(Ok(data)) => (data, true),
        Ok(Err(_)) | Err(_) => (Bytes::copy_from_slice(reader.buffered()), false),
    };
    Rest { data, proper_end }
}

impl Conversation {
    fn plaintext(&self, direction: Direction) -> Vec<u8> {
        let answers = self.requests.iter().map(|line| (self.answer)(line));
        match direction {
            Direction::ToServer => self.requests.concat(),
            Direction::ToClient => answers.collect::<Vec<_>>().concat(),
        }
    }

    async fn serve(
        self,
        (mut reader, mut writer): (StreamReader, StreamWriter),
        acceptor: TlsAcceptor,
        shared: Shared,
    ) {
        let ended = self
            .answer_all(&mut reader, &mut writer, &acceptor, &shared)
            .await;
        let rest = rest(&mut reader).await;
        let server = &mut lock(&shared).server;
        server.keep_rest(&rest);
        server.ended = ended.into();
    }

    async fn answer_all(
        self,
        reader: &mut StreamReader,
        writer: &mut StreamWriter,
        acceptor: &TlsAcceptor,
        shared: &Shared,
    ) -> io::Result<()> {
        let mut upgrades = self.upgrades;
        loop {
            let request = timeout(2 * TIME_LIMIT, reader.read_until(b"\n")).await?;
            lock(shared).server.keep(request.clone())?;
            writer.write_all(&(self.answer)(&request?)).await?;
            if std::mem::take(&mut upgrades) {
                writer.start_tls(reader, acceptor).await?;
            }
        }
    }

    async fn call(self, connector: TlsConnector, cancel: Cancel, shared: Shared) {
        let (mut reader, mut writer) = open_connection("localhost:7").await.unwrap();
        let ended = self
            .ask_all(&mut reader, &mut writer, &connector, cancel, &shared)
            .await;
        if ended.is_err() {
            let rest = rest(&mut reader).await;
            lock(&shared).client.keep_rest(&rest);
        }
        lock(&shared).client.ended = ended.into();
    }

    async fn ask_all(
        self,
        reader: &mut StreamReader,
        writer: &mut StreamWriter,
        connector: &TlsConnector,
        cancel: Cancel,
        shared: &Shared,
    ) -> io::Result<()> {
        let (each_read, one) = match &cancel {
            Cancel::EachRead(polls) => (*polls, None),
            Cancel::One(give_up) => (0, Some(give_up)),
            Cancel::Nothing | Cancel::Client(_) | Cancel::Handler(_) => (0, None),
        };
        let mut upgrades = self.upgrades;
        for request in self.requests {
            writer.write(request)?;
            while unless(one, writer.drain()).await.transpose()?.is_none() {}
            let len = (self.answer)(request).len();
            let answer = loop {
                let read = timeout(TIME_LIMIT, reader.read_exactly(len));
                let read = cancel_after(each_read, read);
                if let Some(answer) = unless(one, read).await.flatten() {
                    break answer?;
                }
                assert!(reader.buffered().len() < len);
                yield_now().await;
            };
            lock(shared).client.keep(answer)?;
            if std::mem::take(&mut upgrades) {
                writer.start_tls(reader, connector).await?;
            }
        }
        Ok(())
    }

    async fn play(self, cancel: Cancel) -> Outcome {
        let shared = Shared::default();
        let (connector, acceptor) = tls::localhost();
        let for_server = shared.clone();
        let (client, handler) = match cancel.clone() {
            Cancel::Client(give_up) => (Some(give_up), None),
            Cancel::Handler(give_up) => (None, Some(give_up)),
            Cancel::Nothing | Cancel::EachRead(_) | Cancel::One(_) => (None, None),
        };
        let server = start_server("localhost:7", move |reader, writer| {
            let serving = self.serve((reader, writer), acceptor.clone(), for_server.clone());
            let handler = handler.clone();
            async move {
                let _given_up = unless(handler.as_ref(), serving).await;
            }
        });
        let server = server.await.unwrap();
        let calling = self.call(connector, cancel, shared.clone());
        let _given_up = unless(client.as_ref(), calling).await;
        world().sleep(STALL).await; // the server notices, too
        server.close();
        server.wait_closed().await;
        lock(&shared).clone()
    }

    /// In a world to which it has to leave nothing.
    fn run(self, sim: Sim, cancel: Cancel) -> Outcome {
        let outcome = sim.no_leaks().run(self.play(cancel));
        // Nothing is lost, repeated, moved or invented; more may be missing than a fault has cut off.
        for (seen, direction) in [
            (&outcome.server, Direction::ToServer),
            (&outcome.client, Direction::ToClient),
        ] {
            let plaintext = self.plaintext(direction);
            assert!(
                plaintext.starts_with(&seen.data),
                "{seen:?} of {plaintext:?}"
            );
            let whole = seen.data.len() == plaintext.len();
            assert!(
                whole || seen.ended != Ended::Well,
                "{seen:?} of {plaintext:?}"
            );
        }
        outcome
    }
}

fn count() -> u64 {
    size::of("MILLPOND_SWEEPS", WORLDS)
}

/// In a calm world it is smooth all the same.
fn rough(sim: Sim) -> Sim {
    sim.rough()
        .latency(Duration::ZERO..=Duration::from_millis(5))
}

/// What a conversation with a fault has come to.
#[derive(Debug)]
struct Ending {
    conversation: Conversation,
    cut: Cut,
    outcome: Outcome,
}

impl Ending {
    /// The side that reads the direction, and the one that writes it.
    fn sides(&self) -> [&Seen; 2] {
        let Outcome { server, client } = &self.outcome;
        match self.cut.direction {
            Direction::ToServer => [server, client],
            Direction::ToClient => [client, server],
        }
    }

    /// Without TLS the reader gets exactly what was sent until then, and with TLS no proper end.
    #[track_caller]
    fn assert_cut(&self) {
        let plaintext = self.conversation.plaintext(self.cut.direction);
        let after = usize::try_from(self.cut.after).unwrap();
        let [reader, _] = self.sides();
        if !self.conversation.upgrades {
            assert_eq!(reader.data, plaintext[..after], "{self:?}");
        } else if after >= self.conversation.requests[0].len() {
            assert!(!reader.proper_end, "{self:?}");
        }
    }

    /// With TLS there is a farewell, and the client may have had all its answers before.
    fn is_late(&self) -> bool {
        self.conversation.upgrades && self.outcome.client.ended == Ended::Well
    }

    #[track_caller]
    fn assert_failed(&self, side: &Seen, kinds: &[ErrorKind]) {
        let late = self.is_late() && side.ended == Ended::Well;
        assert!(late || side.ended.by(kinds), "{side:?} of {self:?}");
    }
}

fn cut_at_every_byte(fault: Fault, check: fn(&Ending)) {
    for conversation in ALL {
        let sweep = Sweep::every_byte([fault]).seeds(1..count());
        let summary = sweep.run(|sim, cut| {
            let outcome = conversation.run(rough(sim), Cancel::Nothing);
            let ended = outcome.client.ended;
            match cut {
                Some(cut) => check(&Ending {
                    conversation,
                    cut,
                    outcome,
                }),
                None => assert_eq!(ended, Ended::Well),
            }
            ended
        });
        let plaintext =
            [Direction::ToServer, Direction::ToClient].map(|it| conversation.plaintext(it).len());
        let cuts = summary.worlds() / count();
        let plain = plaintext.iter().sum::<usize>() as u64;
        assert!(
            cuts == plain || conversation.upgrades && cuts > plain,
            "{summary}"
        );
    }
}

#[test]
fn a_reset_at_any_byte_is_a_reset_for_both() {
    cut_at_every_byte(Fault::reset(), |ending| {
        ending.assert_cut();
        let kinds: &[_] = match ending.conversation.upgrades {
            true => &GONE, // TLS knows only that it was cut off
            false => &[ErrorKind::ConnectionReset],
        };
        for side in ending.sides() {
            ending.assert_failed(side, kinds);
        }
    });
}

#[test]
fn an_end_at_any_byte_is_an_early_end_for_the_reader_and_a_reset_for_the_writer() {
    cut_at_every_byte(Fault::eof(), |ending| {
        ending.assert_cut();
        let [reader, writer] = ending.sides();
        ending.assert_failed(reader, &[ErrorKind::UnexpectedEof, ErrorKind::BrokenPipe]);
        let kinds: &[_] = match ending.conversation.upgrades {
            true => &GONE,
            false => &[ErrorKind::ConnectionReset],
        };
        ending.assert_failed(writer, kinds);
    });
}

#[test]
fn a_stall_at_any_byte_changes_nothing() {
    cut_at_every_byte(Fault::stall(STALL), |ending| {
        let Outcome { server, client } = &ending.outcome;
        assert_eq!(client.ended, Ended::Well, "{ending:?}");
        assert_eq!(
            server.ended,
            Ended::Failed(ErrorKind::UnexpectedEof),
            "{ending:?}"
        );
    });
}

#[test]
fn a_stall_for_ever_at_any_byte_is_a_timeout() {
    cut_at_every_byte(Fault::stall_forever(), |ending| {
        let Outcome { server, client } = &ending.outcome;
        let timed_out = |side: &Seen| side.ended.by(&[ErrorKind::TimedOut]);
        // A handshake may time out on either side first, and then the connection is gone.
        let handshake = ending.conversation.upgrades && timed_out(server) && client.ended.by(&GONE);
        assert!(
            handshake || timed_out(client) || ending.is_late(),
            "{ending:?}"
        );
    });
}

#[test]
fn reads_that_are_cancelled_after_any_number_of_polls_lose_nothing() {
    for conversation in ALL {
        for each_read in 1..40 {
            for seed in 0..count() {
                let sim = match seed {
                    0 => Sim::new(0),
                    _ => rough(Sim::new(seed)),
                };
                let outcome = conversation.run(sim, Cancel::EachRead(each_read));
                assert_eq!(outcome.client.ended, Ended::Well, "{outcome:?}");
            }
        }
    }
}

fn cancel_at_every_poll(cancel: fn(GiveUp) -> Cancel, check: fn(&Outcome)) {
    for conversation in ALL {
        let sweep = Sweep::every_poll().seeds(1..count());
        let summary = sweep.run(|sim, give_up| {
            let outcome = conversation.run(rough(sim), cancel(give_up));
            check(&outcome);
            outcome.client.ended
        });
        let least = conversation.requests.len() as u64 * count();
        assert!(summary.worlds() >= least, "{summary}");
    }
}

#[test]
fn what_is_cancelled_at_any_poll_can_be_asked_again() {
    cancel_at_every_poll(Cancel::One, |outcome| {
        assert_eq!(outcome.client.ended, Ended::Well, "{outcome:?}");
    });
}

#[test]
fn a_client_that_is_cancelled_at_any_poll_leaves_no_connection() {
    cancel_at_every_poll(Cancel::Client, |outcome| {
        let server = outcome.server.ended;
        assert!(server == Ended::Not || server.by(&GONE), "{outcome:?}");
    });
}

#[test]
fn a_handler_that_is_cancelled_at_any_poll_leaves_no_connection() {
    cancel_at_every_poll(Cancel::Handler, |outcome| {
        let client = outcome.client.ended;
        assert!(client == Ended::Well || client.by(&GONE), "{outcome:?}");
    });
}

#[test]
fn connecting_that_is_cancelled_after_any_number_of_polls_leaves_nothing_behind() {
    let latency = Duration::from_millis(1)..=Duration::from_millis(900);
    for seed in 0..20 * count() {
        for polls in 1..12 {
            let name = ["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()];
            let sim = Sim::new(seed)
                .rough()
                .latency(latency.clone())
                .random_faults(3);
            sim.name("www", name).no_leaks().run(async {
                let server = start_server("127.0.0.1:7", async |mut reader, _| {
                    timeout(TIME_LIMIT, reader.read(1)).await??;
                    Ok::<_, io::Error>(())
                });
                let server = server.on_handler_error(|_| {}).on_accept_error(|_| {});
                let server = server.await.unwrap();
                drop(cancel_after(polls, open_connection("www:7").into_future()).await);
                world().sleep(TIME_LIMIT * 2).await;
                server.close();
            });
        }
    }
}
