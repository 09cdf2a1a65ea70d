//! Ten thousand connections, one after the other: nothing is left of them.
#![cfg(target_os = "linux")]

#[path = "common/echo.rs"]
mod echo;

use std::{
    alloc::System,
    fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use millpond::{Runtime, Server};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use echo::echo;

const WAVE: usize = 500;

const WAVES: usize = 20;

/// What the process may have allocated more after the last wave than after the second: one byte of
/// each connection would be more.
const KEPT: i64 = 8 * 1024;

/// What it may grow by meanwhile: allocators keep what they had most of, and find that a little later.
/// A hundred bytes of each connection would be more.
const GROWTH: i64 = 768 * 1024;

/// How long the other ends may take to go, on a machine that is busy.
const TIME_LIMIT: Duration = Duration::from_secs(60);

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

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
    let files = open_files();
    let mut resident_then = 0;
    let mut allocated_then = 0;
    for wave in 0..WAVES {
        join_all((0..WAVE).map(|_| use_once(&runtime, &server))).await;
        settle(&runtime, &server, files).await;
        if wave == 1 {
            resident_then = resident();
            allocated_then = allocated();
        }
    }
    let growth = resident() - resident_then;
    let kept = allocated() - allocated_then;
    println!(
        "{name}: {} connections in {:?}; no more than {files} files open after each wave; {kept} bytes more \
         allocated, and grown by {} KiB of {}",
        served.load(Ordering::Acquire),
        began.elapsed(),
        growth / 1024,
        resident_then / 1024
    );
    assert_eq!(served.load(Ordering::Acquire), WAVES * WAVE);
    assert!(kept.abs() < KEPT, "{kept} bytes are kept");
    assert!(growth < GROWTH, "grown by {growth} bytes");
}

async fn use_once(runtime: &Arc<dyn Runtime>, server: &Server) {
    let opening = millpond::open_connection(runtime.clone(), &server.sockets()[0]);
    let (mut reader, mut writer) = opening.await.unwrap();
    writer.write(b"hello\n").unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "hello\n");
    writer.close();
    writer.wait_closed().await.unwrap();
}

/// Waits until the other ends have gone, too. What a thread of the runtime had open for a moment when
/// the files were counted is not missed.
async fn settle(runtime: &Arc<dyn Runtime>, server: &Server, files: usize) {
    let mut pause = Duration::from_millis(1);
    while !format!("{server:?}").contains("clients: 0") || open_files() > files {
        assert!(
            pause < TIME_LIMIT,
            "{} files are open, and {files} were",
            open_files()
        );
        runtime.sleep(pause).await;
        pause *= 2;
    }
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What this process has allocated and not freed, in bytes.
fn allocated() -> i64 {
    let stats = ALLOCATOR.stats();
    let bytes = stats.bytes_allocated - stats.bytes_deallocated;
    i64::try_from(bytes).unwrap()
}

/// The resident set of this process, in bytes.
fn resident() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let (_, behind) = status.split_once("VmRSS:").unwrap();
    let kibibytes: i64 = behind.split_whitespace().next().unwrap().parse().unwrap();
    kibibytes * 1024
}
