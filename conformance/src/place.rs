//! Where the two streams of a scenario meet.

use millpond::{TlsAcceptor, TlsConnector};

use crate::certificates;

/// How two streams are connected; for scenarios about servers, where they listen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Place {
    /// Sockets that give and take one byte a call.
    Drip,
    /// futures-io streams.
    FuturesIo,
    /// Like `Drip`, and not ready now and then.
    Hesitant,
    /// A pair in memory.
    Memory,
    /// A pair in memory that holds one byte on its way.
    Narrow,
    /// A socket pair of the standard library.
    Sock,
    /// A client and a server on loopback that begin TLS in the middle, and know of each other that one
    /// direction can end alone.
    StartTls,
    /// A client and a server on loopback.
    Tcp,
    /// A client and a server on loopback, with TLS from the first byte.
    Tls,
    /// Like `Tls`, but TLS 1.2.
    Tls12,
    /// A pair in memory that begins TLS.
    TlsMemory,
    /// A client and a server on a unix socket.
    #[cfg(unix)]
    Unix,
}

/// How a stream can end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    Eof,
    Reset,
}

/// Parts of the names of scenarios that end one direction of a stream and go on with the other one.
const ENDING_ONE_DIRECTION: &[&str] = &[
    "::half_closing::",
    "::a_proper_end_stays_one_though_a_reset_follows",
    "::a_read_that_takes_too_long_can_be_asked_again",
    "::a_stream_reads_as_its_reader_does",
    "::a_stream_writes_as_its_writer_does",
    "::close_after_write_eof_ends_the_other_direction_too",
    "::descriptions_show_the_state_of_a_stream_but_none_of_its_bytes",
    "::dropping_the_writer_delivers_everything_and_then_the_end",
    "::nothing_can_be_written_after_abort",
    "::nothing_can_be_written_after_close",
    "::wait_closed_waits_for_a_close",
    "::writes_fail_after_a_reset_and_go_on_failing",
    "::writing_after_write_eof_is_an_error",
];

impl Place {
    /// A handful of bytes, for scenarios in which buffers run full.
    pub(crate) fn unit(self) -> usize {
        if self.moves_bytes_one_by_one() {
            256
        } else {
            64 * 1024
        }
    }

    /// More than twice as much as is on its way with [`tight`](crate::setup::Setup::tight) settings,
    /// and as those let be queued.
    pub(crate) fn plenty(self) -> usize {
        16 * self.unit()
    }

    /// A lot of bytes.
    pub(crate) fn volume(self) -> usize {
        if self.moves_bytes_one_by_one() {
            32 * 1024
        } else {
            8 * 1024 * 1024
        }
    }

    fn moves_bytes_one_by_one(self) -> bool {
        match self {
            Self::Drip | Self::Hesitant | Self::Narrow => true,
            Self::FuturesIo
            | Self::Memory
            | Self::Sock
            | Self::StartTls
            | Self::Tcp
            | Self::Tls
            | Self::Tls12
            | Self::TlsMemory => false,
            #[cfg(unix)]
            Self::Unix => false,
        }
    }

    /// Whether a closed stream takes what the peer still sends: that needs the clock of a runtime.
    pub(crate) fn lingers(self) -> bool {
        match self {
            Self::Sock | Self::StartTls | Self::Tcp | Self::Tls | Self::Tls12 => true,
            #[cfg(unix)]
            Self::Unix => true,
            Self::Drip
            | Self::FuturesIo
            | Self::Hesitant
            | Self::Memory
            | Self::Narrow
            | Self::TlsMemory => false,
        }
    }

    /// What the peer sees of an abort if everything that it sent was read.
    pub(crate) fn ending_of_abort(self) -> Ending {
        match self {
            Self::Memory
            | Self::Narrow
            | Self::StartTls
            | Self::Tcp
            | Self::Tls
            | Self::Tls12
            | Self::TlsMemory => Ending::Reset,
            // futures-io has no reset.
            Self::FuturesIo => Ending::Eof,
            // Socket pairs are unix sockets, and those have no reset.
            Self::Drip | Self::Hesitant | Self::Sock if cfg!(unix) => Ending::Eof,
            Self::Drip | Self::Hesitant | Self::Sock => Ending::Reset,
            #[cfg(unix)]
            Self::Unix => Ending::Eof,
        }
    }

    /// Whether one direction can be ended while the other one goes on.
    pub(crate) fn half_closes(self) -> bool {
        !matches!(self, Self::Tls | Self::Tls12 | Self::TlsMemory)
    }

    /// Whether it has not got what the scenario of this name is about.
    pub(crate) fn lacks(self, name: &str) -> bool {
        !self.half_closes() && ENDING_ONE_DIRECTION.iter().any(|part| name.contains(part))
    }

    /// How a client begins TLS, where a connection begins with it.
    pub(crate) fn connector(self) -> Option<TlsConnector> {
        match self {
            Self::Tls => Some(certificates::connector()),
            Self::Tls12 => Some(certificates::old_connector()),
            Self::Drip
            | Self::FuturesIo
            | Self::Hesitant
            | Self::Memory
            | Self::Narrow
            | Self::Sock
            | Self::StartTls
            | Self::Tcp
            | Self::TlsMemory => None,
            #[cfg(unix)]
            Self::Unix => None,
        }
    }

    /// How a server begins TLS, where a connection begins with it.
    pub(crate) fn acceptor(self) -> Option<TlsAcceptor> {
        self.connector().map(|_| certificates::acceptor())
    }
}
