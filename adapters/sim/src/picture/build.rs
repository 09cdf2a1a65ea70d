//! From the lines of what happened to a picture.

use std::collections::{BTreeMap, BTreeSet};

use crate::picture::{
    flow::Flow,
    label::{amount, duration, plain},
    lanes::{Lanes, client},
    line::{End, Said, parse},
    model::{Arrow, Connection, Fate, Gap, Model, Note, Origin, Place, Row, Tone, Wait},
};

/// Reads all lines. Those that are none are left out.
pub(super) fn build(text: &str) -> Model {
    let lines = (1..).zip(text.lines());
    let lines = lines.filter_map(|(line, text)| parse(text).map(|(time, said)| (line, time, said)));
    let lines: Vec<_> = lines.collect();
    let mut builder = Builder {
        lanes: Lanes::of(lines.iter().map(|(_, _, said)| said)),
        ..Builder::default()
    };
    let mut latest = 0;
    for (line, time, said) in &lines {
        latest = latest.max(*time); // a file can say anything
        builder.now = (*line, latest);
        builder.add(said);
    }
    builder.end()
}

#[derive(Default)]
struct Builder {
    model: Model,
    lanes: Lanes,
    flows: BTreeMap<End, Flow>,
    /// The row of each attempt to connect.
    attempts: BTreeMap<u32, usize>,
    /// The end that wrote last.
    writer: Option<End>,
    /// By the end, and for what it waits.
    waits: BTreeMap<(End, For), (usize, u64)>,
    /// That of a fault, if it was the last that happened.
    fault: Option<usize>,
    /// The line and its time.
    now: (usize, u64),
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum For {
    Reading,
    Writing,
}

impl For {
    fn text(self) -> &'static str {
        match self {
            Self::Reading => "waits to read",
            Self::Writing => "waits to write",
        }
    }
}

impl Builder {
    fn add(&mut self, said: &Said<'_>) {
        let fault = self.fault.take();
        match said {
            Said::Polled(_) | Said::Spawned(..) | Said::Unshown | Said::Route(..) => {
                self.fault = fault;
            }
            Said::Tried(number, target) => self.try_to_connect(*number, target),
            Said::Unanswered(number) => self.fail_attempt(*number, "no answer"),
            Said::Refused(number) => self.fail_attempt(*number, "is refused"),
            Said::Made(number) => self.connect(*number),
            Said::Accepted(number) => self.note(client(*number).peer(), Tone::Plain, "accepted"),
            Said::Reads(end, n) => self.read(*end, &format!("reads {}", amount(*n)), Tone::Plain),
            Said::ReadsEnd(end) => self.read(*end, "reads the end", Tone::Plain),
            Said::FailsToRead(end) => self.read(*end, "fails to read", Tone::Bad),
            Said::WaitsToRead(end) => self.begin_to_wait(*end, For::Reading),
            Said::WaitsToWrite(end) => self.begin_to_wait(*end, For::Writing),
            Said::Writes(end, n) => self.write(*end, *n),
            Said::Data(data) => self.data(data),
            Said::FailsToWrite(end) => {
                let waited = self.stop_waiting(*end, For::Writing);
                self.note(*end, Tone::Bad, &format!("fails to write{waited}"));
            }
            Said::Closed(end) => self.close(*end),
            Said::Aborts(end) => self.note(*end, Tone::Plain, "will reset when closed"),
            Said::IsReset(end) => self.note(*end, Tone::Bad, "is reset"),
            Said::Sends(end, signal) => {
                let row = self.new_row();
                self.flow(*end).send(row, Origin::End, signal);
            }
            Said::Forges(end, signal) => {
                let row = fault.unwrap_or_else(|| self.new_row());
                self.flow(*end).send(row, Origin::Fault, signal);
            }
            Said::SignalArrives(end, signal) => {
                let sent = self.flow(*end).row_of_signal(signal);
                let row = self.row_of_arrival(sent);
                self.flow(*end).arrive_signal(row, signal);
            }
            Said::Arrives(end, n) => self.arrive(*end, *n, false),
            Said::TooLate(end, n) => self.arrive(*end, *n, true),
            Said::Repeats(end, n) => {
                let row = self.new_row();
                self.flow(*end).repeat(row, *n);
            }
            Said::Lost(end, n) => {
                let row = self.new_row();
                self.flow(*end).lose(row, *n);
                self.fault = fault;
            }
            Said::Fault(number, text) => self.strike(*number, text),
            Said::Other(text) => self.note_everywhere(Tone::Plain, text),
        }
    }

