//! openssl's `s_client` and `s_server`, with either version of TLS.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    net::Ipv4Addr,
    process::{ChildStdout, Command, Stdio},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use futures_channel::mpsc;
use futures_util::{StreamExt, future::join};
use millpond::{
    OpenError, ReadError, Runtime, Stream, StreamServer, TlsConnector, adapter::BoxFuture,
};
use millpond_conformance::{Harness, run};

use crate::{
    certificates::Certificates,
    common::{Peer, find},
};

/// Less than the system buffers on both ways, because `s_client` may do one thing at a time.
const MUCH: usize = 200_000;

const FILE_LEN: usize = (5 << 20) + 7;

#[derive(Clone, Copy, Eq, PartialEq)]
enum Version {
    Tls12,
    Tls13,
    /// One direction ends alone, as both programs of openssl can bear.
    Tls13HalfClose,
}

impl Version {
    fn argument(self) -> &'static str {
        match self {
            Self::Tls12 => "-tls1_2",
            Self::Tls13 | Self::Tls13HalfClose => "-tls1_3",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1_2",
            Self::Tls13 | Self::Tls13HalfClose => "TLSv1_3",
        }
    }

    fn half_closes(self) -> bool {
        self == Self::Tls13HalfClose
    }
}

struct Setup {
    runtime: Arc<dyn Runtime>,
    openssl: String,
    version: Version,
    certificates: Certificates,
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (7 * i + 13 * (i >> 8) + 29 * (i >> 16)).to_le_bytes()[0])
        .collect()
}

/// Ends this side's direction, if it can be ended alone, or the stream.
fn end(stream: &mut Stream, version: Version) -> io::Result<()> {
    assert_eq!(stream.can_write_eof(), version.half_closes());
    match version.half_closes() {
        false => stream.close(),
        true => stream.write_eof()?,
    }
    Ok(())
}

/// Nothing more comes: the peer has ended the stream.
async fn expect_end(stream: &mut Stream, version: Version) -> io::Result<()> {
    if version.half_closes() {
        assert_eq!(stream.read_to_eof().await?, "");
    }
    stream.close();
    Ok(stream.wait_closed().await?)
}

type Ours = fn(Stream, Version) -> BoxFuture<'static, io::Result<()>>;

/// Our servers.
impl Setup {
    fn s_client(&self, port: u16, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.openssl);
        command
            .args(["s_client", "-quiet", "-verify_return_error"])
            .args(["-connect", &format!("127.0.0.1:{port}")])
            .args(["-servername", "localhost", "-verify_hostname", "localhost"])
            .args(["-CAfile", "ca.pem", self.version.argument()])
            .args(arguments)
            .current_dir(&self.certificates.directory)
            .stderr(Stdio::null());
        command
    }

    /// Serves one client, which `attend` starts and sees to.
    async fn serve<F>(&self, ours: Ours, attend: impl FnOnce(u16) -> F)
    where
        F: Future<Output = ()>,
    {
        let (sender, mut results) = mpsc::unbounded();
        let version = self.version;
        let target = (Ipv4Addr::LOCALHOST, 0);
        let server = StreamServer::new(self.runtime.clone(), target, move |stream: Stream| {
            let tls = stream.extra_info().tls.clone().unwrap();
            assert_eq!(tls.protocol, version.name());
            assert_eq!(tls.server_name.as_deref(), Some("localhost"));
            let sender = sender.clone();
            async move {
                let result = ours(stream, version).await;
                sender.unbounded_send(result).unwrap();
            }
        })
        .tls(
            self.certificates
                .acceptor()
                .half_close(version.half_closes()),
        );
        server.start_serving().await.unwrap();
        let port = server.sockets()[0].tcp().unwrap().port();
        let (result, ()) = join(results.next(), attend(port)).await;
        result.unwrap().unwrap();
        let shutdown = server.shutdown().await;
        assert_eq!(shutdown.closed + shutdown.cancelled, 0);
    }

    /// Runs a client with a file as its input, to its end. Returns its output.
    async fn run_s_client(&self, port: u16, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let path = |name| self.certificates.path(name);
        fs::write(path("input"), input).unwrap();
        let mut command = self.s_client(port, arguments);
        command
            .stdin(File::open(path("input")).unwrap())
            .stdout(File::create(path("output")).unwrap());
        Peer::start(&mut command).succeed(&*self.runtime).await;
        fs::read(path("output")).unwrap()
    }
}

