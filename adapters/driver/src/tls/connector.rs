//! The client's side of TLS.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use futures_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
};

use super::error::TlsError;
use super::{Terms, config::Source, failure, handshake::Handshake, provider, side::side_of_tls};
use crate::host_name;

/// How a client does TLS: the roots that it trusts, and its certificate; asyncio's `ssl` context of a client.
///
/// It can be cloned and shared, and costs something only when it is used first.
///
/// # Examples
///
/// ```no_run
/// use millpond::TlsConnector;
///
/// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
/// let tls = TlsConnector::new(); // trusts the roots of the system
/// let opening = millpond::open_connection(runtime, ("example.org", 443));
/// let (mut reader, mut writer) = opening.tls(&tls).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use]
pub struct TlsConnector {
    source: Source<Settings, ClientConfig>,
    terms: Terms,
}

#[derive(Clone)]
struct Settings {
    trust: Trust,
    identity: Option<Arc<Identity>>,
    alpn: Vec<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Trust {
    /// Those that the system trusts, and these.
    System(Vec<CertificateDer<'static>>),
    Only(Vec<CertificateDer<'static>>),
    Any,
}

/// A certificate with those that vouch for it, and its key.
pub(super) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(super) fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key }
    }

    /// # Errors
    ///
    /// [`TlsError::Config`] of this `setting` if it is empty, as a file can be that was read.
    pub(super) fn chain(
        &self,
        setting: &'static str,
    ) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        match self.chain.is_empty() {
            true => Err(TlsError::config(setting, "it holds no certificate")),
            false => Ok(self.chain.clone()),
        }
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
}

impl TlsConnector {
    /// A client that trusts the certificate authorities that the system trusts.
    ///
    /// See [`TlsConnector`] for an example.
    pub fn new() -> Self {
        Self::trusting(Trust::System(Vec::new()))
    }

    /// A client that trusts these certificate authorities and no others.
    ///
    /// ```no_run
    /// use millpond::rustls::pki_types::{CertificateDer, pem::PemObject};
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let ca = CertificateDer::from_pem_file("our-ca.pem")?;
    /// let tls = millpond::TlsConnector::with_roots([ca]);
    /// # Ok(()) }
    /// ```
    pub fn with_roots(roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        Self::trusting(Trust::Only(roots.into_iter().collect()))
    }

    /// A client that verifies no peer: **an attacker in between can read and change everything**. It
    /// is for tests, and for peers that are verified by other means.
    ///
    /// ```
    /// let tls = millpond::TlsConnector::dangerously_without_verification();
    /// ```
    pub fn dangerously_without_verification() -> Self {
        Self::trusting(Trust::Any)
    }

    fn trusting(trust: Trust) -> Self {
        Self {
            source: Source::new(Settings {
                trust,
                identity: None,
                alpn: Vec::new(),
            }),
            terms: Terms::default(),
        }
    }

    /// Trusts this certificate authority, too.
    ///
    /// # Panics
    ///
    /// If a whole configuration was given, which says this itself.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn example(ca: millpond::rustls::pki_types::CertificateDer<'static>) {
    /// let tls = millpond::TlsConnector::new().add_root(ca);
    /// # }
    /// ```
    pub fn add_root(mut self, root: CertificateDer<'static>) -> Self {
        match &mut self.source.change("add_root").trust {
            Trust::System(roots) | Trust::Only(roots) => roots.push(root),
            Trust::Any => {}
        }
        self
    }

    /// Shows this certificate to a server that asks for one. The chain begins with the client's own.
    ///
    /// # Panics
    ///
    /// If a whole configuration was given, which says this itself.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use millpond::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let chain = CertificateDer::pem_file_iter("client.pem")?.collect::<Result<_, _>>()?;
    /// let key = PrivateKeyDer::from_pem_file("client.key")?;
    /// let tls = millpond::TlsConnector::new().client_certificate(chain, key);
    /// # Ok(()) }
    /// ```
    pub fn client_certificate(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        let identity = Arc::new(Identity::new(chain, key));
        self.source.change("client_certificate").identity = Some(identity);
        self
    }

    /// # Errors
    ///
    /// [`TlsError::Config`].
    pub(crate) fn handshake_with(&self, server_name: Option<&str>) -> Result<Handshake, TlsError> {
        self.terms.check()?;
        let server_name = server_name.ok_or_else(|| {
            TlsError::config(
                "server_hostname",
                "there is no host name to take it from, so it must be set",
            )
        })?;
        let refused = |reason| TlsError::config("server_hostname", reason);
        let name = host_name::to_ascii(host_name::without_zone(server_name)).map_err(refused)?;
        let name = ServerName::try_from(name.into_owned())
            .map_err(|_| refused(format!("{server_name:?} is not a host name or IP address")))?;
        Ok(Handshake::Client {
            config: self.source.config(Settings::build)?,
            name,
            terms: self.terms.clone(),
        })
    }
}

side_of_tls!(TlsConnector, ClientConfig);

impl Settings {
    fn build(&self) -> Result<ClientConfig, TlsError> {
        let provider = provider::default();
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::config("tls", error))?;
        let builder = match &self.trust {
            Trust::System(more) => builder.with_root_certificates(roots(system_roots()?, more)?),
            Trust::Only(these) => {
                builder.with_root_certificates(roots(RootCertStore::empty(), these)?)
            }
            Trust::Any => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Unverified(provider))),
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain("client_certificate")?, identity.key())
                .map_err(|error| {
                    TlsError::config("client_certificate", failure::of_identity(&error))
                })?,
        };
        config.alpn_protocols = self.alpn.clone();
        Ok(config)
    }
}

impl Default for TlsConnector {
    fn default() -> Self {
        Self::new()
    }
}

/// Reading them takes some milliseconds, so it is done once.
fn system_roots() -> Result<RootCertStore, TlsError> {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return Ok(roots.clone());
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems have some that are too old for today's rules.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = match found.errors.first() {
            Some(error) => format!("the system's certificate authorities cannot be read: {error}"),
            None => "the system trusts no certificate authority".to_owned(),
        };
        return Err(TlsError::config("tls", io::Error::other(why)));
    }
    Ok(ROOTS.get_or_init(|| roots).clone())
}

/// `store` and `more`.
pub(super) fn roots(
    mut store: RootCertStore,
    more: &[CertificateDer<'static>],
) -> Result<RootCertStore, TlsError> {
    for root in more {
        let added = store.add(root.clone());
        added.map_err(|error| TlsError::config("root certificate", error))?;
    }
    Ok(store)
}

#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

/// The handshake still has to be sound: only the identity of the peer is not verified.
impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, futures_rustls::rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, futures_rustls::rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, futures_rustls::rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
