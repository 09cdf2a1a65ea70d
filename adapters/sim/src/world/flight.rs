//! What is on its way between two ends, and the way between two hosts.

use std::{io::ErrorKind, iter};

use crate::{
    fault::{Direction, Fault, Kind, StreamFault},
    struck::{Cause, What},
    time::nanos,
    trace::{
        event::{End, Event},
        note::{Note, Signal},
    },
    world::{
        clock::Due,
        link::{Life, Mark, Tail, Transport, Writes, two},
        state::State,
    },
};

/// Sending.
impl State {
    /// Sends the `n` bytes of `bufs`, with the faults that happen within them.
    pub(super) fn send_data<'a>(
        &mut self,
        at: End,
        bufs: impl Iterator<Item = &'a [u8]>,
        n: usize,
    ) {
        if !self.connection(at).pipes[at.side].is_cut_within(n) {
            return self.send_bytes(at, bufs);
        }
        let all = bufs.collect::<Vec<_>>().concat();
        let mut rest = &all[..];
        while let Some((ahead, cut)) = self.connection(at).pipes[at.side].next_cut(rest.len()) {
            let (sent, behind) = rest.split_at(ahead);
            self.send_bytes(at, iter::once(sent));
            self.apply(at, cut.fault, cut.cause);
            rest = behind;
        }
        self.send_bytes(at, iter::once(rest));
    }

    /// What is written after a fault, or to a peer that has just reset, is lost.
    fn send_bytes<'a>(&mut self, at: End, bufs: impl Iterator<Item = &'a [u8]>) {
        let connection = self.connection(at);
        let pipe = &mut connection.pipes[at.side];
        if pipe.writes == Writes::Lost || connection.ends[at.side].life != Life::Open {
            let lost = bufs.map(<[u8]>::len).sum();
            self.note_lost(at, lost);
            return;
        }
        let before = pipe.written;
        let n = pipe.add(bufs);
        let repeated = n as u64 - (pipe.written - before);
        let trickle = pipe.trickle;
        if repeated > 0 {
            self.note_for_record(|| Note::Repeated(at, repeated));
        }
        match trickle {
            _ if n == 0 => {}
            0 => self.send(at, Mark::Data(n)),
            _ => (0..n).for_each(|_| self.send(at, Mark::Data(1))), // all of them later
        }
    }

    pub(super) fn send_reset(&mut self, at: End) {
        let pipe = &mut self.connection(at).pipes[at.side];
        // What the peer's system has no room for was never sent.
        let lost = pipe.lose(pipe.window);
        self.note_lost(at, lost);
        self.send(at, Mark::Reset);
    }

    /// Lets a fault happen to the direction that this end writes.
    pub(super) fn apply(&mut self, at: End, fault: StreamFault, cause: Cause) {
        let is_pipe = self.connection(at).kind == Transport::Pipe;
        let fault = if is_pipe && fault == StreamFault::Reset {
            StreamFault::Eof // a pipe knows no other
        } else {
            fault
        };
        let pipe = &mut self.connection(at).pipes[at.side];
        if pipe.writes == Writes::Lost {
            return;
        }
        if fault.cuts_off() {
            pipe.writes = Writes::Lost;
        }
        let (kind, direction) = (Kind::Stream(fault), Direction::written_by(at.side));
        let happened = Fault::happened(kind, at.connection, direction, pipe.written);
        self.note(Event::Faulted(at.connection, fault.name()));
        self.strike(cause, What::Connection(happened));
        match fault {
            StreamFault::Stall(time) => {
                let until = time.map_or(u64::MAX, |time| self.clock.in_future(time));
                let pipe = &mut self.connection(at).pipes[at.side];
                pipe.stalled_until = pipe.stalled_until.max(until);
            }
            StreamFault::Eof | StreamFault::Reset => self.send(at, Mark::Fault(fault)),
            StreamFault::Flip(mask) => self.connection(at).pipes[at.side].flip ^= mask,
            StreamFault::Repeat(bytes) => self.connection(at).pipes[at.side].repeat = bytes,
            StreamFault::Trickle(time) => {
                self.connection(at).pipes[at.side].trickle = nanos(time);
            }
        }
    }

    /// Sends something after everything else, and lets it arrive if that takes no time.
    pub(super) fn send(&mut self, at: End, mark: Mark) {
        self.note_sent(at, mark);
        let now = self.clock.now;
        let [from, to] = self.hosts_of(at);
        let latency = self.draw_latency(from, to);
        let bandwidth = self.settings.bandwidth;
        let partitioned = self.is_partitioned_within(at);
        let connection = self.connection(at);
        let pipe = &mut connection.pipes[at.side];
        let mut arrival = now;
        if connection.kind == Transport::Tcp {
            if let (Some(rate), Mark::Data(n)) = (bandwidth, mark) {
                let time = (n as u64).saturating_mul(1_000_000_000) / rate;
                pipe.line_free = pipe.line_free.max(now).saturating_add(time);
            }
            arrival = pipe.line_free.max(now).saturating_add(latency);
        }
        if let (1.., Mark::Data(_)) = (pipe.trickle, mark) {
            pipe.line_free = pipe.line_free.max(now).saturating_add(pipe.trickle);
            arrival = arrival.max(pipe.line_free);
        }
        arrival = arrival.max(pipe.stalled_until);
        if let Some((last, _)) = pipe.flight.back() {
            arrival = arrival.max(*last);
        }
        if arrival <= now && pipe.flight.is_empty() && !partitioned {
            self.arrive(at, mark);
        } else {
            pipe.flight.push_back((arrival, mark));
            self.schedule(at);
        }
    }
}

