//! A runtime whose servers are on one host and whose clients on the other.

use std::{future::poll_fn, io, net::SocketAddr, sync::Arc, time::Duration};

use millpond::{
    Address, Runtime,
    adapter::{
        Bound, BoxFuture, ConnectOptions, ListenOptions, Listener, Lookup, Socket, Spawn,
        StdListener, StdPipe, StdSocket,
    },
};

use crate::network::Network;

pub(crate) struct Between {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) network: Arc<Network>,
}

impl Spawn for Between {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.runtime.spawn(task);
    }
}

impl Runtime for Between {
    fn connect<'a>(
        &'a self,
        address: &'a Address,
        options: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        let mut connecting = self.runtime.connect(address, options);
        Box::pin(poll_fn(move |cx| {
            let _inside = self.network.near.enter();
            connecting.as_mut().poll(cx)
        }))
    }

    fn bind(&self, address: &Address, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
        let _inside = self.network.far.enter();
        self.runtime.bind(address, options)
    }

    fn adopt(&self, socket: StdSocket) -> io::Result<Box<dyn Socket>> {
        self.runtime.adopt(socket)
    }

    fn adopt_listener(&self, listener: StdListener) -> io::Result<Box<dyn Listener>> {
        self.runtime.adopt_listener(listener)
    }

    fn adopt_pipe(&self, pipe: StdPipe) -> io::Result<Box<dyn Socket>> {
        self.runtime.adopt_pipe(pipe)
    }

    fn resolve<'a>(&'a self, lookup: &'a Lookup) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        self.runtime.resolve(lookup)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.runtime.sleep(duration)
    }
}
