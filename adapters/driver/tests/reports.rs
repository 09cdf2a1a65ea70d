//! The errors of handlers that a server prints, if the program sets no hook for them. Each case runs in a
//! process of its own, and the test reads its standard error.

#![cfg(not(feature = "tracing"))]

mod support;

use std::{
    fmt,
    io::{self, ErrorKind},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use millpond::{
    StreamReader, StreamWriter,
    error::{BoxError, HandlerError, HandlerErrorCause},
    start_server,
    types::StartServer,
};

use crate::support::world::{World, address};

const CASE: &str = "MILLPOND_TEST_CASE";

/// An error of the program's own, caused by another one.
#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer was given")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// What the handler does with the first line.
async fn handle(
    case: &str,
    reader: &mut StreamReader,
    writer: &mut StreamWriter,
) -> Result<(), BoxError> {
    let line = reader.read_line().await;
    match case {
        "as it is" => line.map(drop)?,
        "as an i/o error" => line.map(drop).map_err(io::Error::from)?,
        "wrapped" => line.map(drop).map_err(|error| Wrapped(error.into()))?,
        "while writing" => writer.write_all(b"hello\n").await?,
        "in the middle" => reader.read_exactly(9).await.map(drop)?,
        "another end" => Err(io::Error::from(ErrorKind::UnexpectedEof))?,
        "another timeout" => Err(io::Error::from(ErrorKind::TimedOut))?,
        "something else" => Err("no such user: \u{1b}[2J\nmillpond: all is well \\ \"é\"")?,
        "another stream" => Err(io::Error::from(ErrorKind::ConnectionReset))?,
        other => panic!("{other}"),
    }
    Ok(())
}

fn serve(
    world: &World,
    case: &'static str,
    hook: impl FnOnce(StartServer) -> StartServer,
) -> millpond::Server {
    let server = start_server(
        world.runtime(),
        address(1),
        move |mut reader: StreamReader, mut writer: StreamWriter| async move {
            handle(case, &mut reader, &mut writer).await
        },
    );
    world.serve(hook(server.idle_timeout(Duration::from_secs(10))))
}

/// What the client does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Client {
    Fails(ErrorKind),
    /// After a line and a half.
    Ends,
    SaysALine,
    SaysNothing,
    /// Behind its line, when the server is shut down.
    IsIdle,
}

impl Client {
    fn play(self, world: &World, server: &millpond::Server) {
        let peer = world.call();
        match self {
            Self::Fails(kind) => peer.fail(kind),
            Self::Ends => {
                peer.send(b"hello\nhel");
                peer.end();
            }
            Self::SaysALine => peer.send(b"hello\n"),
            Self::SaysNothing => world.advance(Duration::from_secs(20)),
            Self::IsIdle => {
                peer.send(b"hello\n");
                world.settle();
                assert_eq!(world.run(server.shutdown()).closed, 0);
            }
        }
        world.settle();
    }
}

/// The case, what the client does, and whether that is printed.
const CASES: [(&str, Client, bool); 17] = [
    ("in the middle", Client::Ends, false),
    ("in the middle", Client::IsIdle, false),
    ("another end", Client::Ends, true),
    ("another timeout", Client::Ends, true),
    ("as it is", Client::Fails(ErrorKind::ConnectionReset), false),
    (
        "as it is",
        Client::Fails(ErrorKind::ConnectionAborted),
        false,
    ),
    ("as it is", Client::Fails(ErrorKind::BrokenPipe), false),
    ("as it is", Client::Fails(ErrorKind::TimedOut), false),
    ("as it is", Client::SaysNothing, false),
    ("as it is", Client::Fails(ErrorKind::InvalidData), true),
    (
        "as an i/o error",
        Client::Fails(ErrorKind::ConnectionReset),
        false,
    ),
    ("wrapped", Client::Fails(ErrorKind::ConnectionReset), false),
    ("while writing", Client::Fails(ErrorKind::BrokenPipe), false),
    (
        "something else",
        Client::Fails(ErrorKind::ConnectionReset),
        true,
    ),
    ("something else", Client::SaysALine, true),
    ("another stream", Client::SaysALine, true),
    ("as it is", Client::SaysALine, false),
];

#[test]
fn a_handler_error_is_printed_unless_the_client_disconnected() {
    let inside = std::env::var(CASE).ok();
    if let Some(number) = inside {
        let (case, client, _) = CASES[number.parse::<usize>().unwrap()];
        let world = World::default();
        let server = serve(&world, case, |server| server);
        client.play(&world, &server);
        return;
    }
    let name = "a_handler_error_is_printed_unless_the_client_disconnected";
    for (number, (case, client, printed)) in CASES.iter().enumerate() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(CASE, number.to_string())
            .output()
            .unwrap();
        assert!(output.status.success());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains('\u{1b}'));
        let lines = stderr.lines().filter(|line| line.starts_with("millpond: "));
        assert_eq!(
            lines.count(),
            usize::from(*printed),
            "{case}, {client:?}: {stderr}"
        );
    }
}

/// Also of those that are not printed by default.
#[test]
fn the_hook_gets_every_handler_error_and_whether_the_client_disconnected() {
    for (case, client, printed) in CASES {
        let world = World::default();
        let reports = Arc::new(Mutex::new(Vec::new()));
        let reported = reports.clone();
        let server = serve(&world, case, |server| {
            server.on_handler_error(move |error: HandlerError| {
                assert!(matches!(error.cause, HandlerErrorCause::Failed(_)));
                reported.lock().unwrap().push(error.client_has_left());
            })
        });
        client.play(&world, &server);
        let expected: &[bool] = match (case, client) {
            ("as it is", Client::SaysALine) => &[],
            _ => &[!printed],
        };
        assert_eq!(*reports.lock().unwrap(), expected, "{case}, {client:?}");
    }
}
