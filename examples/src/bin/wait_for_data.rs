//! "Register an open socket to wait for data using streams", from asyncio's documentation: a socket
//! that is connected already becomes a stream.
//!
//!     cargo run -p millpond-examples --bin wait_for_data

use std::str::from_utf8;

use clap::Parser;
use futures_util::future::join;
use millpond::{adapter::os, error::BoxError, open_connection};
use millpond_examples::{RuntimeName, run};

#[derive(Parser)]
struct Args {
    #[arg(long, value_enum, default_value_t)]
    runtime: RuntimeName,
}

fn main() -> Result<(), BoxError> {
    run(Args::parse().runtime, async |runtime| {
        // A pair of connected sockets.
        let (near, far) = os::socket_pair()?;
        let (mut reader, mut writer) = open_connection(runtime.clone(), near).await?;
        let (_far_reader, mut far_writer) = open_connection(runtime, far).await?;

        // The far side sends when the near one waits already.
        let (data, sent) = join(reader.read(100), async { far_writer.write(b"abc") }).await;
        sent?;
        println!("Received: {}", from_utf8(&data?)?);

        writer.close();
        writer.wait_closed().await?;
        Ok(())
    })
}
