//! A server as an object that can be bound, started and closed again and again.

use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::lock;

use super::{
    handle::Server,
    handler_error::HandlerError,
    shutdown::Shutdown,
    start::{HandlerOutput, Plan, boxed, server_options},
};
use crate::{
    open_error::OpenError,
    runtime::{Family, Runtime},
    socket::{Address, KeepAlive, socket_options},
    stream::{Stream, stream_options},
    target::Target,
};

/// A server that is set up first, and then bound, started and closed, more than once if need be;
/// asyncio's `StreamServer` of 3.8. Its handlers get a [`Stream`].
///
/// It has the settings of [`start_server`](crate::start_server), and does the same. Dropping it stops
/// it from accepting. Everything but setting up needs a shared reference only, so that it can be closed
/// from elsewhere while [`serve_forever`](Self::serve_forever) is awaited.
///
/// # Examples
///
/// ```no_run
/// use std::{io, sync::Arc};
///
/// use millpond::{Runtime, Stream, StreamServer};
///
/// async fn echo(mut stream: Stream) -> io::Result<()> {
///     let line = stream.read_line().await?;
///     stream.write_all(&line).await?;
///     Ok(())
/// }
///
/// # async fn example(runtime: Arc<dyn Runtime>) -> io::Result<()> {
/// let server = StreamServer::new(runtime, "127.0.0.1:0", echo).limit(1 << 20);
/// server.bind().await?; // no client can connect yet
/// println!("serving on {}", server.sockets()[0]);
/// server.start_serving().await?;
/// // ...
/// server.shutdown().await;
/// # Ok(()) }
/// ```
#[must_use = "dropping a server stops it from accepting"]
pub struct StreamServer {
    plan: Plan,
    /// Held by the one that takes the addresses, so that no other task takes them again meanwhile.
    binding: lock::Mutex<()>,
    server: Mutex<Option<Arc<Server>>>,
}

/// A [`StreamServer`] on a unix socket: its target is the path; asyncio's `UnixStreamServer` of 3.8.
///
/// ```no_run
/// use std::path::Path;
///
/// use millpond::UnixStreamServer;
///
/// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
/// let path = Path::new("/run/motd.sock");
/// let server = UnixStreamServer::new(runtime, path, async |mut stream| {
///     stream.write(b"be excellent to each other\n")
/// });
/// server.serve_forever().await?;
/// # Ok(()) }
/// ```
#[cfg(unix)]
pub type UnixStreamServer = StreamServer;

/// Setting up.
impl StreamServer {
    /// A server that will listen on `target` and run `handler` for each connection.
    ///
    /// See [`StreamServer`] for an example.
    pub fn new<H, F>(runtime: Arc<dyn Runtime>, target: impl Into<Target>, handler: H) -> Self
    where
        H: Fn(Stream) -> F + Send + Sync + 'static,
        F: Future<Output: HandlerOutput> + Send + 'static,
    {
        let handler = boxed(move |reader, writer| handler(Stream::new((reader, writer))));
        Self {
            plan: Plan::new(runtime, target.into(), handler),
            binding: lock::Mutex::new(()),
            server: Mutex::new(None),
        }
    }

    server_options!(
        "millpond::StreamServer::new(runtime, \"127.0.0.1:8888\", async |_| {})",
        ";"
    );
}

/// Beginning and ending.
impl StreamServer {
    /// Takes the addresses, if it has not yet; no client can connect before
    /// [`start_serving`](Self::start_serving), but to the path of a unix socket, where a client
    /// waits to be accepted.
    ///
    /// `As in asyncio:` a server that was closed can be bound again, but not to a socket that it was
    /// given.
    ///
    /// # Errors
    ///
    /// [`OpenError`], as [`start_server`](crate::start_server); [`OpenError::Closed`] if it was
    /// closed and its handlers have not ended: await [`wait_closed`](Self::wait_closed),
    /// [`shutdown`](Self::shutdown) or [`abort`](Self::abort) to the end first.
    ///
    /// # Cancel safety
    ///
    /// Yes: dropped before it is done, nothing is bound.
    ///
    /// # Examples
    ///
    /// See [`StreamServer`].
    pub async fn bind(&self) -> Result<(), OpenError> {
        self.bound().await.map(drop)
    }

    async fn bound(&self) -> Result<Arc<Server>, OpenError> {
        let _binding = self.binding.lock().await;
        let server = match self.server() {
            Some(server) => server,
            None => {
                let server = Arc::new(self.plan.bind().await?);
                *self.lock() = Some(server.clone());
                server
            }
        };
        match server.is_closed() {
            false => Ok(server),
            true => Err(OpenError::Closed),
        }
    }

    async fn started(&self) -> Result<Arc<Server>, OpenError> {
        let server = self.bound().await?;
        match server.start_serving() {
            Ok(()) => Ok(server),
            Err(error) => {
                self.unbind(&server);
                Err(error)
            }
        }
    }

    /// Forgets a server that is closed, unless there is another one by now.
    fn unbind(&self, server: &Arc<Server>) {
        let forgotten = self.lock().take_if(|it| Arc::ptr_eq(it, server));
        drop(forgotten);
    }

    fn server(&self) -> Option<Arc<Server>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Server>>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has taken its addresses.
    ///
    /// ```no_run
    /// # async fn example(server: millpond::StreamServer) -> std::io::Result<()> {
    /// assert!(!server.is_bound());
    /// server.bind().await?;
    /// assert!(server.is_bound());
    /// # Ok(()) }
    /// ```
    pub fn is_bound(&self) -> bool {
        self.server().is_some_and(|server| !server.is_closed())
    }

