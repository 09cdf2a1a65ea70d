//! A peer that plays a script.

use std::{fmt, io, time::Duration};

use millpond::{Bytes, ReadError, Separator, StreamReader, StreamWriter};

use crate::host::world::world;

/// A peer that plays its part step by step: expect this, send that, then reset.
///
/// It tests one side of a protocol against a peer that behaves, or misbehaves, in a way that no
/// program would. It plays on any stream: that of a server's handler, that of a
/// [connection](crate::World::connection) in a world, or on [`pair`](crate::pair) without one.
///
/// # Examples
///
/// A server that is cut off in the middle of its answer:
///
/// ```
/// use millpond_sim::{Script, Sim, StreamOptions, world};
///
/// Sim::new(1).run(async {
///     let (client, server) = world().connection(&StreamOptions::new());
///     let script = Script::new().expect(b"GET /\r\n").send(b"HTTP/1.1 200 O").reset();
///     world().spawn(async move { script.play(server).await.unwrap() });
///
///     let (mut reader, mut writer) = client;
///     writer.write(b"GET /\r\n").unwrap();
///     let failure = reader.read_line().await.unwrap_err();
///     assert_eq!(failure.kind(), std::io::ErrorKind::ConnectionReset);
///     assert_eq!(reader.buffered(), b"HTTP/1.1 200 O");
/// });
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "does nothing unless played"]
pub struct Script {
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Expect(Bytes),
    ExpectUntil(Bytes),
    ExpectEnd,
    ExpectReset,
    Send(Bytes),
    SendByteByByte(Bytes, Duration),
    Wait(Duration),
    End,
    Close,
    Reset,
    Hold,
}

/// The other side did not do what a [`Script`] expects. Its `Display` says what it did.
///
/// # Examples
///
/// ```
/// use millpond_sim::{Script, Sim, StreamOptions, world};
///
/// Sim::new(1).run(async {
///     let ((_reader, mut writer), server) = world().connection(&StreamOptions::new());
///     writer.write(b"GOODBYE").unwrap();
///     let error = Script::new().expect(b"HELLO\r\n").play(server).await.unwrap_err();
///     assert_eq!(
///         error.to_string(),
///         r#"step 1 of the script is to expect "HELLO\r\n", but "GOODBYE" came"#
///     );
/// });
/// ```
#[non_exhaustive]
pub struct ScriptError {
    /// Which step it was, counted from 1.
    pub step: usize,
    expected: String,
    came: Came,
}

#[derive(Debug)]
enum Came {
    Other(Bytes),
    Failure(io::Error),
}

