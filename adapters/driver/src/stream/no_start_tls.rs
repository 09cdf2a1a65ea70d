//! What stands for the upgrade where TLS is off: nothing that could be called.

use bytes::Bytes;

use super::{StreamReader, StreamWriter};
use crate::tls::{Handshake, HandshakeError};

pub(crate) async fn upgrade(
    _: &mut StreamReader,
    _: &mut StreamWriter,
    handshake: &Handshake,
    _: Bytes,
) -> Result<(), HandshakeError> {
    match *handshake {}
}
