//! Starting servers: what they listen on and how.

use std::{
    fmt,
    future::IntoFuture,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::lazy};

use super::{
    handle::Server,
    handler_error::{BoxError, HandlerError},
    report,
    serving::{Config, Handler, Service},
};
use crate::{
    connection::IdleReads,
    open_error::OpenError,
    os,
    runtime::{BoxFuture, Family, Runtime},
    socket::{Address, Bound, KeepAlive, ListenOptions, StdListener, socket_options},
    stream::{StreamOptions, StreamReader, StreamWriter, stream_options},
    target::{Query, Resolved, Target},
    tls::TlsAcceptor,
};

/// Connections that may wait to be accepted; asyncio's default.
const BACKLOG: u32 = 100;

/// Sockets that may linger: as many as a server turns over in a second or two, and few beside the files
/// that a process may have.
const MAX_LINGERING: usize = 1024;

/// How long each stage of a shutdown may take; asyncio's default (of 3.8).
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(60);

/// How often another port is tried, if the one that the system chose for one address is taken on
/// another.
const PORT_ROUNDS: usize = 16;

/// What a handler may return: nothing, or a `Result` whose error is reported.
///
/// ```
/// use millpond::types::HandlerOutput;
///
/// assert!(().into_result().is_ok());
/// assert!(Err::<(), _>("no such user").into_result().is_err());
/// ```
#[doc(alias = "client_connected_cb")]
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "returns neither `()` nor a `Result<(), E>` whose error is reported",
    note = "give the last value a type, as in `Ok::<(), std::io::Error>(())`, or return nothing"
)]
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
/// one system call. The connection lives as long as its handler. When it returns, the stream is
/// closed: what it wrote is still delivered. One that fails or panics is reported and its stream
/// closed, and the others go on. `Differs from asyncio:` there a connection whose handler returns
/// stays open.
///
/// An empty host means all interfaces, those of IPv6 and of IPv4. A name stands for all its
/// addresses. `Differs from asyncio:` if the system is to choose the port, all addresses of a host
/// get the same one.
///
/// # What a hostile client can hold
///
/// A connection is closed in bounded time once its handler has returned. Until then how long it stays is
/// the program's to say, because a handler may take its time by default: by
/// [`idle_timeout`](StartServer::idle_timeout) for clients that do nothing, by a
/// [`timeout`](crate::timeout) around what is read for those that drip a byte now and then, and by
/// [`max_connections`](StartServer::max_connections) for how many there are.
///
/// | a client that | holds | for |
/// |---|---|---|
/// | says nothing, or not enough | a place and its handler | the idle timeout |
/// | says nothing before a TLS handshake, or half of its hello | a place, and no session | `TlsAcceptor::handshake_timeout`, or the idle timeout if that is shorter |
/// | drips while a handler reads | a place and its handler | what the handler allows: a byte moves, so it is not idle |
/// | does not read what a handler writes | a place, its handler, and what is queued | the idle timeout |
/// | does not read what a handler has left, or bit by bit | a place and what is queued | the [close timeout](StartServer::close_timeout) in all, from the close on |
/// | was reset for being idle, while its handler waits for something else | a place and its handler | as long again, 1 s at the most |
/// | has had its answer, and says nothing, drips or floods | a socket | until another client needs its place, or a descriptor; at the most the [linger timeout](StartServer::linger_timeout), and 16 MiB |
/// | was refused for a broken TLS handshake, and stays | a socket | the same |
/// | half-closes | nothing but what its handler does with it | |
/// | resets | nothing, once its handler has asked or written again | |
///
/// So with an idle and a close timeout of a second, and as long for reading a request, no client that is
/// hostile has a place for more than three seconds.
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
/// What all handlers share is given to [`start_server_with`].
pub fn start_server<H, F>(
    runtime: Arc<dyn Runtime>,
    target: impl Into<Target>,
    handler: H,
) -> StartServer
where
    // A compiler shows these lines to those whose async closure captures something.
    H: Fn(StreamReader, StreamWriter) -> F // `start_server_with` takes what it captures
        + Send
        + Sync
        + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    StartServer::new(runtime, target.into(), boxed(handler))
}

