//! Two ends and what is on its way between them. The rules are Linux's.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice},
    net::SocketAddr,
    task::{Context, Poll, Waker},
};

use millpond::Address;

use crate::{
    fault::{Kind, Moment, StreamFault},
    task::Wait,
    trace::{self, End, Event},
    world::{Afterwards, Due, State},
};

/// A read gives no more. How much room a reader's buffer has behind its data depends on where in
/// memory it lies, but it is always this much: so reads are the same in every run.
pub(crate) const READ_MAX: usize = 2048;

/// As much is written to a pipe as a whole or not at all; so says POSIX, and Linux takes a page.
const PIPE_BUF: usize = 4096;

pub(crate) struct Connection {
    pub(crate) kind: Transport,
    pub(crate) ends: [EndState; 2],
    /// By the side that writes.
    pub(crate) pipes: [Pipe; 2],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    /// One direction, which the client writes.
    Pipe,
    Tcp,
    Unix,
}

pub(crate) struct EndState {
    pub(crate) host: u32,
    pub(crate) address: Address,
    /// Told once, then forgotten: the system's `SO_ERROR`.
    error: Option<ErrorKind>,
    life: Life,
    /// Whether it has ended its own direction.
    finished: bool,
    /// Whether closing it resets: `SO_LINGER` of 0 s.
    abrupt: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Life {
    Open,
    /// Reset by the peer; the program still has it.
    Dead,
    /// The program has closed it.
    Closed,
}

/// One direction.
pub(crate) struct Pipe {
    /// What has arrived and then what has not.
    data: VecDeque<u8>,
    /// Invariant: at most the length of `data`.
    arrived: usize,
    /// What has not arrived, and when it will. Invariant: in order of time.
    flight: VecDeque<(u64, Mark)>,
    /// Whether there is a timer for the first of them.
    timer: bool,
    /// When the line is free to take more.
    line_free: u64,
    stalled_until: u64,
    ended: bool,
    /// What the receiver's system takes without its program; the rest waits on this side.
    window: usize,
    capacity: usize,
    written: u64,
    /// What strikes when so many bytes were written. Invariant: in that order.
    cuts: Vec<(u64, StreamFault)>,
    /// What is written from now on vanishes.
    severed: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mark {
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
    pub(crate) fn route(&self) -> Option<(u32, SocketAddr, SocketAddr)> {
        let client = &self.ends[0];
        Some((client.host, client.address.tcp()?, self.target()?))
    }

    /// What has not struck yet never does.
    pub(crate) fn spare(&mut self) {
        self.pipes.iter_mut().for_each(|pipe| pipe.cuts.clear());
    }

    /// Whether both sides have heard that the other one has ended.
    fn is_over(&self) -> bool {
        self.pipes.iter().all(|pipe| pipe.ended)
    }
}

impl EndState {
    pub(crate) fn new(host: u32, address: Address) -> Self {
        Self {
            host,
            address,
            error: None,
            life: Life::Open,
            finished: false,
            abrupt: false,
            reader: None,
            writer: None,
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.life != Life::Closed
    }
}

impl Pipe {
    pub(crate) fn new(send_buffer: usize, receive_buffer: usize) -> Self {
        Self {
            data: VecDeque::new(),
            arrived: 0,
            flight: VecDeque::new(),
            timer: false,
            line_free: 0,
            stalled_until: 0,
            ended: false,
            window: receive_buffer.max(1),
            capacity: send_buffer.max(1).saturating_add(receive_buffer),
            written: 0,
            cuts: Vec::new(),
            severed: false,
        }
    }

    /// Of a pipe in the system's sense: what it holds is with nobody.
    pub(crate) fn of_system(size: usize) -> Self {
        let size = size.max(PIPE_BUF);
        Self {
            window: size,
            capacity: size,
            ..Self::new(0, 0)
        }
    }

    fn take(&mut self, buf: &mut [u8]) {
        let (front, back) = self.data.as_slices();
        let first = front.len().min(buf.len());
        buf[..first].copy_from_slice(&front[..first]);
        let rest = buf.len() - first;
        buf[first..].copy_from_slice(&back[..rest]);
        self.data.drain(..buf.len());
        self.arrived -= buf.len();
    }

    /// Whether a fault strikes within the next bytes.
    fn is_cut_within(&self, n: usize) -> bool {
        let first = self.cuts.first();
        first.is_some_and(|(offset, _)| *offset <= self.written + n as u64)
    }

