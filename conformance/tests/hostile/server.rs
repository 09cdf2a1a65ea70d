//! The server, in a process of its own with few descriptors: this program once more.

use std::{
    alloc::System,
    collections::BTreeMap,
    env,
    io::{self, BufRead, BufReader, Write},
    net::SocketAddr,
    panic,
    process::{Child, ChildStdin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use millpond::{
    Address, Bytes, Runtime, Server, StreamReader, StreamWriter, TlsAcceptor,
    adapter::{
        Bound, BoxFuture, ConnectOptions, ListenOptions, Listener, Lookup, Socket, Spawn,
        StdListener, StdSocket,
    },
    error::{HandlerError, HandlerErrorCause},
    rustls::{
        ServerConfig,
        crypto::ring::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer},
        server::NoServerSessionStorage,
    },
    timeout,
    types::StartServer,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::{
    clients::Target,
    process::{self, printed},
};

/// What the process may have open.
const FILES: usize = 256;

const PLACES: usize = 100;

const SECOND: Duration = Duration::from_secs(1);

/// More than the buffers of both sides hold.
const MUCH: Bytes = Bytes::from_static(&[b'x'; 1 << 20]);

/// What the server of this process has for TLS.
const CERTIFICATE: &str = "MILLPOND_CERTIFICATE";
const KEY: &str = "MILLPOND_KEY";

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What the process has.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Counts {
    files: usize,
    tasks: usize,
    /// Clients, and sockets that linger, in words.
    busy: String,
}

#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) counts: Counts,
    /// Bytes.
    pub(crate) allocated: i64,
}

pub(crate) struct ServerProcess {
    process: Child,
    input: ChildStdin,
    output: process::Output,
    target: Arc<Target>,
}

impl ServerProcess {
    pub(crate) fn start(runtime: &str, tls: bool) -> Self {
        let mut command = process::command("server::the_server", runtime, FILES);
        let certificate = tls.then(|| {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            command.env(CERTIFICATE, to_hex(made.cert.der()));
            command.env(KEY, to_hex(&made.signing_key.serialize_der()));
            made.cert.der().clone()
        });
        let mut process = command.spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let address: SocketAddr = printed(&mut output, "address ").parse().unwrap();
        Self {
            process,
            input,
            output,
            target: Arc::new(Target::new(address, certificate)),
        }
    }

    pub(crate) fn target(&self) -> Arc<Target> {
        self.target.clone()
    }

    pub(crate) fn figures(&mut self) -> Figures {
        self.input.write_all(b"figures\n").unwrap();
        let figures = printed(&mut self.output, "figures ");
        let mut figures = figures.splitn(4, ' ');
        let mut number = || figures.next().unwrap().parse::<i64>().unwrap();
        let [files, tasks, allocated] = [number(), number(), number()];
        Figures {
            counts: Counts {
                files: usize::try_from(files).unwrap(),
                tasks: usize::try_from(tasks).unwrap(),
                busy: figures.next().unwrap().to_owned(),
            },
            allocated,
        }
    }

    /// What became of its handlers.
    pub(crate) fn stop(&mut self) -> String {
        self.input.write_all(b"reports\n").unwrap();
        let reports = printed(&mut self.output, "reports ");
        self.input.write_all(b"stop\n").unwrap();
        assert!(self.process.wait().unwrap().success());
        reports
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It fails if the process has ended, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

#[test]
#[ignore = "a process of its own, which the others start"]
fn the_server() {
    process::serve(serve);
}

fn acceptor() -> Option<TlsAcceptor> {
    let certificate = CertificateDer::from(from_hex(&env::var(CERTIFICATE).ok()?));
    let key = PrivateKeyDer::try_from(from_hex(&env::var(KEY).ok()?)).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth();
    let mut config = config.with_single_cert(vec![certificate], key).unwrap();
    // It would keep up to 256 sessions for clients that resume one, in a table that grows meanwhile.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Some(TlsAcceptor::from(Arc::new(config)))
}

/// Reading a request has its time, because a client that drips is never idle. All other limits are the
/// server's.
async fn handle(
    runtime: Arc<dyn Runtime>,
    mut reader: StreamReader,
    mut writer: StreamWriter,
) -> io::Result<()> {
    let request = timeout(&*runtime, SECOND, reader.read_line()).await??;
    match &request[..] {
        b"wait\n" => {
            writer.write(b"well?\n")?;
            timeout(&*runtime, SECOND, reader.read_to_eof()).await??;
        }
        b"much\n" => {
            writer.write_bytes(MUCH)?;
            writer.drain().await?;
        }
        b"leave\n" => writer.write_bytes(MUCH)?,
        _ => writer.write_all(&request).await?,
    }
    Ok(())
}

/// Until the command to stop.
async fn serve(runtime: Arc<dyn Runtime>) {
    // With debug assertions rustls panics at what comes behind its end. That is caught, and to print where
    // it was would allocate. A handler that panics is among the reports.
    panic::set_hook(Box::new(|_| {}));
    let counting = Arc::new(Counting::new(runtime));
    let reports = Arc::new(Mutex::new(BTreeMap::new()));
    let reported = reports.clone();
    let clock: Arc<dyn Runtime> = counting.clone();
    let starting =
        millpond::start_server(counting.clone(), "127.0.0.1:0", move |reader, writer| {
            handle(clock.clone(), reader, writer)
        });
    let starting = with_limits(starting).on_handler_error(move |error| {
        *reported.lock().unwrap().entry(kind(&error)).or_insert(0) += 1;
    });
    let server = match acceptor() {
        Some(acceptor) => starting.tls(acceptor),
        None => starting,
    };
    let server = server.await.unwrap();
    println!("\naddress {}", server.sockets()[0]);
    let mut commands = commands();
    while let Some(command) = commands.next().await {
        match command.as_str() {
            "figures" => figures(&server, &counting),
            "reports" => println!("\nreports {:?}", reports.lock().unwrap()),
            _ => return,
        }
    }
}

fn with_limits(server: StartServer) -> StartServer {
    server
        .max_connections(PLACES)
        .idle_timeout(SECOND)
        .close_timeout(SECOND)
        .backlog(1024)
        .send_buffer(64 * 1024)
        .on_accept_error(|error| println!("\naccept error {error}"))
}

/// Lines of standard input, read on a thread that can block.
fn commands() -> futures_channel::mpsc::UnboundedReceiver<String> {
    let (sender, commands) = futures_channel::mpsc::unbounded();
    thread::spawn(move || {
        for line in io::stdin().lines() {
            if sender.unbounded_send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    commands
}

fn figures(server: &Server, counting: &Counting) {
    let files = process::open_files();
    let tasks = counting.tasks.load(Ordering::Acquire);
    let busy = format!("{server:?}");
    let (_, busy) = busy.split_once("clients: ").unwrap();
    let stats = ALLOCATOR.stats();
    let allocated = i64::try_from(stats.bytes_allocated - stats.bytes_deallocated).unwrap();
    println!("\nfigures {files} {tasks} {allocated} {busy}");
}

/// How a handler has ended.
fn kind(error: &HandlerError) -> String {
    let HandlerErrorCause::Failed(failed) = &error.cause else {
        return format!("{:?}", error.cause);
    };
    match failed.downcast_ref::<io::Error>() {
        Some(failed) => format!("{:?}", failed.kind()),
        None => failed.to_string(),
    }
}

/// A runtime that knows how many tasks it has.
struct Counting {
    runtime: Arc<dyn Runtime>,
    tasks: Arc<AtomicUsize>,
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Counting {
    fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self {
            runtime,
            tasks: Arc::default(),
        }
    }
}

impl Spawn for Counting {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.tasks.fetch_add(1, Ordering::AcqRel);
        let counted = Counted(self.tasks.clone());
        self.runtime.spawn(Box::pin(async move {
            let _counted = counted;
            task.await;
        }));
    }
}

impl Runtime for Counting {
    fn connect<'a>(
        &'a self,
        address: &'a Address,
        options: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        self.runtime.connect(address, options)
    }

    fn bind(&self, address: &Address, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
        self.runtime.bind(address, options)
    }

    fn adopt(&self, socket: StdSocket) -> io::Result<Box<dyn Socket>> {
        self.runtime.adopt(socket)
    }

    fn adopt_listener(&self, listener: StdListener) -> io::Result<Box<dyn Listener>> {
        self.runtime.adopt_listener(listener)
    }

    fn resolve<'a>(&'a self, lookup: &'a Lookup) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        self.runtime.resolve(lookup)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.runtime.sleep(duration)
    }

    fn now(&self) -> Instant {
        self.runtime.now()
    }
}
