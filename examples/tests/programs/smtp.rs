//! Mails over TLS that begins in the middle of the stream.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Output},
    thread::{self, JoinHandle},
};

use millpond_examples::tls;

use crate::program::{Program, RUNTIMES, Server, TIME_LIMIT};

const SERVER: &str = env!("CARGO_BIN_EXE_smtp_server");
const CLIENT: &str = env!("CARGO_BIN_EXE_smtp_client");

fn start(runtime: &str, ca: &Path) -> Server {
    Server::start_with(SERVER, runtime, &["--ca", ca.to_str().unwrap()])
}

/// A client without TLS. What it asks is sent at once.
fn ask(address: &str, question: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(TIME_LIMIT)).unwrap();
    socket.write_all(question.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_mail_is_delivered_across_runtimes() {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    for server_runtime in RUNTIMES {
        let server = start(server_runtime, &ca);
        for (number, client_runtime) in (1..).zip(RUNTIMES) {
            let args = [
                ["--runtime", client_runtime],
                ["--port", server.port()],
                ["--ca", ca.to_str().unwrap()],
                ["--to", "bob@example.org"],
                ["--to", "eve@example.org"],
            ];
            let text = "one\n.\n..three";
            let client = Program::start(CLIENT, &[&args.concat()[..], &[text]].concat());
            assert_eq!(
                client.output(),
                ["Sent to bob@example.org, eve@example.org"]
            );
            for expected in [
                &format!("Mail {number} from ada@example.org to bob@example.org, eve@example.org"),
                "> From: ada@example.org",
                "> To: bob@example.org, eve@example.org",
                "> ",
                "> one",
                "> .",
                "> ..three",
            ] {
                assert_eq!(server.program.line(), *expected);
            }
        }
    }
}

#[test]
fn no_mail_goes_to_a_server_that_is_not_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    let other = directory.path().join("other.pem");
    let _ = tls::acceptor_for_localhost(&other).unwrap();
    for runtime in RUNTIMES {
        let server = start(runtime, &ca);
        let args = ["--runtime", runtime, "--port", server.port()];
        let output = Command::new(CLIENT)
            .args(args)
            .arg("--ca")
            .arg(&other)
            .output()
            .unwrap();
        assert!(!output.status.success());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("invalid peer certificate"), "{stderr}");
    }
}

/// The program, and its connection.
fn client_of_a_server_by_hand(runtime: &str) -> (JoinHandle<Output>, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let client = thread::spawn({
        let args = ["--runtime", runtime, "--port", &port].map(ToOwned::to_owned);
        move || Command::new(CLIENT).args(args).output().unwrap()
    });
    let (socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(TIME_LIMIT)).unwrap();
    (client, socket)
}

#[test]
fn no_mail_goes_in_the_clear() {
    for runtime in RUNTIMES {
        let (client, mut socket) = client_of_a_server_by_hand(runtime);
        socket
            .write_all(b"220 hello\r\n250-hello\r\n250 SIZE\r\n")
            .unwrap();
        let mut received = String::new();
        socket.read_to_string(&mut received).unwrap();
        assert_eq!(received, "EHLO localhost\r\n");
        let output = client.join().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("does not offer STARTTLS"), "{stderr}");
    }
}

/// An attacker in between adds to the answer before TLS starts.
#[test]
fn a_client_believes_nothing_that_came_before_tls() {
    for runtime in RUNTIMES {
        let (client, mut socket) = client_of_a_server_by_hand(runtime);
        socket.write_all(b"220 hello\r\n250 STARTTLS\r\n").unwrap();
        let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "EHLO localhost");
        assert_eq!(lines.next().unwrap().unwrap(), "STARTTLS");
        socket.write_all(b"220 go ahead\r\n250 evil\r\n").unwrap();
        assert!(lines.next().is_none(), "not even a handshake");
        let output = client.join().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            stderr.contains("10 bytes were received before TLS"),
            "{stderr}"
        );
    }
}

#[test]
fn a_server_takes_no_mail_and_no_command_from_before_tls() {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    for runtime in RUNTIMES {
        let server = start(runtime, &ca);
        let hello = "220 localhost ESMTP\r\n250-localhost\r\n250 STARTTLS\r\n";
        for (question, answer) in [
            (
                "EHLO eve\r\nSTARTTLS\r\nRSET\r\n",
                "554 nothing may follow STARTTLS\r\n",
            ),
            (
                "EHLO eve\r\nSTARTTLS\r\n\n",
                "554 nothing may follow STARTTLS\r\n",
            ),
            (
                "EHLO eve\r\nMAIL FROM:<eve@example.org>\r\nQUIT\r\n",
                "530 say STARTTLS first\r\n221 good-bye\r\n",
            ),
        ] {
            assert_eq!(ask(&server.address, question), format!("{hello}{answer}"));
        }
    }
}
