//! The clients: sockets of the standard library, each with a thread of its own.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use millpond::rustls::{
    ClientConfig, ClientConnection, StreamOwned,
    pki_types::{CertificateDer, ServerName},
};
use socket2::SockRef;

/// Between two bytes of a client that drips, and between two looks of one that waits for its end.
const DRIP: Duration = Duration::from_millis(200);

/// When every time limit of the server is over.
const OVER: Duration = Duration::from_secs(5);

/// No client of any kind may be kept for longer.
const TOO_LONG: Duration = Duration::from_secs(20);

/// So many sockets of clients that say nothing more stay open: more than the server has places.
const SILENT: usize = 400;

pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) client: fn(&Target) -> io::Result<()>,
}

macro_rules! kinds {
    ($($name:ident)*) => { [$(Kind { name: stringify!($name), client: Target::$name }),*] };
}

/// Those that hold a place until their time is over.
pub(crate) static HOLDING: [Kind; 7] = kinds! {
    silent_before_its_request
    dripping_before_its_request
    half_of_a_hello
    silent_in_the_handler
    dripping_in_the_handler
    never_reading_in_the_handler
    never_reading_behind_the_handler
};

/// Those that do not.
pub(crate) static OTHERS: [Kind; 9] = kinds! {
    half_closed_before_its_request
    reset_before_its_request
    broken_hello
    half_closed_in_the_handler
    reset_in_the_handler
    silent_behind_the_handler
    dripping_behind_the_handler
    half_closed_behind_the_handler
    reset_behind_the_handler
};

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// The server as its clients see it.
pub(crate) struct Target {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    silent: Mutex<Vec<TcpStream>>,
}

/// A client, and its socket below TLS, if there is any.
struct Client {
    stream: Box<dyn Stream>,
    tcp: TcpStream,
}

impl Target {
    pub(crate) fn new(address: SocketAddr, certificate: Option<CertificateDer<'static>>) -> Self {
        let tls = certificate.map(|certificate| {
            let mut roots = millpond::rustls::RootCertStore::empty();
            roots.add(certificate).unwrap();
            let provider = millpond::rustls::crypto::ring::default_provider();
            let config = ClientConfig::builder_with_provider(Arc::new(provider));
            let config = config.with_safe_default_protocol_versions().unwrap();
            Arc::new(config.with_root_certificates(roots).with_no_client_auth())
        });
        Self {
            address,
            tls,
            silent: Mutex::default(),
        }
    }

    /// An honest request, and its answer.
    pub(crate) fn ask(&self) -> io::Result<()> {
        self.open_and_say(b"hello\n")?.expect(b"hello\n")
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let tcp = TcpStream::connect(self.address)?;
        tcp.set_read_timeout(Some(TOO_LONG))?;
        Ok(tcp)
    }

    fn open_and_say(&self, request: &[u8]) -> io::Result<Client> {
        let mut client = Client::over(self.connect()?, self.tls.as_ref())?;
        client.stream.write_all(request)?;
        Ok(client)
    }

