//! Conversations with CPython's asyncio, in both roles, on each runtime.
//!
//! They are skipped where there is no `python3`, unless the environment variable `MILLPOND_REQUIRE`,
//! a list with commas, names it. `MILLPOND_PYTHON` is the path of another interpreter.

mod python;

use std::{
    io::{self, BufRead, BufReader},
    net::Ipv4Addr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use futures_channel::mpsc;
use futures_util::{StreamExt, future::try_join};
use millpond::{BoxFuture, ReadError, Runtime, StreamReader, StreamWriter};
use millpond_conformance::{Harness, Scenario, run};
use millpond_smol::Smol;
use millpond_tokio::Tokio;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/peer.py");

struct OnTokio;

struct OnSmol;

impl Harness for OnTokio {
    fn run(scenario: Scenario) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let tokio = Tokio::new(runtime.handle().clone());
        runtime.block_on(scenario.on(Arc::new(tokio)));
    }
}

impl Harness for OnSmol {
    fn run(scenario: Scenario) {
        smol::block_on(scenario.on(Arc::new(Smol)));
    }
}

/// Tests of each conversation: what this side does in either role, and the script the other one.
macro_rules! conversations {
    ($runtime:ident, $harness:ident: $($name:ident),* $(,)?) => {
        mod $runtime {
            mod our_client {
                $(
                    #[test]
                    fn $name() {
                        crate::talk_to_server::<crate::$harness>(stringify!($name), |reader, writer| {
                            Box::pin(crate::client::$name(reader, writer))
                        });
                    }
                )*
            }

            mod our_server {
                $(
                    #[test]
                    fn $name() {
                        crate::talk_to_client::<crate::$harness>(stringify!($name), |reader, writer| {
                            Box::pin(crate::server::$name(reader, writer))
                        });
                    }
                )*
            }
        }
    };
    ($($names:tt)*) => {
        conversations!(on_tokio, OnTokio: $($names)*);
        conversations!(on_smol, OnSmol: $($names)*);
    };
}

conversations! {
    both_send_much_at_once,
    lines_are_echoed,
    the_client_ends_first,
    the_server_ends_first,
}

/// As in the script.
fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| ((seed + 7 * i + 13 * (i >> 8)) & 255) as u8)
        .collect()
}

fn question() -> Vec<u8> {
    pattern(1, 300_000)
}

fn answer() -> Vec<u8> {
    pattern(2, 300_000)
}

fn from_client() -> Vec<u8> {
    pattern(3, 1 << 20)
}

fn from_server() -> Vec<u8> {
    pattern(4, 1 << 20)
}

async fn send(writer: &mut StreamWriter, data: &[u8]) -> io::Result<()> {
    for piece in data.chunks(10_000) {
        writer.write_all(piece).await?;
    }
    Ok(())
}

async fn expect_all(reader: &mut StreamReader, data: &[u8]) -> Result<(), ReadError> {
    let received = reader.read_to_eof().await?;
    assert!(
        received == data,
        "{} of {} bytes",
        received.len(),
        data.len()
    );
    assert!(reader.at_eof());
    Ok(())
}

async fn exchange(
    mut reader: StreamReader,
    mut writer: StreamWriter,
    ours: &[u8],
    theirs: &[u8],
) -> io::Result<()> {
    try_join(send(&mut writer, ours), async {
        let received = reader.read_exactly(theirs.len()).await?;
        assert!(received == theirs);
        Ok(())
    })
    .await?;
    writer.write_eof()?;
    expect_all(&mut reader, b"").await?;
    Ok(())
}

async fn close(mut writer: StreamWriter) -> io::Result<()> {
    writer.close();
    Ok(writer.wait_closed().await?)
}

mod client {
    use super::*;

    pub(crate) async fn lines_are_echoed(
        mut reader: StreamReader,
        mut writer: StreamWriter,
    ) -> io::Result<()> {
        for number in 0..200 {
            let line = format!("line {number}\r\n");
            writer.write(line.as_bytes())?;
            assert_eq!(reader.read_until("\r\n").await?, line);
        }
        writer.write_eof()?;
        expect_all(&mut reader, b"").await?;
        close(writer).await
    }

