//! What must not cost more when there is more of it.

use std::hint::black_box;

use millpond::Separator;
use millpond_core::{Reader, Request, Status};

use crate::memory::Row;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        building(1000),
        building(10_000),
        equal(),
        in_turn(1),
        in_turn(60),
        long(64),
        long(4096),
    ]
}

fn words(count: u64) -> Vec<String> {
    (0..count).map(|n| format!("{} word\n", n * 7919)).collect()
}

fn building(count: u64) -> Row {
    let mut made = None;
    Row::new(
        format!("a set of {count} words, built"),
        "word",
        count,
        move || {
            let words = made.get_or_insert_with(|| words(count));
            black_box(Separator::any(words)).needles().count() as u64
        },
    )
}

const POLLS: u64 = 10_000;

/// Polls without an answer while nothing arrives.
fn polls(buffered: usize, separators: fn() -> [Separator; 2]) -> impl FnMut() -> u64 {
    let text = vec![b'a'; buffered];
    let mut made = None;
    move || {
        let separators = made.get_or_insert_with(separators);
        let mut reader = Reader::new();
        reader.feed(&text);
        let mut waits = 0;
        for _ in 0..POLLS / 2 {
            for separator in &*separators {
                let answer = reader.poll(Request::Until(separator)).unwrap();
                waits += u64::from(answer == Status::NeedData);
            }
        }
        waits
    }
}

fn equal() -> Row {
    let twins = || [(); 2].map(|()| Separator::any(words(10_000)));
    let name = "a set of 10000 words, and an equal one in turn";
    Row::new(name, "poll", POLLS, polls(100, twins))
}

fn in_turn(kib: usize) -> Row {
    let separators = || ["\r\n", ";"].map(Separator::new);
    let name = format!("two separators in turn, {kib} KiB buffered");
    Row::new(name, "poll", POLLS, polls(kib * 1024, separators))
}

/// It nearly matches all the time.
fn long(len: usize) -> Row {
    const PIECE: usize = 1448;
    const PIECES: u64 = 100;
    let mut needle = vec![b'a'; len];
    needle[len - 1] = b'b';
    let separator = Separator::new(&needle);
    let name = format!("a separator of {len} B, in pieces of {PIECE} B");
    Row::new(name, "piece", PIECES, move || {
        let mut reader = Reader::with_limit(1 << 20);
        let mut waits = 0;
        for _ in 0..PIECES {
            reader.feed(&[b'a'; PIECE]);
            let answer = reader.poll(Request::Until(&separator)).unwrap();
            waits += u64::from(answer == Status::NeedData);
        }
        waits
    })
}
