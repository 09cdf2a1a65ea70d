//! Certificates for both sides of TLS, made once for all scenarios.

use std::sync::{Arc, LazyLock};

use millpond::{
    TlsAcceptor, TlsConnector,
    rustls::{
        self, ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
        crypto::ring::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// What the certificates of [`Certified::server`] are good for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate and its key.
pub(crate) struct Certified {
    pub(crate) certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

struct Made {
    authority: CertificateDer<'static>,
    server: Certified,
    elsewhere: Certified,
    expired: Certified,
    client: Certified,
    untrusted: Certified,
}

static MADE: LazyLock<Made> = LazyLock::new(Made::new);

impl Made {
    fn new() -> Self {
        let ours = Authority::new("an authority that is trusted");
        let other = Authority::new("an authority that is not trusted");
        let today = |_: &mut CertificateParams| {};
        let long_ago = |params: &mut CertificateParams| {
            params.not_before = date_time_ymd(1999, 1, 1);
            params.not_after = date_time_ymd(2000, 1, 1);
        };
        Self {
            authority: ours.certificate.clone(),
            server: ours.certify(&NAMES, today),
            elsewhere: ours.certify(&["elsewhere.example"], today),
            expired: ours.certify(&NAMES, long_ago),
            client: ours.certify(&["client.example"], today),
            untrusted: other.certify(&NAMES, today),
        }
    }
}

struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    fn certify(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Certified {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certified {
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }
}

impl Certified {
    /// For `localhost`, 127.0.0.1 and ::1.
    pub(crate) fn server() -> &'static Self {
        &MADE.server
    }

    /// For another host.
    pub(crate) fn elsewhere() -> &'static Self {
        &MADE.elsewhere
    }

    /// That was good once.
    pub(crate) fn expired() -> &'static Self {
        &MADE.expired
    }

    /// For a client.
    pub(crate) fn client() -> &'static Self {
        &MADE.client
    }

    /// By an authority that is not trusted.
    pub(crate) fn untrusted() -> &'static Self {
        &MADE.untrusted
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::new(self.chain(), self.key())
    }
}

/// Who is trusted.
pub(crate) fn authority() -> CertificateDer<'static> {
    MADE.authority.clone()
}

/// A client's side that trusts the right authority.
pub(crate) fn connector() -> TlsConnector {
    static CONNECTOR: LazyLock<TlsConnector> =
        LazyLock::new(|| TlsConnector::with_roots([authority()]));
    CONNECTOR.clone()
}

/// The side of a server with a valid certificate.
pub(crate) fn acceptor() -> TlsAcceptor {
    static ACCEPTOR: LazyLock<TlsAcceptor> = LazyLock::new(|| Certified::server().acceptor());
    ACCEPTOR.clone()
}

/// A whole configuration of a client, for one version of the protocol.
pub(crate) fn client_config(version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A whole configuration of a server.
pub(crate) fn server_config() -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(Certified::server().chain(), Certified::server().key())
        .unwrap()
}

/// A client's side that knows nothing newer than TLS 1.2.
pub(crate) fn old_connector() -> TlsConnector {
    static CONNECTOR: LazyLock<TlsConnector> =
        LazyLock::new(|| TlsConnector::from(Arc::new(client_config(&rustls::version::TLS12))));
    CONNECTOR.clone()
}
