//! A fault that has happened.

use std::{io::ErrorKind, time::Duration};

use crate::{
    fault::{Fault, Kind, StreamFault},
    settings::{FIRST_HOST, Settings},
    time::Seconds,
};

/// A fault that has happened in a world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Struck {
    /// In nanoseconds since the world began.
    pub(crate) at: u64,
    pub(crate) cause: Cause,
    pub(crate) what: What,
}

/// Why a fault happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    Chance,
    /// The program has planned it.
    Program,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// Names its connection, and the byte at which it has happened.
    Connection(Fault),
    /// So many attempts to accept fail.
    AcceptErrors(ErrorKind, usize),
    Partition(u32, u32),
    /// From the first to the second.
    OneWayPartition(u32, u32),
    Healed(u32, u32),
    Jump(u64),
}

/// Faults, as they are counted.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum FaultKind {
    Reset,
    End,
    Stall,
    Refusal,
    NoAnswer,
    AcceptError,
    Partition,
    Jump,
    Flip,
    Trickle,
    Repetition,
}

impl FaultKind {
    pub(crate) const ALL: [Self; 11] = [
        Self::Reset,
        Self::End,
        Self::Stall,
        Self::Refusal,
        Self::NoAnswer,
        Self::AcceptError,
        Self::Partition,
        Self::Jump,
        Self::Flip,
        Self::Trickle,
        Self::Repetition,
    ];

    fn of(fault: &Fault) -> Self {
        Self::of_kind(fault.kind)
    }

    pub(crate) fn of_kind(kind: Kind) -> Self {
        match kind {
            Kind::Refuse => Self::Refusal,
            Kind::BlackHole => Self::NoAnswer,
            Kind::Stream(StreamFault::Reset) => Self::Reset,
            Kind::Stream(StreamFault::Eof) => Self::End,
            Kind::Stream(StreamFault::Stall(_)) => Self::Stall,
            Kind::Stream(StreamFault::Flip(_)) => Self::Flip,
            Kind::Stream(StreamFault::Trickle(_)) => Self::Trickle,
            Kind::Stream(StreamFault::Repeat(_)) => Self::Repetition,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::End => "end of the stream",
            Self::Stall => "stall",
            Self::Refusal => "refusal",
            Self::NoAnswer => "no answer",
            Self::AcceptError => "accept error",
            Self::Partition => "partition",
            Self::Jump => "clock jump",
            Self::Flip => "flip",
            Self::Trickle => "trickle",
            Self::Repetition => "repetition",
        }
    }
}

/// Some kinds of faults.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kinds(u16);

impl Kinds {
    /// Those that the settings of a world ask for.
    pub(crate) fn asked_by(settings: &Settings) -> Self {
        let mut asked = Self::default();
        if settings.random_faults > 0 {
            let all = FaultKind::ALL.into_iter();
            let usual = all.filter(|kind| *kind < FaultKind::Partition);
            usual.for_each(|kind| asked.add(kind));
            if settings.hosts.len() > 1 {
                asked.add(FaultKind::Partition);
            }
        }
        if settings.random_jumps.0 > 0 {
            asked.add(FaultKind::Jump);
        }
        if settings.random_flips > 0 {
            asked.add(FaultKind::Flip);
        }
        if settings.random_repeats > 0 {
            asked.add(FaultKind::Repetition);
        }
        let planned = settings.faults.iter().map(FaultKind::of);
        planned.for_each(|kind| asked.add(kind));
        asked
    }

    pub(crate) fn add(&mut self, kind: FaultKind) {
        self.0 |= 1 << kind as u16;
    }

    pub(crate) fn contains(self, kind: FaultKind) -> bool {
        self.0 & 1 << kind as u16 != 0
    }

    pub(crate) fn kinds(self) -> impl Iterator<Item = FaultKind> {
        let all = FaultKind::ALL.into_iter();
        all.filter(move |kind| self.contains(*kind))
    }
}

impl Struck {
    /// `None` for the end of one that was counted.
    pub(crate) fn kind(&self) -> Option<FaultKind> {
        match &self.what {
            What::Connection(fault) => Some(FaultKind::of(fault)),
            What::AcceptErrors(..) => Some(FaultKind::AcceptError),
            What::Partition(..) | What::OneWayPartition(..) => Some(FaultKind::Partition),
            What::Healed(..) => None,
            What::Jump(_) => Some(FaultKind::Jump),
        }
    }

    /// In words, with the names of the hosts.
    pub(crate) fn describe(&self, hosts: &[String]) -> String {
        let on = |host: u32| hosts.get(host as usize).map_or(FIRST_HOST, String::as_str);
        let what = match &self.what {
            What::Connection(fault) => fault.to_string(),
            What::AcceptErrors(kind, times) => {
                format!("accepting fails {times} times with {kind:?}")
            }
            What::Partition(a, b) => format!("{} and {} are partitioned", on(*a), on(*b)),
            What::OneWayPartition(a, b) => format!("nothing gets from {} to {}", on(*a), on(*b)),
            What::Healed(a, b) => format!("{} and {} are connected again", on(*a), on(*b)),
            What::Jump(time) => format!("the clock jumps by {:?}", Duration::from_nanos(*time)),
        };
        let planned = match self.cause {
            Cause::Chance => "",
            Cause::Program => ", as planned",
        };
        format!("{what}, at {} s{planned}", Seconds(self.at))
    }
}
