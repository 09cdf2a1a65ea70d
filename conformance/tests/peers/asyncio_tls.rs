//! CPython's asyncio over TLS, in both roles: from the first byte, and with `start_tls` in the middle
//! of the stream. It knows no half close there.

use std::{
    future::poll_fn,
    io, mem,
    net::Ipv4Addr,
    process::{Command, Stdio},
    sync::Arc,
    task::Poll,
};

use futures_channel::mpsc;
use futures_util::{StreamExt, future::try_join};
use millpond::{Runtime, Stream, StreamServer, StreamWriter, WriteError, adapter::BoxFuture};
use millpond_conformance::{Harness, run};

use crate::{
    certificates::Certificates,
    common::{Peer, find},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/tls_peer.py");

const MUCH: usize = 1 << 20;

/// As in the script.
fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (seed..seed + len).map(|i| (i % 251) as u8).collect()
}

fn from_client() -> Vec<u8> {
    pattern(1, MUCH)
}

fn from_server() -> Vec<u8> {
    pattern(2, MUCH)
}

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Begin {
    AtOnce,
    Later,
}

impl Begin {
    fn argument(self) -> &'static str {
        match self {
            Self::AtOnce => "at_once",
            Self::Later => "later",
        }
    }
}

async fn send(writer: &mut StreamWriter, data: &[u8]) -> io::Result<()> {
    for piece in data.chunks(10_000) {
        writer.write_all(piece).await?;
    }
    Ok(())
}

async fn exchange(stream: Stream, ours: &[u8], theirs: &[u8]) -> io::Result<Stream> {
    let (mut reader, mut writer) = stream.into_split();
    try_join(send(&mut writer, ours), async {
        assert!(reader.read_exactly(theirs.len()).await? == theirs);
        Ok(())
    })
    .await?;
    Ok(Stream::reunite(reader, writer).unwrap())
}

async fn expect_all(stream: &mut Stream, data: &[u8]) -> io::Result<()> {
    let received = stream.read_to_eof().await?;
    let (got, expected) = (received.len(), data.len());
    assert!(received == data, "{got} of {expected} bytes, or others");
    Ok(())
}

/// The peer leaves while no task reads, and what is written then does not reach it: it would take that
/// for an attack.
async fn until_closed(stream: &mut Stream) {
    while !stream.is_closing() {
        let drained = stream.drain().await;
        assert!(
            matches!(drained, Ok(()) | Err(WriteError::PeerClosed)),
            "{drained:?}"
        );
        yield_now().await;
    }
    assert_eq!(stream.write(b"too late\n"), Err(WriteError::PeerClosed));
}

mod client {
    use super::*;

    pub(super) async fn lines_are_echoed(mut stream: Stream) -> io::Result<()> {
        for number in 0..200 {
            let line = format!("line {number}\r\n");
            stream.write(line.as_bytes())?;
            assert_eq!(stream.read_until("\r\n").await?, line);
        }
        close(stream).await
    }

    pub(super) async fn the_client_sends_much_and_ends(mut stream: Stream) -> io::Result<()> {
        stream.write_all(&from_client()).await?;
        close(stream).await
    }

    pub(super) async fn the_server_sends_much_and_ends(mut stream: Stream) -> io::Result<()> {
        expect_all(&mut stream, &from_server()).await?;
        close(stream).await
    }

    pub(super) async fn both_send_much_at_once(stream: Stream) -> io::Result<()> {
        close(exchange(stream, &from_client(), &from_server()).await?).await
    }

    /// So the end of the question is sent to peers that support half-close, and the answer is not lost.
    pub(super) async fn the_client_ends_its_question_if_it_can(
        mut stream: Stream,
    ) -> io::Result<()> {
        stream.write(b"question\n")?;
        if stream.can_write_eof() {
            stream.write_eof()?;
        }
        expect_all(&mut stream, b"question\n").await?;
        close(stream).await
    }

    pub(super) async fn the_peer_leaves_before_the_answer(mut stream: Stream) -> io::Result<()> {
        stream.write(b"question\n")?;
        assert_eq!(stream.read_line().await?, "go\n");
        until_closed(&mut stream).await;
        close(stream).await
    }

    async fn close(mut stream: Stream) -> io::Result<()> {
        stream.close();
        Ok(stream.wait_closed().await?)
    }
}

/// What it writes last is delivered after it has returned.
mod server {
    use super::*;

    pub(super) async fn lines_are_echoed(mut stream: Stream) -> io::Result<()> {
        loop {
            let line = stream.read_line().await?;
            if line.is_empty() {
                return Ok(());
            }
            stream.write_all(&line).await?;
        }
    }

    pub(super) async fn the_client_sends_much_and_ends(mut stream: Stream) -> io::Result<()> {
        expect_all(&mut stream, &from_client()).await
    }

    pub(super) async fn the_server_sends_much_and_ends(mut stream: Stream) -> io::Result<()> {
        Ok(stream.write(from_server())?)
    }

    pub(super) async fn the_client_ends_its_question_if_it_can(
        mut stream: Stream,
    ) -> io::Result<()> {
        let line = stream.read_line().await?;
        Ok(stream.write(&line)?)
    }

    pub(super) async fn the_peer_leaves_before_the_answer(mut stream: Stream) -> io::Result<()> {
        assert_eq!(stream.read_line().await?, "question\n");
        stream.write(b"go\n")?;
        until_closed(&mut stream).await;
        Ok(())
    }

