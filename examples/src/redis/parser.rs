//! The parser, with its state.

use std::{io, sync::LazyLock};

use millpond_core::{Reader, Request, Separator, Status};

use super::{
    Value,
    part::{Bulk, Part, Unfinished},
};

static CRLF: LazyLock<Separator> = LazyLock::new(|| Separator::new("\r\n"));

/// Makes values of what a server sends.
///
/// It takes each part as it comes, and keeps it. So its work is proportional to its input, however that is
/// cut, and what has come of a value is not lost when a read is cancelled: it is kept beside the stream.
#[derive(Debug, Default)]
pub struct Parser {
    unfinished: Unfinished,
    /// What the next bytes are, unless they are a line.
    bulk: Option<Bulk>,
}

impl Parser {
    /// Takes the next value, or what has come of it.
    ///
    /// # Errors
    ///
    /// A [`ReadError`](millpond::ReadError) or, with the kind `InvalidData`, what is wrong with what came. It cannot
    /// go on behind either.
    pub fn parse(&mut self, reader: &mut Reader) -> io::Result<Status<Value>> {
        loop {
            let request = match &self.bulk {
                Some(bulk) => Request::Exactly(bulk.len_sent()),
                None => Request::Until(&CRLF),
            };
            let Status::Ready(n) = reader.poll(request)? else {
                return Ok(Status::NeedData);
            };
            let data = reader.lend(n);
            let part = match self.bulk.take() {
                Some(bulk) => Part::Value(bulk.value(data)?),
                None => {
                    self.unfinished.count(n)?;
                    Part::parse(data)?
                }
            };
            let whole = match part {
                Part::Value(value) => self.unfinished.add(value),
                Part::Values(kind, count) => self.unfinished.open(kind, count)?,
                Part::Bulk(bulk) => {
                    self.unfinished.count(bulk.len_sent())?;
                    self.bulk = Some(bulk);
                    None
                }
            };
            if let Some(value) = whole {
                return Ok(Status::Ready(value));
            }
        }
    }
}
