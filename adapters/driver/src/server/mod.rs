//! Accepting connections, running a handler for each or giving them to the program, and shutting that down.

mod accept_error;
mod accepting;
mod handle;
mod handler_error;
mod handling;
mod incoming;
mod log;
mod report;
mod serving;
mod shutdown;
mod start;
mod stream_server;
mod untaken;

pub use self::{
    handle::Server,
    handler_error::{BoxError, HandlerError, HandlerErrorCause},
    incoming::Incoming,
    shutdown::Shutdown,
    start::{HandlerOutput, StartServer, listen, start_server, start_server_with},
    stream_server::StreamServer,
};
#[cfg(unix)]
pub use self::{start::start_unix_server, stream_server::UnixStreamServer};
