//! A host: the runtime of the programs on it.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

#[cfg(unix)]
use millpond::adapter::StdPipe;
use millpond::{
    Address, Runtime,
    adapter::{
        Bound, BoxFuture, ConnectOptions, ListenOptions, Listener, Lookup, Socket, Spawn,
        StdListener, StdSocket,
    },
};

use crate::{
    host::socket::{SimBound, SimSocket},
    time::nanos,
    trace::event::Event,
    world::{
        clock::{Due, TimerKey},
        shared::Shared,
        task::Wait,
    },
};

/// How long an attempt to connect waits for an answer before it is repeated, in seconds; after the last
/// it fails. These are Linux's times.
const RETRY_DELAYS: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];

/// `AI_NUMERICHOST`, as Linux and macOS have it: only addresses are resolved.
const NUMERIC_HOST: i32 = 4;

/// A machine of a world: it has a name, addresses, ports and paths of its own, and tasks that run on
/// it.
///
/// It is the [`Runtime`] of those tasks. In them, this crate's functions without a runtime, such as
/// [`open_connection`](crate::open_connection()), mean this host.
///
/// # Examples
///
/// ```
/// use millpond_sim::{Sim, open_connection, start_server, world};
///
/// let sim = Sim::new(1)
///     .host("localhost", ["10.0.0.1".parse().unwrap()])
///     .host("shop", ["10.0.0.80".parse().unwrap()]);
/// sim.run(async {
///     world().host("shop").spawn(async {
///         let server = start_server(":80", async |_, mut writer| writer.write(b"hello"));
///         server.await.unwrap().serve_forever().await.unwrap();
///     });
///     world().sleep(std::time::Duration::from_millis(1)).await;
///     let (mut reader, writer) = open_connection("shop:80").await.unwrap();
///     assert_eq!(reader.read_to_eof().await.unwrap(), "hello");
///     assert!(writer.extra_info().local_addr.as_ref().unwrap().to_string().starts_with("10.0.0.1:"));
///     open_connection("127.0.0.1:80").await.unwrap_err(); // that is this host, not the shop
/// });
/// ```
#[derive(Clone)]
pub struct Host {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: u32,
}

impl Host {
    pub(crate) fn new(shared: Arc<Shared>, id: u32) -> Self {
        Self { shared, id }
    }

