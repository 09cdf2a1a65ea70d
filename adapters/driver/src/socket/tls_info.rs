//! What is known of a TLS connection.

use futures_rustls::rustls::{CommonState, pki_types::CertificateDer};

/// What is known of a TLS connection; in [`ExtraInfo::tls`](crate::types::ExtraInfo::tls).
///
/// ```no_run
/// # fn show(writer: &millpond::StreamWriter) {
/// if let Some(tls) = &writer.extra_info().tls {
///     println!("{} with {}", tls.protocol, tls.cipher); // TLSv1_3 with TLS13_AES_256_GCM_SHA384
/// }
/// # }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The peer's certificate and those that vouch for it, its own first; asyncio's `peercert`. Empty
    /// if it has shown none.
    pub peer_certificates: Vec<CertificateDer<'static>>,
    /// The cipher suite by its name; asyncio's `cipher`.
    pub cipher: String,
    /// The version of the protocol by its name, for instance `TLSv1_3`.
    pub protocol: String,
    /// The protocol above that was agreed on (ALPN).
    pub alpn: Option<Vec<u8>>,
    /// The name of the server that the client asked for: by this side if it is the client, by the
    /// peer (SNI) otherwise.
    pub server_name: Option<String>,
}

impl TlsInfo {
    pub(crate) fn new(state: &CommonState, server_name: Option<String>) -> Self {
        let certificates = state.peer_certificates().unwrap_or_default();
        let cipher = state.negotiated_cipher_suite();
        let protocol = state.protocol_version();
        Self {
            peer_certificates: certificates
                .iter()
                .cloned()
                .map(CertificateDer::into_owned)
                .collect(),
            cipher: cipher.map_or_else(String::new, |cipher| format!("{:?}", cipher.suite())),
            protocol: protocol.map_or_else(String::new, |protocol| format!("{protocol:?}")),
            alpn: state.alpn_protocol().map(<[u8]>::to_vec),
            server_name,
        }
    }
}
