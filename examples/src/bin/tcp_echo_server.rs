//! The TCP echo server of asyncio's documentation: it sends each line back.
//!
//!     cargo run -p millpond-examples --bin tcp_echo_server -- --runtime smol

use std::io;

use clap::Parser;
use millpond::{Address, StreamReader, StreamWriter, start_server};
use millpond_examples::{RuntimeName, run};

#[derive(Parser)]
struct Args {
    #[arg(long, value_enum, default_value_t)]
    runtime: RuntimeName,
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// 0 for any that is free
    #[arg(long, default_value_t = 8888)]
    port: u16,
}

async fn handle_echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let peer = writer.extra_info().peer_addr.clone();
    let peer = peer.map_or_else(|| "somebody".to_owned(), |address| address.to_string());
    let mut lines = reader.lines();
    while let Some(line) = lines.next().await {
        let line = line?;
        println!("Received: {line:?} from {peer}");
        writer.write_all(&line).await?;
    }
    println!("Close the connection");
    Ok(())
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    run(args.runtime, async |runtime| {
        let server = start_server(runtime, (args.host, args.port), handle_echo).await?;
        let addresses: Vec<_> = server.sockets().iter().map(Address::to_string).collect();
        println!("Serving on {}", addresses.join(", "));
        server.serve_forever().await?;
        Ok(())
    })
}