    /// The runtime of programs on this host.
    ///
    /// ```
    /// use millpond_sim::{Sim, world};
    ///
    /// Sim::new(1).run(async {
    ///     let runtime = world().host("localhost").runtime();
    ///     millpond::open_connection(runtime, "127.0.0.1:1").await.unwrap_err();
    /// });
    /// ```
    pub fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.clone())
    }

    /// Runs a task on this host.
    ///
    /// See [`Host`] for an example.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        Spawn::spawn(self, Box::pin(task));
    }

    /// Ends all tasks that run on this host, as when its process is killed: what they have open is
    /// closed by the system, what they have listened on is free, and what they had not sent yet is lost.
    /// Then it can be started again: by [`spawn`](Self::spawn), for instance.
    ///
    /// The program that [`Sim::run`](crate::Sim::run) was given goes on, and so does a task that calls
    /// this, until it waits.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use millpond_sim::{Sim, StreamReader, StreamWriter, open_connection, world};
    ///
    /// let sim = Sim::new(1)
    ///     .host("localhost", ["10.0.0.1".parse().unwrap()])
    ///     .host("shop", ["10.0.0.80".parse().unwrap()]);
    /// sim.run(async {
    ///     let shop = world().host("shop");
    ///     let serve = async |mut reader: StreamReader, _: StreamWriter| reader.read(1).await.map(drop);
    ///     let server = millpond::start_server(shop.runtime(), ":80", serve).await.unwrap();
    ///     let (mut reader, _writer) = open_connection("shop:80").await.unwrap();
    ///     world().sleep(Duration::from_secs(1)).await;
    ///
    ///     shop.kill();
    ///     assert_eq!(reader.read_to_eof().await.unwrap(), "");
    ///     open_connection("shop:80").await.unwrap_err();
    ///
    ///     let _server = millpond::start_server(shop.runtime(), ":80", serve).await.unwrap();
    ///     open_connection("shop:80").await.unwrap();
    /// });
    /// ```
    pub fn kill(&self) {
        self.shared.lock().note(Event::Killed(self.id));
        loop {
            // What is dropped may run anything, and spawn.
            let killed = self.shared.lock().take_tasks_of(self.id);
            if killed.is_empty() {
                return;
            }
            drop(killed);
        }
    }

    /// [Kills](Self::kill) this host, and runs a task on it, as if its process was started again.
    ///
    /// ```
    /// use millpond_sim::{Sim, start_server, world};
    ///
    /// let sim = Sim::new(1).host("shop", ["10.0.0.80".parse().unwrap()]);
    /// sim.run(async {
    ///     async fn serve() {
    ///         let server = start_server(":80", async |_, mut writer| writer.write(b"hello"));
    ///         server.await.unwrap().serve_forever().await.unwrap(); // the port is free
    ///     }
    ///     let shop = world().host("shop");
    ///     shop.spawn(serve());
    ///     world().sleep(std::time::Duration::from_secs(1)).await;
    ///     shop.restart(serve());
    ///     assert_eq!(world().tasks(), 1);
    /// });
    /// ```
    pub fn restart(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.kill();
        self.spawn(task);
    }

    fn sleep_until(&self, at: u64) -> Sleep {
        Sleep {
            shared: self.shared.clone(),
            at,
            timer: None,
        }
    }

    fn sleep_for(&self, duration: Duration) -> Sleep {
        let at = {
            let state = self.shared.lock();
            let time = state.settings.time_until(self.id, nanos(duration));
            state.clock.in_future(Duration::from_nanos(time))
        };
        self.sleep_until(at)
    }

    /// The way to the peer, or back.
    async fn travel(&self, address: &Address) {
        if address.tcp().is_some() {
            let at = {
                let mut state = self.shared.lock();
                let target = state.host_at(self.id, address).unwrap_or(self.id);
                let latency = state.draw_latency(self.id, target);
                state.clock.in_future(Duration::from_nanos(latency))
            };
            self.sleep_until(at).await;
        }
    }

    async fn try_to_connect(
        &self,
        address: &Address,
        options: &ConnectOptions,
    ) -> io::Result<SimSocket> {
        let number = self.shared.lock().begin_attempt(address.tcp());
        // Made, but the answer was lost on its way.
        let mut made = None;
        for delay in RETRY_DELAYS {
            let mut sleep = self.sleep_for(Duration::from_secs(delay));
            self.travel(address).await;
            let answer = match made.take() {
                Some(socket) => Some(Ok(socket)),
                None => self.ask(number, address, options).transpose(),
            };
            if let Some(answer) = answer {
                self.travel(address).await;
                if !self.shared.lock().is_unreachable(self.id, address) {
                    return answer;
                }
                made = answer.ok();
            }
            std::future::poll_fn(|cx| {
                self.shared.lock().waits.push(Wait::Connect(number));
                Pin::new(&mut sleep).poll(cx)
            })
            .await;
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// `None` is no answer. Dropped, the connection is closed.
    fn ask(
        &self,
        number: u32,
        address: &Address,
        options: &ConnectOptions,
    ) -> io::Result<Option<SimSocket>> {
        let made = self
            .shared
            .lock()
            .attempt(number, self.id, address, options)?;
        Ok(made.map(|end| SimSocket::new(self.shared.clone(), end)))
    }

    fn look_up(&self, lookup: &Lookup) -> io::Result<Vec<SocketAddr>> {
        let v6 = |ip: Ipv6Addr| IpAddr::from(ip);
        let v4 = |ip: Ipv4Addr| IpAddr::from(ip);
        let addresses = match &lookup.host {
            None if lookup.passive => vec![v6(Ipv6Addr::UNSPECIFIED), v4(Ipv4Addr::UNSPECIFIED)],
            None => vec![v6(Ipv6Addr::LOCALHOST), v4(Ipv4Addr::LOCALHOST)],
            Some(host) if lookup.flags & NUMERIC_HOST != 0 => host.parse().into_iter().collect(),
            Some(host) => self.addresses_of(host),
        };
        let addresses = addresses
            .into_iter()
            .map(|ip| SocketAddr::new(ip, lookup.port));
        let found: Vec<_> = with_zone(lookup)
            .into_iter()
            .chain(addresses)
            .filter(|address| lookup.family.is_none_or(|it| it.matches(address)))
            .collect();
        if found.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "name or service not known",
            ));
        }
        Ok(found)
    }

    fn addresses_of(&self, name: &str) -> Vec<IpAddr> {
        if let Ok(ip) = name.parse() {
            return vec![ip];
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        let state = self.shared.lock();
        if let Some(answer) = state.settings.names.get(&name.to_ascii_lowercase()) {
            return answer.clone();
        }
        if name.eq_ignore_ascii_case("localhost") {
            return vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        }
        let mut hosts = state.hosts.iter();
        let host = hosts.find(|host| host.name.eq_ignore_ascii_case(name));
        host.map(|host| host.addresses.clone()).unwrap_or_default()
    }
}

