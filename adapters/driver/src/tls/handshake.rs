//! A handshake, of either side.

use std::{
    future::poll_fn,
    io, mem,
    sync::Arc,
    task::{Poll, ready},
};

use bytes::Bytes;
use futures_rustls::{
    TlsStream,
    rustls::{ClientConfig, ServerConfig, pki_types::ServerName},
};
use millpond_core::TransportError;

use super::{
    Terms,
    failure::{self, Side},
    guard::{self, Guard},
    progress::Progress,
    socket::TlsSocket,
    waiting::Waiting,
};
use crate::socket::{Address, Socket};

/// As much as most clients say first.
const FIRST: usize = 1024;

/// What a record of a handshake begins with, and how much it can contain.
const HANDSHAKE: u8 = 22;
const MAX_RECORD: usize = 16 * 1024;

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
    /// The peer: by name, if that is to be verified, and by address, if it is known.
    pub(crate) fn peer(&self, address: Option<&Address>) -> String {
        let name = match self {
            Self::Client { name, .. } => Some(name.to_str()),
            Self::Server { .. } => None,
        };
        let ip = address.and_then(Address::tcp).map(|it| it.ip().to_string());
        match (name, address) {
            (Some(name), Some(address)) if ip.as_deref() != Some(&*name) => {
                format!("{name} ({address})")
            }
            (_, Some(address)) => address.to_string(),
            (Some(name), None) => name.into_owned(),
            (None, None) => "the peer".to_owned(),
        }
    }

    pub(crate) fn terms(&self) -> &Terms {
        match self {
            Self::Client { terms, .. } | Self::Server { terms, .. } => terms,
        }
    }

    /// Makes it, beginning with what was received `early`.
    pub(crate) async fn run(
        &self,
        below: Arc<dyn Socket>,
        early: Bytes,
        progress: Arc<Progress>,
    ) -> io::Result<Arc<dyn Socket>> {
        let early = match self {
            Self::Server { .. } => first_record(&*below, early, &progress).await?,
            Self::Client { .. } => early,
        };
        Box::pin(self.shake(below, early, progress)).await
    }

    async fn shake(
        &self,
        below: Arc<dyn Socket>,
        early: Bytes,
        progress: Arc<Progress>,
    ) -> io::Result<Arc<dyn Socket>> {
        let guard = Guard::new(below.clone(), early, progress.clone());
        let (mut stream, server_name): (TlsStream<Guard>, _) = match self {
            Self::Client { config, name, .. } => {
                let connector = futures_rustls::TlsConnector::from(config.clone());
                let shaking = connector.connect(name.clone(), guard).into_fallible();
                let stream = flushing(&*below, Side::Client, &progress, shaking).await?;
                (stream.into(), Some(name.to_str().into_owned()))
            }
            Self::Server { config, .. } => {
                let acceptor = futures_rustls::TlsAcceptor::from(config.clone());
                let shaking = acceptor.accept(guard).into_fallible();
                let stream = flushing(&*below, Side::Server, &progress, shaking).await?;
                (stream.into(), None)
            }
        };
        let waiting = Arc::new(Waiting::default());
        stream.get_mut().0.shaken(waiting.clone());
        let socket = TlsSocket::new(stream, below, waiting, self.terms(), server_name);
        Ok(Arc::new(socket))
    }
}

/// What comes first, until it is something to begin a session with: a client that says nothing, or
/// only half of its hello, costs its socket and what it has sent.
async fn first_record(below: &dyn Socket, early: Bytes, progress: &Progress) -> io::Result<Bytes> {
    if is_worth_a_session(&early) {
        return Ok(early);
    }
    let mut received = Vec::from(early);
    poll_fn(|cx| {
        while !is_worth_a_session(&received) {
            let mut buf = [0; FIRST];
            let n = ready!(guard::read(below, cx, &mut buf))?;
            progress.received(n);
            match n {
                0 => break,
                n => received.extend_from_slice(&buf[..n]),
            }
        }
        Poll::Ready(Ok(Bytes::from(mem::take(&mut received))))
    })
    .await
}

/// A whole record, or what is none.
fn is_worth_a_session(received: &[u8]) -> bool {
    match received {
        [] => false,
        [HANDSHAKE, _, _, high, low, record @ ..] => {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            len > MAX_RECORD || record.len() >= len
        }
        [kind, ..] => *kind != HANDSHAKE,
    }
}

/// Flushes the socket below after each step, because the guard does not, and sends the
/// alert if the handshake fails.
async fn flushing<T>(
    below: &dyn Socket,
    side: Side,
    progress: &Progress,
    shaking: impl Future<Output = Result<T, (io::Error, Guard)>>,
) -> io::Result<T> {
    let mut shaking = std::pin::pin!(shaking);
    let shaken = poll_fn(|cx| {
        let step = shaking.as_mut().poll(cx);
        if let Poll::Ready(Err(error)) = guard::poll_flush(below, cx) {
            return Poll::Ready(Err(error));
        }
        step.map(Ok)
    });
    match shaken.await? {
        Ok(stream) => Ok(stream),
        Err((error, guard)) => {
            let error = TransportError::from(failure::explain(side, error));
            if error.kind() == io::ErrorKind::InvalidData {
                progress.fail(error.clone()); // however long the alert takes
                let _ = guard.send_alert().await; // the failure is why
            }
            Err(error.into())
        }
    }
}
