//! axum, served by hyper on any runtime, and by `axum::serve` on tokio.

use std::io;

use axum::{Router, body::Bytes, extract::Path, routing, serve::Listener};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use millpond::{Address, Server, Stream};
use tokio::sync::oneshot;

use super::setup::Setup;

fn router() -> Router {
    Router::new()
        .route(
            "/hello/{name}",
            routing::get(async |Path(name): Path<String>| format!("hello {name}")),
        )
        .route(
            "/len",
            routing::post(async |body: Bytes| body.len().to_string()),
        )
}

async fn assert_answers(mut client: Stream) {
    let body = vec![b'x'; 1_000_000];
    client
        .write(b"GET /hello/alice HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert_eq!(answer(&mut client).await, "hello alice");
    let head = "POST /len HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n";
    client.write(head).unwrap();
    client.write_all(&body).await.unwrap();
    assert_eq!(answer(&mut client).await, "1000000");
}

async fn answer(client: &mut Stream) -> String {
    let head = client.read_until("\r\n\r\n").await.unwrap();
    let head = std::str::from_utf8(&head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length = length.lines().next().unwrap().parse().unwrap();
    let body = client.read_exactly(length).await.unwrap();
    String::from_utf8(body.into()).unwrap()
}

async fn by_hyper(setup: Setup) {
    let serve = |stream| {
        let service = TowerToHyperService::new(router());
        let builder = hyper::server::conn::http1::Builder::new();
        builder.serve_connection(TokioIo::new(stream), service)
    };
    let server = setup.serve(serve).await;
    assert_answers(setup.connect(&server).await).await;
    server.end().await;
}

/// Connections with TLS and limits, for axum.
struct Clients(Server);

impl Listener for Clients {
    type Io = Stream;
    type Addr = Option<Address>;

    async fn accept(&mut self) -> (Stream, Option<Address>) {
        match self.0.accept().await {
            Some(stream) => {
                let peer = stream.extra_info().peer_addr.clone();
                (stream, peer)
            }
            None => std::future::pending().await, // the server is closed
        }
    }

    fn local_addr(&self) -> io::Result<Option<Address>> {
        Ok(self.0.sockets().first().cloned())
    }
}

async fn by_axum(setup: Setup) {
    let server = setup.listen().await;
    let address = server.sockets()[0].tcp().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(Clients(server), router()).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let serving = tokio::spawn(serving.into_future());
    assert_answers(setup.connect_to(address).await.unwrap()).await;
    drop(stop);
    serving.await.unwrap().unwrap();
    assert!(
        setup.connect_to(address).await.is_err(),
        "no server listens"
    );
}

super::everywhere! {
    by_hyper,
}

mod serving {
    use super::by_axum;

    crate::real::on_tokio! {
        by_axum,
    }
}
