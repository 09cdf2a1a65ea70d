//! What is true after any sequence of operations, on both halves.

#[path = "support/act.rs"]
mod act;
#[path = "support/operate.rs"]
mod operate;
mod support;

use std::collections::VecDeque;

use act::{Act, WATERMARKS, WriterModel, act, assert_same, writer_and_model};
use bytes::Bytes;
use millpond_core::{Event, Reader, Request, Status, Transmit, TransportError, Writer};
use operate::{Op, Outcome, Pausing, commit, operate, operate_model, reset};
use proptest::{collection::vec, prelude::*, sample::select};
use support::{Answer, Ask, End, Model, poll};

const UNCAPPED: usize = usize::MAX;

/// The most that one read may ask for.
const BLOCK: usize = 64 * 1024;

/// Calls `check` after each operation that the stream allows in its state.
fn run(
    reader: &mut Reader,
    ops: &[Op],
    error: &TransportError,
    mut check: impl FnMut(&mut Reader, &Op, &Outcome),
) {
    for op in ops {
        if matches!(op, Op::Commit(_) | Op::Feed(_) | Op::Scribble) && !reader.is_open() {
            continue;
        }
        let outcome = operate(reader, op, error);
        check(reader, op, &outcome);
    }
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let separators: [&[&str]; 9] = [
        &["\n"],
        &["b"],
        &["\r\n"],
        &["aab"],
        &["abab"],
        &["bbbbbbbbb"],
        &["\r\n", "\n"],
        &["ab\n", "bb", "aa\r"],
        &["a\nb", "ab", "aabb"],
    ];
    prop_oneof![
        2 => prop_oneof![0_usize..60, Just(usize::MAX)].prop_map(Ask::Exactly),
        4 => Just(Ask::Line),
        1 => prop_oneof![0_usize..60, Just(usize::MAX)].prop_map(Ask::Peek),
        1 => Just(Ask::ToEof),
        6 => select(separators.to_vec()).prop_map(Ask::until),
        1 => (0_usize..60).prop_map(Ask::UpTo),
    ]
}

fn any_offset() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 0_usize..40, 1 => 0_usize..400, 1 => Just(usize::MAX)]
}

/// Few letters, so that separators and near misses abound.
fn small_data() -> BoxedStrategy<Vec<u8>> {
    vec(select(b"aabbb\r\n".to_vec()), 0..50).boxed()
}

/// Small pieces and, now and then, one larger than any block.
fn all_sizes_of_data() -> BoxedStrategy<Vec<u8>> {
    let large = (1_000_usize..150_000, any::<u8>()).prop_map(|(len, seed)| {
        let numbers = (0..len).map(|i| (i / 7) as u8 ^ seed);
        numbers.collect()
    });
    prop_oneof![6 => small_data(), 1 => large].boxed()
}

fn any_op(data: impl Fn() -> BoxedStrategy<Vec<u8>>) -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => data().prop_map(Op::Feed),
        12 => data().prop_map(Op::Commit),
        16 => any_ask().prop_map(Op::Poll),
        8 => (any_offset(), any_ask()).prop_map(|(offset, ask)| Op::PollAt(offset, ask)),
        4 => any::<usize>().prop_map(Op::Take),
        4 => any::<usize>().prop_map(Op::Consume),
        4 => any::<usize>().prop_map(Op::Lend),
        4 => Just(Op::PollEvent),
        2 => Just(Op::Scribble),
        2 => Just(Op::Shrink),
        1 => Just(Op::Leftover),
        1 => Just(Op::Eof),
        1 => Just(Op::Fail),
    ]
}

fn ops(data: impl Fn() -> BoxedStrategy<Vec<u8>>) -> impl Strategy<Value = Vec<Op>> {
    vec(any_op(data), 1..80)
}

fn ops_and_other_limits() -> impl Strategy<Value = Vec<Op>> {
    let limit = prop_oneof![3 => small_limit(), 1 => Just(usize::MAX)];
    let op = prop_oneof![8 => any_op(small_data), 1 => limit.prop_map(Op::SetLimit)];
    vec(op, 1..80)
}

