//! "Register an open socket to wait for data using streams", from asyncio's documentation: a socket
//! that is connected already becomes a stream.
//!
//!     cargo run -p millpond-examples --bin wait_for_data

use std::{io, time::Duration};

use clap::Parser;
use millpond::{open_connection, os};
use millpond_examples::{RuntimeName, run};

#[derive(Parser)]
struct Args {
    #[arg(long, value_enum, default_value_t)]
    runtime: RuntimeName,
}

fn main() -> io::Result<()> {
    run(Args::parse().runtime, async |runtime| {
        let (near, far) = os::socket_pair()?;
        let (mut reader, mut writer) = open_connection(runtime.clone(), near).await?;
        let (_, mut far_writer) = open_connection(runtime.clone(), far).await?;

        // Somebody else sends, a little later.
        let pause = runtime.sleep(Duration::from_millis(100));
        runtime.spawn(Box::pin(async move {
            pause.await;
            far_writer.write(b"abc").expect("the socket is open");
        }));

        let data = reader.read(100).await?;
        println!("Received: {}", String::from_utf8_lossy(&data));

        writer.close();
        writer.wait_closed().await?;
        Ok(())
    })
}
