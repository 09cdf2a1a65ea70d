//! The server's side of TLS.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_rustls::rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};

use super::error::TlsError;
use super::{
    Terms, Truncation,
    connector::{Identity, roots},
    handshake::Handshake,
    provider,
};

/// How a server does TLS: who it is, and whom it wants to see; asyncio's `ssl` context of a server.
///
/// It can be cloned and shared.
///
/// # Examples
///
/// ```no_run
/// use millpond::{
///     TlsAcceptor,
///     rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
/// };
///
/// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> Result<(), Box<dyn std::error::Error>> {
/// let chain = CertificateDer::pem_file_iter("server.pem")?.collect::<Result<_, _>>()?;
/// let key = PrivateKeyDer::from_pem_file("server.key")?;
/// let tls = TlsAcceptor::new(chain, key);
///
/// let starting = millpond::start_server(runtime, "0.0.0.0:443", async |_, mut writer| {
///     writer.write(b"be excellent to each other\n")
/// });
/// let server = starting.tls(&tls).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use]
pub struct TlsAcceptor {
    /// `None` if a whole configuration was given.
    identity: Option<Arc<Identity>>,
    /// Whose clients are asked for a certificate, if any are.
    client_roots: Vec<CertificateDer<'static>>,
    alpn: Vec<Vec<u8>>,
    terms: Terms,
    /// Made of the settings above when it is used first, or given.
    config: Arc<OnceLock<Arc<ServerConfig>>>,
}

impl TlsAcceptor {
    /// A server with this certificate. The chain begins with the server's own.
    ///
    /// See [`TlsAcceptor`] for an example.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self {
            identity: Some(Arc::new(Identity { chain, key })),
            client_roots: Vec::new(),
            alpn: Vec::new(),
            terms: Terms::default(),
            config: Arc::default(),
        }
    }

    /// Wants a certificate of each client, by one of these authorities. Others are refused.
    ///
    /// ```no_run
    /// # fn example(tls: millpond::TlsAcceptor, ca: millpond::rustls::pki_types::CertificateDer<'static>) {
    /// let tls = tls.require_client_certificate([ca]);
    /// # }
    /// ```
    pub fn require_client_certificate(
        mut self,
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Self {
        self.client_roots = roots.into_iter().collect();
        self.changed()
    }

    /// Knows these protocols above TLS, the best first (ALPN). What was agreed on is in
    /// [`TlsInfo::alpn`](crate::TlsInfo::alpn).
    ///
    /// ```no_run
    /// # fn example(tls: millpond::TlsAcceptor) {
    /// let tls = tls.alpn(["h2", "http/1.1"]);
    /// # }
    /// ```
    pub fn alpn<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols
            .into_iter()
            .map(|name| name.as_ref().to_vec())
            .collect();
        self.changed()
    }

    /// How long a handshake may take; 60 s by default, as in asyncio. It needs the clock of a runtime.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn example(tls: millpond::TlsAcceptor) {
    /// let tls = tls.handshake_timeout(Duration::from_secs(10));
    /// # }
    /// ```
    #[doc(alias = "ssl_handshake_timeout")]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.terms.handshake_timeout = timeout;
        self
    }

    /// Takes an end of the connection for the end of the stream, even if the peer did not say so:
    /// see [`TlsConnector::accept_truncation`](crate::TlsConnector::accept_truncation).
    ///
    /// ```no_run
    /// # fn example(tls: millpond::TlsAcceptor) {
    /// let tls = tls.accept_truncation(true);
    /// # }
    /// ```
    pub fn accept_truncation(mut self, accept: bool) -> Self {
        self.terms.truncation = Truncation::accepted(accept);
        self
    }

    fn changed(mut self) -> Self {
        if self.identity.is_some() {
            self.config = Arc::default();
        }
        self
    }

    /// # Errors
    ///
    /// [`TlsError::Config`].
    pub(crate) fn handshake(&self) -> Result<Handshake, TlsError> {
        Ok(Handshake::Server {
            config: self.config()?,
            terms: self.terms.clone(),
        })
    }

    fn config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        match (self.config.get(), &self.identity) {
            (Some(config), _) => Ok(config.clone()),
            (None, Some(identity)) => {
                let config = Arc::new(self.build(identity)?);
                Ok(self.config.get_or_init(|| config).clone())
            }
            (None, None) => unreachable!("a configuration was given"),
        }
    }

    fn build(&self, identity: &Identity) -> Result<ServerConfig, TlsError> {
        let provider = provider::default();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::config("tls", error))?;
        let builder = if self.client_roots.is_empty() {
            builder.with_no_client_auth()
        } else {
            let roots = Arc::new(roots(RootCertStore::empty(), &self.client_roots)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            let verifier =
                verifier.map_err(|error| TlsError::config("require_client_certificate", error))?;
            builder.with_client_cert_verifier(verifier)
        };
        let mut config = builder
            .with_single_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(|error| TlsError::config("certificate", error))?;
        config.alpn_protocols = self.alpn.clone();
        Ok(config)
    }
}

/// A whole configuration of rustls, which the settings of [`TlsAcceptor`] do not change then, but for
/// the timeout and what a truncation is.
impl From<Arc<ServerConfig>> for TlsAcceptor {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self {
            identity: None,
            client_roots: Vec::new(),
            alpn: Vec::new(),
            terms: Terms::default(),
            config: Arc::new(OnceLock::from(config)),
        }
    }
}

impl From<&Self> for TlsAcceptor {
    fn from(acceptor: &Self) -> Self {
        acceptor.clone()
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor")
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}
