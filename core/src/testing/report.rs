//! The report of a parser whose answers differ.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use super::delivery::{Delivery, End};

/// Of a piece or a message, so many characters are shown at either end.
const SHOWN: usize = 100;

/// Of messages, so many.
const MESSAGES: usize = 8;

/// A delivery, what was expected of it, and what came.
pub(super) struct Difference {
    pieces: Vec<Vec<u8>>,
    /// The length of the whole input.
    of: usize,
    end: End,
    at_once: bool,
    expected: String,
    came: String,
}

impl Difference {
    pub(super) fn new(input: &[u8], delivery: &Delivery, expected: String, came: String) -> Self {
        let pieces = delivery.pieces(input).map(|piece| piece.data.to_vec());
        Self {
            pieces: pieces.collect(),
            of: input.len(),
            end: delivery.end,
            at_once: delivery.at_once,
            expected,
            came,
        }
    }

    /// How much of the input it takes.
    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.end != End::Open
    }

    fn pieces(&self) -> Option<String> {
        match &self.pieces[..] {
            [_] => None,
            pieces if pieces.len() == self.len() && pieces.len() > 3 => Some("byte by byte".into()),
            pieces => {
                let pieces: Vec<String> = pieces.iter().map(|piece| quoted(piece)).collect();
                Some(pieces.join(" "))
            }
        }
    }

    fn end(&self) -> Option<String> {
        let end = match self.end {
            End::Open => return None,
            End::Eof => "the end of the stream",
            End::Failed => "a failure of the transport",
        };
        Some(match self.at_once {
            true => format!("{end}, with the last byte"),
            false => format!("{end}, when the parser waits"),
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, of) = (self.len(), self.of);
        let input = quoted(&self.pieces.concat());
        f.write_str("the answers of the parser depend on how its input comes\n\n")?;
        writeln!(f, "    input: {input} ({len} of {of} bytes)")?;
        if let Some(pieces) = self.pieces() {
            writeln!(f, "    in pieces: {pieces}")?;
        }
        if let Some(end) = self.end() {
            writeln!(f, "    then: {end}")?;
        }
        let (expected, came) = (&self.expected, &self.came);
        write!(f, "\n    expected:\n{expected}\n\n    came:\n{came}")
    }
}

/// Messages and what comes behind them, one a line.
pub(super) fn lines<T: fmt::Debug>(messages: &[T], last: &str) -> String {
    let left_out = messages.len().saturating_sub(MESSAGES);
    let before = (left_out > 0).then(|| format!("{left_out} messages, and then"));
    let shown = messages[left_out..].iter();
    let shown = shown.map(|message| shortened(&format!("{message:?}")));
    let behind = match messages {
        [] => last.into(),
        [..] => format!("and {last}"),
    };
    let lines = before.into_iter().chain(shown).chain([behind]);
    let lines: Vec<String> = lines.map(|line| format!("        {line}")).collect();
    lines.join("\n")
}

fn quoted(data: &[u8]) -> String {
    format!("\"{}\"", shortened(&format!("{}", data.escape_ascii())))
}

/// Without its middle, if it is long.
fn shortened(text: &str) -> String {
    let len = text.chars().count();
    if len <= 2 * SHOWN {
        return text.into();
    }
    let beginning: String = text.chars().take(SHOWN).collect();
    let end: String = text.chars().skip(len - SHOWN).collect();
    format!("{beginning} .. {end}")
}
