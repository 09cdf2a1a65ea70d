//! A line chat: each client gives a name, and each line goes to all the others.
//!
//!     cargo run -p millpond-examples --bin line_chat
//!     nc 127.0.0.1 8889                               # in two other terminals
//!
//! No client waits for another: `write` queues what the socket does not take. A client that reads so
//! slowly that its queue is above the high watermark misses lines, and gets a line that says how many. A line that is
//! too long is refused, and its sender goes on.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use clap::Parser;
use millpond::{Address, ReadError, StreamReader, StreamWriter, start_server};
use millpond_examples::{On, run};

const LIMIT: usize = 1024;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    on: On,
    /// 0 for any that is free
    #[arg(long, default_value_t = 8889)]
    port: u16,
}

/// The members, by name.
#[derive(Default)]
struct Chat {
    members: Mutex<BTreeMap<String, Member>>,
}

struct Member {
    writer: StreamWriter,
    missed: usize,
}

impl Member {
    fn send(&mut self, line: &str) {
        if self.writer.is_paused() {
            self.missed += 1;
            return;
        }
        let text = match self.missed {
            0 => format!("{line}\n"),
            n => format!("* you missed {n} lines\n{line}\n"),
        };
        self.missed = 0;
        // If this fails, so does the member's next read, and it leaves.
        let _ = self.writer.write(text.as_bytes());
    }
}

impl Chat {
    /// Gives the writer back if the name cannot be had.
    fn join(self: &Arc<Self>, name: &str, writer: StreamWriter) -> Result<Seat, StreamWriter> {
        let mut members = self.members();
        if name.is_empty() || members.contains_key(name) {
            return Err(writer);
        }
        members.insert(name.to_owned(), Member { writer, missed: 0 });
        let here: Vec<_> = members.keys().cloned().collect();
        for (other, member) in members.iter_mut() {
            if other == name {
                member.send(&format!("* welcome; here: {}", here.join(", ")));
            } else {
                member.send(&format!("* {name} joined"));
            }
        }
        Ok(Seat {
            chat: self.clone(),
            name: name.to_owned(),
        })
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<String, Member>> {
        self.members.lock().expect("no holder of the lock panics")
    }
}

/// A member of the chat, until it is dropped.
struct Seat {
    chat: Arc<Chat>,
    name: String,
}

impl Seat {
    fn send(&self, line: &str) {
        if let Some(member) = self.chat.members().get_mut(&self.name) {
            member.send(line);
        }
    }

    fn send_to_others(&self, line: &str) {
        for (name, member) in self.chat.members().iter_mut() {
            if *name != self.name {
                member.send(line);
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.chat.members().remove(&self.name);
        self.send_to_others(&format!("* {} left", self.name));
    }
}

/// Without the end of the line, and without what could play tricks on a terminal.
fn clean(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.chars().filter(|char| !char.is_control()).collect()
}

async fn handle(
    chat: Arc<Chat>,
    mut reader: StreamReader,
    mut writer: StreamWriter,
) -> io::Result<()> {
    let seat = loop {
        writer.write_all(b"* your name?\n").await?;
        let name = match reader.read_line().await {
            Ok(line) if line.is_empty() => return Ok(()),
            Ok(line) => clean(&line),
            Err(ReadError::LimitOverrun { .. }) => String::new(),
            Err(error) => return Err(error.into()),
        };
        match chat.join(&name, writer) {
            Ok(seat) => break seat,
            Err(returned) => writer = returned,
        }
    };
    let mut lines = reader.lines();
    while let Some(line) = lines.next().await {
        match line {
            Ok(line) => seat.send_to_others(&format!("{}: {}", seat.name, clean(&line))),
            Err(ReadError::LimitOverrun { .. }) => {
                seat.send(&format!("* too long: a line has at most {LIMIT} bytes"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    run(args.on.runtime, async |runtime| {
        let chat = Arc::new(Chat::default());
        let server = start_server(runtime, (args.on.host, args.port), move |reader, writer| {
            handle(chat.clone(), reader, writer)
        })
        .limit(LIMIT)
        .await?;
        let addresses: Vec<_> = server.sockets().iter().map(Address::to_string).collect();
        println!("Serving on {}", addresses.join(", "));
        server.serve_forever().await?;
        Ok(())
    })
}
