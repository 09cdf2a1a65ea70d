//! Where the two streams of a scenario meet.

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
    /// A client and a server on loopback.
    Tcp,
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

impl Place {
    /// A handful of bytes, for scenarios in which buffers run full.
    pub(crate) fn unit(self) -> usize {
        if self.moves_bytes_one_by_one() {
            256
        } else {
            64 * 1024
        }
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
            Self::FuturesIo | Self::Memory | Self::Sock | Self::Tcp => false,
            #[cfg(unix)]
            Self::Unix => false,
        }
    }

    /// Whether a closed stream takes what the peer still sends: that needs the clock of a runtime.
    pub(crate) fn lingers(self) -> bool {
        match self {
            Self::Sock | Self::Tcp => true,
            #[cfg(unix)]
            Self::Unix => true,
            Self::Drip | Self::FuturesIo | Self::Hesitant | Self::Memory | Self::Narrow => false,
        }
    }

    /// What the peer sees of an abort if everything that it sent was read.
    pub(crate) fn ending_of_abort(self) -> Ending {
        match self {
            Self::Memory | Self::Narrow | Self::Tcp => Ending::Reset,
            // Nothing tells the stream to reset.
            Self::FuturesIo => Ending::Eof,
            // Socket pairs are unix sockets, and those have no reset.
            Self::Drip | Self::Hesitant | Self::Sock if cfg!(unix) => Ending::Eof,
            Self::Drip | Self::Hesitant | Self::Sock => Ending::Reset,
            #[cfg(unix)]
            Self::Unix => Ending::Eof,
        }
    }
}
