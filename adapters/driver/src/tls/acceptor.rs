//! The server's side of TLS.

use std::{fmt, sync::Arc, time::Duration};

use futures_rustls::rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};

use super::error::TlsError;
use super::{
    Terms, Truncation,
    config::Source,
    connector::{Identity, roots},
    failure,
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
    source: Source<Settings, ServerConfig>,
    terms: Terms,
}

#[derive(Clone)]
struct Settings {
    identity: Arc<Identity>,
    clients: Clients,
    alpn: Vec<Vec<u8>>,
}

#[derive(Clone)]
enum Clients {
    Anybody,
    /// Those for whom one of these vouches.
    CertifiedBy(Vec<CertificateDer<'static>>),
}

impl TlsAcceptor {
    /// A server with this certificate. The chain begins with the server's own.
    ///
    /// See [`TlsAcceptor`] for an example.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self {
            source: Source::new(Settings {
                identity: Arc::new(Identity::new(chain, key)),
                clients: Clients::Anybody,
                alpn: Vec::new(),
            }),
            terms: Terms::default(),
        }
    }

    /// Wants a certificate of each client, by one of these authorities. Others are refused. If there
    /// are no authorities, the server does not start.
    ///
    /// # Panics
    ///
    /// If a whole configuration was given, which says this itself.
    ///
    /// # Examples
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
        let clients = Clients::CertifiedBy(roots.into_iter().collect());
        self.source.change("require_client_certificate").clients = clients;
        self
    }

    /// Knows these protocols above TLS, the best first (ALPN). What was agreed on is in
    /// [`TlsInfo::alpn`](crate::TlsInfo::alpn).
    ///
    /// # Panics
    ///
    /// If a whole configuration was given, which says this itself.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn example(tls: millpond::TlsAcceptor) {
    /// let tls = tls.alpn(["h2", "http/1.1"]);
    /// # }
    /// ```
    pub fn alpn<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.source.change("alpn").alpn = protocols
            .into_iter()
            .map(|name| name.as_ref().to_vec())
            .collect();
        self
    }

    /// How long a handshake may take; 60 s by default, as in asyncio. It needs the clock of a
    /// runtime, and 0 is refused.
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

    /// Lets one direction end and the other go on, with clients that are known to do the same:
    /// see [`TlsConnector::half_close`](crate::TlsConnector::half_close).
    ///
    /// ```no_run
    /// # fn example(tls: millpond::TlsAcceptor) {
    /// let tls = tls.half_close(true);
    /// # }
    /// ```
    pub fn half_close(mut self, allow: bool) -> Self {
        self.terms.half_close = allow;
        self
    }

    /// # Errors
    ///
    /// [`TlsError::Config`].
    pub(crate) fn handshake(&self) -> Result<Handshake, TlsError> {
        self.terms.check()?;
        Ok(Handshake::Server {
            config: self.source.config(Settings::build)?,
            terms: self.terms.clone(),
        })
    }
}

impl Settings {
    fn build(&self) -> Result<ServerConfig, TlsError> {
        let provider = provider::default();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::config("tls", error))?;
        let builder = match &self.clients {
            Clients::Anybody => builder.with_no_client_auth(),
            Clients::CertifiedBy(these) => {
                let roots = Arc::new(roots(RootCertStore::empty(), these)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                let verifier = verifier
                    .map_err(|error| TlsError::config("require_client_certificate", error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(self.identity.chain("certificate")?, self.identity.key())
            .map_err(|error| TlsError::config("certificate", failure::of_identity(&error)))?;
        config.alpn_protocols = self.alpn.clone();
        Ok(config)
    }
}

/// A whole configuration of rustls, which is used as it is. What else can be set then is the timeout,
/// what a truncation is, and whether one direction ends alone.
impl From<Arc<ServerConfig>> for TlsAcceptor {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self {
            source: Source::Whole(config),
            terms: Terms::default(),
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