    /// Reads nothing of the answer until the server has reset the connection.
    fn open_and_take_nothing(&self, request: &[u8]) -> io::Result<()> {
        let tcp = self.connect()?;
        SockRef::from(&tcp).set_recv_buffer_size(4096)?;
        let mut client = Client::over(tcp, self.tls.as_ref())?;
        client.stream.write_all(request)?;
        let began = Instant::now();
        while client.tcp.take_error()?.is_none() {
            assert!(began.elapsed() < TOO_LONG, "it is not reset");
            thread::sleep(DRIP / 10);
            // A reset gets lost if it is not where a window that was closed begins. So it asks once more,
            // when there must have been one.
            if began.elapsed() > OVER && client.tcp.write(b"x").is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Before there is anything to handle: over TLS, before there is a handshake.
impl Target {
    fn silent_before_its_request(&self) -> io::Result<()> {
        until_the_end(self.connect()?);
        Ok(())
    }

    fn dripping_before_its_request(&self) -> io::Result<()> {
        drip(self.connect()?);
        Ok(())
    }

    fn half_of_a_hello(&self) -> io::Result<()> {
        let mut tcp = self.connect()?;
        tcp.write_all(&[22, 3, 1, 1, 0, 1, 0])?;
        until_the_end(tcp);
        Ok(())
    }

    fn half_closed_before_its_request(&self) -> io::Result<()> {
        let tcp = self.connect()?;
        tcp.shutdown(Shutdown::Write)?;
        until_the_end(tcp);
        Ok(())
    }

    fn reset_before_its_request(&self) -> io::Result<()> {
        reset(&self.connect()?)
    }

    /// No record of TLS, and a line that is too long.
    fn broken_hello(&self) -> io::Result<()> {
        let mut tcp = self.connect()?;
        // It may be refused in the middle.
        let _ = tcp.write_all(&[b'x'; 70_000]);
        self.fall_silent(tcp);
        Ok(())
    }
}

/// While its handler runs.
impl Target {
    fn silent_in_the_handler(&self) -> io::Result<()> {
        until_the_end(self.open_and_wait()?.tcp);
        Ok(())
    }

    fn dripping_in_the_handler(&self) -> io::Result<()> {
        drip(self.open_and_wait()?.stream);
        Ok(())
    }

    fn half_closed_in_the_handler(&self) -> io::Result<()> {
        let client = self.open_and_wait()?;
        client.tcp.shutdown(Shutdown::Write)?;
        until_the_end(client.tcp);
        Ok(())
    }

    fn reset_in_the_handler(&self) -> io::Result<()> {
        reset(&self.open_and_wait()?.tcp)
    }

    fn never_reading_in_the_handler(&self) -> io::Result<()> {
        self.open_and_take_nothing(b"much\n")
    }

    /// One whose handler has begun.
    fn open_and_wait(&self) -> io::Result<Client> {
        let mut client = self.open_and_say(b"wait\n")?;
        client.expect(b"well?\n")?;
        Ok(client)
    }
}

/// When its handler has returned.
impl Target {
    fn never_reading_behind_the_handler(&self) -> io::Result<()> {
        self.open_and_take_nothing(b"leave\n")
    }

    fn silent_behind_the_handler(&self) -> io::Result<()> {
        let mut client = self.open_and_say(b"hello\n")?;
        client.expect(b"hello\n")?;
        self.fall_silent(client.tcp);
        Ok(())
    }

    fn dripping_behind_the_handler(&self) -> io::Result<()> {
        let mut client = self.open_and_say(b"hello\n")?;
        client.expect(b"hello\n")?;
        drip(client.tcp);
        Ok(())
    }

    fn half_closed_behind_the_handler(&self) -> io::Result<()> {
        let mut client = self.open_and_say(b"hello\n")?;
        client.tcp.shutdown(Shutdown::Write)?;
        client.expect(b"hello\n")?;
        until_the_end(client.tcp);
        Ok(())
    }

    fn reset_behind_the_handler(&self) -> io::Result<()> {
        let mut client = self.open_and_say(b"hello\n")?;
        client.expect(b"hello\n")?;
        reset(&client.tcp)
    }

    /// It has had its answer, or its end, and stays.
    fn fall_silent(&self, tcp: TcpStream) {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if silent.len() == SILENT {
            silent.remove(0);
        }
        silent.push(tcp);
    }
}

impl Client {
    fn over(tcp: TcpStream, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let below = tcp.try_clone()?;
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(tcp),
            Some(config) => {
                let name = ServerName::try_from("localhost").unwrap();
                let session = ClientConnection::new(config.clone(), name).unwrap();
                Box::new(StreamOwned::new(session, tcp))
            }
        };
        Ok(Self { stream, tcp: below })
    }

    fn expect(&mut self, answer: &[u8]) -> io::Result<()> {
        let mut received = vec![0; answer.len()];
        self.stream.read_exact(&mut received)?;
        assert_eq!(received, answer);
        Ok(())
    }
}

/// Reads what comes until the server has ended the connection, in whatever way.
fn until_the_end(mut tcp: TcpStream) {
    let began = Instant::now();
    let mut block = [0; 4096];
    loop {
        match tcp.read(&mut block) {
            Ok(0) => return,
            Ok(_) => assert!(began.elapsed() < TOO_LONG, "it goes on"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
                return;
            }
        }
    }
}

/// Sends byte by byte until the server does not take it any more.
fn drip(mut stream: impl Write) {
    let began = Instant::now();
    while stream.write_all(b"x").and_then(|()| stream.flush()).is_ok() {
        assert!(began.elapsed() < TOO_LONG, "it still takes bytes");
        thread::sleep(DRIP);
    }
}

/// Resets the connection now, even if the socket has other owners.
fn reset(tcp: &TcpStream) -> io::Result<()> {
    SockRef::from(tcp).set_linger(Some(Duration::ZERO))
}
