//! What callgrind counts while this program runs itself.

use std::{collections::HashMap, fs, hint::black_box, path::Path, process::Command};

/// Without it memcpy of some hundred bytes may be one instruction, `rep movsb`, and copies would be free.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=1000000000";

/// What a call of one of these is: an allocation.
const ALLOCATORS: [&str; 5] = [
    "malloc",
    "calloc",
    "realloc",
    "aligned_alloc",
    "posix_memalign",
];

/// What a call of one of these is: a system call. It is libc's function of that name.
const SYSTEM_CALLS: [&str; 24] = [
    "accept4",
    "close",
    "connect",
    "epoll_ctl",
    "epoll_wait",
    "fcntl",
    "fcntl64",
    "getpeername",
    "getsockname",
    "getsockopt",
    "ioctl",
    "poll",
    "read",
    "readv",
    "recv",
    "recvmsg",
    "send",
    "sendmsg",
    "setsockopt",
    "shutdown",
    "socket",
    "syscall",
    "write",
    "writev",
];

/// Of a part of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) instructions: u64,
    pub(crate) allocations: u64,
    pub(crate) system_calls: u64,
}

/// Callgrind finishes a part whenever this is called, and begins the next one.
#[inline(never)]
pub(crate) fn end_of_part() {
    black_box(());
}

/// Runs this program with these arguments. Returns what it has counted up to each
/// [`end_of_part`], one after the other.
pub(crate) fn parts<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Vec<Counts> {
    let directory = std::env::temp_dir().join(format!("millpond-counts-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory for what callgrind writes");
    let out = directory.join("out");
    let itself = std::env::current_exe().expect("a program knows its path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-before=*end_of_part*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(itself)
        .args(arguments)
        .env("GLIBC_TUNABLES", TUNABLES)
        .output()
        .expect("valgrind starts");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    let parts = (1..)
        .map(|part| out.with_extension(part.to_string()))
        .take_while(|part| part.exists())
        .map(|part| read(&part))
        .collect();
    fs::remove_dir_all(directory).expect("the directory goes");
    parts
}

/// One of callgrind's files, whose lines are in its manual.
fn read(part: &Path) -> Counts {
    let text = fs::read_to_string(part).expect("callgrind has written it");
    let mut names = HashMap::new();
    let mut callee = "";
    let mut counts = Counts {
        instructions: 0,
        allocations: 0,
        system_calls: 0,
    };
    for line in text.lines() {
        if let Some(function) = line
            .strip_prefix("cfn=")
            .or_else(|| line.strip_prefix("fn="))
        {
            let name = name(function, &mut names);
            if line.starts_with("cfn=") {
                callee = name;
            }
        } else if let Some(calls) = line.strip_prefix("calls=") {
            if ALLOCATORS.contains(&callee) {
                counts.allocations += first_number(calls);
            }
            if SYSTEM_CALLS.contains(&callee) {
                counts.system_calls += first_number(calls);
            }
        } else if let Some(totals) = line.strip_prefix("totals:") {
            counts.instructions = first_number(totals);
        }
    }
    counts
}

/// `(12) name` the first time, and then `(12)`.
fn name<'a>(function: &'a str, names: &mut HashMap<&'a str, &'a str>) -> &'a str {
    match function.split_once(' ') {
        Some((number, name)) => {
            names.insert(number, name);
            name
        }
        None => names.get(function).copied().unwrap_or_default(),
    }
}

fn first_number(text: &str) -> u64 {
    let number = text.split_whitespace().next();
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("not a number: {text}"))
}
