//! What goes wrong with a connection, and when.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use crate::world::{Due, State, pair};

/// A fault by chance strikes within 2 to the power of this, in bytes.
const REACH: u32 = 16;

/// A fault by chance strikes within 2 to the power of this, in microseconds.
const TIME_REACH: u32 = 26;

/// The longest stall by chance that ends.
const MAX_STALL: Duration = Duration::from_secs(100);

/// A direction of a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a stream has two directions")]
pub enum Direction {
    /// From the server to who has connected.
    ToClient,
    /// From who has connected to the server.
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
}

/// Something that goes wrong with a connection, at a moment that does not depend on who waits for
/// what.
///
/// Attempts to connect are numbered from 1 on in the order in which they are made; what does not say
/// which one it means strikes all.
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
    /// Whether nothing that is written behind it arrives.
    pub(crate) fn severs(self) -> bool {
        match self {
            Self::Reset | Self::Eof => true,
            Self::Stall(_) => false,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Eof => "end of the stream",
            Self::Stall(_) => "stall",
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

    /// Both sides are reset, as by somebody between them: what was sent in the direction until then
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

    /// Nothing more arrives in the direction for so long. Then it goes on.
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

    /// Strikes only that attempt to connect, or what becomes of it; counted from 1.
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

    /// Strikes only attempts to connect to that address by TCP, or what becomes of them: of a name
    /// with several addresses, which are tried in turn, the one of them.
    ///
    /// ```
    /// use millpond_sim::{Fault, Sim, open_connection, start_server};
    ///
    /// let deaf = Fault::black_hole().to(([0, 0, 0, 0, 0, 0, 0, 1], 80));
    /// Sim::new(1).fault(deaf).run(async {
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

    /// Strikes when the writer of the direction has sent so many bytes, which still arrive. By
    /// default it is at once, and for [`eof`](Self::eof) and stalls the direction is that to the
    /// server. Faults of attempts to connect know no bytes.
    ///
    /// See [`Fault`] for an example.
    pub fn after(mut self, direction: Direction, bytes: u64) -> Self {
        self.direction = direction;
        self.after = bytes;
        self
    }

    /// Whether it strikes that one and no other.
    pub(crate) fn is_about(&self, number: u32) -> bool {
        self.connection == Some(number)
    }

    pub(crate) fn strikes(&self, number: u32, target: Option<SocketAddr>) -> bool {
        self.connection.is_none_or(|which| which == number)
            && self.target.is_none_or(|which| Some(which) == target)
    }
}

/// When a fault by chance strikes.
pub(crate) enum Moment {
    /// When so much was written.
    Written(u64),
    /// When so many nanoseconds have passed.
    Passed(u64),
}

/// Chance.
impl State {
    fn is_unlucky(&mut self) -> bool {
        self.choices.one_in(self.settings.random_faults)
    }

    fn is_rather_unlucky(&mut self) -> bool {
        let one_in = self.settings.random_faults.saturating_mul(2);
        self.choices.one_in(one_in)
    }

    /// A number below 2 to the power of this; small ones are as likely as large ones.
    fn draw_magnitude(&mut self, bits: u32) -> u64 {
        let magnitude = self.choices.below(u64::from(bits) + 1);
        self.choices.below(1 << magnitude)
    }

    fn draw_time(&mut self) -> u64 {
        self.draw_magnitude(TIME_REACH) * 1000
    }

    /// What happens to a new connection, and when, once in a while.
    pub(crate) fn draw_fault(&mut self) -> Option<(StreamFault, Direction, Moment)> {
        if !self.is_unlucky() {
            return None;
        }
        let moment = match self.choices.below(2) {
            0 => Moment::Written(self.draw_magnitude(REACH)),
            _ => Moment::Passed(self.draw_time()),
        };
        let direction = match self.choices.below(2) {
            0 => Direction::ToServer,
            _ => Direction::ToClient,
        };
        let fault = match self.choices.below(8) {
            0..3 => StreamFault::Reset,
            3..6 => StreamFault::Eof,
            6 => StreamFault::Stall(None),
            _ => {
                let micros = self.choices.below(MAX_STALL.as_micros() as u64);
                StreamFault::Stall(Some(Duration::from_micros(micros)))
            }
        };
        Some((fault, direction, moment))
    }

    /// What goes wrong with an attempt to connect, once in a while.
    pub(crate) fn draw_connect_fault(&mut self) -> Option<Kind> {
        if !self.is_rather_unlucky() {
            return None;
        }
        match self.choices.below(2) {
            0 => Some(Kind::Refuse),
            _ => Some(Kind::BlackHole),
        }
    }

    /// What goes wrong with accepting, and how often, once in a while.
    pub(crate) fn draw_accept_errors(&mut self) -> Option<(ErrorKind, usize)> {
        if !self.is_rather_unlucky() {
            return None;
        }
        let kind = match self.choices.below(2) {
            0 => ErrorKind::ConnectionAborted,
            _ => ErrorKind::OutOfMemory,
        };
        Some((kind, self.choices.index(3) + 1))
    }

    /// Lets the way between two hosts be cut for a time, once in a while.
    pub(crate) fn draw_outage(&mut self, a: u32, b: u32) {
        if a == b || !self.is_rather_unlucky() {
            return;
        }
        let hosts = pair(a, b);
        let begin = self.now.saturating_add(self.draw_time());
        let end = begin.saturating_add(self.draw_time());
        self.add_timer(begin, Due::Outage(hosts, true));
        self.add_timer(end, Due::Outage(hosts, false));
    }

    /// Lets the clock jump, once in a while.
    pub(crate) fn draw_jump(&mut self) {
        let (one_in, longest) = self.settings.random_jumps;
        if self.choices.one_in(one_in) {
            let time = self.choices.below(longest.saturating_add(1));
            self.jump(time);
        }
    }

    /// Takes back what has not struck yet.
    pub(crate) fn calm(&mut self) {
        self.faults.clear();
        self.settings.random_faults = 0;
        self.settings.random_jumps.0 = 0;
        for connection in self.connections.values_mut() {
            connection.spare();
        }
        self.cancel_chance();
        for port in self.ports.values_mut() {
            port.spare();
        }
        for hosts in self.outages.clone() {
            self.set_outage(hosts, false);
        }
    }
}
