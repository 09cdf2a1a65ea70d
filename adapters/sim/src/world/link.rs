//! A connection: two ends, and what is on its way between them.

use std::{
    collections::VecDeque,
    io::{ErrorKind, IoSlice},
    mem,
    net::SocketAddr,
    task::Waker,
};

use millpond::Address;

use crate::{fault::StreamFault, struck::Cause, world::clock::TimerKey};

/// As much is written to a pipe as a whole or not at all; so says POSIX, and Linux takes a page.
pub(super) const PIPE_BUF: usize = 4096;

pub(crate) struct Connection {
    pub(super) kind: Transport,
    pub(crate) ends: [EndState; 2],
    /// By the side that writes.
    pub(super) pipes: [Pipe; 2],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Transport {
    /// One direction, which the client writes.
    Pipe,
    Tcp,
    Unix,
}

pub(crate) struct EndState {
    pub(super) host: u32,
    pub(crate) address: Address,
    /// Reported once, then forgotten: the system's `SO_ERROR`.
    pub(super) error: Option<ErrorKind>,
    pub(super) life: Life,
    pub(super) sending: Sending,
    pub(super) on_close: OnClose,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Life {
    Open,
    /// Reset by the peer; the program still has it.
    Dead,
    /// The program has closed it.
    Closed,
}

/// An end's own direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sending {
    Open,
    /// The program has ended it.
    Ended,
}

/// What closing an end sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum OnClose {
    Fin,
    /// `SO_LINGER` of 0 s.
    Reset,
}

/// One direction.
pub(super) struct Pipe {
    /// What has arrived and then what has not.
    pub(super) data: VecDeque<u8>,
    /// Invariant: at most the length of `data`.
    pub(super) arrived: usize,
    /// What has not arrived, and when it will. Invariant: in order of time.
    pub(super) flight: VecDeque<(u64, Mark)>,
    /// The timer for the first of them, if it is set.
    pub(super) timer: Option<TimerKey>,
    /// When the line is free to take more.
    pub(super) line_free: u64,
    pub(super) stalled_until: u64,
    /// How long each byte takes, after a fault; 0 is no time.
    pub(super) trickle: u64,
    /// What is changed in the next byte.
    pub(super) flip: u8,
    /// So many of the next bytes are repeated.
    pub(super) repeat: usize,
    pub(super) tail: Tail,
    /// What the receiver's system takes without its program; the rest waits on this side.
    pub(super) window: usize,
    pub(super) capacity: usize,
    pub(super) written: u64,
    /// Faults that happen when this many bytes were written. Invariant: in that order.
    pub(super) cuts: Vec<Cut>,
    pub(super) writes: Writes,
}

/// A fault that happens when this many bytes were written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) offset: u64,
    pub(super) fault: StreamFault,
    pub(super) cause: Cause,
}

/// What the reader finds after all that has arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tail {
    /// More may come.
    Open,
    Ended,
}

/// What becomes of what is written from now on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Writes {
    Sent,
    /// It is lost, after a fault.
    Lost,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mark {
    Data(usize),
    Fin,
    Reset,
    Fault(StreamFault),
}

impl Connection {
    /// What was connected to, by TCP.
    pub(crate) fn target(&self) -> Option<SocketAddr> {
        self.ends[1].address.tcp()
    }

    /// From which host, and from where to where, by TCP.
    pub(super) fn route(&self) -> Option<(u32, SocketAddr, SocketAddr)> {
        let client = &self.ends[0];
        Some((client.host, client.address.tcp()?, self.target()?))
    }

    /// Cancels the faults that have not happened yet.
    pub(super) fn cancel_faults(&mut self) {
        self.pipes.iter_mut().for_each(|pipe| pipe.cuts.clear());
    }

    /// Whether the end of each direction has arrived.
    pub(super) fn is_over(&self) -> bool {
        self.pipes.iter().all(|pipe| pipe.tail == Tail::Ended)
    }
}

