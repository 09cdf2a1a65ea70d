//! The names that an adapter hands on to its users, with one `pub use`: all that are at the root of
//! `millpond`, but for its guides and what is for adapters.
//!
//! The functions among them need a runtime. An adapter's own, which
//! [`functions!`](crate::adapter::functions) makes, have the same names and take their place.

pub use crate::client::{Connect, OpenConnection, connect, open_connection};
#[cfg(unix)]
pub use crate::client::{
    ConnectPipe, ReadPipe, WritePipe, connect_read_pipe, connect_unix, connect_write_pipe,
    open_unix_connection,
};
pub use crate::connection::{Closed, ShutdownRequested};
pub use crate::error::{BoxError, HandlerError, HandlerErrorCause, OpenError};
pub use crate::runtime::{Family, Runtime, TimedOut, timeout};
pub use crate::server::{HandlerOutput, Server, Shutdown, StartServer, StreamServer, start_server};
#[cfg(unix)]
pub use crate::server::{UnixStreamServer, start_unix_server};
#[cfg(feature = "__tls")]
pub use crate::socket::TlsInfo;
pub use crate::socket::{Address, ExtraInfo, FuturesIo, Info, KeepAlive, StreamMode, SystemHandle};
pub use crate::stream::{
    Chunks, CopyBidirectional, CopyError, CopyErrorCause, CopyProgress, Cork, Feeder, Lines,
    Messages, ReuniteError, Stream, StreamOptions, StreamReader, StreamWriter, Transport, copy,
    copy_bidirectional, fed, from_halves, from_io, pair,
};
#[cfg(feature = "__tls")]
pub use crate::stream::{StartTls, TlsSide};
#[cfg(feature = "tokio")]
pub use crate::stream::{from_tokio, from_tokio_halves};
pub use crate::target::Target;
#[cfg(feature = "__tls")]
pub use crate::tls::{TlsAcceptor, TlsConnector, TlsError, rustls};
pub use bytes::Bytes;
#[doc(hidden)] // for `functions`
pub use futures_io;
pub use millpond_core;
pub use millpond_core::{
    DEFAULT_HIGH_WATER, DEFAULT_LIMIT, DEFAULT_PARSE_CAP, EmptySeparator, ReadError, Request,
    Separator, Status, TransportError, Truncated, WriteError,
};
