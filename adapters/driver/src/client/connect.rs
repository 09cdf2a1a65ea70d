//! Opening connections.

use std::{
    convert::Infallible,
    fmt,
    future::{IntoFuture, poll_fn},
    io,
    marker::PhantomData,
    net::SocketAddr,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use millpond_core::{CONNECTION_ATTEMPT_DELAY, HappyEyeballs, Race};

use super::progress::Progress;
use crate::{
    open_error::OpenError,
    os,
    runtime::{Background, BoxFuture, Family, Runtime},
    socket::{Address, ConnectOptions, KeepAlive, Socket, SocketOptions, socket_options},
    stream::{Stream, StreamOptions, StreamReader, StreamWriter, stream_options, upgrade},
    target::{Checked, Query, Resolved, Sock, Target},
    tls::{Handshake, TlsConnector},
};

/// How long to wait for a server whose backlog is full: the system does not report when it has room.
const BACKLOG_PAUSE: Duration = Duration::from_millis(10);

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
pub fn open_connection(runtime: Arc<dyn Runtime>, target: impl Into<Target>) -> OpenConnection {
    OpenConnection::new(runtime, target.into())
}

/// Connects to a unix socket by its path; asyncio's `open_unix_connection`.
///
/// See [`open_connection`]. A path that begins with a NUL names an abstract address, on Linux. One
/// that is too long is an error that says so.
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

/// Like [`open_connection`], but gives both halves in one [`Stream`]; asyncio's `connect` of 3.8.
///
/// # Examples
///
/// ```no_run
/// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
/// let mut stream = millpond::connect(runtime, ("example.org", 79)).await?;
/// stream.write(b"root\r\n")?;
/// println!("{}", stream.read_to_eof().await?.escape_ascii());
/// # Ok(()) }
/// ```
pub fn connect(runtime: Arc<dyn Runtime>, target: impl Into<Target>) -> Connect {
    OpenConnection::new(runtime, target.into())
}

/// Like [`open_unix_connection`], but gives both halves in one [`Stream`]; asyncio's `connect_unix`
/// of 3.8.
///
/// # Examples
///
/// ```no_run
/// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
/// let mut stream = millpond::connect_unix(runtime, "/run/motd.sock").await?;
/// println!("{}", stream.read_to_eof().await?.escape_ascii());
/// # Ok(()) }
/// ```
#[cfg(unix)]
pub fn connect_unix(runtime: Arc<dyn Runtime>, path: impl AsRef<std::path::Path>) -> Connect {
    connect(runtime, path.as_ref())
}

/// A connection that is opened when this is awaited; made by [`open_connection`], and for a
/// [`Stream`] by [`connect`](crate::connect()).
///
/// # Errors
///
/// Awaiting it gives an [`OpenError`]: [`Option`](OpenError::Option) before the network is touched,
/// [`Resolve`](OpenError::Resolve) for a host without address, [`Connect`](OpenError::Connect) with
/// each address that was tried and why it failed, [`TimedOut`](OpenError::TimedOut).
///
/// `Differs from asyncio:` a connection to itself, which TCP makes now and then if no server listens on a
/// local port from which connections can begin, too, is `ConnectionRefused`.
///
/// # Cancel safety
///
/// Yes: attempts that are dropped are closed.
///
/// # Examples
///
/// See [`open_connection`].
#[must_use = "does nothing unless awaited"]
pub struct OpenConnection<T = (StreamReader, StreamWriter)> {
    runtime: Arc<dyn Runtime>,
    target: Target,
    options: StreamOptions,
    sockets: ConnectOptions,
    local_addr: Option<Target>,
    query: Query,
    server_hostname: Option<String>,
    tls: Option<TlsConnector>,
    delay: Option<Duration>,
    interleave: Option<usize>,
    timeout: Option<Duration>,
    opened: PhantomData<fn() -> T>,
}

/// What gives a [`Stream`] when it is awaited; made by [`connect`](crate::connect()).
pub type Connect = OpenConnection<Stream>;

impl<T> OpenConnection<T> {
    fn new(runtime: Arc<dyn Runtime>, target: Target) -> Self {
        Self {
            runtime,
            target,
            options: StreamOptions::new(),
            sockets: ConnectOptions::default(),
            local_addr: None,
            query: Query::default(),
            server_hostname: None,
            tls: None,
            delay: Some(CONNECTION_ATTEMPT_DELAY),
            interleave: None,
            timeout: None,
            opened: PhantomData,
        }
    }
}

/// What is connected to.
impl<T> OpenConnection<T> {
    /// Connects to addresses of this family only; by default to all that the host has.
    ///
    /// ```no_run
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
    /// use millpond::types::Family;
    ///
    /// let opening = millpond::open_connection(runtime, "example.org:80");
    /// let (reader, writer) = opening.family(Family::Ipv4).await?;
    /// # Ok(()) }
    /// ```
    pub fn family(mut self, family: Family) -> Self {
        self.query.family = Some(family);
        self
    }

    /// The protocol below the stream, by its number; TCP by default. 262 is MPTCP on Linux.
    ///
    /// ```no_run
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
    /// let opening = millpond::open_connection(runtime, "127.0.0.1:80");
    /// let (reader, writer) = opening.proto(262).await?;
    /// # Ok(()) }
    /// ```
    pub fn proto(mut self, proto: i32) -> Self {
        self.sockets.protocol = Some(proto);
        self
    }

    /// Flags for the resolver, `AI_*` of the system's `getaddrinfo`; 0 by default.
    ///
    /// ```no_run
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
    /// const AI_NUMERICHOST: i32 = 4; // on Linux; the crate libc knows the others
    ///
    /// let opening = millpond::open_connection(runtime, "127.1:80");
    /// let (reader, writer) = opening.flags(AI_NUMERICHOST).await?;
    /// # Ok(()) }
    /// ```
    pub fn flags(mut self, flags: i32) -> Self {
        self.query.flags = flags;
        self
    }

    /// Where to connect from: a host or address of this machine and a port, 0 for any. By default the
    /// system chooses.
    ///
    /// Of several addresses the first is taken that is of the peer's family and free. A port that is
    /// given serves several attempts at once, except on Windows and the BSDs. With port 0 the system
    /// chooses one before it knows the peer, so that no two connections from an address have the same
    /// one, and there are about 28,000 of them on Linux (`ip_local_port_range`).
    ///
    /// ```no_run
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
    /// let opening = millpond::open_connection(runtime, "192.0.2.1:80");
    /// let (reader, writer) = opening.local_addr("192.0.2.7:0").await?;
    /// # Ok(()) }
    /// ```
    pub fn local_addr(mut self, local_addr: impl Into<Target>) -> Self {
        self.local_addr = Some(local_addr.into());
        self
    }

    /// Protects the connection by TLS from its first byte; asyncio's `ssl`.
    ///
    /// ```no_run
    /// use millpond::TlsConnector;
    ///
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
    /// let opening = millpond::open_connection(runtime, ("example.org", 443));
    /// let (reader, writer) = opening.tls(TlsConnector::new()).await?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "__tls")]
    #[doc(alias = "ssl")]
    pub fn tls(mut self, connector: impl Into<TlsConnector>) -> Self {
        self.tls = Some(connector.into());
        self
    }

    /// The name that the server's certificate must have: the host by default, or the address, without its
    /// zone, if that is all there is. For a socket, a path, or several hosts it must be given. It is for TLS, and an
    /// error without.
    ///
    /// `Differs from asyncio:` an empty one does not switch verification off.
    ///
    /// ```no_run
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) {
    /// let opening = millpond::open_connection(runtime, "192.0.2.1:80");
    /// let error = opening.server_hostname("example.org").await.unwrap_err();
    /// assert!(error.to_string().contains("server_hostname"));
    /// # }
    /// ```
    pub fn server_hostname(mut self, name: impl Into<String>) -> Self {
        self.server_hostname = Some(name.into());
        self
    }
}

/// How it is connected to.
impl<T> OpenConnection<T> {
    stream_options!(
        "millpond::open_connection(runtime, \"127.0.0.1:8888\")",
        ".await?;",
        options
    );
    socket_options!(
        "millpond::open_connection(runtime, \"127.0.0.1:8888\")",
        ".await?;",
        sockets.socket
    );

    /// How long an attempt has for itself before one to the next address starts beside it; 250 ms
    /// by default. With `None`, the next one starts only when the one before has failed.
    ///
    /// The first attempt to succeed wins, and the others are closed (RFC 8305, "Happy Eyeballs").
    ///
    /// `Differs from asyncio:` there the default is `None`.
    ///
    /// ```no_run
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
    /// let opened = millpond::open_connection(runtime, "example.org:80")
    ///     .happy_eyeballs_delay(None)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn happy_eyeballs_delay(mut self, delay: impl Into<Option<Duration>>) -> Self {
        self.delay = delay.into();
        self
    }

    /// Brings the addresses into another order: IPv6 and IPv4 in turn, starting with the family of
    /// the first one, of which the first `first_family_count` come first.
    ///
    /// `As in asyncio:` it is 1 by default if there is a delay; without one, or with 0, the order of
    /// the resolver is kept.
    ///
    /// ```no_run
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
    /// let opened = millpond::open_connection(runtime, "example.org:80").interleave(2).await?;
    /// # Ok(()) }
    /// ```
    pub fn interleave(mut self, first_family_count: usize) -> Self {
        self.interleave = Some(first_family_count);
        self
    }

    /// How long resolving and connecting may take in all; not bounded by default.
    ///
    /// asyncio has no counterpart.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
    /// let opened = millpond::open_connection(runtime, "example.org:80")
    ///     .connect_timeout(Duration::from_secs(5))
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl<T> OpenConnection<T> {
    async fn open_in_time(self) -> Result<(StreamReader, StreamWriter), OpenError> {
        let progress = Progress::default();
        let Some(timeout) = self.timeout else {
            return self.open(&progress).await;
        };
        let (runtime, target) = (self.runtime.clone(), self.target.to_string());
        match crate::runtime::timeout(&*runtime, timeout, self.open(&progress)).await {
            Ok(opened) => opened,
            Err(_) => Err(progress.timed_out(target, timeout)),
        }
    }

    async fn open(
        mut self,
        progress: &Progress,
    ) -> Result<(StreamReader, StreamWriter), OpenError> {
        self.check()?;
        let host = self.target.host();
        let handshake = self.handshake(host.as_deref())?;
        let runtime = &*self.runtime;
        let query = Query {
            protocol: self.sockets.protocol,
            ..self.query
        };
        let target = self.target.check(&query)?;
        if let Checked::Socket(Sock::Std(socket)) = &target {
            socket.check().map_err(OpenError::no_stream)?;
        }
        if let Some(local_addr) = self.local_addr {
            let local_addrs = local_addrs(runtime, local_addr, &query).await;
            self.sockets.local_addrs = local_addrs.map_err(of_local_addr)?;
        }
        let socket = match target.resolve(runtime, &query).await? {
            Resolved::Socket(socket) => take_over(runtime, socket, &self.sockets.socket)?,
            Resolved::Addresses(addresses) | Resolved::Host(addresses) => {
                let addresses = in_order(addresses, self.interleave, self.delay);
                race(runtime, &addresses, &self.sockets, self.delay, progress).await?
            }
        };
        let background = Background::Runtime(self.runtime);
        let host = host.as_deref();
        let opened = self.options.open_shared(socket, background, None, host);
        let (mut reader, mut writer) = opened.watched();
        if let Some(handshake) = handshake {
            progress.connected(&writer.extra_info().peer_addr);
            upgrade(&mut reader, &mut writer, &handshake, Bytes::new()).await?;
        }
        Ok((reader, writer))
    }

    /// Made ahead of everything else, so that a name that cannot be is found before the network is
    /// touched.
    fn handshake(&self, host: Option<&str>) -> Result<Option<Handshake>, OpenError> {
        let name = self.server_hostname.as_deref().or(host);
        let handshake = self.tls.as_ref().map(|tls| tls.handshake_with(name));
        Ok(handshake.transpose()?)
    }

    fn check(&self) -> Result<(), OpenError> {
        self.options.check()?;
        if self.server_hostname.is_some() && self.tls.is_none() {
            return Err(OpenError::option(
                "server_hostname",
                "it is only meaningful with TLS",
            ));
        }
        if self.timeout == Some(Duration::ZERO) {
            let reason = "it must be greater than 0";
            return Err(OpenError::option("connect_timeout", reason));
        }
        Ok(())
    }
}

async fn local_addrs(
    runtime: &dyn Runtime,
    local_addr: Target,
    query: &Query,
) -> Result<Vec<SocketAddr>, OpenError> {
    let query = Query {
        passive: true,
        ..query.clone()
    };
    let resolved = local_addr.resolve::<Infallible>(runtime, &query).await?;
    let addresses = match resolved {
        Resolved::Addresses(addresses) | Resolved::Host(addresses) => addresses,
        Resolved::Socket(never) => match never {},
    };
    let addresses: Option<_> = addresses.iter().map(Address::tcp).collect();
    addresses.ok_or_else(|| OpenError::option("local_addr", "it is not an IP address"))
}

/// Names the option that the target was given as.
fn of_local_addr(error: OpenError) -> OpenError {
    if let OpenError::Option { reason, .. } = error {
        return OpenError::option("local_addr", reason);
    }
    error
}

fn take_over(
    runtime: &dyn Runtime,
    socket: Sock,
    options: &SocketOptions,
) -> Result<Box<dyn Socket>, OpenError> {
    let adopted = |source| OpenError::Adopt { source };
    let socket = match socket {
        Sock::Open(socket) => socket,
        Sock::Std(socket) => runtime.adopt(socket).map_err(adopted)?,
    };
    if let Some(system) = socket.system_socket() {
        os::configure(&*system, options).map_err(adopted)?;
    }
    Ok(socket)
}

fn in_order(
    addresses: Vec<Address>,
    interleave: Option<usize>,
    delay: Option<Duration>,
) -> Vec<Address> {
    let ips: Vec<_> = addresses.iter().filter_map(Address::tcp).collect();
    match interleave.unwrap_or_else(|| usize::from(delay.is_some())) {
        count if count > 0 && ips.len() > 1 => {
            let ordered = millpond_core::interleave(&ips, count);
            ordered.into_iter().map(Address::Tcp).collect()
        }
        _ => addresses,
    }
}

/// Races attempts to connect to these addresses.
async fn race(
    runtime: &dyn Runtime,
    addresses: &[Address],
    options: &ConnectOptions,
    delay: Option<Duration>,
    progress: &Progress,
) -> Result<Box<dyn Socket>, OpenError> {
    let began = runtime.now();
    let mut race = HappyEyeballs::new(addresses.len(), delay);
    let mut attempts: Vec<Option<Attempt<'_>>> = addresses.iter().map(|_| None).collect();
    let mut winner = None;
    loop {
        let now = runtime.now().duration_since(began);
        match race.poll(now) {
            Race::Start(i) => {
                progress.started(&addresses[i]);
                attempts[i] = Some(attempt(runtime, &addresses[i], options));
            }
            Race::Cancel(i) => attempts[i] = None,
            Race::Won(_) => return Ok(winner.expect("an attempt has won")),
            Race::Lost => return Err(progress.lost()),
            Race::Wait { until } => {
                let timer = until.map(|until| runtime.sleep(until.saturating_sub(now)));
                match first_to_end(&mut attempts, timer).await {
                    Some((i, Ok(socket))) => {
                        race.connected(i);
                        winner = Some(socket);
                    }
                    Some((i, Err(error))) => {
                        race.failed(i);
                        progress.failed(&addresses[i], error);
                    }
                    None => {} // the next one is due
                }
            }
        }
    }
}

/// Connects to one address. A unix socket whose backlog is full is tried again until it has room.
fn attempt<'a>(
    runtime: &'a dyn Runtime,
    address: &'a Address,
    options: &'a ConnectOptions,
) -> Attempt<'a> {
    let is_unix = address.tcp().is_none();
    Box::pin(async move {
        loop {
            match runtime.connect(address, options).await {
                Err(error) if is_unix && error.kind() == io::ErrorKind::WouldBlock => {
                    runtime.sleep(BACKLOG_PAUSE).await;
                }
                Err(error) => return Err(error),
                Ok(socket) => return unless_to_itself(socket),
            }
        }
    })
}

