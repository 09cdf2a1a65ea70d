//! hyper over millpond's streams: an HTTP/1.1 server that sends back what it is sent, on either runtime.
//!
//!     cargo run -p millpond-examples --bin hyper_server -- --runtime smol
//!     curl --data hello http://127.0.0.1:8080/          # in another terminal
//!
//! millpond accepts: it limits how many clients there are and how long they may be silent, and would
//! speak TLS. hyper speaks HTTP.

use std::{convert::Infallible, io, time::Duration};

use clap::Parser;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use millpond::{Address, Stream, StreamServer};
use millpond_examples::{On, run};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    on: On,
    /// 0 for any that is free
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

async fn echo(request: Request<Incoming>) -> Result<Response<Incoming>, Infallible> {
    Ok(Response::new(request.into_body()))
}

async fn serve(stream: Stream) -> hyper::Result<()> {
    let io = TokioIo::new(stream);
    http1::Builder::new()
        .serve_connection(io, service_fn(echo))
        .await
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    run(args.on.runtime, async |runtime| {
        let server = StreamServer::new(runtime, (args.on.host, args.port), serve)
            .max_connections(1000)
            .idle_timeout(Duration::from_secs(60));
        server.start_serving().await?;
        let addresses: Vec<_> = server.sockets().iter().map(Address::to_string).collect();
        println!("Serving on {}", addresses.join(", "));
        server.serve_forever().await?;
        Ok(())
    })
}
