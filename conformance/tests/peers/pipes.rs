//! netcat and socat, which copy between a socket and their own standard input and output: each as
//! client of our server and as server of our client, wherever they can meet us.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    net::Ipv4Addr,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use futures_channel::mpsc;
use futures_util::{
    StreamExt,
    future::{join, try_join},
};
use millpond::{Runtime, StreamReader, StreamWriter, Target, WriteError, adapter::BoxFuture};
use millpond_conformance::{Harness, run};
use tempfile::TempDir;

use crate::{
    common::{Peer, find},
    pattern,
};

/// More than the system buffers on the way, usually.
const MUCH: usize = 1 << 20;

/// Less than a pipe holds, so that it can be written at once.
const LITTLE: usize = 10_000;

/// Seconds for which socat waits for the other direction when one has ended.
const LONG: &str = "60";

/// Tests of each conversation, by runtime, tool, place and role.
macro_rules! conversations {
    (
        all { $($all:ident,)* }
        but_with_a_listening_netcat { $($some:ident,)* }
        with_socat_only { $($socat:ident,)* }
    ) => {
        mod on_tokio {
            conversations!(
                @runtime OnTokio,
                [$($all)*], [$($all)* $($some)*], [$($all)* $($some)* $($socat)*]
            );
        }

        mod on_smol {
            conversations!(
                @runtime OnSmol,
                [$($all)*], [$($all)* $($some)*], [$($all)* $($some)* $($socat)*]
            );
        }
    };
    (@runtime $harness:ident, $listening_netcat:tt, $netcat:tt, $socat:tt) => {
        mod netcat {
            conversations!(@tool $harness, Netcat, $listening_netcat, $netcat);
        }

        mod socat {
            conversations!(@tool $harness, Socat, $socat, $socat);
        }
    };
    (@tool $harness:ident, $tool:ident, $with_server:tt, $with_client:tt) => {
        mod tcp {
            conversations!(@place $harness, $tool, Tcp, $with_server, $with_client);
        }

        #[cfg(unix)]
        mod unix {
            conversations!(@place $harness, $tool, Unix, $with_server, $with_client);
        }

        #[cfg(target_os = "linux")]
        mod unix_abstract {
            conversations!(@place $harness, $tool, Abstract, $with_server, $with_client);
        }
    };
    (@place $harness:ident, $tool:ident, $place:ident, $with_server:tt, $with_client:tt) => {
        mod our_client {
            conversations!(@role talk_to_server, $harness, $tool, $place, $with_server);
        }

        mod our_server {
            conversations!(@role talk_to_client, $harness, $tool, $place, $with_client);
        }
    };
    (@role $talk:ident, $harness:ident, $tool:ident, $place:ident, [$($name:ident)*]) => {
        use crate::{common, pipes};

        $(
            #[test]
            fn $name() {
                pipes::talk::<common::$harness, _>(
                    pipes::Tool::$tool,
                    pipes::Place::$place,
                    pipes::$name,
                    pipes::$talk,
                );
            }
        )*
    };
}

conversations! {
    all {
        both_send_much_at_once,
        much_is_echoed,
        the_peer_closes_only_when_this_side_does,
        the_peer_dies,
        the_peer_ends_first,
    }
    // With `-l` it exits when this side has ended, whatever it still has to send.
    but_with_a_listening_netcat {
        this_side_ends_first,
    }
    // It can have a program behind it.
    with_socat_only {
        the_peer_answers_when_this_side_has_ended,
    }
}

/// What both sides do.
struct Conversation {
    peer: Does,
    ours:
        Arc<dyn Fn(StreamReader, StreamWriter) -> BoxFuture<'static, io::Result<()>> + Send + Sync>,
}

impl Conversation {
    fn new<F>(peer: Does, ours: fn(StreamReader, StreamWriter) -> F) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let ours = Arc::new(move |reader, writer| Box::pin(ours(reader, writer)) as _);
        Self { peer, ours }
    }
}

/// What the peer does, by its standard input and output.
enum Does {
    /// Sends this and ends its direction, if that is what it does; and has to receive that.
    Send {
        sends: Vec<u8>,
        receives: Vec<u8>,
        half_closes: bool,
    },
    /// Sends this when it has received that.
    Answer { sends: Vec<u8>, receives: Vec<u8> },
    /// Says, when this side has ended, how many bytes came.
    Count,
    /// Takes something, and is killed.
    Die,
}