/// [`start_server`] for handlers that share something: each is given a clone of `state`, an `Arc` for
/// instance.
///
/// The closure that is the handler captures nothing then, and can be an async one.
///
/// # Examples
///
/// ```no_run
/// use std::{io, sync::Arc};
///
/// use millpond::{OpenError, Runtime, Server, StreamReader, StreamWriter};
///
/// struct Motd(String);
///
/// async fn send(motd: Arc<Motd>, _: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
///     writer.write(&motd.0)?;
///     Ok(())
/// }
///
/// async fn serve(runtime: Arc<dyn Runtime>, motd: Motd) -> Result<Server, OpenError> {
///     millpond::start_server_with(runtime, Arc::new(motd), "127.0.0.1:17", send).await
/// }
/// ```
pub fn start_server_with<S, H, F>(
    runtime: Arc<dyn Runtime>,
    state: S,
    target: impl Into<Target>,
    handler: H,
) -> StartServer
where
    S: Clone + Send + Sync + 'static,
    H: Fn(S, StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    let handler = move |reader, writer| handler(state.clone(), reader, writer);
    start_server(runtime, target, handler)
}

/// Listens on a host and port, an address, a path or a socket, and lets the program take the connections:
/// [`Server::accept`] gives one after the other. Await the result.
///
/// It is [`start_server`] without a handler, for programs and crates that have their own loop: settings,
/// TLS, limits, [`close`](Server::close) and [`shutdown`](Server::shutdown) are the same, and a stream
/// that was taken stands for its handler, until both halves are dropped. What differs:
///
/// * Errors are reported to the owner of the stream alone:
///   [`on_handler_error`](StartServer::on_handler_error) is not called.
/// * Writes are not held back until the task waits; [`StreamWriter::cork`] does that.
/// * A shutdown closes what was accepted and not taken, unless a call waits for it, and resets the
///   streams that are left after its second stage.
///
/// The adapters have a function of the same name that knows its runtime; this one is for programs
/// that are given theirs.
///
/// asyncio has no counterpart.
///
/// # Examples
///
/// ```no_run
/// use std::sync::Arc;
///
/// use millpond::{Runtime, Stream};
///
/// async fn greet(mut stream: Stream) {
///     let _ = stream.write_all("be excellent to each other\n").await;
/// }
///
/// # async fn example(runtime: Arc<dyn Runtime>) -> std::io::Result<()> {
/// let server = millpond::listen(runtime.clone(), "127.0.0.1:17").max_connections(100).await?;
/// while let Some(stream) = server.accept().await {
///     println!("{:?} has connected", stream.extra_info().peer_addr);
///     runtime.spawn(Box::pin(greet(stream)));
/// }
/// # Ok(()) }
/// ```
#[doc(alias = "bind")]
#[doc(alias = "TcpListener")]
#[doc(alias = "UnixListener")]
pub fn listen(runtime: Arc<dyn Runtime>, target: impl Into<Target>) -> StartServer {
    StartServer::new(runtime, target.into(), Service::Accept)
}

/// Listens on a unix socket at a path, and runs `handler` for each connection; asyncio's
/// `start_unix_server`.
///
/// See [`start_server`]. A socket that another server left behind is replaced, and one on which
/// a server listens is not; any other file is left alone. When the server is closed the path is
/// removed, unless another process has taken it. A path that begins with a NUL names an abstract
/// address, on Linux. One that is too long is an error that says so.
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

/// A server that is started when this is awaited; made by [`start_server`] and [`listen`].
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
    plan: Plan,
    start_serving: bool,
}

