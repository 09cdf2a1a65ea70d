//! Every read there is, as a value.

use millpond::{
    Bytes, ReadError, Separator, StreamReader,
    millpond_core::{Reader, Request, Status},
};

use crate::place::Ending;

/// A message that each [`Ask`] is answered with: one line, that ends in a separator which seems to
/// begin twice before.
pub(crate) const MESSAGE: &[u8] = b"ab\rcd\r\r\n";

/// A read for [`MESSAGE`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ask {
    Exactly,
    ExactlyRef,
    Line,
    LineRef,
    NextLine,
    Peek,
    Read,
    ReadRef,
    ToEof,
    Until,
    UntilRef,
    UntilSet,
    With,
}

/// What a read may give. [`ReadError`] cannot be compared with an expectation, because a failure
/// is only equal to itself.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Answer {
    Bytes(Vec<u8>),
    Failed,
    Incomplete(Vec<u8>, Option<usize>),
    Other(ReadError),
}

impl Ask {
    pub(crate) const ALL: [Self; 13] = [
        Self::Exactly,
        Self::ExactlyRef,
        Self::Line,
        Self::LineRef,
        Self::NextLine,
        Self::Peek,
        Self::Read,
        Self::ReadRef,
        Self::ToEof,
        Self::Until,
        Self::UntilRef,
        Self::UntilSet,
        Self::With,
    ];

    /// Asks, and copies the answer.
    pub(crate) async fn of(self, reader: &mut StreamReader) -> Result<Vec<u8>, ReadError> {
        let n = MESSAGE.len();
        let crlf = Separator::new("\r\n");
        Ok(match self {
            Self::Exactly => reader.read_exactly(n).await?.to_vec(),
            Self::ExactlyRef => reader.read_exactly_ref(n).await?.to_vec(),
            Self::Line => reader.read_line().await?.to_vec(),
            Self::LineRef => reader.read_line_ref().await?.to_vec(),
            Self::NextLine => match reader.lines().next().await {
                Some(line) => line?.to_vec(),
                None => Vec::new(),
            },
            Self::Peek => reader.peek(n).await?.to_vec(),
            Self::Read => reader.read(n).await?.to_vec(),
            Self::ReadRef => reader.read_ref(n).await?.to_vec(),
            Self::ToEof => reader.read_to_eof().await?.to_vec(),
            Self::Until => reader.read_until("\r\n").await?.to_vec(),
            Self::UntilRef => reader.read_until_ref(&crlf).await?.to_vec(),
            Self::UntilSet => {
                let ends = Separator::any(["\r\n", "\0", "never"]);
                reader.read_until(ends).await?.to_vec()
            }
            Self::With => reader.read_with(parse).await?.to_vec(),
        })
    }

    /// Fails unless `answer` is right for a stream that ended so after `data`, which is the
    /// beginning of [`MESSAGE`].
    #[track_caller]
    pub(crate) fn assert_answer(
        self,
        answer: &Result<Vec<u8>, ReadError>,
        data: &[u8],
        ending: Ending,
    ) {
        let answer = match answer.clone() {
            Ok(bytes) => Answer::Bytes(bytes),
            Err(ReadError::Transport(_)) => Answer::Failed,
            Err(ReadError::Incomplete { partial, expected }) => {
                Answer::Incomplete(partial.to_vec(), expected)
            }
            Err(other) => Answer::Other(other),
        };
        let right = self.right_answers(data, ending);
        assert!(
            right.contains(&answer),
            "{self:?} on \"{}\" and {ending:?} gave {answer:?}",
            data.escape_ascii()
        );
    }

    fn right_answers(self, data: &[u8], ending: Ending) -> Vec<Answer> {
        let whole = data == MESSAGE;
        let bytes = Answer::Bytes(data.to_vec());
        let partial = data.to_vec();
        let one = match (self, ending) {
            (Self::Read | Self::ReadRef, _) if !data.is_empty() => {
                return (1..=data.len())
                    .map(|n| Answer::Bytes(data[..n].to_vec()))
                    .collect();
            }
            (Self::Peek, Ending::Reset) if !data.is_empty() => bytes,
            (Self::ToEof, Ending::Reset) => Answer::Failed,
            (_, _) if whole => bytes,
            (_, Ending::Reset) => Answer::Failed,
            (Self::Exactly | Self::ExactlyRef, Ending::Eof) => {
                Answer::Incomplete(partial, Some(MESSAGE.len()))
            }
            (Self::Until | Self::UntilRef | Self::UntilSet | Self::With, Ending::Eof) => {
                Answer::Incomplete(partial, None)
            }
            (
                Self::Line
                | Self::LineRef
                | Self::NextLine
                | Self::Peek
                | Self::Read
                | Self::ReadRef
                | Self::ToEof,
                Ending::Eof,
            ) => bytes,
        };
        vec![one]
    }
}

/// A parser for `read_with`: asks for the end of the message in two steps.
fn parse(reader: &mut Reader) -> Result<Status<Bytes>, ReadError> {
    let Status::Ready(_) = reader.poll(Request::Peek(1))? else {
        return Ok(Status::NeedData);
    };
    let found = reader.poll(Request::Until(&Separator::new("\r\n")))?;
    Ok(found.map(|n| reader.take(n)))
}
