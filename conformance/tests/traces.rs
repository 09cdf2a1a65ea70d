//! Traces: what is written can be read, errors are reported, and a replay finds differences.

use millpond::millpond_core::{self as core, Reader, Separator};
use millpond_conformance::trace::{
    Answer, Conversations, Kind, Line, RecordedReader, Request, Trace, compare, judge,
    pauses_differ, replay, shrink,
};
use proptest::{collection::vec, option, prelude::*};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..20)
}

fn kind() -> impl Strategy<Value = Kind> {
    any::<String>().prop_map(Kind::new)
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        any::<usize>().prop_map(Request::Exactly),
        Just(Request::Line),
        any::<usize>().prop_map(Request::Peek),
        Just(Request::ToEof),
        vec(vec(any::<u8>(), 1..5), 1..4).prop_map(Request::Until),
        any::<usize>().prop_map(Request::UpTo),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        any::<usize>().prop_map(|cap| Answer::CapExceeded { cap }),
        kind().prop_map(Answer::Failed),
        (bytes(), option::of(any::<usize>()))
            .prop_map(|(partial, expected)| Answer::Incomplete { partial, expected }),
        bytes().prop_map(Answer::Ok),
        any::<usize>().prop_map(|consumed| Answer::Overrun { consumed }),
        Just(Answer::Pending),
        any::<usize>().prop_map(Answer::Ready),
    ]
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        4 => (request(), answer()).prop_map(|(request, answer)| Line::Ask(request, answer)),
        1 => bytes().prop_map(Line::Buffered),
        1 => any::<usize>().prop_map(Line::Consume),
        3 => bytes().prop_map(Line::Feed),
        1 => (1..usize::MAX).prop_map(Line::SetLimit),
    ]
}

