//! asyncio's streams for any Rust runtime.
//!
//! # Overview
//!
//! [`StreamReader`] and [`StreamWriter`] are the two halves of a stream, whatever is below it. They
//! come from the adapter of a runtime (`millpond-tokio`, `millpond-smol`), from any futures-io
//! stream ([`FuturesIo`] and [`StreamOptions::open`]), from the program itself ([`fed`]), or from
//! memory:
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
//! [`Runtime`] trait.
//!
//! For those who come from Python there is a [guide](guide::from_asyncio) with every name of asyncio's
//! streams beside its counterpart.
//!
//! # Features
//!
//! | feature | gives |
//! |---|---|
//! | `tls` | TLS by rustls, with the cryptography of ring (`tls-ring`) |
//! | `tls-aws-lc-rs` | TLS with that of aws-lc-rs, which is used if ring's is not there |
//! | `idna` | names of hosts that are not ASCII, such as `bücher.example` (by the crate idna, with 24 others below it) |
//! | `tracing` | events for handlers that fail and connections that cannot be accepted |
//!
//! None is on by default. The adapters have the same.
//!
//! # Guarantees
//!
//! * Every method that waits is cancel-safe: in a `select!`, nothing is lost.
//! * What a peer can make a reader buffer is bounded.
//! * What was written is delivered, even if nobody awaits again and the writer is dropped, as long
//!   as the runtime runs.
//! * Both halves work at once from two tasks, without a lock between them.
//! * No stream keeps a thread for itself: after 128 operations that did not wait, it gives way.
//!
//! # What goes wrong, and how it is said
//!
//! | what | how |
//! |---|---|
//! | the stream ends too early | [`ReadError::Incomplete`] with what was left |
//! | no separator within the limit | [`ReadError::LimitOverrun`]; nothing is lost but an over-long line |
//! | more than the cap | [`ReadError::CapExceeded`] before it is waited for |
//! | more would be queued than the write cap | [`WriteError::CapExceeded`]; nothing of it is written |
//! | the stream is cut off, as TLS can tell | [`ReadError::Truncated`] |
//! | the transport fails | [`ReadError::Transport`] after what had arrived, [`WriteError::Transport`] |
//! | writing after `write_eof`, `close` or `abort` | [`WriteError::Finished`], [`WriteError::Closed`] |
//! | writing after the peer has closed the stream, as TLS can tell | [`WriteError::PeerClosed`] |
//! | a limit of 0, watermarks the wrong way round, a path that is too long, an address without port | [`OpenError::Option`], which names it, before the network is touched; for [`StreamOptions`] a panic |
//! | a host that cannot be resolved | [`OpenError::Resolve`] |
//! | nobody answers, or too late | [`OpenError::Connect`] with each address and why, [`OpenError::TimedOut`] |
//! | a port in use, or not this machine's | [`OpenError::Listen`] with the address |
//! | an empty separator | a panic; [`Separator::try_new`] is for those that come from outside |
//! | a direction that a stream does not have | [`ReadError::WriteOnly`], [`WriteError::ReadOnly`] |
//! | a handler fails or panics | its stream is closed, and it is reported: [`StartServer::on_handler_error`] |
//! | nobody can be accepted for now | the server goes on; [`StartServer::on_accept_error`] |
//!
//! All of them convert into [`std::io::Error`] and keep their kind.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept_error;
mod accepting;
mod background;
#[cfg(unix)]
mod blocking;
mod closed;
mod connect;
mod connection;
mod cork;
mod error;
mod escape;
mod extra_info;
mod feed;
mod flush;
mod functions;
pub mod guide;
mod handling;
mod host_name;
mod idle;
mod inline;
mod linger;
mod log;
mod lookup;
mod mode;
mod options;
pub mod os;
mod pair;
#[cfg(unix)]
mod pipe;
mod places;
mod progress;
mod reader;
mod receiving;
mod report;
mod runtime;
mod scratch;
mod server;
mod serving;
mod shutdown;
mod shutdown_notice;
mod socket;
mod socket_options;
mod start_server;
mod std_socket;
mod stream;
mod stream_server;
mod sync;
mod target;
mod timeout;
#[cfg_attr(not(feature = "__tls"), path = "no_tls.rs")]
mod tls;
mod transport;
mod turns;
mod waiters;
mod writer;

pub use bytes::Bytes;
pub use closed::Closed;
pub use connect::{Connect, OpenConnection, connect, open_connection};
#[cfg(unix)]
pub use connect::{connect_unix, open_unix_connection};
pub use cork::Cork;
pub use error::{BoxError, HandlerError, HandlerErrorCause, OpenError};
pub use extra_info::{Address, ExtraInfo, Info, SystemHandle};
pub use feed::{Feeder, fed};
pub use lookup::{Family, Lookup};
pub use millpond_core;
pub use millpond_core::{
    DEFAULT_HIGH_WATER, DEFAULT_LIMIT, DEFAULT_PARSE_CAP, EmptySeparator, ReadError, Separator,
    TransportError, Truncated, WriteError,
};
pub use mode::StreamMode;
pub use options::StreamOptions;
pub use pair::pair;
#[cfg(unix)]
pub use pipe::{ConnectPipe, ReadPipe, WritePipe, connect_read_pipe, connect_write_pipe};
pub use reader::{Lines, StreamReader};
#[cfg(unix)]
pub use runtime::StdPipe;
pub use runtime::{BoxFuture, Runtime, Spawn};
pub use server::Server;
pub use shutdown::Shutdown;
pub use shutdown_notice::ShutdownRequested;
pub use socket::{Bound, FuturesIo, Listener, Socket};
pub use socket_options::{ConnectOptions, KeepAlive, ListenOptions, SocketOptions};
#[cfg(unix)]
pub use start_server::start_unix_server;
pub use start_server::{HandlerOutput, StartServer, start_server};
pub use std_socket::{StdListener, StdSocket};
pub use stream::{ReuniteError, Stream};
pub use stream_server::StreamServer;
#[cfg(unix)]
pub use stream_server::UnixStreamServer;
pub use target::{Sock, Target};
pub use timeout::{TimedOut, timeout};
#[cfg(feature = "__tls")]
pub use tls::{StartTls, TlsAcceptor, TlsConnector, TlsError, TlsInfo, TlsSide, rustls};
pub use transport::Transport;
pub use writer::StreamWriter;
