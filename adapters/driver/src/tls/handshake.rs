//! A handshake, of either side.

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_rustls::{
    TlsStream,
    rustls::{self, ClientConfig, InvalidMessage, ServerConfig, pki_types::ServerName},
};

use super::{
    Terms,
    guard::{self, Guard},
    socket::TlsSocket,
};
use crate::socket::Socket;

/// As much as most clients say first.
const FIRST: usize = 1024;

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
        let early = match self {
            // A client that says nothing costs nothing but its socket.
            Self::Server { .. } if early.is_empty() => first_bytes(&*below).await?,
            Self::Server { .. } | Self::Client { .. } => early,
        };
        let shaken = Box::pin(self.shake(below, early)).await;
        shaken.map_err(NoTls::explain)
    }

    async fn shake(&self, below: Arc<dyn Socket>, early: Bytes) -> io::Result<TlsSocket> {
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

/// What comes first; nothing at the end of the stream.
async fn first_bytes(below: &dyn Socket) -> io::Result<Bytes> {
    poll_fn(|cx| {
        let mut buf = [0; FIRST];
        let n = ready!(guard::read(below, cx, &mut buf))?;
        Poll::Ready(Ok(Bytes::copy_from_slice(&buf[..n])))
    })
    .await
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

/// The commonest mistake in words: one side speaks TLS, and the other does not.
#[derive(Debug)]
struct NoTls(rustls::Error);

impl NoTls {
    fn explain(error: io::Error) -> io::Error {
        use rustls::Error::InvalidMessage as Invalid;
        match error.get_ref().and_then(|it| it.downcast_ref()) {
            Some(Invalid(InvalidMessage::InvalidContentType)) => {
                let wrong = Self(Invalid(InvalidMessage::InvalidContentType));
                io::Error::new(error.kind(), wrong)
            }
            Some(_) | None => error,
        }
    }
}

impl fmt::Display for NoTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the peer has sent is not TLS")
    }
}

impl Error for NoTls {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