async fn s_client_gets_an_echo(setup: Setup) {
    let ours: Ours = |mut stream, version| {
        Box::pin(async move {
            let mut left = MUCH;
            while left > 0 {
                let piece = stream.read(MUCH).await?;
                left -= piece.len();
                stream.write_all(&piece).await?;
            }
            end(&mut stream, version)?;
            expect_end(&mut stream, version).await
        })
    };
    setup
        .serve(ours, async |port| {
            let data = pattern(MUCH);
            let output = setup.run_s_client(port, &[], &data).await;
            assert!(output == data, "{} of {MUCH} bytes", output.len());
        })
        .await;
}

async fn s_client_ends_first(setup: Setup) {
    let ours: Ours = |mut stream, _| {
        Box::pin(async move {
            assert!(stream.read_to_eof().await? == pattern(MUCH));
            Ok(())
        })
    };
    setup
        .serve(ours, async |port| {
            setup
                .run_s_client(port, &["-no_ign_eof"], &pattern(MUCH))
                .await;
        })
        .await;
}

async fn s_client_dies(setup: Setup) {
    let ours: Ours = |mut stream, _| {
        Box::pin(async move {
            assert_eq!(stream.read_line().await?, "hello\n");
            stream.write(b"die\n")?;
            assert_eq!(stream.read_to_eof().await, Err(ReadError::Truncated));
            Ok(())
        })
    };
    setup
        .serve(ours, async |port| {
            let mut command = setup.s_client(port, &[]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut peer = Peer::start(&mut command);
            let mut stdin = peer.0.stdin.take().unwrap();
            let mut stdout = peer.0.stdout.take().unwrap();
            stdin.write_all(b"hello\n").unwrap();
            let died = thread::spawn(move || {
                stdout.read_exact(&mut [0; 4]).unwrap();
                drop(peer);
            });
            finished(&*setup.runtime, died).await;
            drop(stdin);
        })
        .await;
}

async fn finished<T>(runtime: &dyn Runtime, thread: JoinHandle<T>) -> T {
    while !thread.is_finished() {
        runtime.sleep(Duration::from_millis(5)).await;
    }
    thread.join().unwrap()
}

/// A server of openssl's for one client.
struct Theirs {
    peer: Peer,
    port: u16,
    output: BufReader<ChildStdout>,
}

impl Setup {
    fn s_server(&self, arguments: &[&str]) -> Theirs {
        let mut command = Command::new(&self.openssl);
        command
            .args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1"])
            .args(["-cert", "server.pem", "-key", "server.key"])
            .args([self.version.argument()])
            .args(arguments)
            .current_dir(&self.certificates.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut peer = Peer::start(&mut command);
        let mut output = BufReader::new(peer.0.stdout.take().unwrap());
        let port = loop {
            let mut line = String::new();
            let n = output.read_line(&mut line).unwrap();
            assert!(n > 0, "it says where it listens");
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                let (_, port) = address.trim().rsplit_once(':').unwrap();
                break port.parse().unwrap();
            }
        };
        Theirs { peer, port, output }
    }

    fn connector(&self) -> TlsConnector {
        let tls = self.certificates.connector();
        tls.half_close(self.version.half_closes())
    }

    async fn connect(&self, theirs: &Theirs, tls: TlsConnector) -> Stream {
        let connecting = millpond::connect(self.runtime.clone(), ("localhost", theirs.port));
        let stream = connecting.tls(tls).await.unwrap();
        let protocol = stream.extra_info().tls.as_ref().unwrap().protocol.clone();
        assert_eq!(protocol, self.version.name());
        stream
    }
}

async fn s_server_answers_lines(setup: Setup) {
    let mut theirs = setup.s_server(&["-rev"]);
    let mut stream = setup.connect(&theirs, setup.connector()).await;
    for number in 1000..1200 {
        stream.write(format!("{number}\n").as_bytes()).unwrap();
        let answer: String = number.to_string().chars().rev().collect();
        assert_eq!(stream.read_line().await.unwrap(), format!("{answer}\n"));
    }
    end(&mut stream, setup.version).unwrap();
    expect_end(&mut stream, setup.version).await.unwrap();
    theirs.peer.succeed(&*setup.runtime).await;
}

async fn s_server_sends_a_file(setup: Setup) {
    let file = pattern(FILE_LEN);
    fs::write(setup.certificates.path("file"), &file).unwrap();
    let mut theirs = setup.s_server(&["-WWW"]);
    let mut stream = setup.connect(&theirs, setup.connector()).await;
    stream.write(b"GET /file HTTP/1.0\r\n\r\n").unwrap();
    let head = stream.read_until("\r\n\r\n").await.unwrap();
    assert!(head.starts_with(b"HTTP/1.0 200 "));
    let body = stream.read_to_eof().await.unwrap();
    assert!(body == file, "{} of {FILE_LEN} bytes", body.len());
    stream.close();
    stream.wait_closed().await.unwrap();
    theirs.peer.succeed(&*setup.runtime).await;
}

async fn s_server_gets_much(setup: Setup) {
    let mut theirs = setup.s_server(&[]);
    let mut stream = setup.connect(&theirs, setup.connector()).await;
    let mut output = theirs.output;
    let receiving = thread::spawn(move || {
        let mut received = Vec::new();
        output.read_to_end(&mut received).unwrap();
        received
    });
    // So that it does not look like anything else that it says.
    let data: Vec<u8> = pattern(FILE_LEN).iter().map(|byte| byte | 0x80).collect();
    stream.write_all(&data).await.unwrap();
    end(&mut stream, setup.version).unwrap();
    expect_end(&mut stream, setup.version).await.unwrap();
    let received = finished(&*setup.runtime, receiving).await;
    let received: Vec<u8> = received.into_iter().filter(|byte| *byte >= 0x80).collect();
    assert!(received == data, "{} of {FILE_LEN} bytes", received.len());
    theirs.peer.succeed(&*setup.runtime).await;
}

/// So it does when its input ends.
async fn s_server_ends_without_a_word(setup: Setup) {
    for accept in [false, true] {
        let mut theirs = setup.s_server(&[]);
        let tls = setup.connector().accept_truncation(accept);
        let mut stream = setup.connect(&theirs, tls).await;
        let mut stdin = theirs.peer.0.stdin.take().unwrap();
        stdin.write_all(b"hello\n").unwrap();
        assert_eq!(stream.read_line().await.unwrap(), "hello\n");
        drop(stdin);
        match accept {
            true => assert_eq!(stream.read_to_eof().await.unwrap(), ""),
            false => assert_eq!(stream.read_to_eof().await, Err(ReadError::Truncated)),
        }
    }
}

/// Under TLS 1.3 the client is through with its handshake before it is refused, and only writes.
async fn s_server_refuses_a_client_without_a_certificate(setup: Setup) {
    let theirs = setup.s_server(&["-Verify", "1", "-CAfile", "ca.pem"]);
    let connecting = millpond::connect(setup.runtime.clone(), ("localhost", theirs.port));
    let connected = connecting.tls(setup.connector()).await;
    let refused = match connected {
        Err(OpenError::Tls { source }) => source.to_string(),
        Err(other) => panic!("{other:?}"),
        Ok(mut stream) => loop {
            let written = stream.write_all(b"a line of a log\n").await;
            match written {
                Ok(()) => setup.runtime.sleep(Duration::from_millis(5)).await,
                Err(error) => break error.to_string(),
            }
        },
    };
    // The alert of TLS 1.2 has no better name.
    let alert = match setup.version {
        Version::Tls12 => "HandshakeFailure",
        Version::Tls13 | Version::Tls13HalfClose => "CertificateRequired",
    };
    let text = format!("received fatal alert: {alert}");
    assert!(refused.contains(&text), "{refused}");
}

fn check<H: Harness, F>(name: &'static str, version: Version, test: fn(Setup) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(openssl) = find("openssl") else {
        return;
    };
    run::<H>(name, move |runtime| {
        Box::pin(test(Setup {
            runtime,
            openssl,
            version,
            certificates: Certificates::new(),
        }))
    });
}

macro_rules! tests {
    ($runtime:ident, $harness:ident: $($name:ident,)*) => {
        mod $runtime {
            tests!(@version tls12, Tls12, $harness, [$($name)*]);
            tests!(@version tls13, Tls13, $harness, [$($name)*]);
            tests!(@version tls13_half_close, Tls13HalfClose, $harness, [$($name)*]);
        }
    };
    (@version $module:ident, $version:ident, $harness:ident, [$($name:ident)*]) => {
        mod $module {
            use crate::{common, openssl};

            $(
                #[test]
                fn $name() {
                    openssl::check::<common::$harness, _>(
                        stringify!($name),
                        openssl::Version::$version,
                        openssl::$name,
                    );
                }
            )*
        }
    };
    ($($tests:tt)*) => {
        tests!(on_tokio, OnTokio: $($tests)*);
        tests!(on_smol, OnSmol: $($tests)*);
    };
}

tests! {
    s_client_dies,
    s_client_ends_first,
    s_client_gets_an_echo,
    s_server_answers_lines,
    s_server_ends_without_a_word,
    s_server_gets_much,
    s_server_refuses_a_client_without_a_certificate,
    s_server_sends_a_file,
}
