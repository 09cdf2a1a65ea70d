//! A Redis client: a parser on the core, and a client over a [`Stream`](millpond::Stream) of any runtime.
//!
//! | file | what it is |
//! |---|---|
//! | `value.rs` | a value of RESP, and how a command is written |
//! | `part.rs` | what one line says, and the arrays that are not complete yet |
//! | `parser.rs` | the parser: it has a state, and looks at each byte once |
//! | `function.rs` | the same without a state, for comparison: it begins anew when more has come |
//! | `client.rs` | commands, pipelines, publish and subscribe |
//!
//! The tests feed the parser cut everywhere, and run the client against a scripted server in simulated
//! worlds in which the connection is cut, stalls and breaks. `tests/programs/redis_client.rs` runs it
//! against redis-server.

use std::io;

mod client;
mod function;
mod parser;
mod part;
#[cfg(test)]
mod tests;
mod value;

pub use client::{Client, Message, Subscription};
pub use function::parse;
pub use parser::Parser;
pub use value::{Value, command};

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
