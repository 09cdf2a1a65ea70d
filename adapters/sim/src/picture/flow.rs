//! One direction of a connection: what was written, and what became of each part of it.

use std::collections::VecDeque;

use crate::picture::{
    label::{amount, shown},
    line::End,
    model::{Arrow, Fate, Origin},
};

/// One direction. Parts arrive in the order in which they were written, and are lost from the end.
#[derive(Debug, Default)]
pub(super) struct Flow {
    writes: Vec<Write>,
    written: u64,
    /// What comes before it has arrived or is lost.
    next: usize,
    signals: VecDeque<usize>,
    done: Vec<Sent>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Written,
    /// A fault sends some of them twice.
    Repeated,
}

/// The bytes of one write. Invariant: those that have arrived come first, then those that came too late,
/// then those that are on their way, then those that are lost.
#[derive(Debug)]
struct Write {
    kind: Kind,
    row: usize,
    start: u64,
    len: u64,
    /// As many as are known of them.
    data: Vec<u8>,
    arrived: Part,
    late: Part,
    lost: Part,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    len: u64,
    /// The rows in which the first and the last of it came.
    rows: Option<(usize, usize)>,
}

#[derive(Debug)]
struct Sent {
    row: usize,
    origin: Origin,
    signal: String,
    fate: Fate,
}

impl Part {
    fn add(&mut self, len: u64, row: usize) {
        self.len += len;
        self.rows = Some((self.rows.map_or(row, |(first, _)| first), row));
    }
}

impl Write {
    fn new(kind: Kind, row: usize, start: u64, len: u64) -> Self {
        Self {
            kind,
            row,
            start,
            len,
            data: Vec::new(),
            arrived: Part::default(),
            late: Part::default(),
            lost: Part::default(),
        }
    }

    fn flying(&self) -> u64 {
        self.len - self.arrived.len - self.late.len - self.lost.len
    }

    /// What became of which bytes, and the row from which each arrow starts: that of the write, but for what
    /// does not share the fate of the first byte, which would be written over it.
    fn parts(&self) -> Vec<(usize, Fate, u64, u64)> {
        let rows = |part: Part| part.rows.unwrap_or((self.row, self.row));
        let (arrived, late, lost) = (rows(self.arrived), rows(self.late), rows(self.lost));
        let all = [
            (
                self.arrived.len,
                arrived.0,
                Fate::Arrives(arrived.0, arrived.1),
            ),
            (self.late.len, late.0, Fate::TooLate(late.0, late.1)),
            (self.flying(), arrived.1, Fate::Flying),
            (self.lost.len, lost.0, Fate::Lost),
        ];
        let mut parts = Vec::new();
        let mut from = 0;
        for (len, row, fate) in all.into_iter().filter(|(len, ..)| *len > 0) {
            let row = if from == 0 { self.row } else { row };
            parts.push((row, fate, from, from + len));
            from += len;
        }
        parts
    }

    fn text(&self, from: u64, to: u64) -> String {
        let known = self.data.len();
        let [start, end] =
            [from, to].map(|at| usize::try_from(at).map_or(known, |at| at.min(known)));
        match &self.data[start..end] {
            _ if self.kind == Kind::Repeated => format!("again {}", amount(to - from)),
            [] => amount(to - from),
            data => shown(data, to - from),
        }
    }
}

impl Flow {
    pub(super) fn write(&mut self, row: usize, len: u64) {
        let write = Write::new(Kind::Written, row, self.written, len);
        self.writes.push(write);
        self.written = self.written.saturating_add(len);
    }

    /// Of the last write some bytes come twice.
    pub(super) fn repeat(&mut self, row: usize, len: u64) {
        // In front of it, since what is lost is lost from the end.
        let place = self.writes.len().saturating_sub(1).max(self.next);
        let write = Write::new(Kind::Repeated, row, self.written, len);
        self.writes.insert(place.min(self.writes.len()), write);
    }

    /// The beginning of the last write.
    pub(super) fn data(&mut self, data: Vec<u8>) {
        if let Some(write) = self.writes.last_mut() {
            write.data = data;
        }
    }

    /// Where the next byte that arrives was sent.
    pub(super) fn row_of_next(&self) -> Option<usize> {
        let mut rest = self.writes[self.next..].iter();
        rest.find(|write| write.flying() > 0).map(|write| write.row)
    }

    pub(super) fn arrive(&mut self, row: usize, mut len: u64, too_late: bool) {
        while let Some(write) = self.writes.get_mut(self.next) {
            let part = len.min(write.flying());
            if part > 0 {
                let to = match too_late || write.late.len > 0 {
                    true => &mut write.late,
                    false => &mut write.arrived,
                };
                to.add(part, row);
                len -= part;
            }
            if write.flying() > 0 || len == 0 {
                return;
            }
            self.next += 1;
        }
    }

    /// The last bytes are lost, even if the system of the other end had them.
    pub(super) fn lose(&mut self, row: usize, mut len: u64) {
        for write in self.writes.iter_mut().rev() {
            let part = len.min(write.len - write.lost.len);
            let flying = write.flying();
            if part > 0 {
                write.lost.add(part, row);
            }
            let late = part.saturating_sub(flying).min(write.late.len);
            write.late.len -= late;
            write.arrived.len -= part.saturating_sub(flying + late);
            len -= part;
            if len == 0 {
                return;
            }
        }
    }

    pub(super) fn send(&mut self, row: usize, origin: Origin, signal: &str) {
        self.signals.push_back(self.done.len());
        self.done.push(Sent {
            row,
            origin,
            signal: signal.to_owned(),
            fate: Fate::Flying,
        });
    }

    /// Where a signal that arrives was sent.
    pub(super) fn row_of_signal(&self, signal: &str) -> Option<usize> {
        let mut sent = self.signals.iter().map(|index| &self.done[*index]);
        sent.find(|sent| sent.signal == signal).map(|sent| sent.row)
    }

    /// Those before it are lost.
    pub(super) fn arrive_signal(&mut self, row: usize, signal: &str) {
        while let Some(index) = self.signals.pop_front() {
            let sent = &mut self.done[index];
            if sent.signal == signal {
                sent.fate = Fate::Arrives(row, row);
                return;
            }
            sent.fate = Fate::Lost;
        }
    }

    pub(super) fn arrows(&self, from: End, lanes: [usize; 2]) -> Vec<Arrow> {
        let arrow = |row, origin, fate, text, bytes| Arrow {
            connection: from.connection,
            side: from.side,
            lanes,
            row,
            origin,
            fate,
            text: format!("{}: {text}", from.connection),
            bytes,
        };
        let mut arrows = Vec::new();
        for write in &self.writes {
            for (row, fate, from, to) in write.parts() {
                let bytes =
                    (write.kind == Kind::Written).then_some((write.start + from, write.start + to));
                arrows.push(arrow(row, Origin::End, fate, write.text(from, to), bytes));
            }
        }
        for it in &self.done {
            let name = it.signal.trim_start_matches("an ");
            let name = name.trim_start_matches("a ").to_owned();
            arrows.push(arrow(it.row, it.origin, it.fate, name, None));
        }
        arrows
    }
}
