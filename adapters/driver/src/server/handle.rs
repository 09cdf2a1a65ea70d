//! A server that was started.

use std::{fmt, sync::Arc};

use super::{
    serving::{Config, Serving},
    shutdown::{Shutdown, ShutdownMode},
};
use crate::{
    connection::Connection,
    open_error::OpenError,
    runtime::Runtime,
    socket::{Address, Bound},
};

/// A server: it accepts connections until it is closed or dropped. asyncio's `Server`.
///
/// # Examples
///
/// ```no_run
/// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
/// let server = millpond::start_server(runtime, "127.0.0.1:0", async |_, mut writer| {
///     writer.write(b"good-bye\n")
/// })
/// .await?;
/// println!("serving on {}", server.sockets()[0]);
/// server.serve_forever().await?;
/// # Ok(()) }
/// ```
#[must_use = "dropping a server stops it from accepting"]
pub struct Server {
    serving: Arc<Serving>,
    sockets: Vec<Address>,
}

/// Beginning.
impl Server {
    pub(crate) fn new(
        runtime: Arc<dyn Runtime>,
        config: Config,
        bound: Vec<Box<dyn Bound>>,
    ) -> Self {
        let sockets = bound
            .iter()
            .filter_map(|one| one.local_addr().ok())
            .collect();
        let serving = Arc::new(Serving::new(runtime, config, bound));
        Self { serving, sockets }
    }

    /// The addresses that it has taken. Empty once it is closed.
    ///
    /// `Differs from asyncio:` they are not the sockets themselves.
    ///
    /// See [`Server`] for an example.
    pub fn sockets(&self) -> &[Address] {
        match self.is_closed() {
            false => &self.sockets,
            true => &[],
        }
    }

    /// Whether it accepts connections.
    ///
    /// `As in asyncio:` it does from [`start_serving`](Self::start_serving) to
    /// [`close`](Self::close).
    ///
    /// ```no_run
    /// # async fn example(server: millpond::Server) {
    /// server.close();
    /// assert!(!server.is_serving());
    /// # }
    /// ```
    pub fn is_serving(&self) -> bool {
        self.serving.is_serving()
    }

    pub(super) fn serving(&self) -> &Serving {
        &self.serving
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.serving.is_closed()
    }

    /// Begins to accept, if it does not yet: for a server that was started with
    /// [`start_serving(false)`](crate::types::StartServer::start_serving), which has an example.
    ///
    /// `Differs from asyncio:` it need not be awaited.
    ///
    /// # Errors
    ///
    /// [`OpenError::Listen`] if an address cannot be listened on, [`OpenError::Closed`] after
    /// [`close`](Self::close).
    pub fn start_serving(&self) -> Result<(), OpenError> {
        self.serving.start()
    }

    /// Begins to accept, if it does not yet, and waits until the server is closed, which another
    /// task must do.
    ///
    /// `Differs from asyncio:` dropping this future does not close the server; dropping the server
    /// does.
    ///
    /// # Errors
    ///
    /// As [`start_serving`](Self::start_serving).
    ///
    /// # Cancel safety
    ///
    /// Yes: it only waits.
    ///
    /// # Examples
    ///
    /// See [`Server`].
    pub async fn serve_forever(&self) -> Result<(), OpenError> {
        self.serving.start()?;
        self.closed().await;
        Ok(())
    }

    pub(crate) async fn closed(&self) {
        self.serving.closed().await;
    }
}

/// Ending.
impl Server {
    /// Stops accepting, at once: later connections are not served. `As in asyncio:` connections and
    /// their handlers go on.
    ///
    /// The addresses are free as soon as no other thread is in the middle of accepting, and certainly
    /// when [`wait_closed`](Self::wait_closed) has returned. It does nothing after the first time. See [`wait_closed`](Self::wait_closed) for an example.
    pub fn close(&self) {
        self.serving.close();
    }

    /// Closes the stream of each connection, as [`StreamWriter::close`](crate::StreamWriter::close)
    /// does: what was written is delivered, and handlers come to the end of what they read.
    ///
    /// `As in asyncio:` (3.13) the server goes on accepting, if it does.
    ///
    /// ```no_run
    /// # async fn example(server: millpond::Server) {
    /// server.close();
    /// server.close_clients();
    /// server.wait_closed().await;
    /// # }
    /// ```
    pub fn close_clients(&self) {
        self.serving.for_each_client(Connection::close);
    }

    /// Resets each connection, as [`StreamWriter::abort`](crate::StreamWriter::abort) does.
    ///
    /// `As in asyncio:` (3.13) the server goes on accepting, if it does.
    ///
    /// ```no_run
    /// # async fn example(server: millpond::Server) {
    /// server.close();
    /// server.abort_clients();
    /// server.wait_closed().await;
    /// # }
    /// ```
    pub fn abort_clients(&self) {
        self.serving.for_each_client(Connection::abort);
    }

    /// Waits until the server is closed, every handler has ended, and what they wrote is delivered.
    ///
    /// `As in asyncio:` (3.12 and later) it waits as long as that takes;
    /// [`shutdown`](Self::shutdown) is bounded.
    ///
    /// # Cancel safety
    ///
    /// Yes: it only waits.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(server: millpond::Server) {
    /// server.close();
    /// server.wait_closed().await;
    /// # }
    /// ```
    pub async fn wait_closed(&self) {
        self.serving.ended().await;
    }

    /// Ends the server gracefully and in bounded time: stops accepting; lets handlers finish;
    /// closes the streams of those that have not; cancels those that go on nevertheless.
    ///
    /// asyncio has no counterpart, but its `StreamServer.close` of 3.8.
    ///
    /// Handlers that wait for a next request see the end of the stream at once, unless
    /// [`end_idle_on_shutdown`](crate::types::StartServer::end_idle_on_shutdown) says otherwise, and each can
    /// wait for [`shutdown_requested`](crate::StreamWriter::shutdown_requested).
    ///
    /// Each of the last three stages may take as long as
    /// [`shutdown_timeout`](crate::types::StartServer::shutdown_timeout), and takes no longer than it needs.
    /// A handler that is cancelled is dropped where it waits, its connection is reset if it is still
    /// open, and it is reported. A connection whose handler has ended, but whose peer does not take
    /// what it is sent, goes through the same stages. A handler that never waits cannot be cancelled,
    /// and is left behind.
    ///
    /// # Cancel safety
    ///
    /// Yes: called again, it goes through its stages again.
    ///
    /// # Examples
    ///
    /// See [`Shutdown`].
    pub async fn shutdown(&self) -> Shutdown {
        self.serving.shutdown(ShutdownMode::Graceful).await
    }

    /// An immediate [`shutdown`](Self::shutdown): stops accepting, resets each connection,
    /// and cancels handlers that have not ended in time.
    pub(crate) async fn abort(&self) -> Shutdown {
        self.serving.shutdown(ShutdownMode::Immediate).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
        self.serving.end_accepting();
    }
}

/// As asyncio's `repr`: where it listens, and what it is busy with.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("sockets", &self.sockets())
            .field("serving", &self.is_serving())
            .field("clients", &self.serving.clients())
            .field("lingering", &self.serving.places.lingering())
            .finish()
    }
}
