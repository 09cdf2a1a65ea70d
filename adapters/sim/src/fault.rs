//! A fault of a connection, and the moment at which it happens.

use std::{fmt, net::SocketAddr, time::Duration};

/// A direction of a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a stream has two directions")]
pub enum Direction {
    /// From the server to the client.
    ToClient,
    /// From the client to the server.
    ToServer,
}

impl Direction {
    /// The side that writes.
    pub(crate) fn writer(self) -> usize {
        match self {
            Self::ToServer => 0,
            Self::ToClient => 1,
        }
    }

    /// That which this side writes.
    pub(crate) fn written_by(side: usize) -> Self {
        match side {
            0 => Self::ToServer,
            _ => Self::ToClient,
        }
    }
}

/// A fault of a connection, at a moment that does not depend on which tasks wait for what.
///
/// Attempts to connect are numbered from 1 on in the order in which they are made. A fault that names
/// none of them applies to all.
///
/// # Examples
///
/// ```
/// use millpond_sim::{Direction, Fault, Sim};
///
/// // The second connection is reset when the client has sent 1017 bytes.
/// let fault = Fault::reset().connection(2).after(Direction::ToServer, 1017);
/// let sim = Sim::new(1).fault(fault);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "does nothing unless given to a world"]
pub struct Fault {
    pub(crate) kind: Kind,
    connection: Option<u32>,
    target: Option<SocketAddr>,
    pub(crate) direction: Direction,
    pub(crate) after: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Refuse,
    BlackHole,
    Stream(StreamFault),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StreamFault {
    Reset,
    Eof,
    Stall(Option<Duration>),
    /// The bits of this mask are changed in one byte.
    Flip(u8),
    /// So many of the next bytes arrive twice.
    Repeat(usize),
    /// From then on a byte arrives each time that this has passed.
    Trickle(Duration),
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refusal",
            Self::BlackHole => "no answer",
            Self::Stream(fault) => fault.name(),
        }
    }
}