    /// Whether it accepts connections.
    ///
    /// ```no_run
    /// # async fn example(server: millpond::StreamServer) -> std::io::Result<()> {
    /// server.start_serving().await?;
    /// assert!(server.is_serving());
    /// # Ok(()) }
    /// ```
    pub fn is_serving(&self) -> bool {
        self.server().is_some_and(|server| server.is_serving())
    }

    /// The addresses that it has taken; none if it is not bound.
    ///
    /// `Differs from asyncio:` they are not the sockets themselves.
    ///
    /// See [`StreamServer`] for an example.
    pub fn sockets(&self) -> Vec<Address> {
        self.server()
            .map_or_else(Vec::new, |server| server.sockets().to_vec())
    }

    /// Binds, if need be, and begins to accept, if it does not yet.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind). If an address cannot be listened on, it is not bound then.
    ///
    /// # Cancel safety
    ///
    /// Yes: dropped before it is done, nothing is bound.
    ///
    /// # Examples
    ///
    /// See [`StreamServer`].
    pub async fn start_serving(&self) -> Result<(), OpenError> {
        self.started().await.map(drop)
    }

    /// Binds and begins to accept, if need be, and goes on until the server is closed, which another
    /// task must do, or this is dropped.
    ///
    /// # Errors
    ///
    /// As [`start_serving`](Self::start_serving).
    ///
    /// # Cancel safety
    ///
    /// Yes: the server stays as it is, and can be closed then.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(server: millpond::StreamServer, stop: impl Future) -> std::io::Result<()> {
    /// let stopping = async {
    ///     stop.await; // a signal, for instance
    ///     server.shutdown().await
    /// };
    /// let (served, shutdown) = futures_util::future::join(server.serve_forever(), stopping).await;
    /// # served?;
    /// # Ok(()) }
    /// ```
    pub async fn serve_forever(&self) -> Result<(), OpenError> {
        let server = self.started().await?;
        server.closed().await;
        Ok(())
    }

    /// Stops accepting, at once, as [`Server::close`] does: connections and their handlers go on.
    ///
    /// It is not bound any more, and can be again when they have ended: see
    /// [`wait_closed`](Self::wait_closed) and [`shutdown`](Self::shutdown).
    ///
    /// `Differs from asyncio:` (3.8) there it closed the streams, too, and waited for the handlers, which
    /// it cancelled after a time. That is [`shutdown`](Self::shutdown).
    ///
    /// ```no_run
    /// # async fn example(server: millpond::StreamServer) {
    /// server.close();
    /// assert!(!server.is_serving());
    /// # }
    /// ```
    pub fn close(&self) {
        if let Some(server) = self.server() {
            server.close();
        }
    }

    /// Waits until the server is closed, every handler has ended, and what they wrote is delivered, as
    /// [`Server::wait_closed`] does. It does not wait if it has not been bound.
    ///
    /// # Cancel safety
    ///
    /// Yes: it only waits.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(server: millpond::StreamServer) {
    /// server.close();
    /// server.wait_closed().await;
    /// # }
    /// ```
    pub async fn wait_closed(&self) {
        if let Some(server) = self.server() {
            server.wait_closed().await;
            self.unbind(&server);
        }
    }

    /// Ends it gracefully and in bounded time, as [`Server::shutdown`] does. Then it is not bound.
    ///
    /// It is asyncio's `StreamServer.close` of 3.8. `Differs from asyncio:` there streams are closed
    /// before handlers had time to finish, and their closing has no time limit.
    ///
    /// # Cancel safety
    ///
    /// Yes: it does not accept any more then, and can be shut down again.
    ///
    /// # Examples
    ///
    /// See [`StreamServer`].
    pub async fn shutdown(&self) -> Shutdown {
        let Some(server) = self.server() else {
            return Shutdown::default();
        };
        let shutdown = server.shutdown().await;
        self.unbind(&server);
        shutdown
    }

    /// Ends it at once: resets each connection, and cancels the handlers that do not end then within
    /// [`shutdown_timeout`](Self::shutdown_timeout). Then it is not bound.
    ///
    /// ```no_run
    /// # async fn example(server: millpond::StreamServer) {
    /// server.abort().await;
    /// assert!(!server.is_bound());
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Yes: it does not accept any more then, and can be aborted again.
    pub async fn abort(&self) -> Shutdown {
        let Some(server) = self.server() else {
            return Shutdown::default();
        };
        let shutdown = server.abort().await;
        self.unbind(&server);
        shutdown
    }

    /// As [`Server::close_clients`].
    ///
    /// ```no_run
    /// # fn example(server: &millpond::StreamServer) {
    /// server.close_clients();
    /// # }
    /// ```
    pub fn close_clients(&self) {
        if let Some(server) = self.server() {
            server.close_clients();
        }
    }

    /// As [`Server::abort_clients`].
    ///
    /// ```no_run
    /// # fn example(server: &millpond::StreamServer) {
    /// server.abort_clients();
    /// # }
    /// ```
    pub fn abort_clients(&self) {
        if let Some(server) = self.server() {
            server.abort_clients();
        }
    }
}

impl fmt::Debug for StreamServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamServer")
            .field("plan", &self.plan)
            .field("server", &self.server())
            .finish()
    }
}
