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
use futures_util::future::try_join;
use millpond::{
    Address, BoxError, Runtime, StreamReader, StreamWriter, open_connection, start_server,
};
use millpond_examples::{On, run};

/// The most that is read at once.
const PIECE: usize = 64 * 1024;

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
    async fn handle(
        self,
        mut reader: StreamReader,
        mut writer: StreamWriter,
    ) -> Result<(), BoxError> {
        let opening = open_connection(self.runtime, self.address)
            .connect_timeout(self.connect_timeout)
            .idle_timeout(self.idle_timeout);
        let (mut up_reader, mut up_writer) = match opening.await {
            Ok(opened) => opened,
            Err(error) => {
                writer.abort();
                return Err(error.into());
            }
        };
        // The writers are only lent: one that is dropped ends its direction as if all were well.
        let there = copy(&mut reader, &mut up_writer);
        let back = copy(&mut up_reader, &mut writer);
        if let Err(error) = try_join(there, back).await {
            writer.abort();
            up_writer.abort();
            return Err(error.into());
        }
        Ok(())
    }
}

/// Copies one direction, its end included.
async fn copy(reader: &mut StreamReader, writer: &mut StreamWriter) -> io::Result<()> {
    loop {
        let piece = reader.read(PIECE).await?;
        if piece.is_empty() {
            return Ok(writer.write_eof()?);
        }
        writer.write_bytes(piece)?;
        writer.drain().await?;
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
        let server = start_server(runtime, (args.on.host, args.port), move |reader, writer| {
            upstream.clone().handle(reader, writer)
        })
        .max_connections(args.max_connections)
        .idle_timeout(args.idle_timeout)
        .await?;
        let addresses: Vec<_> = server.sockets().iter().map(Address::to_string).collect();
        println!("Serving on {}", addresses.join(", "));
        server.serve_forever().await?;
        Ok(())
    })
}
