//! The halves of a stream, its transport and a feeder, each on a thread of its own, meeting by chance:
//! a few seconds of it in CI, and as many as `MILLPOND_STRESS` says by hand.

use std::{
    env, process,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use futures_lite::future::block_on;
use millpond::{StreamOptions, StreamReader, StreamWriter, Transport};

/// For each test.
const TIME: Duration = Duration::from_millis(1250);

/// No round takes as long as this, on any machine.
const STUCK: Duration = Duration::from_secs(60);

#[test]
fn what_a_corked_writer_sends_comes_back_whole() {
    for_a_while(|round| {
        let written = converse(round, |_| {});
        assert_eq!(written.failed, None);
        assert_eq!(written.came_back, written.len);
    });
}

#[test]
fn a_close_from_elsewhere_ends_everything() {
    for_a_while(|round| {
        let written = converse(round, |transport| transport.close());
        assert!(written.came_back <= written.len);
    });
}

#[test]
fn an_abort_from_elsewhere_ends_everything() {
    for_a_while(|round| {
        let written = converse(round, |transport| transport.abort());
        assert!(written.came_back <= written.len);
    });
}

#[test]
fn what_is_fed_arrives_unless_the_reader_leaves() {
    for_a_while(|round| {
        let mut chance = Chance(round);
        let (pieces, len) = (chance.up_to(40), chance.up_to(50));
        let leaves = chance.up_to(5) == 5;
        let (mut feeder, mut reader) = StreamOptions::new().limit(8).fed();
        thread::scope(|scope| {
            scope.spawn(move || {
                block_on(async {
                    for _ in 0..pieces {
                        if feeder.feed(&vec![1; len]).is_err() || feeder.drain().await.is_err() {
                            assert!(leaves);
                            return;
                        }
                    }
                    feeder.feed_eof();
                });
            });
            scope.spawn(move || {
                if leaves {
                    block_on(reader.read(3)).unwrap();
                } else {
                    assert_eq!(block_on(reader.read_to_eof()).unwrap().len(), pieces * len);
                }
            });
        });
    });
}

/// How a conversation went.
#[derive(Debug)]
struct Written {
    len: usize,
    came_back: usize,
    /// Why not all was written.
    failed: Option<String>,
}

/// Writes on one thread, echoes on another, reads what comes back on a third, and disturbs on a fourth.
fn converse(round: u64, disturb: impl FnOnce(Transport) + Send) -> Written {
    let mut chance = Chance(round);
    let capacity = chance.up_to(9);
    let options = StreamOptions::new().watermarks(3, 11);
    let ((reader, writer), (peer_reader, peer_writer)) = options.pair(capacity);
    let transport = writer.transport();
    let yields = chance.up_to(50);
    thread::scope(|scope| {
        let writing = scope.spawn(move || block_on(write(writer, chance)));
        let reading = scope.spawn(move || block_on(count(reader)));
        scope.spawn(move || block_on(echo(peer_reader, peer_writer)));
        scope.spawn(move || {
            (0..yields).for_each(|_| thread::yield_now());
            disturb(transport);
        });
        let came_back = reading.join().unwrap();
        // The writer stays until everything has come back: its end must not be what sends.
        let (_writer, len, failed) = writing.join().unwrap();
        Written {
            len,
            came_back,
            failed,
        }
    })
}

async fn write(
    mut writer: StreamWriter,
    mut chance: Chance,
) -> (StreamWriter, usize, Option<String>) {
    let (pieces, len) = (chance.up_to(40), chance.up_to(50));
    let mut written = 0;
    for _ in 0..pieces {
        let cork = (chance.up_to(3) == 3).then(|| writer.cork());
        let mut result = writer.write(vec![2; len]);
        if result.is_ok() {
            written += len;
            result = match chance.up_to(3) {
                1 => writer.drain().await,
                2 => writer.flush().await,
                _ => Ok(()),
            };
        }
        drop(cork);
        if let Err(error) = result {
            return (writer, written, Some(error.to_string()));
        }
    }
    let ended = writer.write_eof();
    (writer, written, ended.err().map(|error| error.to_string()))
}

/// How many bytes came before the end.
async fn count(mut reader: StreamReader) -> usize {
    let mut bytes = 0;
    while let Ok(some) = reader.read(5).await {
        if some.is_empty() {
            break;
        }
        bytes += some.len();
    }
    bytes
}

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) {
    while let Ok(some) = reader.read(7).await {
        if some.is_empty() || writer.write_all(&some).await.is_err() {
            break;
        }
    }
    writer.close();
    // How it ends is what the other side sees.
    let _ = writer.wait_closed().await;
}

/// Calls `round` with one number after the other until the time is over. A round that never ends is
/// reported, and ends the process.
fn for_a_while(round: impl Fn(u64)) {
    let time = env::var("MILLPOND_STRESS").map_or(TIME, |seconds| {
        Duration::from_secs(seconds.parse().expect("a number of seconds"))
    });
    let until = Instant::now() + time;
    let (begun, rounds) = mpsc::channel();
    let watch_dog = thread::spawn(move || {
        let mut last = 0;
        loop {
            match rounds.recv_timeout(STUCK) {
                Ok(number) => last = number,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    eprintln!("round {last} never ends");
                    process::abort();
                }
            }
        }
    });
    for number in 1.. {
        if Instant::now() > until {
            break;
        }
        begun.send(number).unwrap();
        round(number);
    }
    drop(begun);
    watch_dog.join().unwrap();
}

/// Numbers that look random and follow from the first.
struct Chance(u64);

impl Chance {
    /// From 1 on.
    fn up_to(&mut self, max: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        1 + (z ^ (z >> 31)) as usize % max
    }
}
