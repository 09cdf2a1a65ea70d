//! For the tests of a program's own parsers.
//!
//! A parser must give the same messages however a network cuts its input, and must not take half a
//! message for a whole one when the stream ends. [`every_cut`] tries all of it, in a test or in a fuzz
//! target:
//!
//! ```
//! use millpond_core::{ReadError, Reader, Request, Status, testing::every_cut};
//!
//! /// A digit, and so many bytes.
//! #[derive(Default)]
//! struct Counted {
//!     len: Option<usize>,
//! }
//!
//! impl Counted {
//!     fn parse(&mut self, reader: &mut Reader) -> Result<Status<Vec<u8>>, ReadError> {
//!         let len = match self.len {
//!             Some(len) => len,
//!             None => match reader.poll(Request::Exactly(1))? {
//!                 Status::NeedData => return Ok(Status::NeedData),
//!                 Status::Ready(n) => usize::from(reader.lend(n)[0] % 16),
//!             },
//!         };
//!         self.len = Some(len);
//!         let found = reader.poll(Request::Exactly(len))?;
//!         Ok(found.map(|n| {
//!             self.len = None;
//!             reader.lend(n).to_vec()
//!         }))
//!     }
//! }
//!
//! let parsed = every_cut("3abc2de0", Counted::default, Counted::parse);
//! assert_eq!(parsed.messages, [&b"abc"[..], b"de", b""]);
//! assert_eq!(parsed.error, None);
//! ```
//!
//! Had it forgotten its length while it waits, the test would say:
//!
//! ```text
//! the answers of the parser depend on how its input comes
//!
//!     input: "3abc" (4 of 8 bytes)
//!     in pieces: "3" "abc"
//!
//!     expected:
//!         [97, 98, 99]
//!         and it waits for more
//!
//!     came:
//!         it waits for more
//! ```

mod delivery;
mod report;

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use crate::{
    error::{ReadError, TransportError},
    reader::Reader,
    request::Status,
};
use delivery::{Delivery, End, Thorough};
use report::Difference;

/// So many answers in a row of which none takes anything are one too many.
const MOST_FROM_NOTHING: usize = 10_000;

/// When a difference was found, a smaller one is looked for with so many bytes of input.
const SEARCH: usize = 1 << 22;

/// Runs a parser over an input that is cut and ended everywhere, and returns what it makes of all of it.
///
/// `new` makes a parser, once for each run, and `parse` is what a stream's `read_with` would call. A parser
/// without a state is `every_cut(input, || (), |(), reader| parse(reader))`. [`EveryCut`] is the same for a
/// reader that has a limit and a cap of its own.
///
/// | what is tried | of an input of |
/// |---|---|
/// | every cut in two | up to 1 KiB; of a longer one as many cuts as make 1 MiB of input, and at least 16 |
/// | every cut in three | up to 64 bytes |
/// | byte by byte | any length |
/// | its end after every byte, and a failure of the transport there: with the last byte, and when the parser waits | up to 1 KiB; after as many as above of a longer one |
/// | the same byte by byte, and with every cut in two | up to 64 bytes before the end |
///
/// What comes of each must be what comes of the same bytes in one piece: the same messages, and the
/// same error if there is one. What has come before a failure is parsed, and then there is an error.
/// [`EveryCut::whole_messages`] also holds that the end makes no message of a part.
///
/// A parser that takes pieces as they come ([`Request::UpTo`](crate::Request::UpTo)) is not for this: its answers depend
/// on the cuts.
///
/// # Panics
///
/// If something else comes of it. The message shows the smallest input and the cut with which that is so,
/// what was expected, and what came. Also if the parser answers for ever without taking anything.
///
/// # Examples
///
/// See [the module](self).
pub fn every_cut<P, T: PartialEq + fmt::Debug, E: From<ReadError> + fmt::Debug>(
    input: impl AsRef<[u8]>,
    new: impl FnMut() -> P,
    parse: impl FnMut(&mut P, &mut Reader) -> Result<Status<T>, E>,
) -> Parsed<T, E> {
    EveryCut::new(input).check(new, parse)
}

