//! The parts of which values consist.

use std::{io, str::FromStr};

use bytes::Bytes;

use super::{Value, invalid};

/// What is behind each line, and behind the bytes of a bulk.
const CRLF: &[u8] = b"\r\n";

/// So deep may arrays be within arrays. A deeper one could make a program that walks it overflow its
/// stack.
const MAX_DEPTH: usize = 32;

/// So many bytes may a value have: as many as a stream buffers for a parser.
const MAX_SIZE: usize = millpond_core::DEFAULT_PARSE_CAP;

/// What a line says: a value, or what is to come behind it.
#[derive(Debug)]
pub(super) enum Part {
    Value(Value),
    Bulk(Bulk),
    /// So many values.
    Values(Kind, usize),
}

/// So many bytes.
#[derive(Debug)]
pub(super) struct Bulk {
    len: usize,
    is_error: bool,
}

/// What values become together.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Array,
    Map,
    Push,
}

impl Part {
    /// Of a line with its end.
    pub(super) fn parse(line: &[u8]) -> io::Result<Self> {
        let line = line.strip_suffix(CRLF).unwrap_or(line);
        let (kind, rest) = line
            .split_first()
            .ok_or_else(|| invalid("a line is empty"))?;
        let text = String::from_utf8_lossy(rest);
        let value = match (kind, &*text) {
            (b'+' | b'(', text) => Value::Text(text.to_owned()),
            (b'-', text) => Value::Error(text.to_owned()),
            (b':', text) => Value::Integer(number(text)?),
            (b',', text) => {
                let _: f64 = number(text)?;
                Value::Double(text.to_owned())
            }
            (b'#', "t") => Value::Boolean(true),
            (b'#', "f") => Value::Boolean(false),
            (b'_', "") | (b'$' | b'*', "-1") => Value::Null,
            (b'$' | b'=' | b'!', text) => {
                return Ok(Self::Bulk(Bulk {
                    len: number(text)?,
                    is_error: *kind == b'!',
                }));
            }
            (b'*' | b'~', text) => return Ok(Self::Values(Kind::Array, number(text)?)),
            (b'>', text) => return Ok(Self::Values(Kind::Push, number(text)?)),
            (b'%', text) => {
                let pairs: usize = number(text)?;
                let both = pairs.checked_mul(2);
                let both = both.ok_or_else(|| invalid("a map is too long"))?;
                return Ok(Self::Values(Kind::Map, both));
            }
            _ => return Err(invalid("a line begins with no type of RESP")),
        };
        Ok(Self::Value(value))
    }
}

fn number<T: FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| invalid("a number is none"))
}

impl Bulk {
    /// With the end of the line behind it.
    pub(super) fn len_sent(&self) -> usize {
        self.len.saturating_add(CRLF.len())
    }

    pub(super) fn value(&self, sent: &[u8]) -> io::Result<Value> {
        let data = sent.strip_suffix(CRLF);
        let data = data.ok_or_else(|| invalid("a bulk does not end where it should"))?;
        Ok(match self.is_error {
            true => Value::Error(String::from_utf8_lossy(data).into_owned()),
            false => Value::Bulk(Bytes::copy_from_slice(data)),
        })
    }
}

/// A value of which not all parts have come.
///
/// It is a list and not a recursion, and nothing is allocated for values that are only announced.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    /// Each is within the one before it.
    ///
    /// Invariant: at most [`MAX_DEPTH`].
    open: Vec<Open>,
    /// Bytes of its parts.
    size: usize,
}

#[derive(Debug)]
struct Open {
    kind: Kind,
    /// How many values it lacks.
    ///
    /// Invariant: it is not 0.
    left: usize,
    values: Vec<Value>,
}

impl Unfinished {
    /// Counts bytes that belong to it, before they are waited for.
    pub(super) fn count(&mut self, bytes: usize) -> io::Result<()> {
        self.size = self.size.saturating_add(bytes);
        match self.size <= MAX_SIZE {
            true => Ok(()),
            false => Err(invalid("a value is too large")),
        }
    }

    /// More values are to come.
    pub(super) fn open(&mut self, kind: Kind, left: usize) -> io::Result<Option<Value>> {
        let values = Vec::new();
        if left == 0 {
            return Ok(self.add(kind.of(values)));
        }
        if self.open.len() == MAX_DEPTH {
            return Err(invalid("arrays are too deep within arrays"));
        }
        self.open.push(Open { kind, left, values });
        Ok(None)
    }

    /// Adds a value to the innermost array. Returns the outermost, if that is complete now.
    pub(super) fn add(&mut self, mut value: Value) -> Option<Value> {
        while let Some(mut open) = self.open.pop() {
            open.values.push(value);
            open.left -= 1;
            if open.left > 0 {
                self.open.push(open);
                return None;
            }
            value = open.kind.of(open.values);
        }
        self.size = 0;
        Some(value)
    }
}

impl Kind {
    fn of(self, values: Vec<Value>) -> Value {
        match self {
            Self::Array => Value::Array(values),
            Self::Push => Value::Push(values),
            Self::Map => {
                let mut values = values.into_iter();
                let pairs = std::iter::from_fn(|| Some((values.next()?, values.next()?)));
                Value::Map(pairs.collect())
            }
        }
    }
}
