//! Where a test runs: a runtime, and streams that are plain or not.

use std::{
    error::Error,
    iter::successors,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use millpond::{
    OpenError, Runtime, Server, Stream, StreamServer, TlsAcceptor, TlsConnector,
    error::HandlerError, rustls::pki_types::PrivateKeyDer, types::HandlerOutput,
};
use millpond_conformance::{Harness, run};

/// A runtime, and how its streams are protected.
pub(crate) struct Setup {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) tls: Option<Certified>,
}

/// For `localhost` and 127.0.0.1, and a client that trusts it.
pub(crate) struct Certified {
    pub(crate) connector: TlsConnector,
    pub(crate) acceptor: TlsAcceptor,
    /// For programs.
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A server whose handlers must not fail.
pub(crate) struct Served {
    pub(crate) server: StreamServer,
    errors: Arc<Mutex<Vec<HandlerError>>>,
}

impl Served {
    /// Ends it gracefully, and fails if a handler has.
    pub(crate) async fn end(self) {
        self.server.shutdown().await;
        let errors = self.errors.lock().unwrap();
        let errors: Vec<_> = errors.iter().map(in_full).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }

    /// Ends it gracefully, and fails if a handler has, unless because its client left without a word.
    pub(crate) async fn end_after_leaving(self) {
        self.server.shutdown().await;
        let errors = self.errors.lock().unwrap();
        let faults = errors.iter().filter(|error| !error.client_has_left());
        let faults: Vec<_> = faults.map(in_full).collect();
        assert!(faults.is_empty(), "{faults:?}");
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.sockets()[0].tcp().unwrap()
    }
}

/// hyper's errors do not say what caused them.
fn in_full(error: &HandlerError) -> String {
    let causes = successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl Setup {
    pub(crate) async fn serve<F>(
        &self,
        handler: impl Fn(Stream) -> F + Send + Sync + 'static,
    ) -> Served
    where
        F: Future<Output: HandlerOutput> + Send + 'static,
    {
        let errors = Arc::new(Mutex::new(Vec::new()));
        let failed = errors.clone();
        let mut server = StreamServer::new(self.runtime.clone(), "127.0.0.1:0", handler)
            .on_handler_error(move |error| failed.lock().unwrap().push(error));
        if let Some(tls) = &self.tls {
            server = server.tls(&tls.acceptor);
        }
        server.start_serving().await.unwrap();
        Served { server, errors }
    }

    /// A server whose streams are taken.
    pub(crate) async fn listen(&self) -> Server {
        let starting = millpond::listen(self.runtime.clone(), "127.0.0.1:0");
        let starting = match &self.tls {
            Some(tls) => starting.tls(&tls.acceptor),
            None => starting,
        };
        starting.await.unwrap()
    }

    pub(crate) async fn connect(&self, served: &Served) -> Stream {
        self.connect_to(served.address()).await.unwrap()
    }

    pub(crate) async fn connect_to(&self, address: SocketAddr) -> Result<Stream, OpenError> {
        let mut connecting = millpond::connect(self.runtime.clone(), address);
        if let Some(tls) = &self.tls {
            connecting = connecting.tls(&tls.connector);
        }
        connecting.await
    }
}

impl Certified {
    fn new() -> Self {
        let names = ["localhost", "127.0.0.1"].map(ToOwned::to_owned);
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        Self {
            connector: TlsConnector::with_roots([certificate.clone()]),
            acceptor: TlsAcceptor::new(vec![certificate], key),
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }
}

pub(crate) fn plain<H: Harness, F>(name: &str, test: fn(Setup) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    start::<H, F>(name, None, test);
}

pub(crate) fn tls<H: Harness, F>(name: &str, test: fn(Setup) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    start::<H, F>(name, Some(Certified::new()), test);
}

fn start<H: Harness, F>(name: &str, tls: Option<Certified>, test: fn(Setup) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    run::<H>(name, move |runtime| Box::pin(test(Setup { runtime, tls })));
}