/// [`every_cut`] with a reader that is not the default one.
///
/// # Examples
///
/// ```
/// use millpond_core::{ReadError, Reader, Request, Status, testing::EveryCut};
///
/// fn line(reader: &mut Reader) -> Result<Status<Vec<u8>>, ReadError> {
///     let found = reader.poll(Request::Line)?;
///     Ok(found.map(|n| reader.lend(n).to_vec()))
/// }
///
/// let parsed = EveryCut::new("one\ntoo long\n").limit(5).check(|| (), |(), reader| line(reader));
/// assert_eq!(parsed.messages, [b"one\n"]);
/// assert!(matches!(parsed.error, Some(ReadError::LimitOverrun { .. })));
/// ```
#[derive(Clone, Debug)]
#[must_use = "does nothing until it is asked to check something"]
pub struct EveryCut {
    input: Vec<u8>,
    limit: Option<usize>,
    cap: Option<usize>,
    /// Whether the end of the stream may make a message of what is left.
    end_makes_messages: bool,
}

/// What a parser makes of an input and the end of the stream.
///
/// ```
/// use millpond_core::{ReadError, Request, testing::every_cut};
///
/// let parsed = every_cut("abc", || (), |(), reader| {
///     let found = reader.poll(Request::Exactly(2))?;
///     Ok::<_, ReadError>(found.map(|n| reader.lend(n).to_vec()))
/// });
/// assert_eq!(parsed.messages, [b"ab"]);
/// assert!(matches!(parsed.error, Some(ReadError::Incomplete { .. })));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Parsed<T, E> {
    /// The messages, in order.
    pub messages: Vec<T>,
    /// What ended it, unless the stream ended between two messages.
    pub error: Option<E>,
}

impl EveryCut {
    /// Of this input. See [`EveryCut`] for an example.
    pub fn new(input: impl AsRef<[u8]>) -> Self {
        Self {
            input: input.as_ref().to_vec(),
            limit: None,
            cap: None,
            end_makes_messages: true,
        }
    }

    /// The limit of the reader, in bytes; by default [`DEFAULT_LIMIT`](crate::DEFAULT_LIMIT).
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The cap of the reader, in bytes; by default none.
    pub fn cap(mut self, cap: usize) -> Self {
        self.cap = Some(cap);
        self
    }

    /// The end of the stream makes no message of what is left: half a message must not pass for a whole
    /// one. By default it may, as it does of a last line without its line feed.
    pub fn whole_messages(mut self) -> Self {
        self.end_makes_messages = false;
        self
    }

    /// As [`every_cut`].
    ///
    /// # Panics
    ///
    /// As [`every_cut`], and if the limit is 0.
    pub fn check<P, T: PartialEq + fmt::Debug, E: From<ReadError> + fmt::Debug>(
        &self,
        new: impl FnMut() -> P,
        parse: impl FnMut(&mut P, &mut Reader) -> Result<Status<T>, E>,
    ) -> Parsed<T, E> {
        let mut trial = Trial {
            settings: self,
            new,
            parse,
        };
        if let Some(found) = trial.first_difference() {
            let smaller = trial.smaller_difference(&found);
            panic!("{}", smaller.unwrap_or(found));
        }
        let outcome = trial.run(&Delivery::whole(self.input.len(), End::Eof));
        Parsed {
            messages: outcome.messages,
            error: match outcome.last {
                Last::Error(error) => Some(error),
                Last::Waits | Last::Ended => None,
            },
        }
    }

    fn reader(&self) -> Reader {
        let reader = match self.limit {
            Some(limit) => Reader::with_limit(limit),
            None => Reader::new(),
        };
        match self.cap {
            Some(cap) => reader.with_cap(cap),
            None => reader,
        }
    }
}

/// A parser that is tried.
struct Trial<'a, N, F> {
    settings: &'a EveryCut,
    new: N,
    parse: F,
}

/// What it makes of a delivery.
struct Outcome<T, E> {
    messages: Vec<T>,
    last: Last<E>,
}

/// What comes behind the last message.
enum Last<E> {
    Waits,
    Ended,
    Error(E),
}