/// Arriving.
impl State {
    /// Sets the timer for what is on its way. During a partition nothing arrives.
    fn schedule(&mut self, at: End) {
        if self.is_partitioned_within(at) {
            return;
        }
        let pipe = &self.connection(at).pipes[at.side];
        let first = pipe.flight.front().filter(|_| pipe.timer.is_none());
        if let Some(&(arrival, _)) = first {
            let due = Due::Arrival(at.connection, at.side);
            let timer = self.clock.add_timer(arrival, due);
            self.connection(at).pipes[at.side].timer = timer;
        }
    }

    /// The time of what is on its way has come.
    pub(crate) fn deliver(&mut self, number: u32, side: usize) {
        let at = End {
            connection: number,
            side,
        };
        if let Some(connection) = self.connections.get_mut(number) {
            connection.pipes[side].timer = None;
        }
        while let Some(connection) = self.connections.get(number) {
            match connection.pipes[side].flight.front() {
                Some(&(arrival, mark)) if arrival <= self.clock.now => {
                    if self.is_partitioned_within(at) {
                        return;
                    }
                    self.connection(at).pipes[side].flight.pop_front();
                    self.arrive(at, mark);
                }
                Some(_) => return self.schedule(at),
                None => return,
            }
        }
    }

    /// Something that this end has sent reaches the other one.
    fn arrive(&mut self, at: End, mark: Mark) {
        let to = at.peer();
        self.note_arrived(at, mark);
        let (connection, deferred) = self.connection_and_deferred(at);
        let kind = connection.kind;
        let pipe = &mut connection.pipes[at.side];
        let receiver = &mut connection.ends[to.side];
        match mark {
            Mark::Data(n) if receiver.life == Life::Open => {
                pipe.arrived += n;
                deferred.wake(receiver.reader.take());
            }
            Mark::Data(n) => {
                pipe.data.drain(pipe.arrived..pipe.arrived + n);
                if kind == Transport::Tcp {
                    // No program is there to read it.
                    self.send_reset(to);
                }
            }
            // An end that was reset sees no proper end any more.
            Mark::Fin if receiver.life == Life::Dead => {}
            Mark::Fin => {
                pipe.tail = Tail::Ended;
                deferred.wake(receiver.reader.take());
            }
            Mark::Reset => self.reset(to),
            Mark::Fault(fault) => {
                // What was sent until then has arrived, even if there was no room for it.
                pipe.window = usize::MAX;
                if fault == StreamFault::Eof {
                    pipe.tail = Tail::Ended;
                    deferred.wake(receiver.reader.take());
                } else {
                    self.reset(to);
                }
                self.reset(at);
            }
        }
    }

    /// A reset arrives at this end.
    fn reset(&mut self, at: End) {
        let (connection, deferred) = self.connection_and_deferred(at);
        let tail = connection.pipes[at.peer().side].tail;
        let end = &mut connection.ends[at.side];
        if end.life != Life::Open {
            return;
        }
        end.life = Life::Dead;
        end.error = Some(match tail {
            Tail::Open => ErrorKind::ConnectionReset,
            Tail::Ended => ErrorKind::BrokenPipe, // it is writing that has failed
        });
        deferred.wake(end.reader.take());
        deferred.wake(end.writer.take());
        let pipe = &mut connection.pipes[at.side];
        let lost = pipe.lose(pipe.arrived.min(pipe.window));
        self.note_lost(at, lost);
        self.note(Event::Reset(at));
    }
}

