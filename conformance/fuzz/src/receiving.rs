//! A side that listens.

use std::io::ErrorKind;

use bytes::Bytes;
use millpond_core::Request;
use millpond_sim::{ReadError, StreamReader, world};

use crate::{
    cancel::cancel_after,
    support::{self, Answer, Ask, Model},
};

/// Answers that it asks for at the most, before it reads on to the end.
const MOST_ANSWERS: usize = 300;

/// What was received.
#[derive(Debug, Default)]
pub(crate) struct Received {
    answers: Vec<(Ask, Answer)>,
    /// The bytes of those that found some, in order.
    data: Vec<Bytes>,
    /// How many bytes were buffered at last.
    pub(crate) left: usize,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum End {
    /// Listening ended before.
    #[default]
    Enough,
    Eof,
    Failed(ErrorKind),
    /// It took too long.
    TimedOut,
}

/// Asks for one thing after the other until the stream has ended, or so many times.
pub(crate) async fn receive(received: &mut Received, reader: &mut StreamReader, answers: usize) {
    while received.answers.len() < answers {
        let ask = match received.answers.len() {
            ..MOST_ANSWERS => any_ask(),
            _ => Ask::ToEof,
        };
        let asked = cancel_after(world().choose(4), put(reader, &ask, world().choose(2) == 1));
        let answer = match asked.await {
            Some(Ok(data)) => {
                let found = Answer::Found(data.len());
                received.data.push(data);
                found
            }
            Some(Err(ReadError::Incomplete { partial, expected })) => Answer::Incomplete {
                partial: partial.to_vec(),
                expected,
            },
            Some(Err(ReadError::LimitOverrun { consumed })) => {
                if let Ask::Until(_) = ask {
                    reader.consume(consumed);
                }
                Answer::Overrun { consumed }
            }
            Some(Err(error)) => {
                received.end = End::Failed(error.kind());
                let again = reader.read_to_eof().await.unwrap_err();
                assert_eq!(again, error, "the same failure again");
                return;
            }
            None => continue,
        };
        received.answers.push((ask, answer));
        if reader.at_eof() {
            received.end = End::Eof;
            return;
        }
    }
}

/// The first is that of a world without choices.
fn any_ask() -> Ask {
    let number = || world().choose(60);
    match world().choose(10) {
        0 => Ask::ToEof,
        1 | 2 => Ask::Line,
        3 => Ask::until(&["\r\n"]),
        4 => Ask::until(&["\r\n", "\n"]),
        5 => Ask::until(&["A", "bc\n", "c"]),
        6 => Ask::Exactly(number()),
        7 => Ask::Peek(number()),
        _ => Ask::UpTo(number()),
    }
}

/// Asks, for bytes of its own or borrowed ones.
async fn put(reader: &mut StreamReader, ask: &Ask, borrowed: bool) -> Result<Bytes, ReadError> {
    let copied = Bytes::copy_from_slice;
    match (ask.request(), borrowed) {
        (Request::Exactly(n), false) => reader.read_exactly(n).await,
        (Request::Exactly(n), true) => reader.read_exactly_ref(n).await.map(copied),
        (Request::Line, false) => reader.read_line().await,
        (Request::Line, true) => reader.read_line_ref().await.map(copied),
        (Request::Peek(n), _) => reader.peek(n).await.map(copied),
        (Request::ToEof, _) => reader.read_to_eof().await,
        (Request::Until(separator), false) => reader.read_until(separator).await,
        (Request::Until(separator), true) => reader.read_until_ref(separator).await.map(copied),
        (Request::UpTo(n), false) => reader.read(n).await,
        (Request::UpTo(n), true) => reader.read_ref(n).await.map(copied),
        (other, _) => panic!("{other:?} is not known here"),
    }
}

impl Received {
    /// It has received the beginning of a speech of which `sent` bytes were sent, and each answer is that
    /// of the plain model. Returns how much of the speech that is.
    pub(crate) fn check(&self, speech: &[u8], sent: usize, limit: usize) -> usize {
        let received = self.len(speech).min(sent);
        let mut model = Model::new(limit, usize::MAX);
        model.feed(&speech[..received]);
        let mut data = self.data.iter();
        model.end = match self.end {
            End::Eof => support::End::Eof,
            End::Failed(_) => support::End::Failed,
            // A look ahead that was shorter than it might be has seen the end.
            End::Enough if self.answers.iter().any(is_short_look) => support::End::Eof,
            End::Enough | End::TimedOut => support::End::Open,
        };
        for (ask, answer) in &self.answers {
            if let Answer::Found(_) = answer {
                let found = data.next().expect("what was found was kept");
                assert!(model.data.starts_with(found), "{ask:?}");
            }
            match (ask, answer) {
                // As many as had arrived.
                (Ask::UpTo(n), Answer::Found(some)) => {
                    assert!(some <= n);
                    let at_end = model.data.is_empty() && model.end == support::End::Eof;
                    assert!(*n == 0 || at_end || *some > 0, "a false end");
                }
                _ => assert_eq!(model.ask(ask).as_ref(), Some(answer), "{ask:?}"),
            }
            model.data.drain(..taken(ask, answer));
        }
        received
    }

    /// How much of a speech that is endless was received, skipped, and left.
    fn len(&self, speech: &[u8]) -> usize {
        let mut len = 0;
        for (ask, answer) in &self.answers {
            len += taken(ask, answer);
            match (ask, answer) {
                // It saw all that ever came. How much of that is skipped later is not known.
                (Ask::Peek(n), Answer::Found(found)) if found < n => return len + found,
                (Ask::Line, Answer::Overrun { .. }) => {
                    let newline = speech[len..].iter().position(|byte| *byte == b'\n');
                    len += newline.expect("more lines than were sent") + 1;
                }
                (_, Answer::Incomplete { partial, .. }) => len += partial.len(),
                _ => {}
            }
        }
        len + self.left
    }
}

fn is_short_look((ask, answer): &(Ask, Answer)) -> bool {
    matches!((ask, answer), (Ask::Peek(n), Answer::Found(found)) if found < n)
}

/// How much an answer has taken out of the buffer, but for what the model removes by itself.
fn taken(ask: &Ask, answer: &Answer) -> usize {
    match (ask, answer) {
        (Ask::Peek(_), _) => 0,
        (_, Answer::Found(found)) => *found,
        (Ask::Until(_), Answer::Overrun { consumed }) => *consumed,
        _ => 0,
    }
}
