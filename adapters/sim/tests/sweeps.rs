//! Conversations that are cut off at every byte in every way, and given up at every poll.
//!
//! `MILLPOND_SWEEPS` sets how many seeds each of them has.

#[path = "support/patience.rs"]
mod patience;

use std::{
    env,
    future::poll_fn,
    io::{self, ErrorKind},
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use millpond_sim::{
    Direction, Fault, Sim, StreamReader, StreamWriter, open_connection, start_server, timeout,
    world,
};
use patience::given_up;

const SEEDS: u64 = 2;

/// More than any stall takes.
const PATIENCE: Duration = Duration::from_secs(300);

const STALL: Duration = Duration::from_secs(20);

/// What one side has got, and how it ended.
#[derive(Debug, Default)]
struct Seen {
    data: Vec<u8>,
    failure: Option<ErrorKind>,
}

/// What is said to and fro.
#[derive(Clone, Copy, Debug)]
struct Conversation {
    /// Each is sent when the answer to the one before has come.
    requests: &'static [&'static [u8]],
    answer: fn(&[u8]) -> Vec<u8>,
}

const ECHO: Conversation = Conversation {
    requests: &[b"one\n", b"\n", b"and a longer line\n"],
    answer: <[u8]>::to_vec,
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
};

impl Conversation {
    fn said(&self, direction: Direction) -> Vec<u8> {
        match direction {
            Direction::ToServer => self.requests.concat(),
            Direction::ToClient => self
                .requests
                .iter()
                .flat_map(|line| (self.answer)(line))
                .collect(),
        }
    }

    async fn serve(
        self,
        (mut reader, mut writer): (StreamReader, StreamWriter),
        seen: Arc<Mutex<Seen>>,
    ) -> io::Result<()> {
        loop {
            let request = timeout(2 * PATIENCE, reader.read_until(b"\n")).await??;
            seen.lock().unwrap().data.extend(&request);
            writer.write_all(&(self.answer)(&request)).await?;
        }
    }

    async fn call(&self, seen: &mut Vec<u8>, polls: usize) -> io::Result<()> {
        let (mut reader, mut writer) = open_connection("127.0.0.1:7").await?;
        for request in self.requests {
            writer.write(request)?;
            let len = (self.answer)(request).len();
            let answer = loop {
                let read = timeout(PATIENCE, reader.read_exactly(len));
                match given_up(polls, read).await {
                    Some(answer) => break answer??,
                    None => assert!(reader.buffered().len() < len),
                }
                yield_now().await;
            };
            seen.extend(&answer);
        }
        Ok(())
    }

    /// What the server and the client have seen.
    fn run(self, sim: Sim, polls: usize) -> [Seen; 2] {
        sim.no_leaks().run(async move {
            let server_seen = Arc::new(Mutex::new(Seen::default()));
            let shared = server_seen.clone();
            let server = start_server("127.0.0.1:7", move |reader, writer| {
                let seen = shared.clone();
                async move {
                    let ended = self.serve((reader, writer), seen.clone()).await;
                    seen.lock().unwrap().failure = ended.err().map(|error| error.kind());
                }
            });
            let server = server.await.unwrap();
            let mut data = Vec::new();
            let ended = self.call(&mut data, polls).await;
            let failure = ended.err().map(|error| error.kind());
            world().sleep(STALL).await; // the server notices, too
            server.close();
            server.wait_closed().await;
            let seen = std::mem::take(&mut *server_seen.lock().unwrap());
            [seen, Seen { data, failure }]
        })
    }
}

/// Lets others run.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| match std::mem::replace(&mut yielded, true) {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

fn seeds() -> u64 {
    env::var("MILLPOND_SWEEPS").map_or(SEEDS, |text| text.parse().expect("a number of seeds"))
}

fn worlds() -> impl Iterator<Item = Sim> {
    let calm = std::iter::once(Sim::new(0));
    let latency = Duration::ZERO..=Duration::from_millis(5);
    calm.chain((1..seeds()).map(move |seed| Sim::new(seed).rough().latency(latency.clone())))
}