    pub(super) async fn both_send_much_at_once(stream: Stream) -> io::Result<()> {
        let mut stream = exchange(stream, &from_server(), &from_client()).await?;
        expect_all(&mut stream, b"").await
    }
}

type Conversation = fn(Stream) -> BoxFuture<'static, io::Result<()>>;

struct Talk {
    runtime: Arc<dyn Runtime>,
    python: String,
    begin: Begin,
    name: &'static str,
    conversation: Conversation,
    certificates: Certificates,
}

impl Talk {
    fn script(&self, role: &str) -> Command {
        let mut command = Command::new(&self.python);
        command
            .args([SCRIPT, role, self.begin.argument(), self.name])
            .current_dir(&self.certificates.directory);
        command
    }
}

/// The script is the server, this side the client.
async fn talk_to_server(talk: Talk) {
    let mut peer = Peer::start(talk.script("server").stdout(Stdio::piped()));
    let port: u16 = peer.first_line().trim().parse().expect("its port");

    let tls = talk.certificates.connector();
    let connecting = millpond::connect(talk.runtime.clone(), ("localhost", port));
    let stream = match talk.begin {
        Begin::AtOnce => connecting.tls(tls).await.unwrap(),
        Begin::Later => {
            let mut stream = connecting.await.unwrap();
            stream.write(b"STARTTLS\n").unwrap();
            assert_eq!(stream.read_line().await.unwrap(), "go ahead\n");
            stream.start_tls(tls).await.unwrap();
            stream
        }
    };
    (talk.conversation)(stream).await.unwrap();
    peer.succeed(&*talk.runtime).await;
}

/// The script is the client, this side the server.
async fn talk_to_client(talk: Talk) {
    let (sender, mut results) = mpsc::unbounded();
    let (begin, conversation, tls) = (talk.begin, talk.conversation, talk.certificates.acceptor());
    let later = tls.clone();
    let target = (Ipv4Addr::LOCALHOST, 0);
    let server = StreamServer::new(talk.runtime.clone(), target, move |mut stream: Stream| {
        let (sender, later) = (sender.clone(), later.clone());
        async move {
            if begin == Begin::Later {
                assert_eq!(stream.read_line().await.unwrap(), "STARTTLS\n");
                stream.write(b"go ahead\n").unwrap();
                stream.start_tls(later).await.unwrap();
            }
            assert!(stream.extra_info().tls.is_some());
            let result = conversation(stream).await;
            sender.unbounded_send(result).unwrap();
        }
    });
    let server = match begin {
        Begin::AtOnce => server.tls(tls),
        Begin::Later => server,
    };
    server.start_serving().await.unwrap();
    let port = server.sockets()[0].tcp().unwrap().port();
    let mut peer = Peer::start(talk.script("client").arg(port.to_string()));
    peer.succeed(&*talk.runtime).await;
    results.next().await.unwrap().unwrap();
    let shutdown = server.shutdown().await;
    assert_eq!(shutdown.closed + shutdown.cancelled, 0);
}

fn check<H: Harness, F>(
    begin: Begin,
    name: &'static str,
    conversation: Conversation,
    talk: fn(Talk) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(python) = find("python3") else {
        return;
    };
    if begin == Begin::Later && !has_start_tls(&python) {
        eprintln!("skipped: before Python 3.11, asyncio's streams have no start_tls");
        return;
    }
    run::<H>(name, move |runtime| {
        Box::pin(talk(Talk {
            runtime,
            python,
            begin,
            name,
            conversation,
            certificates: Certificates::new(),
        }))
    });
}

fn has_start_tls(python: &str) -> bool {
    let question = "import asyncio; asyncio.StreamWriter.start_tls";
    let answer = Command::new(python)
        .args(["-c", question])
        .stderr(Stdio::null())
        .status();
    answer.unwrap().success()
}

macro_rules! conversations {
    ($($name:ident,)*) => {
        conversations!(@runtime on_tokio, OnTokio, [$($name)*]);
        conversations!(@runtime on_smol, OnSmol, [$($name)*]);
    };
    (@runtime $runtime:ident, $harness:ident, $names:tt) => {
        mod $runtime {
            mod at_once {
                conversations!(@begin $harness, AtOnce, $names);
            }

            mod later {
                conversations!(@begin $harness, Later, $names);
            }
        }
    };
    (@begin $harness:ident, $begin:ident, $names:tt) => {
        conversations!(@role our_client, client, talk_to_server, $harness, $begin, $names);
        conversations!(@role our_server, server, talk_to_client, $harness, $begin, $names);
    };
    (
        @role $role:ident, $side:ident, $talk:ident,
        $harness:ident, $begin:ident, [$($name:ident)*]
    ) => {
        mod $role {
            use crate::{asyncio_tls, common};

            $(
                #[test]
                fn $name() {
                    asyncio_tls::check::<common::$harness, _>(
                        asyncio_tls::Begin::$begin,
                        stringify!($name),
                        |stream| Box::pin(asyncio_tls::$side::$name(stream)),
                        asyncio_tls::$talk,
                    );
                }
            )*
        }
    };
}

conversations! {
    both_send_much_at_once,
    lines_are_echoed,
    the_client_ends_its_question_if_it_can,
    the_client_sends_much_and_ends,
    the_peer_leaves_before_the_answer,
    the_server_sends_much_and_ends,
}
