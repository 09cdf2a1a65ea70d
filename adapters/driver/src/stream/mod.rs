//! The two halves of a stream, what they are opened with, and streams in memory.

mod copy;
mod cork;
mod feed;
mod from_io;
mod futures_io;
mod into_inner;
mod joined;
mod options;
mod pair;
mod polling;
mod reader;
mod sink;
mod slices;
#[cfg_attr(not(feature = "__tls"), path = "no_start_tls.rs")]
mod start_tls;
mod streams;
#[cfg(feature = "tokio")]
mod tokio_io;
mod transport;
mod writer;

#[cfg(feature = "tokio")]
pub use self::from_io::{from_tokio, from_tokio_halves};
#[cfg(feature = "__tls")]
pub use self::start_tls::{StartTls, TlsSide};
pub use self::{
    copy::{CopyBidirectional, CopyError, CopyErrorCause, CopyProgress, copy, copy_bidirectional},
    cork::Cork,
    feed::{Feeder, fed},
    from_io::{from_halves, from_io},
    into_inner::IntoInnerError,
    joined::{ReuniteError, Stream},
    options::StreamOptions,
    pair::pair,
    reader::StreamReader,
    streams::{Chunks, Lines, Messages},
    transport::Transport,
    writer::StreamWriter,
};
pub(crate) use self::{
    options::{Opened, stream_options},
    start_tls::upgrade,
};
