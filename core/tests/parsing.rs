//! A parser asks as a request does, and what it may collect is bounded.

use std::sync::LazyLock;

use millpond_core::{
    DEFAULT_PARSE_CAP, ReadError, Reader, Request, Separator, Status, TransportError,
};
use proptest::{collection::vec, prelude::*, sample::select};

static SEPARATOR: LazyLock<Separator> = LazyLock::new(|| Separator::new("ab"));

fn never(_: &mut Reader) -> Result<Status<()>, ReadError> {
    Ok(Status::NeedData)
}

/// Feeds pieces until a parser that never has enough is refused; how much was buffered then.
fn flooded(mut reader: Reader, piece: usize) -> (usize, ReadError) {
    let piece = vec![b'x'; piece];
    loop {
        match reader.poll_with(never) {
            Ok(status) => {
                assert_eq!(status, Status::NeedData);
                assert!(reader.wants_read(), "a reader that waits is fed");
                reader.feed(&piece);
                assert!(reader.buffered().len() < 4 * DEFAULT_PARSE_CAP);
            }
            Err(error) => {
                assert_eq!(reader.poll_with(never), Err(error.clone()), "it stays so");
                return (reader.buffered().len(), error);
            }
        }
    }
}

#[test]
fn a_parser_that_never_has_enough_is_stopped() {
    const LARGE: usize = DEFAULT_PARSE_CAP + 1;
    for (limit, cap, bound) in [
        (1024, Some(4096), 4096),
        (1024, Some(0), 0),
        (1024, Some(10), 10),
        (1024, Some(LARGE), LARGE),
        (1024, None, DEFAULT_PARSE_CAP),
        (LARGE, None, LARGE),
    ] {
        for piece in [1000, 1 << 20, LARGE] {
            let mut reader = Reader::with_limit(limit);
            if let Some(cap) = cap {
                reader = reader.with_cap(cap);
            }
            let (buffered, error) = flooded(reader, piece);
            assert_eq!(error, ReadError::CapExceeded { cap: bound });
            assert!((bound..bound + piece).contains(&buffered));
        }
    }
}

#[test]
fn a_parser_that_needs_data_behind_the_end_gets_the_end() {
    let mut reader = Reader::new().with_cap(3);
    reader.feed(b"ab");
    reader.feed_eof();
    let partial = (&b"ab"[..]).into();
    let expected = None;
    let incomplete = ReadError::Incomplete { partial, expected };
    assert_eq!(reader.poll_with(never), Err(incomplete));

    let mut reader = Reader::new();
    let error = TransportError::new("pulled");
    reader.feed(b"ab");
    reader.fail(error.clone());
    assert_eq!(reader.poll_with(never), Err(ReadError::Transport(error)));
    assert_eq!(reader.buffered(), b"ab");

    // So much was there before the end: the answer does not depend on when the end came.
    let mut reader = Reader::new().with_cap(2);
    reader.feed(b"ab");
    reader.feed_eof();
    let refused = Err(ReadError::CapExceeded { cap: 2 });
    assert_eq!(reader.poll_with(never), refused);
}

#[test]
fn a_parser_fails_with_its_own_error() {
    #[derive(Debug, PartialEq)]
    enum Wrong {
        Digit,
        Read(ReadError),
    }

    impl From<ReadError> for Wrong {
        fn from(error: ReadError) -> Self {
            Self::Read(error)
        }
    }

    let mut reader = Reader::new().with_cap(1);
    let wrong = |_: &mut Reader| Err::<Status<()>, _>(Wrong::Digit);
    assert_eq!(reader.poll_with(wrong), Err(Wrong::Digit));
    reader.feed(b"x");
    let more = |_: &mut Reader| Ok::<Status<()>, Wrong>(Status::NeedData);
    let refused = Wrong::Read(ReadError::CapExceeded { cap: 1 });
    assert_eq!(reader.poll_with(more), Err(refused));
}

/// A digit, and so many bytes. It takes the digit first, and the bytes one by one.
#[derive(Default)]
struct Counted {
    left: Option<u8>,
    taken: Vec<u8>,
}

impl Counted {
    fn parse(&mut self, reader: &mut Reader) -> Result<Status<Vec<u8>>, ReadError> {
        loop {
            if self.left == Some(0) {
                self.left = None;
                return Ok(Status::Ready(std::mem::take(&mut self.taken)));
            }
            let Some(byte) = reader.buffered().first().copied() else {
                return Ok(Status::NeedData);
            };
            reader.consume(1);
            match self.left {
                None => self.left = Some(byte - b'0'),
                Some(left) => {
                    self.left = Some(left - 1);
                    self.taken.push(byte);
                }
            }
        }
    }
}

