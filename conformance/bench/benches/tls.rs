//! TLS over loopback TCP on tokio, beside tokio-rustls with the same configuration, with a blocking
//! thread of rustls at the other end: much in one direction, and lines that are echoed.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::{Arc, OnceLock},
};

use millpond::{
    StdSocket, StreamReader, StreamWriter, TlsAcceptor,
    rustls::{
        ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName},
        server::NoServerSessionStorage,
    },
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio_rustls::server::TlsStream;

use crate::{
    echo::{adopt, echo_lines, serve, start_server},
    table::{Column, Options, Row, Unit, measure},
};

/// Bytes in a pass.
const TOTAL: usize = 256 * 1024 * 1024;
const KIB: usize = 1024;

const LINE: usize = 64;
const IN_FLIGHT: usize = 64;
const RAW: &str = "tokio-rustls read + write_all";

/// What of the two sides is made once.
struct Configs {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

fn configs() -> &'static Configs {
    static CONFIGS: OnceLock<Configs> = OnceLock::new();
    CONFIGS.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate: CertificateDer<'static> = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider.clone());
        let mut server = server
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        server.session_storage = Arc::new(NoServerSessionStorage {});
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Configs {
            server: Arc::new(server),
            client: Arc::new(client),
        }
    })
}

/// For a server of ours.
pub(crate) fn acceptor() -> TlsAcceptor {
    TlsAcceptor::from(configs().server.clone())
}

/// For one of tokio-rustls's.
pub(crate) fn peers_acceptor() -> tokio_rustls::TlsAcceptor {
    tokio_rustls::TlsAcceptor::from(configs().server.clone())
}

type Client = StreamOwned<ClientConnection, TcpStream>;

fn connect(stream: TcpStream) -> Client {
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(configs().client.clone(), name).unwrap();
    StreamOwned::new(connection, stream)
}

pub(crate) fn run(options: &Options) {
    let column = |rows| Column {
        name: "256 MiB".into(),
        count: TOTAL as u64,
        units: TOTAL as u64,
        rows,
    };
    let title = "bulk over TLS over loopback TCP on tokio: sink";
    let baseline = "tokio-rustls read, 64 KiB";
    let columns = [column(sinks())];
    measure(options, title, Unit::Throughput, baseline, 7, columns);
    let title = "bulk over TLS over loopback TCP on tokio: source";
    let baseline = "tokio-rustls write_all, 64 KiB";
    let columns = [column(sources())];
    measure(options, title, Unit::Throughput, baseline, 7, columns);

    let columns = [("ping-pong", 1, 2000), ("64 in flight", IN_FLIGHT, 300)].map(
        |(name, in_flight, turns)| {
            let count = (in_flight * turns) as u64;
            Column {
                name: name.into(),
                count,
                units: count,
                rows: echoes(in_flight, turns),
            }
        },
    );
    let title = "echo of lines of 64 B over TLS over loopback TCP on tokio, one connection";
    measure(options, title, Unit::Thousands("lines"), RAW, 9, columns);
}

/// The other end writes, and is told by one byte when everything has arrived.
fn sinks() -> Vec<Row<'static>> {
    let row = |name: &str, stream: TcpStream| {
        let mut stream = connect(stream);
        let data = vec![b'x'; 256 * KIB];
        Row::new(name, move || {
            for _ in 0..TOTAL / data.len() {
                stream.write_all(&data).unwrap();
            }
            stream.read_exact(&mut [0]).unwrap();
            TOTAL as u64
        })
    };
    vec![
        row("tokio-rustls read, 16 KiB", serve(|s| sink(s, 16 * KIB))),
        row("tokio-rustls read, 64 KiB", serve(|s| sink(s, 64 * KIB))),
        row("tokio-rustls read, 1 MiB", serve(|s| sink(s, 1024 * KIB))),
        row("millpond read_ref(1 MiB)", serve(our_sink)),
        row("millpond read(1 MiB)", serve(our_owned_sink)),
    ]
}

/// The other end asks by one byte, and reads.
fn sources() -> Vec<Row<'static>> {
    let row = |name: &str, stream: TcpStream| {
        let mut stream = connect(stream);
        let mut buf = vec![0; 256 * KIB];
        Row::new(name, move || {
            stream.write_all(&[0]).unwrap();
            let mut left = TOTAL;
            while left > 0 {
                left -= stream.read(&mut buf).unwrap();
            }
            TOTAL as u64
        })
    };
    vec![
        row(
            "tokio-rustls write_all, 64 KiB",
            serve(|s| source(s, 64 * KIB)),
        ),
        row(
            "tokio-rustls write_all, 256 KiB",
            serve(|s| source(s, 256 * KIB)),
        ),
        row(
            "millpond write_all, 64 KiB",
            serve(|s| our_source(s, 64 * KIB)),
        ),
        row(
            "millpond write_all, 256 KiB",
            serve(|s| our_source(s, 256 * KIB)),
        ),
    ]
}

