//! Serving: accepting connections, and a handler for each.

use std::{
    fmt,
    future::{IntoFuture, poll_fn},
    io, mem,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::FutureExt;

use crate::{
    background::Background,
    cork::Cork,
    error::{BoxError, HandlerError, HandlerErrorCause, OpenError},
    extra_info::Address,
    options::{StreamOptions, stream_options},
    reader::StreamReader,
    runtime::{BoxFuture, Runtime, StdListener},
    socket::{Listener, Socket},
    socket_options::{ListenOptions, SocketOptions},
    target::{Resolved, Target},
    turns::Turns,
    waiters::Waiters,
    writer::StreamWriter,
};

/// Connections that may wait to be accepted; asyncio's default.
const BACKLOG: u32 = 100;

/// How long accepting rests after an error that does not go away by itself, such as too many open
/// files. asyncio waits 1 s; this is short enough to go unnoticed and long enough not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Handler =
    dyn Fn(StreamReader, StreamWriter) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync;

type Report = dyn Fn(HandlerError) + Send + Sync;

/// What a handler may return: nothing, or a `Result` whose error is reported.
///
/// ```
/// use millpond::HandlerOutput;
///
/// assert!(().into_result().is_ok());
/// assert!(Err::<(), _>("no such user").into_result().is_err());
/// ```
pub trait HandlerOutput {
    /// The outcome as a result.
    ///
    /// # Errors
    ///
    /// What the handler failed with.
    fn into_result(self) -> Result<(), BoxError>;
}

impl HandlerOutput for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> HandlerOutput for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// Listens on a host and port, an address, or a socket, and runs `handler` for each connection;
/// asyncio's `start_server`.
///
/// The adapters have a function of the same name that knows its runtime; this one is for programs
/// that are given theirs. Await the result.
///
/// What a handler writes until it has to wait leaves together, so replies to pipelined requests cost
/// one system call. The connection lives as long as its handler. When it returns, the stream is closed: what it
/// wrote is still delivered. One that fails or panics is reported and its stream closed, and the
/// others go on.
///
/// # Examples
///
/// ```no_run
/// use std::{io, sync::Arc};
///
/// use millpond::{OpenError, Runtime, Server, StreamReader, StreamWriter};
///
/// async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
///     loop {
///         let line = reader.read_line().await?;
///         if line.is_empty() {
///             return Ok(());
///         }
///         writer.write_all(&line).await?;
///     }
/// }
///
/// async fn serve(runtime: Arc<dyn Runtime>) -> Result<Server, OpenError> {
///     millpond::start_server(runtime, "127.0.0.1:8888", echo).await
/// }
/// ```
///
/// With something that all handlers share:
///
/// ```no_run
/// # use std::{io, sync::Arc};
/// # use millpond::{OpenError, Runtime, Server, StreamReader, StreamWriter};
/// struct Motd(String);
///
/// async fn tell(motd: Arc<Motd>, mut writer: StreamWriter) -> io::Result<()> {
///     writer.write(motd.0.as_bytes())?;
///     Ok(())
/// }
///
/// async fn serve(runtime: Arc<dyn Runtime>, motd: Arc<Motd>) -> Result<Server, OpenError> {
///     let handler = move |_, writer| tell(motd.clone(), writer);
///     millpond::start_server(runtime, "127.0.0.1:17", handler).await
/// }
/// ```
pub fn start_server<H, F>(
    runtime: Arc<dyn Runtime>,
    target: impl Into<Target<StdListener>>,
    handler: H,
) -> StartServer
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    let handler = Arc::new(handler);
    StartServer {
        runtime,
        target: target.into(),
        options: StreamOptions::new(),
        report: Arc::new(|error| eprintln!("millpond: {error}")),
        handler: Arc::new(move |reader, writer| {
            let handler = handler.clone();
            // The call is inside, so that a panic of it counts as the handler's.
            Box::pin(async move { handler(reader, writer).await.into_result() })
        }),
    }
}

/// Listens on a unix socket at a path, and runs `handler` for each connection; asyncio's
/// `start_unix_server`.
///
/// See [`start_server`]. A path that is too long is an error that says so.
///
/// # Examples
///
/// ```no_run
/// use std::sync::Arc;
///
/// use millpond::{OpenError, Runtime, Server};
///
/// async fn serve(runtime: Arc<dyn Runtime>) -> Result<Server, OpenError> {
///     millpond::start_unix_server(runtime, "/run/motd.sock", async |_, mut writer| {
///         writer.write(b"be excellent to each other\n")
///     })
///     .await
/// }
/// ```
#[cfg(unix)]
pub fn start_unix_server<H, F>(
    runtime: Arc<dyn Runtime>,
    path: impl AsRef<std::path::Path>,
    handler: H,
) -> StartServer
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    start_server(runtime, path.as_ref(), handler)
}

