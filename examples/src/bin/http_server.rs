//! An HTTP/1.1 server by hand ([`http1`]), on either runtime.
//!
//!     cargo run -p millpond-examples --bin http_server
//!     curl http://127.0.0.1:8081/count/3                      # in another terminal
//!     curl --data hello http://127.0.0.1:8081/echo
//!
//! An interrupt (ctrl-C) ends it gracefully: idle connections at once, busy ones behind their answers.

use bytes::Bytes;
use clap::Parser;
use futures_channel::mpsc;
use futures_util::{StreamExt, stream};
use http::{Method, Request, Response, StatusCode};
use millpond::{Address, StreamServer, error::BoxError};
use millpond_examples::{
    On,
    http1::{self, Body, HEAD_LIMIT, Limits},
    run,
};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    on: On,
    /// 0 for any that is free
    #[arg(long, default_value_t = 8081)]
    port: u16,
    /// Bytes of a request's body
    #[arg(long, default_value_t = Limits::default().body)]
    max_body: usize,
    /// Clients at once; the others have to wait
    #[arg(long, default_value_t = 1000)]
    max_connections: usize,
}

async fn app(request: Request<Bytes>) -> Response<Body> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path();
    let number = path.strip_prefix("/count/").map(str::parse::<u64>);
    match (path, number) {
        ("/", _) if is_read => Response::new(Body::Whole("hello\n".into())),
        ("/echo", _) if request.method() == Method::POST => {
            Response::new(Body::Whole(request.into_body()))
        }
        (_, Some(Ok(n))) if is_read => {
            let lines = stream::iter(1..=n).map(|n| Bytes::from(format!("{n}\n")));
            Response::new(Body::Pieces(lines.boxed()))
        }
        ("/" | "/echo", _) | (_, Some(Ok(_))) => refusal(StatusCode::METHOD_NOT_ALLOWED),
        _ => refusal(StatusCode::NOT_FOUND),
    }
}

fn refusal(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::Whole(format!("{status}\n").into()));
    *answer.status_mut() = status;
    answer
}

fn main() -> Result<(), BoxError> {
    let args = Args::parse();
    let (interrupt, mut interrupted) = mpsc::unbounded();
    ctrlc::set_handler(move || {
        // The second one is not received, if it is shutting down already.
        let _ = interrupt.unbounded_send(());
    })?;
    run(args.on.runtime, async |runtime| {
        let limits = Limits {
            body: args.max_body,
            ..Limits::default()
        };
        let timers = runtime.clone();
        let server = StreamServer::new(runtime, (args.on.host, args.port), move |stream| {
            http1::serve(stream, timers.clone(), limits, app)
        })
        .limit(HEAD_LIMIT)
        .max_connections(args.max_connections)
        .end_idle_on_shutdown(false);
        server.start_serving().await?;
        let addresses: Vec<_> = server.sockets().iter().map(Address::to_string).collect();
        println!("Serving on {}", addresses.join(", "));
        interrupted.next().await;
        let shutdown = server.shutdown().await;
        println!(
            "{} closed, {} cancelled",
            shutdown.closed, shutdown.cancelled
        );
        Ok(())
    })
}