    /// The next fault within so many bytes, and how many of them are ahead of it.
    fn next_cut(&mut self, n: usize) -> Option<(usize, StreamFault)> {
        if !self.is_cut_within(n) {
            return None;
        }
        let (offset, fault) = self.cuts.remove(0);
        let ahead = offset.saturating_sub(self.written);
        Some((usize::try_from(ahead).unwrap_or(n), fault))
    }

    /// All but the first bytes is lost, and so is what comes behind.
    fn lose(&mut self, kept: usize) {
        if kept < self.data.len() {
            self.ended = false;
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
    }
}

pub(crate) fn other(side: usize) -> usize {
    1 - side
}

/// What a program does with its end.
impl State {
    fn connection(&mut self, at: End) -> &mut Connection {
        let connection = self.connections.get_mut(&at.connection);
        connection.expect("a connection is there as long as one of its sockets")
    }

    /// Now and then nothing is ready, for no reason.
    fn hesitates(&mut self, cx: &Context<'_>, at: End, after: &mut Afterwards) -> bool {
        let hesitates = self.choices.one_in(self.settings.hesitation);
        if hesitates {
            self.note(Event::Hesitated(at));
            after.wake(Some(cx.waker().clone()));
        }
        hesitates
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &Context<'_>,
        at: End,
        buf: &mut [u8],
        after: &mut Afterwards,
    ) -> Poll<io::Result<usize>> {
        if self.hesitates(cx, at, after) {
            return Poll::Pending;
        }
        let partial = self.settings.partial_io;
        let connection = self.connections.get_mut(&at.connection);
        let connection = connection.expect("a connection is there as long as one of its sockets");
        let Connection { ends, pipes, kind } = &mut **connection;
        let [end, peer] = two(ends, at.side);
        let pipe = &mut pipes[other(at.side)];
        let mut n = pipe.arrived.min(buf.len()).min(READ_MAX);
        if n > 0 {
            if partial {
                n = self.choices.up_to(n);
            }
            pipe.take(&mut buf[..n]);
            after.wake(peer.writer.take());
            self.note(Event::Read(at, n));
            self.trace.received(at, Ok(&buf[..n]));
            return Poll::Ready(Ok(n));
        }
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // A TCP end that has seen the proper end says so; a unix one tells of a reset first.
        let ended = pipe.ended && *kind == Transport::Tcp;
        if let Some(error) = end.error.take_if(|_| !ended) {
            self.note(Event::ReadFailed(at));
            self.trace.received(at, Err(error));
            return Poll::Ready(Err(error.into()));
        }
        if pipe.ended || end.life == Life::Dead {
            self.note(Event::ReadEnd(at));
            self.trace.received(at, Ok(&[]));
            return Poll::Ready(Ok(0));
        }
        after.wait(&mut end.reader, cx.waker());
        self.note(Event::ReadWaits(at));
        self.waits.push(Wait::Read(at));
        Poll::Pending
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &Context<'_>,
        at: End,
        bufs: &[IoSlice<'_>],
        after: &mut Afterwards,
    ) -> Poll<io::Result<usize>> {
        if self.hesitates(cx, at, after) {
            return Poll::Pending;
        }
        let len: usize = bufs.iter().map(|buf| buf.len()).sum();
        let partial = self.settings.partial_io;
        let connection = self.connection(at);
        let kind = connection.kind;
        let [end, peer] = two(&mut connection.ends, at.side);
        let hung_up = match kind {
            Transport::Pipe => peer.life != Life::Open && len > 0,
            Transport::Tcp => false,
            Transport::Unix => peer.life != Life::Open,
        };
        if end.finished || end.life == Life::Dead || hung_up {
            // A unix end keeps its error for who reads.
            let error = end.error.take_if(|_| kind == Transport::Tcp);
            self.note(Event::WriteFailed(at));
            return Poll::Ready(Err(error.unwrap_or(ErrorKind::BrokenPipe).into()));
        }
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        let pipe = &mut connection.pipes[at.side];
        let mut n = len.min(pipe.capacity.saturating_sub(pipe.data.len()));
        let whole = kind == Transport::Pipe && len <= PIPE_BUF;
        if n == 0 || whole && n < len {
            after.wait(&mut end.writer, cx.waker());
            self.note(Event::WriteWaits(at));
            self.waits.push(Wait::Write(at));
            return Poll::Pending;
        }
        if partial && !whole {
            n = self.choices.up_to(n);
        }
        let written = first(bufs, n);
        self.note(Event::Wrote(at, n, trace::digest(written.clone())));
        self.send_data(at, written, n, after);
        Poll::Ready(Ok(n))
    }

    /// Ends its own direction.
    pub(crate) fn finish(&mut self, at: End, after: &mut Afterwards) -> io::Result<()> {
        let connection = self.connection(at);
        let over = connection.is_over();
        let end = &mut connection.ends[at.side];
        if connection.kind == Transport::Tcp && (over || end.life == Life::Dead) {
            return Err(ErrorKind::NotConnected.into());
        }
        if !end.finished {
            end.finished = true;
            self.note(Event::Finished(at));
            self.send(at, Mark::Fin, after);
        }
        Ok(())
    }

    /// Closing it will reset.
    pub(crate) fn make_abrupt(&mut self, at: End) {
        self.connection(at).ends[at.side].abrupt = true;
        self.note(Event::Aborted(at));
    }

    /// The program lets go of its end.
    pub(crate) fn close(&mut self, at: End, after: &mut Afterwards) {
        self.note(Event::Dropped(at));
        let connection = self.connection(at);
        let over = connection.is_over();
        let [end, peer] = two(&mut connection.ends, at.side);
        let was = std::mem::replace(&mut end.life, Life::Closed);
        let unread = connection.pipes[other(at.side)].arrived > 0;
        after.wake(end.reader.take());
        after.wake(end.writer.take());
        if peer.life == Life::Closed {
            self.remove(at.connection);
            return;
        }
        match connection.kind {
            Transport::Tcp if was == Life::Dead || over => {}
            Transport::Tcp if unread || end.abrupt => self.send_reset(at, after),
            Transport::Tcp if end.finished => {}
            Transport::Tcp => self.send(at, Mark::Fin, after),
            Transport::Pipe | Transport::Unix => {
                if unread && connection.kind == Transport::Unix {
                    peer.error = Some(ErrorKind::ConnectionReset);
                }
                after.wake(peer.writer.take());
                self.send(at, Mark::Fin, after);
            }
        }
        if let Some(connection) = self.connections.get_mut(&at.connection) {
            // Nobody reads it any more, and so there is room for more.
            let pipe = &mut connection.pipes[other(at.side)];
            pipe.data.drain(..pipe.arrived);
            pipe.arrived = 0;
            after.wake(connection.ends[other(at.side)].writer.take());
        }
    }

    /// It was made, but is never to be accepted.
    pub(crate) fn refuse_late(&mut self, at: End, after: &mut Afterwards) {
        let connection = self.connection(at);
        match connection.kind {
            Transport::Tcp => connection.ends[at.side].abrupt = true,
            Transport::Pipe | Transport::Unix => {
                let client = &mut connection.ends[other(at.side)];
                client.error = Some(ErrorKind::ConnectionReset);
                after.wake(client.reader.take());
            }
        }
    }

    fn remove(&mut self, number: u32) {
        let Some(connection) = self.connections.remove(&number) else {
            return;
        };
        if let Some(route) = connection.route() {
            self.routes.remove(&route);
        }
        self.faults.retain(|fault| !fault.is_about(number));
    }
}

/// What is on its way.
impl State {
    fn send_data<'a>(
        &mut self,
        at: End,
        bufs: impl Iterator<Item = &'a [u8]>,
        n: usize,
        after: &mut Afterwards,
    ) {
        if !self.connection(at).pipes[at.side].is_cut_within(n) {
            return self.send_bytes(at, bufs, after);
        }
        let all = bufs.collect::<Vec<_>>().concat();
        let mut rest = &all[..];
        while let Some((ahead, fault)) = self.connection(at).pipes[at.side].next_cut(rest.len()) {
            let (sent, behind) = rest.split_at(ahead);
            self.send_bytes(at, std::iter::once(sent), after);
            self.strike(at, fault, after);
            rest = behind;
        }
        self.send_bytes(at, std::iter::once(rest), after);
    }

