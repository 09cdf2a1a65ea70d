//! Conversations with a reader, as files that anyone can replay.
//!
//! # Overview
//!
//! A [`Trace`] is what happened to one reader: the bytes that arrived, as they were cut, its end or
//! failure, the requests, and what came of each. [`replay`] runs it on the bare core, without a
//! clock and without a socket, and says what is different. Where a trace comes from makes no
//! difference: [recorded](RecordedReader) from a program, [from a socket](RecordedSocket), written
//! by hand, made by a fuzzer or printed by CPython, it is the same file.
//!
//! # The format
//!
//! One JSON object a line; bytes are lower-case hex. The first line is `{"trace":1,"limit":N}`,
//! with `"cap":N` if the reader has one. Then, as they happened:
//!
//! | line | what it is |
//! |---|---|
//! | `{"feed":HEX}` | bytes arrived |
//! | `{"feed_eof":true}` | the peer ended the stream |
//! | `{"fail":KIND}` | the transport failed; the name is any text |
//! | `{"read_until":[HEX,..],ANSWER}` | a request through the first of these separators |
//! | `{"read_line":true,ANSWER}` | through the next line feed |
//! | `{"read_exactly":N,ANSWER}` | for so many bytes |
//! | `{"read":N,ANSWER}` | for at most so many; -1 for everything up to the end |
//! | `{"peek":N,ANSWER}` | for a look ahead; not in asyncio |
//! | `{"buffered":HEX}` | a statement: this is buffered |
//! | `{"consume":N}` | so many bytes were dropped that no request had asked for; not in asyncio |
//! | `{"set_limit":N}` | the limit was changed; not in asyncio |
//!
//! An ANSWER is one of these:
//!
//! | fields | what came of the request |
//! |---|---|
//! | `"ok":HEX` | these bytes, and they were taken |
//! | `"pending":true` | too little has arrived |
//! | `"incomplete":HEX,"expected":N` | the stream ended before; `null` if no number was asked for |
//! | `"overrun":true,"consumed":N` | no separator within the limit |
//! | `"failed":KIND` | the transport had failed |
//! | `"cap_exceeded":N` | more than the cap would have to be buffered; not in asyncio |
//! | `"ready":N` | so many bytes are the answer, and were not taken; not in asyncio |
//!
//! A request that is pending waits. If the next one is the same, it is this one asked again;
//! otherwise it was cancelled. Inputs between two requests arrive together, before the next one.

mod compare;
mod deliberate;
mod generate;
mod hex;
mod json;
mod model;
mod python;
mod record_reader;
mod record_socket;
mod replay;
mod shrink;
mod timeline;
mod types;

pub use compare::{Verdict, compare, judge, pauses_differ};
pub use deliberate::Deliberate;
pub use generate::Conversations;
pub use json::ParseError;
pub use python::Python;
pub use record_reader::RecordedReader;
pub use record_socket::{RecordedSocket, Recording};
pub use replay::{Difference, replay};
pub use shrink::shrink;
pub use timeline::{Moment, timeline};
pub use types::{Answer, Kind, Line, Request, Trace};
