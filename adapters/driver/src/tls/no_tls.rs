//! What stands for TLS where that feature is off: nothing that could be there.

use std::{error::Error, fmt};

#[derive(Clone, Debug)]
pub(crate) enum TlsConnector {}

#[derive(Clone, Debug)]
pub(crate) enum TlsAcceptor {}

#[derive(Clone)]
pub(crate) enum Handshake {}

#[derive(Debug)]
pub(crate) enum HandshakeError {}

impl TlsConnector {
    pub(crate) fn handshake_with(&self, _: Option<&str>) -> Result<Handshake, HandshakeError> {
        match *self {}
    }
}

impl TlsAcceptor {
    pub(crate) fn handshake(&self) -> Result<Handshake, HandshakeError> {
        match *self {}
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Error for HandshakeError {}
