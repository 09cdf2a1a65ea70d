//! Runs each program.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::Instant,
};

use program::{Program, RUNTIMES, Server, TIME_LIMIT};

mod documentation;
mod http_headers;
mod http_server;
mod hyper_server;
#[cfg(unix)]
mod pipe_filter;
mod program;
mod redis_client;
mod smtp;
mod tcp_proxy;
mod tls_echo_server;
#[cfg(unix)]
mod unix_server;
mod websocket_chat;

#[test]
fn lines_come_back() {
    for runtime in RUNTIMES {
        let server = Server::start(env!("CARGO_BIN_EXE_line_echo_server"), runtime);
        let mut client = BufReader::new(TcpStream::connect(&server.address).unwrap());
        for line in ["one\n", "two\n", "three"] {
            client.get_ref().write_all(line.as_bytes()).unwrap();
            if !line.ends_with('\n') {
                client.get_ref().shutdown(Shutdown::Write).unwrap();
            }
            let mut echo = String::new();
            client.read_line(&mut echo).unwrap();
            assert_eq!(echo, line);
            let received = server.program.line();
            let from = format!("Received: b{line:?} from 127.0.0.1:");
            assert!(received.starts_with(&from), "{received}");
        }
        assert_eq!(server.program.line(), "Close the connection");
    }
}

#[test]
fn blocking() {
    let lines = Program::start(env!("CARGO_BIN_EXE_blocking"), &[]).output();
    assert_eq!(lines.last().unwrap(), "S: 221 good-bye");
}

#[test]
fn fed_by_hand() {
    let lines = Program::start(env!("CARGO_BIN_EXE_fed_by_hand"), &[]).output();
    assert!(lines.contains(&r#"  ready  POST /notes b"hello""#.to_owned()));
    assert_eq!(lines.last().unwrap(), "  wait   0 bytes buffered");
}

#[test]
fn tour() {
    let lines = Program::start(env!("CARGO_BIN_EXE_tour"), &[]).output();
    assert_eq!(
        lines.last().unwrap(),
        "tour: 12 steps on tokio and on smol, all as promised"
    );
}

/// A member of the chat, with a socket of the standard library.
struct Member {
    socket: BufReader<TcpStream>,
}

impl Member {
    fn connect(server: &Server) -> Self {
        let socket = TcpStream::connect(&server.address).unwrap();
        socket.set_read_timeout(Some(TIME_LIMIT)).unwrap();
        let mut member = Self {
            socket: BufReader::new(socket),
        };
        member.expect("* your name?");
        member
    }

    fn join(server: &Server, name: &str) -> Self {
        let mut member = Self::connect(server);
        member.say(name);
        assert!(member.line().starts_with("* welcome"));
        member
    }

    fn say(&self, line: &str) {
        let line = format!("{line}\r\n"); // as telnet does
        self.socket.get_ref().write_all(line.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.socket.read_line(&mut line).unwrap();
        assert_eq!(line.pop(), Some('\n'));
        line
    }

    fn expect(&mut self, line: &str) {
        assert_eq!(self.line(), line);
    }

    /// The number at the start of the next line.
    fn number(&mut self) -> usize {
        let line = self.line();
        let text = line.strip_prefix("ada: ").expect(&line);
        text.split(' ').next().unwrap().parse().unwrap()
    }
}

#[test]
fn chat() {
    for runtime in RUNTIMES {
        let server = Server::start(env!("CARGO_BIN_EXE_line_chat"), runtime);
        let mut ada = Member::join(&server, "ada");

        let mut bob = Member::connect(&server);
        bob.say(&"b".repeat(2000));
        bob.expect("* your name?");
        bob.say("ada");
        bob.expect("* your name?");
        bob.say("bob");
        bob.expect("* welcome; here: ada, bob");
        ada.expect("* bob joined");

        let mut eve = Member::join(&server, "eve");
        ada.expect("* eve joined");
        bob.expect("* eve joined");

        eve.say("a bell \x07 rings");
        ada.expect("eve: a bell  rings");
        bob.expect("eve: a bell  rings");

        eve.say(&"x".repeat(2000));
        eve.expect("* too long: a line has at most 1024 bytes");
        eve.say("sorry");
        ada.expect("eve: sorry");
        bob.expect("eve: sorry");

        drop(eve);
        ada.expect("* eve left");
        bob.expect("* eve left");
        ada.say("bye");
        bob.expect("ada: bye");
    }
}

/// Bob does not read. Eve gets every line all the same, and Bob learns later what he missed.
fn slow_member(runtime: &str) {
    const LINES: usize = 10_000;
    const BATCH: usize = 50;
    let server = Server::start(env!("CARGO_BIN_EXE_line_chat"), runtime);
    let ada = Member::join(&server, "ada");
    let mut bob = Member::join(&server, "bob");
    let mut eve = Member::join(&server, "eve");
    bob.expect("* eve joined");

    let filling = "x".repeat(1000);
    for batch in (0..LINES).step_by(BATCH) {
        for n in batch..batch + BATCH {
            ada.say(&format!("{n} {filling}"));
        }
        for n in batch..batch + BATCH {
            assert_eq!(eve.number(), n);
        }
    }

    let reading = thread::spawn(move || {
        for expected in 0.. {
            let line = bob.line();
            if let Some(missed) = line.strip_prefix("* you missed ") {
                let missed: usize = missed.strip_suffix(" lines").unwrap().parse().unwrap();
                assert_eq!(bob.number(), expected + missed);
                return bob; // he stays until the end
            }
            assert!(line.starts_with(&format!("ada: {expected} ")));
        }
        unreachable!("there is no last number")
    });
    let start = Instant::now();
    for n in LINES.. {
        ada.say(&n.to_string());
        assert_eq!(eve.number(), n);
        if reading.is_finished() {
            break;
        }
        assert!(start.elapsed() < TIME_LIMIT, "Bob missed nothing");
    }
    let _bob = reading.join().unwrap();
}

#[test]
fn slow_member_of_a_chat() {
    RUNTIMES.into_iter().for_each(slow_member);
}

#[test]
fn a_reset_leaves_other_connections_open() -> io::Result<()> {
    let server = Server::start(env!("CARGO_BIN_EXE_line_echo_server"), "tokio");
    let mut rude = TcpStream::connect(&server.address)?;
    rude.write_all(b"one\ntwo\n")?;
    rude.read_exact(&mut [0])?;
    drop(rude); // with unread data: a reset

    let mut kind = TcpStream::connect(&server.address)?;
    kind.write_all(b"ping\n")?;
    kind.read_exact(&mut [0; 5])
}
