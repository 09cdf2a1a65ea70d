//! The echo server over TLS, with a certificate that is made on the spot.
//!
//!     cargo run -p millpond-examples --bin tls_echo_server -- --runtime smol
//!
//! It prints how to talk to it.

use std::{io, path::PathBuf};

use clap::Parser;
use millpond::{Stream, StreamServer};
use millpond_examples::{On, run, tls};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    on: On,
    /// 0 for any that is free
    #[arg(long, default_value_t = 8890)]
    port: u16,
    /// Where to write the certificate, for clients to trust
    #[arg(long, default_value = "millpond-ca.pem")]
    ca: PathBuf,
}

async fn handle_echo(mut stream: Stream) -> io::Result<()> {
    if let Some(tls) = &stream.extra_info().tls {
        println!("Protected: {}, {}", tls.protocol, tls.cipher);
    }
    loop {
        let line = stream.read_line().await?;
        if line.is_empty() {
            println!("Close the connection");
            return Ok(());
        }
        stream.write_all(&line).await?;
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    run(args.on.runtime, async |runtime| {
        let tls = tls::acceptor_for_localhost(&args.ca)?;
        let server = StreamServer::new(runtime, (args.on.host, args.port), handle_echo)
            .tls(tls)
            .on_handshake_error(|_, error| println!("Refused: {error}"));
        server.start_serving().await?;
        let address = &server.sockets()[0];
        println!("Serving on {address}");
        let ca = args.ca.display();
        println!("openssl s_client -connect {address} -CAfile {ca} -verify_return_error -quiet");
        server.serve_forever().await?;
        Ok(())
    })
}
