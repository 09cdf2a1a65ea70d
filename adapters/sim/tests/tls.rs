//! TLS in worlds: the same bytes for the same seed, and no fault that is taken for an end.

#[path = "support/echo.rs"]
mod echo;

use std::{
    env,
    io::{self, ErrorKind},
    process::Command,
    sync::Arc,
    time::Duration,
};

use echo::echo;
use millpond_sim::{
    Direction, Fault, OpenError, Run, Sim, TlsAcceptor, TlsConnector, open_connection,
    rustls::{
        ALL_VERSIONS, ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
    start_server, tls, world,
};

/// The writer finds a broken pipe.
const CUT_OFF: [ErrorKind; 3] = [
    ErrorKind::UnexpectedEof,
    ErrorKind::ConnectionReset,
    ErrorKind::BrokenPipe,
];

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Set where this program is to print a number, and nothing else.
const CHILD: &str = "MILLPOND_TEST_CHILD";

/// Several connections, of which the later ones resume a session; some fail.
async fn program() -> usize {
    let (connector, acceptor) = tls::localhost();
    let server = start_server("localhost:7", echo).tls(&acceptor);
    let server = server.on_handler_error(|_| {});
    let server = server.on_handshake_error(|_, _| {}).await.unwrap();
    let mut complete = 0;
    for _ in 0..4 {
        world().sleep(Duration::from_millis(1500)).await;
        let opened = open_connection("localhost:7").tls(&connector).await;
        let Ok((mut reader, mut writer)) = opened else {
            continue;
        };
        let written = writer.write(vec![b'x'; 10_000]);
        if written.is_ok() && reader.read_exactly(10_000).await.is_ok() {
            complete += 1;
        }
    }
    server.close();
    complete
}

/// A client that trusts that certificate.
fn client(
    certificate: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let config = ClientConfig::builder_with_details(tls::crypto_provider(), tls::time_provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

fn run(seed: u64) -> Run<usize> {
    let latency = Duration::ZERO..=Duration::from_millis(50);
    let sim = Sim::new(seed).rough().latency(latency).random_faults(4);
    sim.max_polls(1_000_000).record(program())
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let mut complete = 0;
    for seed in 0..10 {
        let first = run(seed);
        for _ in 0..3 {
            assert_eq!(run(seed).trace.hash(), first.trace.hash(), "seed {seed}");
        }
        complete += first.output.unwrap_or(0);
    }
    assert!(complete > 10, "only {complete}");
}

#[test]
fn another_process_gives_the_same_bytes() {
    let hash = format!("{:016x}", run(1).trace.hash());
    if env::var_os(CHILD).is_some() {
        return println!("{hash}");
    }
    let child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "another_process_gives_the_same_bytes",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let printed = String::from_utf8(child.stdout).unwrap();
    assert!(
        printed.lines().any(|line| line == hash),
        "not {hash}: {printed}"
    );
}

#[test]
fn a_connection_that_is_cut_at_any_byte_is_no_proper_end() {
    // A little more than the server sends in all.
    let sent = 2500;
    let (mut complete, mut cut) = (0, 0);
    for (seed, after) in (0..sent).step_by(11).enumerate() {
        for fault in [Fault::eof, Fault::reset] {
            let fault = fault().after(Direction::ToClient, after);
            let ended = Sim::new(seed as u64).rough().fault(fault).run(async {
                let (connector, acceptor) = tls::localhost();
                let server = start_server("localhost:7", async |_, mut writer| {
                    writer.write_all(&[b'x'; 1000]).await
                });
                let server = server.tls(&acceptor).on_handler_error(|_| {});
                let _server = server.on_handshake_error(|_, _| {}).await.unwrap();
                match open_connection("localhost:7").tls(&connector).await {
                    Ok((mut reader, _writer)) => Ok(reader.read_to_eof().await?),
                    Err(OpenError::Tls { source }) => Err(io::Error::from(source)),
                    Err(error) => panic!("{error}"),
                }
            });
            match ended {
                Ok(all) => {
                    assert_eq!(all.len(), 1000, "cut off at {after}");
                    complete += 1;
                }
                Err(error) => {
                    assert!(CUT_OFF.contains(&error.kind()), "{error:?}");
                    cut += 1;
                }
            }
        }
    }
    assert!(
        complete > 10 && cut > 300,
        "{complete} complete, {cut} cut off"
    );
}

#[test]
fn a_certificate_expires_when_the_clock_jumps() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Sim::new(1).run(async {
        let config = || client(&certificate, ALL_VERSIONS);
        let acceptor =
            ServerConfig::builder_with_details(tls::crypto_provider(), tls::time_provider())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.clone()], key)
                .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(acceptor));
        let server = start_server("localhost:7", echo).tls(&acceptor);
        let _server = server.on_handshake_error(|_, _| {}).await.unwrap();
        open_connection("localhost:7").tls(config()).await.unwrap();
        world().jump(100 * YEAR);
        let refused = open_connection("localhost:7").tls(config()).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("expired"), "{refused}");
    });
}

#[test]
fn outside_of_a_world_there_are_no_numbers_and_no_time() {
    let mut buf = [0; 8];
    tls::crypto_provider()
        .secure_random
        .fill(&mut buf)
        .unwrap_err();
    assert!(tls::time_provider().current_time().is_none());
}

/// Its signatures would differ from run to run, and in their length.
#[test]
fn a_key_that_signs_by_chance_is_refused() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let certificates = vec![made.cert.der().clone()];
    let refused = ServerConfig::builder_with_details(tls::crypto_provider(), tls::time_provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap_err();
    assert!(refused.to_string().contains("Ed25519"), "{refused}");
}

#[test]
fn both_versions_of_the_protocol_work() {
    for version in ALL_VERSIONS.iter().copied() {
        let hash = || {
            let run = Sim::new(3).rough().record(async {
                let (_, acceptor) = tls::localhost();
                let server = start_server("localhost:7", echo)
                    .tls(&acceptor)
                    .await
                    .unwrap();
                let connector = client(&tls::certificate().0, &[version]);
                let opening = open_connection("localhost:7").tls(connector);
                let (mut reader, mut writer) = opening.await.unwrap();
                writer.write(b"hello").unwrap();
                assert_eq!(reader.read_exactly(5).await.unwrap(), "hello");
                server.close();
            });
            run.output.unwrap();
            run.trace.hash()
        };
        assert_eq!(hash(), hash());
    }
}
