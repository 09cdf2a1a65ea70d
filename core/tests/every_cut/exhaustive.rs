//! Every short input, every cut of it, every request, and everything that can come behind.
//!
//! A case is an input, a cut, a request with the settings of the reader, and what follows the last
//! byte: nothing, the end, or a failure. The request is put again and again, before each piece and
//! behind the last one, and what it finds is taken, until there is nothing more to find.
//!
//! `cargo test` does it for inputs of up to [`LEN`] bytes; `MILLPOND_EXHAUSTIVE` sets another length, and so
//! does CI.

use std::{
    env, iter, panic,
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    UNCAPPED,
    conversation::{Conversation, Door, Manner, Retry, for_every_cut, for_every_input},
    support::{Ask, End},
};

/// The longest input that is tried by default.
const LEN: usize = 3;

const ALPHABET: [u8; 3] = *b"a\r\n";

/// What follows the last byte, how it is asked and fed meanwhile, and how many cases that is. Until
/// the end comes, it is the case in which nothing does, and that needs no other run.
const ENDS: [(End, Manner, u64); 2] = [
    (End::Eof, (Retry::Again, Door::Feed), 2),
    (End::Failed, (Retry::Once, Door::Spare), 1),
];

/// The longest separator of one needle.
const LONGEST: usize = 4;

/// Sets with members that are longer than those of the pairs, by their shortest member. They overlap,
/// contain each other, share beginnings, and end within each other.
const SETS: [(usize, &[&[&str]]); 3] = [
    (
        1,
        &[
            &["a", "\r", "\n"],
            &["\n", "\r\n", "\r\n\r\n"],
            &["\r", "aa\n"],
        ],
    ),
    (
        2,
        &[
            &["\r\n", "\n\r"],
            &["aa", "a\r\n", "\r\na"],
            &["\n\n", "\r\n\r\n"],
            &["a\n", "aaa\r"],
        ],
    ),
    (
        3,
        &[
            &["aa\r", "a\r\n", "\r\na"],
            &["aaa\n", "aa\r"],
            &["\r\ra\n", "\r\na"],
        ],
    ),
];

/// A request, and the reader that it is put to.
struct Case {
    ask: Ask,
    limit: usize,
    cap: usize,
}

/// All there are for an input of `len` bytes.
fn cases(len: usize) -> Vec<Case> {
    let mut cases = searches(len);
    let mut add = |ask: &Ask, limit, cap| {
        let ask = ask.clone();
        cases.push(Case { ask, limit, cap });
    };
    let numbers = || 0..=len + 1;
    let bounded: Vec<Ask> = iter::once(Ask::ToEof)
        .chain(numbers().map(Ask::Exactly))
        .chain(numbers().map(Ask::Peek))
        .collect();
    for ask in &bounded {
        for cap in 0..=len {
            add(ask, usize::MAX, cap);
        }
    }
    for ask in bounded.into_iter().chain(numbers().map(Ask::UpTo)) {
        for limit in limits(len / 2) {
            add(&ask, limit, UNCAPPED);
        }
    }
    cases
}

/// Those requests that the limit is for.
fn searches(len: usize) -> Vec<Case> {
    let mut asks = vec![(1, Ask::Line)];
    for longest in 1..=LONGEST {
        for_every_needle(longest, |needle| {
            asks.push((longest, Ask::until(&[needle])))
        });
    }
    for_every_pair(|one, other| {
        let shortest = one.len().min(other.len());
        asks.push((shortest, Ask::until(&[one, other])));
    });
    for (shortest, sets) in SETS {
        asks.extend(sets.iter().map(|set| (shortest, Ask::until(set))));
    }
    let with_limits = asks.into_iter().flat_map(|(shortest, ask)| {
        // None is found behind so many bytes.
        limits(len.saturating_sub(shortest)).map(move |limit| Case {
            ask: ask.clone(),
            limit,
            cap: UNCAPPED,
        })
    });
    with_limits.collect()
}

/// Those up to the first that cannot be exceeded, and the largest there is.
fn limits(enough: usize) -> impl Iterator<Item = usize> {
    (1..=enough).chain([usize::MAX])
}

