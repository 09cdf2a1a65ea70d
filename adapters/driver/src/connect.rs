//! Opening connections.

use std::{fmt, future::IntoFuture, sync::Arc};

use crate::{
    error::OpenError,
    extra_info::Address,
    options::{StreamOptions, stream_options},
    reader::StreamReader,
    runtime::{BoxFuture, Runtime, Spawner, StdSocket},
    socket::Socket,
    target::{Resolved, Target},
    writer::StreamWriter,
};

/// Connects to a host and port, an address, or takes over a connected socket; asyncio's
/// `open_connection`.
///
/// The adapters have a function of the same name that knows its runtime; this one is for programs
/// that are given theirs. Await the result.
///
/// # Examples
///
/// ```no_run
/// use std::sync::Arc;
///
/// use millpond::{OpenError, Runtime, StreamReader, StreamWriter};
///
/// async fn finger(runtime: Arc<dyn Runtime>) -> Result<(StreamReader, StreamWriter), OpenError> {
///     millpond::open_connection(runtime, ("example.org", 79)).limit(1 << 20).await
/// }
/// ```
pub fn open_connection(
    runtime: Arc<dyn Runtime>,
    target: impl Into<Target<StdSocket>>,
) -> OpenConnection {
    OpenConnection {
        runtime,
        target: target.into(),
        options: StreamOptions::new(),
    }
}

/// Connects to a unix socket by its path; asyncio's `open_unix_connection`.
///
/// See [`open_connection`]. A path that is too long is an error that says so.
///
/// # Examples
///
/// ```no_run
/// use std::sync::Arc;
///
/// use millpond::{OpenError, Runtime, StreamReader, StreamWriter};
///
/// async fn docker(runtime: Arc<dyn Runtime>) -> Result<(StreamReader, StreamWriter), OpenError> {
///     millpond::open_unix_connection(runtime, "/run/docker.sock").await
/// }
/// ```
#[cfg(unix)]
pub fn open_unix_connection(
    runtime: Arc<dyn Runtime>,
    path: impl AsRef<std::path::Path>,
) -> OpenConnection {
    open_connection(runtime, path.as_ref())
}

/// A connection that is opened when this is awaited; made by [`open_connection`].
///
/// # Errors
///
/// Awaiting it gives an [`OpenError`]: [`Option`](OpenError::Option) before the network is touched,
/// [`Resolve`](OpenError::Resolve) for a host without address, [`Connect`](OpenError::Connect) with
/// each address that was tried and why it failed.
///
/// # Cancel safety
///
/// Yes: an attempt that is dropped is closed.
///
/// # Examples
///
/// See [`open_connection`].
#[must_use = "does nothing unless awaited"]
pub struct OpenConnection {
    runtime: Arc<dyn Runtime>,
    target: Target<StdSocket>,
    options: StreamOptions,
}

impl OpenConnection {
    stream_options!("millpond::open_connection(runtime, \"127.0.0.1:8888\")");

    async fn open(self) -> Result<(StreamReader, StreamWriter), OpenError> {
        self.options.check()?;
        let socket = match self.target.resolve(&*self.runtime).await? {
            Resolved::Socket(socket) => self
                .runtime
                .adopt(socket)
                .map_err(|source| OpenError::Adopt { source })?,
            Resolved::Addresses(addresses) => connect(&*self.runtime, addresses).await?,
        };
        Ok(self.options.open(socket, Arc::new(Spawner(self.runtime))))
    }
}

/// Tries each address in turn.
async fn connect(
    runtime: &dyn Runtime,
    addresses: Vec<Address>,
) -> Result<Box<dyn Socket>, OpenError> {
    let mut attempts = Vec::new();
    for address in addresses {
        match runtime.connect(&address).await {
            Ok(socket) => return Ok(socket),
            Err(source) => attempts.push((address, source)),
        }
    }
    Err(OpenError::Connect { attempts })
}

impl IntoFuture for OpenConnection {
    type Output = Result<(StreamReader, StreamWriter), OpenError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

impl fmt::Debug for OpenConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConnection")
            .field("target", &self.target)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