impl Script {
    /// One without steps.
    ///
    /// See [`Script`] for an example.
    pub fn new() -> Self {
        Self::default()
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// The other side must send exactly this now.
    ///
    /// ```
    /// # use millpond_sim::Script;
    /// let script = Script::new().expect(b"HELLO\r\n");
    /// ```
    pub fn expect(self, data: impl AsRef<[u8]>) -> Self {
        self.step(Step::Expect(Bytes::copy_from_slice(data.as_ref())))
    }

    /// The other side must send something that ends like this; what it is does not matter.
    ///
    /// # Panics
    ///
    /// If the separator is empty.
    ///
    /// ```
    /// # use millpond_sim::Script;
    /// let script = Script::new().expect_until(b"\r\n").send(b"250 ok\r\n");
    /// ```
    pub fn expect_until(self, separator: impl AsRef<[u8]>) -> Self {
        let separator = separator.as_ref();
        assert!(!separator.is_empty(), "a separator has at least 1 byte");
        self.step(Step::ExpectUntil(Bytes::copy_from_slice(separator)))
    }

    /// The other side must end its direction now.
    ///
    /// ```
    /// # use millpond_sim::Script;
    /// let script = Script::new().expect_end();
    /// ```
    pub fn expect_end(self) -> Self {
        self.step(Step::ExpectEnd)
    }

    /// The other side must reset the connection now.
    ///
    /// ```
    /// # use millpond_sim::Script;
    /// let script = Script::new().send(b"nonsense").expect_reset();
    /// ```
    pub fn expect_reset(self) -> Self {
        self.step(Step::ExpectReset)
    }

    /// Sends this.
    ///
    /// ```
    /// # use millpond_sim::Script;
    /// let script = Script::new().send(b"220 ready\r\n");
    /// ```
    pub fn send(self, data: impl AsRef<[u8]>) -> Self {
        self.step(Step::Send(Bytes::copy_from_slice(data.as_ref())))
    }

    /// Sends this one byte at a time, with a pause before each. The pauses need a world.
    ///
    /// ```
    /// # use millpond_sim::Script;
    /// let pause = std::time::Duration::from_secs(1);
    /// let script = Script::new().send_slowly(b"220 ready\r\n", pause);
    /// ```
    pub fn send_slowly(self, data: impl AsRef<[u8]>, pause: Duration) -> Self {
        let data = Bytes::copy_from_slice(data.as_ref());
        self.step(Step::SendByteByByte(data, pause))
    }

    /// Does nothing for this long. That needs a world.
    ///
    /// ```
    /// # use millpond_sim::Script;
    /// let script = Script::new().wait(std::time::Duration::from_secs(300)).send(b"too late");
    /// ```
    pub fn wait(self, duration: Duration) -> Self {
        self.step(Step::Wait(duration))
    }

    /// Ends its own direction, and goes on reading.
    ///
    /// ```
    /// # use millpond_sim::Script;
    /// let script = Script::new().send(b"bye").end().expect_end();
    /// ```
    pub fn end(self) -> Self {
        self.step(Step::End)
    }

    /// Closes the connection properly.
    ///
    /// ```
    /// # use millpond_sim::Script;
    /// let script = Script::new().send(b"bye").close();
    /// ```
    pub fn close(self) -> Self {
        self.step(Step::Close)
    }

    /// Resets the connection; what was sent before is on its way.
    ///
    /// ```
    /// # use millpond_sim::Script;
    /// let script = Script::new().send(b"half of i").reset();
    /// ```
    pub fn reset(self) -> Self {
        self.step(Step::Reset)
    }

    /// Does nothing any more, for ever, and keeps the connection open.
    ///
    /// ```
    /// # use millpond_sim::Script;
    /// let script = Script::new().send(b"220 ready\r\n").hold();
    /// ```
    pub fn hold(self) -> Self {
        self.step(Step::Hold)
    }

    /// Plays it on a stream, which is closed in the end.
    ///
    /// # Errors
    ///
    /// [`ScriptError`], if the other side does not do what is expected of it.
    ///
    /// # Panics
    ///
    /// If it has to wait, outside of a world.
    ///
    /// # Cancel safety
    ///
    /// No: the rest of it is not played.
    ///
    /// # Examples
    ///
    /// On the connections of a server, whose handler fails the test if the client does anything else:
    ///
    /// ```
    /// use millpond_sim::{Script, Sim, open_connection, start_server};
    ///
    /// Sim::new(1).run(async {
    ///     let script = Script::new().send(b"220 ready\r\n").expect_until(b"\r\n").send(b"250 ok\r\n");
    ///     let server = start_server("127.0.0.1:25", move |reader, writer| {
    ///         let script = script.clone();
    ///         async move { script.play((reader, writer)).await.unwrap() }
    ///     });
    ///     let server = server.await.unwrap();
    ///
    ///     let (mut reader, mut writer) = open_connection(&server.sockets()[0]).await.unwrap();
    ///     assert_eq!(reader.read_line().await.unwrap(), "220 ready\r\n");
    ///     writer.write(b"EHLO me\r\n").unwrap();
    ///     assert_eq!(reader.read_line().await.unwrap(), "250 ok\r\n");
    /// });
    /// ```
    pub async fn play(self, stream: (StreamReader, StreamWriter)) -> Result<(), ScriptError> {
        let (mut reader, mut writer) = stream;
        for (index, step) in self.steps.iter().enumerate() {
            let came = match play_step(step, &mut reader, &mut writer).await {
                Ok(None) => continue,
                Ok(Some(other)) => Came::Other(other),
                Err(error) => Came::Failure(error),
            };
            return Err(ScriptError {
                step: index + 1,
                expected: step.to_string(),
                came,
            });
        }
        writer.close();
        Ok(())
    }
}

/// Gives what came instead of what was expected.
async fn play_step(
    step: &Step,
    reader: &mut StreamReader,
    writer: &mut StreamWriter,
) -> io::Result<Option<Bytes>> {
    match step {
        Step::Expect(data) => {
            let came = as_far_as_expected(data, reader).await?;
            return Ok((came != data).then_some(came));
        }
        Step::ExpectUntil(separator) => {
            let came = reader.read_until(&Separator::new(separator)).await;
            let came = partial_or_whole(came)?;
            return Ok((!came.ends_with(separator)).then_some(came));
        }
        Step::ExpectEnd => {
            let came = reader.read(1024).await?;
            return Ok((!came.is_empty()).then_some(came));
        }
        Step::ExpectReset => match reader.read(1024).await.map_err(io::Error::from) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            came => return came.map(Some),
        },
        Step::Send(data) => {
            writer.write(data)?;
            writer.flush().await?;
        }
        Step::SendByteByByte(data, pause) => {
            for byte in data {
                world().sleep(*pause).await;
                writer.write([*byte])?;
                writer.flush().await?;
            }
        }
        Step::Wait(duration) => world().sleep(*duration).await,
        Step::End => {
            writer.write_eof()?;
            writer.flush().await?;
        }
        Step::Close => {
            writer.close();
            writer.wait_closed().await?;
        }
        Step::Reset => writer.abort(),
        Step::Hold => std::future::pending().await,
    }
    Ok(None)
}

