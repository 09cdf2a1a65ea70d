//! What a scenario has at hand: connected streams, tasks and time.

use std::{
    any::Any,
    fmt,
    future::{IntoFuture, poll_fn},
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_channel::oneshot;
use futures_util::{
    FutureExt,
    future::{Either, join, select},
};
use millpond::{
    Address, Runtime, Server, StreamOptions, StreamReader, StreamWriter, Target,
    adapter::{ConnectOptions, ListenOptions, Socket, SocketOptions, StdSocket, os},
    millpond_core::{DEFAULT_HIGH_WATER, DEFAULT_LIMIT},
    types::{FuturesIo, HandlerOutput, OpenConnection, StartServer},
};

use crate::{bridge::Bridge, certificates, data, drip::Drip, place::Place};

/// As much as a pair in memory holds by default.
const PAIR_CAPACITY: usize = 64 * 1024;

/// How long is waited for something that must not happen.
const A_WHILE: Duration = Duration::from_millis(20);

pub(crate) type Stream = (StreamReader, StreamWriter);

/// The runtime, the place, and whatever has to live as long as the scenario.
pub struct Setup {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) place: Place,
    /// The scenario's.
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has signals"))]
    pub(crate) name: &'static str,
    kept: Vec<Box<dyn Any + Send + Sync>>,
}

/// The options of both streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) limit: usize,
    pub(crate) cap: Option<usize>,
    pub(crate) low: usize,
    pub(crate) high: usize,
    pub(crate) write_cap: Option<usize>,
    pub(crate) close_timeout: Option<Duration>,
    /// What the system's buffers are to hold.
    pub(crate) buffers: Option<usize>,
}

impl Settings {
    pub(crate) const DEFAULT: Self = Self {
        limit: DEFAULT_LIMIT,
        cap: None,
        low: DEFAULT_HIGH_WATER / 4,
        high: DEFAULT_HIGH_WATER,
        write_cap: None,
        close_timeout: None,
        buffers: None,
    };

    pub(crate) fn limit(limit: usize) -> Self {
        Self {
            limit,
            ..Self::DEFAULT
        }
    }

    pub(crate) fn cap(cap: usize) -> Self {
        Self {
            cap: Some(cap),
            ..Self::DEFAULT
        }
    }

    pub(crate) fn watermarks(low: usize, high: usize) -> Self {
        Self {
            low,
            high,
            ..Self::DEFAULT
        }
    }

    pub(crate) fn write_cap(cap: usize) -> Self {
        Self {
            write_cap: Some(cap),
            ..Self::DEFAULT
        }
    }

    fn of_sockets(self) -> SocketOptions {
        let mut options = SocketOptions::default();
        options.receive_buffer = self.buffers;
        options.send_buffer = self.buffers;
        options
    }

    pub(crate) fn close_timeout(self, timeout: Duration) -> Self {
        Self {
            close_timeout: Some(timeout),
            ..self
        }
    }
}

/// The three builders have the same methods, but no trait for them.
macro_rules! apply {
    ($settings:expr, $builder:expr) => {{
        let Settings {
            limit,
            cap,
            low,
            high,
            write_cap,
            close_timeout,
            buffers: _,
        } = $settings;
        let builder = $builder.limit(limit).watermarks(low, high);
        let builder = match cap {
            Some(cap) => builder.cap(cap),
            None => builder,
        };
        let builder = match write_cap {
            Some(cap) => builder.write_cap(cap),
            None => builder,
        };
        match close_timeout {
            Some(timeout) => builder.close_timeout(timeout),
            None => builder,
        }
    }};
}