/// A server that is started when this is awaited; made by [`start_server`].
///
/// # Errors
///
/// Awaiting it gives an [`OpenError`]: [`Option`](OpenError::Option) before the network is touched,
/// [`Resolve`](OpenError::Resolve) for a host without address, [`Listen`](OpenError::Listen) with
/// the address that cannot be listened on and why.
///
/// # Cancel safety
///
/// Yes: dropped before it is done, it listens on nothing.
///
/// # Examples
///
/// See [`start_server`].
#[must_use = "does nothing unless awaited"]
pub struct StartServer {
    runtime: Arc<dyn Runtime>,
    target: Target<StdListener>,
    options: StreamOptions,
    handler: Arc<Handler>,
    report: Arc<Report>,
}

impl StartServer {
    stream_options!("millpond::start_server(runtime, \"127.0.0.1:8888\", async |_, _| {})");

    /// What to do with a handler that failed or panicked. By default it is one line on standard
    /// error, as asyncio's exception handler writes.
    ///
    /// ```no_run
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
    /// let server = millpond::start_server(runtime, "127.0.0.1:8888", async |mut reader, _| {
    ///     reader.read_exactly(100).await.map(drop)
    /// })
    /// .on_handler_error(|error| eprintln!("{error}")) // the handler of 127.0.0.1:53210 failed: ...
    /// .await?;
    /// # Ok(()) }
    /// ```
    pub fn on_handler_error(
        mut self,
        report: impl Fn(HandlerError) + Send + Sync + 'static,
    ) -> Self {
        self.report = Arc::new(report);
        self
    }

    async fn start(self) -> Result<Server, OpenError> {
        self.options.check()?;
        let listeners = match self.target.resolve(&*self.runtime).await? {
            Resolved::Addresses(addresses) => listen(&*self.runtime, addresses)?,
            Resolved::Socket(listener) => {
                let adopted = self.runtime.adopt_listener(listener);
                vec![adopted.map_err(|source| OpenError::Adopt { source })?]
            }
        };
        let sockets = listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect();
        let serving = Arc::new(Serving {
            runtime: self.runtime,
            options: self.options,
            handler: self.handler,
            report: self.report,
            state: Mutex::new(State {
                tasks: 0,
                waiters: Waiters::default(),
                listeners: listeners.into_iter().map(Arc::from).collect(),
            }),
        });
        serving.start_accepting();
        Ok(Server { serving, sockets })
    }
}

/// Listens on each address, except those that this machine does not have, as long as one is left.
fn listen(
    runtime: &dyn Runtime,
    addresses: Vec<Address>,
) -> Result<Vec<Box<dyn Listener>>, OpenError> {
    let mut listeners = Vec::new();
    let mut unavailable = None;
    for address in addresses {
        let bound = runtime.bind(&address, &ListenOptions::default());
        match bound.and_then(|bound| bound.listen(BACKLOG)) {
            Ok(listener) => listeners.push(listener),
            Err(source) if source.kind() == io::ErrorKind::AddrNotAvailable => {
                unavailable = Some(OpenError::Listen { address, source });
            }
            Err(source) => return Err(OpenError::Listen { address, source }),
        }
    }
    match unavailable {
        Some(error) if listeners.is_empty() => Err(error),
        Some(_) | None => Ok(listeners),
    }
}

impl IntoFuture for StartServer {
    type Output = Result<Server, OpenError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

/// A server that accepts connections until it is closed or dropped.
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
/// server.serve_forever().await;
/// # Ok(()) }
/// ```
#[must_use = "dropping a server stops it from accepting"]
pub struct Server {
    serving: Arc<Serving>,
    sockets: Vec<Address>,
}

impl Server {
    /// The addresses it listens on; asyncio's `sockets`. Empty once it is closed.
    ///
    /// See [`Server`] for an example.
    pub fn sockets(&self) -> &[Address] {
        if self.is_serving() {
            &self.sockets
        } else {
            &[]
        }
    }

    /// Whether it accepts connections.
    ///
    /// ```no_run
    /// # async fn example(server: millpond::Server) {
    /// server.close();
    /// assert!(!server.is_serving());
    /// # }
    /// ```
    pub fn is_serving(&self) -> bool {
        !self.serving.lock().listeners.is_empty()
    }

    /// Waits until the server is closed, which another task must do.
    ///
    /// `Differs from asyncio:` dropping this future does not close the server; dropping the server
    /// does.
    ///
    /// # Cancel safety
    ///
    /// Yes: it only waits.
    ///
    /// # Examples
    ///
    /// See [`Server`].
    pub async fn serve_forever(&self) {
        self.serving
            .wait_until(|state| state.listeners.is_empty())
            .await;
    }