impl StreamFault {
    /// Whether nothing that is written after it arrives.
    pub(crate) fn cuts_off(self) -> bool {
        match self {
            Self::Reset | Self::Eof => true,
            Self::Stall(_) | Self::Flip(_) | Self::Repeat(_) | Self::Trickle(_) => false,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Eof => "end of the stream",
            Self::Stall(_) => "stall",
            Self::Flip(_) => "flip",
            Self::Repeat(_) => "repetition",
            Self::Trickle(_) => "trickle",
        }
    }
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            connection: None,
            target: None,
            direction: Direction::ToServer,
            after: 0,
        }
    }

    /// Both sides are reset, as by a firewall between them: what was sent in the direction until then
    /// arrives and can be read, and what is on its way back is lost.
    ///
    /// ```
    /// # use millpond_sim::{Direction, Fault};
    /// let after_a_kilobyte = Fault::reset().after(Direction::ToClient, 1024);
    /// ```
    pub fn reset() -> Self {
        Self::new(Kind::Stream(StreamFault::Reset))
    }

    /// The reader of the direction sees the end of the stream, as if the writer's process had ended;
    /// the writer itself finds the connection reset.
    ///
    /// ```
    /// # use millpond_sim::{Direction, Fault};
    /// let within_the_answer = Fault::eof().after(Direction::ToClient, 10);
    /// ```
    pub fn eof() -> Self {
        Self::new(Kind::Stream(StreamFault::Eof))
    }

    /// Nothing more arrives in the direction for this long. Then it goes on.
    ///
    /// ```
    /// # use millpond_sim::{Direction, Fault};
    /// use std::time::Duration;
    ///
    /// let a_slow_peer = Fault::stall(Duration::from_secs(20)).after(Direction::ToServer, 3);
    /// ```
    pub fn stall(duration: Duration) -> Self {
        Self::new(Kind::Stream(StreamFault::Stall(Some(duration))))
    }

    /// Nothing more ever arrives in the direction.
    ///
    /// ```
    /// let silence = millpond_sim::Fault::stall_forever().connection(1);
    /// ```
    pub fn stall_forever() -> Self {
        Self::new(Kind::Stream(StreamFault::Stall(None)))
    }

    /// The bits of this mask are changed in the next byte, as by a broken middlebox: the checksums of TCP miss
    /// some.
    ///
    /// # Panics
    ///
    /// If it is 0, which changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond_sim::{Direction, Fault, Sim, StreamOptions, world};
    ///
    /// let flip = Fault::flip(0x20).after(Direction::ToServer, 1);
    /// Sim::new(1).fault(flip).run(async {
    ///     let ((_r, mut writer), (mut reader, _w)) = world().connection(&StreamOptions::new());
    ///     writer.write(b"hello").unwrap();
    ///     assert_eq!(reader.read_exactly(5).await.unwrap(), "hEllo");
    /// });
    /// ```
    pub fn flip(mask: u8) -> Self {
        assert!(mask != 0, "without a bit nothing is changed");
        Self::new(Kind::Stream(StreamFault::Flip(mask)))
    }

    /// The next bytes arrive twice, so many at most and no more than are written at once, as by a broken
    /// middlebox: what packets are sent again by TCP itself is seen by no program.
    ///
    /// # Panics
    ///
    /// If it is 0, which repeats nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond_sim::{Direction, Fault, Sim, StreamOptions, world};
    ///
    /// let twice = Fault::repeat(2).after(Direction::ToServer, 1);
    /// Sim::new(1).fault(twice).run(async {
    ///     let ((_r, mut writer), (mut reader, _w)) = world().connection(&StreamOptions::new());
    ///     writer.write(b"hello").unwrap();
    ///     assert_eq!(reader.read_exactly(7).await.unwrap(), "helello");
    /// });
    /// ```
    pub fn repeat(bytes: usize) -> Self {
        assert!(bytes > 0, "without a byte nothing is repeated");
        Self::new(Kind::Stream(StreamFault::Repeat(bytes)))
    }

    /// From then on only a byte arrives each time that this long has passed, as from a peer that wants to
    /// keep a server busy for ever (slow loris).
    ///
    /// # Panics
    ///
    /// If that is no time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use millpond_sim::{Fault, Sim, StreamOptions, world};
    ///
    /// Sim::new(1).fault(Fault::trickle(Duration::from_secs(10))).run(async {
    ///     let ((_r, mut writer), (mut reader, _w)) = world().connection(&StreamOptions::new());
    ///     writer.write(b"hello\n").unwrap();
    ///     assert_eq!(reader.read_line().await.unwrap(), "hello\n");
    ///     assert_eq!(world().elapsed(), Duration::from_secs(60));
    /// });
    /// ```
    pub fn trickle(time_for_a_byte: Duration) -> Self {
        assert!(!time_for_a_byte.is_zero(), "a byte takes some time");
        Self::new(Kind::Stream(StreamFault::Trickle(time_for_a_byte)))
    }

    /// An attempt to connect is refused.
    ///
    /// ```
    /// let fault = millpond_sim::Fault::refuse().connection(1);
    /// ```
    pub fn refuse() -> Self {
        Self::new(Kind::Refuse)
    }

    /// An attempt to connect by TCP gets no answer. It fails after 127 s, as on Linux. Unix sockets
    /// always get one.
    ///
    /// ```
    /// let fault = millpond_sim::Fault::black_hole().connection(1);
    /// ```
    pub fn black_hole() -> Self {
        Self::new(Kind::BlackHole)
    }

    /// Applies only to that attempt to connect, and to its connection; counted from 1.
    ///
    /// # Panics
    ///
    /// If the number is 0.
    ///
    /// # Examples
    ///
    /// See [`Fault`].
    pub fn connection(mut self, number: u32) -> Self {
        assert!(number > 0, "connections are counted from 1");
        self.connection = Some(number);
        self
    }

    /// Applies only to attempts to connect to that address by TCP, and to their connections: of a name
    /// with several addresses, which are tried in turn, to one of them.
    ///
    /// ```
    /// use millpond_sim::{Fault, Sim, open_connection, start_server};
    ///
    /// let unreachable = Fault::black_hole().to(([0, 0, 0, 0, 0, 0, 0, 1], 80));
    /// Sim::new(1).fault(unreachable).run(async {
    ///     let _server = start_server("localhost:80", async |_, _| {}).await.unwrap();
    ///     let (_reader, writer) = open_connection("localhost:80").await.unwrap();
    ///     let peer = writer.extra_info().peer_addr.clone().unwrap();
    ///     assert_eq!(peer.to_string(), "127.0.0.1:80");
    /// });
    /// ```
    pub fn to(mut self, target: impl Into<SocketAddr>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Happens when the writer of the direction has sent this many bytes, which still arrive. By
    /// default it happens at once, and for [`eof`](Self::eof) and stalls the direction is that to the
    /// server. Faults of attempts to connect ignore it.
    ///
    /// See [`Fault`] for an example.
    pub fn after(mut self, direction: Direction, bytes: u64) -> Self {
        self.direction = direction;
        self.after = bytes;
        self
    }

    /// One that has happened to a connection, as a plan would have it.
    pub(crate) fn happened(kind: Kind, number: u32, direction: Direction, after: u64) -> Self {
        Self::new(kind).connection(number).after(direction, after)
    }

    /// As a program has it.
    pub(crate) fn source(&self) -> String {
        let made = match self.kind {
            Kind::Refuse => "refuse()".to_owned(),
            Kind::BlackHole => "black_hole()".to_owned(),
            Kind::Stream(StreamFault::Reset) => "reset()".to_owned(),
            Kind::Stream(StreamFault::Eof) => "eof()".to_owned(),
            Kind::Stream(StreamFault::Stall(None)) => "stall_forever()".to_owned(),
            Kind::Stream(StreamFault::Stall(Some(time))) => {
                format!("stall(Duration::from_nanos({}))", time.as_nanos())
            }
            Kind::Stream(StreamFault::Flip(mask)) => format!("flip({mask})"),
            Kind::Stream(StreamFault::Repeat(bytes)) => format!("repeat({bytes})"),
            Kind::Stream(StreamFault::Trickle(time)) => {
                format!("trickle(Duration::from_nanos({}))", time.as_nanos())
            }
        };
        let number = self.connection.map(|it| format!(".connection({it})"));
        let moment = match self.kind {
            Kind::Stream(_) => format!(".after(Direction::{:?}, {})", self.direction, self.after),
            Kind::Refuse | Kind::BlackHole => String::new(),
        };
        format!("Fault::{made}{}{moment}", number.unwrap_or_default())
    }

    /// Whether it applies to that connection and no other.
    pub(crate) fn is_only_for(&self, number: u32) -> bool {
        self.connection == Some(number)
    }

    pub(crate) fn applies_to(&self, number: u32, target: Option<SocketAddr>) -> bool {
        self.connection.is_none_or(|which| which == number)
            && self.target.is_none_or(|which| Some(which) == target)
    }
}

/// In words.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.connection {
            Some(number) => write!(f, "connection {number}: {}", self.kind.name())?,
            None => f.write_str(self.kind.name())?,
        }
        let Kind::Stream(fault) = self.kind else {
            return Ok(());
        };
        match fault {
            StreamFault::Stall(Some(time)) => write!(f, " of {time:?}")?,
            StreamFault::Stall(None) => f.write_str(" for ever")?,
            StreamFault::Flip(mask) => write!(f, " of {mask:#04x}")?,
            StreamFault::Repeat(bytes) => write!(f, " of at most {bytes} bytes")?,
            StreamFault::Trickle(time) => write!(f, " of a byte each {time:?}")?,
            StreamFault::Reset | StreamFault::Eof => {}
        }
        let bytes = match self.after {
            1 => "1 byte".to_owned(),
            n => format!("{n} bytes"),
        };
        match self.direction {
            Direction::ToClient => write!(f, " after {bytes} to the client"),
            Direction::ToServer => write!(f, " after {bytes} to the server"),
        }
    }
}
