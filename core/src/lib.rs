//! asyncio's streams as a protocol core that does no I/O: every rule of reading, writing and racing
//! connections, as plain values, for code that drives a protocol by hand, and for drivers. Programs use
//! it by way of [`millpond`](https://docs.rs/millpond), on [tokio](https://docs.rs/millpond-tokio) or
//! [smol](https://docs.rs/millpond-smol).
//!
//! # Overview
//!
//! A stream has two halves that share nothing: a [`Reader`] into which a transport puts bytes and
//! from which the application takes messages, and a [`Writer`] into which the application puts bytes
//! and from which a transport takes them. Neither knows a socket, a clock, a thread or `async`; the
//! `millpond` crate drives them on any runtime, and a loop of ten lines drives them on anything else.
//!
//! > A request is a question about the front of the buffer. The answer is a length.
//!
//! ```
//! use millpond_core::{Reader, Request, Separator, Status};
//!
//! let mut socket = &b"EHLO example.org\r\nQUIT\r\n"[..]; // anything that is `Read`
//! let crlf = Separator::new("\r\n");
//! let mut reader = Reader::new();
//!
//! let n = loop {
//!     match reader.poll(Request::Until(&crlf))? {
//!         Status::Ready(n) => break n,
//!         Status::NeedData => match std::io::Read::read(&mut socket, reader.spare())? {
//!             0 => reader.feed_eof(),
//!             n => reader.commit(n),
//!         },
//!     }
//! };
//! assert_eq!(&reader.take(n)[..], b"EHLO example.org\r\n");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A request that finds too little stores nothing, so dropping it loses nothing: whatever drives
//! the core is cancel-safe by construction. One function judges every read, in one order (what has
//! arrived, then the limit, then the end of the stream), so the answers do not depend on how the
//! input was cut.
//!
//! # What goes wrong, and how it is reported
//!
//! Bytes from the peer never panic; they give a [`ReadError`]. A program's own mistakes panic with a
//! sentence: an empty [`Separator`] ([`try_new`](Separator::try_new) if it comes from outside), a
//! limit of 0, a low watermark above the high one, feeding after the end, committing, consuming or
//! sending more than there is. Writing after `write_eof` or `close` is a [`WriteError`].
//!
//! # Crate features
//!
//! * `std` (on by default): errors convert from and into [`std::io::Error`](https://doc.rust-lang.org/std/io/struct.Error.html), and searches choose
//!   their SIMD instructions at run time. Without it the crate is `no_std` and needs `alloc`.
//! * `testing`: the module `testing`, for the tests of a program's own parsers: `every_cut` tries every way
//!   in which a network may cut an input.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod automaton;
mod buffer;
mod byte_set;
mod error;
mod flow;
mod happy_eyeballs;
mod queue;
mod reader;
mod request;
mod search;
mod separator;
mod short;
#[cfg(feature = "testing")]
pub mod testing;
mod writer;

pub use error::{ReadError, TransportError, Truncated, WriteError};
pub use flow::Event;
pub use happy_eyeballs::{CONNECTION_ATTEMPT_DELAY, HappyEyeballs, Race, interleave};
pub use queue::Spent;
pub use reader::{DEFAULT_LIMIT, DEFAULT_PARSE_CAP, Reader, ReaderParts};
pub use request::{Request, Status};
pub use separator::{EmptySeparator, Separator};
pub use writer::{DEFAULT_HIGH_WATER, Transmit, Writer};
