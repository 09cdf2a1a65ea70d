//! The server and its client.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clap::{Parser, Subcommand};
use futures_channel::mpsc;
use futures_util::StreamExt;
use millpond::{Runtime, StreamReader, StreamWriter, connect_unix, start_unix_server};
use millpond_examples::{RuntimeName, run};

/// How long each stage of the shutdown may take, for clients that have nothing to say.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// A line is a command and a number.
const LIMIT: usize = 100;

#[derive(Parser)]
struct Args {
    #[arg(long, value_enum, default_value_t)]
    runtime: RuntimeName,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Serves until a client says `shutdown`
    Serve {
        /// A path, or `@name` on Linux
        address: String,
    },
    /// Sends each line and prints the answer: `add N`, `total` or `shutdown`
    Ask {
        /// A path, or `@name` on Linux
        address: String,
        lines: Vec<String>,
    },
}

pub(crate) fn main() -> io::Result<()> {
    let args = Args::parse();
    run(args.runtime, async |runtime| match args.role {
        Role::Serve { address } => serve(runtime, &path(&address)).await,
        Role::Ask { address, lines } => ask(runtime, &path(&address), &lines).await,
    })
}

/// A path that begins with a NUL stands for an address that is in no directory.
fn path(address: &str) -> String {
    match address.strip_prefix('@') {
        Some(name) => format!("\0{name}"),
        None => address.to_owned(),
    }
}

async fn serve(runtime: Arc<dyn Runtime>, path: &str) -> io::Result<()> {
    let (stop, mut stopped) = mpsc::unbounded();
    let tally = Tally {
        total: Arc::default(),
        stop,
    };
    let server = start_unix_server(runtime, path, move |reader, writer| {
        tally.clone().handle(reader, writer)
    })
    .limit(LIMIT)
    .shutdown_timeout(SHUTDOWN_TIMEOUT)
    .await?;
    println!("Serving on {}", server.sockets()[0]);

    stopped.next().await;
    println!("Shutting down");
    let shutdown = server.shutdown().await;
    println!(
        "{} closed, {} cancelled",
        shutdown.closed, shutdown.cancelled
    );
    Ok(())
}

async fn ask(runtime: Arc<dyn Runtime>, path: &str, lines: &[String]) -> io::Result<()> {
    let mut stream = connect_unix(runtime, path).await?;
    for line in lines {
        stream.write(format!("{line}\n").as_bytes())?;
        let answer = stream.read_until("\n").await?;
        println!("{}", answer.trim_ascii_end().escape_ascii());
    }
    stream.close();
    stream.wait_closed().await?;
    Ok(())
}

/// What the handlers share.
#[derive(Clone)]
struct Tally {
    total: Arc<AtomicU64>,
    stop: mpsc::UnboundedSender<()>,
}

impl Tally {
    async fn handle(self, mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
        let mut lines = reader.lines();
        while let Some(line) = lines.next().await {
            let line = line?;
            let answer = self.answer(String::from_utf8_lossy(&line).trim());
            writer.write_all(format!("{answer}\n").as_bytes()).await?;
        }
        Ok(())
    }

    fn answer(&self, line: &str) -> String {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("add", number) => match number.parse::<u32>() {
                Ok(number) => self.add(number).to_string(),
                Err(error) => format!("error: {number:?}: {error}"),
            },
            ("total", "") => self.add(0).to_string(),
            ("shutdown", "") => {
                // If no task listens any more, it is shutting down already.
                let _ = self.stop.unbounded_send(());
                "good-bye".to_owned()
            }
            _ => format!("error: no such command: {line:?}"),
        }
    }

    /// The new total.
    fn add(&self, number: u32) -> u64 {
        let number = u64::from(number);
        self.total
            .fetch_add(number, Ordering::Relaxed)
            .wrapping_add(number)
    }
}
