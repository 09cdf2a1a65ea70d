//! The names that an adapter hands on to its users, with one `pub use`: all that are at the root of
//! `millpond`, but for its guides and what is for adapters.
//!
//! The functions among them need a runtime. An adapter's own, which
//! [`functions!`](crate::adapter::functions) makes, have the same names and take their place.

pub mod error;
pub mod types;

pub use crate::client::{connect, open_connection};
#[cfg(unix)]
pub use crate::client::{
    connect_read_pipe, connect_unix, connect_write_pipe, open_unix_connection,
};
pub use crate::open_error::OpenError;
pub use crate::runtime::{Runtime, timeout};
pub use crate::server::{Server, StreamServer, listen, start_server, start_server_with};
#[cfg(unix)]
pub use crate::server::{UnixStreamServer, start_unix_server};
pub use crate::socket::{Address, StreamMode};
pub use crate::stream::{
    Stream, StreamOptions, StreamReader, StreamWriter, Transport, copy, copy_bidirectional, fed,
    from_halves, from_io, pair,
};
#[cfg(feature = "tokio")]
pub use crate::stream::{from_tokio, from_tokio_halves};
pub use crate::target::Target;
#[cfg(feature = "__tls")]
pub use crate::tls::{TlsAcceptor, TlsConnector, rustls};
pub use bytes::Bytes;
pub use millpond_core;
pub use millpond_core::{ReadError, Separator, WriteError};
