//! As much of SMTP as sending a mail needs, with TLS in the middle of the stream: a server and a
//! client, each a function over a [`Stream`] of any runtime.
//!
//! Nothing that was received in the clear is trusted after TLS has started. An attacker in between
//! could have injected it.

use std::io;

use millpond::{ReadError, Stream};

mod client;
mod server;
#[cfg(test)]
mod tests;

pub use client::send;
pub use server::serve;

/// The limit that a stream should have: a line of a command or of a mail has at most 1000 bytes.
pub const LINE_LIMIT: usize = 1000;

/// A mail with its envelope.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mail {
    /// Who sends it.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// Headers, a blank line, the text.
    pub lines: Vec<String>,
}

/// The next line without its end; `None` at the end of the stream.
///
/// A line ends with CR LF and with nothing else: servers that do not agree on where one ends can be
/// made to disagree on where a mail ends.
async fn next_line(stream: &mut Stream) -> io::Result<Option<String>> {
    match stream.read_until("\r\n").await {
        Ok(line) => {
            let line = line.strip_suffix(b"\r\n").unwrap_or(&line);
            Ok(Some(String::from_utf8_lossy(line).into_owned()))
        }
        Err(ReadError::Incomplete { partial, .. }) if partial.is_empty() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}
