//! What the driver needs of a runtime.

mod background;
mod budget;
mod inline;
mod lookup;
mod timeout;

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    time::{Duration, Instant},
};

pub(crate) use self::{
    background::Background,
    budget::Budget,
    inline::{Hold, Inline, wake},
};
pub use self::{
    lookup::{Family, Lookup},
    timeout::{TimedOut, timeout},
};
use crate::socket::{
    Address, Bound, ConnectOptions, ListenOptions, Listener, Socket, StdListener, StdSocket,
};
#[cfg(unix)]
use crate::socket::{StdPipe, adopt_blocking};

/// A future in a box that can move between threads.
///
/// ```
/// let task: millpond::adapter::BoxFuture<'static, i32> = Box::pin(async { 42 });
/// assert_eq!(futures_lite::future::block_on(task), 42);
/// ```
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs tasks in the background.
///
/// Any function that takes a boxed future is one, so that a stream can be used on an executor that
/// has no adapter.
///
/// # Examples
///
/// ```
/// use millpond::adapter::{BoxFuture, Spawn};
///
/// let on_a_thread = |task: BoxFuture<'static, ()>| {
///     std::thread::spawn(move || futures_lite::future::block_on(task));
/// };
/// on_a_thread.spawn(Box::pin(async { println!("in the background") }));
/// ```
#[doc(alias = "create_task")]
pub trait Spawn: Send + Sync + 'static {
    /// Starts `task`, and runs it to its end whatever becomes of the caller.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

impl<F: Fn(BoxFuture<'static, ()>) + Send + Sync + 'static> Spawn for F {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self(task);
    }
}

/// How a runtime opens sockets, waits and spawns. It knows no rule of reading, writing, connecting
/// or serving: those are the driver's.
///
/// An adapter implements it and has everything; `millpond-conformance` tests whether it is right,
/// and has a guide to writing one. A program can take it as an argument and so run on any runtime:
///
/// ```
/// use std::{sync::Arc, time::Duration};
///
/// use millpond::{Bytes, Runtime, StreamReader};
///
/// /// A line that comes in time.
/// async fn line_within(
///     runtime: Arc<dyn Runtime>,
///     reader: &mut StreamReader,
///     time: Duration,
/// ) -> Option<Bytes> {
///     let line = async { reader.read_line().await.ok() };
///     let late = async {
///         runtime.sleep(time).await;
///         None
///     };
///     futures_lite::future::or(line, late).await // a read that is dropped has taken nothing
/// }
/// ```
#[doc(alias = "loop")]
#[doc(alias = "AbstractEventLoop")]
pub trait Runtime: Spawn {
    /// Makes one attempt to connect to one address.
    ///
    /// For runtimes that use the system's sockets, [`os::connect`](crate::adapter::os::connect) begins it,
    /// and [`os::connected`](crate::adapter::os::connected) reports how it ended once the socket is writable.
    ///
    /// `WouldBlock` means that the peer's backlog is full: the driver tries again in a while.
    fn connect<'a>(
        &'a self,
        address: &'a Address,
        options: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>>;

    /// Takes one address, without listening on it yet.
    ///
    /// [`os::bind`](crate::adapter::os::bind) does it for runtimes that use the system's sockets.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on.
    fn bind(&self, address: &Address, options: &ListenOptions) -> io::Result<Box<dyn Bound>>;

    /// Takes over a connected socket of the standard library.
    ///
    /// # Errors
    ///
    /// If the runtime refuses the socket.
    fn adopt(&self, socket: StdSocket) -> io::Result<Box<dyn Socket>>;

    /// Takes over a listening socket of the standard library.
    ///
    /// # Errors
    ///
    /// If the runtime refuses the socket.
    fn adopt_listener(&self, listener: StdListener) -> io::Result<Box<dyn Listener>>;

    /// Takes over one end of a pipe or FIFO of the standard library, which has no other user.
    ///
    /// By default a thread of its own reads or writes it, for runtimes that have no better way.
    ///
    /// # Errors
    ///
    /// If the runtime refuses the pipe.
    #[cfg(unix)]
    fn adopt_pipe(&self, pipe: StdPipe) -> io::Result<Box<dyn Socket>> {
        Ok(adopt_blocking(pipe))
    }

    /// The addresses of a host, each once, in the order in which they should be tried.
    ///
    /// [`os::resolve`](crate::adapter::os::resolve) does it for runtimes that use the system's resolver.
    fn resolve<'a>(&'a self, lookup: &'a Lookup) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;

    /// Waits for so long.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// The time by which [`sleep`](Self::sleep) goes; for runtimes with a clock of their own.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// A handler or a hook of a server has panicked with this message, and the server goes on.
    ///
    /// By default nothing is made of it. A runtime for tests may let the test fail.
    fn caught_panic(&self, message: &str) {
        let _ = message;
    }
}