/// What has come when it differs from what is expected, even if that is less: the rest need not come.
async fn as_far_as_expected(expected: &[u8], reader: &mut StreamReader) -> io::Result<Bytes> {
    let mut came = Vec::new();
    while came.len() < expected.len() && expected.starts_with(&came) {
        let more = reader.read(expected.len() - came.len()).await?;
        if more.is_empty() {
            break;
        }
        came.extend_from_slice(&more);
    }
    if !expected.starts_with(&came) {
        came.extend_from_slice(reader.buffered()); // to say what it is
    }
    Ok(came.into())
}

/// What came before the end of the stream counts, too.
fn partial_or_whole(read: Result<Bytes, ReadError>) -> io::Result<Bytes> {
    match read {
        Err(ReadError::Incomplete { partial, .. }) => Ok(partial),
        other => Ok(other?),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expect(data) => write!(f, "expect {:?}", Text(data)),
            Self::ExpectUntil(separator) => {
                write!(f, "expect something until {:?}", Text(separator))
            }
            Self::ExpectEnd => f.write_str("expect the end"),
            Self::ExpectReset => f.write_str("expect a reset"),
            Self::Send(data) => write!(f, "send {:?}", Text(data)),
            Self::SendByteByByte(data, _) => write!(f, "send {:?} slowly", Text(data)),
            Self::Wait(duration) => write!(f, "wait {duration:?}"),
            Self::End => f.write_str("end the direction"),
            Self::Close => f.write_str("close"),
            Self::Reset => f.write_str("reset"),
            Self::Hold => f.write_str("hold"),
        }
    }
}

/// Bytes as a program spells them.
struct Text<'a>(&'a [u8]);

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// The same sentence, for a test that unwraps it.
impl fmt::Debug for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "step {} of the script is to {}, but ",
            self.step, self.expected
        )?;
        match &self.came {
            Came::Other(other) if other.is_empty() => f.write_str("the end came"),
            Came::Other(other) => write!(f, "{:?} came", Text(other)),
            Came::Failure(error) => write!(f, "the stream has failed: {error}"),
        }
    }
}

impl std::error::Error for ScriptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.came {
            Came::Other(_) => None,
            Came::Failure(error) => error.source(),
        }
    }
}
