//! What chance decides: latencies, jumps of the clock, and faults, beside those that are planned.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use crate::{
    fault::{Direction, Fault, Kind, StreamFault},
    struck::{Cause, FaultKind, What},
    tape::Subject,
    trace::event::{End, Event},
    world::{
        clock::Due,
        flight::pair,
        link::{Cut, Transport},
        state::State,
    },
};

/// A random fault happens within 2 to the power of this, in bytes.
const REACH: u32 = 16;

/// A random fault happens within 2 to the power of this, in microseconds.
const TIME_REACH: u32 = 26;

/// The longest random stall that ends.
const MAX_STALL: Duration = Duration::from_secs(100);

/// When a random fault happens.
enum Moment {
    /// When this many bytes were written.
    Written(u64),
    /// When this many nanoseconds have passed.
    Passed(u64),
}

/// Draws.
impl State {
    /// Which of all that chance may do it does in this world. In the calm one it does nothing.
    pub(super) fn draw_swarm(&mut self) {
        for kind in FaultKind::ALL {
            if self.choices.below(Subject::Fault, 2) == 0 {
                self.absent.add(kind);
            }
        }
        let settings = &mut self.settings;
        settings.partial_io &= self.choices.below(Subject::Amount, 2) > 0;
        if self.choices.below(Subject::Pending, 2) == 0 {
            settings.spurious_pending = 0;
        }
        if self.choices.below(Subject::WakeUp, 2) == 0 {
            settings.spurious_wakeups = 0;
        }
        if self.absent.contains(FaultKind::Jump) {
            settings.random_jumps.0 = 0;
        }
        if self.absent.contains(FaultKind::Flip) {
            settings.random_flips = 0;
        }
        if self.absent.contains(FaultKind::Repetition) {
            settings.random_repeats = 0;
        }
    }

    /// Once in as many times as the program has set; always a new draw.
    fn draw_fault(&mut self) -> bool {
        self.choices
            .one_in(Subject::Fault, self.settings.random_faults)
    }

    /// Half as often.
    fn draw_rarer_fault(&mut self) -> bool {
        let one_in = self.settings.random_faults.saturating_mul(2);
        self.choices.one_in(Subject::Fault, one_in)
    }

    /// A number below 2 to the power of this; small ones are as likely as large ones.
    fn draw_magnitude(&mut self, bits: u32) -> u64 {
        let magnitude = self.choices.below(Subject::Fault, u64::from(bits) + 1);
        self.choices.below(Subject::Fault, 1 << magnitude)
    }

    fn draw_time(&mut self) -> u64 {
        self.draw_magnitude(TIME_REACH) * 1000
    }

    /// How long something takes from one end to the other.
    pub(crate) fn draw_latency(&mut self, from: u32, to: u32) -> u64 {
        let (min, max) = self.settings.latency_of(pair(from, to));
        min + self
            .choices
            .below(Subject::Latency, (max - min).saturating_add(1))
    }

    /// Once in a while, a fault of a new connection.
    fn draw_stream_fault(&mut self) -> Option<(StreamFault, Direction, Moment)> {
        if !self.draw_fault() {
            return None;
        }
        let moment = match self.choices.below(Subject::Fault, 2) {
            0 => Moment::Written(self.draw_magnitude(REACH)),
            _ => Moment::Passed(self.draw_time()),
        };
        let direction = match self.choices.below(Subject::Fault, 2) {
            0 => Direction::ToServer,
            _ => Direction::ToClient,
        };
        let fault = match self.choices.below(Subject::Fault, 8) {
            0..3 => StreamFault::Reset,
            3..6 => StreamFault::Eof,
            6 => StreamFault::Stall(None),
            _ => {
                let micros = self
                    .choices
                    .below(Subject::Fault, MAX_STALL.as_micros() as u64);
                StreamFault::Stall(Some(Duration::from_micros(micros)))
            }
        };
        let kind = FaultKind::of_kind(Kind::Stream(fault));
        (!self.absent.contains(kind)).then_some((fault, direction, moment))
    }

    /// Once in a while, plans the change of a bit within the next `n` bytes that an end writes.
    pub(super) fn draw_flip(&mut self, at: End, n: usize) {
        if !self
            .choices
            .one_in(Subject::Fault, self.settings.random_flips)
        {
            return;
        }
        let ahead = self.choices.below(Subject::Fault, n as u64);
        let mask = 1 << self.choices.below(Subject::Fault, 8);
        let offset = self.connection(at).pipes[at.side].written + ahead;
        let fault = StreamFault::Flip(mask);
        self.apply_after(at.connection, at.side, offset, fault, Cause::Chance);
    }

    /// Once in a while, lets some of the next `n` bytes that an end writes arrive twice.
    pub(super) fn draw_repetition(&mut self, at: End, n: usize) {
        let one_in = self.settings.random_repeats;
        if self.choices.one_in(Subject::Fault, one_in) {
            let bytes = self.choices.up_to(Subject::Fault, n);
            self.apply(at, StreamFault::Repeat(bytes), Cause::Chance);
        }
    }

    /// Once in a while, a fault of an attempt to connect.
    fn draw_connect_fault(&mut self) -> Option<Kind> {
        if !self.draw_rarer_fault() {
            return None;
        }
        let kind = match self.choices.below(Subject::Fault, 2) {
            0 => Kind::Refuse,
            _ => Kind::BlackHole,
        };
        (!self.absent.contains(FaultKind::of_kind(kind))).then_some(kind)
    }