    pub(crate) async fn the_client_ends_first(
        mut reader: StreamReader,
        mut writer: StreamWriter,
    ) -> io::Result<()> {
        send(&mut writer, &question()).await?;
        writer.write_eof()?;
        expect_all(&mut reader, &answer()).await?;
        close(writer).await
    }

    pub(crate) async fn the_server_ends_first(
        mut reader: StreamReader,
        mut writer: StreamWriter,
    ) -> io::Result<()> {
        expect_all(&mut reader, &answer()).await?;
        send(&mut writer, &question()).await?;
        close(writer).await
    }

    pub(crate) async fn both_send_much_at_once(
        reader: StreamReader,
        writer: StreamWriter,
    ) -> io::Result<()> {
        exchange(reader, writer, &from_client(), &from_server()).await
    }
}

/// What it writes last is delivered after it has returned.
mod server {
    use super::*;

    pub(crate) async fn lines_are_echoed(
        mut reader: StreamReader,
        mut writer: StreamWriter,
    ) -> io::Result<()> {
        loop {
            let line = reader.read_line().await?;
            if line.is_empty() {
                return Ok(());
            }
            writer.write_all(&line).await?;
        }
    }

    pub(crate) async fn the_client_ends_first(
        mut reader: StreamReader,
        mut writer: StreamWriter,
    ) -> io::Result<()> {
        expect_all(&mut reader, &question()).await?;
        writer.write(&answer())?;
        Ok(())
    }

    pub(crate) async fn the_server_ends_first(
        mut reader: StreamReader,
        mut writer: StreamWriter,
    ) -> io::Result<()> {
        writer.write(&answer())?;
        writer.write_eof()?;
        expect_all(&mut reader, &question()).await?;
        Ok(())
    }

    pub(crate) async fn both_send_much_at_once(
        reader: StreamReader,
        writer: StreamWriter,
    ) -> io::Result<()> {
        exchange(reader, writer, &from_server(), &from_client()).await
    }
}

type Conversation = fn(StreamReader, StreamWriter) -> BoxFuture<'static, io::Result<()>>;

/// The script is the server, this side the client.
fn talk_to_server<H: Harness>(name: &'static str, conversation: Conversation) {
    let Some(interpreter) = python::interpreter() else {
        return;
    };
    run::<H>(name, move |runtime| {
        Box::pin(async move {
            let mut peer = Peer::start(&interpreter, &["server", name]);
            let address = (Ipv4Addr::LOCALHOST, peer.port());
            let opening = millpond::open_connection(runtime.clone(), address);
            let (reader, writer) = opening.await.unwrap();
            conversation(reader, writer).await.unwrap();
            peer.succeed(&*runtime).await;
        })
    });
}

/// The script is the client, this side the server.
fn talk_to_client<H: Harness>(name: &'static str, conversation: Conversation) {
    let Some(interpreter) = python::interpreter() else {
        return;
    };
    run::<H>(name, move |runtime| {
        Box::pin(async move {
            let (sender, mut results) = mpsc::unbounded();
            let handler = move |reader, writer| {
                let sender = sender.clone();
                async move {
                    let result = conversation(reader, writer).await;
                    sender.unbounded_send(result).unwrap();
                }
            };
            let any_port = (Ipv4Addr::LOCALHOST, 0);
            let server = millpond::start_server(runtime.clone(), any_port, handler);
            let server = server.await.unwrap();
            let port = server.sockets()[0].tcp().unwrap().port().to_string();
            let mut peer = Peer::start(&interpreter, &["client", name, &port]);
            peer.succeed(&*runtime).await;
            results.next().await.unwrap().unwrap();
            server.close();
            server.wait_closed().await;
        })
    });
}

/// The script; killed when this is dropped.
struct Peer(Child);

impl Peer {
    fn start(interpreter: &str, arguments: &[&str]) -> Self {
        let child = Command::new(interpreter)
            .arg(SCRIPT)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    /// The port that it prints when it serves.
    fn port(&mut self) -> u16 {
        let mut line = String::new();
        let stdout = self.0.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        line.trim().parse().expect("the script prints its port")
    }

    async fn succeed(&mut self, runtime: &dyn Runtime) {
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            runtime.sleep(Duration::from_millis(5)).await;
        };
        assert!(status.success(), "the script ended with {status}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It fails if the script has ended, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
