//! What can happen to a reader, done to it and to its plain model.

use millpond_core::{Event, Reader, TransportError};

use super::support::{Answer, Ask, End, Model, answer, poll};

/// Something that happens to a reader.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Commit(Vec<u8>),
    Consume(usize),
    Eof,
    Fail,
    Feed(Vec<u8>),
    Leftover,
    Lend(usize),
    Poll(Ask),
    PollAt(usize, Ask),
    PollEvent,
    /// Writes into the spare room and commits nothing.
    Scribble,
    SetLimit(usize),
    Shrink,
    Take(usize),
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answer(Option<Answer>),
    Done,
    Event(Option<Event>),
    /// An answer that has removed nothing.
    Looked(Option<Answer>),
    Removed(Vec<u8>),
}

/// Does it; lengths are cut down to what is there.
pub(crate) fn operate(reader: &mut Reader, op: &Op, error: &TransportError) -> Outcome {
    let at_most = |n: &usize, reader: &Reader| n % (reader.buffered().len() + 1);
    match op {
        Op::Commit(data) => commit(reader, data),
        Op::Consume(n) => {
            let n = at_most(n, reader);
            let front = reader.buffered()[..n].to_vec();
            reader.consume(n);
            return Outcome::Removed(front);
        }
        Op::Eof => reader.feed_eof(),
        Op::Fail => reader.fail(error.clone()),
        Op::Feed(data) => reader.feed(data),
        Op::Leftover => return Outcome::Removed(reader.leftover().to_vec()),
        Op::Lend(n) => return Outcome::Removed(reader.lend(at_most(n, reader)).to_vec()),
        Op::Poll(ask) => return Outcome::Answer(poll(reader, ask.request())),
        Op::PollAt(offset, ask) => {
            let polled = reader.poll_at(*offset, ask.request());
            return Outcome::Looked(answer(reader, polled));
        }
        Op::PollEvent => return Outcome::Event(reader.poll_event()),
        Op::Scribble => reader.spare().fill(b'\n'),
        Op::SetLimit(limit) => reader.set_limit(*limit),
        Op::Shrink => reader.shrink(),
        Op::Take(n) => return Outcome::Removed(reader.take(at_most(n, reader)).to_vec()),
    }
    Outcome::Done
}

/// As a socket does it: as much as there is room for, until nothing is left.
pub(crate) fn commit(reader: &mut Reader, mut data: &[u8]) {
    while !data.is_empty() {
        let spare = reader.spare();
        assert!(!spare.is_empty(), "there is always room to read into");
        let n = data.len().min(spare.len());
        spare[..n].copy_from_slice(&data[..n]);
        spare[n..].fill(b'\n');
        reader.commit(n);
        data = &data[n..];
    }
}

pub(crate) fn reset() -> TransportError {
    TransportError::new("reset")
}

/// What the application and the transport do, done to the model.
pub(crate) fn operate_model(model: &mut Model, op: &Op, outcome: &Outcome) {
    match (op, outcome) {
        (Op::Feed(data) | Op::Commit(data), _) => model.feed(data),
        (Op::Eof, _) if model.end == End::Open => model.end = End::Eof,
        (Op::Fail, _) if model.end == End::Open => model.end = End::Failed,
        (Op::SetLimit(limit), _) => model.limit = *limit,
        (Op::Poll(ask), Outcome::Answer(answer)) => assert_eq!(*answer, model.ask(ask)),
        (Op::PollAt(offset, ask), Outcome::Looked(answer)) => {
            assert_eq!(*answer, model.ask_at(*offset, ask), "{op:?}");
        }
        (_, Outcome::Removed(bytes)) => {
            assert_eq!(*bytes, model.data[..bytes.len()]);
            model.data.drain(..bytes.len());
        }
        _ => {}
    }
}

/// Whether reading is paused, by the definition: above twice the limit, until the limit.
pub(crate) struct Pausing {
    limit: usize,
    paused: bool,
}

impl Pausing {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            paused: false,
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(crate) fn after(&mut self, op: &Op, outcome: &Outcome, buffered: usize) {
        if let Op::SetLimit(limit) = op {
            self.limit = *limit;
        }
        match (op, outcome) {
            (Op::Feed(data) | Op::Commit(data), _) => {
                let is_much = buffered > self.limit.saturating_mul(2);
                self.paused |= is_much && !data.is_empty();
            }
            (_, Outcome::Answer(None) | Outcome::Looked(None)) => self.paused = false,
            (Op::SetLimit(_), _) | (_, Outcome::Removed(_) | Outcome::Answer(Some(_))) => {
                self.paused &= buffered > self.limit;
            }
            _ => {}
        }
    }
}
