//! Why a handshake failed, in words that say what to do.

use std::{error::Error, fmt, io};

use futures_rustls::rustls::{self, AlertDescription, CertificateError, InconsistentKeys};

use crate::escape::Escaped;

/// What rustls or the socket says, with what it means in front.
#[derive(Debug)]
struct Explained {
    meaning: &'static str,
    error: io::Error,
}

/// Whose handshake it is.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Client,
    Server,
}

/// A handshake of this side has failed with this.
pub(super) fn explain(side: Side, error: io::Error) -> io::Error {
    let error = with_plain_names(error);
    let meaning = match of_rustls(&error) {
        Some(error) => meaning(side, error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            Some("the peer closed the connection during the handshake")
        }
        None => None,
    };
    match meaning {
        Some(meaning) => io::Error::new(error.kind(), Explained { meaning, error }),
        None => error,
    }
}

/// What rustls refuses of a certificate and a key that are this side's own.
pub(super) fn of_identity(error: &rustls::Error) -> String {
    use rustls::Error::{InconsistentKeys as Inconsistent, InvalidCertificate};
    let meaning = if let Inconsistent(InconsistentKeys::KeyMismatch) = error {
        "the key does not match the certificate"
    } else if let InvalidCertificate(_) = error {
        "the certificate cannot be parsed"
    } else {
        "the key cannot be used"
    };
    format!("{meaning} ({error})")
}

/// rustls's own error, wherever in this one it is.
pub(super) fn of_rustls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = if let Some(error) = error.downcast_ref::<Explained>() {
            Some(&error.error)
        } else if let Some(error) = error.downcast_ref::<io::Error>() {
            // Its source is not what is in it, but the source of that.
            error.get_ref().map(|inner| inner as _)
        } else {
            error.source()
        };
    }
    None
}

/// Only for those that can be helped.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the text of rustls has the rest"
)]
fn meaning(side: Side, error: &rustls::Error) -> Option<&'static str> {
    use rustls::{Error as Tls, InvalidMessage};
    match error {
        Tls::InvalidMessage(InvalidMessage::InvalidContentType) => {
            Some("the peer does not speak TLS")
        }
        Tls::InvalidCertificate(wrong) => of_certificate(side, wrong),
        Tls::AlertReceived(alert) => of_alert(*alert),
        Tls::NoCertificatesPresented => {
            Some("the peer sent no certificate, and require_client_certificate asks for one")
        }
        Tls::NoApplicationProtocol => of_alert(AlertDescription::NoApplicationProtocol),
        Tls::PeerIncompatible(_) => of_alert(AlertDescription::HandshakeFailure),
        _ => None,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the text of rustls has the rest"
)]
fn of_certificate(side: Side, wrong: &CertificateError) -> Option<&'static str> {
    use CertificateError as Wrong;
    match wrong {
        Wrong::UnknownIssuer => Some(match side {
            Side::Client => {
                "the peer's certificate is signed by no root that this side trusts: add one with add_root"
            }
            Side::Server => {
                "the peer's certificate is signed by no root that this side trusts: \
                 require_client_certificate sets the roots"
            }
        }),
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => Some(
            "the peer's certificate is for another host name: set the expected one with server_hostname",
        ),
        Wrong::Expired | Wrong::ExpiredContext { .. } => {
            Some("the peer's certificate has expired, or the clock of this machine is wrong")
        }
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            Some("the peer's certificate is not valid yet, or the clock of this machine is wrong")
        }
        _ => None,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the text of rustls has the rest"
)]
fn of_alert(alert: AlertDescription) -> Option<&'static str> {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired => Some(
            "the peer asks for a client certificate: set one with TlsConnector::client_certificate",
        ),
        Alert::BadCertificate
        | Alert::CertificateExpired
        | Alert::CertificateRevoked
        | Alert::CertificateUnknown
        | Alert::DecryptError
        | Alert::UnknownCA
        | Alert::UnsupportedCertificate => Some("the peer rejected the certificate of this side"),
        Alert::UnrecognisedName => {
            Some("the peer has no certificate for this name: set another one with server_hostname")
        }
        Alert::NoApplicationProtocol => {
            Some("the peer supports none of the protocols given to alpn")
        }
        Alert::HandshakeFailure | Alert::InsufficientSecurity | Alert::ProtocolVersion => {
            Some("no TLS version or cipher suite in common with the peer")
        }
        _ => None,
    }
}

/// The names in a certificate are the peer's own words, which rustls repeats as they are.
fn with_plain_names(error: io::Error) -> io::Error {
    use rustls::{CertificateError::NotValidForNameContext, Error::InvalidCertificate};
    let of_tls = error.get_ref().and_then(|it| it.downcast_ref());
    let Some(InvalidCertificate(NotValidForNameContext {
        expected,
        presented,
    })) = of_tls
    else {
        return error;
    };
    let names = presented.iter().map(|name| Escaped(name.as_bytes()));
    let plain = NotValidForNameContext {
        expected: expected.clone(),
        presented: names.map(|name| name.to_string()).collect(),
    };
    io::Error::new(error.kind(), InvalidCertificate(plain))
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.meaning, self.error)
    }
}

impl Error for Explained {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
