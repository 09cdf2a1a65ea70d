//! A TCP proxy: what a client sends goes to the upstream server, and what that answers goes back.
//!
//!     cargo run -p millpond-examples --bin tcp_proxy -- example.org:80
//!     curl -H "Host: example.org" http://127.0.0.1:8890/          # in another terminal
//!
//! An end of one direction is passed on, and the other direction goes on. A reset is passed on as a
//! reset. Nothing is read from one side while the other does not keep up, and a side on which nothing
//! moves for too long is reset.

use std::{io, num::ParseFloatError, sync::Arc, time::Duration};

use clap::Parser;
use millpond::{
    Address, Runtime, Stream, StreamServer, connect, copy_bidirectional, error::BoxError,
};
use millpond_examples::{On, run};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    on: On,
    /// 0 for any that is free
    #[arg(long, default_value_t = 8890)]
    port: u16,
    /// Seconds to wait for an upstream that does not answer
    #[arg(long, value_parser = seconds, default_value = "10")]
    connect_timeout: Duration,
    /// Clients at once; the others have to wait
    #[arg(long, default_value_t = 1000)]
    max_connections: usize,
    /// Seconds until a connection on which nothing moves is ended
    #[arg(long, value_parser = seconds, default_value = "300")]
    idle_timeout: Duration,
    /// The server, as `host:port`
    upstream: String,
}

fn seconds(text: &str) -> Result<Duration, BoxError> {
    let seconds = text.parse().map_err(|error: ParseFloatError| error)?;
    Ok(Duration::try_from_secs_f64(seconds)?)
}

/// Where clients are taken.
#[derive(Clone)]
struct Upstream {
    runtime: Arc<dyn Runtime>,
    address: String,
    connect_timeout: Duration,
    idle_timeout: Duration,
}

impl Upstream {
    async fn handle(self, mut client: Stream) -> Result<(), BoxError> {
        let connecting = connect(self.runtime, self.address)
            .connect_timeout(self.connect_timeout)
            .idle_timeout(self.idle_timeout);
        match connecting.await {
            Ok(mut server) => copy_bidirectional(&mut client, &mut server).await?,
            Err(error) => {
                client.abort();
                return Err(error.into());
            }
        };
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    run(args.on.runtime, async |runtime| {
        let upstream = Upstream {
            runtime: runtime.clone(),
            address: args.upstream,
            connect_timeout: args.connect_timeout,
            idle_timeout: args.idle_timeout,
        };
        let target = (args.on.host, args.port);
        let server = StreamServer::new(runtime, target, move |client| {
            upstream.clone().handle(client)
        })
        .max_connections(args.max_connections)
        .idle_timeout(args.idle_timeout);
        server.start_serving().await?;
        let addresses: Vec<_> = server.sockets().iter().map(Address::to_string).collect();
        println!("Serving on {}", addresses.join(", "));
        server.serve_forever().await?;
        Ok(())
    })
}
