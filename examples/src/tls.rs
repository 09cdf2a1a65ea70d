//! What the programs with TLS share: the trusted roots, and a certificate that is made on the spot.

use std::{fs, io, path::Path};

use millpond::{
    TlsAcceptor, TlsConnector,
    rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// A client that trusts the authorities in a file, or those that the system trusts.
///
/// # Errors
///
/// Why the file cannot be used.
pub fn connector(ca: Option<&Path>) -> io::Result<TlsConnector> {
    let Some(path) = ca else {
        return Ok(TlsConnector::new());
    };
    let unusable = |error| io::Error::other(format!("{}: {error}", path.display()));
    let roots: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(unusable)?;
    Ok(TlsConnector::with_roots(roots))
}

/// A server on this machine with a new certificate of its own, which is written to a file, for
/// clients to trust. The key stays in memory.
///
/// # Errors
///
/// Why it could not be made or written.
pub fn acceptor_for_localhost(certificate: &Path) -> io::Result<TlsAcceptor> {
    let names = ["localhost", "127.0.0.1", "::1"].map(ToOwned::to_owned);
    let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let key = key.map_err(io::Error::other)?;
    fs::write(certificate, made.cert.pem())?;
    Ok(TlsAcceptor::new(vec![made.cert.der().clone()], key))
}
