//! Random conversations.

use super::types::{Answer, Kind, Line, Request, Trace};
use crate::data::Random;

/// Random conversations, the same for the same seed on every machine.
///
/// They have every request of asyncio, separators of one to many bytes and sets of them, limits from
/// 1 up, input that is cut anywhere, requests before and after the bytes, repeated and cancelled,
/// and ends and failures anywhere, sometimes more than one.
///
/// Their requests are all recorded as pending. An interpreter has to answer them.
#[derive(Clone, Debug)]
pub struct Conversations {
    random: Random,
    /// Whether there are sets of separators.
    sets: bool,
}

impl Conversations {
    /// Without sets of separators, which CPython has from 3.13 on.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            sets: false,
        }
    }

    /// With sets of separators, or without.
    #[must_use]
    pub fn with_sets(mut self, sets: bool) -> Self {
        self.sets = sets;
        self
    }
}

impl Iterator for Conversations {
    type Item = Trace;

    fn next(&mut self) -> Option<Trace> {
        let seed = self.random.next();
        Some(Conversation::new(Random::new(seed), self.sets).finish())
    }

    /// There is no end of them.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

/// One that is being made up.
struct Conversation {
    random: Random,
    /// The bytes that occur. Few, so that separators are found, and nearly.
    alphabet: &'static [u8],
    needles: Vec<Vec<u8>>,
    sets: bool,
    limit: usize,
    trace: Trace,
    last: Option<Request>,
    ended: bool,
}

impl Conversation {
    fn new(mut random: Random, sets: bool) -> Self {
        let limit = match random.below(10) {
            0..=5 => 1 + random.below(8),
            6 | 7 => 1 + random.below(40),
            8 => 64 * 1024,
            _ => 1 + random.below(300),
        };
        let alphabet =
            *random.pick(&[b"a\n".as_slice(), b"ab\n", b"ab\r\n", b"\n", b"a\r\n\0\xff"]);
        let longest = *random.pick(&[1, 2, 3, 5, 30]);
        let needles = (0..1 + random.below(5))
            .map(|_| random.bytes(alphabet, 1, longest))
            .collect();
        Self {
            random,
            alphabet,
            needles,
            sets,
            limit,
            trace: Trace::new(limit),
            last: None,
            ended: false,
        }
    }

    fn finish(mut self) -> Trace {
        for _ in 0..1 + self.random.below(24) {
            match self.random.below(20) {
                0..=7 if !self.ended => self.feed(),
                8 if !self.ended || self.random.below(8) == 0 => self.end(),
                9 => self.trace.push(Line::Buffered(Vec::new())),
                10..=14 => self.ask_again(),
                _ => self.ask_anew(),
            }
        }
        if !self.ended && self.random.below(2) == 0 {
            self.end();
        }
        for _ in 0..self.random.below(4) {
            self.ask_again();
        }
        self.trace.push(Line::Buffered(Vec::new()));
        self.trace
    }

    fn feed(&mut self) {
        let most = match self.random.below(8) {
            0 => 0,
            1..=4 => 3,
            5 | 6 => 12,
            _ => 3 * self.limit.min(100) + 10,
        };
        let mut data = self.random.bytes(self.alphabet, 0, most);
        if self.random.below(3) == 0 {
            let needle = self.random.pick(&self.needles).clone();
            let cut = self.random.below(needle.len() + 1);
            data.extend_from_slice(&needle[cut..]);
        }
        self.trace.push(Line::Feed(data));
    }

    fn end(&mut self) {
        self.ended = true;
        let line = match self.random.below(8) {
            0..=5 => Line::FeedEof,
            6 => Line::Fail(Kind::new("ConnectionReset")),
            _ => Line::Fail(Kind::new("BrokenPipe")),
        };
        self.trace.push(line);
    }

    fn ask_again(&mut self) {
        match self.last.clone() {
            Some(request) => self.ask(request),
            None => self.ask_anew(),
        }
    }

    fn ask_anew(&mut self) {
        let request = match self.random.below(12) {
            0..=4 => Request::Until(self.separators()),
            5..=7 => Request::Line,
            8 | 9 => Request::Exactly(self.number()),
            10 => Request::UpTo(self.number()),
            _ => Request::ToEof,
        };
        self.ask(request);
    }

    fn ask(&mut self, request: Request) {
        self.last = Some(request.clone());
        self.trace.push(Line::Ask(request, Answer::Pending));
    }

    fn separators(&mut self) -> Vec<Vec<u8>> {
        let count = if self.sets {
            1 + self.random.below(4)
        } else {
            1
        };
        (0..count)
            .map(|_| self.random.pick(&self.needles).clone())
            .collect()
    }

    fn number(&mut self) -> usize {
        match self.random.below(4) {
            0 => self.random.below(3),
            1 => 2 * self.limit.min(50) + self.random.below(3),
            _ => self.random.below(20),
        }
    }
}

impl Random {
    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn bytes(&mut self, alphabet: &[u8], least: usize, most: usize) -> Vec<u8> {
        let len = least + self.below(most - least + 1);
        (0..len).map(|_| *self.pick(alphabet)).collect()
    }
}
