//! Sending an answer.

use std::{fmt, io::Write};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use http::{Response, StatusCode, Version, header};
use millpond::WriteError;

use super::Stream;

/// Of an answer.
#[expect(clippy::exhaustive_enums, reason = "its length is known, or it is not")]
pub enum Body {
    /// Sent with its length.
    Whole(Bytes),
    /// Sent as it is made, in chunks. Nothing more is asked of it while the client does not keep up.
    Pieces(BoxStream<'static, Bytes>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => f.debug_tuple("Whole").field(&bytes.len()).finish(),
            Self::Pieces(_) => f.debug_tuple("Pieces").finish_non_exhaustive(),
        }
    }
}

/// What of a request matters for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) version: Version,
    /// For `HEAD` there is a body, but it is not sent.
    pub(super) head_only: bool,
    /// Whether another request may follow.
    pub(super) keep_alive: bool,
}

/// Sends it, and returns whether another request may follow.
pub(super) async fn send(
    stream: &mut Stream,
    asked: Asked,
    answer: Response<Body>,
) -> Result<bool, WriteError> {
    let (parts, body) = answer.into_parts();
    let (length, keep_alive) = match &body {
        Body::Whole(bytes) => (Some(bytes.len()), asked.keep_alive),
        // Without chunks it is the end of the stream that ends a body.
        Body::Pieces(_) => (None, asked.keep_alive && asked.version == Version::HTTP_11),
    };
    let (version, status) = (Version::HTTP_11, parts.status);
    let mut head = format!("{version:?} {status}\r\n").into_bytes();
    for (name, value) in &parts.headers {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    let has_body = status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED;
    match length {
        _ if !has_body => {}
        Some(length) => field(&mut head, header::CONTENT_LENGTH, length),
        None if asked.version == Version::HTTP_11 => {
            field(&mut head, header::TRANSFER_ENCODING, "chunked");
        }
        None => {}
    }
    match (asked.version, keep_alive) {
        (Version::HTTP_10, true) => field(&mut head, header::CONNECTION, "keep-alive"),
        (_, false) => field(&mut head, header::CONNECTION, "close"),
        _ => {}
    }
    head.extend(b"\r\n");
    // Small writes leave together, so that head and body need not be put together here.
    stream.write(head)?;
    if has_body && !asked.head_only {
        send_body(stream, asked.version, body).await?;
    }
    stream.drain().await?;
    Ok(keep_alive)
}

fn field(head: &mut Vec<u8>, name: header::HeaderName, value: impl fmt::Display) {
    write!(head, "{name}: {value}\r\n").expect("memory takes everything");
}

async fn send_body(stream: &mut Stream, version: Version, body: Body) -> Result<(), WriteError> {
    let mut pieces = match body {
        Body::Whole(bytes) => return stream.write_bytes(bytes),
        Body::Pieces(pieces) => pieces,
    };
    let chunked = version == Version::HTTP_11;
    while let Some(piece) = pieces.next().await {
        // A chunk without a byte would be the last one.
        if piece.is_empty() {
            continue;
        }
        if chunked {
            stream.write(format!("{:x}\r\n", piece.len()))?;
        }
        stream.write_bytes(piece)?;
        if chunked {
            stream.write("\r\n")?;
        }
        stream.drain().await?;
    }
    if chunked {
        stream.write("0\r\n\r\n")?;
    }
    Ok(())
}