fn small_limit() -> impl Strategy<Value = usize> {
    select(vec![1, 2, 3, 7, 20, 60, 200])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn answers_are_those_of_the_plain_rules(
        limit in small_limit(),
        ops in ops_and_other_limits(),
    ) {
        let mut reader = Reader::with_limit(limit);
        let mut model = Model::new(limit, UNCAPPED);
        run(&mut reader, &ops, &reset(), |reader, op, outcome| {
            operate_model(&mut model, op, outcome);
            assert_eq!(reader.buffered(), model.data);
        });
        let parts = reader.into_parts();
        assert_eq!(parts.leftover, model.data);
        assert_eq!(parts.eof, model.end == End::Eof);
        assert_eq!(parts.error.is_some(), model.end == End::Failed);
        assert_eq!(parts.skipping_line, model.skipping);
        assert_eq!((parts.limit, parts.cap), (model.limit, None));
    }

    /// Whatever is taken, handed over, skipped and left is what was fed, in order.
    #[test]
    fn no_byte_is_lost_or_invented_or_moved(limit in small_limit(), ops in ops(all_sizes_of_data)) {
        let mut reader = Reader::with_limit(limit);
        let mut fed = Vec::new();
        let mut gone = 0;
        let mut skipping = false;
        run(&mut reader, &ops, &reset(), |reader, op, outcome| {
            match (op, outcome) {
                (Op::Feed(data) | Op::Commit(data), _) => fed.extend_from_slice(data),
                (_, Outcome::Removed(bytes))
                | (_, Outcome::Answer(Some(Answer::Incomplete { partial: bytes, .. }))) => {
                    assert_eq!(*bytes, fed[gone..gone + bytes.len()]);
                    gone += bytes.len();
                }
                (Op::Poll(Ask::Line), Outcome::Answer(Some(Answer::Overrun { .. }))) => {
                    skipping = true;
                }
                _ => {}
            }
            if skipping {
                let newline = fed[gone..].iter().position(|byte| *byte == b'\n');
                gone = newline.map_or(fed.len(), |at| gone + at + 1);
                skipping = newline.is_none();
            }
            assert_eq!(reader.buffered(), &fed[gone..]);
        });
    }

    #[test]
    fn reading_is_paused_above_twice_the_limit_until_the_limit(
        limit in small_limit(),
        ops in ops_and_other_limits(),
    ) {
        let mut reader = Reader::with_limit(limit);
        let mut pausing = Pausing::new(limit);
        run(&mut reader, &ops, &reset(), |reader, op, outcome| {
            pausing.after(op, outcome, reader.buffered().len());
            assert_eq!(reader.wants_read(), reader.is_open() && !pausing.is_paused());
            if let Outcome::Answer(None) | Outcome::Looked(None) = outcome {
                assert!(reader.wants_read() || !reader.is_open(), "a reader that waits is fed");
            }
        });
    }

    /// A transport that follows the last event agrees with one that asks for the level.
    #[test]
    fn pausing_and_resuming_alternate_and_agree_with_the_level(
        limit in small_limit(),
        ops in ops(small_data),
    ) {
        let mut reader = Reader::with_limit(limit);
        let mut paused = false;
        let follow = |event, paused: &mut bool| {
            match event {
                Some(Event::PauseReading) => assert!(!std::mem::replace(paused, true)),
                Some(Event::ResumeReading) => assert!(std::mem::replace(paused, false)),
                Some(other) => panic!("{other:?} from a reader"),
                None => {}
            }
        };
        run(&mut reader, &ops, &reset(), |reader, _, outcome| {
            if let Outcome::Event(event) = outcome {
                follow(*event, &mut paused);
                assert_eq!(reader.wants_read(), reader.is_open() && !paused);
                assert_eq!(reader.poll_event(), None, "nothing has changed since");
            }
        });
        follow(reader.poll_event(), &mut paused);
        assert_eq!(reader.wants_read(), reader.is_open() && !paused);
    }

    #[test]
    fn the_first_end_is_the_one_that_counts(limit in small_limit(), ops in ops(small_data)) {
        let mut reader = Reader::with_limit(limit);
        let mut end = End::Open;
        let error = reset();
        run(&mut reader, &ops, &error, |reader, op, _| {
            match (end, op) {
                (End::Open, Op::Eof) => end = End::Eof,
                (End::Open, Op::Fail) => end = End::Failed,
                // It is ignored, like any later one.
                (End::Failed, _) => reader.fail(reset()),
                _ => {}
            }
            assert_eq!(reader.is_open(), end == End::Open);
            assert_eq!(reader.at_eof(), end == End::Eof && reader.buffered().is_empty());
            assert_eq!(reader.error(), Some(&error).filter(|_| end == End::Failed));
        });
    }

    /// Asking for no more than there is gives it, whatever has happened to the transport.
    #[test]
    fn data_comes_before_the_end_and_before_the_failure(
        limit in small_limit(),
        ops in ops(small_data),
    ) {
        let mut reader = Reader::with_limit(limit);
        run(&mut reader, &ops, &reset(), |reader, _, _| {
            let len = reader.buffered().len();
            if len > 0 {
                assert_eq!(reader.poll(Request::UpTo(usize::MAX)), Ok(Status::Ready(len)));
                assert_eq!(reader.poll(Request::Exactly(len)), Ok(Status::Ready(len)));
                assert_eq!(reader.poll(Request::Peek(len)), Ok(Status::Ready(len)));
                if !reader.is_open() {
                    assert_eq!(reader.poll(Request::Peek(len + 1)), Ok(Status::Ready(len)));
                }
            }
        });
    }

    /// Memory follows what is buffered and what was fed last, and comes back.
    #[test]
    fn memory_is_bounded_by_what_is_buffered(ops in ops(all_sizes_of_data)) {
        let mut reader = Reader::new();
        let mut most = 0;
        run(&mut reader, &ops, &reset(), |reader, op, _| {
            let len = reader.buffered().len();
            if let Op::Feed(data) | Op::Commit(data) = op {
                most = most.max(len).max(data.len());
            }
            let bound = if let Op::Shrink = op {
                most = len;
                if len == 0 { 0 } else { 4 * len + 8 * 1024 }
            } else {
                4 * most + BLOCK + 1024
            };
            let memory = reader.capacity();
            assert!((len..=bound).contains(&memory), "{memory} for {len}, at most {bound}");
        });
        reader.leftover();
        reader.shrink();
        assert_eq!(reader.capacity(), 0);
    }

    #[test]
    fn a_transport_that_heeds_the_back_pressure_makes_a_reader_hold_little(
        limit in small_limit(),
        pieces in vec(small_data(), 1..60),
        asks in vec(any_ask(), 1..20),
    ) {
        let mut reader = Reader::with_limit(limit);
        let mut asks = asks.iter().filter(|ask| matches!(ask, Ask::Line | Ask::Until(_))).cycle();
        let longest = pieces.iter().map(Vec::len).max().unwrap_or(0);
        for piece in &pieces {
            if reader.wants_read() {
                reader.feed(piece);
            }
            let bound = (2 * limit).max(limit + "bbbbbbbbb".len()) + longest;
            assert!(reader.buffered().len() <= bound);
            if let Some(Answer::Found(n)) = asks.next().and_then(|ask| poll(&mut reader, ask.request())) {
                reader.consume(n);
            }
        }
    }

    #[test]
    fn reading_some_at_a_time_gives_everything(
        pieces in vec(small_data(), 0..20),
        sizes in vec(1_usize..60, 1..10),
    ) {
        let mut reader = Reader::new();
        let mut read = Vec::new();
        let mut left = pieces.iter();
        for n in sizes.iter().cycle() {
            match reader.poll(Request::UpTo(*n)) {
                Ok(Status::Ready(0)) => break,
                Ok(Status::Ready(some)) => read.extend_from_slice(reader.lend(some)),
                Ok(Status::NeedData) => match left.next() {
                    Some(piece) => reader.feed(piece),
                    None => reader.feed_eof(),
                },
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(read, pieces.concat());
    }
}

#[test]
fn an_empty_piece_does_not_pause_a_reader_that_someone_waits_for() {
    let nothing: [fn(&mut Reader); 2] = [|reader| reader.feed(b""), |reader| reader.commit(0)];
    for nothing in nothing {
        let mut reader = Reader::with_limit(1);
        reader.feed(b"abc");
        assert_eq!(reader.poll(Request::Exactly(4)), Ok(Status::NeedData));
        nothing(&mut reader);
        assert!(reader.wants_read());
    }
}

#[test]
fn a_new_reader_holds_no_memory_whatever_is_asked() {
    let mut reader = Reader::new();
    for request in [
        Request::Exactly(usize::MAX),
        Request::Line,
        Request::Peek(usize::MAX),
        Request::ToEof,
        Request::UpTo(usize::MAX),
    ] {
        assert_eq!(reader.poll(request), Ok(Status::NeedData));
    }
    assert_eq!(reader.capacity(), 0);
}

#[test]
fn waiting_for_very_much_costs_what_has_arrived() {
    let mut reader = Reader::new();
    reader.feed(b"abc");
    assert_eq!(
        reader.poll(Request::Exactly(usize::MAX)),
        Ok(Status::NeedData)
    );
    assert!(reader.capacity() < 1024);
}

#[test]
fn a_line_that_is_skipped_costs_one_block_however_long_it_is() {
    let mut reader = Reader::with_limit(10);
    for round in 0..1000 {
        commit(&mut reader, &[b'a'; 1000]);
        let answer = poll(&mut reader, Request::Line);
        assert_eq!(answer.is_some(), round == 0, "it is reported once");
        assert!(reader.capacity() <= BLOCK + 1024);
    }
}

#[test]
fn the_room_grows_to_one_block_while_reads_fill_it() {
    let mut reader = Reader::new();
    let first = reader.spare().len();
    assert!((4 * 1024..BLOCK / 2).contains(&first));
    for _ in 0..20 {
        let room = reader.spare().len();
        reader.commit(room);
        reader.leftover();
    }
    assert!((BLOCK..=BLOCK + 1024).contains(&reader.spare().len()));
}

/// A front that moves through the buffer must not drag ever more memory along.
#[test]
fn a_long_stream_through_a_short_buffer_stays_in_one_block() {
    let mut reader = Reader::new();
    for round in 0..2000 {
        commit(&mut reader, &[b'a'; 997]);
        let keep = round % 500;
        let n = reader.buffered().len() - keep.min(reader.buffered().len());
        if round % 2 == 0 {
            reader.consume(n);
        } else {
            reader.take(n);
        }
        assert!(reader.capacity() <= BLOCK + 1024);
    }
}

/// What is left after a `take` would keep the whole block alive.
#[test]
fn shrinking_lets_go_of_a_large_block_of_which_nearly_all_was_taken() {
    let mut reader = Reader::new();
    reader.feed(&[b'a'; 1_000_000]);
    let taken = reader.take(999_999);
    reader.shrink();
    assert!(taken.is_unique());
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let len = || {
        prop_oneof![
            1 => Just(0_usize),
            8 => 1_usize..60,
            1 => 8190_usize..8195,
            1 => 20_000_usize..20_010,
        ]
    };
    let act = prop_oneof![
        10 => len().prop_map(Act::Write),
        10 => len().prop_map(Act::WriteBytes),
        8 => any::<usize>().prop_map(Act::Sent),
        4 => Just(Act::SentChunk),
        4 => (len(), len()).prop_map(|(low, more)| Act::SetWatermarks(low, more)),
        4 => Just(Act::PollEvent),
        4 => Just(Act::Ended),
        1 => Just(Act::Eof),
        1 => Just(Act::Close),
        1 => Just(Act::Abort),
        1 => Just(Act::Fail),
    ];
    vec(act, 1..60)
}

fn watermarks() -> impl Strategy<Value = (usize, usize)> {
    select(WATERMARKS.to_vec())
}

fn caps() -> impl Strategy<Value = Option<usize>> {
    let cap = |cap| Just(Some(cap));
    prop_oneof![6 => Just(None), 1 => cap(0), 3 => cap(60), 3 => cap(8_200), 3 => cap(30_000)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_writer_does_what_its_plain_model_does(
        watermarks in watermarks(),
        cap in caps(),
        acts in acts(),
    ) {
        let (mut writer, mut model) = writer_and_model(watermarks, cap);
        for one in &acts {
            act(&mut writer, &mut model, one);
            assert_same(&mut writer, &mut model);
        }
    }

    #[test]
    fn whatever_is_asked_twice_at_once_is_done_once(
        watermarks in watermarks(),
        cap in caps(),
        acts in acts(),
    ) {
        let (mut writer, mut model) = writer_and_model(watermarks, cap);
        for one in &acts {
            act(&mut writer, &mut model, one);
            match one {
                Act::Abort => drop(writer.abort()),
                Act::Close => writer.close(),
                Act::Eof => writer.write_eof(),
                Act::Fail => drop(writer.fail(reset())),
                Act::Sent(_) | Act::SentChunk => drop(writer.sent(0)),
                Act::SetWatermarks(..) => writer.set_watermarks(model.low, model.high),
                Act::Write(_) | Act::WriteBytes(_) => {
                    assert_eq!(writer.write(b""), model.writable());
                    assert_eq!(writer.write_bytes(Bytes::new()), model.writable());
                }
                Act::Ended | Act::PollEvent => {}
            }
            assert_same(&mut writer, &mut model);
        }
    }

    #[test]
    fn pausing_and_resuming_writing_alternate_and_agree_with_the_level(
        watermarks in watermarks(),
        cap in caps(),
        acts in acts(),
    ) {
        let (mut writer, mut model) = writer_and_model(watermarks, cap);
        let mut paused = false;
        for one in acts.iter().chain([&Act::PollEvent]) {
            act(&mut writer, &mut model, one);
            if let Act::PollEvent = one {
                match writer.poll_event() {
                    Some(Event::PauseWriting) => assert!(!std::mem::replace(&mut paused, true)),
                    Some(Event::ResumeWriting) => assert!(std::mem::replace(&mut paused, false)),
                    Some(other) => panic!("{other:?} from a writer"),
                    None => {}
                }
                assert_eq!(writer.is_paused(), paused);
                assert_eq!(writer.poll_event(), None, "nothing has changed since");
            }
        }
    }

    /// A transport that does what the writer asks gets every byte, and the end.
    #[test]
    fn everything_written_before_the_close_is_sent_before_it(
        acts in acts(),
        taken in vec(1_usize..30_000, 1..5),
    ) {
        let mut writer = Writer::new();
        let mut model = WriterModel::new(0, usize::MAX, None);
        let quiet = |act: &&Act| matches!(act, Act::Write(_) | Act::WriteBytes(_));
        for one in acts.iter().filter(quiet) {
            act(&mut writer, &mut model, one);
        }
        writer.close();
        let mut wire = Vec::new();
        let mut taken = taken.iter().cycle();
        while let Some(step) = writer.poll_transmit() {
            match step {
                Transmit::Data(data) => {
                    assert!(!data.is_empty(), "an empty step would be repeated for ever");
                    let n = data.len().min(*taken.next().unwrap_or(&1));
                    wire.extend_from_slice(&data[..n]);
                    writer.sent(n);
                }
                Transmit::Close => writer.ended(),
                Transmit::Abort | Transmit::Shutdown => panic!("{step:?} was not asked for"),
            }
        }
        assert_eq!(VecDeque::from(wire), model.queue);
        assert!(writer.is_closed());
    }
}
