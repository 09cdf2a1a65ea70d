//! A parser that is tried with every cut: one that is right passes, and of one that is not the smallest
//! difference is shown.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use millpond_core::{
    ReadError, Reader, Request, Status,
    testing::{EveryCut, Parsed, every_cut},
};

/// Words behind their length in one digit.
struct Words {
    len: Option<usize>,
    fault: Fault,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    None,
    /// It takes the digit and does not remember it.
    Forgets,
    /// Half a word is a word when the stream has ended.
    TakesHalves,
    /// And when the transport has failed.
    HidesFailures,
    /// A word ends where a piece does.
    TakesPieces,
    /// It gives the same word again and again.
    TakesNothing,
}

const INPUT: &str = "3abc02de5fghij";

impl Words {
    fn with(fault: Fault) -> impl FnMut() -> Self {
        move || Self { len: None, fault }
    }

    fn parse(&mut self, reader: &mut Reader) -> Result<Status<String>, ReadError> {
        let len = match self.len {
            Some(len) => len,
            None => match reader.poll(Request::Exactly(1))? {
                Status::NeedData => return Ok(Status::NeedData),
                Status::Ready(n) => usize::from(reader.lend(n)[0] - b'0'),
            },
        };
        if self.fault != Fault::Forgets {
            self.len = Some(len);
        }
        let there = reader.buffered().len();
        let is_cut = match self.fault {
            Fault::TakesHalves => !reader.is_open() && reader.error().is_none(),
            Fault::HidesFailures => reader.error().is_some(),
            Fault::TakesPieces => there > 0,
            Fault::TakesNothing => return Ok(Status::Ready(String::new())),
            Fault::None | Fault::Forgets => false,
        };
        let taken = if is_cut { len.min(there) } else { len };
        let found = reader.poll(Request::Exactly(taken))?;
        Ok(found.map(|n| {
            self.len = None;
            String::from_utf8_lossy(reader.lend(n)).into_owned()
        }))
    }
}

fn check(cuts: &EveryCut, fault: Fault) -> Parsed<String, ReadError> {
    cuts.check(Words::with(fault), Words::parse)
}

/// The report of something that is wrong.
fn complaint<T: fmt::Debug>(check: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).unwrap_err();
    panic.downcast_ref::<String>().expect("a text").clone()
}

fn complaint_of(fault: Fault) -> String {
    complaint(|| check(&EveryCut::new(INPUT).whole_messages(), fault))
}

#[test]
fn a_parser_that_is_right_passes_and_what_it_makes_is_returned() {
    let parsed = every_cut(INPUT, Words::with(Fault::None), Words::parse);
    assert_eq!(parsed.messages, ["abc", "", "de", "fghij"]);
    assert_eq!(parsed.error, None);
    let parsed = check(&EveryCut::new("3abc5de").whole_messages(), Fault::None);
    assert_eq!(parsed.messages, ["abc"]);
    let incomplete = parsed.error.unwrap().to_string();
    assert_eq!(incomplete, "the stream ended after 2 of 5 bytes");
}

#[test]
fn a_state_that_is_forgotten_is_shown_with_the_smallest_input_and_cut() {
    let text = r#"the answers of the parser depend on how its input comes

    input: "3abc" (4 of 14 bytes)
    in pieces: "3" "abc"

    expected:
        "abc"
        and it waits for more

    came:
        it waits for more"#;
    let came = complaint_of(Fault::Forgets);
    assert_eq!(came, text);
}

#[test]
fn a_message_that_ends_with_a_piece_is_shown() {
    let came = complaint_of(Fault::TakesPieces);
    assert!(came.contains(r#"in pieces: "3a" "b""#), "{came}");
}

#[test]
fn a_failure_that_passes_for_the_end_of_a_message_is_shown() {
    let came = complaint_of(Fault::HidesFailures);
    assert!(came.contains(r#"input: "3" (1 of 14 bytes)"#), "{came}");
    assert!(came.contains("then: a failure of the transport, when the parser waits"));
    assert!(came.contains("expected:\n        an error of the transport\n"));
}

#[test]
fn half_a_message_passes_for_a_whole_one_only_if_it_may() {
    let came = complaint_of(Fault::TakesHalves);
    assert!(
        came.contains("then: the end of the stream, when the parser waits"),
        "{came}"
    );
    assert!(came.contains("expected:\n        no other message\n"));
    check(&EveryCut::new(INPUT), Fault::TakesHalves);
}

#[test]
fn a_parser_that_takes_nothing_does_not_go_on_for_ever() {
    let came = complaint_of(Fault::TakesNothing);
    assert_eq!(
        came,
        "the parser has answered 10000 times without taking anything"
    );
}

/// A fault far behind in a long input, which is not cut everywhere.
#[test]
fn a_long_input_is_tried_in_bounded_time() {
    let right = INPUT.repeat(4000);
    let mut runs = 0;
    let mut right_one = Words::with(Fault::None);
    let new = || {
        runs += 1;
        right_one()
    };
    let parsed = every_cut(&right, new, Words::parse);
    assert_eq!(parsed.messages.len(), 4 * 4000);
    assert!((100..200).contains(&runs), "{runs}");
    let wrong = complaint(|| check(&EveryCut::new(&right), Fault::Forgets));
    assert!(wrong.contains("(4 of 56000 bytes)"), "{wrong}");
}

#[test]
fn the_reader_has_the_limit_and_the_cap_that_it_was_given() {
    let line = |(): &mut (), reader: &mut Reader| {
        let found = reader.poll(Request::Line)?;
        Ok::<_, ReadError>(found.map(|n| reader.lend(n).to_vec()))
    };
    let parsed = EveryCut::new("ab\nabc\n").limit(2).check(|| (), line);
    assert_eq!(parsed.error, Some(ReadError::LimitOverrun { consumed: 3 }));
    let parsed = check(&EveryCut::new(INPUT).cap(4), Fault::None);
    assert_eq!(parsed.messages, ["abc", "", "de"]);
    assert_eq!(parsed.error, Some(ReadError::CapExceeded { cap: 4 }));
}

#[test]
fn long_messages_and_many_are_abbreviated() {
    let long = format!("9{}", "x".repeat(9)).repeat(100);
    let wrong = complaint(|| {
        every_cut(
            &long,
            || 0,
            |calls: &mut usize, reader| {
                *calls += 1;
                // Wrong of pieces behind the fiftieth message.
                let there = reader.buffered().len();
                let found = reader.poll(Request::Exactly(10))?;
                let odd = *calls > 50 && there % 10 != 0;
                Ok::<_, ReadError>(found.map(|n| (odd, reader.lend(n).escape_ascii().to_string())))
            },
        )
    });
    assert!(wrong.contains(" messages, and then\n"), "{wrong}");
    assert!(wrong.contains(" .. "), "{wrong}");
    assert!(wrong.len() < 3000, "{wrong}");
}
