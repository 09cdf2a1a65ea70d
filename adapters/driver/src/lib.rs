//! asyncio's streams for any Rust runtime: the types and functions that all adapters share. Programs
//! depend on the adapter of their runtime, [`millpond-tokio`](https://docs.rs/millpond-tokio) or
//! [`millpond-smol`](https://docs.rs/millpond-smol), which has all that is here with its runtime filled
//! in; tests on [`millpond-sim`](https://docs.rs/millpond-sim), a simulated network. Libraries, which
//! are given a [`Runtime`], depend on this crate.
//!
//! # Overview
//!
//! [`StreamReader`] and [`StreamWriter`] are the two halves of a stream, whatever is below it. They
//! come from the adapter of a runtime (`millpond-tokio`, `millpond-smol`), from any futures-io
//! stream ([`FuturesIo`](types::FuturesIo) and [`StreamOptions::open`]), from the program itself
//! ([`fed`]), or from memory:
//!
//! ```
//! # futures_lite::future::block_on(async {
//! let ((mut reader, mut writer), (mut peer_reader, mut peer_writer)) = millpond::pair();
//!
//! writer.write(b"EHLO example.org\r\n")?;
//! assert_eq!(peer_reader.read_until("\r\n").await?, "EHLO example.org\r\n");
//!
//! peer_writer.write(b"250 OK\r\n")?;
//! assert_eq!(reader.read_line().await?, "250 OK\r\n");
//! # Ok::<(), std::io::Error>(()) }).unwrap();
//! ```
//!
//! Every rule of reading and writing is in [`millpond_core`], which does no I/O; this crate moves
//! bytes between it and a socket, once for all runtimes. What it needs of a runtime is the
//! [`Runtime`] trait; authors of adapters find the rest in [`adapter`].
//!
//! At the root are the names that programs write. What calls only take and return is in [`types`], the
//! errors are in [`error`].
//!
//! For users of asyncio there is a [guide](guide::from_asyncio) with every name of asyncio's
//! streams beside its counterpart.
//!
//! # Features
//!
//! | feature | gives |
//! |---|---|
//! | `tls` | TLS by rustls, with the cryptography of ring (`tls-ring`) |
//! | `tls-aws-lc-rs` | TLS with that of aws-lc-rs, which is used if ring's is not there |
//! | `idna` | names of hosts that are not ASCII, such as `bücher.example` (by the crate idna, with 24 others below it) |
//! | `tokio` | tokio's `AsyncRead`, `AsyncBufRead` and `AsyncWrite` for every stream, on any runtime; its own is not needed |
//! | `tracing` | events for handlers that fail and connections that cannot be accepted |
//!
//! None is on by default. The adapters have the same; in `millpond-tokio`, `tokio` is always on.
//!
//! # Guarantees
//!
//! * Every method that waits is cancel-safe: in a `select!`, nothing is lost.
//! * A peer cannot make a reader buffer more than its limit (64 KiB by default).
//! * What was written is delivered, without another await and after the writer is dropped, as long
//!   as the runtime runs.
//! * Both halves work at once from two tasks, without a lock between them.
//! * No stream starves other tasks: after 128 operations that did not wait, it yields.
//!
//! # What goes wrong, and how it is reported
//!
//! | what | how |
//! |---|---|
//! | the stream ends too early | [`ReadError::Incomplete`] with what was left |
//! | no separator within the limit | [`ReadError::LimitOverrun`]; nothing is lost but an over-long line |
//! | more than the cap | [`ReadError::CapExceeded`] before it is waited for |
//! | more would be queued than the write cap | [`WriteError::CapExceeded`]; nothing of it is written |
//! | the stream is truncated (known over TLS) | [`ReadError::Truncated`] |
//! | the transport fails | [`ReadError::Transport`] after what had arrived, [`WriteError::Transport`] |
//! | writing after `write_eof`, `close` or `abort` | [`WriteError::Finished`], [`WriteError::Closed`] |
//! | writing after the peer has closed the stream (known over TLS) | [`WriteError::PeerClosed`] |
//! | a limit of 0, watermarks the wrong way round, a path that is too long, an address without port | [`OpenError::Option`], which names it, before the network is touched; for [`StreamOptions`] a panic |
//! | a host that cannot be resolved | [`OpenError::Resolve`] |
//! | no answer, or too late | [`OpenError::Connect`] with each address and why, [`OpenError::TimedOut`] |
//! | a port in use, or not this machine's | [`OpenError::Listen`] with the address |
//! | an empty separator | a panic; [`Separator::try_new`] is for those that come from outside |
//! | a direction that a stream does not have | [`ReadError::WriteOnly`], [`WriteError::ReadOnly`] |
//! | a handler fails or panics | its stream is closed, and it is reported: [`on_handler_error`](types::StartServer::on_handler_error) |
//! | accept errors of the process, as too many open files | the server goes on; [`on_accept_error`](types::StartServer::on_accept_error) |
//!
//! All of them convert into [`std::io::Error`] and keep their kind.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapter;
mod client;
mod connection;
mod escape;
pub mod guide;
mod host_name;
mod open_error;
mod os;
mod runtime;
mod server;
mod socket;
mod stream;
mod sync;
mod target;
#[cfg_attr(not(feature = "__tls"), path = "tls/no_tls.rs")]
mod tls;

#[doc(inline)]
pub use adapter::front::*;