impl Does {
    fn send(sends: Vec<u8>, receives: Vec<u8>) -> Self {
        Self::Send {
            sends,
            receives,
            half_closes: true,
        }
    }

    fn half_closes(&self) -> bool {
        match self {
            Self::Send { half_closes, .. } => *half_closes,
            Self::Answer { .. } | Self::Count | Self::Die => true,
        }
    }

    /// What socat copies from and to.
    fn behind_socat(&self) -> &'static str {
        match self {
            Self::Count => "SYSTEM:wc -c",
            Self::Send { .. } | Self::Answer { .. } | Self::Die => "-",
        }
    }
}

fn theirs() -> Vec<u8> {
    pattern(1, MUCH)
}

fn ours() -> Vec<u8> {
    pattern(2, MUCH)
}

fn both_send_much_at_once() -> Conversation {
    Conversation::new(
        Does::send(theirs(), ours()),
        |mut reader, mut writer| async move {
            let (data, expected) = (ours(), theirs());
            let receiving = expect_all(&mut reader, &expected);
            try_join(send(&mut writer, &data), receiving).await?;
            close(writer).await
        },
    )
}

fn much_is_echoed() -> Conversation {
    Conversation::new(
        Does::send(theirs(), theirs()),
        |mut reader, mut writer| async move {
            loop {
                let piece = reader.read_ref(MUCH).await?;
                if piece.is_empty() {
                    return Ok(writer.write_eof()?);
                }
                writer.write_all(piece).await?;
            }
        },
    )
}

fn the_peer_ends_first() -> Conversation {
    Conversation::new(
        Does::send(theirs(), ours()),
        |mut reader, mut writer| async move {
            expect_all(&mut reader, &theirs()).await?;
            writer.write(ours())?;
            close(writer).await
        },
    )
}

fn this_side_ends_first() -> Conversation {
    Conversation::new(
        Does::Answer {
            sends: pattern(1, LITTLE),
            receives: ours(),
        },
        |mut reader, mut writer| async move {
            send(&mut writer, &ours()).await?;
            writer.write_eof()?;
            expect_all(&mut reader, &pattern(1, LITTLE)).await?;
            close(writer).await
        },
    )
}

fn the_peer_answers_when_this_side_has_ended() -> Conversation {
    Conversation::new(Does::Count, |mut reader, mut writer| async move {
        send(&mut writer, &ours()).await?;
        writer.write_eof()?;
        let answer = reader.read_to_eof().await?;
        let count = String::from_utf8_lossy(&answer).trim().parse();
        assert_eq!(count, Ok(MUCH));
        close(writer).await
    })
}

fn the_peer_closes_only_when_this_side_does() -> Conversation {
    Conversation::new(
        Does::Send {
            sends: theirs(),
            receives: ours(),
            half_closes: false,
        },
        |mut reader, mut writer| async move {
            assert!(reader.read_exactly(MUCH).await? == theirs());
            writer.write(ours())?;
            close(writer).await
        },
    )
}

fn the_peer_dies() -> Conversation {
    Conversation::new(Does::Die, |mut reader, mut writer| async move {
        let error = loop {
            if let Err(error) = writer.write_all(&[b'x'; LITTLE]).await {
                break error;
            }
        };
        assert!(matches!(error, WriteError::Transport(_)), "{error}");
        // Whatever it is, it does not wait.
        let _ = reader.read(1).await;
        Ok(())
    })
}

async fn send(writer: &mut StreamWriter, data: &[u8]) -> io::Result<()> {
    for piece in data.chunks(LITTLE) {
        writer.write_all(piece).await?;
    }
    Ok(())
}

async fn expect_all(reader: &mut StreamReader, data: &[u8]) -> io::Result<()> {
    let received = reader.read_to_eof().await?;
    let (got, expected) = (received.len(), data.len());
    assert!(received == data, "{got} of {expected} bytes, or others");
    Ok(())
}

async fn close(mut writer: StreamWriter) -> io::Result<()> {
    writer.close();
    Ok(writer.wait_closed().await?)
}

#[derive(Clone, Copy, Debug)]
enum Tool {
    Netcat,
    Socat,
}

