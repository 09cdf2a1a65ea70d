//! The TCP echo client of asyncio's documentation: it sends a message and prints the answer.
//!
//!     cargo run -p millpond-examples --bin tcp_echo_client -- "Hello World!"

use std::str::from_utf8;

use clap::Parser;
use millpond::{error::BoxError, open_connection};
use millpond_examples::{On, run};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    on: On,
    #[arg(long, default_value_t = 8888)]
    port: u16,
    #[arg(default_value = "Hello World!")]
    message: String,
}

fn main() -> Result<(), BoxError> {
    let args = Args::parse();
    run(args.on.runtime, async |runtime| {
        let (mut reader, mut writer) = open_connection(runtime, (args.on.host, args.port)).await?;

        println!("Send: {:?}", args.message);
        writer.write(args.message.as_bytes())?;
        writer.drain().await?;

        let data = reader.read(100).await?;
        println!("Received: {:?}", from_utf8(&data)?);

        println!("Close the connection");
        writer.close();
        writer.wait_closed().await?;
        Ok(())
    })
}
