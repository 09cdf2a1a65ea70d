//! A handshake, of either side.

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_rustls::{
    TlsStream,
    rustls::{ClientConfig, ServerConfig, pki_types::ServerName},
};

use super::{Terms, guard::Guard, socket::TlsSocket};
use crate::socket::Socket;

/// A handshake that is to be made.
#[derive(Clone, Debug)]
pub(crate) enum Handshake {
    Client {
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        terms: Terms,
    },
    Server {
        config: Arc<ServerConfig>,
        terms: Terms,
    },
}

impl Handshake {
    pub(super) fn terms(&self) -> &Terms {
        match self {
            Self::Client { terms, .. } | Self::Server { terms, .. } => terms,
        }
    }

    /// Makes it, beginning with what was received `early`.
    pub(super) async fn run(&self, below: Arc<dyn Socket>, early: Bytes) -> io::Result<TlsSocket> {
        let guard = Guard::new(below.clone(), early);
        let (stream, server_name): (TlsStream<Guard>, _) = match self {
            Self::Client { config, name, .. } => {
                let connector = futures_rustls::TlsConnector::from(config.clone());
                let shaking = connector.connect(name.clone(), guard);
                let stream = flushing(&*below, shaking).await?;
                (stream.into(), Some(name.to_str().into_owned()))
            }
            Self::Server { config, .. } => {
                let acceptor = futures_rustls::TlsAcceptor::from(config.clone());
                let stream = flushing(&*below, acceptor.accept(guard)).await?;
                (stream.into(), None)
            }
        };
        let truncation = self.terms().truncation;
        Ok(TlsSocket::new(stream, below, truncation, server_name))
    }
}

/// Flushes the socket below after each step, because the guard does not.
async fn flushing<T>(
    below: &dyn Socket,
    shaking: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let mut shaking = std::pin::pin!(shaking);
    poll_fn(|cx| {
        let step = shaking.as_mut().poll(cx);
        if let Poll::Ready(Err(error)) = poll_flush(below, cx) {
            return Poll::Ready(Err(error));
        }
        step
    })
    .await
}

fn poll_flush(below: &dyn Socket, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    match below.wants_flush() {
        true => below.poll_flush(cx),
        false => Poll::Ready(Ok(())),
    }
}
