//! Opening connections.

use std::{
    fmt,
    future::{IntoFuture, poll_fn},
    io,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use millpond_core::{CONNECTION_ATTEMPT_DELAY, HappyEyeballs, Race};

use crate::{
    background::Background,
    error::OpenError,
    extra_info::Address,
    options::{StreamOptions, stream_options},
    os,
    reader::StreamReader,
    runtime::{BoxFuture, Runtime, StdSocket},
    socket::Socket,
    socket_options::{ConnectOptions, SocketOptions},
    target::{Resolved, Target},
    writer::StreamWriter,
};

/// How long to wait for a server whose backlog is full: the system does not tell when it has room.
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
pub fn open_connection(
    runtime: Arc<dyn Runtime>,
    target: impl Into<Target<StdSocket>>,
) -> OpenConnection {
    OpenConnection {
        runtime,
        target: target.into(),
        options: StreamOptions::new(),
        delay: Some(CONNECTION_ATTEMPT_DELAY),
        interleave: None,
        timeout: None,
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
/// each address that was tried and why it failed, [`TimedOut`](OpenError::TimedOut).
///
/// # Cancel safety
///
/// Yes: attempts that are dropped are closed.
///
/// # Examples
///
/// See [`open_connection`].
#[must_use = "does nothing unless awaited"]
pub struct OpenConnection {
    runtime: Arc<dyn Runtime>,
    target: Target<StdSocket>,
    options: StreamOptions,
    delay: Option<Duration>,
    interleave: Option<usize>,
    timeout: Option<Duration>,
}

impl OpenConnection {
    stream_options!("millpond::open_connection(runtime, \"127.0.0.1:8888\")");

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
    /// `As in asyncio:` it is 1 by default if there is a delay; without one, the order of the
    /// resolver is kept.
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

    async fn open_in_time(self) -> Result<(StreamReader, StreamWriter), OpenError> {
        let Some(timeout) = self.timeout else {
            return self.open().await;
        };
        let runtime = self.runtime.clone();
        crate::timeout(&*runtime, timeout, self.open())
            .await
            .unwrap_or(Err(OpenError::TimedOut { timeout }))
    }

    async fn open(self) -> Result<(StreamReader, StreamWriter), OpenError> {
        self.options.check()?;
        let socket = match self.target.resolve(&*self.runtime).await? {
            Resolved::Socket(socket) => {
                adopt(&*self.runtime, socket).map_err(|source| OpenError::Adopt { source })?
            }
            Resolved::Addresses(addresses) => {
                let addresses = in_order(addresses, self.interleave, self.delay);
                connect(&*self.runtime, &addresses, self.delay).await?
            }
        };
        let background = Background::Runtime(self.runtime);
        let (reader, writer, _) = self.options.open_shared(socket, background);
        Ok((reader, writer))
    }
}

fn adopt(runtime: &dyn Runtime, socket: StdSocket) -> io::Result<Box<dyn Socket>> {
    let socket = runtime.adopt(socket)?;
    if let Some(system) = socket.system_socket() {
        os::configure(&*system, &SocketOptions::default())?;
    }
    Ok(socket)
}

fn in_order(
    addresses: Vec<Address>,
    interleave: Option<usize>,
    delay: Option<Duration>,
) -> Vec<Address> {
    let ips: Vec<_> = addresses.iter().filter_map(Address::tcp).collect();
    match interleave.or_else(|| delay.map(|_| 1)) {
        Some(count) if ips.len() > 1 => {
            let ordered = millpond_core::interleave(&ips, count);
            ordered.into_iter().map(Address::Tcp).collect()
        }
        Some(_) | None => addresses,
    }
}

/// Races attempts to connect to these addresses.
async fn connect(
    runtime: &dyn Runtime,
    addresses: &[Address],
    delay: Option<Duration>,
) -> Result<Box<dyn Socket>, OpenError> {
    let options = ConnectOptions::default();
    let began = runtime.now();
    let mut race = HappyEyeballs::new(addresses.len(), delay);
    let mut attempts: Vec<Option<Attempt<'_>>> = addresses.iter().map(|_| None).collect();
    let mut winner = None;
    let mut failed = Vec::new();
    loop {
        let now = runtime.now().duration_since(began);
        match race.poll(now) {
            Race::Start(i) => attempts[i] = Some(attempt(runtime, &addresses[i], &options)),
            Race::Cancel(i) => attempts[i] = None,
            Race::Won(_) => return Ok(winner.expect("an attempt has won")),
            Race::Lost => return Err(OpenError::Connect { attempts: failed }),
            Race::Wait { until } => {
                let timer = until.map(|until| runtime.sleep(until.saturating_sub(now)));
                match first_to_end(&mut attempts, timer).await {
                    Some((i, Ok(socket))) => {
                        race.connected(i);
                        winner = Some(socket);
                    }
                    Some((i, Err(error))) => {
                        race.failed(i);
                        failed.push((addresses[i].clone(), error));
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
    if address.tcp().is_some() {
        return runtime.connect(address, options);
    }
    Box::pin(async move {
        loop {
            match runtime.connect(address, options).await {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    runtime.sleep(BACKLOG_PAUSE).await;
                }
                result => return result,
            }
        }
    })
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

impl fmt::Debug for OpenConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConnection")
            .field("target", &self.target)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