/// An address with a zone, such as `fe80::1%2`, is no `IpAddr`.
fn with_zone(lookup: &Lookup) -> Option<SocketAddr> {
    let host = lookup.host.as_ref().filter(|host| host.contains('%'))?;
    format!("[{host}]:{}", lookup.port).parse().ok()
}

impl Spawn for Host {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let spawned = self.shared.lock().spawn(&self.shared.ready, self.id, task);
        // What is spawned when the world has ended is dropped, without the lock.
        drop(spawned);
    }
}

impl Runtime for Host {
    fn connect<'a>(
        &'a self,
        address: &'a Address,
        options: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let socket = self.try_to_connect(address, options).await?;
            Ok(Box::new(socket) as Box<dyn Socket>)
        })
    }

    fn bind(&self, address: &Address, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
        let id = self.shared.lock().bind(self.id, address, options)?;
        Ok(Box::new(SimBound::new(self.shared.clone(), id)))
    }

    fn adopt(&self, _: StdSocket) -> io::Result<Box<dyn Socket>> {
        Err(unsupported())
    }

    fn adopt_listener(&self, _: StdListener) -> io::Result<Box<dyn Listener>> {
        Err(unsupported())
    }

    #[cfg(unix)]
    fn adopt_pipe(&self, _: StdPipe) -> io::Result<Box<dyn Socket>> {
        Err(unsupported())
    }

    fn resolve<'a>(&'a self, lookup: &'a Lookup) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let delay = self.shared.lock().settings.resolve_delay;
        let sleep = self.sleep_for(delay);
        Box::pin(async move {
            sleep.await;
            self.look_up(lookup)
        })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(self.sleep_for(duration))
    }

    fn now(&self) -> Instant {
        self.shared.now_on(self.id)
    }

    fn caught_panic(&self, message: &str) {
        let mut state = self.shared.lock();
        if !state.settings.tolerates_panics {
            state.caught_panic.get_or_insert_with(|| message.to_owned());
        }
    }
}

fn unsupported() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "a simulated world has no sockets of the system",
    )
}

/// Ends at a time of the world.
struct Sleep {
    shared: Arc<Shared>,
    at: u64,
    timer: Option<TimerKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut state = this.shared.lock();
        if state.clock.now >= this.at {
            return Poll::Ready(());
        }
        let timer = this.timer.and_then(|key| state.clock.timer_mut(key));
        let mut old = None;
        match timer {
            Some(Due::Wake(waker)) if waker.will_wake(cx.waker()) => {}
            Some(due) => old = Some(std::mem::replace(due, Due::Wake(cx.waker().clone()))),
            None => {
                this.timer = state
                    .clock
                    .add_timer(this.at, Due::Wake(cx.waker().clone()))
            }
        }
        state.waits.push(Wait::Sleep(this.at));
        drop(state);
        drop(old); // it may run anything
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.timer {
            let timer = self.shared.lock().clock.remove_timer(key);
            drop(timer);
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.shared.lock().hosts[self.id as usize].name.clone();
        f.debug_tuple("Host").field(&name).finish()
    }
}
