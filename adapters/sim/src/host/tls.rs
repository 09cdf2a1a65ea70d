//! TLS with random numbers and the time of a world.
//!
//! Each TLS connection draws random numbers, so with an ordinary configuration the bytes that are sent,
//! and with them [`Trace::hash`](crate::Trace::hash), differ from run to run; which of two signatures
//! is a byte longer may even decide where a fault happens. Configurations made here draw them from the
//! seed. They are as fast, and protect nothing: anyone who sees the bytes can read them.
//!
//! A configuration remembers sessions, so make it within the world, once for each run.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime},
};

use millpond::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, Error, NamedGroup, PeerMisbehaved, RootCertStore, ServerConfig,
        SignatureAlgorithm,
        crypto::{
            ActiveKeyExchange, CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom,
            SharedSecret, SupportedKxGroup,
        },
        pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
        sign::SigningKey,
        time_provider::TimeProvider,
    },
};

use crate::host::current::current;

/// A self-signed certificate of `localhost`, and its key, of Ed25519.
const LOCALHOST: &[u8] = include_bytes!("localhost.pem");

/// Private use, says RFC 8446.
const GROUP: u16 = 0xfe00;

const SHARE: usize = 32;

/// A client and a server whose certificate the client trusts, as `localhost`, `127.0.0.1` and `::1`.
///
/// Outside of [`Sim::run`](crate::Sim::run) their handshakes fail.
///
/// # Examples
///
/// ```
/// use millpond_sim::{Sim, open_connection, start_server, tls, world};
///
/// let hash = || {
///     let run = Sim::new(7).rough().record(async {
///         let (connector, acceptor) = tls::localhost();
///         let server = start_server("localhost:443", async |_, mut writer| writer.write(b"hello"));
///         let server = server.tls(&acceptor).await.unwrap();
///         let (mut reader, _writer) = open_connection("localhost:443").tls(&connector).await.unwrap();
///         assert_eq!(reader.read_to_eof().await.unwrap(), "hello");
///         server.close();
///     });
///     run.output.unwrap();
///     run.trace.hash()
/// };
/// assert_eq!(hash(), hash());
/// ```
#[expect(
    clippy::missing_panics_doc,
    reason = "a test has tried what it is made of"
)]
pub fn localhost() -> (TlsConnector, TlsAcceptor) {
    let (certificate, key) = certificate();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("it is one");
    let client = ClientConfig::builder_with_details(crypto_provider(), time_provider())
        .with_safe_default_protocol_versions()
        .expect("they are supported")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_details(crypto_provider(), time_provider())
        .with_safe_default_protocol_versions()
        .expect("they are supported")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    (Arc::new(client).into(), Arc::new(server).into())
}

/// The self-signed certificate of [`localhost`], and its key. Both are public: trust it in tests only.
///
/// ```
/// let (certificate, key) = millpond_sim::tls::certificate();
/// let acceptor = millpond_sim::TlsAcceptor::new(vec![certificate], key);
/// ```
#[expect(
    clippy::missing_panics_doc,
    reason = "a test has tried what it is made of"
)]
pub fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let certificate = CertificateDer::from_pem_slice(LOCALHOST).expect("it is one");
    let key = PrivateKeyDer::from_pem_slice(LOCALHOST).expect("it is one");
    (certificate, key)
}

/// Cryptography whose random numbers are drawn from the world's seed, for configurations of the
/// program's own.
///
/// Keys have to be of Ed25519: signatures of the other kinds are random. With the same certificate
/// the same seed gives the same bytes. Both sides need it, for it agrees on keys in a way of its own.
///
/// ```
/// use std::sync::Arc;
///
/// use millpond_sim::{TlsConnector, rustls::{ClientConfig, RootCertStore}, tls};
///
/// let config = ClientConfig::builder_with_details(tls::crypto_provider(), tls::time_provider())
///     .with_safe_default_protocol_versions()
///     .unwrap()
///     .with_root_certificates(RootCertStore::empty())
///     .with_no_client_auth();
/// let connector = TlsConnector::from(Arc::new(config));
/// ```
pub fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups: vec![&Sum],
        secure_random: &FromSeed,
        key_provider: &Ed25519,
        ..base()
    })
}

/// The world's time as a date: today when the world begins. If the [clock
/// jumps](crate::World::jump), certificates expire; that of [`localhost`] does so in the year 4096.
///
/// See [`crypto_provider`] for an example.
pub fn time_provider() -> Arc<dyn TimeProvider> {
    Arc::new(WorldTime)
}

#[cfg(feature = "tls-ring")]
fn base() -> CryptoProvider {
    millpond::rustls::crypto::ring::default_provider()
}

#[cfg(all(feature = "tls-aws-lc-rs", not(feature = "tls-ring")))]
fn base() -> CryptoProvider {
    millpond::rustls::crypto::aws_lc_rs::default_provider()
}

#[derive(Debug)]
struct FromSeed;

impl SecureRandom for FromSeed {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        let host = current().ok_or(GetRandomFailed)?;
        host.shared.lock().choices.fill(buf);
        Ok(())
    }
}

/// A secret that is the sum of what both sides send: as if it were one.
#[derive(Debug)]
struct Sum;

struct Share([u8; SHARE]);

impl SupportedKxGroup for Sum {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut share = [0; SHARE];
        FromSeed.fill(&mut share)?;
        Ok(Box::new(Share(share)))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::Unknown(GROUP)
    }
}

impl ActiveKeyExchange for Share {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        if peer.len() != SHARE {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        let sum: Vec<u8> = self
            .0
            .iter()
            .zip(peer)
            .map(|(one, two)| one ^ two)
            .collect();
        Ok(sum.into())
    }

    fn pub_key(&self) -> &[u8] {
        &self.0
    }

    fn group(&self) -> NamedGroup {
        Sum.name()
    }
}

/// Signs without random numbers.
#[derive(Debug)]
struct Ed25519;

impl KeyProvider for Ed25519 {
    fn load_private_key(&self, key: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        let key = base().key_provider.load_private_key(key)?;
        let algorithm = key.algorithm();
        if algorithm != SignatureAlgorithm::ED25519 {
            return Err(Error::General(format!(
                "the signatures of a key of {algorithm:?} are random: in a world, use one of Ed25519"
            )));
        }
        Ok(key)
    }
}

#[derive(Debug)]
struct WorldTime;

impl TimeProvider for WorldTime {
    fn current_time(&self) -> Option<UnixTime> {
        /// In whole seconds, so that differences are the same in every run.
        static TODAY: LazyLock<Duration> = LazyLock::new(|| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            Duration::from_secs(now.map_or(0, |now| now.as_secs()))
        });
        let elapsed = Duration::from_nanos(current()?.shared.lock().clock.now);
        Some(UnixTime::since_unix_epoch(*TODAY + elapsed))
    }
}
