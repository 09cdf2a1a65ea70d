//! hyper's client and server: an echo of bodies.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use futures_util::future::{join, try_join_all};
use http_body_util::{BodyExt, BodyStream, Either, Full, StreamBody};
use hyper::{
    Request, Response, body::Incoming, client, header, rt::Executor, server, service::service_fn,
};
use hyper_util::rt::TokioIo;
use millpond::{Runtime, Stream};

/// Of the protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    One,
    Two,
}

/// Where hyper spawns its tasks: on any runtime.
#[derive(Clone)]
pub(crate) struct Tasks(pub(crate) Arc<dyn Runtime>);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.0.spawn(Box::pin(async {
            future.await;
        }));
    }
}

/// A client's request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// Whether the answer says its length first.
    pub(crate) sized: bool,
    pub(crate) body: Bytes,
}

/// Serves one connection, up to its end.
pub(crate) async fn serve(stream: Stream, version: Version, tasks: Tasks) -> hyper::Result<()> {
    let io = TokioIo::new(stream);
    match version {
        Version::One => {
            let mut builder = server::conn::http1::Builder::new();
            builder.auto_date_header(false); // it would be that of no world
            builder.serve_connection(io, service_fn(echo)).await
        }
        Version::Two => {
            let mut builder = server::conn::http2::Builder::new(tasks);
            builder.auto_date_header(false);
            builder.serve_connection(io, service_fn(echo)).await
        }
    }
}

type Echo = Either<Incoming, StreamBody<BodyStream<Incoming>>>;

async fn echo(request: Request<Incoming>) -> Result<Response<Echo>, Infallible> {
    let sized = request.uri().path() == "/sized";
    let body = request.into_body();
    Ok(Response::new(match sized {
        true => Either::Left(body),
        false => Either::Right(StreamBody::new(BodyStream::new(body))),
    }))
}

fn request(ask: &Ask) -> Request<Full<Bytes>> {
    let path = if ask.sized { "/sized" } else { "/unsized" };
    Request::post(format!("http://localhost{path}"))
        .header(header::HOST, "localhost")
        .body(Full::new(ask.body.clone()))
        .unwrap()
}

/// Asks all on one connection, and ends it. With HTTP/2, all at once.
pub(crate) async fn ask(
    stream: Stream,
    version: Version,
    tasks: Tasks,
    asks: &[Ask],
) -> hyper::Result<Vec<Bytes>> {
    let io = TokioIo::new(stream);
    let (ended, answers) = match version {
        Version::One => {
            let (mut sender, connection) = client::conn::http1::handshake(io).await?;
            let asking = async move {
                let mut answers = Vec::new();
                for ask in asks {
                    sender.ready().await?;
                    let response = sender.send_request(request(ask)).await?;
                    answers.push(response.into_body().collect().await?.to_bytes());
                }
                Ok::<_, hyper::Error>(answers)
            };
            join(connection, asking).await
        }
        Version::Two => {
            let (sender, connection) = client::conn::http2::handshake(tasks, io).await?;
            let asking = try_join_all(asks.iter().map(move |ask| {
                let mut sender = sender.clone();
                async move {
                    sender.ready().await?;
                    let response = sender.send_request(request(ask)).await?;
                    Ok(response.into_body().collect().await?.to_bytes())
                }
            }));
            join(connection, asking).await
        }
    };
    let answers = answers?;
    ended?;
    Ok(answers)
}