/// For a record.
impl State {
    fn note_sent(&mut self, from: End, mark: Mark) {
        let note = match mark {
            Mark::Data(_) => return, // the event says so
            Mark::Fin => Note::Sent(from, Signal::End),
            Mark::Reset => Note::Sent(from, Signal::Reset),
            Mark::Fault(fault) => Note::Forged(from, signal_of(fault)),
        };
        self.note_for_record(|| note);
    }

    fn note_arrived(&mut self, from: End, mark: Mark) {
        if !self.watched.is_recorded() {
            return;
        }
        let is_open = self.connection(from).ends[from.peer().side].life == Life::Open;
        let note = match mark {
            Mark::Data(n) if is_open => Note::Arrived(from, n),
            Mark::Data(n) => Note::TooLate(from, n),
            Mark::Fin => Note::SignalArrived(from, Signal::End),
            Mark::Reset => Note::SignalArrived(from, Signal::Reset),
            Mark::Fault(fault) => Note::SignalArrived(from, signal_of(fault)),
        };
        self.note_for_record(|| note);
    }

    /// Of what an end has sent, the last bytes never arrive.
    pub(super) fn note_lost(&mut self, from: End, n: usize) {
        if n > 0 {
            self.note_for_record(|| Note::Lost(from, n));
        }
    }
}

/// What a fault that cuts off sends.
fn signal_of(fault: StreamFault) -> Signal {
    match fault {
        StreamFault::Eof => Signal::End,
        StreamFault::Reset
        | StreamFault::Stall(_)
        | StreamFault::Flip(_)
        | StreamFault::Repeat(_)
        | StreamFault::Trickle(_) => Signal::Reset,
    }
}

/// The way between hosts.
impl State {
    /// Whether nothing gets from one host to another.
    pub(super) fn is_partitioned(&self, from: u32, to: u32) -> bool {
        let hosts = pair(from, to);
        let both_ways = [&self.partitions, &self.outages];
        both_ways
            .iter()
            .any(|pairs| !pairs.is_empty() && pairs.contains(&hosts))
            || !self.one_way_partitions.is_empty() && self.one_way_partitions.contains(&(from, to))
    }

    /// The hosts of this end and of the other one.
    fn hosts_of(&mut self, at: End) -> [u32; 2] {
        two(&mut self.connection(at).ends, at.side).map(|end| end.host)
    }

    /// Whether what an end sends does not get to the other one.
    fn is_partitioned_within(&mut self, at: End) -> bool {
        let [from, to] = self.hosts_of(at);
        self.is_partitioned(from, to)
    }

    /// From now on two hosts do not reach each other.
    pub(crate) fn partition(&mut self, hosts: (u32, u32)) {
        self.note(Event::Partitioned(hosts.0, hosts.1));
        self.strike(Cause::Program, What::Partition(hosts.0, hosts.1));
        self.partitions.insert(hosts);
    }

    /// From now on nothing gets from one host to another, but back.
    pub(crate) fn partition_one_way(&mut self, from: u32, to: u32) {
        self.note(Event::PartitionedOneWay(from, to));
        self.strike(Cause::Program, What::OneWayPartition(from, to));
        self.one_way_partitions.insert((from, to));
    }

    /// The program's partitions of two hosts end.
    pub(crate) fn heal(&mut self, hosts: (u32, u32)) {
        self.partitions.remove(&hosts);
        self.one_way_partitions.remove(&hosts);
        self.one_way_partitions.remove(&(hosts.1, hosts.0));
        self.resume(hosts, Cause::Program);
    }

    /// A random partition of two hosts begins, or ends.
    pub(crate) fn set_outage(&mut self, hosts: (u32, u32), begins: bool) {
        if begins {
            self.note(Event::Partitioned(hosts.0, hosts.1));
            self.strike(Cause::Chance, What::Partition(hosts.0, hosts.1));
            self.outages.insert(hosts);
        } else if self.outages.remove(&hosts) {
            self.resume(hosts, Cause::Chance);
        }
    }

    /// Hosts reach each other again: what was on its way goes on.
    fn resume(&mut self, hosts: (u32, u32), cause: Cause) {
        self.note(Event::Healed(hosts.0, hosts.1));
        self.strike(cause, What::Healed(hosts.0, hosts.1));
        let numbers: Vec<_> = self.connections.iter().map(|(number, _)| number).collect();
        for number in numbers {
            self.schedule(End::client(number));
            self.schedule(End::server(number));
        }
    }
}

/// Two hosts, the smaller one first.
pub(crate) fn pair(a: u32, b: u32) -> (u32, u32) {
    (a.min(b), a.max(b))
}