fn for_every_needle(len: usize, mut with: impl FnMut(&str)) {
    for_every_input(ALPHABET, len, |needle| {
        with(std::str::from_utf8(needle).expect("the alphabet is ASCII"));
    });
}

/// Every set of two needles of at most two bytes.
fn for_every_pair(mut with: impl FnMut(&str, &str)) {
    let mut needles = Vec::new();
    for len in 1..=2 {
        for_every_needle(len, |needle| needles.push(needle.to_owned()));
    }
    for (n, one) in needles.iter().enumerate() {
        for other in &needles[..n] {
            with(one, other);
        }
    }
}

/// How many cases there have to be with inputs of `n` bytes, by another way of counting.
fn expected(n: u64) -> u64 {
    let inputs = 3_u64.pow(n as u32);
    let cuts = 1 << n.saturating_sub(1);
    let ends = 3;
    let limits = |enough: u64| enough + 1;
    let behind = |shortest| limits(n.saturating_sub(shortest));
    let line = behind(1);
    let needles = 3 * behind(1) + 9 * behind(2) + 27 * behind(3) + 81 * behind(4);
    // Of the 12 needles, 3 have one byte: 3 pairs of them, and 27 with one of the others.
    let pairs = 30 * behind(1) + 36 * behind(2);
    let sets = 3 * behind(1) + 4 * behind(2) + 3 * behind(3);
    let numbers = n + 2;
    let capped = (1 + 2 * numbers) * (n + 1);
    let paused = (1 + 3 * numbers) * limits(n / 2);
    inputs * cuts * ends * (line + needles + pairs + sets + capped + paused)
}

#[test]
fn every_input_with_every_request_and_every_end() {
    let len = env::var("MILLPOND_EXHAUSTIVE").map_or(LEN, |len| len.parse().expect("a length"));
    let started = Instant::now();
    let expected: u64 = (0..=len as u64).map(expected).sum();
    let progress = progress_bar(expected);
    let tried: u64 = (0..=len).map(|len| try_every_input(len, &progress)).sum();
    progress.finish_and_clear();
    assert_eq!(tried, expected, "cases were left out");
    let seconds = started.elapsed().as_secs_f64();
    let rate = tried as f64 / seconds;
    println!("{tried} cases, inputs of up to {len} bytes: {seconds:.1} s, {rate:.0} a second");
}

fn progress_bar(count: u64) -> ProgressBar {
    let template = "{bar:40} {human_pos} of {human_len} cases, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("it is well-formed");
    ProgressBar::new(count).with_style(style)
}

/// How many cases were tried.
fn try_every_input(len: usize, progress: &ProgressBar) -> u64 {
    let cases = cases(len);
    let mut inputs = Vec::new();
    for_every_input(ALPHABET, len, |input| inputs.push(input.to_vec()));
    let inputs = Mutex::new(inputs);
    let next = || inputs.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work = || {
        let mut tried = 0;
        while let Some(input) = next() {
            let done = panic::catch_unwind(|| try_cases(&input, &cases));
            let done = done.unwrap_or_else(|panic| {
                while next().is_some() {} // for the others to end, too
                panic::resume_unwind(panic)
            });
            progress.inc(done);
            tried += done;
        }
        tried
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let tried = workers.into_iter().map(|worker| match worker.join() {
            Ok(tried) => tried,
            Err(panic) => panic::resume_unwind(panic),
        });
        tried.sum()
    })
}

fn try_cases(input: &[u8], cases: &[Case]) -> u64 {
    let mut tried = 0;
    for Case { ask, limit, cap } in cases {
        let asks = std::slice::from_ref(ask);
        for (end, manner, count) in ENDS {
            let conversation = Conversation::new(input, end, *limit, *cap, asks);
            for_every_cut(input.len(), |cuts| {
                if let Ask::UpTo(_) = ask {
                    // The one whose answer depends on the cut.
                    Conversation::with_cuts(input, cuts, end, *limit, *cap, asks)
                        .replay(cuts, manner);
                } else {
                    conversation.replay(cuts, manner);
                }
                tried += count;
            });
        }
    }
    tried
}
