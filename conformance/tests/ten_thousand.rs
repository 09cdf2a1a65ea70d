//! Ten thousand connections, one after the other: nothing is left of them.
#![cfg(target_os = "linux")]

use std::{
    fs, io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use millpond::{Runtime, Server, StreamReader, StreamWriter};

const WAVE: usize = 500;

const WAVES: usize = 20;

/// What the process may grow by from the second wave to the last one: allocators keep what they
/// had most of, and find that a little later. A hundred bytes of each connection would be more.
const GROWTH: i64 = 768 * 1024;

/// Both look at the whole process.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn nothing_is_left_of_them_on_tokio() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let tokio = millpond_tokio::Tokio::new(runtime.handle().clone());
    runtime.block_on(come_and_go("tokio", Arc::new(tokio)));
}

#[test]
fn nothing_is_left_of_them_on_smol() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    smol::block_on(come_and_go("smol", Arc::new(millpond_smol::Smol)));
}

async fn come_and_go(name: &str, runtime: Arc<dyn Runtime>) {
    let began = Instant::now();
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    let server = millpond::start_server(runtime.clone(), "127.0.0.1:0", move |reader, writer| {
        count.fetch_add(1, Ordering::AcqRel);
        echo(reader, writer)
    });
    let server = server.backlog(1024).await.unwrap();
    let mut files = 0;
    let mut resident_then = 0;
    for wave in 0..WAVES {
        join_all((0..WAVE).map(|_| use_once(&runtime, &server))).await;
        if wave == 0 {
            // Whatever the runtime opens for itself it has opened by now.
            files = settled_files(&runtime, 0).await;
        }
        assert_eq!(settled_files(&runtime, files).await, files);
        if wave == 1 {
            resident_then = resident();
        }
    }
    let growth = resident() - resident_then;
    println!(
        "{name}: {} connections in {:?}; {files} files open before and after; grown by {} KiB of {}",
        served.load(Ordering::Acquire),
        began.elapsed(),
        growth / 1024,
        resident_then / 1024
    );
    assert_eq!(served.load(Ordering::Acquire), WAVES * WAVE);
    assert!(format!("{server:?}").contains("clients: 0"), "{server:?}");
    assert!(growth < GROWTH, "grown by {growth} bytes");
}

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    loop {
        let line = reader.read_line().await?;
        if line.is_empty() {
            return Ok(());
        }
        writer.write_all(&line).await?;
    }
}

async fn use_once(runtime: &Arc<dyn Runtime>, server: &Server) {
    let opening = millpond::open_connection(runtime.clone(), &server.sockets()[0]);
    let (mut reader, mut writer) = opening.await.unwrap();
    writer.write(b"hello\n").unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "hello\n");
    writer.close();
    writer.wait_closed().await.unwrap();
}

/// How many files are open: `expected`, or after a while, when the other ends have gone, too.
async fn settled_files(runtime: &Arc<dyn Runtime>, expected: usize) -> usize {
    for _ in 0..100 {
        if open_files() == expected {
            break;
        }
        runtime.sleep(Duration::from_millis(10)).await;
    }
    open_files()
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The resident set of this process, in bytes.
fn resident() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let (_, behind) = status.split_once("VmRSS:").unwrap();
    let kibibytes: i64 = behind.split_whitespace().next().unwrap().parse().unwrap();
    kibibytes * 1024
}