/// Asks until there is no message, as often again, and gives the last answer.
fn ask_for_all(
    reader: &mut Reader,
    parser: &mut Counted,
    messages: &mut Vec<Vec<u8>>,
) -> Result<Status<Option<Vec<u8>>>, ReadError> {
    for again in [true, true, false] {
        loop {
            match reader.poll_message(|reader| parser.parse(reader)) {
                Ok(Status::Ready(Some(message))) => messages.push(message),
                _ if again => break,
                last => return last,
            }
        }
    }
    unreachable!("the last round returns")
}

#[test]
fn a_stream_may_end_between_two_messages_and_not_within_one() {
    let input = b"3abc012xy";
    let expected = [&b"abc"[..], b"", b"2"];
    for end in 0..=input.len() {
        // How many messages are whole, and whether the next one has begun.
        let (whole, within) = match end {
            0 => (0, false),
            1..=3 => (0, true),
            4 => (1, false),
            5 => (2, false),
            6 => (2, true),
            7 => (3, false),
            _ => (3, true),
        };
        for cut in 0..=end {
            for failed in [false, true] {
                let (mut reader, mut parser) = (Reader::new(), Counted::default());
                let mut messages = Vec::new();
                for piece in [&input[..cut], &input[cut..end]] {
                    reader.feed(piece);
                    let last = ask_for_all(&mut reader, &mut parser, &mut messages);
                    assert_eq!(last, Ok(Status::NeedData));
                }
                if failed {
                    reader.fail(TransportError::new("pulled"));
                } else {
                    reader.feed_eof();
                }
                let last = ask_for_all(&mut reader, &mut parser, &mut messages);
                assert_eq!(messages, expected[..whole]);
                match last {
                    Ok(Status::Ready(None)) => assert!(!within && !failed, "{end}"),
                    Err(ReadError::Incomplete { partial, .. }) => {
                        assert!(partial.is_empty() && within && !failed, "{end}");
                    }
                    Err(ReadError::Transport(_)) => assert!(failed),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn an_error_of_the_parser_begins_no_message_and_ends_none() {
    let mut reader = Reader::new();
    reader.feed(b"ab");
    reader.feed_eof();
    let refuse = |reader: &mut Reader| {
        reader.consume(1);
        Err::<Status<()>, _>(ReadError::WriteOnly)
    };
    let need = |reader: &mut Reader| {
        reader.consume(1);
        Ok::<Status<()>, ReadError>(Status::NeedData)
    };
    assert_eq!(reader.poll_message(refuse), Err(ReadError::WriteOnly));
    reader.poll_message(need).unwrap_err();
    let incomplete = reader.poll_message(never);
    assert!(matches!(incomplete, Err(ReadError::Incomplete { .. })));
    let wrong = |_: &mut Reader| Err::<Status<()>, _>(ReadError::WriteOnly);
    assert_eq!(reader.poll_message(wrong), Err(ReadError::WriteOnly));
    let incomplete = reader.poll_message(never);
    assert!(matches!(incomplete, Err(ReadError::Incomplete { .. })));
}

fn any_request() -> impl Strategy<Value = Request<'static>> {
    prop_oneof![
        (0_usize..20).prop_map(Request::Exactly),
        (0_usize..20).prop_map(Request::Peek),
        (0_usize..20).prop_map(Request::UpTo),
        Just(Request::Line),
        Just(Request::ToEof),
        Just(Request::Until(&SEPARATOR)),
    ]
}

proptest! {
    /// As long as nothing is refused, a parser that only asks the reader gets the answers of the reader.
    #[test]
    fn a_parser_that_asks_one_thing_is_that_request(
        pieces in vec(vec(select(b"ab\n".to_vec()), 1..6), 1..8),
        request in any_request(),
        limit in 1_usize..12,
    ) {
        let mut plain = Reader::with_limit(limit);
        let mut parsing = Reader::with_limit(limit);
        for piece in pieces {
            plain.feed(&piece);
            parsing.feed(&piece);
            let parsed = parsing.poll_with(|reader| reader.poll(request));
            prop_assert_eq!(parsed, plain.poll(request));
        }
        plain.feed_eof();
        parsing.feed_eof();
        let parsed = parsing.poll_with(|reader| reader.poll(request));
        prop_assert_eq!(parsed, plain.poll(request));
    }
}
