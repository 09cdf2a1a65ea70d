//! The four programs of asyncio's documentation, as they are there (`asyncio/`) and as they are here:
//! each side of a pair with each other, the same bytes on the wire and the same lines on the terminal.
//!
//! Only the quotes differ: Python prefers `'`, Rust `"`. The messages have neither.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread::{self, JoinHandle},
};

use crate::program::{Program, RUNTIMES, there_is};

/// Who runs a program: Python the original, or a runtime ours.
#[derive(Clone, Copy, Debug)]
enum By {
    Python,
    Runtime(&'static str),
}

const ALL: [By; 3] = [
    By::Python,
    By::Runtime(RUNTIMES[0]),
    By::Runtime(RUNTIMES[1]),
];

fn python(source: &str, args: &[&str]) -> Program {
    Program::start("python3", &[&["-u", "-c", source], args].concat())
}

/// In a program of the documentation, something that cannot stay as it is.
fn replaced(source: &str, from: &str, to: &str) -> String {
    assert_eq!(source.matches(from).count(), 1, "{from:?}");
    source.replace(from, to)
}

/// Stands between the client and the server of one connection and keeps what passes, which is known
/// when both have ended in good order.
struct Relay {
    port: u16,
    passed: JoinHandle<Passed>,
}

struct Passed {
    /// Where the server saw the client.
    client: SocketAddr,
    asked: Vec<u8>,
    answered: Vec<u8>,
}

impl Relay {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let passed = thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let server = TcpStream::connect(server).unwrap();
            let there = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let asked = thread::spawn(move || pass(there.0, there.1));
            Passed {
                client: server.local_addr().unwrap(),
                answered: pass(server, client),
                asked: asked.join().unwrap(),
            }
        });
        Self { port, passed }
    }
}

/// Passes one direction on, with its end, which must not be a reset.
fn pass(mut from: TcpStream, mut to: TcpStream) -> Vec<u8> {
    let mut passed = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let n = from.read(&mut piece).unwrap();
        if n == 0 {
            // It may have gone already.
            let _ = to.shutdown(Shutdown::Write);
            return passed;
        }
        passed.extend_from_slice(&piece[..n]);
        to.write_all(&piece[..n]).unwrap();
    }
}

struct EchoServer {
    program: Program,
    address: SocketAddr,
}

impl EchoServer {
    fn start(by: By) -> Self {
        let program = match by {
            By::Python => {
                let source = include_str!("asyncio/tcp_echo_server.py");
                python(&replaced(source, "8888", "0"), &[])
            }
            By::Runtime(name) => Program::start(
                env!("CARGO_BIN_EXE_tcp_echo_server"),
                &["--runtime", name, "--port", "0"],
            ),
        };
        let line = single_quoted(&program.line());
        let port = line
            .strip_prefix("Serving on ('127.0.0.1', ")
            .and_then(|rest| rest.strip_suffix(')'))
            .unwrap_or_else(|| panic!("{by:?} says {line}"));
        let address = SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
        Self { program, address }
    }
}

fn echo_client(by: By, port: u16, message: &str) -> Program {
    let port = port.to_string();
    match by {
        By::Python => {
            let source = include_str!("asyncio/tcp_echo_client.py");
            let source = replaced(source, "8888", &port);
            python(&replaced(&source, "Hello World!", message), &[])
        }
        By::Runtime(name) => Program::start(
            env!("CARGO_BIN_EXE_tcp_echo_client"),
            &["--runtime", name, "--port", &port, message],
        ),
    }
}

fn single_quoted(line: &str) -> String {
    line.replace('"', "'")
}