    /// Once in a while, an error of accepting, and how often it occurs.
    pub(super) fn draw_accept_errors(&mut self) -> Option<(ErrorKind, usize)> {
        if !self.draw_rarer_fault() {
            return None;
        }
        let kind = match self.choices.below(Subject::Fault, 2) {
            0 => ErrorKind::ConnectionAborted,
            _ => ErrorKind::OutOfMemory,
        };
        let times = self.choices.index(Subject::Fault, 3) + 1;
        (!self.absent.contains(FaultKind::AcceptError)).then_some((kind, times))
    }

    /// Once in a while, plans a partition of two hosts.
    pub(super) fn draw_outage(&mut self, a: u32, b: u32) {
        if a == b || !self.draw_rarer_fault() {
            return;
        }
        let hosts = pair(a, b);
        let begin = self.clock.now.saturating_add(self.draw_time());
        let end = begin.saturating_add(self.draw_time());
        if self.absent.contains(FaultKind::Partition) {
            return;
        }
        self.clock.add_timer(begin, Due::Outage(hosts, true));
        self.clock.add_timer(end, Due::Outage(hosts, false));
    }

    /// Once in a while, lets the clock jump.
    pub(crate) fn draw_jump(&mut self) {
        let (one_in, longest) = self.settings.random_jumps;
        if self.choices.one_in(Subject::Jump, one_in) {
            let time = self.choices.below(Subject::Jump, longest.saturating_add(1));
            self.jump(time, Cause::Chance);
        }
    }

    pub(crate) fn jump(&mut self, time: u64, cause: Cause) {
        self.note(Event::Jumped(time));
        self.strike(cause, What::Jump(time));
        self.clock.jump(time);
    }
}

/// Faults, planned and random.
impl State {
    /// Adds a fault to the plan. One of a stream also applies to connections that are there.
    pub(crate) fn inject(&mut self, fault: Fault) {
        self.faults.push(fault);
        let Kind::Stream(kind) = fault.kind else {
            return;
        };
        let connections = self.connections.iter();
        let affected = connections.filter(|(number, it)| fault.applies_to(*number, it.target()));
        let numbers: Vec<_> = affected.map(|(number, _)| number).collect();
        for number in numbers {
            let side = fault.direction.writer();
            self.apply_after(number, side, fault.after, kind, Cause::Program);
        }
    }

    /// The planned or random fault of an attempt to connect. Within one system no answer is lost.
    pub(super) fn fault_of_attempt(
        &mut self,
        number: u32,
        target: Option<SocketAddr>,
    ) -> Option<Kind> {
        let can_be = |kind: &Kind| match kind {
            Kind::Refuse => true,
            Kind::BlackHole => target.is_some(),
            Kind::Stream(_) => false,
        };
        let faults = self.faults.iter();
        let faults = faults.filter(|fault| fault.applies_to(number, target));
        let planned = faults.map(|fault| fault.kind).find(can_be);
        let (fault, cause) = match planned {
            Some(planned) => (planned, Cause::Program),
            None => (self.draw_connect_fault().filter(can_be)?, Cause::Chance),
        };
        self.note(Event::Faulted(number, fault.name()));
        let happened = Fault::happened(fault, number, Direction::ToServer, 0);
        self.strike(cause, What::Connection(happened));
        Some(fault)
    }

    /// Plans the faults of a new connection: the program's, and perhaps a random one.
    pub(super) fn plan_faults(&mut self, number: u32) {
        let target = self.connections.get(number);
        let target = target.and_then(|connection| connection.target());
        let faults = self.faults.iter();
        let planned = faults.filter(|fault| fault.applies_to(number, target));
        for fault in planned.copied().collect::<Vec<_>>() {
            if let Kind::Stream(kind) = fault.kind {
                let side = fault.direction.writer();
                self.apply_after(number, side, fault.after, kind, Cause::Program);
            }
        }
        let Some((fault, direction, moment)) = self.draw_stream_fault() else {
            return;
        };
        match moment {
            Moment::Written(offset) => {
                self.apply_after(number, direction.writer(), offset, fault, Cause::Chance);
            }
            Moment::Passed(time) => {
                let at = self.clock.now.saturating_add(time);
                self.clock
                    .add_timer(at, Due::Fault(number, direction, fault));
            }
        }
    }

    /// Lets a fault happen as soon as this many bytes were written to the direction.
    pub(crate) fn apply_after(
        &mut self,
        number: u32,
        side: usize,
        offset: u64,
        fault: StreamFault,
        cause: Cause,
    ) {
        let Some(connection) = self.connections.get_mut(number) else {
            return;
        };
        let side = match connection.kind {
            Transport::Pipe => 0, // there is no other direction
            Transport::Tcp | Transport::Unix => side,
        };
        let pipe = &mut connection.pipes[side];
        if pipe.written < offset {
            pipe.cuts.push(Cut {
                offset,
                fault,
                cause,
            });
            pipe.cuts.sort_by_key(|cut| cut.offset);
        } else {
            let connection = number;
            self.apply(End { connection, side }, fault, cause);
        }
    }

    /// Cancels what has not happened yet, ends random partitions, and draws no more faults.
    pub(crate) fn stop_faults(&mut self) {
        self.faults.clear();
        self.settings.random_faults = 0;
        self.settings.random_flips = 0;
        self.settings.random_repeats = 0;
        self.settings.random_jumps.0 = 0;
        for connection in self.connections.iter_mut() {
            connection.cancel_faults();
        }
        self.clock.cancel_faults();
        for port in self.ports.values_mut() {
            port.cancel_errors();
        }
        for hosts in self.outages.clone() {
            self.set_outage(hosts, false);
        }
    }
}