impl EndState {
    pub(super) fn new(host: u32, address: Address) -> Self {
        Self {
            host,
            address,
            error: None,
            life: Life::Open,
            sending: Sending::Open,
            on_close: OnClose::Fin,
            reader: None,
            writer: None,
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.life != Life::Closed
    }
}

impl Pipe {
    pub(super) fn new(send_buffer: usize, receive_buffer: usize) -> Self {
        Self {
            data: VecDeque::new(),
            arrived: 0,
            flight: VecDeque::new(),
            timer: None,
            line_free: 0,
            stalled_until: 0,
            trickle: 0,
            flip: 0,
            repeat: 0,
            tail: Tail::Open,
            window: receive_buffer.max(1),
            capacity: send_buffer.max(1).saturating_add(receive_buffer),
            written: 0,
            cuts: Vec::new(),
            writes: Writes::Sent,
        }
    }

    /// A pipe in the system's sense, whose one buffer belongs to neither end.
    pub(super) fn of_system(size: usize) -> Self {
        let size = size.max(PIPE_BUF);
        Self {
            window: size,
            capacity: size,
            ..Self::new(0, 0)
        }
    }

    /// Adds what is written, with a fault in it: how many bytes are to be sent.
    pub(super) fn add<'a>(&mut self, bufs: impl Iterator<Item = &'a [u8]>) -> usize {
        let before = self.data.len();
        bufs.for_each(|buf| self.data.extend(buf));
        let n = self.data.len() - before;
        if n == 0 {
            return 0;
        }
        self.written += n as u64;
        self.data[before] ^= mem::take(&mut self.flip);
        let repeated = mem::take(&mut self.repeat).min(n);
        if repeated > 0 {
            let rest = self.data.split_off(before + repeated);
            let again: Vec<_> = self.data.range(before..).copied().collect();
            self.data.extend(again.into_iter().chain(rest));
        }
        n + repeated
    }

    pub(super) fn take(&mut self, buf: &mut [u8]) {
        let (front, back) = self.data.as_slices();
        let first = front.len().min(buf.len());
        buf[..first].copy_from_slice(&front[..first]);
        let rest = buf.len() - first;
        buf[first..].copy_from_slice(&back[..rest]);
        self.data.drain(..buf.len());
        self.arrived -= buf.len();
    }

    /// Drops what has arrived, which leaves room for more.
    pub(super) fn drop_arrived(&mut self) {
        self.data.drain(..self.arrived);
        self.arrived = 0;
    }

    /// Whether a fault happens within the next bytes.
    pub(super) fn is_cut_within(&self, n: usize) -> bool {
        let first = self.cuts.first();
        first.is_some_and(|cut| cut.offset <= self.written + n as u64)
    }

    /// The next fault within that many bytes, and how many of them are ahead of it.
    pub(super) fn next_cut(&mut self, n: usize) -> Option<(usize, Cut)> {
        if !self.is_cut_within(n) {
            return None;
        }
        let cut = self.cuts.remove(0);
        let ahead = cut.offset.saturating_sub(self.written);
        Some((usize::try_from(ahead).unwrap_or(n), cut))
    }

    /// All but the first bytes are lost, and so is what comes after them. Says how many these are.
    pub(super) fn lose(&mut self, kept: usize) -> usize {
        let lost = self.data.len().saturating_sub(kept);
        if kept < self.data.len() {
            self.tail = Tail::Open;
            self.data.truncate(kept);
        }
        self.arrived = self.arrived.min(kept);
        let mut flying = self.data.len() - self.arrived;
        self.flight.retain_mut(|(_, mark)| match mark {
            Mark::Data(n) => {
                *n = flying.min(*n);
                flying -= *n;
                *n > 0
            }
            Mark::Fin | Mark::Reset | Mark::Fault(_) => false,
        });
        lost
    }
}

/// The first `n` bytes.
pub(super) fn first<'a>(
    bufs: &'a [IoSlice<'_>],
    n: usize,
) -> impl Iterator<Item = &'a [u8]> + Clone {
    let mut left = n;
    bufs.iter().map(move |buf| {
        let taken = left.min(buf.len());
        left -= taken;
        &buf[..taken]
    })
}

/// This side's first.
pub(super) fn two<T>(pair: &mut [T; 2], side: usize) -> [&mut T; 2] {
    let [first, second] = pair;
    if side == 0 {
        [first, second]
    } else {
        [second, first]
    }
}
