//! The parser as a function, without a state.

use std::{io, sync::LazyLock};

use millpond_core::{Reader, Request, Separator, Status};

use super::{
    Value,
    part::{Part, Unfinished},
};

static CRLF: LazyLock<Separator> = LazyLock::new(|| Separator::new("\r\n"));

/// Takes the next value, all at once: it looks behind what it has understood, and takes nothing before
/// everything is there.
///
/// There is nothing to keep between two calls, which is simpler. But each call begins anew, so the work for an
/// array of many values that comes in many pieces is quadratic: [`Parser`](super::Parser) is for those.
///
/// # Errors
///
/// As [`Parser::parse`](super::Parser::parse).
pub fn parse(reader: &mut Reader) -> io::Result<Status<Value>> {
    let mut unfinished = Unfinished::default();
    let mut at = 0;
    loop {
        let Status::Ready(n) = reader.poll_at(at, Request::Until(&CRLF))? else {
            return Ok(Status::NeedData);
        };
        unfinished.count(n)?;
        let part = Part::parse(&reader.buffered()[at..at + n])?;
        at += n;
        let whole = match part {
            Part::Value(value) => unfinished.add(value),
            Part::Values(kind, count) => unfinished.open(kind, count)?,
            Part::Bulk(bulk) => {
                unfinished.count(bulk.len_sent())?;
                let Status::Ready(n) = reader.poll_at(at, Request::Exactly(bulk.len_sent()))?
                else {
                    return Ok(Status::NeedData);
                };
                let value = bulk.value(&reader.buffered()[at..at + n])?;
                at += n;
                unfinished.add(value)
            }
        };
        if let Some(value) = whole {
            reader.consume(at);
            return Ok(Status::Ready(value));
        }
    }
}