/// The settings of a server as methods of a builder that has a `plan`; see `stream_options`.
macro_rules! server_options {
    ($opened:literal, $done:literal) => {
        stream_options!($opened, $done, plan.config.options);
        socket_options!($opened, $done, plan.listen.socket);

        /// Protects each connection by TLS from its first byte; asyncio's `ssl`.
        ///
        /// The handshake is made beside the handlers, so that a client that stalls in it holds up
        /// no other. See [`TlsAcceptor`](crate::TlsAcceptor) for an example.
        #[cfg(feature = "__tls")]
        #[doc(alias = "ssl")]
        pub fn tls(mut self, acceptor: impl Into<crate::tls::TlsAcceptor>) -> Self {
            self.plan.tls = Some(acceptor.into());
            self
        }

        /// What to do when a client does not get through the handshake of TLS: nothing by default, as
        /// in asyncio, since any client can cause it, or an event of level `DEBUG` if the feature `tracing` is
        /// on. It gets the client's address, and every failure: also of handshakes that never began
        /// ([`TlsError::NeverBegan`](crate::error::TlsError::NeverBegan)), as probes do.
        ///
        /// ```no_run
        /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>, tls: millpond::TlsAcceptor) -> std::io::Result<()> {
        /// let report = |peer: Option<&millpond::Address>, error: &millpond::error::TlsError| {
        ///     eprintln!("{peer:?}: {error}");
        /// };
        #[doc = concat!("let opened = ", $opened, ".tls(tls).on_handshake_error(report)", $done)]
        /// # Ok(()) }
        /// ```
        #[cfg(feature = "__tls")]
        pub fn on_handshake_error(
            mut self,
            report: impl Fn(Option<&crate::socket::Address>, &crate::tls::TlsError) + Send + Sync + 'static,
        ) -> Self {
            self.plan.config.on_handshake_error = Arc::new(report);
            self
        }

        server_options! {@ [$opened, $done]
            /// Listens on addresses of this family only; by default on all that the host has.
            family(family: Family) => "family(millpond::types::Family::Ipv6)",
            |plan| plan.family = Some(family);

            /// Flags for the resolver, `AI_*` of the system's `getaddrinfo`; 0 by default.
            flags(flags: i32) => "flags(0)",
            |plan| plan.flags = flags;

            /// How many connections may wait to be accepted; 100 by default, as in asyncio. The
            /// system may cut it.
            ///
            /// `Differs from asyncio:` a socket that was given and listens already keeps its backlog,
            /// unless one is asked for here. Systems other than Linux, Android and FreeBSD do not say
            /// whether it listens, and it gets the default there.
            backlog(backlog: u32) => "backlog(1024)",
            |plan| plan.backlog = Some(backlog);

            /// Whether a port can be listened on again at once after a server closed
            /// (`SO_REUSEADDR`); `true` by default, as in asyncio, but `false` on Windows, where it
            /// lets others steal the port.
            reuse_address(reuse: bool) => "reuse_address(false)",
            |plan| plan.listen.reuse_address = reuse;

            /// Whether several servers may listen on the same port (`SO_REUSEPORT`), if all of them
            /// say so, and the system shares connections out; `false` by default.
            reuse_port(reuse: bool) => "reuse_port(true)",
            |plan| plan.listen.reuse_port = reuse;

            /// Whether the path of a unix socket is removed when the server is closed, if it is still
            /// the one that was made; `true` by default, as in asyncio since Python 3.13.
            cleanup_socket(cleanup: bool) => "cleanup_socket(false)",
            |plan| plan.listen.cleanup_socket = cleanup;

            /// The mode of the path of a unix socket: `0o600` lets processes of the same user connect
            /// alone. It holds from the first moment on, and whatever the umask is; by default the mode
            /// is what the umask leaves of `0o777`, as in asyncio. It is for paths on Linux and Android,
            /// and an error elsewhere.
            ///
            /// asyncio has no counterpart.
            unix_mode(mode: u32) => "unix_mode(0o600)",
            |plan| plan.listen.unix_mode = Some(mode);

            /// The most connections there may be at once; not bounded by default. While there are so
            /// many that are served or not closed yet, none is accepted, and new ones wait in
            /// the backlog. Without a handler, one is served until both halves of the stream are dropped that
            /// [`accept`](crate::Server::accept) has given.
            ///
            /// Sockets that only [linger](crate::StreamOptions::linger_timeout) count, too, but block no
            /// client: a new connection takes the place of the one that has lingered longest, which is
            /// closed at once. So there are no more sockets than this, but for the moment
            /// between accepting one and closing another.
            ///
            /// asyncio has no counterpart.
            max_connections(max: usize) => "max_connections(1000)",
            |plan| plan.config.max_connections = max;

            /// The most sockets that may [linger](crate::StreamOptions::linger_timeout) at once after
            /// their connections were closed; 1024 by default. When one more does, the one that has
            /// lingered longest is closed. All of them are when the process has too many files open
            /// to accept a connection.
            ///
            /// asyncio has no counterpart.
            max_lingering(max: usize) => "max_lingering(100)",
            |plan| plan.config.max_lingering = max;

            /// How long each stage of a [shutdown](crate::Server::shutdown) may take; 60 s by
            /// default, as in asyncio's `StreamServer` of 3.8.
            shutdown_timeout(timeout: Duration) =>
            "shutdown_timeout(std::time::Duration::from_secs(5))",
            |plan| plan.config.shutdown_timeout = timeout;

            /// Whether a [shutdown](crate::Server::shutdown) ends at once what waits for a next request:
            /// `true` by default. Then a read that has to wait while nothing is buffered sees the end of
            /// the stream, behind everything that has come until then, and so does each such read
            /// afterwards; a handler in the middle of a request gets the time. With TLS, clients that have
            /// not begun their handshake are ended, too.
            ///
            /// With `false` clients may go on asking until their streams are closed by the second stage.
            /// Either way, a handler can wait for
            /// [`shutdown_requested`](crate::StreamWriter::shutdown_requested).
            ///
            /// asyncio has no counterpart.
            end_idle_on_shutdown(end: bool) => "end_idle_on_shutdown(false)",
            |plan| plan.config.idle_reads = crate::connection::IdleReads::ended(end);

            /// What to do with a handler that failed, panicked or had to be cancelled. By default it
            /// is one line on standard error, as asyncio's exception handler writes, or an event if
            /// the feature `tracing` is on.
            ///
            /// It gets every error. By default, one whose
            /// [client has left](crate::error::HandlerError::client_has_left) is not printed, and an event of
            /// level `DEBUG`: any client could fill a log with those.
            ///
            /// Without a handler it is not called.
            #[doc(alias = "set_exception_handler")]
            on_handler_error(report: impl Fn(HandlerError) + Send + Sync + 'static) =>
            "on_handler_error(|error| eprintln!(\"{error}\"))",
            |plan| plan.config.on_handler_error = Arc::new(report);

            /// The hook for accept errors of the process, because it has too many
            /// files open for instance. Accepting pauses then, for 100 ms at first and up to 1 s, and
            /// goes on; this is called for the first of several such errors in a row. By default it
            /// is one line on standard error, or an event if the feature `tracing` is on.
            ///
            /// An error of a single connection, which was aborted before it was accepted for
            /// instance, neither pauses the server nor is it reported.
            on_accept_error(report: impl Fn(&io::Error) + Send + Sync + 'static) =>
            "on_accept_error(|error| eprintln!(\"{error}\"))",
            |plan| plan.config.on_accept_error = Arc::new(report);
        }
    };
    (@ [$opened:literal, $done:literal] $(
        $(#[$doc:meta])*
        $name:ident($argument:ident: $type:ty) => $example:literal, |$plan:ident| $set:expr;
    )*) => {
        $(
            $(#[$doc])*
            ///
            /// ```no_run
            /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
            #[doc = concat!("let opened = ", $opened, ".", $example, $done)]
            /// # Ok(()) }
            /// ```
            pub fn $name(mut self, $argument: $type) -> Self {
                let $plan = &mut self.plan;
                $set;
                self
            }
        )*
    };
}
pub(crate) use server_options;

impl StartServer {
    server_options!(
        "millpond::start_server(runtime, \"127.0.0.1:8888\", async |_, _| {})",
        ".await?;"
    );

    pub(crate) fn new(runtime: Arc<dyn Runtime>, target: Target, service: Service) -> Self {
        Self {
            plan: Plan::new(runtime, target, service),
            start_serving: true,
        }
    }

    /// Whether it accepts from the start; `true` by default. Otherwise
    /// [`Server::start_serving`] or [`Server::serve_forever`] begins with it.
    ///
    /// Until then, connecting to a port is refused. A unix socket at a path listens already, so that
    /// no other server takes the path for one that a dead server has left: a client waits to be
    /// accepted.
    ///
    /// ```no_run
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
    /// let starting = millpond::start_server(runtime, "127.0.0.1:80", async |_, _| {});
    /// let server = starting.start_serving(false).await?;
    /// // The address is taken: give up privileges here.
    /// server.start_serving()?;
    /// # Ok(()) }
    /// ```
    pub fn start_serving(mut self, start: bool) -> Self {
        self.start_serving = start;
        self
    }

    async fn start(self) -> Result<Server, OpenError> {
        let server = self.plan.bind().await?;
        if self.start_serving {
            server.start_serving()?;
        }
        Ok(server)
    }
}

impl IntoFuture for StartServer {
    type Output = Result<Server, OpenError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

impl fmt::Debug for StartServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartServer")
            .field("plan", &self.plan)
            .field("start_serving", &self.start_serving)
            .finish()
    }
}

pub(crate) fn boxed<H, F>(handler: H) -> Service
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    let handler = Arc::new(handler);
    let handler: Arc<Handler> = Arc::new(move |reader, writer| {
        let handler = handler.clone();
        // The call is inside, so that a panic of it counts as the handler's. An `async` block would keep a
        // second place for both halves as long as the handler runs.
        let running = lazy(move |_| handler(reader, writer)).flatten();
        Box::pin(running.map(HandlerOutput::into_result))
    });
    Service::Handler(handler)
}

/// Where a server is to listen, and how.
pub(crate) struct Plan {
    runtime: Arc<dyn Runtime>,
    /// A socket that was given is taken out once.
    target: Mutex<Target>,
    pub(crate) family: Option<Family>,
    pub(crate) flags: i32,
    pub(crate) listen: ListenOptions,
    /// If one was asked for.
    pub(crate) backlog: Option<u32>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) config: Config,
}

impl Plan {
    pub(crate) fn new(runtime: Arc<dyn Runtime>, target: Target, service: Service) -> Self {
        Self {
            runtime,
            target: Mutex::new(target),
            family: None,
            flags: 0,
            listen: ListenOptions::default(),
            backlog: None,
            tls: None,
            config: Config {
                options: StreamOptions::new(),
                sockets: ListenOptions::default().socket,
                backlog: BACKLOG,
                max_connections: usize::MAX,
                max_lingering: MAX_LINGERING,
                shutdown_timeout: SHUTDOWN_TIMEOUT,
                idle_reads: IdleReads::End,
                tls: None,
                service,
                on_handshake_error: Arc::new(|_, _| ()),
                on_handler_error: Arc::new(|error| report::handler_error(&error)),
                on_accept_error: Arc::new(report::accept_error),
            },
        }
    }

    /// Takes the addresses, but accepts no connection yet. Addresses can be taken again once they are
    /// free, a socket that was given only once.
    pub(crate) async fn bind(&self) -> Result<Server, OpenError> {
        self.check()?;
        let tls = self.tls.as_ref().map(|acceptor| acceptor.handshake());
        let tls = tls.transpose()?;
        let query = Query {
            family: self.family,
            flags: self.flags,
            protocol: None,
            passive: true,
        };
        let target = self.target().take();
        let resolved = target.resolve::<StdListener>(&*self.runtime, &query);
        let bound = match resolved.await? {
            Resolved::Socket(listener) => {
                listener.check().map_err(OpenError::no_stream)?;
                let runtime = self.runtime.clone();
                vec![match self.backlog {
                    None => os::handed_over(runtime, listener),
                    Some(_) => os::bound(runtime, listener),
                }]
            }
            Resolved::Addresses(addresses) => self.bind_each(&addresses, false)?,
            Resolved::Host(addresses) => self.bind_host(&addresses)?,
        };
        let config = Config {
            sockets: self.listen.socket.clone(),
            backlog: self.backlog.unwrap_or(BACKLOG),
            tls,
            ..self.config.clone()
        };
        Ok(Server::new(self.runtime.clone(), config, bound))
    }

    fn target(&self) -> MutexGuard<'_, Target> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> Result<(), OpenError> {
        self.config.options.check()?;
        if self.config.max_connections == 0 {
            return Err(OpenError::option(
                "max_connections",
                "it is 0, so no client could connect",
            ));
        }
        if let Some(mode) = self.listen.unix_mode {
            self.check_mode(mode)?;
        }
        Ok(())
    }

    /// A mode that would not hold must not look as if it did.
    fn check_mode(&self, mode: u32) -> Result<(), OpenError> {
        let reason = if mode > 0o777 {
            "it has more than the nine permission bits"
        } else if !self.target().is_path() {
            "it applies to the path of a unix socket alone"
        } else {
            return Ok(());
        };
        Err(OpenError::option("unix_mode", reason))
    }

    /// The addresses of a host. If the system is to choose the port, it is the same for all.
    fn bind_host(&self, addresses: &[Address]) -> Result<Vec<Box<dyn Bound>>, OpenError> {
        let any_port = addresses.iter().any(|address| port(address) == Some(0));
        let mut rounds = 1;
        loop {
            let bound = self.bind_each(addresses, any_port);
            let Err(OpenError::Listen { source, .. }) = &bound else {
                return bound;
            };
            // What is free on one address may be taken on another.
            let again = any_port && source.kind() == io::ErrorKind::AddrInUse;
            if !again || rounds == PORT_ROUNDS {
                return bound;
            }
            rounds += 1;
        }
    }

    /// Each address, except those that this machine does not have, as long as one is left. With
    /// `same_port`, those behind the first one get its port.
    fn bind_each(
        &self,
        addresses: &[Address],
        same_port: bool,
    ) -> Result<Vec<Box<dyn Bound>>, OpenError> {
        let mut bound: Vec<Box<dyn Bound>> = Vec::new();
        let mut unavailable = None;
        for address in addresses {
            let first = bound.first().filter(|_| same_port);
            let chosen = first.and_then(|first| port(&first.local_addr().ok()?));
            let mut address = address.clone();
            if let (Address::Tcp(address), Some(port)) = (&mut address, chosen) {
                address.set_port(port);
            }
            match self.runtime.bind(&address, &self.listen) {
                Ok(one) => bound.push(one),
                Err(source) if source.kind() == io::ErrorKind::AddrNotAvailable => {
                    unavailable = Some(OpenError::Listen { address, source });
                }
                Err(source) => return Err(OpenError::Listen { address, source }),
            }
        }
        match unavailable {
            Some(error) if bound.is_empty() => Err(error),
            Some(_) | None => Ok(bound),
        }
    }
}

fn port(address: &Address) -> Option<u16> {
    address.tcp().map(|address| address.port())
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("target", &*self.target())
            .field("listen", &self.listen)
            .field("options", &self.config.options)
            .finish_non_exhaustive()
    }
}
