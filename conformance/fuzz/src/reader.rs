//! A reader beside its plain model.

use std::mem;

use millpond_core::{Event, Reader};

use crate::{
    input::Input,
    operate::{Op, Outcome, Pausing, operate, operate_model, reset},
    support::{Answer, Ask, End, Model},
};

/// So many operations; more only take time.
const MOST_OPS: usize = 200;

/// Nothing is fed while more is buffered, which would only take time.
const MOST_BUFFERED: usize = 70_000;

/// The largest block that a reader reads into, and what allocating it may round up to.
const BLOCK: usize = 64 * 1024 + 1024;

/// The byte for a look behind the front. All others are as they were when the corpus was made.
const LOOK_BEHIND: u8 = 255;

/// Does to a reader what the bytes say, in any order. After each operation it has answered what the
/// model answers, holds the same bytes, and is paused if it should be.
///
/// # Panics
///
/// If it does not.
pub fn reader(data: &[u8]) {
    let mut input = Input::new(data);
    let limit = any_limit(&mut input);
    let cap = input.one_of(&[usize::MAX, 0, 1, 10, 100]);
    let mut checked = Checked {
        reader: Reader::with_limit(limit).with_cap(cap),
        model: Model::new(limit, cap),
        pausing: Pausing::new(limit),
        seen_paused: false,
        most: 0,
    };
    let error = reset();
    for _ in 0..MOST_OPS {
        if input.is_used_up() {
            break;
        }
        let op = any_op(&mut input);
        let feeds = matches!(op, Op::Commit(_) | Op::Feed(_) | Op::Scribble);
        if feeds && !checked.takes_more() {
            continue;
        }
        let outcome = operate(&mut checked.reader, &op, &error);
        checked.after(&op, &outcome);
    }
    checked.at_last();
}

fn any_limit(input: &mut Input<'_>) -> usize {
    input.one_of(&[1, 2, 3, 7, 20, 60, 200, 64 * 1024, usize::MAX])
}

fn any_op(input: &mut Input<'_>) -> Op {
    let byte = input.byte();
    match byte % 16 {
        _ if byte == LOOK_BEHIND => Op::PollAt(input.below(64), any_ask(input)),
        0..=2 => Op::Feed(any_data(input)),
        3..=5 => Op::Commit(any_data(input)),
        6..=8 => Op::Poll(any_ask(input)),
        9 => match input.below(4) {
            0 => Op::Take(input.below(1 << 16)),
            1 => Op::Consume(input.below(1 << 16)),
            2 => Op::Lend(input.below(1 << 16)),
            _ => Op::Leftover,
        },
        10 => Op::Take(input.below(32)),
        11 => Op::Consume(input.below(32)),
        12 => Op::PollEvent,
        13 => input.one_of(&[Op::Scribble, Op::Shrink]),
        14 => Op::SetLimit(any_limit(input)),
        _ => input.one_of(&[Op::Eof, Op::Fail]),
    }
}

/// Few letters, so that separators and near misses abound; now and then more than a block holds.
fn any_data(input: &mut Input<'_>) -> Vec<u8> {
    const LETTERS: &[u8] = b"ab\r\n";
    match input.below(16) {
        0 => input.bytes(64, b""),
        1 => input.bytes(2, LETTERS).repeat(1 + input.below(20_000)),
        2..=8 => input.bytes(4, LETTERS),
        _ => input.bytes(40, LETTERS),
    }
}

fn any_ask(input: &mut Input<'_>) -> Ask {
    let separators: [&[&str]; 10] = [
        &["\n"],
        &["b"],
        &["\r\n"],
        &["\r", "b"],
        &["aab"],
        &["abab"],
        &["bbbbbbbbb"],
        &["\r\n", "\n"],
        &["ab\n", "bb", "aa\r"],
        &["a\nb", "ab", "aabb"],
    ];
    match input.below(8) {
        0 => Ask::Exactly(any_number(input)),
        1 | 2 => Ask::Line,
        3 => Ask::Peek(any_number(input)),
        4 => Ask::ToEof,
        5 | 6 => Ask::until(input.one_of(&separators)),
        _ => Ask::UpTo(any_number(input)),
    }
}

fn any_number(input: &mut Input<'_>) -> usize {
    match input.below(4) {
        0 => usize::MAX - input.below(2),
        1 => input.below(1 << 16),
        _ => input.below(60),
    }
}

/// The reader, and what is expected of it.
struct Checked {
    reader: Reader,
    model: Model,
    pausing: Pausing,
    /// The state of a transport that sees only changes.
    seen_paused: bool,
    /// The most that was buffered or fed at once since memory was given back.
    most: usize,
}

impl Checked {
    fn takes_more(&self) -> bool {
        self.reader.is_open() && self.reader.buffered().len() < MOST_BUFFERED
    }

    fn after(&mut self, op: &Op, outcome: &Outcome) {
        operate_model(&mut self.model, op, outcome);
        let Self { reader, model, .. } = self;
        assert_eq!(reader.buffered(), model.data, "after {op:?}");
        assert_eq!(reader.limit(), model.limit);
        assert_eq!(reader.is_open(), model.end == End::Open);
        assert_eq!(
            reader.at_eof(),
            model.end == End::Eof && model.data.is_empty()
        );
        assert_eq!(reader.error().is_some(), model.end == End::Failed);
        self.check_pausing(op, outcome);
        self.check_memory(op, outcome);
    }

    fn check_pausing(&mut self, op: &Op, outcome: &Outcome) {
        let reader = &self.reader;
        self.pausing.after(op, outcome, reader.buffered().len());
        let paused = self.pausing.is_paused();
        assert_eq!(reader.wants_read(), reader.is_open() && !paused, "{op:?}");
        if let Outcome::Event(event) = outcome {
            self.follow(*event);
        }
    }

    fn follow(&mut self, event: Option<Event>) {
        let paused = &mut self.seen_paused;
        match event {
            Some(Event::PauseReading) => assert!(!mem::replace(paused, true), "paused twice"),
            Some(Event::ResumeReading) => assert!(mem::replace(paused, false), "resumed twice"),
            Some(other) => panic!("{other:?} from a reader"),
            None => {}
        }
        assert_eq!(*paused, self.pausing.is_paused());
    }

    /// Memory follows what is buffered and what was fed last.
    fn check_memory(&mut self, op: &Op, outcome: &Outcome) {
        let len = self.reader.buffered().len();
        if let Op::Feed(data) | Op::Commit(data) = op {
            self.most = self.most.max(len).max(data.len());
        }
        let mut bound = 4 * self.most + BLOCK;
        if let Op::Shrink = op {
            self.most = len;
            bound = if len == 0 { 0 } else { 4 * len + 8 * 1024 };
        }
        let capacity = self.reader.capacity();
        assert!(capacity <= bound, "{capacity} bytes for {len} after {op:?}");
        if let Outcome::Answer(Some(Answer::Overrun { consumed })) = outcome {
            assert_eq!(*consumed, self.model.limit + 1);
        }
    }

    fn at_last(mut self) {
        let event = self.reader.poll_event();
        self.follow(event);
        let parts = self.reader.into_parts();
        assert_eq!(parts.leftover, self.model.data);
        assert_eq!(parts.eof, self.model.end == End::Eof);
        assert_eq!(parts.error.is_some(), self.model.end == End::Failed);
        assert_eq!(parts.skipping_line, self.model.skipping);
        assert_eq!(parts.limit, self.model.limit);
        assert_eq!(parts.cap.unwrap_or(usize::MAX), self.model.cap);
    }
}