    /// A row for what happens now.
    fn new_row(&mut self) -> usize {
        let (line, time) = self.now;
        self.model.rows.push(Row {
            line,
            time,
            gap: Gap::Nothing,
        });
        self.model.rows.len() - 1
    }

    /// What arrives at once does so in the row in which it was sent.
    fn row_of_arrival(&mut self, sent: Option<usize>) -> usize {
        let last = self.model.rows.len().checked_sub(1);
        match last.filter(|last| self.model.rows[*last].time == self.now.1) {
            Some(last) if sent == Some(last) => last,
            _ => self.new_row(),
        }
    }

    fn flow(&mut self, from: End) -> &mut Flow {
        self.flows.entry(from).or_default()
    }

    /// Those of an end and of the other one.
    fn lanes_of(&self, end: End) -> [usize; 2] {
        [end, end.peer()].map(|end| self.lanes.of_end(end))
    }

    fn note(&mut self, at: End, tone: Tone, text: &str) {
        let row = self.new_row();
        self.model.notes.push(Note {
            row,
            connection: Some(at.connection),
            place: Place::Lane(self.lanes.of_end(at)),
            tone,
            text: format!("{}: {text}", at.connection),
        });
    }

    fn note_everywhere(&mut self, tone: Tone, text: &str) {
        let row = self.new_row();
        self.model.notes.push(Note {
            row,
            connection: None,
            place: Place::Everywhere,
            tone,
            text: plain(text),
        });
    }
}

/// Connecting, and faults.
impl Builder {
    fn try_to_connect(&mut self, number: u32, target: &str) {
        let row = self.new_row();
        self.attempts.insert(number, row);
        self.model.connections.push(Connection {
            number,
            target: plain(target),
            is_faulty: false,
        });
    }

    fn end_attempt(&mut self, number: u32, fate: Fate) {
        let row = self.attempts.get(&number).copied();
        let row = row.unwrap_or_else(|| self.new_row());
        let known = self.connection(number).map(|it| it.target.clone());
        let target = known.filter(|target| !target.is_empty());
        let target = target.map_or_else(String::new, |target| format!(" to {target}"));
        self.model.arrows.push(Arrow {
            connection: number,
            side: 0,
            lanes: self.lanes_of(client(number)),
            row,
            origin: Origin::End,
            fate,
            text: format!("{number}: connects{target}"),
            bytes: None,
        });
    }

    fn connection(&mut self, number: u32) -> Option<&mut Connection> {
        let mut all = self.model.connections.iter_mut().rev();
        all.find(|it| it.number == number)
    }

    /// It may be made again.
    fn fail_attempt(&mut self, number: u32, how: &str) {
        self.end_attempt(number, Fate::Lost);
        self.note(client(number), Tone::Bad, how);
        self.attempts.insert(number, self.model.rows.len() - 1);
    }

    fn connect(&mut self, number: u32) {
        let row = self.row_of_arrival(self.attempts.get(&number).copied());
        self.end_attempt(number, Fate::Arrives(row, row));
    }

    fn strike(&mut self, number: Option<u32>, text: &str) {
        // When it was, the row says.
        let text = match text
            .rsplit_once(", at ")
            .map(|(what, time)| (what, time.split_once(" s")))
        {
            Some((what, Some((_, planned)))) => format!("{what}{planned}"),
            Some((_, None)) | None => text.to_owned(),
        };
        let Some(number) = number else {
            return self.note_everywhere(Tone::Fault, &text);
        };
        if let Some(connection) = self.connection(number) {
            connection.is_faulty = true;
        }
        let row = self.new_row();
        let [one, other] = self.lanes_of(client(number));
        let text = text.strip_prefix("connection ").unwrap_or(&text);
        self.model.notes.push(Note {
            row,
            connection: Some(number),
            place: Place::Between(one, other),
            tone: Tone::Fault,
            text: plain(text),
        });
        self.fault = Some(row);
    }
}

