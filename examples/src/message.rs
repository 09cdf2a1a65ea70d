//! A parser on the core: a function from a [`Reader`] to a message. It does no I/O, so its tests
//! need no socket and no runtime, and feed it whatever they like. On a stream, `messages` calls it.
//!
//! It has no state, which is enough for a message of two parts. That of [`redis`](crate::redis) has one.
//!
//! A message is a request line, headers, a blank line, and as much of a body as `content-length`
//! says, as in HTTP/1 (of which this is a small part).

use std::{io, str, sync::LazyLock};

use bytes::Bytes;
use millpond_core::{Reader, Request, Separator, Status};

static END_OF_HEAD: LazyLock<Separator> = LazyLock::new(|| Separator::new("\r\n\r\n"));

/// One message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// The first word of the request line.
    pub method: String,
    /// The second word of the request line.
    pub target: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// As long as the header `content-length` says.
    pub body: Bytes,
}

/// Takes the next message.
///
/// Nothing is taken before all of it is there, so there is no state to keep between two calls: feed
/// more and ask again. The limit of the reader bounds the head, its cap the whole message.
///
/// # Errors
///
/// A [`ReadError`](millpond::ReadError) or, with the kind `InvalidData`, what is wrong with the message.
pub fn parse(reader: &mut Reader) -> io::Result<Status<Message>> {
    let Status::Ready(head_len) = reader.poll(Request::Until(&END_OF_HEAD))? else {
        return Ok(Status::NeedData);
    };
    let mut message = parse_head(&reader.buffered()[..head_len])?;
    let len = head_len.saturating_add(content_length(&message)?);
    match reader.poll(Request::Exactly(len))? {
        Status::NeedData => Ok(Status::NeedData),
        Status::Ready(n) => {
            message.body = reader.take(n).slice(head_len..);
            Ok(Status::Ready(message))
        }
    }
}

fn parse_head(head: &[u8]) -> io::Result<Message> {
    let head = str::from_utf8(head).map_err(|_| invalid("the head is not UTF-8"))?;
    let mut lines = head.trim_end().split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), None) = (words.next(), words.next(), words.next()) else {
        return Err(invalid("a request line is a method and a target"));
    };
    let headers = lines.map(parse_header).collect::<io::Result<_>>()?;
    Ok(Message {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: Bytes::new(),
    })
}

fn parse_header(line: &str) -> io::Result<(String, String)> {
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| invalid("a header is a name, a colon and a value"))?;
    Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
}

fn content_length(message: &Message) -> io::Result<usize> {
    let mut lengths = message
        .headers
        .iter()
        .filter(|(name, _)| name == "content-length")
        .map(|(_, value)| value);
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(0),
        (Some(length), None) => length
            .parse()
            .map_err(|_| invalid("content-length is not a number")),
        // The next server might use the other one.
        (Some(_), Some(_)) => Err(invalid("there is more than one content-length")),
    }
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;
    use millpond_core::testing::{EveryCut, Parsed};

    use super::*;

    const TWO: &[u8] = b"POST /notes\r\nContent-Length: 9\r\n\r\nno\r\n\r\nendGET /\r\n\r\n";

    fn two() -> Vec<Message> {
        let post = Message {
            method: "POST".to_owned(),
            target: "/notes".to_owned(),
            headers: vec![("content-length".to_owned(), "9".to_owned())],
            body: Bytes::from_static(b"no\r\n\r\nend"),
        };
        let get = Message {
            method: "GET".to_owned(),
            target: "/".to_owned(),
            headers: vec![],
            body: Bytes::new(),
        };
        vec![post, get]
    }

    /// What it makes of an input, which must be the same however that is cut.
    fn parsed(input: &[u8]) -> Parsed<Message, io::Error> {
        let cuts = EveryCut::new(input).limit(64).cap(128).whole_messages();
        cuts.check(|| (), |(), reader| parse(reader))
    }

    fn refused(input: &str) -> String {
        let refused = parsed(input.as_bytes()).error;
        refused.expect("it is refused").to_string()
    }

    #[test]
    fn messages_are_the_same_however_they_are_cut() {
        let parsed = parsed(TWO);
        assert_eq!(parsed.messages, two());
        assert!(parsed.error.is_none());
    }

    /// The same function reads from any stream of any runtime.
    #[test]
    fn from_a_stream() {
        smol::block_on(async {
            let ((_, mut writer), (mut reader, _)) = millpond::pair();
            writer.write(TWO).unwrap();
            drop(writer);
            let messages: Vec<_> = reader.messages(parse).try_collect().await.unwrap();
            assert_eq!(messages, two());
        });
    }

    #[test]
    fn nothing_is_taken_before_all_is_there() {
        let mut reader = Reader::new();
        reader.feed(&TWO[..TWO.len() - 20]);
        assert!(matches!(parse(&mut reader), Ok(Status::NeedData)));
        assert_eq!(reader.buffered(), &TWO[..TWO.len() - 20]);
    }

    #[test]
    fn the_stream_ends_early() {
        assert_eq!(
            refused("GET /\r\n"),
            "the stream ended after 7 bytes, before the separator"
        );
        assert_eq!(
            refused("PUT /\r\ncontent-length: 9\r\n\r\nhalf"),
            "the stream ended after 32 of 37 bytes"
        );
    }

    #[test]
    fn too_long() {
        let head = format!("GET /{}\r\n\r\n", "a".repeat(100));
        assert!(refused(&head).contains("the limit of 64 bytes"));
        let body = format!("PUT /\r\ncontent-length: {}\r\n\r\n", usize::MAX);
        assert!(refused(&body).contains("the cap of 128 bytes"));
    }

    #[test]
    fn malformed() {
        assert!(refused("GET\r\n\r\n").contains("request line"));
        assert!(refused("GET / /\r\n\r\n").contains("request line"));
        assert!(refused("GET /\r\nhost\r\n\r\n").contains("colon"));
        assert!(refused("GET /\r\ncontent-length: -1\r\n\r\n").contains("not a number"));
        let twice = "GET /\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n";
        assert!(refused(twice).contains("more than one"));
    }
}
