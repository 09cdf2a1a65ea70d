//! TLS over loopback TCP on tokio, beside tokio-rustls with the same configuration, with a blocking
//! thread of rustls at the other end: much in one direction, and lines that are echoed.

use std::{
    io,
    net::TcpStream,
    sync::{Arc, OnceLock},
};

use millpond::{
    StreamReader, StreamWriter, TlsAcceptor,
    rustls::{
        ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName},
        server::NoServerSessionStorage,
    },
};
use tokio_rustls::server::TlsStream;

use crate::{
    bulk::measure_bulk,
    echo::{
        SERVED, adopt, echo_lines, gathering, measure_echoes, our_adopt, our_raw, per_line, raw,
        serve, start_server,
    },
    measured::Measured,
    table::Options,
};

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

pub(crate) fn run(options: &Options) -> Vec<Measured> {
    let over = "TLS over loopback TCP on tokio";
    let mut tables = measure_bulk(options, over, "tokio-rustls", connect, accept, our_accept);
    tables.push(measure_echoes(options, over, RAW, connect, served));
    tables
}

fn served() -> Vec<(&'static str, TcpStream)> {
    vec![
        (RAW, serve(|s| async { raw(accept(s).await?).await })),
        (
            "tokio-rustls read_until + write_all per line",
            serve(|s| async { per_line(accept(s).await?).await }),
        ),
        (
            "tokio-rustls read_until, BufWriter flushed when idle",
            serve(|s| async { gathering(tokio::io::split(accept(s).await?)).await }),
        ),
        (
            "millpond read_ref + write_all",
            serve(|s| async { our_raw(our_accept(s).await?).await }),
        ),
        (
            "millpond read_line_ref + write_all per line",
            serve(|s| async {
                let (reader, writer) = our_accept(s).await?;
                echo_lines(reader, writer).await
            }),
        ),
        (SERVED, start_server(Some(acceptor()))),
    ]
}

async fn accept(stream: TcpStream) -> io::Result<TlsStream<tokio::net::TcpStream>> {
    peers_acceptor().accept(adopt(stream)?).await
}

async fn our_accept(stream: TcpStream) -> io::Result<(StreamReader, StreamWriter)> {
    let (mut reader, mut writer) = our_adopt(stream).await?;
    writer.start_tls(&mut reader, acceptor()).await?;
    Ok((reader, writer))
}
