//! Connections through a network, on both runtimes.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread,
    time::Duration,
};

use futures_util::future::join;
use millpond::{Runtime, StreamReader, StreamWriter, adapter::BoxFuture, listen, open_connection};

use crate::{
    between::Between,
    network::Network,
    runtimes::{OnSmol, OnTokio},
    tls_for::tls_for,
};

/// How long a peer may be silent before the system asks for it, and how long closing may take.
const SILENCE: Duration = Duration::from_secs(1);

/// What is kept on its way, so that much is not.
const BUFFERS: usize = 16 * 1024;

pub(crate) type Stream = (StreamReader, StreamWriter);

/// A network and a runtime.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) network: Arc<Network>,
    pub(crate) runtime: Arc<dyn Runtime>,
}

/// Runs a program on each runtime, with a network of its own.
pub(crate) fn on_each(
    name: &str,
    network: impl Fn() -> Option<Arc<Network>>,
    program: fn(Link) -> BoxFuture<'static, ()>,
) {
    let start = |network: Arc<Network>| {
        move |runtime| {
            let between = Between {
                runtime,
                network: network.clone(),
            };
            program(Link {
                network,
                runtime: Arc::new(between),
            })
        }
    };
    let (Some(first), Some(second)) = (network(), network()) else {
        return;
    };
    thread::scope(|scope| {
        let other =
            move || millpond_conformance::run::<OnTokio>(&format!("{name}, tokio"), start(first));
        scope.spawn(other);
        millpond_conformance::run::<OnSmol>(&format!("{name}, smol"), start(second));
    });
}

/// How much longer than usual everything is done.
pub(crate) fn times() -> usize {
    match env::var("MILLPOND_BAD_NETWORK") {
        Ok(times) => times.parse().expect("MILLPOND_BAD_NETWORK is a number"),
        Err(_) => 1,
    }
}

/// An address of the hosts' network.
pub(crate) fn host(last: u8, port: u16) -> SocketAddr {
    (Ipv4Addr::new(10, 9, 0, last), port).into()
}

impl Link {
    /// The streams of the near and of the far host.
    pub(crate) async fn connect(&self) -> (Stream, Stream) {
        self.connect_with(None).await
    }

    /// They can end one direction alone, as those without TLS.
    pub(crate) async fn connect_tls(&self) -> (Stream, Stream) {
        self.connect_with(Some(tls_for("10.9.0.2"))).await
    }

    async fn connect_with(
        &self,
        tls: Option<(millpond::TlsAcceptor, millpond::TlsConnector)>,
    ) -> (Stream, Stream) {
        let starting = listen(self.runtime.clone(), host(2, 0))
            .keep_alive(SILENCE)
            .close_timeout(2 * SILENCE)
            .linger_timeout(SILENCE)
            .receive_buffer(BUFFERS)
            .send_buffer(BUFFERS);
        let (starting, connector) = match tls {
            Some((acceptor, connector)) => (
                starting.tls(acceptor.half_close(true)),
                Some(connector.half_close(true)),
            ),
            None => (starting, None),
        };
        let server = starting.await.unwrap();
        let opening = open_connection(self.runtime.clone(), &server.sockets()[0])
            .keep_alive(SILENCE)
            .close_timeout(2 * SILENCE)
            .linger_timeout(SILENCE)
            .receive_buffer(BUFFERS)
            .send_buffer(BUFFERS);
        let opening = match connector {
            Some(connector) => opening.tls(connector),
            None => opening,
        };
        let (near, far) = join(opening.into_future(), server.accept()).await;
        (near.unwrap(), far.unwrap().into_split())
    }

    pub(crate) async fn sleep(&self, millis: u64) {
        self.runtime.sleep(Duration::from_millis(millis)).await;
    }

    /// Fails if `future` takes longer, whatever it then gives.
    pub(crate) async fn within<T>(&self, seconds: u64, future: impl Future<Output = T>) -> T {
        let limit = Duration::from_secs(seconds);
        let result = millpond::timeout(&*self.runtime, limit, future).await;
        result.unwrap_or_else(|_| panic!("it takes more than {limit:?}"))
    }

    /// Waits until no host has a socket open.
    pub(crate) async fn until_nothing_is_held(&self) {
        let open = || self.network.hosts().map(|host| host.open_sockets());
        self.within(10, async {
            while open() != [0, 0] {
                self.sleep(20).await;
            }
        })
        .await;
    }
}