#[test]
fn echo_clients_and_servers_of_both_languages_are_the_same() {
    if !there_is("python3", "--version") {
        return;
    }
    let long = "0123456789".repeat(30);
    // What comes back, of which no more than 100 bytes are read.
    let messages = [
        ("Hello World!", "Hello World!"),
        ("Grüße, 世界", "Grüße, 世界"),
        (&long, &long[..100]),
    ];
    for server_by in ALL {
        let server = EchoServer::start(server_by);
        for (client_by, (message, echo)) in ALL
            .into_iter()
            .flat_map(|by| messages.map(|message| (by, message)))
        {
            let what = format!("{client_by:?} asks {server_by:?}: {message}");
            let relay = Relay::to(server.address);
            let client = echo_client(client_by, relay.port, message).output();
            let client: Vec<_> = client.iter().map(|line| single_quoted(line)).collect();
            let expected = [
                format!("Send: '{message}'"),
                format!("Received: '{echo}'"),
                "Close the connection".to_owned(),
            ];
            assert_eq!(client, expected, "{what}");

            let passed = relay.passed.join().unwrap();
            let port = passed.client.port();
            for expected in [
                format!("Received '{echo}' from ('127.0.0.1', {port})"),
                format!("Send: '{echo}'"),
                "Close the connection".to_owned(),
            ] {
                assert_eq!(single_quoted(&server.program.line()), expected, "{what}");
            }
            assert_eq!(passed.asked, message.as_bytes(), "{what}");
            assert_eq!(passed.answered, echo.as_bytes(), "{what}");
        }
    }
}

/// What a program prints of what the server at `address` answers, and what it has asked.
fn headers(by: By, server: SocketAddr, host: &str, path: &str) -> (Vec<String>, Vec<u8>) {
    let relay = Relay::to(server);
    let port = relay.port;
    let program = match by {
        By::Python => {
            let source = include_str!("asyncio/http_headers.py");
            let source = replaced(source, "hostname, 80)", &format!("hostname, {port})"));
            python(&source, &[&format!("http://{host}{path}")])
        }
        By::Runtime(name) => Program::start(
            env!("CARGO_BIN_EXE_http_headers"),
            &["--runtime", name, &format!("http://{host}:{port}{path}")],
        ),
    };
    let mut lines = program.output();
    lines.retain(|line| !line.starts_with("HTTP header> Date: "));
    (lines, relay.passed.join().unwrap().asked)
}

#[test]
fn headers_are_asked_for_and_printed_as_by_the_original() {
    if !there_is("python3", "--version") {
        return;
    }
    let args = ["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"];
    let server = Program::start("python3", &args);
    let line = server.line(); // Serving HTTP on 127.0.0.1 port 41234 (http://...
    let port: u16 = line.split(' ').nth(5).unwrap().parse().unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    for (host, path, status) in [
        ("127.0.0.1", "/Cargo.toml", "200 OK"),
        ("LocalHost", "", "200 OK"),
        ("127.0.0.1", "/Cargo.toml?query#fragment", "200 OK"),
        ("user:password@localhost", "/nothing", "404 File not found"),
    ] {
        let [python, ours @ ..] = ALL.map(|by| headers(by, address, host, path));
        assert_eq!(python.0[0], format!("HTTP header> HTTP/1.0 {status}"));
        for ours in ours {
            assert_eq!(ours.0, python.0, "{host}{path}");
            assert_eq!(
                ours.1.escape_ascii().to_string(),
                python.1.escape_ascii().to_string()
            );
        }
    }
}

/// It prints on behind the headers, in Latin-1, without what is empty or at the end of a line.
#[test]
fn whatever_a_server_answers_is_printed_as_by_the_original() {
    const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nX: \xe9t\xe9\t\"1\" \t \r\n\r\nbody\n \nend\xa0";
    if !there_is("python3", "--version") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        for _ in ALL {
            let (mut socket, _) = listener.accept().unwrap();
            socket.write_all(ANSWER).unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            // With unread input a close would be a reset.
            socket.read_to_end(&mut Vec::new()).unwrap();
        }
    });
    let expected = ["HTTP/1.0 200 OK", "X: été\t\"1\"", "body", "end"];
    let expected = expected.map(|line| format!("HTTP header> {line}"));
    for by in ALL {
        assert_eq!(headers(by, address, "localhost", "/").0, expected, "{by:?}");
    }
    serving.join().unwrap();
}

#[test]
fn data_is_waited_for_as_by_the_original() {
    if there_is("python3", "--version") {
        let original = python(include_str!("asyncio/wait_for_data.py"), &[]);
        assert_eq!(original.output(), ["Received: abc"]);
    }
    for runtime in RUNTIMES {
        let args = ["--runtime", runtime];
        let program = Program::start(env!("CARGO_BIN_EXE_wait_for_data"), &args);
        assert_eq!(program.output(), ["Received: abc"]);
    }
}
