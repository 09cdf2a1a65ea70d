//! Memory of an idle connection on tokio: what a process with thousands of them has grown by.
//!
//! It is the resident set, of a process for each row: a counting allocator would need `unsafe`, and
//! would not see what the allocator itself takes. The kernel's side of a socket is not in it.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use millpond::adapter::StdListener;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter},
    runtime::Runtime,
};

use crate::{
    echo::{adopt, codec, echo_lines, our_lines},
    measured::Measured,
    table::Options,
};

/// The argument of a process that measures one row.
pub(crate) const CHILD: &str = "idle-child";

/// As many as that, if as many files can be open.
const CONNECTIONS: usize = 8000;

/// Before the first measurement, so that what a runtime allocates once does not count.
const WARM_UP: usize = 200;

const FLOOR: &str = "tokio task, TcpStream::readable";
const SERVED: &str = "millpond_tokio::start_server";

type Start = fn(TcpListener, Arc<AtomicUsize>) -> io::Result<()>;

const ROWS: [(&str, Start); 6] = [
    (FLOOR, |l, n| accept_each(l, n, floor)),
    ("tokio BufReader", |l, n| accept_each(l, n, buffered)),
    ("tokio BufReader + BufWriter", |l, n| {
        accept_each(l, n, doubly_buffered)
    }),
    ("tokio-util LinesCodec", |l, n| accept_each(l, n, codec)),
    ("millpond in a tokio task", |l, n| {
        accept_each(l, n, our_lines)
    }),
    (SERVED, served),
];

pub(crate) fn run(_: &Options) -> Vec<Measured> {
    println!("\n## memory per idle connection, in bytes (and beyond the floor)");
    println!(
        "| {:38} | {:>15} | {:>15} | {:>15} |",
        "", "idle", "after 64 B", "after 6000 B"
    );
    println!("|{}|{}", "-".repeat(40), "----------------:|".repeat(3));
    let mut floor = None;
    for (name, _) in ROWS {
        let [idle, small, large] = measured_by_child(CHILD, name);
        let [a, b, c] = *floor.get_or_insert([idle, small, large]);
        println!(
            "| {name:38} | {idle:>6} ({:>+6}) | {small:>6} ({:>+6}) | {large:>6} ({:>+6}) |",
            idle - a,
            small - b,
            large - c
        );
        if name == SERVED {
            let met = if idle - a < 2048 { "met" } else { "NOT met" };
            println!("aim: idle connection < 2048 B beyond the floor: {met}");
        }
    }
    Vec::new()
}

/// What a process for one row has printed.
pub(crate) fn measured_by_child<const N: usize>(child: &str, row: &str) -> [i64; N] {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([child, row])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let bytes: Vec<i64> = text
        .split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect();
    bytes
        .try_into()
        .unwrap_or_else(|_| panic!("{row}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Measures one row and prints three numbers.
pub(crate) fn run_child(mut arguments: impl Iterator<Item = String>) {
    let name = arguments.next().expect("the name of a row");
    let (_, start) = ROWS.iter().find(|(row, _)| *row == name).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    thread::spawn({
        let (start, accepted) = (*start, accepted.clone());
        move || start(listener, accepted).unwrap()
    });

    let mut clients = Vec::with_capacity(CONNECTIONS);
    connect(&mut clients, WARM_UP, address, &accepted);
    for client in &mut clients {
        echo(client, 64);
        echo(client, 6000);
    }
    let count = CONNECTIONS.min(open_files() / 2 - 50) - WARM_UP;
    let before = resident();
    let grown = || {
        // The last task may not have come to wait yet.
        thread::sleep(Duration::from_millis(200));
        (resident() - before) / count as i64
    };
    connect(&mut clients, count, address, &accepted);
    let idle = grown();
    clients[WARM_UP..].iter_mut().for_each(|c| echo(c, 64));
    let small = grown();
    clients[WARM_UP..].iter_mut().for_each(|c| echo(c, 6000));
    println!("{idle} {small} {}", grown());
    // Not a thousand farewells.
    std::process::exit(0);
}

fn connect(clients: &mut Vec<TcpStream>, n: usize, to: SocketAddr, accepted: &AtomicUsize) {
    for _ in 0..n {
        clients.push(TcpStream::connect(to).unwrap());
        // The backlog is not endless.
        while accepted.load(Ordering::Acquire) + 64 < clients.len() {
            thread::yield_now();
        }
    }
    while accepted.load(Ordering::Acquire) < clients.len() {
        thread::yield_now();
    }
}

fn echo(client: &mut TcpStream, len: usize) {
    let mut line = [b'x'; 6000];
    line[len - 1] = b'\n';
    client.write_all(&line[..len]).unwrap();
    let mut answer = [0; 6000];
    client.read_exact(&mut answer[..len]).unwrap();
    assert!(answer[..len] == line[..len]);
}

/// The resident set of this process, in bytes.
pub(crate) fn resident() -> i64 {
    let status = fs::read_to_string("/proc/self/status").expect("this benchmark needs Linux");
    1024 * number_behind(&status, "VmRSS:")
}

/// How many files may be open.
pub(crate) fn open_files() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").expect("this benchmark needs Linux");
    number_behind(&limits, "Max open files") as usize
}

fn number_behind(text: &str, name: &str) -> i64 {
    let (_, behind) = text.split_once(name).unwrap();
    behind.split_whitespace().next().unwrap().parse().unwrap()
}

pub(crate) fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// A task for each connection.
pub(crate) fn accept_each<F>(
    listener: TcpListener,
    accepted: Arc<AtomicUsize>,
    handler: fn(TcpStream) -> F,
) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    listener.set_nonblocking(true)?;
    runtime()?.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            // Back into the standard library's, so that each handler starts with the same.
            tokio::spawn(handler(stream.into_std()?));
            accepted.fetch_add(1, Ordering::Release);
        }
    })
}

pub(crate) async fn floor(stream: TcpStream) -> io::Result<()> {
    let stream = adopt(stream)?;
    loop {
        stream.readable().await?;
        echo_what_is_there(&stream)?;
    }
}

/// Not in the task, where the block of memory would stay.
fn echo_what_is_there(stream: &tokio::net::TcpStream) -> io::Result<()> {
    let mut buf = [0; 8192];
    match stream.try_read(&mut buf) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        read => {
            let n = read?;
            let written = stream.try_write(&buf[..n])?;
            assert_eq!(written, n, "the socket takes a line");
            Ok(())
        }
    }
}

async fn buffered(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(adopt(stream)?);
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await? > 0 {
        stream.write_all(&line).await?;
        line.clear();
    }
    Ok(())
}

async fn doubly_buffered(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(BufWriter::new(adopt(stream)?));
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await? > 0 {
        stream.write_all(&line).await?;
        stream.flush().await?;
        line.clear();
    }
    Ok(())
}

pub(crate) fn served(listener: TcpListener, accepted: Arc<AtomicUsize>) -> io::Result<()> {
    runtime()?.block_on(async {
        let server = millpond_tokio::start_server(StdListener::from(listener), move |r, w| {
            accepted.fetch_add(1, Ordering::Release);
            echo_lines(r, w)
        })
        .await?;
        server.serve_forever().await.unwrap();
        Ok(())
    })
}