impl<P, T, E, N, F> Trial<'_, N, F>
where
    N: FnMut() -> P,
    F: FnMut(&mut P, &mut Reader) -> Result<Status<T>, E>,
    T: PartialEq + fmt::Debug,
    E: From<ReadError> + fmt::Debug,
{
    fn first_difference(&mut self) -> Option<Difference> {
        let len = self.settings.input.len();
        let whole = Delivery::whole(len, End::Open);
        let open = self.run(&whole);
        let found = self.difference(&whole, &open, Thorough::Yes);
        found.or_else(|| {
            let mut ends = delivery::places(len).into_iter();
            ends.find_map(|len| self.difference_at_end(len))
        })
    }

    /// One of the same kind with fewer bytes, as long as that takes no longer than it is worth.
    fn smaller_difference(&mut self, than: &Difference) -> Option<Difference> {
        let mut left = SEARCH;
        for len in 0..than.len() {
            let whole = Delivery::whole(len, End::Open);
            let tries = whole.others(Thorough::Yes).count();
            left = left.checked_sub(tries * len)?;
            let found = match than.is_at_end() {
                true => self.difference_at_end(len),
                false => {
                    let open = self.run(&whole);
                    self.difference(&whole, &open, Thorough::Yes)
                }
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// A failure must give what came before it, and then an error.
    fn difference_at_end(&mut self, len: usize) -> Option<Difference> {
        let open = self.run(&Delivery::whole(len, End::Open));
        for (end, expected) in [
            (End::Eof, "no other message"),
            (End::Failed, "an error of the transport"),
        ] {
            let whole = Delivery::whole(len, end);
            let came = self.run(&whole);
            let is_right = match end {
                End::Eof if self.settings.end_makes_messages => true,
                End::Eof | End::Open => came.messages == open.messages,
                End::Failed => {
                    matches!(came.last, Last::Error(_)) && came.messages == open.messages
                }
            };
            if !is_right {
                let expected = report::lines(&open.messages, expected);
                let input = &self.settings.input;
                return Some(Difference::new(input, &whole, expected, came.text()));
            }
            let found = self.difference(&whole, &came, Thorough::IfShort);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Between what came of some bytes in one piece, and of the same in several.
    fn difference(
        &mut self,
        whole: &Delivery,
        expected: &Outcome<T, E>,
        thorough: Thorough,
    ) -> Option<Difference> {
        whole.others(thorough).find_map(|delivery| {
            let came = self.run(&delivery);
            let input = &self.settings.input;
            (!expected.is_same(&came))
                .then(|| Difference::new(input, &delivery, expected.text(), came.text()))
        })
    }

    fn run(&mut self, delivery: &Delivery) -> Outcome<T, E> {
        let mut reader = self.settings.reader();
        let mut parser = (self.new)();
        let mut outcome = Outcome {
            messages: Vec::new(),
            last: Last::Waits,
        };
        for piece in delivery.pieces(&self.settings.input) {
            reader.feed(piece.data);
            if piece.is_asked_behind {
                self.ask(&mut reader, &mut parser, &mut outcome);
            }
            if let Last::Error(_) = outcome.last {
                return outcome;
            }
        }
        match delivery.end {
            End::Open => return outcome,
            End::Eof => reader.feed_eof(),
            End::Failed => reader.fail(TransportError::new("reset")),
        }
        self.ask(&mut reader, &mut parser, &mut outcome);
        outcome
    }

    /// Asks until it waits for more.
    fn ask(&mut self, reader: &mut Reader, parser: &mut P, outcome: &mut Outcome<T, E>) {
        let mut from_nothing = 0;
        while from_nothing < MOST_FROM_NOTHING {
            let before = reader.buffered().len();
            match reader.poll_message(|reader| (self.parse)(parser, reader)) {
                Ok(Status::NeedData) => return,
                Ok(Status::Ready(None)) => {
                    outcome.last = Last::Ended;
                    return;
                }
                Ok(Status::Ready(Some(message))) => outcome.messages.push(message),
                Err(error) => {
                    outcome.last = Last::Error(error);
                    return;
                }
            }
            from_nothing = match reader.buffered().len() == before {
                true => from_nothing + 1,
                false => 0,
            };
        }
        panic!("the parser has answered {MOST_FROM_NOTHING} times without taking anything");
    }
}

impl<T: PartialEq + fmt::Debug, E: fmt::Debug> Outcome<T, E> {
    fn is_same(&self, other: &Self) -> bool {
        let same_last = match (&self.last, &other.last) {
            // An error need not be comparable.
            (Last::Error(one), Last::Error(other)) => format!("{one:?}") == format!("{other:?}"),
            (Last::Waits, Last::Waits) | (Last::Ended, Last::Ended) => true,
            (Last::Waits | Last::Ended | Last::Error(_), _) => false,
        };
        same_last && self.messages == other.messages
    }

    fn text(&self) -> String {
        let last = match &self.last {
            Last::Waits => "it waits for more".into(),
            Last::Ended => "the stream has ended".into(),
            Last::Error(error) => format!("the error {error:?}"),
        };
        report::lines(&self.messages, &last)
    }
}