/// Reading, writing, and waiting for both.
impl Builder {
    fn read(&mut self, at: End, text: &str, tone: Tone) {
        let waited = self.stop_waiting(at, For::Reading);
        self.note(at, tone, &format!("{text}{waited}"));
    }

    fn write(&mut self, from: End, n: u64) {
        let waited = self.stop_waiting(from, For::Writing);
        if !waited.is_empty() {
            self.note(from, Tone::Plain, &format!("writes{waited}"));
        }
        let row = self.new_row();
        self.flow(from).write(row, n);
        self.writer = Some(from);
    }

    fn data(&mut self, data: &[u8]) {
        if let Some(from) = self.writer {
            self.flow(from).data(data.to_vec());
        }
    }

    fn arrive(&mut self, from: End, n: u64, too_late: bool) {
        let sent = self.flow(from).row_of_next();
        let row = self.row_of_arrival(sent);
        self.flow(from).arrive(row, n, too_late);
    }

    fn close(&mut self, at: End) {
        let read = self.stop_waiting(at, For::Reading);
        let written = self.stop_waiting(at, For::Writing);
        self.note(at, Tone::Plain, &format!("closes{read}{written}"));
    }

    fn begin_to_wait(&mut self, at: End, what: For) {
        if self.waits.contains_key(&(at, what)) {
            return; // it is polled again
        }
        let last = self.model.rows.last().filter(|row| row.time == self.now.1);
        let row = match last {
            Some(_) => self.model.rows.len() - 1,
            None => self.new_row(),
        };
        self.waits.insert((at, what), (row, self.now.1));
    }

    /// How long it has waited, if at all.
    fn stop_waiting(&mut self, at: End, what: For) -> String {
        let Some((row, since)) = self.waits.remove(&(at, what)) else {
            return String::new();
        };
        let time = self.now.1 - since;
        if time == 0 {
            return String::new();
        }
        let to = self.model.rows.len(); // that which comes next
        self.push_wait(at, what, (row, to), time, true);
        format!(" after {}", duration(time))
    }

    fn push_wait(&mut self, at: End, what: For, rows: (usize, usize), time: u64, is_over: bool) {
        self.model.waits.push(Wait {
            connection: at.connection,
            lane: self.lanes.of_end(at),
            rows,
            time,
            is_over,
            text: what.text(),
        });
    }
}

/// What is left when all lines are read.
impl Builder {
    fn end(mut self) -> Model {
        for ((at, what), (row, since)) in std::mem::take(&mut self.waits) {
            let time = self.now.1 - since;
            if time == 0 {
                continue;
            }
            let rows = (row, self.model.rows.len());
            self.push_wait(at, what, rows, time, false);
            let text = format!("still {} after {}", what.text(), duration(time));
            self.note(at, Tone::Plain, &text);
        }
        for (from, flow) in &self.flows {
            let arrows = flow.arrows(*from, self.lanes_of(*from));
            self.model.arrows.extend(arrows);
        }
        let mut model = self.model;
        model.lanes = self.lanes.names.iter().map(|name| plain(name)).collect();
        let tried: BTreeSet<u32> = model.connections.iter().map(|it| it.number).collect();
        let mut drawn: Vec<u32> = model.arrows.iter().map(|arrow| arrow.connection).collect();
        drawn.extend(model.notes.iter().filter_map(|note| note.connection));
        drawn.extend(model.waits.iter().map(|wait| wait.connection));
        drawn.retain(|number| !tried.contains(number));
        drawn.sort_unstable();
        drawn.dedup();
        for number in drawn {
            model.connections.push(Connection {
                number,
                target: String::new(),
                is_faulty: false,
            });
        }
        model.arrows.sort_by_key(|arrow| arrow.row);
        model.waits.sort_by_key(|wait| wait.rows);
        model.drop_empty_rows();
        model.fold();
        model
    }
}
