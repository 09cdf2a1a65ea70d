//! curl, and sockets of the standard library, against the HTTP server. What hostile clients get is tested
//! in worlds.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
};

use crate::program::{RUNTIMES, Server, TIME_LIMIT, there_is};

fn start(runtime: &str, args: &[&str]) -> Server {
    Server::start_with(env!("CARGO_BIN_EXE_http_server"), runtime, args)
}

fn connect(server: &Server) -> TcpStream {
    let client = TcpStream::connect(&server.address).unwrap();
    client.set_read_timeout(Some(TIME_LIMIT)).unwrap();
    client
}

fn curl(args: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["--disable", "--noproxy", "*", "--silent", "--show-error"]);
    let output = command.args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn curl_gets_what_it_asks_for() {
    if !there_is("curl", "--version") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let upload = directory.path().join("upload");
    let body: String = (0..100_000).map(|n| format!("{n}\n")).collect();
    fs::write(&upload, &body).unwrap();
    let upload = format!("@{}", upload.to_str().unwrap());
    for runtime in RUNTIMES {
        let server = start(runtime, &["--max-body", "1000000"]);
        let url = |path: &str| format!("http://{}{path}", server.address);
        let counted: String = (1..=50_000).map(|n| format!("{n}\n")).collect();
        for version in ["--http1.1", "--http1.0"] {
            assert!(curl(&[version, &url("/count/50000")]) == counted);
        }
        // It asks whether it may send so much.
        for coding in ["Content-Type: text/plain", "Transfer-Encoding: chunked"] {
            let posted = ["--data-binary", &upload, "--header", coding, &url("/echo")];
            assert!(curl(&posted) == body, "{coding}");
        }
        // Two on one connection.
        let count = url("/count/2");
        let twice = ["--write-out", "%{num_connects} ", &count, &count];
        assert_eq!(curl(&twice), "1\n2\n1 1\n2\n0 ");
        assert!(curl(&["--head", &url("/")]).contains("content-length: 6\r\n"));
        let status = |args: &[&str]| curl(&[&["--write-out", "%{http_code}"], args].concat());
        assert_eq!(status(&[&url("/nowhere")]), "404 Not Found\n404");
        let wrong = status(&["--data", "x", &url("/")]);
        assert_eq!(wrong, "405 Method Not Allowed\n405");
    }
}

#[test]
fn a_body_that_is_too_large_is_refused_though_the_client_goes_on_sending() {
    for runtime in RUNTIMES {
        let server = start(runtime, &["--max-body", "10"]);
        let mut client = connect(&server);
        let head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n";
        client.write_all(head.as_bytes()).unwrap();
        client.write_all(&vec![b'x'; 4_000_000]).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_idle_clients_at_once_and_lets_busy_ones_finish() {
    const REQUEST: &[u8] = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    for runtime in RUNTIMES {
        let server = start(runtime, &[]);
        let mut busy = connect(&server);
        busy.write_all(REQUEST).unwrap();
        let mut idle = connect(&server);
        idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let mut answer = [0; 44];
        idle.read_exact(&mut answer).unwrap();
        assert!(answer.ends_with(b"\r\n\r\nhello\n"));
        // The busy one was accepted before it.
        server.program.interrupt();
        assert_eq!(idle.read(&mut answer).unwrap(), 0);
        busy.write_all(b"hello").unwrap();
        let mut answer = String::new();
        busy.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
        drop((busy, idle));
        assert_eq!(server.program.line(), "0 closed, 0 cancelled");
    }
}
