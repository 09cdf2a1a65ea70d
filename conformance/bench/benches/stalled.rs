//! Memory of a connection whose client says nothing while a TLS handshake is due, as `idle` measures
//! it.

use std::{
    fs,
    io::{self, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, atomic::AtomicUsize},
    thread,
    time::Duration,
};

use millpond::{StreamReader, StreamWriter, adapter::StdListener};

use crate::{
    echo::adopt,
    idle::{accept_each, floor, measured_by_child, open_files, resident, runtime},
    measured::Measured,
    table::Options,
    tls::{acceptor, peers_acceptor},
};

/// The argument of a process that measures one row.
pub(crate) const CHILD: &str = "stalled-child";

/// As many as that, if as many files can be open.
const CONNECTIONS: usize = 8000;

/// Before the first measurement, so that what a runtime allocates once does not count.
const WARM_UP: usize = 200;

/// Until the last task has come to wait.
const SETTLING: Duration = Duration::from_millis(500);

/// The head of a record of 512 bytes, and the first of them: a handshake that goes on.
const BEGINNING: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];

type Start = fn(TcpListener) -> io::Result<()>;

const ROWS: [(&str, Start); 3] = [
    ("tokio task, TcpStream::readable", |listener| {
        accept_each(listener, Arc::new(AtomicUsize::new(0)), floor)
    }),
    ("tokio-rustls accept in a tokio task", |listener| {
        accept_each(listener, Arc::new(AtomicUsize::new(0)), peers)
    }),
    ("millpond_tokio::start_server, tls", ours),
];

pub(crate) fn run(_: &Options) -> Vec<Measured> {
    println!(
        "\n## memory per connection that is stalled in a TLS handshake, in bytes (and beyond the floor)"
    );
    println!(
        "| {:38} | {:>15} | {:>15} |",
        "", "nothing sent", "11 B sent"
    );
    println!("|{}|{}", "-".repeat(40), "----------------:|".repeat(2));
    let mut floor = None;
    for (name, _) in ROWS {
        let [silent, begun] = measured_by_child(CHILD, name);
        let [a, b] = *floor.get_or_insert([silent, begun]);
        println!(
            "| {name:38} | {silent:>6} ({:>+6}) | {begun:>6} ({:>+6}) |",
            silent - a,
            begun - b,
        );
    }
    Vec::new()
}

/// Measures one row and prints two numbers.
pub(crate) fn run_child(mut arguments: impl Iterator<Item = String>) {
    let name = arguments.next().expect("the name of a row");
    let (_, start) = ROWS.iter().find(|(row, _)| *row == name).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let start = *start;
    thread::spawn(move || start(listener).unwrap());

    let mut clients = Vec::with_capacity(CONNECTIONS);
    let connect = |clients: &mut Vec<TcpStream>, n| {
        let others = open_now() - 2 * clients.len();
        for _ in 0..n {
            clients.push(TcpStream::connect(address).unwrap());
            // The backlog is not endless.
            if clients.len() % 64 == 0 {
                wait_for(others + 2 * clients.len());
            }
        }
        wait_for(others + 2 * clients.len());
    };
    thread::sleep(SETTLING); // the server opens files of its own
    connect(&mut clients, WARM_UP);
    thread::sleep(SETTLING);
    let count = CONNECTIONS.min(open_files() / 2 - 50) - WARM_UP;
    let before = resident();
    let grown = || {
        thread::sleep(SETTLING);
        (resident() - before) / count as i64
    };
    connect(&mut clients, count);
    let silent = grown();
    for client in &mut clients[WARM_UP..] {
        client.write_all(BEGINNING).unwrap();
    }
    println!("{silent} {}", grown());
    // Not a thousand farewells.
    std::process::exit(0);
}

/// Until so many files are open, which are the two ends of each connection and a few others.
fn wait_for(files: usize) {
    while open_now() < files {
        thread::sleep(Duration::from_millis(1));
    }
}

fn open_now() -> usize {
    let files = fs::read_dir("/proc/self/fd").expect("this benchmark needs Linux");
    files.count()
}

async fn peers(stream: TcpStream) -> io::Result<()> {
    let accepting = peers_acceptor().accept(adopt(stream)?);
    accepting.await.map(drop)
}

fn ours(listener: TcpListener) -> io::Result<()> {
    runtime()?.block_on(async {
        let server = millpond_tokio::start_server(StdListener::from(listener), served)
            .tls(acceptor())
            .await?;
        server.serve_forever().await.unwrap();
        Ok(())
    })
}

async fn served(_: StreamReader, _: StreamWriter) {
    panic!("no handshake ends here");
}
