//! The parser, however its input is cut.

use std::io;

use millpond_core::{
    Reader, Status,
    testing::{EveryCut, Parsed},
};

use super::{
    super::{Parser, Value, parse},
    bulk, text,
};

/// Some of everything, within each other, one value after the other.
const SENT: [&str; 5] = [
    "+OK\r\n",
    "*3\r\n$3\r\nfoo\r\n*2\r\n:1\r\n$-1\r\n*0\r\n",
    "-ERR no\r\n",
    "%1\r\n$1\r\nk\r\n#t\r\n",
    ">2\r\n_\r\n,nan\r\n",
];

fn values() -> Vec<Value> {
    vec![
        text("OK"),
        Value::Array(vec![
            bulk("foo"),
            Value::Array(vec![Value::Integer(1), Value::Null]),
            Value::Array(vec![]),
        ]),
        Value::Error("ERR no".to_owned()),
        Value::Map(vec![(bulk("k"), Value::Boolean(true))]),
        Value::Push(vec![Value::Null, Value::Double("nan".to_owned())]),
    ]
}

/// What both forms of the parser make of an input, which has to be the same.
fn parsed(input: &str) -> Parsed<Value, io::Error> {
    let cuts = EveryCut::new(input).whole_messages();
    let parsed = cuts.check(Parser::default, Parser::parse);
    let by_function = cuts.check(|| (), |(), reader| parse(reader));
    assert_eq!(parsed.messages, by_function.messages);
    assert_eq!(parsed.error.is_some(), by_function.error.is_some());
    parsed
}

fn refused(input: &str) -> String {
    parsed(input).error.expect("it is refused").to_string()
}

#[test]
fn values_are_the_same_however_they_are_cut() {
    let parsed = parsed(&SENT.concat());
    assert_eq!(parsed.messages, values());
    assert!(parsed.error.is_none());
}

#[test]
fn bytes_may_be_anything() {
    let input = "$4\r\n\r\n\r\n\r\n$0\r\n\r\n=5\r\ntxt:x\r\n!3\r\nbad\r\n(123\r\n~1\r\n:-5\r\n";
    let expected = [
        bulk("\r\n\r\n"),
        bulk(""),
        bulk("txt:x"),
        Value::Error("bad".to_owned()),
        text("123"),
        Value::Array(vec![Value::Integer(-5)]),
    ];
    assert_eq!(parsed(input).messages, expected);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (input, why) in [
        ("\r\n", "a line is empty"),
        ("hello\r\n", "a line begins with no type of RESP"),
        (":twelve\r\n", "a number is none"),
        ("$-2\r\n", "a number is none"),
        ("*99999999999999999999\r\n", "a number is none"),
        ("%9223372036854775808\r\n", "a map is too long"),
        ("$3\r\nabcde", "a bulk does not end where it should"),
        ("$99999999\r\n", "a value is too large"),
        ("*2\r\n$9000000\r\n", "the stream ended after"),
    ] {
        let came = refused(input);
        assert!(came.starts_with(why), "{input:?}: {came}");
    }
}

#[test]
fn a_stream_that_ends_within_a_value_is_an_error() {
    let input = SENT.concat();
    let ends: Vec<usize> = (0..=SENT.len()).map(|n| SENT[..n].concat().len()).collect();
    for end in 0..=input.len() {
        let parsed = parsed(&input[..end]);
        assert_eq!(
            parsed.error.is_none(),
            ends.contains(&end),
            "behind {end} bytes"
        );
    }
}

#[test]
fn arrays_are_only_so_deep_within_arrays() {
    assert!(parsed(&("*1\r\n".repeat(32) + "_\r\n")).error.is_none());
    let deep = "*1\r\n".repeat(33) + "_\r\n";
    assert!(refused(&deep).contains("too deep"));
    assert!(refused(&"*1\r\n".repeat(100_000)).contains("too deep"));
}

/// How many bytes a parser is offered, call by call, for an array of so many numbers in pieces of the
/// size that a network has. It can look at no more.
fn offered(
    count: usize,
    mut parse: impl FnMut(&mut Reader) -> io::Result<Status<Value>>,
) -> (usize, usize) {
    let input = format!("*{count}\r\n") + &":1\r\n".repeat(count);
    let mut reader = Reader::new();
    let mut offered = 0;
    let mut found = None;
    for piece in input.as_bytes().chunks(1460) {
        reader.feed(piece);
        offered += reader.buffered().len();
        if let Status::Ready(value) = reader.poll_with(&mut parse).unwrap() {
            found = Some(value);
        }
    }
    let ones = vec![Value::Integer(1); count];
    assert!(found == Some(Value::Array(ones)));
    (offered, input.len())
}

#[test]
fn the_work_of_a_parser_with_a_state_is_proportional_to_its_input() {
    let mut parser = Parser::default();
    let (work, len) = offered(200_000, |reader| parser.parse(reader));
    assert!(work < len + len / 100, "{work} for {len}");
}

/// So that the other one is not taken for it.
#[test]
fn the_work_of_a_parser_without_a_state_is_quadratic() {
    let (work, len) = offered(10_000, parse);
    assert!(work > 10 * len, "{work} for {len}");
}
