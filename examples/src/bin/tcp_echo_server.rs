//! The TCP echo server of asyncio's documentation: it sends the first message back and closes.
//!
//!     cargo run -p millpond-examples --bin tcp_echo_server -- --runtime smol

use std::{io, str::from_utf8};

use clap::Parser;
use millpond::{StreamReader, StreamWriter, error::BoxError, start_server};
use millpond_examples::{On, run, socket_name};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    on: On,
    /// 0 for any that is free
    #[arg(long, default_value_t = 8888)]
    port: u16,
}

async fn handle_echo(mut reader: StreamReader, mut writer: StreamWriter) -> Result<(), BoxError> {
    let data = reader.read(100).await?;
    let message = from_utf8(&data)?;
    let peer = writer.extra_info().peer_addr.as_ref();
    println!(
        "Received {message:?} from {}",
        peer.map(socket_name).unwrap_or_default()
    );

    println!("Send: {message:?}");
    writer.write(&data)?;
    writer.drain().await?;

    println!("Close the connection");
    writer.close();
    writer.wait_closed().await?;
    Ok(())
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    run(args.on.runtime, async |runtime| {
        let server = start_server(runtime, (args.on.host, args.port), handle_echo).await?;
        let addresses: Vec<_> = server.sockets().iter().map(socket_name).collect();
        println!("Serving on {}", addresses.join(", "));
        server.serve_forever().await?;
        Ok(())
    })
}
