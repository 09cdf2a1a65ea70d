//! A request's head: from its first byte to the empty line.

use http::{HeaderMap, Request, StatusCode, Version, header};

use super::{Refusal, Stream};

const MAX_FIELDS: usize = 100;

/// What a head says of the message and of the connection.
pub(super) struct Head {
    pub(super) request: Request<()>,
    pub(super) length: Length,
    /// Whether another request may follow.
    pub(super) keep_alive: bool,
    /// Whether the client waits for leave to send the body.
    pub(super) expects_continue: bool,
}

/// Of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Length {
    Known(usize),
    /// In pieces, each with its length.
    Chunked,
}

pub(super) async fn read(stream: &mut Stream) -> Result<Head, Refusal> {
    // One call, and the limit of the stream holds: no client makes it buffer more.
    let head = stream.read_until("\r\n\r\n").await;
    let too_long = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    let head = head.map_err(|error| Refusal::of_read(error, too_long))?;
    let request = parse(&head)?;
    let headers = request.headers();
    if request.version() == Version::HTTP_11 && headers.get_all(header::HOST).iter().count() != 1 {
        return Err(StatusCode::BAD_REQUEST.into());
    }
    let expects_continue = match headers.get(header::EXPECT) {
        Some(value) if value.as_bytes().eq_ignore_ascii_case(b"100-continue") => true,
        Some(_) => return Err(StatusCode::EXPECTATION_FAILED.into()),
        None => false,
    };
    Ok(Head {
        length: length(&request)?,
        keep_alive: keep_alive(&request),
        expects_continue: expects_continue && request.version() == Version::HTTP_11,
        request,
    })
}

fn parse(head: &[u8]) -> Result<Request<()>, StatusCode> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(len)) if len == head.len() => {}
        // A line feed alone has ended the head for the parser, and another server may see one request more.
        Ok(_) => return Err(StatusCode::BAD_REQUEST),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        Err(httparse::Error::Version) => return Err(StatusCode::HTTP_VERSION_NOT_SUPPORTED),
        Err(_) => return Err(StatusCode::BAD_REQUEST),
    }
    let version = match parsed.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    let mut request = Request::builder()
        .method(parsed.method.unwrap_or_default())
        .uri(parsed.path.unwrap_or_default())
        .version(version);
    for field in parsed.headers {
        request = request.header(field.name, field.value);
    }
    request.body(()).map_err(|_| StatusCode::BAD_REQUEST)
}

fn length(request: &Request<()>) -> Result<Length, StatusCode> {
    let all = |name| request.headers().get_all(name).iter();
    let (mut codings, mut lengths) = (all(header::TRANSFER_ENCODING), all(header::CONTENT_LENGTH));
    match (codings.next(), lengths.next()) {
        (None, None) => Ok(Length::Known(0)),
        (None, Some(length)) if lengths.next().is_none() => {
            let digits = length
                .to_str()
                .ok()
                .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
            let digits = digits.ok_or(StatusCode::BAD_REQUEST)?;
            // One that is too large for a number is too large.
            let length = digits.parse().map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
            Ok(Length::Known(length))
        }
        (Some(coding), None) if request.version() == Version::HTTP_11 => {
            let is_chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
            match is_chunked && codings.next().is_none() {
                true => Ok(Length::Chunked),
                false => Err(StatusCode::NOT_IMPLEMENTED),
            }
        }
        // Two lengths: where the body ends is a matter of opinion.
        _ => Err(StatusCode::BAD_REQUEST),
    }
}

fn keep_alive(request: &Request<()>) -> bool {
    match request.version() {
        Version::HTTP_10 => says(request.headers(), "keep-alive"),
        _ => !says(request.headers(), "close"),
    }
}

/// Whether `Connection` has this among its words.
fn says(headers: &HeaderMap, word: &str) -> bool {
    let lists = headers.get_all(header::CONNECTION).iter();
    let mut words = lists.flat_map(|list| list.as_bytes().split(|&byte| byte == b','));
    words.any(|it| it.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}
