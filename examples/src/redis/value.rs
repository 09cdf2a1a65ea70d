//! What is sent.

use std::io;

use bytes::Bytes;

/// A value of RESP, the protocol of Redis, version 2 or 3.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// There is none.
    Null,
    /// A short text, such as `OK`.
    Text(String),
    /// A command was refused.
    Error(String),
    /// A number.
    Integer(i64),
    /// Any bytes.
    Bulk(Bytes),
    /// Values in order.
    Array(Vec<Self>),
    /// Keys and their values; of version 3, as are those below.
    Map(Vec<(Self, Self)>),
    /// What was not asked for, such as a message of a channel.
    Push(Vec<Self>),
    /// True or false.
    Boolean(bool),
    /// A number with a fraction, as it is written.
    Double(String),
}

impl Value {
    /// The value, unless it says that the command was refused.
    ///
    /// # Errors
    ///
    /// What the server says, with the kind `Other`. The connection goes on.
    pub fn checked(self) -> io::Result<Self> {
        if let Self::Error(text) = self {
            return Err(io::Error::other(text));
        }
        Ok(self)
    }
}

/// A command, as it is sent: an array of its words.
pub fn command<W: AsRef<[u8]>>(words: impl IntoIterator<Item = W>) -> Vec<u8> {
    let mut count = 0;
    let mut body = Vec::new();
    for word in words {
        let word = word.as_ref();
        body.extend(format!("${}\r\n", word.len()).into_bytes());
        body.extend(word);
        body.extend(b"\r\n");
        count += 1;
    }
    let mut command = format!("*{count}\r\n").into_bytes();
    command.extend(body);
    command
}
