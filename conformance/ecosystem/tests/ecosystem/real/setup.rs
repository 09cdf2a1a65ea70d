//! Where a test runs: a runtime, and streams that are plain or not.

use std::sync::Arc;

use millpond::{
    HandlerOutput, Runtime, Stream, StreamServer, TlsAcceptor, TlsConnector,
    rustls::pki_types::PrivateKeyDer,
};
use millpond_conformance::{Harness, run};

/// A runtime, and how its streams are protected.
pub(crate) struct Setup {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) tls: Option<(TlsConnector, TlsAcceptor)>,
}

impl Setup {
    pub(crate) async fn serve<F>(
        &self,
        handler: impl Fn(Stream) -> F + Send + Sync + 'static,
    ) -> StreamServer
    where
        F: Future<Output: HandlerOutput> + Send + 'static,
    {
        let mut server = StreamServer::new(self.runtime.clone(), "127.0.0.1:0", handler)
            .on_handler_error(|error| panic!("{error}"));
        if let Some((_, acceptor)) = &self.tls {
            server = server.tls(acceptor);
        }
        server.start_serving().await.unwrap();
        server
    }

    pub(crate) async fn connect(&self, server: &StreamServer) -> Stream {
        let mut connecting = millpond::connect(self.runtime.clone(), &server.sockets()[0]);
        if let Some((connector, _)) = &self.tls {
            connecting = connecting.tls(connector);
        }
        connecting.await.unwrap()
    }
}

/// For `localhost` and 127.0.0.1, and a client that trusts it.
pub(crate) fn certified() -> (TlsConnector, TlsAcceptor) {
    let names = ["localhost", "127.0.0.1"].map(ToOwned::to_owned);
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let connector = TlsConnector::with_roots([certificate.clone()]);
    (connector, TlsAcceptor::new(vec![certificate], key))
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
    start::<H, F>(name, Some(certified()), test);
}

fn start<H: Harness, F>(name: &str, tls: Option<(TlsConnector, TlsAcceptor)>, test: fn(Setup) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    run::<H>(name, move |runtime| Box::pin(test(Setup { runtime, tls })));
}
