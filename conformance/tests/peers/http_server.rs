//! Our client and Python's `http.server`.

use std::{
    fs, io,
    net::Ipv4Addr,
    process::{Command, Stdio},
    str::FromStr,
    sync::Arc,
};

use millpond::{Runtime, Stream};
use millpond_conformance::{Harness, run};
use tempfile::TempDir;

use crate::{
    common::{OnSmol, OnTokio, Peer, find},
    pattern,
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/http_server.py");

/// It is above the limit of the reader, and no multiple of anything.
const FILE_LEN: usize = (5 << 20) + 7;

/// Serves a directory with one file, `file`.
struct Server {
    _peer: Peer,
    _directory: TempDir,
    port: u16,
    file: Vec<u8>,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = pattern(0, FILE_LEN);
        fs::write(directory.path().join("file"), &file).unwrap();
        command.current_dir(&directory).stdout(Stdio::piped());
        let mut peer = Peer::start(command.stderr(Stdio::null())); // where it logs
        let line = peer.first_line();
        let mut words = line.split_whitespace().skip_while(|word| *word != "port");
        let port = words.nth(1).expect("it prints its port").parse().unwrap();
        Self {
            _peer: peer,
            _directory: directory,
            port,
            file,
        }
    }

    async fn connect(&self, runtime: Arc<dyn Runtime>) -> Stream {
        let address = (Ipv4Addr::LOCALHOST, self.port);
        millpond::connect(runtime, address).await.unwrap()
    }
}

/// The first part of an answer.
struct Head {
    /// Its lines.
    lines: Vec<String>,
}

impl Head {
    async fn read(stream: &mut Stream) -> io::Result<Self> {
        let head = stream.read_until("\r\n\r\n").await?;
        let lines = std::str::from_utf8(&head).unwrap().lines();
        let lines = lines.map(ToOwned::to_owned).collect();
        Ok(Self { lines })
    }

    fn status(&self) -> &str {
        self.lines[0].split(' ').nth(1).unwrap()
    }

    fn length(&self) -> usize {
        let mut lengths = self.lines.iter().filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then_some(value)
        });
        usize::from_str(lengths.next().unwrap()).unwrap()
    }
}

fn a_file_is_fetched_up_to_the_end_of_the_stream<H: Harness>() {
    let Some(python) = find("python3") else {
        return;
    };
    run::<H>("HTTP/1.0", move |runtime| {
        Box::pin(async move {
            let mut command = Command::new(python);
            let server = Server::start(command.args([
                "-u",
                "-m",
                "http.server",
                "--bind",
                "127.0.0.1",
                "0",
            ]));
            let mut stream = server.connect(runtime).await;
            stream.write(b"GET /file HTTP/1.0\r\n\r\n").unwrap();
            let head = Head::read(&mut stream).await.unwrap();
            assert_eq!((head.status(), head.length()), ("200", FILE_LEN));
            let body = stream.read_to_eof().await.unwrap();
            assert!(body == server.file);
            stream.close();
            stream.wait_closed().await.unwrap();
        })
    });
}

fn a_connection_serves_one_request_after_another<H: Harness>() {
    let Some(python) = find("python3") else {
        return;
    };
    run::<H>("HTTP/1.1", move |runtime| {
        Box::pin(async move {
            let server = Server::start(Command::new(python).arg(SCRIPT));
            let mut stream = server.connect(runtime).await;
            let mut ask = async |request: &str| {
                stream.write(request.as_bytes()).unwrap();
                let head = Head::read(&mut stream).await.unwrap();
                let length = match request.starts_with("HEAD") {
                    true => 0,
                    false => head.length(),
                };
                let body = stream.read_exactly(length).await.unwrap();
                (head, body)
            };
            for _ in 0..3 {
                let (head, body) = ask("GET /file HTTP/1.1\r\n\r\n").await;
                assert_eq!(head.status(), "200");
                assert!(body == server.file);
                let (head, _) = ask("HEAD /file HTTP/1.1\r\n\r\n").await;
                assert_eq!(head.length(), FILE_LEN);
            }
            // The server closes behind errors.
            let (head, body) = ask("GET /nothing HTTP/1.1\r\n\r\n").await;
            assert_eq!(head.status(), "404");
            assert!(!body.is_empty());
            assert_eq!(stream.read_to_eof().await.unwrap(), "");
        })
    });
}

macro_rules! tests {
    ($runtime:ident, $harness:ident: $($name:ident),*) => {
        mod $runtime {
            $(
                #[test]
                fn $name() {
                    super::$name::<super::$harness>();
                }
            )*
        }
    };
    ($($name:ident,)*) => {
        tests!(on_tokio, OnTokio: $($name),*);
        tests!(on_smol, OnSmol: $($name),*);
    };
}

tests! {
    a_connection_serves_one_request_after_another,
    a_file_is_fetched_up_to_the_end_of_the_stream,
}