/// Where the two sides meet.
#[derive(Clone, Copy, Debug)]
enum Place {
    Tcp,
    #[cfg(unix)]
    Unix,
    #[cfg(target_os = "linux")]
    Abstract,
}

impl Place {
    /// For us: where to listen, or to connect.
    fn target(self, meeting: &str) -> Target {
        match self {
            Self::Tcp => (Ipv4Addr::LOCALHOST, meeting.parse().unwrap()).into(),
            #[cfg(unix)]
            Self::Unix => PathBuf::from(meeting).into(),
            #[cfg(target_os = "linux")]
            Self::Abstract => PathBuf::from(format!("\0{meeting}")).into(),
        }
    }
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Netcat => "nc",
            Self::Socat => "socat",
        }
    }

    /// Arguments to connect to a port, path or name.
    fn connect(self, place: Place, does: &Does, meeting: &str) -> Vec<String> {
        match self {
            Self::Netcat => netcat(place, does, meeting, &["-n"]),
            Self::Socat => socat(
                does,
                &match place {
                    Place::Tcp => format!("TCP:127.0.0.1:{meeting}"),
                    #[cfg(unix)]
                    Place::Unix => format!("UNIX-CONNECT:{meeting}"),
                    #[cfg(target_os = "linux")]
                    Place::Abstract => format!("ABSTRACT-CONNECT:{meeting}"),
                },
            ),
        }
    }

    /// Arguments to listen, and to say so on standard error.
    fn listen(self, place: Place, does: &Does, meeting: &str) -> Vec<String> {
        match self {
            Self::Netcat => netcat(place, does, meeting, &["-n", "-l", "-v"]),
            Self::Socat => socat(
                does,
                &match place {
                    Place::Tcp => format!("TCP-LISTEN:{meeting},bind=127.0.0.1"),
                    #[cfg(unix)]
                    Place::Unix => format!("UNIX-LISTEN:{meeting}"),
                    #[cfg(target_os = "linux")]
                    Place::Abstract => format!("ABSTRACT-LISTEN:{meeting}"),
                },
            ),
        }
    }
}

fn netcat(place: Place, does: &Does, meeting: &str, options: &[&str]) -> Vec<String> {
    let at_eof: &[&str] = if does.half_closes() { &["-N"] } else { &[] };
    let (first, last) = match place {
        Place::Tcp => ("127.0.0.1", meeting.to_owned()),
        #[cfg(unix)]
        Place::Unix => ("-U", meeting.to_owned()),
        #[cfg(target_os = "linux")]
        Place::Abstract => ("-U", format!("@{meeting}")),
    };
    let all = [options, at_eof, &[first, &last]].concat();
    all.into_iter().map(ToOwned::to_owned).collect()
}

fn socat(does: &Does, address: &str) -> Vec<String> {
    let at_eof = if does.half_closes() { "" } else { ",shut-none" };
    let address = format!("{address}{at_eof}");
    ["-d", "-d", "-t", LONG, does.behind_socat(), &address]
        .map(ToOwned::to_owned)
        .to_vec()
}

/// A conversation in a directory of its own.
struct Talk {
    runtime: Arc<dyn Runtime>,
    program: String,
    tool: Tool,
    place: Place,
    conversation: Conversation,
    directory: TempDir,
}

fn talk<H: Harness, F>(
    tool: Tool,
    place: Place,
    conversation: fn() -> Conversation,
    role: impl FnOnce(Talk) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(program) = find(tool.name()) else {
        return;
    };
    run::<H>(&format!("{tool:?}, {place:?}"), move |runtime| {
        Box::pin(role(Talk {
            runtime,
            program,
            tool,
            place,
            conversation: conversation(),
            directory: tempfile::tempdir().unwrap(),
        }))
    });
}

/// The peer is the server, this side the client.
async fn talk_to_server(talk: Talk) {
    let meeting = talk.meeting();
    let arguments = talk
        .tool
        .listen(talk.place, &talk.conversation.peer, &meeting);
    let mut peer = talk.start(&arguments);
    let port = listening(&mut peer);
    let target: Target = talk.place.target(match talk.place {
        Place::Tcp => &port,
        #[cfg(unix)]
        _ => &meeting,
    });
    let opening = millpond::open_connection(talk.runtime.clone(), target);
    let (reader, writer) = opening.await.unwrap();
    let ours = (talk.conversation.ours)(reader, writer);
    let (result, ()) = join(ours, talk.attend(peer)).await;
    result.unwrap();
}