fn echoes(in_flight: usize, turns: usize) -> Vec<Row<'static>> {
    let line = [[b'x'; LINE - 1].as_slice(), b"\n"].concat();
    let row = |name: &str, stream: TcpStream| {
        let mut stream = connect(stream);
        let lines = line.repeat(in_flight);
        let mut answer = vec![0; lines.len()];
        Row::new(name, move || {
            for _ in 0..turns {
                stream.write_all(&lines).unwrap();
                stream.read_exact(&mut answer).unwrap();
            }
            (in_flight * turns) as u64
        })
    };
    vec![
        row(RAW, serve(raw)),
        row(
            "tokio-rustls read_until + write_all per line",
            serve(per_line),
        ),
        row(
            "tokio-rustls read_until, BufWriter flushed when idle",
            serve(gathering),
        ),
        row("millpond read_ref + write_all", serve(our_raw)),
        row(
            "millpond read_line_ref + write_all per line",
            serve(our_lines),
        ),
        row(
            "millpond start_server, write_all per line",
            start_server(Some(acceptor())),
        ),
    ]
}

async fn accept(stream: TcpStream) -> io::Result<TlsStream<tokio::net::TcpStream>> {
    peers_acceptor().accept(adopt(stream)?).await
}

async fn our_accept(stream: TcpStream) -> io::Result<(StreamReader, StreamWriter)> {
    let (mut reader, mut writer) = millpond_tokio::open_connection(StdSocket::from(stream)).await?;
    writer.start_tls(&mut reader, acceptor()).await?;
    Ok((reader, writer))
}

async fn sink(stream: TcpStream, size: usize) -> io::Result<()> {
    let mut stream = accept(stream).await?;
    let mut buf = vec![0; size];
    loop {
        let mut left = TOTAL;
        while left > 0 {
            match stream.read(&mut buf).await? {
                0 => return Ok(()),
                n => left -= n,
            }
        }
        stream.write_all(&[0]).await?;
        stream.flush().await?;
    }
}

async fn our_sink(stream: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = our_accept(stream).await?;
    loop {
        let mut left = TOTAL;
        while left > 0 {
            match reader.read_ref(1 << 20).await?.len() {
                0 => return Ok(()),
                n => left -= n,
            }
        }
        writer.write(&[0])?;
    }
}

async fn our_owned_sink(stream: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = our_accept(stream).await?;
    loop {
        let mut left = TOTAL;
        while left > 0 {
            match reader.read(1 << 20).await?.len() {
                0 => return Ok(()),
                n => left -= n,
            }
        }
        writer.write(&[0])?;
    }
}

async fn source(stream: TcpStream, size: usize) -> io::Result<()> {
    let mut stream = accept(stream).await?;
    let data = vec![b'x'; size];
    while stream.read(&mut [0]).await? > 0 {
        for _ in 0..TOTAL / size {
            stream.write_all(&data).await?;
        }
        stream.flush().await?;
    }
    Ok(())
}

async fn our_source(stream: TcpStream, size: usize) -> io::Result<()> {
    let (mut reader, mut writer) = our_accept(stream).await?;
    let data = vec![b'x'; size];
    while !reader.read_ref(1).await?.is_empty() {
        for _ in 0..TOTAL / size {
            writer.write_all(&data).await?;
        }
    }
    Ok(())
}

async fn raw(stream: TcpStream) -> io::Result<()> {
    let mut stream = accept(stream).await?;
    let mut buf = vec![0; 16 * 1024];
    loop {
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..n]).await?;
        stream.flush().await?;
    }
}

async fn per_line(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(accept(stream).await?);
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await? > 0 {
        stream.write_all(&line).await?;
        stream.flush().await?;
        line.clear();
    }
    Ok(())
}

async fn gathering(stream: TcpStream) -> io::Result<()> {
    let (reader, writer) = tokio::io::split(accept(stream).await?);
    let (mut reader, mut writer) = (BufReader::new(reader), BufWriter::new(writer));
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await? > 0 {
        writer.write_all(&line).await?;
        line.clear();
        if reader.buffer().is_empty() {
            writer.flush().await?;
        }
    }
    Ok(())
}

async fn our_raw(stream: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = our_accept(stream).await?;
    loop {
        let piece = reader.read_ref(16 * 1024).await?;
        if piece.is_empty() {
            return Ok(());
        }
        writer.write_all(piece).await?;
    }
}

async fn our_lines(stream: TcpStream) -> io::Result<()> {
    let (reader, writer) = our_accept(stream).await?;
    echo_lines(reader, writer).await
}