    /// What is written behind a fault, or to a peer that has just reset, vanishes.
    fn send_bytes<'a>(
        &mut self,
        at: End,
        bufs: impl Iterator<Item = &'a [u8]>,
        after: &mut Afterwards,
    ) {
        let connection = self.connection(at);
        let pipe = &mut connection.pipes[at.side];
        if pipe.severed || connection.ends[at.side].life != Life::Open {
            return;
        }
        let before = pipe.data.len();
        bufs.for_each(|buf| pipe.data.extend(buf));
        let n = pipe.data.len() - before;
        if n > 0 {
            pipe.written += n as u64;
            self.send(at, Mark::Data(n), after);
        }
    }

    fn send_reset(&mut self, at: End, after: &mut Afterwards) {
        let pipe = &mut self.connection(at).pipes[at.side];
        // What the peer's system has no room for has never left.
        pipe.lose(pipe.window);
        self.send(at, Mark::Reset, after);
    }

    /// The fault happens to the direction of its writer.
    fn strike(&mut self, at: End, fault: StreamFault, after: &mut Afterwards) {
        let is_pipe = self.connection(at).kind == Transport::Pipe;
        let fault = if is_pipe && fault == StreamFault::Reset {
            StreamFault::Eof // a pipe knows no other
        } else {
            fault
        };
        let pipe = &mut self.connection(at).pipes[at.side];
        if pipe.severed {
            return;
        }
        pipe.severed = fault.severs();
        self.note(Event::Faulted(at.connection, fault.name()));
        match fault {
            StreamFault::Stall(time) => {
                let until = time.map_or(u64::MAX, |time| self.in_future(time));
                let pipe = &mut self.connection(at).pipes[at.side];
                pipe.stalled_until = pipe.stalled_until.max(until);
            }
            StreamFault::Eof | StreamFault::Reset => self.send(at, Mark::Fault(fault), after),
        }
    }

