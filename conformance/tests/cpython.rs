//! Conversations with CPython's asyncio, in both roles, over TCP and unix sockets, on each runtime.

use std::{
    io,
    net::Ipv4Addr,
    path::PathBuf,
    process::{Command, Stdio},
};

use common::{OnSmol, OnTokio, Peer, find};
use futures_channel::mpsc;
use futures_util::{StreamExt, future::try_join};
use millpond::{
    Address, ReadError, Runtime, StreamReader, StreamServer, StreamWriter, Target,
    adapter::BoxFuture,
};
use millpond_conformance::{Harness, run};
use tempfile::TempDir;

mod common;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/peer.py");

/// Tests of each conversation: what this side does in either role, and the script the other one.
macro_rules! conversations {
    ($($name:ident,)*) => {
        conversations!(@runtime on_tokio, OnTokio, [$($name)*]);
        conversations!(@runtime on_smol, OnSmol, [$($name)*]);
    };
    (@runtime $runtime:ident, $harness:ident, $names:tt) => {
        mod $runtime {
            mod tcp {
                conversations!(@place $harness, Tcp, $names);
            }

            #[cfg(unix)]
            mod unix {
                conversations!(@place $harness, Unix, $names);
            }
        }
    };
    (@place $harness:ident, $place:ident, $names:tt) => {
        conversations!(@role our_client, client, talk_to_server, $harness, $place, $names);
        conversations!(@role our_server, server, talk_to_client, $harness, $place, $names);
        conversations!(
            @role our_stream_server, server, talk_to_client_of_stream_server,
            $harness, $place, $names
        );
    };
    (
        @role $role:ident, $side:ident, $talk:ident,
        $harness:ident, $place:ident, [$($name:ident)*]
    ) => {
        mod $role {
            $(
                #[test]
                fn $name() {
                    crate::$talk::<crate::$harness>(
                        crate::Place::$place,
                        stringify!($name),
                        |reader, writer| Box::pin(crate::$side::$name(reader, writer)),
                    );
                }
            )*
        }
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
        writer.write(answer())?;
        Ok(())
    }

    pub(crate) async fn the_server_ends_first(
        mut reader: StreamReader,
        mut writer: StreamWriter,
    ) -> io::Result<()> {
        writer.write(answer())?;
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

/// Where the two sides meet.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Place {
    Tcp,
    #[cfg(unix)]
    Unix,
}

impl Place {
    fn path(self, directory: &TempDir) -> Option<PathBuf> {
        (self != Self::Tcp).then(|| directory.path().join("socket"))
    }

    fn listen(self, directory: &TempDir) -> Target {
        match self.path(directory) {
            Some(path) => path.into(),
            None => (Ipv4Addr::LOCALHOST, 0).into(),
        }
    }
}

/// The script is the server, this side the client.
fn talk_to_server<H: Harness>(place: Place, name: &'static str, conversation: Conversation) {
    let Some(python) = find("python3") else {
        return;
    };
    run::<H>(name, move |runtime| {
        Box::pin(async move {
            let directory = tempfile::tempdir().unwrap();
            let mut command = script(&python, &["server", name]);
            command.args(place.path(&directory));
            let mut peer = Peer::start(command.stdout(Stdio::piped()));
            let opening = millpond::open_connection(runtime.clone(), address(&mut peer));
            let (reader, writer) = opening.await.unwrap();
            conversation(reader, writer).await.unwrap();
            peer.succeed(&*runtime).await;
        })
    });
}

/// The script is the client, this side the server.
fn talk_to_client<H: Harness>(place: Place, name: &'static str, conversation: Conversation) {
    let Some(python) = find("python3") else {
        return;
    };
    run::<H>(name, move |runtime| {
        Box::pin(async move {
            let directory = tempfile::tempdir().unwrap();
            let (sender, results) = mpsc::unbounded();
            let handler = move |reader, writer| report(conversation(reader, writer), &sender);
            let target = place.listen(&directory);
            let server = millpond::start_server(runtime.clone(), target, handler);
            let server = server.await.unwrap();
            serve_script(&python, name, &server.sockets()[0], results, &*runtime).await;
            server.close();
            server.wait_closed().await;
        })
    });
}

/// The same, with a server that can be bound, started and closed.
fn talk_to_client_of_stream_server<H: Harness>(
    place: Place,
    name: &'static str,
    conversation: Conversation,
) {
    let Some(python) = find("python3") else {
        return;
    };
    run::<H>(name, move |runtime| {
        Box::pin(async move {
            let directory = tempfile::tempdir().unwrap();
            let (sender, results) = mpsc::unbounded();
            let target = place.listen(&directory);
            let server = StreamServer::new(runtime.clone(), target, move |stream| {
                let (reader, writer) = stream.into_split();
                report(conversation(reader, writer), &sender)
            });
            server.start_serving().await.unwrap();
            serve_script(&python, name, &server.sockets()[0], results, &*runtime).await;
            let shutdown = server.shutdown().await;
            assert_eq!(shutdown.closed + shutdown.cancelled, 0);
        })
    });
}

type Results = mpsc::UnboundedReceiver<io::Result<()>>;

/// What a handler does: it reports how the conversation went.
fn report(
    conversation: BoxFuture<'static, io::Result<()>>,
    results: &mpsc::UnboundedSender<io::Result<()>>,
) -> BoxFuture<'static, ()> {
    let results = results.clone();
    Box::pin(async move {
        let result = conversation.await;
        results.unbounded_send(result).unwrap();
    })
}

async fn serve_script(
    python: &str,
    name: &str,
    server: &Address,
    mut results: Results,
    runtime: &dyn Runtime,
) {
    let address = match server.tcp() {
        Some(address) => address.port().to_string(),
        None => server.to_string(),
    };
    let mut peer = Peer::start(&mut script(python, &["client", name, &address]));
    peer.succeed(runtime).await;
    results.next().await.unwrap().unwrap();
}

fn script(python: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(python);
    command.arg(SCRIPT).args(arguments);
    command
}

/// The port or path that the script prints when it serves.
fn address(peer: &mut Peer) -> Target {
    let line = peer.first_line();
    let address = line.trim();
    match address.parse::<u16>() {
        Ok(port) => (Ipv4Addr::LOCALHOST, port).into(),
        Err(_) => PathBuf::from(address).into(),
    }
}
