//! The system's sockets, for adapters of runtimes that use them: `adapter::os`.

#[cfg(unix)]
mod address;
mod bind;
mod configure;
mod connect;
mod lookups;
mod resolve;
mod stream;
#[cfg(unix)]
mod unix_mode;
#[cfg(unix)]
mod unix_path;

pub(crate) use bind::handed_over;
pub use bind::{bind, bound};
pub use configure::configure;
pub use connect::{connect, connected};
pub use resolve::resolve;
pub use stream::{poll_io, shutdown_write, socket_pair};

pub use crate::socket::{
    RawHandle, SockRef, check_stream, extra_info, local_addr, reset_on_close, send, send_vectored,
};
