//! HTTP/1.1 by hand, a server's side: a function over a [`Stream`] of any runtime. `http` has the types,
//! and `httparse` knows what a header may contain; the rest is reading and writing.
//!
//! | a client that | gets |
//! |---|---|
//! | sends a head longer than the stream's [limit](HEAD_LIMIT), or too many fields | 431 |
//! | sends what is not HTTP, two lengths, a chunk without its end, half a request | 400 |
//! | wants to send more than [`Limits::body`] | 413, before it does if it asks (`Expect: 100-continue`) |
//! | takes too long for a head or a body | 408 |
//! | is silent between two requests, or ends | the end |
//!
//! A client that is refused may still be sending. It gets its answer all the same, because a closed stream
//! lingers: it reads and drops what still comes.
//!
//! Strict where servers that disagree could be played against each other: a head ends with CR LF CR LF and
//! nothing else, a body has one length, and a number consists of digits.

use std::{io, time::Duration};

use http::StatusCode;
use millpond::{ReadError, Stream};

mod answer;
mod body;
mod head;
mod serving;
#[cfg(test)]
mod tests;

pub use answer::Body;
pub use serving::serve;

/// The limit that a stream should have: what a head, or the line before a chunk, may take.
pub const HEAD_LIMIT: usize = 16 * 1024;

/// What a client may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a body.
    pub body: usize,
    /// From the first byte of a head to its last one.
    pub head_timeout: Duration,
    /// For a whole body.
    pub body_timeout: Duration,
    /// How long it may be silent between two requests.
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1024 * 1024,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            keep_alive: Duration::from_secs(60),
        }
    }
}

/// Why there is no request.
#[derive(Debug)]
enum Refusal {
    /// The answer, and then the connection ends.
    Status(StatusCode),
    /// There is no client to answer.
    Lost(io::Error),
}

impl From<StatusCode> for Refusal {
    fn from(status: StatusCode) -> Self {
        Self::Status(status)
    }
}

impl Refusal {
    /// Of a read that was to find something within the stream's limit.
    fn of_read(error: ReadError, too_long: StatusCode) -> Self {
        match error {
            ReadError::LimitOverrun { .. } => Self::Status(too_long),
            // The client has ended in the middle, and may still listen.
            ReadError::Incomplete { .. } => Self::Status(StatusCode::BAD_REQUEST),
            ReadError::Transport(_) | ReadError::Truncated | _ => Self::Lost(error.into()),
        }
    }
}
