//! Sends a mail to a server that begins TLS in the middle of the stream, such as `smtp_server`.
//!
//!     cargo run -p millpond-examples --bin smtp_client -- --ca millpond-ca.pem "Hello World!"

use std::{io, path::PathBuf, time::Duration};

use clap::Parser;
use millpond::connect;
use millpond_examples::{
    On, run,
    smtp::{LINE_LIMIT, Mail, send},
    tls,
};

/// For resolving and connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    on: On,
    #[arg(long, default_value_t = 8025)]
    port: u16,
    /// Certificates of authorities to trust, instead of the system's
    #[arg(long)]
    ca: Option<PathBuf>,
    #[arg(long, default_value = "ada@example.org")]
    from: String,
    #[arg(long, default_value = "bob@example.org")]
    to: Vec<String>,
    #[arg(default_value = "Hello World!")]
    message: String,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let tls = tls::connector(args.ca.as_deref())?;
    let mail = Mail {
        lines: lines(&args),
        from: args.from,
        to: args.to,
    };
    run(args.on.runtime, async |runtime| {
        let mut stream = connect(runtime, (args.on.host, args.port))
            .connect_timeout(CONNECT_TIMEOUT)
            .limit(LINE_LIMIT)
            .await?;
        send(&mut stream, &tls, &mail).await?;
        println!("Sent to {}", mail.to.join(", "));
        Ok(())
    })
}

fn lines(args: &Args) -> Vec<String> {
    let headers = [
        format!("From: {}", args.from),
        format!("To: {}", args.to.join(", ")),
        String::new(),
    ];
    let text = args.message.lines().map(ToOwned::to_owned);
    headers.into_iter().chain(text).collect()
}
