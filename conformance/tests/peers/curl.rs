//! curl and a small HTTP server of ours, over TLS or not.

use std::{
    fs, io,
    net::Ipv4Addr,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use millpond::{ReadError, Runtime, Server, StreamReader, StreamWriter, Target};
use millpond_conformance::{Harness, run};

use crate::{
    certificates::Certificates,
    common::{Peer, find},
    pattern,
};

/// Of an upload: more than the system buffers, less than a closed stream reads and drops.
const UPLOAD: usize = 8 << 20;

/// Of the answer to one that is refused.
const REFUSAL: usize = 300_000;

/// What a request says.
#[derive(Debug)]
struct Head {
    method: String,
    path: String,
    length: usize,
    expects_continue: bool,
}

impl Head {
    /// `None` at the end of the stream.
    async fn read(reader: &mut StreamReader) -> io::Result<Option<Self>> {
        let head = match reader.read_until("\r\n\r\n").await {
            Err(ReadError::Incomplete { partial, .. }) if partial.is_empty() => return Ok(None),
            read => read?,
        };
        let head = std::str::from_utf8(&head).map_err(io::Error::other)?;
        let (request, headers) = head.split_once("\r\n").expect("it ends so");
        let mut words = request.split(' ').map(ToOwned::to_owned);
        let mut head = Self {
            method: words.next().unwrap_or_default(),
            path: words.next().unwrap_or_default(),
            length: 0,
            expects_continue: false,
        };
        for header in headers.lines() {
            let (name, value) = header.split_once(": ").unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => head.length = value.parse().map_err(io::Error::other)?,
                "expect" => head.expects_continue = value == "100-continue",
                _ => {}
            }
        }
        Ok(Some(head))
    }
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
    expectations: AtomicUsize,
}

async fn serve(
    seen: Arc<Seen>,
    mut reader: StreamReader,
    mut writer: StreamWriter,
) -> io::Result<()> {
    seen.connections.fetch_add(1, Ordering::Relaxed);
    while let Some(head) = Head::read(&mut reader).await? {
        seen.requests.fetch_add(1, Ordering::Relaxed);
        match (head.method.as_str(), head.path.as_str()) {
            ("GET", path) => {
                let body = pattern(path.len(), UPLOAD);
                respond(&mut writer, "200 OK", &body).await?;
            }
            ("POST", "/echo") => {
                if head.expects_continue {
                    seen.expectations.fetch_add(1, Ordering::Relaxed);
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                }
                let body = reader.read_exactly(head.length).await?;
                respond(&mut writer, "200 OK", &body).await?;
            }
            // Nothing of the upload is read.
            _ => {
                let status = "413 Content Too Large\r\nConnection: close";
                respond(&mut writer, status, &pattern(413, REFUSAL)).await?;
                break;
            }
        }
    }
    Ok(())
}

async fn respond(writer: &mut StreamWriter, status: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n");
    writer.write(head.as_bytes())?;
    Ok(writer.write_all(body).await?)
}

#[derive(Clone, Copy)]
enum Scheme {
    Http,
    Https,
}

/// A server of ours, and curl in a directory of its own.
struct Setup {
    runtime: Arc<dyn Runtime>,
    curl: String,
    scheme: Scheme,
    server: Server,
    seen: Arc<Seen>,
    certificates: Certificates,
}

impl Setup {
    async fn start(runtime: Arc<dyn Runtime>, curl: String, scheme: Scheme) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0), runtime, curl, scheme).await
    }

    async fn start_at(
        target: impl Into<Target>,
        runtime: Arc<dyn Runtime>,
        curl: String,
        scheme: Scheme,
    ) -> Self {
        let certificates = Certificates::new();
        let seen = Arc::new(Seen::default());
        let shared = seen.clone();
        let handler = move |reader, writer| serve(shared.clone(), reader, writer);
        let starting = millpond::start_server(runtime.clone(), target, handler);
        let starting = match scheme {
            Scheme::Http => starting,
            Scheme::Https => starting.tls(certificates.acceptor().alpn(["http/1.1"])),
        };
        Self {
            runtime,
            curl,
            scheme,
            server: starting.await.unwrap(),
            seen,
            certificates,
        }
    }

    fn url(&self, path: &str) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        match self.server.sockets()[0].tcp() {
            Some(address) => format!("{scheme}://{address}{path}"),
            None => format!("{scheme}://localhost{path}"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.certificates.path(name)
    }

    /// Fails if curl does. Returns what it prints.
    async fn curl(&self, arguments: &[&str]) -> String {
        let stdout = fs::File::create(self.path("stdout")).unwrap();
        let mut command = Command::new(&self.curl);
        command
            // Whatever the machine is set up for.
            .args(["--disable", "--noproxy", "*", "--silent", "--show-error"])
            .args(["--http1.1", "--cacert", "ca.pem"])
            .args(arguments)
            .current_dir(&self.certificates.directory)
            .stdin(Stdio::null())
            .stdout(stdout);
        let mut peer = Peer::start(&mut command);
        peer.succeed(&*self.runtime).await;
        fs::read_to_string(self.path("stdout")).unwrap()
    }

    fn upload(&self) -> Vec<u8> {
        let upload = pattern(8, UPLOAD);
        fs::write(self.path("upload"), &upload).unwrap();
        upload
    }

    fn assert_file(&self, name: &str, expected: &[u8]) {
        let file = fs::read(self.path(name)).unwrap();
        let (got, of) = (file.len(), expected.len());
        assert!(file == expected, "{name}: {got} of {of} bytes, or others");
    }

    fn assert_seen(&self, connections: usize, requests: usize) {
        let seen = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        assert_eq!(seen(&self.seen.connections), connections);
        assert_eq!(seen(&self.seen.requests), requests);
    }

    /// No client is left.
    async fn end(self) {
        self.server.close();
        self.server.wait_closed().await;
    }
}

