//! The two halves of a stream, what they are opened with, and streams in memory.

mod cork;
mod feed;
mod joined;
mod options;
mod pair;
mod reader;
#[cfg_attr(not(feature = "__tls"), path = "no_start_tls.rs")]
mod start_tls;
mod transport;
mod writer;

#[cfg(feature = "__tls")]
pub use self::start_tls::{StartTls, TlsSide};
pub use self::{
    cork::Cork,
    feed::{Feeder, fed},
    joined::{ReuniteError, Stream},
    options::StreamOptions,
    pair::pair,
    reader::{Lines, StreamReader},
    transport::Transport,
    writer::StreamWriter,
};
pub(crate) use self::{
    options::{Opened, stream_options},
    start_tls::upgrade,
};