/// Nothing is lost, repeated, moved or invented; more may be missing than the fault has cut off.
#[track_caller]
fn assert_prefix(got: &[u8], said: &[u8]) {
    assert!(
        said.starts_with(got),
        "{got:?} is not the beginning of {said:?}"
    );
}

fn cut_at_every_byte(
    conversation: Conversation,
    fault: fn() -> Fault,
    check: fn([&Seen; 2], bool),
) {
    for direction in [Direction::ToServer, Direction::ToClient] {
        let said = conversation.said(direction);
        for after in 0..said.len() {
            for sim in worlds() {
                let fault = fault().after(direction, after as u64);
                let [server, client] = conversation.run(sim.fault(fault), 0);
                assert_prefix(&server.data, &conversation.said(Direction::ToServer));
                assert_prefix(&client.data, &conversation.said(Direction::ToClient));
                let got = match direction {
                    Direction::ToServer => &server.data,
                    Direction::ToClient => &client.data,
                };
                assert!(
                    got.len() <= after || client.failure.is_none(),
                    "{got:?} at {after}"
                );
                check([&server, &client], direction == Direction::ToServer);
            }
        }
    }
}

#[test]
fn a_reset_at_any_byte_is_a_reset_for_both() {
    for conversation in [ECHO, LOOKUP] {
        cut_at_every_byte(conversation, Fault::reset, |[server, client], _| {
            assert_eq!(client.failure, Some(ErrorKind::ConnectionReset));
            assert_eq!(server.failure, Some(ErrorKind::ConnectionReset));
        });
    }
}

#[test]
fn an_end_at_any_byte_is_an_early_end_for_the_reader_and_a_reset_for_the_writer() {
    for conversation in [ECHO, LOOKUP] {
        cut_at_every_byte(conversation, Fault::eof, |[server, client], to_server| {
            let (reader, writer) = if to_server {
                (server, client)
            } else {
                (client, server)
            };
            let writing_failed = [ErrorKind::UnexpectedEof, ErrorKind::BrokenPipe];
            assert!(
                writing_failed.contains(&reader.failure.unwrap()),
                "{reader:?}"
            );
            assert_eq!(writer.failure, Some(ErrorKind::ConnectionReset));
        });
    }
}

#[test]
fn a_stall_at_any_byte_changes_nothing() {
    for conversation in [ECHO, LOOKUP] {
        let stall = || Fault::stall(STALL);
        cut_at_every_byte(conversation, stall, |[server, client], _| {
            assert_eq!(client.failure, None);
            assert_eq!(server.failure, Some(ErrorKind::UnexpectedEof));
        });
    }
}

#[test]
fn a_stall_for_ever_at_any_byte_is_a_timeout() {
    for conversation in [ECHO, LOOKUP] {
        cut_at_every_byte(conversation, Fault::stall_forever, |[_, client], _| {
            assert_eq!(client.failure, Some(ErrorKind::TimedOut));
        });
    }
}

#[test]
fn a_read_that_is_given_up_after_any_number_of_polls_loses_nothing() {
    for conversation in [ECHO, LOOKUP] {
        for polls in 1..40 {
            for sim in worlds() {
                let [server, client] = conversation.run(sim, polls);
                assert_eq!(client.failure, None);
                assert_eq!(client.data, conversation.said(Direction::ToClient));
                assert_eq!(server.data, conversation.said(Direction::ToServer));
            }
        }
    }
}

#[test]
fn connecting_that_is_given_up_after_any_number_of_polls_leaves_nothing_behind() {
    let latency = Duration::from_millis(1)..=Duration::from_millis(900);
    for seed in 0..20 * seeds() {
        for polls in 1..12 {
            let name = ["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()];
            let sim = Sim::new(seed)
                .rough()
                .latency(latency.clone())
                .random_faults(3);
            sim.name("www", name).no_leaks().run(async {
                let server = start_server("127.0.0.1:7", async |mut reader, _| {
                    timeout(PATIENCE, reader.read(1)).await??;
                    Ok::<_, io::Error>(())
                });
                let server = server.on_handler_error(|_| {}).await.unwrap();
                drop(given_up(polls, open_connection("www:7").into_future()).await);
                world().sleep(PATIENCE * 2).await;
                server.close();
            });
        }
    }
}
