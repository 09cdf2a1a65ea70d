//! The echo server over TLS, talked to as it says.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

use crate::program::{RUNTIMES, Server, TIME_LIMIT, there_is};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tls_echo_server");

#[test]
fn what_it_prints_is_how_to_talk_to_it() {
    if !there_is("openssl", "version") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    for runtime in RUNTIMES {
        let args = ["--ca", ca.to_str().unwrap()];
        let server = Server::start_with(PROGRAM, runtime, &args);
        let line = server.program.line();
        let mut words = line.split(' ');
        let mut client = Command::new(words.next().unwrap())
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = client.stdin.take().unwrap();
        let mut stdout = BufReader::new(client.stdout.take().unwrap());
        for line in ["hello\n", "again\n"] {
            stdin.write_all(line.as_bytes()).unwrap();
            let mut answer = String::new();
            stdout.read_line(&mut answer).unwrap();
            assert_eq!(answer, line);
        }
        assert!(server.program.line().starts_with("Protected: TLSv1_3, "));
        client.kill().unwrap();
        client.wait().unwrap();
    }
}

#[test]
fn a_client_without_tls_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    for runtime in RUNTIMES {
        let args = ["--ca", ca.to_str().unwrap()];
        let server = Server::start_with(PROGRAM, runtime, &args);
        server.program.line();
        let mut socket = TcpStream::connect(&server.address).unwrap();
        socket.set_read_timeout(Some(TIME_LIMIT)).unwrap();
        socket.write_all(b"hello\n").unwrap();
        assert!(server.program.line().starts_with("Refused: "));
        // An alert and the end, but no echo.
        let mut answer = Vec::new();
        BufReader::new(socket)
            .read_until(b'\n', &mut answer)
            .unwrap();
        assert!(!answer.ends_with(b"\n"), "{}", answer.escape_ascii());
    }
}
