//! The system's sockets, for adapters of runtimes that use them.
//!
//! An adapter is left with what differs between runtimes: registering a socket, waiting until it is
//! ready, and running what blocks elsewhere.

mod address;
mod bind;
mod configure;
mod connect;
mod lookups;
mod resolve;
mod send;
mod stream;
#[cfg(unix)]
mod unix_mode;
#[cfg(unix)]
mod unix_path;

pub use address::{RawHandle, extra_info, local_addr};
pub(crate) use bind::handed_over;
pub use bind::{bind, bound};
#[cfg(unix)]
pub(crate) use configure::{StreamKind, stream_kind};
pub use configure::{check_stream, configure};
pub use connect::{connect, connected};
pub use resolve::resolve;
pub use send::{send, send_vectored};
pub use socket2::SockRef;
pub use stream::{poll_io, reset_on_close, shutdown_write, socket_pair};
