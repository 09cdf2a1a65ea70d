//! The default reports of a server's errors, if the program sets no hook.

use std::{
    error::Error,
    fmt,
    io::{self, Write},
};

use millpond_core::{ReadError, TransportError, WriteError};

use super::handler_error::{HandlerError, chain};
use crate::connection::Connection;

/// Prints a line for a handler that failed. None if its client has left: any client could fill a log so.
pub(crate) fn handler_error(error: &HandlerError) {
    if !error.client_has_left() {
        print(error);
    }
}

pub(crate) fn accept_error(error: &io::Error) {
    print(&format_args!("accept failed, pausing: {error}"));
}

/// To standard error, unless `tracing` has the event.
fn print(event: &dyn fmt::Display) {
    if !cfg!(feature = "tracing") {
        let line = format!("millpond: {}\n", in_one_line(&event.to_string()));
        // In one write, because others may write there, too. If it fails, there is nowhere else to report
        // that.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

/// Escapes control characters: a handler's error may repeat what its client has sent.
fn in_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '\'' | '"' => line.push(character),
            _ => line.extend(character.escape_debug()),
        }
    }
    line
}

/// Whether a handler failed because its client has left, or because a graceful shutdown has ended its idle
/// read: the error is, or was caused by, an error of its stream, and this stream has in fact failed or ended
/// so. The handler may have other streams, too.
pub(crate) fn client_has_left(connection: &Connection, error: &(dyn Error + 'static)) -> bool {
    let failure = connection.inspect(|core| core.error().map(TransportError::kind));
    let has_failed = failure.is_some_and(is_of_leaving);
    chain(error).any(|error| match error.downcast_ref() {
        Some(ReadError::Incomplete { .. }) => {
            connection.has_seen_the_end() || connection.shutdown().ends_idle_reads()
        }
        Some(_) | None => has_failed && kind(error).is_some_and(is_of_leaving),
    })
}

fn kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let read = error.downcast_ref().map(ReadError::kind);
    let write = error.downcast_ref().map(WriteError::kind);
    let transport = error.downcast_ref().map(TransportError::kind);
    let io = error.downcast_ref().map(io::Error::kind);
    read.or(write).or(transport).or(io)
}

/// Whether a client causes this error by disconnecting or by sending nothing more, or its network by failing.
fn is_of_leaving(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NotConnected
            | io::ErrorKind::TimedOut
            | io::ErrorKind::UnexpectedEof
    )
}