fn trace() -> impl Strategy<Value = Trace> {
    let ends = vec(
        prop_oneof![Just(Line::FeedEof), kind().prop_map(Line::Fail)],
        0..3,
    );
    (
        1..usize::MAX,
        option::of(any::<usize>()),
        vec(line(), 0..20),
        ends,
    )
        .prop_map(|(limit, cap, lines, ends)| {
            let mut trace = Trace::new(limit);
            if let Some(cap) = cap {
                trace = trace.with_cap(cap);
            }
            lines
                .into_iter()
                .chain(ends)
                .for_each(|line| trace.push(line));
            trace
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(trace in trace()) {
        let mut written = Vec::new();
        trace.write(&mut written).unwrap();
        prop_assert_eq!(&Trace::read(&written[..]).unwrap(), &trace);
        prop_assert_eq!(&trace.to_string().parse::<Trace>().unwrap(), &trace);
    }

    #[test]
    fn several_traces_can_follow_each_other(traces in vec(trace(), 0..4)) {
        let written: String = traces.iter().map(Trace::to_string).collect();
        prop_assert_eq!(Trace::read_all(written.as_bytes()).unwrap(), traces);
    }

    #[test]
    fn no_text_panics(text in "[{}\":,a-z_0-9\n\\[\\]-]{0,60}") {
        let _ = Trace::read_all(text.as_bytes());
    }
}

#[test]
fn an_error_has_the_number_of_its_line() {
    let head = r#"{"trace":1,"limit":3}"#;
    for (text, expected) in [
        ("", "line 1: expected one trace, found 0"),
        ("[]", "line 1: expected a JSON object, found []"),
        (
            r#"{"feed":""}"#,
            r#"line 1: expected the first line of a trace: {"trace":1,"limit":N}"#,
        ),
        (
            r#"{"trace":2,"limit":1}"#,
            r#"line 1: expected version 1 in "trace", found 2"#,
        ),
        (r#"{"trace":1}"#, r#"line 1: expected "limit""#),
        (
            r#"{"trace":1,"limit":0}"#,
            r#"line 1: expected at least 1 in "limit", found 0"#,
        ),
        (
            r#"{"trace":1,"limit":-1}"#,
            r#"line 1: expected a number of bytes in "limit", found -1"#,
        ),
        (
            r#"{"trace":1,"limit":1,"x":0}"#,
            r#"line 1: expected nothing else, found "x""#,
        ),
        (
            &format!("{head}\n{head}"),
            "line 2: expected one trace, found 2",
        ),
        (
            &format!("{head}\n\n{{\"feed\":\"0\"}}"),
            r#"line 3: expected lower-case hex in "feed", found "0""#,
        ),
        (
            &format!("{head}\n{{\"feed\":\"0A\"}}"),
            r#"line 2: expected lower-case hex in "feed", found "0A""#,
        ),
        (
            &format!("{head}\n{{\"feed_eof\":false}}"),
            r#"line 2: expected true in "feed_eof", found false"#,
        ),
        (
            &format!("{head}\n{{\"feed_eof\":true,\"feed\":\"\"}}"),
            r#"line 2: expected nothing else, found "feed_eof""#,
        ),
        (
            &format!("{head}\n{{\"feed_eof\":true}}\n{{\"feed\":\"\"}}"),
            "line 3: data was fed after the end of the stream",
        ),
        (
            &format!("{head}\n{{\"set_limit\":0}}"),
            "line 2: the limit of a reader is at least 1 byte",
        ),
        (
            &format!("{head}\n{{\"read_until\":[],\"pending\":true}}"),
            "line 2: a separator holds at least one sequence, each of at least one byte",
        ),
        (
            &format!("{head}\n{{\"read_until\":\"0a\",\"pending\":true}}"),
            r#"line 2: expected a list of separators in "read_until", found "0a""#,
        ),
        (
            &format!("{head}\n{{\"read\":-2,\"pending\":true}}"),
            r#"line 2: expected a number of bytes in "read", found -2"#,
        ),
        (
            &format!("{head}\n{{\"read\":1}}"),
            r#"line 2: expected what came of the request, one of "ok", "pending", "incomplete", "overrun", "failed", "ready", "cap_exceeded""#,
        ),
        (
            &format!("{head}\n{{\"read\":1,\"overrun\":true}}"),
            r#"line 2: expected "consumed""#,
        ),
        (
            &format!("{head}\n{{\"read\":1,\"incomplete\":\"\"}}"),
            r#"line 2: expected "expected""#,
        ),
        (
            &format!("{head}\n{{\"read\":1,\"ok\":\"\",\"pending\":true}}"),
            r#"line 2: expected nothing else, found "pending""#,
        ),
        (
            &format!("{head}\n{{\"failed\":7}}"),
            r#"line 2: expected an input, a request or a statement, found {"failed":7}"#,
        ),
        (
            &format!("{head}\n{{\"fail\":7}}"),
            r#"line 2: expected the name of a failure in "fail", found 7"#,
        ),
    ] {
        let error = text.parse::<Trace>().unwrap_err();
        assert_eq!(error.to_string(), expected, "{text}");
    }
    let error = format!("{head}\nhello").parse::<Trace>().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("line 2: expected one JSON object, but "),
        "{error}"
    );
}

#[test]
fn a_replay_names_each_answer_that_differs() {
    let trace: Trace = r#"{"trace":1,"limit":3}
{"read":9,"pending":true}
{"feed":"6162"}
{"read":9,"ok":"61"}
{"buffered":"62"}
{"consume":1}
{"feed_eof":true}
{"read_exactly":2,"incomplete":"","expected":2}
{"read_exactly":2,"pending":true}
"#
    .parse()
    .unwrap();
    let differences: Vec<String> = replay(&trace).iter().map(ToString::to_string).collect();
    assert_eq!(
        differences,
        [
            r#"line 4: expected {"read":9,"ok":"61"}, got {"read":9,"ok":"6162"}"#,
            r#"line 5: expected {"buffered":"62"}, got {"buffered":""}"#,
            r#"line 6: expected {"consume":1}, got {"consume":0}"#,
            r#"line 9: expected {"read_exactly":2,"pending":true}, got {"read_exactly":2,"incomplete":"","expected":2}"#,
        ]
    );
}

#[test]
fn the_core_is_as_the_plain_model_in_random_conversations() {
    for trace in Conversations::new(7).with_sets(true).take(20_000) {
        if let Some(right) = judge(&trace) {
            panic!("it should be\n{right}");
        }
    }
}

#[test]
fn random_conversations_have_everything() {
    let all: Vec<Trace> = Conversations::new(3).with_sets(true).take(2_000).collect();
    let any = |is: fn(&Line) -> bool| all.iter().any(|trace| trace.lines().iter().any(is));
    assert!(any(
        |line| matches!(line, Line::Feed(data) if data.is_empty())
    ));
    assert!(any(|line| *line == Line::FeedEof));
    assert!(any(|line| matches!(line, Line::Fail(_))));
    assert!(any(|line| matches!(
        line,
        Line::Ask(Request::Exactly(_), _)
    )));
    assert!(any(|line| matches!(line, Line::Ask(Request::Line, _))));
    assert!(any(|line| matches!(line, Line::Ask(Request::ToEof, _))));
    assert!(any(|line| matches!(line, Line::Ask(Request::UpTo(_), _))));
    for len in [1, 2, 3, 20] {
        let has = |line: &Line| matches!(line, Line::Ask(Request::Until(needles), _) if needles[0].len() == len);
        assert!(
            all.iter().any(|trace| trace.lines().iter().any(has)),
            "{len}"
        );
    }
    for limit in [1, 2, 3, 64 * 1024] {
        assert!(all.iter().any(|trace| trace.limit() == limit), "{limit}");
    }
    let again: Vec<Trace> = Conversations::new(3).with_sets(true).take(2_000).collect();
    assert_eq!(all, again);
}

#[test]
#[should_panic(expected = "no cap, no look ahead")]
fn what_asyncio_does_not_have_is_not_compared_with_it() {
    compare(&Trace::new(1).with_cap(5));
}

#[test]
fn shrinking_keeps_nothing_that_is_not_needed() {
    let overruns = |trace: &Trace| {
        let answered = replay(trace);
        answered
            .iter()
            .any(|difference| matches!(difference.got, Line::Ask(_, Answer::Overrun { .. })))
    };
    for trace in Conversations::new(5).take(2_000).filter(overruns).take(20) {
        let small = shrink(&trace, overruns);
        assert_eq!(small.limit(), 1, "{small}");
        assert_eq!(small.lines().len(), 2, "{small}");
        let Line::Feed(data) = &small.lines()[0] else {
            panic!("{small}");
        };
        assert!(data.len() <= 3, "{small}");
    }
}

/// Does what a conversation says on a recorded reader, one way or another for each choice.
fn recorded(trace: &Trace, choices: &[u8]) -> Trace {
    let mut choices = choices.iter().cycle();
    let mut choose = move || choices.next().copied().unwrap_or(0);
    let mut plain = Reader::with_limit(trace.limit());
    let mut reader = RecordedReader::new(Reader::with_limit(trace.limit()));
    for line in trace.lines() {
        match line {
            Line::Feed(data) if choose() % 2 == 0 => {
                plain.feed(data);
                reader.feed(data);
            }
            Line::Feed(data) => {
                for piece in data.chunks(4000) {
                    plain.feed(piece);
                    reader.spare()[..piece.len()].copy_from_slice(piece);
                    reader.commit(piece.len());
                }
            }
            Line::FeedEof => {
                plain.feed_eof();
                reader.feed_eof();
            }
            Line::Fail(kind) => {
                let error = kind.to_error();
                plain.fail(error.clone());
                reader.fail(error);
            }
            Line::Ask(request, _) => {
                let separator;
                let request = match request {
                    Request::Exactly(n) => core::Request::Exactly(*n),
                    Request::Line => core::Request::Line,
                    Request::ToEof => core::Request::ToEof,
                    Request::Until(needles) => {
                        separator = Separator::any(needles);
                        core::Request::Until(&separator)
                    }
                    Request::UpTo(n) if choose() % 3 == 0 => core::Request::Peek(*n),
                    Request::UpTo(n) => core::Request::UpTo(*n),
                    Request::Peek(_) | _ => panic!("{request:?}"),
                };
                let answer = plain.poll(request);
                assert_eq!(reader.poll(request), answer);
                if let Ok(core::Status::Ready(n)) = answer {
                    match choose() % 5 {
                        0 => {}
                        1 => {
                            plain.consume(n / 2);
                            reader.consume(n / 2);
                        }
                        2 => assert_eq!(plain.take(n), reader.take(n)),
                        3 => assert_eq!(plain.lend(n), reader.lend(n)),
                        _ => {
                            plain.consume(n);
                            reader.consume(n);
                        }
                    }
                }
            }
            Line::Buffered(_) | Line::Consume(_) | Line::SetLimit(_) | _ => {
                let limit = 1 + usize::from(choose());
                plain.set_limit(limit);
                reader.set_limit(limit);
            }
        }
        assert_eq!(plain.buffered(), reader.buffered());
        assert_eq!(plain.wants_read(), reader.get_ref().wants_read());
        assert_eq!(plain.at_eof(), reader.get_ref().at_eof());
        assert_eq!(plain.poll_event(), reader.poll_event());
    }
    reader.into_trace()
}

proptest! {
    #[test]
    fn a_recorded_reader_answers_as_a_plain_one_and_its_trace_replays(
        seed in any::<u64>(),
        choices in vec(any::<u8>(), 1..30),
    ) {
        for conversation in Conversations::new(seed).with_sets(true).take(20) {
            let trace = recorded(&conversation, &choices);
            let differences = replay(&trace);
            prop_assert!(differences.is_empty(), "{}\n{:?}", trace, differences);
        }
    }
}

#[test]
fn a_pause_on_one_side_alone_is_found_while_both_hold_the_same() {
    let trace: Trace = r#"{"trace":1,"limit":1}
{"feed":"616161"}
{"read":2,"ok":"6161"}
{"feed":"6262"}
{"read":-1,"pending":true}
{"feed":"6363"}
{"read":1,"ok":"63"}
"#
    .parse()
    .unwrap();
    // What is collected by a read to EOF and lost when it is given up ends the comparison.
    let right = [true, false, true, false, false, false];
    assert_eq!(pauses_differ(&trace, &right), None);
    for (index, found) in [true, true, true, false, false, false]
        .into_iter()
        .enumerate()
    {
        let mut wrong = right;
        wrong[index] = !wrong[index];
        assert_eq!(
            pauses_differ(&trace, &wrong),
            found.then_some(index),
            "{index}"
        );
    }
}

#[test]
fn a_line_that_is_no_text_is_named() {
    let input = b"{\"trace\":1,\"limit\":3}\n\xff\n";
    let error = Trace::read_all(&input[..]).unwrap_err();
    assert!(error.to_string().starts_with("line 2: "), "{error}");
}

#[test]
fn it_is_known_how_many_conversations_are_still_to_come() {
    let mut conversations = Conversations::new(1).take(7);
    assert_eq!(conversations.size_hint(), (7, Some(7)));
    conversations.next();
    assert_eq!(conversations.size_hint(), (6, Some(6)));
}
