//! What stands for TLS where that feature is off: nothing that could be there.

use bytes::Bytes;

use crate::{error::OpenError, reader::StreamReader, writer::StreamWriter};

#[derive(Clone, Debug)]
pub(crate) enum TlsConnector {}

#[derive(Clone, Debug)]
pub(crate) enum TlsAcceptor {}

#[derive(Clone)]
pub(crate) enum Handshake {}

pub(crate) use crate::error::OpenError as HandshakeError;

impl TlsConnector {
    pub(crate) fn handshake_with(&self, _: Option<&str>) -> Result<Handshake, OpenError> {
        match *self {}
    }
}

impl TlsAcceptor {
    pub(crate) fn handshake(&self) -> Result<Handshake, OpenError> {
        match *self {}
    }
}

pub(crate) async fn upgrade(
    _: &mut StreamReader,
    _: &mut StreamWriter,
    handshake: &Handshake,
    _: Bytes,
) -> Result<(), OpenError> {
    match *handshake {}
}
