//! The server's side of TLS.

use std::sync::Arc;

use futures_rustls::rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};

use super::error::TlsError;
use super::{
    Terms,
    config::Source,
    connector::{Identity, roots},
    failure,
    handshake::Handshake,
    provider,
    side::side_of_tls,
};

/// How a server does TLS: its certificate, and the clients that it accepts; asyncio's `ssl` context of a server.
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
    Any,
    /// Those with a certificate that one of these has signed.
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
                clients: Clients::Any,
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

side_of_tls!(TlsAcceptor, ServerConfig);

impl Settings {
    fn build(&self) -> Result<ServerConfig, TlsError> {
        let provider = provider::default();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::config("tls", error))?;
        let builder = match &self.clients {
            Clients::Any => builder.with_no_client_auth(),
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
