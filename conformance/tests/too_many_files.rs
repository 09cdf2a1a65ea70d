//! A server whose process may open no more files: it neither spins nor stops.
#![cfg(target_os = "linux")]

#[path = "common/echo.rs"]
mod echo;
#[allow(dead_code, reason = "it does not count what is open")]
#[path = "common/process.rs"]
mod process;

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use echo::echo;
use millpond::Runtime;
use process::printed;

/// More than a process of so few files can have at once.
const CLIENTS: usize = 80;

const FILES: usize = 64;

/// How long the server is left without a file to open.
const STARVING: Duration = Duration::from_millis(2500);

#[test]
fn a_server_on_tokio_outlasts_it() {
    outlasts_it("tokio");
}

#[test]
fn a_server_on_smol_outlasts_it() {
    outlasts_it("smol");
}

fn outlasts_it(runtime: &str) {
    let command = &mut process::command("the_server", runtime, FILES);
    let mut server = command.spawn().unwrap();
    let mut output = BufReader::new(server.stdout.take().unwrap()).lines();
    let address = printed(&mut output, "address ");

    let mut waiting: Vec<TcpStream> = (0..CLIENTS)
        .map(|_| {
            let mut client = TcpStream::connect(&address).unwrap();
            client.write_all(b"hello\n").unwrap();
            client.set_nonblocking(true).unwrap();
            client
        })
        .collect();
    thread::sleep(STARVING);
    let served = take_served(&mut waiting);
    assert!(
        served.len() > FILES / 2 && served.len() < FILES,
        "{}",
        served.len()
    );
    drop(served);

    let began = Instant::now();
    while !waiting.is_empty() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{} wait",
            waiting.len()
        );
        thread::sleep(Duration::from_millis(20));
        drop(take_served(&mut waiting));
    }

    drop(server.stdin.take());
    let figures = printed(&mut output, "figures ");
    assert!(server.wait().unwrap().success());
    let figures: Vec<u64> = figures.split(' ').map(|n| n.parse().unwrap()).collect();
    let [busy, lived, reports] = figures[..] else {
        panic!("{figures:?}");
    };
    println!("{runtime}: {busy} of {lived} ms busy, {reports} errors reported");
    assert!(busy * 5 < lived, "{busy} of {lived} ms busy");
    assert!((1..=20).contains(&reports), "{reports} reports");
}

/// Those that have their answer.
fn take_served(clients: &mut Vec<TcpStream>) -> Vec<TcpStream> {
    let (served, waiting) = clients.drain(..).partition(|mut client| {
        let mut answer = [0; 6];
        match client.read(&mut answer) {
            Ok(n) => {
                assert_eq!(&answer[..n], b"hello\n");
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                false
            }
        }
    });
    *clients = waiting;
    served
}

#[test]
#[ignore = "a process of its own, which the others start"]
fn the_server() {
    process::serve(serve);
}

/// Until standard input ends.
async fn serve(runtime: Arc<dyn Runtime>) {
    let began = Instant::now();
    let reports = Arc::new(AtomicUsize::new(0));
    let count = reports.clone();
    let server = millpond::start_server(runtime, "127.0.0.1:0", echo);
    let server = server.on_accept_error(move |_| {
        count.fetch_add(1, Ordering::AcqRel);
    });
    let server = server.await.unwrap();
    println!("\naddress {}", server.sockets()[0]);
    let (ended, end) = futures_channel::oneshot::channel();
    thread::spawn(move || {
        io::stdin().read_to_end(&mut Vec::new()).unwrap();
        ended.send(())
    });
    end.await.unwrap();
    let lived = began.elapsed().as_millis();
    let reports = reports.load(Ordering::Acquire);
    println!("\nfigures {} {lived} {reports}", busy_millis());
}

/// The time that this process has kept processors busy for.
fn busy_millis() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
    10 * (ticks(11) + ticks(12))
}