/// TCP connects a socket to itself if no server listens on a port of this machine and the system chooses
/// that very port for this side. It would give back what is written, and keep the server from starting.
fn unless_to_itself(socket: Box<dyn Socket>) -> io::Result<Box<dyn Socket>> {
    let info = socket.extra_info();
    let tcp = |address: &Option<Address>| address.as_ref().and_then(Address::tcp);
    match (tcp(&info.local_addr), tcp(&info.peer_addr)) {
        (Some(here), Some(there)) if (here.ip(), here.port()) == (there.ip(), there.port()) => {
            socket.abort(); // so that the port is free at once
            let why = "no server listens there: the socket connected to itself";
            Err(io::Error::new(io::ErrorKind::ConnectionRefused, why))
        }
        _ => Ok(socket),
    }
}

type Attempt<'a> = BoxFuture<'a, io::Result<Box<dyn Socket>>>;

/// Waits until an attempt has ended, and takes it out, or until the timer has.
async fn first_to_end(
    attempts: &mut [Option<Attempt<'_>>],
    mut timer: Option<BoxFuture<'static, ()>>,
) -> Option<(usize, io::Result<Box<dyn Socket>>)> {
    poll_fn(|cx| {
        for (i, attempt) in attempts.iter_mut().enumerate() {
            let polled = attempt.as_mut().map(|attempt| attempt.as_mut().poll(cx));
            if let Some(Poll::Ready(result)) = polled {
                *attempt = None;
                return Poll::Ready(Some((i, result)));
            }
        }
        match &mut timer {
            Some(timer) => timer.as_mut().poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}

impl IntoFuture for OpenConnection {
    type Output = Result<(StreamReader, StreamWriter), OpenError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open_in_time())
    }
}

impl IntoFuture for Connect {
    type Output = Result<Stream, OpenError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.open_in_time().await.map(Stream::new) })
    }
}

impl<T> fmt::Debug for OpenConnection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConnection")
            .field("target", &self.target)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
