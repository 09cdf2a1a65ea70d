//! TLS for a host of a test.

use millpond::{TlsAcceptor, TlsConnector, rustls::pki_types::PrivateKeyDer};

/// Both sides, for a server with this address.
pub(crate) fn tls_for(address: &str) -> (TlsAcceptor, TlsConnector) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = rcgen::CertificateParams::new([address.to_owned()]).unwrap();
    let certificate = names.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let connector = TlsConnector::with_roots([certificate.clone()]);
    (TlsAcceptor::new(vec![certificate], key), connector)
}
