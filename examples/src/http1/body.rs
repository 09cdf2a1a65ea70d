//! A request's body, whole, and never more of it than is allowed.

use std::str;

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::{Refusal, Stream, head::Length};

pub(super) async fn read(
    stream: &mut Stream,
    length: Length,
    max: usize,
) -> Result<Bytes, Refusal> {
    match length {
        Length::Known(len) => exactly(stream, len).await,
        Length::Chunked => {
            let mut body = BytesMut::new();
            loop {
                let len = chunk_length(stream).await?;
                if len > max - body.len() {
                    return Err(StatusCode::PAYLOAD_TOO_LARGE.into());
                }
                if len == 0 {
                    skip_trailers(stream).await?;
                    return Ok(body.freeze());
                }
                body.extend(exactly(stream, len).await?);
                if exactly(stream, 2).await? != "\r\n" {
                    return Err(StatusCode::BAD_REQUEST.into());
                }
            }
        }
    }
}

async fn exactly(stream: &mut Stream, len: usize) -> Result<Bytes, Refusal> {
    let read = stream.read_exactly(len).await;
    read.map_err(|error| Refusal::of_read(error, StatusCode::PAYLOAD_TOO_LARGE))
}

/// In front of a chunk, in hexadecimal digits; extensions are ignored.
async fn chunk_length(stream: &mut Stream) -> Result<usize, Refusal> {
    let line = stream.read_until("\r\n").await;
    let line = line.map_err(|error| Refusal::of_read(error, StatusCode::BAD_REQUEST))?;
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
    let digits = str::from_utf8(digits.trim_ascii_end()).unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(StatusCode::BAD_REQUEST.into());
    }
    Ok(usize::from_str_radix(digits, 16).map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?)
}

/// Fields behind the last chunk: as much of them as of a head.
async fn skip_trailers(stream: &mut Stream) -> Result<(), Refusal> {
    let too_large = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    let mut left = stream.limit();
    loop {
        let line = stream.read_until("\r\n").await;
        let line = line.map_err(|error| Refusal::of_read(error, too_large))?;
        if line == "\r\n" {
            return Ok(());
        }
        left = left.checked_sub(line.len()).ok_or(too_large)?;
    }
}