/// Those of connections and servers have these, too.
macro_rules! apply_to_sockets {
    ($settings:expr, $builder:expr) => {{
        let builder = apply!($settings, $builder);
        match $settings.buffers {
            Some(bytes) => builder.receive_buffer(bytes).send_buffer(bytes),
            None => builder,
        }
    }};
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// Connecting.
impl Setup {
    pub(crate) fn new(runtime: Arc<dyn Runtime>, place: Place, name: &'static str) -> Self {
        Self {
            runtime,
            place,
            name,
            kept: Vec::new(),
        }
    }

    /// Two connected streams with asyncio's defaults.
    pub(crate) async fn connect(&mut self) -> (Stream, Stream) {
        self.connect_with(Settings::DEFAULT).await
    }

    /// Two connected streams. The first is the client's where there is one.
    pub(crate) async fn connect_with(&mut self, settings: Settings) -> (Stream, Stream) {
        let options = apply!(settings, StreamOptions::new());
        match self.place {
            Place::Memory => options.pair(PAIR_CAPACITY),
            Place::Narrow => options.pair(1),
            Place::Sock => {
                let (near, far) = os::socket_pair().unwrap();
                (
                    self.take_over(near, settings).await,
                    self.take_over(far, settings).await,
                )
            }
            Place::FuturesIo => {
                let any_port = Address::from((Ipv4Addr::LOCALHOST, 0));
                let (near, far) = self.connect_sockets(&any_port, settings).await;
                let open = |socket| self.open_socket(&options, FuturesIo::new(Bridge(socket)));
                (open(near), open(far))
            }
            Place::Drip => {
                let (near, far) = self.adopt_sockets_with(settings).await;
                let open = |socket| self.open_socket(&options, Drip::new(socket));
                (open(near), open(far))
            }
            Place::Hesitant => {
                let (near, far) = self.adopt_sockets_with(settings).await;
                let open = |socket, seed| self.open_socket(&options, Drip::hesitant(socket, seed));
                (open(near, 1), open(far, 2))
            }
            Place::StartTls => {
                let (near, far) = self.connect_to_server(settings).await;
                start_tls(near, far, true).await
            }
            Place::TlsMemory => {
                let (near, far) = options.pair(PAIR_CAPACITY);
                start_tls(near, far, false).await
            }
            Place::Tcp | Place::Tls | Place::Tls12 => self.connect_to_server(settings).await,
            #[cfg(unix)]
            Place::Unix => self.connect_to_server(settings).await,
        }
    }

    /// One direction; the other one stays open.
    pub(crate) async fn one_way(&mut self) -> (StreamWriter, StreamReader) {
        self.one_way_with(Settings::DEFAULT).await
    }

    pub(crate) async fn one_way_with(
        &mut self,
        settings: Settings,
    ) -> (StreamWriter, StreamReader) {
        let ((near_reader, writer), (reader, far_writer)) = self.connect_with(settings).await;
        self.keep(far_writer);
        // Where one direction cannot end alone, dropping the writer is to end both.
        if self.place.half_closes() {
            self.keep(near_reader);
        }
        (writer, reader)
    }

    /// Watermarks that are reached fast, and buffers that are full soon.
    pub(crate) fn tight(&self) -> Settings {
        let unit = self.place.unit();
        Settings {
            buffers: Some(unit),
            ..Settings::watermarks(unit, 4 * unit)
        }
    }

    async fn connect_to_server(&mut self, settings: Settings) -> (Stream, Stream) {
        let server = apply_to_sockets!(settings, self.listen());
        let server = server.await.unwrap();
        let near = apply_to_sockets!(settings, self.open(&server.sockets()[0]));
        let (near, far) = join(near.into_future(), server.accept()).await;
        let far = far.unwrap();
        self.keep(server);
        (near.unwrap(), far.into_split())
    }

    async fn take_over(&self, socket: StdSocket, settings: Settings) -> Stream {
        let opening = apply_to_sockets!(settings, self.open(socket));
        opening.await.unwrap()
    }

    /// What an adapter gives for one attempt to connect, without the driver.
    async fn connect_sockets(
        &self,
        at: &Address,
        settings: Settings,
    ) -> (Box<dyn Socket>, Box<dyn Socket>) {
        let mut options = ListenOptions::default();
        options.socket = settings.of_sockets();
        let listener = self.runtime.bind(at, &options).unwrap().listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let accept = poll_fn(|cx| listener.poll_accept(cx));
        let mut options = ConnectOptions::default();
        options.socket = settings.of_sockets();
        let (near, far) = join(self.runtime.connect(&address, &options), accept).await;
        (near.unwrap(), far.unwrap())
    }

    /// Whether the runtime's sockets are the system's.
    pub(crate) fn has_system_sockets(&self) -> bool {
        let (near, _far) = os::socket_pair().unwrap();
        match self.runtime.adopt(near) {
            Ok(_) => true,
            Err(error) => error.kind() != io::ErrorKind::Unsupported,
        }
    }

    /// The ends of a socket pair; of a connection to a unix socket, which is the same, if the runtime
    /// has its own sockets.
    pub(crate) async fn adopt_sockets(&mut self) -> (Box<dyn Socket>, Box<dyn Socket>) {
        self.adopt_sockets_with(Settings::DEFAULT).await
    }

    async fn adopt_sockets_with(
        &mut self,
        settings: Settings,
    ) -> (Box<dyn Socket>, Box<dyn Socket>) {
        let (near, far) = os::socket_pair().unwrap();
        match self.runtime.adopt(near) {
            Ok(near) => {
                let far = self.runtime.adopt(far).unwrap();
                for socket in [&near, &far] {
                    if let Some(system) = socket.system_socket() {
                        os::configure(&*system, &settings.of_sockets()).unwrap();
                    }
                }
                (near, far)
            }
            #[cfg(unix)]
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                let path = Address::Unix(Some(self.new_path()));
                self.connect_sockets(&path, settings).await
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn open_socket(&self, options: &StreamOptions, socket: impl Socket) -> Stream {
        let runtime = self.runtime.clone();
        let spawner = move |task| runtime.spawn(task);
        options.open(Box::new(socket), Arc::new(spawner))
    }
}

/// Begins TLS on both sides of a connection.
async fn start_tls(near: Stream, far: Stream, half_close: bool) -> (Stream, Stream) {
    let ((mut near_reader, mut near_writer), (mut far_reader, mut far_writer)) = (near, far);
    let connector = certificates::connector().half_close(half_close);
    let acceptor = certificates::acceptor().half_close(half_close);
    let client = near_writer.start_tls(&mut near_reader, connector);
    let client = client.server_hostname("localhost");
    let server = far_writer.start_tls(&mut far_reader, acceptor);
    let (client, server) = join(client.into_future(), server.into_future()).await;
    client.unwrap();
    server.unwrap();
    ((near_reader, near_writer), (far_reader, far_writer))
}

/// Serving.
impl Setup {
    /// A server at an address of its own.
    pub(crate) fn serve<H, F>(&mut self, handler: H) -> StartServer
    where
        H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
        F: Future<Output: HandlerOutput> + Send + 'static,
    {
        let target = self.own_target();
        self.serve_at(target, handler)
    }

    /// One without a handler.
    pub(crate) fn listen(&mut self) -> StartServer {
        let target = self.own_target();
        self.protect(millpond::listen(self.runtime.clone(), target))
    }

    fn own_target(&mut self) -> Target {
        #[cfg(unix)]
        if self.place == Place::Unix {
            return Target::from(self.new_path());
        }
        Target::from(&self.own_address())
    }

    pub(crate) fn serve_at<H, F>(&self, target: impl Into<Target>, handler: H) -> StartServer
    where
        H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
        F: Future<Output: HandlerOutput> + Send + 'static,
    {
        self.protect(millpond::start_server(
            self.runtime.clone(),
            target,
            handler,
        ))
    }

    fn protect(&self, starting: StartServer) -> StartServer {
        match self.place.acceptor() {
            Some(acceptor) => starting.tls(acceptor),
            None => starting,
        }
    }

    pub(crate) fn open(&self, target: impl Into<Target>) -> OpenConnection {
        let opening = millpond::open_connection(self.runtime.clone(), target);
        match self.place.connector() {
            Some(connector) => opening.tls(connector),
            None => opening,
        }
    }

    /// A new client of `server`.
    pub(crate) async fn client(&self, server: &Server) -> Stream {
        self.open(&server.sockets()[0]).await.unwrap()
    }

    /// An address to listen on, again and again. Where the system lets a server listen on a port that
    /// another socket is bound to, one is until the scenario ends: so no other process is given the port
    /// when a server has closed. Elsewhere it is any port.
    pub(crate) fn own_address(&mut self) -> Address {
        let any_port = Address::from((Ipv4Addr::LOCALHOST, 0));
        let options = ListenOptions::default();
        let holder = self.runtime.bind(&any_port, &options).unwrap();
        let address = holder.local_addr().unwrap();
        if self.runtime.bind(&address, &options).is_err() {
            return any_port;
        }
        self.keep(holder);
        address
    }

    /// An address on which no server listens, and that no other process gets: it is taken.
    pub(crate) fn unused_address(&mut self) -> SocketAddr {
        let any_port = Address::from((Ipv4Addr::LOCALHOST, 0));
        let bound = self.runtime.bind(&any_port, &ListenOptions::default());
        let bound = bound.unwrap();
        let address = bound.local_addr().unwrap().tcp().unwrap();
        self.keep(bound);
        address
    }

    /// The path of a file that does not exist, in a directory that is removed in the end.
    #[cfg(unix)]
    pub(crate) fn new_path(&mut self) -> std::path::PathBuf {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        self.keep(directory);
        path
    }
}

/// Tasks and time.
impl Setup {
    /// Drops `kept` only when the scenario ends.
    pub(crate) fn keep(&mut self, kept: impl Send + Sync + 'static) {
        self.kept.push(Box::new(kept));
    }

    /// Runs `work` in a task of its own. Awaiting what this returns gives its result.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        let (done, result) = oneshot::channel();
        self.runtime.spawn(Box::pin(async move {
            let _ = done.send(work.await);
        }));
        Task(result)
    }

    pub(crate) async fn sleep(&self, millis: u64) {
        self.runtime.sleep(Duration::from_millis(millis)).await;
    }

    /// Waits until a server has accepted so many connections that are not closed, which only its
    /// `Debug` output shows.
    pub(crate) async fn until_there_are(&self, clients: usize, server: &(impl fmt::Debug + Sync)) {
        let description = format!("clients: {clients}");
        while !format!("{server:?}").contains(&description) {
            self.sleep(1).await;
        }
    }

    /// Fails if `future` ends within a while.
    #[track_caller]
    pub(crate) fn stays_pending<F: Future>(&self, future: F) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let sleep = self.runtime.sleep(A_WHILE);
        async move {
            if let Either::Left(_) = select(pin!(future), sleep).await {
                panic!("something that has to wait at {caller} does not");
            }
        }
    }

    /// Writes far more than a transport with [`tight`](Self::tight) settings takes, so that more than
    /// half of it stays queued, however long it is not read. Returns what was written.
    pub(crate) fn fill(&self, writer: &mut StreamWriter) -> Vec<u8> {
        let written = data::bytes(7, self.place.plenty());
        for block in written.chunks(self.place.unit()) {
            writer.write(block).unwrap();
        }
        assert!(writer.queued() > written.len() / 2);
        written
    }
}

/// A task of a scenario.
pub(crate) struct Task<T>(oneshot::Receiver<T>);

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let result = ready!(self.0.poll_unpin(cx));
        Poll::Ready(result.expect("a task of the scenario ends without panicking"))
    }
}

/// Both halves of one stream in one.
pub(crate) fn whole((reader, writer): (StreamReader, StreamWriter)) -> millpond::Stream {
    millpond::Stream::reunite(reader, writer).unwrap()
}