    /// Stops accepting, at once. Handlers that run go on.
    ///
    /// It does nothing after the first time. See [`wait_closed`](Self::wait_closed) for an example.
    pub fn close(&self) {
        self.serving.close();
    }

    /// Waits until the server is closed and every handler has ended.
    ///
    /// `As in asyncio:` (3.12 and later) it waits for handlers, however long they take.
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
        self.serving
            .wait_until(|state| state.listeners.is_empty() && state.tasks == 0)
            .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the server, its accepting tasks and its handlers share.
struct Serving {
    runtime: Arc<dyn Runtime>,
    options: StreamOptions,
    handler: Arc<Handler>,
    report: Arc<Report>,
    state: Mutex<State>,
}

struct State {
    /// Owned here and borrowed by the accepting tasks for each poll, so that closing closes at
    /// once. Empty when closed.
    listeners: Vec<Arc<dyn Listener>>,
    /// Handlers that have not ended.
    tasks: usize,
    /// Those who wait for a change of this state, accepting tasks included.
    waiters: Waiters,
}

impl Serving {
    fn start_accepting(self: &Arc<Self>) {
        let listeners = self.lock().listeners.clone();
        for listener in &listeners {
            let accepting = self.clone().accept(Arc::downgrade(listener));
            self.runtime.spawn(Box::pin(accepting));
        }
    }

    async fn accept(self: Arc<Self>, listener: Weak<dyn Listener>) {
        let mut turns = Turns::default();
        loop {
            // Handlers must run, however fast connections come in.
            poll_fn(|cx| turns.poll_take(cx)).await;
            match poll_fn(|cx| self.poll_accept(&listener, cx)).await {
                None => return,
                Some(Ok(socket)) => self.serve(socket),
                Some(Err(error)) if is_of_one_connection(&error) => {}
                Some(Err(_)) => self.runtime.sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    /// `None` when the server is closed.
    fn poll_accept(
        &self,
        listener: &Weak<dyn Listener>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Box<dyn Socket>>>> {
        // Before looking, so that closing in between wakes.
        self.lock().waiters.add(cx);
        match listener.upgrade() {
            Some(listener) => listener.poll_accept(cx).map(Some),
            None => Poll::Ready(None),
        }
    }

    fn serve(self: &Arc<Self>, socket: Box<dyn Socket>) {
        // One whose peer has gone cannot be set everywhere, but what it sent can be read.
        if let Some(system) = socket.system_socket() {
            let _ = crate::os::configure(&*system, &SocketOptions::default());
        }
        let peer_addr = socket.extra_info().peer_addr;
        let background = Background::Runtime(self.runtime.clone());
        let (reader, writer, connection) = self.options.open_shared(socket, background);
        let running = Running::new(self.clone());
        let handler = (self.handler)(reader, writer);
        self.runtime.spawn(Box::pin(async move {
            let mut handler = AssertUnwindSafe(handler).catch_unwind();
            let ended = poll_fn(|cx| {
                // What the handler writes in one go leaves together.
                let _cork = Cork::new(connection.clone());
                handler.poll_unpin(cx)
            });
            let cause = match ended.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(HandlerErrorCause::Failed(error)),
                Err(payload) => Some(HandlerErrorCause::panicked(&*payload)),
            };
            connection.close();
            if let Some(cause) = cause {
                (running.serving.report)(HandlerError { peer_addr, cause });
            }
        }));
    }

    fn close(&self) {
        let mut state = self.lock();
        let closed = mem::take(&mut state.listeners);
        let waiters = state.waiters.take();
        drop(state);
        drop(closed);
        waiters.wake();
    }

    async fn wait_until(&self, done: impl Fn(&State) -> bool) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if done(&state) {
                return Poll::Ready(());
            }
            state.waiters.add(cx);
            Poll::Pending
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handler that has not ended; ends when dropped, even by a runtime that shuts down.
struct Running {
    serving: Arc<Serving>,
}

impl Running {
    fn new(serving: Arc<Serving>) -> Self {
        serving.lock().tasks += 1;
        Self { serving }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.serving.lock();
        state.tasks -= 1;
        let waiters = match state.tasks {
            0 => state.waiters.take(),
            _ => Waiters::default(),
        };
        drop(state);
        waiters.wake();
    }
}

/// Whether the error is that of a connection which failed before it was accepted, so that the next
/// one may be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

impl fmt::Debug for StartServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartServer")
            .field("target", &self.target)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.serving.lock();
        f.debug_struct("Server")
            .field("sockets", &self.sockets)
            .field("serving", &!state.listeners.is_empty())
            .field("handlers", &state.tasks)
            .finish()
    }
}