async fn an_answer_is_downloaded(setup: Setup) {
    setup.curl(&["--output", "got", &setup.url("/a")]).await;
    setup.assert_file("got", &pattern(2, UPLOAD));
    setup.assert_seen(1, 1);
    setup.end().await;
}

async fn one_connection_serves_several_requests(setup: Setup) {
    let (one, two) = (setup.url("/a"), setup.url("/bb"));
    let arguments = ["--output", "one", &one, "--output", "two", &two];
    setup.curl(&arguments).await;
    setup.assert_file("one", &pattern(2, UPLOAD));
    setup.assert_file("two", &pattern(3, UPLOAD));
    setup.assert_seen(1, 2);
    setup.end().await;
}

async fn an_upload_waits_for_the_word_to_continue(setup: Setup) {
    let upload = setup.upload();
    let arguments = [
        "--header",
        "Expect: 100-continue",
        // Longer than the test may take.
        "--expect100-timeout",
        "600",
        "--data-binary",
        "@upload",
        "--output",
        "got",
        &setup.url("/echo"),
    ];
    setup.curl(&arguments).await;
    setup.assert_file("got", &upload);
    assert_eq!(setup.seen.expectations.load(Ordering::Relaxed), 1);
    setup.end().await;
}

/// The server closes with most of the upload unread, which must not destroy its answer.
async fn a_refusal_arrives_though_the_upload_is_not_read(setup: Setup) {
    setup.upload();
    let arguments = [
        "--header",
        "Expect:", // do not ask first
        "--data-binary",
        "@upload",
        "--output",
        "got",
        "--write-out",
        "%{http_code}",
        &setup.url("/refused"),
    ];
    for _ in 0..10 {
        assert_eq!(setup.curl(&arguments).await, "413");
        setup.assert_file("got", &pattern(413, REFUSAL));
    }
    setup.end().await;
}

#[cfg(unix)]
async fn unix_sockets_are_as_good(setup: Setup) {
    let path = setup.path("socket");
    // With an abstract name, curl opens a connection for each request.
    let mut listening = vec![("--unix-socket", path.clone())];
    if cfg!(target_os = "linux") {
        let name = PathBuf::from(format!("\0{}", path.display()));
        listening.push(("--abstract-unix-socket", name));
    }
    for (option, target) in listening {
        let (runtime, curl) = (setup.runtime.clone(), setup.curl.clone());
        let setup = Setup::start_at(target, runtime, curl, setup.scheme).await;
        let to = [option, path.to_str().unwrap()];
        let (one, two) = (setup.url("/a"), setup.url("/bb"));
        let urls = ["--output", "one", &one, "--output", "two", &two];
        setup.curl(&[&to[..], &urls].concat()).await;
        setup.assert_file("one", &pattern(2, UPLOAD));
        setup.assert_file("two", &pattern(3, UPLOAD));
        setup.end().await;
    }
    setup.end().await;
}

fn check<H: Harness, F>(name: &'static str, scheme: Scheme, test: fn(Setup) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(curl) = find("curl") else {
        return;
    };
    run::<H>(name, move |runtime| {
        Box::pin(async move { test(Setup::start(runtime, curl, scheme).await).await })
    });
}

macro_rules! tests {
    ($runtime:ident, $harness:ident, $all:tt) => {
        mod $runtime {
            tests!(@scheme http, Http, $harness, $all);
            tests!(@scheme https, Https, $harness, $all);
        }
    };
    (
        @scheme $module:ident, $scheme:ident, $harness:ident,
        [$($(#[$condition:meta])* $name:ident,)*]
    ) => {
        mod $module {
            use crate::{common, curl};

            $(
                #[test]
                $(#[$condition])*
                fn $name() {
                    curl::check::<common::$harness, _>(
                        stringify!($name),
                        curl::Scheme::$scheme,
                        curl::$name,
                    );
                }
            )*
        }
    };
    ($($tests:tt)*) => {
        tests!(on_tokio, OnTokio, [$($tests)*]);
        tests!(on_smol, OnSmol, [$($tests)*]);
    };
}

tests! {
    a_refusal_arrives_though_the_upload_is_not_read,
    an_answer_is_downloaded,
    an_upload_waits_for_the_word_to_continue,
    one_connection_serves_several_requests,
    #[cfg(unix)]
    unix_sockets_are_as_good,
}