/// The peer is the client, this side the server.
async fn talk_to_client(talk: Talk) {
    let (sender, mut results) = mpsc::unbounded();
    let ours = talk.conversation.ours.clone();
    let handler = move |reader, writer| {
        let (sender, ours) = (sender.clone(), ours.clone());
        async move {
            let result = ours(reader, writer).await;
            sender.unbounded_send(result).unwrap();
        }
    };
    let meeting = talk.meeting();
    let target: Target = talk.place.target(&meeting);
    let server = millpond::start_server(talk.runtime.clone(), target, handler);
    let server = server.await.unwrap();
    let port = server.sockets()[0]
        .tcp()
        .map(|address| address.port().to_string());
    let meeting = port.unwrap_or(meeting);
    let arguments = talk
        .tool
        .connect(talk.place, &talk.conversation.peer, &meeting);
    let peer = talk.start(&arguments);
    let (result, ()) = join(results.next(), talk.attend(peer)).await;
    result.unwrap().unwrap();
    server.close();
    server.wait_closed().await;
}

impl Talk {
    /// Any port, or a path that is not there yet; as a name, no other process has it either.
    fn meeting(&self) -> String {
        match self.place {
            Place::Tcp => "0".to_owned(),
            #[cfg(unix)]
            _ => self.path("socket").to_str().unwrap().to_owned(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn start(&self, arguments: &[String]) -> Peer {
        let mut command = Command::new(&self.program);
        command.args(arguments).stderr(Stdio::piped());
        let output = || File::create(self.path("output")).unwrap();
        Peer::start(match &self.conversation.peer {
            Does::Send { sends, .. } => {
                fs::write(self.path("input"), sends).unwrap();
                let input = File::open(self.path("input")).unwrap();
                command.stdin(input).stdout(output())
            }
            Does::Answer { .. } => command.stdin(Stdio::piped()).stdout(output()),
            Does::Count => command.stdin(Stdio::null()),
            Does::Die => command.stdin(Stdio::piped()).stdout(Stdio::piped()),
        })
    }

    /// Sees to it that the peer does what it has to.
    async fn attend(&self, mut peer: Peer) {
        match &self.conversation.peer {
            Does::Send { receives, .. } => {
                peer.succeed(&*self.runtime).await;
                self.expect_output(receives);
            }
            Does::Answer { sends, receives } => {
                let mut stdin = peer.0.stdin.take().unwrap();
                while fs::metadata(self.path("output")).unwrap().len() < receives.len() as u64 {
                    self.pause().await;
                }
                stdin.write_all(sends).unwrap();
                drop(stdin);
                peer.succeed(&*self.runtime).await;
                self.expect_output(receives);
            }
            Does::Count => peer.succeed(&*self.runtime).await,
            Does::Die => {
                let mut stdout = peer.0.stdout.take().unwrap();
                stdout.read_exact(&mut [0; LITTLE]).unwrap();
                self.pause().await;
                drop(peer);
            }
        }
    }

    async fn pause(&self) {
        self.runtime.sleep(Duration::from_millis(5)).await;
    }

    fn expect_output(&self, expected: &[u8]) {
        let output = fs::read(self.path("output")).unwrap();
        let (got, of) = (output.len(), expected.len());
        assert!(output == expected, "it got {got} of {of} bytes, or others");
    }
}

/// The port that the peer listens on, once it does; what it says for a path does not matter.
fn listening(peer: &mut Peer) -> String {
    let mut stderr = BufReader::new(peer.0.stderr.take().unwrap());
    let mut printed = String::new();
    let address = loop {
        let before = printed.len();
        let n = stderr.read_line(&mut printed).unwrap();
        assert!(n > 0, "the peer listens, but it says {printed:?}");
        if let Some((_, address)) = printed[before..].split_once("istening on ") {
            break address.trim().to_owned();
        }
    };
    // What else it says is dropped, so that it need not wait.
    thread::spawn(move || io::copy(&mut stderr, &mut io::sink()));
    let port = address.rsplit([' ', ':']).next();
    port.unwrap_or(&address).to_owned()
}
