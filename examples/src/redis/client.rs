//! The client's side of a connection.

use std::io;

use bytes::Bytes;
use millpond::Stream;

use super::{Parser, Value, command, invalid};

/// A connection on which commands are sent.
///
/// A command that is refused is no failure of the connection: its answer is a [`Value::Error`], and
/// [`Value::checked`] makes an error of it.
#[derive(Debug)]
pub struct Client {
    stream: Stream,
    /// Its state outlives a read that is cancelled.
    parser: Parser,
    /// How many answers are still to come.
    owed: usize,
}

/// A connection on which messages come.
#[derive(Debug)]
pub struct Subscription {
    client: Client,
}

/// What was published.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// Where.
    pub channel: Bytes,
    /// What.
    pub payload: Bytes,
}

impl Client {
    /// Over a stream that is connected to a server.
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            parser: Parser::default(),
            owed: 0,
        }
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    ///
    /// Those of the stream, and with the kind `InvalidData` what is wrong with what the server sends.
    ///
    /// # Cancel safety
    ///
    /// Yes: the command is sent at once, and an answer that is not waited for any more is skipped by the next
    /// command.
    pub async fn command<W: AsRef<[u8]>>(
        &mut self,
        words: impl IntoIterator<Item = W>,
    ) -> io::Result<Value> {
        self.send(words)?;
        self.last_answer().await
    }

    /// Sends commands together, and waits for their answers, which come in order.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command).
    ///
    /// # Cancel safety
    ///
    /// As [`command`](Self::command).
    pub async fn pipeline<W: AsRef<[u8]>, C: IntoIterator<Item = W>>(
        &mut self,
        commands: impl IntoIterator<Item = C>,
    ) -> io::Result<Vec<Value>> {
        let earlier = self.owed;
        for words in commands {
            self.send(words)?;
        }
        let mut answers = Vec::new();
        for i in 0..self.owed {
            let answer = self.answer().await?;
            if i >= earlier {
                answers.push(answer);
            }
        }
        Ok(answers)
    }

    /// Listens to channels, instead of sending other commands.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command), and what the server says if it refuses.
    pub async fn subscribe<W: AsRef<[u8]>>(
        mut self,
        channels: impl IntoIterator<Item = W>,
    ) -> io::Result<Subscription> {
        let words = channels
            .into_iter()
            .map(|channel| channel.as_ref().to_vec());
        self.send([b"SUBSCRIBE".to_vec()].into_iter().chain(words))?;
        while self.owed > 1 {
            self.answer().await?;
        }
        // With the first channel the server confirms that it has taken the command.
        self.owed = 0;
        self.required().await?.checked()?;
        Ok(Subscription { client: self })
    }

    fn send<W: AsRef<[u8]>>(&mut self, words: impl IntoIterator<Item = W>) -> io::Result<()> {
        self.stream.write(command(words))?;
        self.owed += 1;
        Ok(())
    }

    async fn last_answer(&mut self) -> io::Result<Value> {
        while self.owed > 1 {
            self.answer().await?;
        }
        self.answer().await
    }

    /// The next answer, and not what the server pushes in between.
    async fn answer(&mut self) -> io::Result<Value> {
        loop {
            let value = self.required().await?;
            if !matches!(value, Value::Push(_)) {
                self.owed -= 1;
                return Ok(value);
            }
        }
    }

    async fn required(&mut self) -> io::Result<Value> {
        let value = self.value().await?;
        value.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the server has left"))
    }

    /// `None` at the end of the stream. Behind anything else that is wrong, nothing makes sense.
    async fn value(&mut self) -> io::Result<Option<Value>> {
        let (reader, _) = self.stream.split();
        let mut values = reader.messages(|core| self.parser.parse(core));
        let value = values.next().await.transpose();
        if value.is_err() {
            self.stream.abort();
        }
        value
    }
}

impl Subscription {
    /// The next message, or `None` when the server has left.
    ///
    /// # Errors
    ///
    /// As [`Client::command`].
    ///
    /// # Cancel safety
    ///
    /// Yes: nothing is lost.
    pub async fn message(&mut self) -> io::Result<Option<Message>> {
        loop {
            let Some(value) = self.client.value().await? else {
                return Ok(None);
            };
            if let Notice::Message(message) = Notice::of(value)? {
                return Ok(Some(message));
            }
        }
    }

    /// Listens no more; messages that are on their way are dropped.
    ///
    /// # Errors
    ///
    /// As [`Client::command`].
    pub async fn unsubscribe(mut self) -> io::Result<Client> {
        self.client.stream.write(command(["UNSUBSCRIBE"]))?;
        while Notice::of(self.client.required().await?)? != Notice::Unsubscribed {}
        Ok(self.client)
    }
}

/// What comes on a connection that listens.
#[derive(Debug, PartialEq)]
enum Notice {
    Message(Message),
    /// It listens to one channel more, or to one less.
    Changed,
    /// It listens to none any more.
    Unsubscribed,
}

impl Notice {
    /// An array in version 2, a push in version 3.
    fn of(value: Value) -> io::Result<Self> {
        let (Value::Array(parts) | Value::Push(parts)) = value.checked()? else {
            return Err(invalid("a message is no array"));
        };
        let Ok([Value::Bulk(kind), channel, last]) = <[Value; 3]>::try_from(parts) else {
            return Err(invalid("a message does not have three parts"));
        };
        Ok(match (&*kind, channel, last) {
            (b"message", Value::Bulk(channel), Value::Bulk(payload)) => {
                Self::Message(Message { channel, payload })
            }
            (b"unsubscribe", _, Value::Integer(0)) => Self::Unsubscribed,
            (b"subscribe" | b"unsubscribe", _, Value::Integer(_)) => Self::Changed,
            _ => return Err(invalid("a message is of an unknown kind")),
        })
    }
}
