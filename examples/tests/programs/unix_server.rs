//! The tally: its clients on both runtimes, and its shutdown.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    process::Command,
};

use tempfile::TempDir;

use crate::program::{Program, RUNTIMES, TIME_LIMIT};

const PROGRAM: &str = env!("CARGO_BIN_EXE_unix_server");

/// The program, and its address.
fn serve(runtime: &str, address: &str) -> Program {
    let server = Program::start(PROGRAM, &["--runtime", runtime, "serve", address]);
    assert_eq!(server.line(), format!("Serving on {address}"));
    server
}

fn ask(runtime: &str, address: &str, lines: &[&str]) -> Vec<String> {
    let args = [&["--runtime", runtime, "ask", address], lines].concat();
    Program::start(PROGRAM, &args).output()
}

fn addresses(directory: &TempDir) -> Vec<String> {
    let path = directory.path().join("tally");
    let path = path.to_str().unwrap();
    let mut addresses = vec![path.to_owned()];
    if cfg!(target_os = "linux") {
        addresses.push(format!("@{path}")); // as unlikely to be taken
    }
    addresses
}

#[test]
fn clients_of_both_runtimes_share_the_tally() {
    let directory = tempfile::tempdir().unwrap();
    for address in addresses(&directory) {
        for runtime in RUNTIMES {
            let server = serve(runtime, &address);
            assert_eq!(ask("tokio", &address, &["add 2", "add 40"]), ["2", "42"]);
            let answers = ask(
                "smol",
                &address,
                &["total", "", "add", "add -1", "shutdown"],
            );
            assert_eq!(answers[0], "42");
            assert!(answers[1].starts_with("error: no such command"));
            assert!(answers[2].starts_with("error: "));
            assert!(answers[3].starts_with("error: "));
            assert_eq!(answers[4], "good-bye");
            assert_eq!(server.output(), ["Shutting down", "0 closed, 0 cancelled"]);
        }
    }
}

#[test]
fn shutting_down_ends_idle_clients_and_waits_for_questions() {
    for runtime in RUNTIMES {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tally");
        let address = path.to_str().unwrap();
        let server = serve(runtime, address);

        let mut busy = UnixStream::connect(&path).unwrap();
        let mut idle = UnixStream::connect(&path).unwrap();
        for socket in [&mut busy, &mut idle] {
            socket.set_read_timeout(Some(TIME_LIMIT)).unwrap();
            socket.write_all(b"add 1\n").unwrap();
            socket.read_exact(&mut [0; 2]).unwrap();
        }
        busy.write_all(b"add ").unwrap();
        assert_eq!(ask("tokio", address, &["shutdown"]), ["good-bye"]);
        assert_eq!(server.line(), "Shutting down");

        // A client in the middle of a question still has its answer, and no other is let in.
        assert_eq!(idle.read(&mut [0; 10]).unwrap(), 0);
        busy.write_all(b"1\n").unwrap();
        let mut answer = [0; 2];
        busy.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"3\n");
        assert_eq!(busy.read(&mut [0; 10]).unwrap(), 0);
        assert_eq!(server.output(), ["0 closed, 0 cancelled"]);
        assert!(!fs::exists(&path).unwrap());
        let mut late = Command::new(PROGRAM);
        let late = late.args(["ask", address, "total"]).output().unwrap();
        assert!(!late.status.success());
    }
}
