//! A mail server that keeps what it gets, over TLS only, which begins in the middle of the stream.
//!
//!     cargo run -p millpond-examples --bin smtp_server

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use clap::Parser;
use millpond::StreamServer;
use millpond_examples::{
    On, run,
    smtp::{LINE_LIMIT, Mail, serve},
    tls,
};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    on: On,
    /// 0 for any that is free
    #[arg(long, default_value_t = 8025)]
    port: u16,
    /// Where to write the certificate, for clients to trust
    #[arg(long, default_value = "millpond-ca.pem")]
    ca: PathBuf,
}

/// All mails, in memory.
#[derive(Clone, Default)]
struct Mailbox(Arc<Mutex<Vec<Mail>>>);

impl Mailbox {
    fn deliver(&self, mail: Mail) {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A terminal is no place for whatever else a client may send.
        let (from, to) = (mail.from.escape_debug(), mail.to.join(", "));
        println!(
            "Mail {} from {from} to {}",
            mails.len() + 1,
            to.escape_debug()
        );
        for line in &mail.lines {
            println!("> {}", line.escape_debug());
        }
        mails.push(mail);
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    run(args.on.runtime, async |runtime| {
        let tls = tls::acceptor_for_localhost(&args.ca)?;
        let mailbox = Mailbox::default();
        let server = StreamServer::new(runtime, (args.on.host, args.port), move |stream| {
            let mailbox = mailbox.clone();
            serve(stream, tls.clone(), move |mail| mailbox.deliver(mail))
        })
        .limit(LINE_LIMIT);
        server.start_serving().await?;
        println!("Serving on {}", server.sockets()[0]);
        server.serve_forever().await?;
        Ok(())
    })
}
