//! Certificates: an authority that exists for one test, and a server on this machine.

use std::{fs, path::PathBuf};

use millpond::{
    TlsAcceptor, TlsConnector,
    rustls::pki_types::{CertificateDer, PrivateKeyDer},
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

/// What peers read is in files: `ca.pem`, `server.pem` and `server.key`.
pub(crate) struct Certificates {
    pub(crate) directory: TempDir,
    ca: CertificateDer<'static>,
    server: CertificateDer<'static>,
    key: KeyPair,
}

impl Certificates {
    /// They are as strict verifiers want them.
    pub(crate) fn new() -> Self {
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let name = (DnType::CommonName, "an authority for a test");
        authority.distinguished_name.push(name.0, name.1);
        let authority_key = KeyPair::generate().unwrap();
        let ca = authority.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(authority, authority_key);

        let names = ["localhost", "127.0.0.1"].map(ToOwned::to_owned);
        let mut server = CertificateParams::new(names).unwrap();
        server.use_authority_key_identifier_extension = true;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let server = server.signed_by(&key, &issuer).unwrap();

        let directory = tempfile::tempdir().unwrap();
        let write = |name, text| fs::write(directory.path().join(name), text).unwrap();
        write("ca.pem", ca.pem());
        write("server.pem", server.pem());
        write("server.key", key.serialize_pem());
        Self {
            directory,
            ca: ca.der().clone(),
            server: server.der().clone(),
            key,
        }
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        TlsAcceptor::new(vec![self.server.clone()], key)
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::with_roots([self.ca.clone()])
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}
