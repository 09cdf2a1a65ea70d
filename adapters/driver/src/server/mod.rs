//! Accepting connections, running a handler for each, and shutting that down.

mod accept_error;
mod accepting;
mod handle;
mod handler_error;
mod handling;
mod log;
mod report;
mod serving;
mod shutdown;
mod start;
mod stream_server;

pub use self::{
    handle::Server,
    handler_error::{BoxError, HandlerError, HandlerErrorCause},
    shutdown::Shutdown,
    start::{HandlerOutput, StartServer, start_server},
    stream_server::StreamServer,
};
#[cfg(unix)]
pub use self::{start::start_unix_server, stream_server::UnixStreamServer};
