//! One connection, request by request.

use std::{io, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{Either, select},
};
use http::{Method, Request, Response, StatusCode, Version};
use millpond::{ReadError, Runtime, timeout};

use super::{
    Limits, Refusal, Stream,
    answer::{Asked, Body, send},
    body,
    head::{self, Head, Length},
};

/// Answers what one client asks, one request after the other, with what `app` makes of it.
///
/// A graceful shutdown ends a connection that waits for a request at once, and any other behind the answer
/// that it is at; the server needs [`end_idle_on_shutdown(false)`](millpond::StreamServer::end_idle_on_shutdown)
/// for that, because a client that is in the middle of a body is not idle. The stream's limit should be
/// [`HEAD_LIMIT`](super::HEAD_LIMIT).
///
/// # Errors
///
/// Those of the stream. A client that breaks the rules gets a status that says so, and that is no error.
pub async fn serve<F>(
    stream: Stream,
    runtime: Arc<dyn Runtime>,
    limits: Limits,
    app: impl Fn(Request<Bytes>) -> F,
) -> io::Result<()>
where
    F: Future<Output = Response<Body>>,
{
    let mut client = Client {
        stream,
        runtime,
        limits,
    };
    while client.has_request().await? {
        let (request, mut asked) = match client.request().await {
            Ok(request) => request,
            Err(Refusal::Status(status)) => return Ok(client.refuse(status).await?),
            Err(Refusal::Lost(error)) => return Err(error),
        };
        let answer = app(request).await;
        asked.keep_alive &= !client.is_to_end();
        if !send(&mut client.stream, asked, answer).await? {
            break;
        }
    }
    Ok(())
}

struct Client {
    stream: Stream,
    runtime: Arc<dyn Runtime>,
    limits: Limits,
}

impl Client {
    /// Waits for the first byte of a request. There is none if the client has ended, is silent for too
    /// long, or if the server shuts down.
    async fn has_request(&mut self) -> Result<bool, ReadError> {
        let shutdown = self.stream.shutdown_requested();
        // A read that is dropped has taken nothing.
        let begun = pin!(self.stream.peek(1));
        let waiting = select(begun, shutdown);
        match timeout(&*self.runtime, self.limits.keep_alive, waiting).await {
            Ok(Either::Left((begun, _))) => Ok(!begun?.is_empty()),
            Ok(Either::Right(_)) | Err(_) => Ok(false),
        }
    }

    /// Whether a graceful shutdown has begun.
    fn is_to_end(&self) -> bool {
        self.stream.shutdown_requested().now_or_never().is_some()
    }

    async fn request(&mut self) -> Result<(Request<Bytes>, Asked), Refusal> {
        let runtime = self.runtime.clone();
        let Limits {
            head_timeout,
            body_timeout,
            ..
        } = self.limits;
        let head = in_time(&*runtime, head_timeout, head::read(&mut self.stream)).await?;
        let asked = Asked {
            version: head.request.version(),
            head_only: head.request.method() == Method::HEAD,
            keep_alive: head.keep_alive,
        };
        let body = in_time(&*runtime, body_timeout, self.body(&head)).await?;
        Ok((head.request.map(|()| body), asked))
    }

    async fn body(&mut self, head: &Head) -> Result<Bytes, Refusal> {
        if matches!(head.length, Length::Known(len) if len > self.limits.body) {
            return Err(StatusCode::PAYLOAD_TOO_LARGE.into());
        }
        if head.expects_continue && self.stream.buffered().is_empty() {
            let sent = self.stream.write("HTTP/1.1 100 Continue\r\n\r\n");
            sent.map_err(|error| Refusal::Lost(error.into()))?;
        }
        body::read(&mut self.stream, head.length, self.limits.body).await
    }

    async fn refuse(&mut self, status: StatusCode) -> Result<(), millpond::WriteError> {
        let asked = Asked {
            version: Version::HTTP_11,
            head_only: false,
            keep_alive: false,
        };
        let mut answer = Response::new(Body::Whole(format!("{status}\n").into()));
        *answer.status_mut() = status;
        send(&mut self.stream, asked, answer).await.map(drop)
    }
}

async fn in_time<T>(
    runtime: &dyn Runtime,
    duration: Duration,
    read: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    match timeout(runtime, duration, read).await {
        Ok(read) => read,
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT.into()),
    }
}