    /// Sends something behind everything else, and lets it arrive if that takes no time.
    fn send(&mut self, at: End, mark: Mark, after: &mut Afterwards) {
        let now = self.now;
        let latency = self.draw_latency();
        let bandwidth = self.settings.bandwidth;
        let connection = self.connection(at);
        let (from, to) = (
            connection.ends[at.side].host,
            connection.ends[other(at.side)].host,
        );
        let has_way = connection.kind == Transport::Tcp;
        let cut = self.is_cut(from, to);
        let pipe = &mut self.connection(at).pipes[at.side];
        let mut arrival = now;
        if has_way {
            if let (Some(rate), Mark::Data(n)) = (bandwidth, mark) {
                let time = (n as u64).saturating_mul(1_000_000_000) / rate;
                pipe.line_free = pipe.line_free.max(now).saturating_add(time);
            }
            arrival = pipe.line_free.max(now).saturating_add(latency);
        }
        arrival = arrival.max(pipe.stalled_until);
        if let Some((last, _)) = pipe.flight.back() {
            arrival = arrival.max(*last);
        }
        if arrival <= now && pipe.flight.is_empty() && !cut {
            self.arrive(at, mark, after);
        } else {
            pipe.flight.push_back((arrival, mark));
            self.schedule(at);
        }
    }

    /// Sees to it that what is on its way arrives. While two hosts are parted nothing does.
    fn schedule(&mut self, at: End) {
        let connection = self.connection(at);
        let (from, to) = (
            connection.ends[at.side].host,
            connection.ends[other(at.side)].host,
        );
        if self.is_cut(from, to) {
            return;
        }
        let pipe = &mut self.connection(at).pipes[at.side];
        if pipe.timer {
            return;
        }
        if let Some((arrival, _)) = pipe.flight.front() {
            let arrival = *arrival;
            pipe.timer = arrival < u64::MAX;
            self.add_timer(arrival, Due::Arrival(at.connection, at.side));
        }
    }

    /// The time of what is on its way has come.
    pub(crate) fn deliver(&mut self, number: u32, side: usize, after: &mut Afterwards) {
        let at = End {
            connection: number,
            side,
        };
        let now = self.now;
        let mut first = true;
        loop {
            let Some(connection) = self.connections.get_mut(&number) else {
                return;
            };
            let (from, to) = (connection.ends[0].host, connection.ends[1].host);
            let pipe = &mut connection.pipes[side];
            if std::mem::take(&mut first) {
                pipe.timer = false;
            }
            match pipe.flight.front() {
                Some((arrival, mark)) if *arrival <= now => {
                    let mark = *mark;
                    if self.is_cut(from, to) {
                        return;
                    }
                    self.connection(at).pipes[side].flight.pop_front();
                    self.arrive(at, mark, after);
                }
                Some(_) => return self.schedule(at),
                None => return,
            }
        }
    }

