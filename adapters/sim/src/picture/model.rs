//! A picture before it is drawn: what stands in which row and in which lane.

use std::collections::BTreeSet;

/// A time of so many times the usual one is not drawn in proportion.
pub(super) const FOLDED_ABOVE: u64 = 4;

/// What there is to be drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// Their names, from left to right.
    pub(super) lanes: Vec<String>,
    /// In the order in which they were tried.
    pub(super) connections: Vec<Connection>,
    /// Invariant: in order of time.
    pub(super) rows: Vec<Row>,
    /// Invariant: in the order of the rows in which they begin, as notes and waits are.
    pub(super) arrows: Vec<Arrow>,
    pub(super) notes: Vec<Note>,
    pub(super) waits: Vec<Wait>,
}

#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) number: u32,
    /// Where it leads, if that is known.
    pub(super) target: String,
    /// Whether a fault has met it.
    pub(super) is_faulty: bool,
}

/// A moment: everything that is in one row happens at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The line of what happened, counted from 1.
    pub(super) line: usize,
    /// In microseconds since the world began.
    pub(super) time: u64,
    pub(super) gap: Gap,
}

/// The time before a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Gap {
    Nothing,
    /// So many of what is usual.
    Drawn(f64),
    /// It is too long to be drawn: so many microseconds.
    Folded(u64),
}

/// Something that goes from one lane to another.
#[derive(Clone, Debug)]
pub(super) struct Arrow {
    pub(super) connection: u32,
    /// 0 is the client, which sends.
    pub(super) side: usize,
    pub(super) lanes: [usize; 2],
    pub(super) row: usize,
    pub(super) origin: Origin,
    pub(super) fate: Fate,
    pub(super) text: String,
    /// Of all that this side has written, if it is bytes: the first and the one behind the last.
    pub(super) bytes: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// The first lane.
    End,
    /// Half way, where a fault has happened.
    Fault,
}

/// Where an arrow ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// In the other lane, from one row to another: several parts may come one after the other.
    Arrives(usize, usize),
    /// At an end that is closed.
    TooLate(usize, usize),
    Lost,
    /// It was still on its way when the world was over.
    Flying,
}

impl Fate {
    /// The row in which the last of it arrives.
    pub(super) fn arrival(self) -> Option<usize> {
        match self {
            Self::Arrives(_, last) | Self::TooLate(_, last) => Some(last),
            Self::Lost | Self::Flying => None,
        }
    }
}

/// Something that happens at one place.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) row: usize,
    pub(super) connection: Option<u32>,
    pub(super) place: Place,
    pub(super) tone: Tone,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Lane(usize),
    Between(usize, usize),
    /// It is about no connection.
    Everywhere,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tone {
    Plain,
    /// An error that a program sees.
    Bad,
    Fault,
}

/// A task waits for an end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    pub(super) connection: u32,
    pub(super) lane: usize,
    /// The rows between which it waits.
    pub(super) rows: (usize, usize),
    pub(super) time: u64,
    pub(super) is_over: bool,
    /// For what.
    pub(super) text: &'static str,
}

impl Model {
    /// Drops the rows in which nothing begins or ends.
    pub(super) fn drop_empty_rows(&mut self) {
        let mut used = vec![false; self.rows.len()];
        self.each_row(|row| used[*row] = true);
        let mut places = Vec::with_capacity(used.len());
        let mut next = 0;
        for used in &used {
            places.push(next);
            next += usize::from(*used);
        }
        self.each_row(|row| *row = places[*row]);
        let mut used = used.into_iter();
        self.rows.retain(|_| used.next().unwrap_or(false));
    }

    /// Drops what is about other connections, and lanes in which nothing is left.
    pub(super) fn keep_only(&mut self, numbers: &BTreeSet<u32>) {
        self.connections.retain(|it| numbers.contains(&it.number));
        self.arrows.retain(|it| numbers.contains(&it.connection));
        self.waits.retain(|it| numbers.contains(&it.connection));
        let is_kept = |note: &Note| note.connection.is_none_or(|it| numbers.contains(&it));
        self.notes.retain(is_kept);
        self.drop_empty_lanes();
        self.drop_empty_rows();
        self.fold();
    }

    fn drop_empty_lanes(&mut self) {
        let mut used = BTreeSet::new();
        self.each_lane(|lane| {
            used.insert(*lane);
        });
        self.each_lane(|lane| *lane = used.range(..*lane).count());
        let mut lanes = 0..;
        self.lanes
            .retain(|_| lanes.next().is_some_and(|lane| used.contains(&lane)));
    }

    fn each_lane(&mut self, mut work: impl FnMut(&mut usize)) {
        let arrows = self.arrows.iter_mut();
        arrows.for_each(|arrow| arrow.lanes.iter_mut().for_each(&mut work));
        self.waits.iter_mut().for_each(|wait| work(&mut wait.lane));
        for note in &mut self.notes {
            match &mut note.place {
                Place::Lane(lane) => work(lane),
                Place::Between(one, other) => {
                    work(one);
                    work(other);
                }
                Place::Everywhere => {}
            }
        }
    }

    fn each_row(&mut self, mut work: impl FnMut(&mut usize)) {
        for arrow in &mut self.arrows {
            work(&mut arrow.row);
            match &mut arrow.fate {
                Fate::Arrives(first, last) | Fate::TooLate(first, last) => {
                    work(first);
                    work(last);
                }
                Fate::Lost | Fate::Flying => {}
            }
        }
        self.notes.iter_mut().for_each(|note| work(&mut note.row));
        for wait in &mut self.waits {
            work(&mut wait.rows.0);
            work(&mut wait.rows.1);
        }
    }

    /// Says how high the time before each row is drawn: in proportion, unless it is far above the median.
    pub(super) fn fold(&mut self) {
        let times = self.rows.iter().map(|row| row.time);
        let gaps: Vec<u64> = times
            .clone()
            .zip(times.skip(1))
            .map(|(a, b)| b - a)
            .collect();
        let mut sorted: Vec<u64> = gaps.iter().copied().filter(|gap| *gap > 0).collect();
        sorted.sort_unstable();
        let usual = sorted.get(sorted.len() / 2).copied().unwrap_or(1);
        if let Some(first) = self.rows.first_mut() {
            first.gap = Gap::Nothing;
        }
        for (row, gap) in self.rows.iter_mut().skip(1).zip(gaps) {
            row.gap = match gap {
                0 => Gap::Nothing,
                _ if gap / FOLDED_ABOVE >= usual => Gap::Folded(gap),
                _ => Gap::Drawn(gap as f64 / usual as f64),
            };
        }
    }
}
