//! Runs each program.

#[cfg(unix)]
use std::fs::{self, File};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::Instant,
};

use program::{PATIENCE, Program, RUNTIMES, Server};

mod http_headers;
mod program;
mod tcp_proxy;
#[cfg(unix)]
mod unix_server;

#[test]
fn echo_across_runtimes() {
    for server_runtime in RUNTIMES {
        let server = Server::start(env!("CARGO_BIN_EXE_tcp_echo_server"), server_runtime);
        for client_runtime in RUNTIMES {
            let args = ["--runtime", client_runtime, "--port", server.port(), "hi"];
            let client = Program::start(env!("CARGO_BIN_EXE_tcp_echo_client"), &args);
            assert_eq!(
                client.output(),
                [r#"Send: "hi""#, r#"Received: "hi""#, "Close the connection"]
            );
            let received = server.program.line();
            let received = received.strip_prefix(r#"Received: b"hi\n" from 127.0.0.1:"#);
            assert!(received.is_some_and(|port| port.parse::<u16>().is_ok()));
            assert_eq!(server.program.line(), "Close the connection");
        }
    }
}

#[test]
fn wait_for_data() {
    for runtime in RUNTIMES {
        let args = ["--runtime", runtime];
        let program = Program::start(env!("CARGO_BIN_EXE_wait_for_data"), &args);
        assert_eq!(program.output(), ["Received: abc"]);
    }
}

/// Lines, and what the filter makes of them.
#[cfg(unix)]
fn numbered(count: usize) -> (String, String) {
    let lines = || (1..=count).map(|n| format!("the line {n}\n"));
    let numbered = lines().zip(1..).map(|(line, n)| format!("{n:6}\t{line}"));
    (lines().collect(), numbered.collect())
}

#[cfg(unix)]
fn filter(runtime: &str, input: impl Into<Stdio>, output: impl Into<Stdio>) -> Child {
    Command::new(env!("CARGO_BIN_EXE_pipe_filter"))
        .args(["--runtime", runtime])
        .stdin(input)
        .stdout(output)
        .spawn()
        .unwrap()
}

#[test]
#[cfg(unix)]
fn filter_between_pipes() {
    for runtime in RUNTIMES {
        let (lines, expected) = numbered(100_000);
        let mut child = filter(runtime, Stdio::piped(), Stdio::piped());
        let mut input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        // A line comes out as soon as it has come in.
        let (first, rest) = lines.split_once('\n').unwrap();
        writeln!(input, "{first}").unwrap();
        let mut received = String::new();
        output.read_line(&mut received).unwrap();
        assert_eq!(received, "     1\tthe line 1\n");
        let rest = rest.to_owned();
        let feeding = thread::spawn(move || input.write_all(rest.as_bytes()).unwrap());
        output.read_to_string(&mut received).unwrap();
        assert!(received == expected, "{} bytes", received.len());
        assert!(child.wait().unwrap().success());
        feeding.join().unwrap();
    }
}

#[test]
#[cfg(unix)]
fn filter_between_files() {
    for runtime in RUNTIMES {
        let (lines, expected) = numbered(100_000);
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::write(&from, lines).unwrap();
        let output = File::create(&to).unwrap();
        let mut child = filter(runtime, File::open(&from).unwrap(), output);
        assert!(child.wait().unwrap().success());
        assert!(fs::read_to_string(&to).unwrap() == expected);
    }
}

/// Nobody reads, so it does not read on either.
#[test]
#[cfg(unix)]
fn filter_before_a_slow_reader() {
    for runtime in RUNTIMES {
        let mut child = filter(runtime, Stdio::piped(), Stdio::piped());
        let mut input = child.stdin.take().unwrap();
        let (written, progress) = mpsc::channel();
        let feeding = thread::spawn(move || {
            let (lines, expected) = numbered(100_000);
            for piece in lines.as_bytes().chunks(1000) {
                input.write_all(piece).unwrap();
                written.send(piece.len()).unwrap();
            }
            expected
        });
        let mut taken = 0;
        while let Ok(n) = progress.recv_timeout(Duration::from_millis(300)) {
            taken += n;
            assert!(taken < 1_000_000, "{taken} bytes of 1.6 million");
        }
        let mut received = String::new();
        let mut output = child.stdout.take().unwrap();
        output.read_to_string(&mut received).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(received == feeding.join().unwrap());
    }
}

#[test]
#[cfg(unix)]
fn filter_before_a_reader_that_leaves() {
    for runtime in RUNTIMES {
        let mut child = filter(runtime, Stdio::piped(), Stdio::piped());
        let mut input = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        input.write_all(b"one\n").unwrap();
        output.read_exact(&mut [0; 11]).unwrap();
        drop(output);
        // It ends though its input goes on.
        while input.write_all(b"more\n").is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(child.wait().unwrap().success());
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
        "tour: 9 steps on tokio, 9 on smol, all as promised"
    );
}

/// Somebody in the chat, with a socket of the standard library.
struct Member {
    socket: BufReader<TcpStream>,
}

impl Member {
    fn connect(server: &Server) -> Self {
        let socket = TcpStream::connect(&server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
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
                return bob; // who stays until all is over
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
        assert!(start.elapsed() < PATIENCE, "Bob missed nothing");
    }
    let _bob = reading.join().unwrap();
}

#[test]
fn slow_member_of_a_chat() {
    RUNTIMES.into_iter().for_each(slow_member);
}

#[test]
fn a_reset_takes_nobody_else_along() -> io::Result<()> {
    let server = Server::start(env!("CARGO_BIN_EXE_tcp_echo_server"), "tokio");
    let mut rude = TcpStream::connect(&server.address)?;
    rude.write_all(b"one\ntwo\n")?;
    rude.read_exact(&mut [0])?;
    drop(rude); // with unread data: a reset

    let mut kind = TcpStream::connect(&server.address)?;
    kind.write_all(b"ping\n")?;
    kind.read_exact(&mut [0; 5])
}
