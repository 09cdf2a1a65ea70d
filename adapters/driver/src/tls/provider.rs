//! The cryptography that is used unless the program gives a configuration of its own.

use std::sync::Arc;

use futures_rustls::rustls::crypto::CryptoProvider;

/// Chosen by feature and never by the process: that of ring if it is there, or else that of
/// aws-lc-rs.
#[cfg(feature = "tls-ring")]
pub(super) fn default() -> Arc<CryptoProvider> {
    Arc::new(futures_rustls::rustls::crypto::ring::default_provider())
}

/// Chosen by feature and never by the process: that of ring if it is there, or else that of
/// aws-lc-rs.
#[cfg(all(feature = "tls-aws-lc-rs", not(feature = "tls-ring")))]
pub(super) fn default() -> Arc<CryptoProvider> {
    Arc::new(futures_rustls::rustls::crypto::aws_lc_rs::default_provider())
}

#[cfg(not(any(feature = "tls-ring", feature = "tls-aws-lc-rs")))]
compile_error!("TLS needs one of the features `tls-ring` and `tls-aws-lc-rs`");

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> String {
        format!("{:?}", default().key_provider)
    }

    #[test]
    fn the_feature_decides_and_not_the_process() {
        let ours = if cfg!(feature = "tls-ring") {
            "Ring"
        } else {
            "AwsLcRs"
        };
        assert_eq!(CryptoProvider::get_default().map(|_| ()), None);
        assert_eq!(name(), ours);
        #[cfg(feature = "tls-aws-lc-rs")]
        {
            let other = futures_rustls::rustls::crypto::aws_lc_rs::default_provider();
            other.install_default().unwrap();
            assert_eq!(name(), ours);
        }
    }
}
