//! A reader that the program feeds: what goes in comes out, waiting tasks are woken, and no others.

use std::{
    future::Future,
    io::ErrorKind,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};

use futures_lite::future::{block_on, poll_once};
use millpond::{
    Bytes, ReadError, StreamOptions, StreamReader, WriteError,
    error::TransportError,
    fed,
    millpond_core::{DEFAULT_PARSE_CAP, Reader, Status},
    types::Feeder,
};
use proptest::{collection::vec, prelude::*, sample::select};

#[derive(Clone, Debug, Eq, PartialEq)]
enum Ask {
    Exactly(usize),
    Line,
    ToEof,
    Until(&'static str),
    UpTo(usize),
}
use Ask::*;

#[derive(Clone, Debug, Eq, PartialEq)]
enum Answer {
    Data(Vec<u8>),
    Failed(TransportError),
    Incomplete(Vec<u8>),
    Overrun,
}

async fn read(reader: &mut StreamReader, ask: &Ask) -> Answer {
    let answer = match *ask {
        Exactly(n) => reader.read_exactly(n).await,
        Line => reader.read_line().await,
        ToEof => reader.read_to_eof().await,
        Until(separator) => reader.read_until(separator).await,
        UpTo(n) => reader.read(n).await,
    };
    match answer {
        Ok(data) => Answer::Data(data.to_vec()),
        Err(ReadError::Incomplete { partial, .. }) => Answer::Incomplete(partial.to_vec()),
        Err(ReadError::LimitOverrun { .. }) => Answer::Overrun,
        Err(ReadError::Transport(error)) => Answer::Failed(error),
        Err(error) => panic!("nothing else can happen: {error}"),
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Woken {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll<T>(future: Pin<&mut impl Future<Output = T>>, waker: &Waker) -> Poll<T> {
    future.poll(&mut Context::from_waker(waker))
}

/// What CPython's `test_streams.py` asks of a `StreamReader` that is fed.
mod as_in_asyncio {
    use super::*;

    const LINES: &str = "line1\nline2\nline3\n";

    /// The feeds, the reads and their answers, and what is left then.
    struct Case {
        name: &'static str,
        limit: usize,
        feeds: Vec<&'static str>,
        reads: Vec<(Ask, Answer)>,
        rest: &'static str,
    }

    fn data(text: &str) -> Answer {
        Answer::Data(text.into())
    }

    fn case(
        name: &'static str,
        limit: usize,
        feeds: &[&'static str],
        reads: &[(Ask, Answer)],
        rest: &'static str,
    ) -> Case {
        let (feeds, reads) = (feeds.to_vec(), reads.to_vec());
        Case {
            name,
            limit,
            feeds,
            reads,
            rest,
        }
    }

    #[rustfmt::skip]
    fn cases() -> Vec<Case> {
        let aaa = || Until("AAA");
        let partial = |text: &str| Answer::Incomplete(text.into());
        vec![
            case("feed_empty_data", 100, &[""], &[], ""),
            case("feed_nonempty_data", 100, &[LINES], &[], LINES),
            case("read_zero", 100, &[LINES], &[(UpTo(0), data(""))], LINES),
            case("read", 100, &[LINES], &[(UpTo(30), data(LINES))], ""),
            case("read_line_breaks", 100, &["line1", "line2"], &[(UpTo(5), data("line1"))], "line2"),
            case("read_eof", 100, &[], &[(UpTo(1024), data(""))], ""),
            case("read_until_eof", 100, &["chunk1\n", "chunk2"], &[(ToEof, data("chunk1\nchunk2"))], ""),
            case("read_limit", 3, &["chunk"], &[(UpTo(5), data("chunk"))], ""),
            case("readline", 100, &["chunk1 ", "chunk2 ", "chunk3 ", "\n chunk4"],
                &[(Line, data("chunk1 chunk2 chunk3 \n"))], " chunk4"),
            case("readline_limit_with_existing_data", 3, &["li", "ne1\nline2\n"], &[(Line, Answer::Overrun)], "line2\n"),
            case("readline_limit_with_existing_data, no end", 3, &["li", "ne1", "li"], &[(Line, Answer::Overrun)], ""),
            case("readline_limit", 7, &["chunk1", "chunk2", "chunk3\n"], &[(Line, Answer::Overrun)], ""),
            case("readline_limit, next line", 7, &["chunk1", "chunk2\n", "chunk3\n"], &[(Line, Answer::Overrun)], "chunk3\n"),
            case("readline_limit, strict", 7, &["1234567\n", "12345678\n", "12345678"],
                &[(Line, data("1234567\n")), (Line, Answer::Overrun), (Line, Answer::Overrun)], ""),
            case("readline_nolimit_nowait", 100, &["line1\n", "line2\nline3\n"], &[(Line, data("line1\n"))], "line2\nline3\n"),
            case("readline_eof", 100, &["some data"], &[(Line, data("some data"))], ""),
            case("readline_empty_eof", 100, &[], &[(Line, data(""))], ""),
            case("readline_read_byte_count", 100, &[LINES], &[(Line, data("line1\n")), (UpTo(7), data("line2\nl"))], "ine3\n"),
            case("readuntil_multi_chunks", 100, &["lineAAA", "lineAAA", "lineAAAxxx"],
                &[(aaa(), data("lineAAA")), (aaa(), data("lineAAA")), (aaa(), data("lineAAA"))], "xxx"),
            case("readuntil_multi_chunks_1", 100, &["QWEAA", "XYAA", "A", "QWEAA", "XYA", "AA", "AAA", "XAAA", "XXX", "A", "A", "A"],
                &[(aaa(), data("QWEAAXYAAA")), (aaa(), data("QWEAAXYAAA")), (aaa(), data("AAA")), (aaa(), data("XAAA")),
                    (aaa(), data("XXXAAA"))], ""),
            case("readuntil_eof", 100, &["some dataAA"], &[(aaa(), partial("some dataAA"))], ""),
            case("readuntil_limit_found_sep", 3, &["some dataAA", "A"],
                &[(aaa(), Answer::Overrun), (aaa(), Answer::Overrun)], "some dataAAA"),
            case("readexactly_zero_or_less", 100, &[LINES], &[(Exactly(0), data(""))], LINES),
            case("readexactly", 100, &[LINES, LINES, LINES], &[(Exactly(36), data("line1\nline2\nline3\nline1\nline2\nline3\n"))], LINES),
            case("readexactly_limit", 3, &["chunk"], &[(Exactly(5), data("chunk"))], ""),
            case("readexactly_eof", 100, &[LINES], &[(Exactly(36), partial(LINES))], ""),
        ]
    }

    /// With everything fed before, and with a read that waits for each piece and then for the end.
    #[test]
    fn reads_of_what_is_fed_give_the_same() {
        for case in cases() {
            for before in [true, false] {
                let (mut feeder, mut reader) = StreamOptions::new().limit(case.limit).fed();
                let mut feeds = case.feeds.iter();
                if before {
                    feeds
                        .by_ref()
                        .for_each(|data| feeder.feed(data.as_bytes()).unwrap());
                }
                for (ask, expected) in &case.reads {
                    let mut waiting = pin!(read(&mut reader, ask));
                    let answer = loop {
                        match block_on(poll_once(&mut waiting)) {
                            Some(answer) => break answer,
                            None => match feeds.next() {
                                Some(data) => feeder.feed(data.as_bytes()).unwrap(),
                                None => feeder.feed_eof(),
                            },
                        }
                    };
                    assert_eq!(
                        &answer, expected,
                        "{}, {ask:?}, fed before: {before}",
                        case.name
                    );
                }
                let unfed = feeds.copied().collect::<String>();
                let _ = feeder.feed(unfed.as_bytes());
                feeder.feed_eof();
                let rest = block_on(reader.read_to_eof()).unwrap();
                assert_eq!(rest, case.rest, "{}, fed before: {before}", case.name);
            }
        }
    }

    /// `read_exception`, `readline_exception`, `readexactly_exception`, `exception`.
    #[test]
    fn a_failure_is_given_to_every_later_read() {
        let (mut feeder, mut reader) = fed();
        feeder.feed(b"line\n").unwrap();
        assert_eq!(block_on(reader.read(5)).unwrap(), "line\n");
        let error = TransportError::new("pulled");
        feeder.fail(error.clone());
        for ask in [UpTo(2), Line, Exactly(2), Until("x"), ToEof] {
            let answer = block_on(read(&mut reader, &ask));
            assert_eq!(answer, Answer::Failed(error.clone()), "{ask:?}");
        }
    }

    /// `exception_cancel`.
    #[test]
    fn a_failure_after_a_cancelled_read_is_kept_for_the_next() {
        let (mut feeder, mut reader) = fed();
        assert!(block_on(poll_once(reader.read_line())).is_none());
        feeder.fail(TransportError::new("message"));
        let error = block_on(reader.read_line()).unwrap_err();
        assert_eq!(error.to_string(), "the transport failed: message");
    }

    #[test]
    fn at_eof_is_true_behind_the_last_byte() {
        let (mut feeder, mut reader) = fed();
        feeder.feed(b"some data\n").unwrap();
        block_on(reader.read_line()).unwrap();
        assert!(!reader.at_eof());
        feeder.feed(b"some data\n").unwrap();
        feeder.feed_eof();
        assert_eq!(block_on(reader.read_line()).unwrap(), "some data\n");
        assert_eq!(block_on(reader.read_line()).unwrap(), "");
        assert!(reader.at_eof());
    }

    #[test]
    #[should_panic(expected = "the limit of a reader is at least 1 byte")]
    fn a_limit_of_0_panics() {
        let _ = StreamOptions::new().limit(0).fed();
    }
}

/// Something that a source does.
#[derive(Clone, Debug)]
enum Act {
    Drop,
    Eof,
    Fail,
    Feed(Vec<u8>),
    FeedBytes(Vec<u8>),
}

/// A read, and what the source does until it has an answer; if it then has none, it is dropped.
#[derive(Clone, Debug)]
struct Round {
    ask: Ask,
    /// Whether it is dropped after each poll and asked again.
    cancels: bool,
    acts: Vec<Act>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum End {
    Dropped,
    Eof,
    Failed,
    Open,
}

/// What was fed and not read, as one string.
struct Model {
    bytes: Vec<u8>,
    limit: usize,
    end: End,
    failure: TransportError,
    skips_line: bool,
    paused: bool,
}

impl Model {
    fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
            end: End::Open,
            failure: TransportError::new("pulled"),
            skips_line: false,
            paused: false,
        }
    }

    /// Does it, and says whether that is news for a reader.
    fn act(&mut self, feeder: &mut Option<Feeder>, act: &Act) -> bool {
        let Some(source) = feeder else {
            return false;
        };
        let was_open = self.end == End::Open;
        let end = match act {
            Act::Feed(data) => {
                let result = source.feed(data);
                return self.feed(source, result, data);
            }
            Act::FeedBytes(data) => {
                let result = source.feed_bytes(Bytes::from(data.clone()));
                return self.feed(source, result, data);
            }
            Act::Drop => {
                *feeder = None;
                End::Dropped
            }
            Act::Eof => {
                source.feed_eof();
                End::Eof
            }
            Act::Fail => {
                source.fail(self.failure.clone());
                End::Failed
            }
        };
        if was_open {
            self.end = end;
        }
        was_open
    }

    fn feed(&mut self, feeder: &Feeder, result: Result<(), WriteError>, data: &[u8]) -> bool {
        let expected = match self.end {
            End::Open => Ok(()),
            End::Eof => Err(WriteError::Finished),
            End::Failed => Err(WriteError::Transport(self.failure.clone())),
            End::Dropped => unreachable!("the reader is gone"),
        };
        assert_eq!(result, expected);
        if result.is_err() {
            return false;
        }
        self.bytes.extend(data);
        self.skip_line();
        self.paused |= feeder.queued() > 2 * self.limit;
        !data.is_empty()
    }

    fn skip_line(&mut self) {
        if self.skips_line {
            let end = self.bytes.iter().position(|byte| *byte == b'\n');
            self.bytes
                .drain(..end.map_or(self.bytes.len(), |end| end + 1));
            self.skips_line = end.is_none();
        }
    }

    /// `None` if it has to wait. For `UpTo` it is the most that may come.
    fn answer(&self, ask: &Ask) -> Option<Answer> {
        let found = |separator: &str| {
            let mut places = self.bytes.windows(separator.len());
            let start = places.position(|place| place == separator.as_bytes());
            match start {
                Some(start) if start <= self.limit => Some(Ok(start + separator.len())),
                None if self.bytes.len() < self.limit + separator.len() => None,
                Some(_) | None => Some(Err(Answer::Overrun)),
            }
        };
        let found = match *ask {
            Exactly(n) => Some(Ok(n)).filter(|_| n <= self.bytes.len()),
            Line => found("\n"),
            ToEof => None,
            Until(separator) => found(separator),
            UpTo(n) => Some(Ok(n.min(self.bytes.len()))).filter(|n| *n != Ok(0) || *ask == UpTo(0)),
        };
        match (found, &self.end) {
            (Some(Ok(n)), _) => Some(Answer::Data(self.bytes[..n].to_vec())),
            (Some(Err(overrun)), _) => Some(overrun),
            (None, End::Open) => None,
            (None, End::Eof) => Some(match ask {
                Exactly(_) | Until(_) => Answer::Incomplete(self.bytes.clone()),
                Line | ToEof | UpTo(_) => Answer::Data(self.bytes.clone()),
            }),
            (None, End::Failed | End::Dropped) => Some(Answer::Failed(self.failure.clone())),
        }
    }

    fn check(&mut self, ask: &Ask, answer: Option<&Answer>) {
        let expected = self.answer(ask);
        match (answer, &expected) {
            (Some(Answer::Data(some)), Some(Answer::Data(most))) if matches!(ask, UpTo(_)) => {
                assert!(most.starts_with(some) && some.is_empty() == most.is_empty());
            }
            (Some(Answer::Failed(error)), Some(_)) if self.end == End::Dropped => {
                assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
                assert_eq!(error.to_string(), "the feeder was dropped before feed_eof");
            }
            (answer, expected) => assert_eq!(answer, expected.as_ref(), "{ask:?}"),
        }
        match answer {
            Some(Answer::Data(data) | Answer::Incomplete(data)) => {
                drop(self.bytes.drain(..data.len()))
            }
            Some(Answer::Overrun) if matches!(ask, Line) => {
                self.skips_line = true;
                self.skip_line();
            }
            Some(Answer::Overrun | Answer::Failed(_)) | None => {}
        }
    }

    fn check_pause(&mut self, feeder: Option<&Feeder>) {
        if let Some(feeder) = feeder {
            self.paused &= feeder.queued() > self.limit;
            assert_eq!(feeder.is_paused(), self.paused);
        }
    }
}

/// Plays one round. A read that waits is polled only when it was woken.
fn play(round: &Round, reader: &mut StreamReader, feeder: &mut Option<Feeder>, model: &mut Model) {
    let Round { ask, cancels, acts } = round;
    let mut acts = acts.iter();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut waiting = Box::pin(read(reader, ask));
    loop {
        let before = woken.count();
        let answer = poll(waiting.as_mut(), &waker);
        if *cancels {
            drop(waiting);
            waiting = Box::pin(read(reader, ask));
        }
        if answer.is_pending() && woken.count() > before {
            continue; // it only gave way
        }
        model.check_pause(feeder.as_ref());
        if let Poll::Ready(answer) = answer {
            model.check(ask, Some(&answer));
            break;
        }
        model.check(ask, None);
        let news = acts.by_ref().any(|act| {
            let before = woken.count();
            let news = model.act(feeder, act);
            assert_eq!(woken.count() - before, usize::from(news), "{act:?}");
            news
        });
        if !news {
            break;
        }
    }
    drop(waiting);
    for act in acts {
        model.act(feeder, act);
        model.check_pause(feeder.as_ref());
    }
}

fn acts() -> impl Strategy<Value = Act> {
    let bytes = || vec(select(b"ab;\n"), 0..60);
    let large = (bytes(), 8_000_usize..30_000)
        .prop_map(|(data, n)| data.into_iter().cycle().take(n).collect::<Vec<u8>>());
    prop_oneof![
        30 => bytes().prop_map(Act::Feed),
        10 => bytes().prop_map(Act::FeedBytes),
        5 => large.clone().prop_map(Act::Feed),
        5 => large.prop_map(Act::FeedBytes),
        1 => Just(Act::Eof),
        1 => Just(Act::Fail),
        1 => Just(Act::Drop),
    ]
}

fn rounds() -> impl Strategy<Value = Round> {
    let ask = prop_oneof![
        4 => Just(Line),
        4 => select(vec![";", "ab", "\n;a"]).prop_map(Until),
        4 => (0_usize..100).prop_map(Exactly),
        1 => (0_usize..50_000).prop_map(Exactly),
        4 => (0_usize..100).prop_map(UpTo),
        2 => Just(UpTo(usize::MAX)),
        1 => Just(ToEof),
    ];
    (ask, any::<bool>(), vec(acts(), 0..5)).prop_map(|(ask, cancels, acts)| Round {
        ask,
        cancels,
        acts,
    })
}

/// A size that is kept as a chunk, so that reads can stop exactly at a limit of some of them.
const CHUNK: usize = 8 * 1024;

proptest! {
    /// Bytes come out as they were fed, whatever the order of feeds, ends, reads and cancels; a read
    /// that waits is woken by what is news, and by nothing else.
    #[test]
    fn a_fed_reader_behaves_as_a_string(
        limit in prop_oneof![1_usize..40, 8_000_usize..30_000],
        rounds in vec(rounds(), 0..40),
    ) {
        let (feeder, mut reader) = StreamOptions::new().limit(limit).fed();
        let mut feeder = Some(feeder);
        let mut model = Model::new(limit);
        for round in &rounds {
            play(round, &mut reader, &mut feeder, &mut model);
        }
        let rest = Round { ask: ToEof, cancels: false, acts: vec![Act::Eof] };
        play(&rest, &mut reader, &mut feeder, &mut model);
    }

    /// However much is fed in whatever pieces: a drain waits above twice the limit and is woken once,
    /// by the read that brings it down to the limit.
    #[test]
    fn a_drain_waits_until_it_is_down_to_the_limit(
        limit in prop_oneof![1_usize..100_000, (1_usize..8).prop_map(|n| n * CHUNK)],
        pieces in vec(prop_oneof![1_usize..10, 100_usize..40_000, Just(CHUNK)], 1..30),
    ) {
        let (mut feeder, mut reader) = StreamOptions::new().limit(limit).fed();
        let mut fed = 0;
        for n in pieces {
            feeder.feed_bytes(Bytes::from(vec![b'x'; n])).unwrap();
            fed += n;
        }
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut waits = poll(pin!(feeder.drain()), &waker).is_pending();
        prop_assert_eq!(waits, fed > 2 * limit);
        while feeder.queued() > 0 {
            let n = block_on(reader.read(usize::MAX)).unwrap().len();
            fed -= n;
            prop_assert_eq!(feeder.queued(), fed);
            let resumes = waits && fed <= limit;
            waits &= !resumes;
            prop_assert_eq!(woken.count() > 0, resumes);
            woken.0.store(0, Ordering::SeqCst);
            prop_assert_eq!(feeder.is_paused(), waits);
            prop_assert_eq!(poll(pin!(feeder.drain()), &waker).is_pending(), waits);
        }
    }
}

#[test]
fn a_read_of_more_than_the_pause_level_takes_what_it_needs() {
    for limit in [1, 100, 10_000] {
        let (mut feeder, mut reader) = StreamOptions::new().limit(limit).fed();
        let source = async {
            for _ in 0..10 {
                feeder.feed(&vec![b'x'; limit]).unwrap();
                feeder.drain().await.unwrap();
            }
        };
        let both = futures_lite::future::zip(source, reader.read_exactly(10 * limit));
        let (_, data) = block_on(both);
        assert_eq!(data.unwrap().len(), 10 * limit);
    }
}

#[test]
fn a_feeder_reports_that_the_reader_was_dropped() {
    for ended in [false, true] {
        let (mut feeder, reader) = StreamOptions::new().limit(1).fed();
        feeder.feed(b"it is not taken").unwrap();
        if ended {
            feeder.feed_eof();
        }
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut drain = Box::pin(feeder.drain());
        assert!(poll(drain.as_mut(), &waker).is_pending());
        drop(reader);
        assert_eq!(woken.count(), 1);
        assert_eq!(
            poll(drain.as_mut(), &waker),
            Poll::Ready(Err(WriteError::Closed))
        );
        drop(drain);

        assert_eq!((feeder.queued(), feeder.is_paused()), (0, false));
        assert_eq!(feeder.feed(b""), Err(WriteError::Closed));
        assert_eq!(feeder.feed_bytes(Bytes::new()), Err(WriteError::Closed));
        feeder.feed_eof();
        feeder.fail(TransportError::new("too late"));
        assert_eq!(feeder.feed(b""), Err(WriteError::Closed));
    }
}

#[test]
fn a_dropped_reader_leaves_no_waker_behind() {
    let (_feeder, mut reader) = fed();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    assert!(poll(pin!(reader.read(1)), &waker).is_pending());
    drop((reader, waker));
    assert_eq!(Arc::strong_count(&woken), 1);
}

#[test]
fn a_feeder_that_is_never_paused_yields() {
    let (mut feeder, _reader) = fed();
    let pauses = (0..1000).filter(|_| block_on(poll_once(feeder.drain())).is_none());
    assert_eq!(pauses.count(), 7);
}

#[test]
fn a_feeder_prints_its_state() {
    let (mut feeder, _reader) = fed();
    feeder.feed(b"abc").unwrap();
    assert_eq!(
        format!("{feeder:?}"),
        "Feeder { queued: 3, paused: false, end: Open }"
    );
}

#[test]
fn a_feeder_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Feeder>();
}

/// Wakers and destructors run anything. Each of these would hang if a lock were held meanwhile.
mod no_lock_is_held {
    use super::*;

    /// Drops what it holds when it is woken, or when it is dropped itself.
    struct Holds<T>(Mutex<Option<T>>);

    impl<T> Holds<T> {
        fn nothing() -> Arc<Self> {
            Arc::new(Self(Mutex::new(None)))
        }

        fn hold(&self, held: T) {
            *self.0.lock().unwrap() = Some(held);
        }
    }

    impl<T: Send + 'static> Wake for Holds<T> {
        fn wake(self: Arc<Self>) {
            let held = self.0.lock().unwrap().take();
            drop(held);
        }
    }

    #[test]
    fn while_a_reader_is_woken() {
        let (mut feeder, mut reader) = fed();
        let holds = Holds::nothing();
        let waker = Waker::from(holds.clone());
        assert!(poll(pin!(reader.read(1)), &waker).is_pending());
        holds.hold(reader);
        feeder.feed(b"x").unwrap();
        assert_eq!(feeder.feed(b"x"), Err(WriteError::Closed));
    }

    #[test]
    fn while_a_feeder_is_woken() {
        let (mut feeder, mut reader) = StreamOptions::new().limit(1).fed();
        feeder.feed(b"abc").unwrap();
        let holds = Holds::nothing();
        let waker = Waker::from(holds.clone());
        assert!(poll(pin!(feeder.drain()), &waker).is_pending());
        holds.hold(feeder);
        assert_eq!(block_on(reader.read_exactly(3)).unwrap(), "abc");
        assert!(block_on(reader.read(1)).is_err());
    }

    #[test]
    fn while_the_waker_of_an_earlier_drain_is_dropped() {
        let (mut feeder, reader) = StreamOptions::new().limit(1).fed();
        feeder.feed(b"abc").unwrap();
        let holds = Holds::nothing();
        let waker = Waker::from(holds.clone());
        assert!(poll(pin!(feeder.drain()), &waker).is_pending());
        holds.hold(reader);
        drop((holds, waker));
        assert!(poll(pin!(feeder.drain()), Waker::noop()).is_pending());
        assert_eq!(block_on(feeder.drain()), Err(WriteError::Closed));
    }

    /// Memory that goes back to where the next piece comes from.
    struct Piece(Vec<u8>, Arc<Mutex<Feeder>>);

    impl AsRef<[u8]> for Piece {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Piece {
        fn drop(&mut self) {
            let _ = self.1.lock().unwrap().feed(b"given back\n");
        }
    }

    #[test]
    fn while_memory_of_the_program_is_dropped() {
        let (feeder, mut reader) = fed();
        let feeder = Arc::new(Mutex::new(feeder));
        let piece = || Bytes::from_owner(Piece(vec![b'x'; 10_000], feeder.clone()));
        let next = piece();
        feeder.lock().unwrap().feed_bytes(next).unwrap();
        assert_eq!(block_on(reader.read_exactly(10_000)).unwrap().len(), 10_000);
        assert_eq!(block_on(reader.read_line()).unwrap(), "given back\n");

        let next = piece();
        feeder.lock().unwrap().feed_bytes(next).unwrap();
        drop(reader);
    }
}

/// Without a cap there is a bound all the same.
#[test]
fn a_parser_that_never_has_enough_is_stopped_without_a_cap() {
    const CAP: usize = 16 << 20;
    assert_eq!(DEFAULT_PARSE_CAP, CAP);
    let piece = Bytes::from(vec![0; 1 << 20]);
    let (mut feeder, mut reader) = StreamOptions::new().limit(1024).fed();
    let mut never = |core: &mut Reader| {
        assert!(core.buffered().len() < CAP + 64 * 1024);
        Ok::<Status<()>, ReadError>(Status::NeedData)
    };
    for _ in 0..16 {
        assert!(block_on(poll_once(reader.read_with(&mut never))).is_none());
        feeder.feed_bytes(piece.clone()).unwrap();
    }
    let refused = block_on(reader.read_with(&mut never));
    assert_eq!(refused, Err(ReadError::CapExceeded { cap: CAP }));
    assert_eq!(reader.buffered().len(), CAP);
}

/// Small numbers that look random, and are the same each time.
fn numbers(seed: u32) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    }
}

#[test]
fn two_threads_lose_nothing_and_keep_to_the_bound() {
    const TOTAL: usize = 1 << 20;
    const LARGEST: usize = 10_000;
    let byte = |at: usize| (at % 251) as u8;
    for (seed, limit) in [(1, 1), (2, 1000), (3, 65_536)] {
        let (mut feeder, mut reader) = StreamOptions::new().limit(limit).fed();
        let source = thread::spawn(move || {
            let mut number = numbers(seed);
            let mut at = 0;
            while at < TOTAL {
                let most = [10, LARGEST][number(2)];
                let n = (1 + number(most)).min(TOTAL - at);
                let piece: Vec<u8> = (at..at + n).map(byte).collect();
                feeder.feed_bytes(piece.into()).unwrap();
                at += n;
                assert!(feeder.queued() <= 2 * limit + LARGEST);
                block_on(feeder.drain()).unwrap();
            }
            match seed {
                1 => feeder.feed_eof(),
                2 => feeder.fail(TransportError::new("pulled")),
                _ => drop(feeder),
            }
        });
        let mut number = numbers(seed + 10);
        let mut at = 0;
        while at < TOTAL {
            let most = [10, LARGEST][number(2)];
            let n = (1 + number(most)).min(TOTAL - at);
            let data = match number(3) {
                0 => block_on(reader.read(n)).unwrap(),
                1 => match block_on(poll_once(reader.read_exactly(n))) {
                    Some(data) => data.unwrap(),
                    None => continue, // it was cancelled
                },
                _ => block_on(reader.read_exactly(n)).unwrap(),
            };
            let expected: Vec<u8> = (at..at + data.len()).map(byte).collect();
            assert_eq!(data, expected, "seed {seed}");
            at += data.len();
        }
        let end = block_on(reader.read(1)).map_err(|error| error.kind());
        source.join().unwrap();
        match seed {
            1 => assert_eq!(end, Ok(Bytes::new())),
            2 => assert_eq!(end, Err(ErrorKind::Other)),
            _ => assert_eq!(end, Err(ErrorKind::UnexpectedEof)),
        }
    }
}