    /// Something that this end has sent reaches the other one.
    fn arrive(&mut self, at: End, mark: Mark, after: &mut Afterwards) {
        let to = End {
            side: other(at.side),
            ..at
        };
        let connection = self.connection(at);
        let kind = connection.kind;
        let pipe = &mut connection.pipes[at.side];
        let receiver = &mut connection.ends[to.side];
        match mark {
            Mark::Data(n) if receiver.life == Life::Open => {
                pipe.arrived += n;
                after.wake(receiver.reader.take());
            }
            Mark::Data(n) => {
                pipe.data.drain(pipe.arrived..pipe.arrived + n);
                if kind == Transport::Tcp {
                    // Nobody is there to take it.
                    self.send_reset(to, after);
                }
            }
            // Who was reset hears of no proper end any more.
            Mark::Fin if receiver.life == Life::Dead => {}
            Mark::Fin => {
                pipe.ended = true;
                after.wake(receiver.reader.take());
            }
            Mark::Reset => self.reset(to, after),
            Mark::Fault(fault) => {
                // What was sent until then has arrived, even if there was no room for it.
                pipe.window = usize::MAX;
                if fault == StreamFault::Eof {
                    pipe.ended = true;
                    after.wake(receiver.reader.take());
                } else {
                    self.reset(to, after);
                }
                self.reset(at, after);
            }
        }
    }

    /// An end hears that its peer is no more.
    fn reset(&mut self, at: End, after: &mut Afterwards) {
        let connection = self.connection(at);
        let ended = connection.pipes[other(at.side)].ended;
        let end = &mut connection.ends[at.side];
        if end.life != Life::Open {
            return;
        }
        end.life = Life::Dead;
        // After a proper end it is writing that has failed.
        end.error = Some(if ended {
            ErrorKind::BrokenPipe
        } else {
            ErrorKind::ConnectionReset
        });
        after.wake(end.reader.take());
        after.wake(end.writer.take());
        let pipe = &mut connection.pipes[at.side];
        pipe.lose(pipe.arrived.min(pipe.window));
        self.note(Event::Reset(at));
    }
}

/// Faults.
impl State {
    /// What the plan, or chance, has in store for a new connection.
    pub(crate) fn doom(&mut self, number: u32, after: &mut Afterwards) {
        let target = self.connections.get(&number);
        let target = target.and_then(|connection| connection.target());
        let faults = self.faults.iter();
        let planned = faults.filter(|fault| fault.strikes(number, target));
        for fault in planned.copied().collect::<Vec<_>>() {
            if let Kind::Stream(kind) = fault.kind {
                self.strike_after(number, fault.direction.writer(), fault.after, kind, after);
            }
        }
        let Some((fault, direction, moment)) = self.draw_fault() else {
            return;
        };
        match moment {
            Moment::Written(offset) => {
                self.strike_after(number, direction.writer(), offset, fault, after);
            }
            Moment::Passed(time) => {
                let at = self.now.saturating_add(time);
                self.add_timer(at, Due::Strike(number, direction, fault));
            }
        }
    }

    /// Strikes a connection as soon as so many bytes were written to the direction.
    pub(crate) fn strike_after(
        &mut self,
        number: u32,
        side: usize,
        offset: u64,
        fault: StreamFault,
        after: &mut Afterwards,
    ) {
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        let side = match connection.kind {
            Transport::Pipe => 0, // there is no other direction
            Transport::Tcp | Transport::Unix => side,
        };
        let at = End {
            connection: number,
            side,
        };
        let pipe = &mut connection.pipes[side];
        if pipe.written < offset {
            pipe.cuts.push((offset, fault));
            pipe.cuts.sort_by_key(|(offset, _)| *offset);
        } else {
            self.strike(at, fault, after);
        }
    }

    /// Hosts reach each other again: what was on its way goes on.
    pub(crate) fn resume(&mut self) {
        let numbers: Vec<_> = self.connections.keys().copied().collect();
        for connection in numbers {
            for side in [0, 1] {
                self.schedule(End { connection, side });
            }
        }
    }

    /// All wakers, to be dropped without the lock.
    pub(crate) fn take_wakers(&mut self) -> Vec<Waker> {
        let connections = self.connections.values_mut();
        let ends = connections.flat_map(|connection| connection.ends.iter_mut());
        let waiting = ends.flat_map(|end| [end.reader.take(), end.writer.take()]);
        let mut wakers: Vec<_> = waiting.flatten().collect();
        wakers.extend(self.take_acceptors());
        wakers
    }
}

/// The first `n` bytes.
fn first<'a>(bufs: &'a [IoSlice<'_>], n: usize) -> impl Iterator<Item = &'a [u8]> + Clone {
    let mut left = n;
    bufs.iter().map(move |buf| {
        let taken = left.min(buf.len());
        left -= taken;
        &buf[..taken]
    })
}

fn two<T>(pair: &mut [T; 2], side: usize) -> [&mut T; 2] {
    let [first, second] = pair;
    if side == 0 {
        [first, second]
    } else {
        [second, first]
    }
}
