//! The TCP echo client of asyncio's documentation: it sends a message and prints the answer.
//!
//!     cargo run -p millpond-examples --bin tcp_echo_client -- "Hello World!"

use std::io;

use clap::Parser;
use millpond::open_connection;
use millpond_examples::{RuntimeName, run};

#[derive(Parser)]
struct Args {
    #[arg(long, value_enum, default_value_t)]
    runtime: RuntimeName,
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    #[arg(long, default_value_t = 8888)]
    port: u16,
    #[arg(default_value = "Hello World!")]
    message: String,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    run(args.runtime, async |runtime| {
        let (mut reader, mut writer) = open_connection(runtime, (args.host, args.port)).await?;

        println!("Send: {:?}", args.message);
        writer
            .write_all(format!("{}\n", args.message).as_bytes())
            .await?;

        let line = reader.read_line().await?;
        println!("Received: {:?}", String::from_utf8_lossy(&line).trim_end());

        println!("Close the connection");
        writer.close();
        writer.wait_closed().await?;
        Ok(())
    })
}
