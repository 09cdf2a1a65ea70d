//! Opening connections and pipes.

mod connect;
#[cfg(unix)]
mod pipe;
mod progress;

pub use self::connect::{Connect, OpenConnection, connect, open_connection};
#[cfg(unix)]
pub use self::{
    connect::{connect_unix, open_unix_connection},
    pipe::{ConnectPipe, ReadPipe, WritePipe, connect_read_pipe, connect_write_pipe},
};
