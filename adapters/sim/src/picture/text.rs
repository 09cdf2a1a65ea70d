//! A picture as text for a terminal.

use std::{collections::BTreeMap, fmt};

use crate::picture::{
    label::{duration, seconds},
    model::{Arrow, Fate, Gap, Model, Note, Origin, Place, Tone},
};

/// The columns before the first lane: the number of the line, the time, and spaces.
const MARGIN: usize = 21;

/// So far lanes are from each other at least.
const NARROWEST: usize = 8;

const RED: &str = "\x1b[31m";
const NO_COLOUR: &str = "\x1b[0m";

/// What has a line of its own.
#[derive(Clone, Copy)]
enum Item<'a> {
    /// An arrow that arrives in the same row.
    Whole(&'a Arrow),
    Departure(&'a Arrow),
    Arrival(&'a Arrow),
    Note(&'a Note),
}

/// Where the lanes are.
struct Canvas {
    lanes: Vec<usize>,
    width: usize,
}

pub(super) fn draw(
    model: &Model,
    columns: usize,
    has_colours: bool,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let canvas = Canvas::new(model.lanes.len(), columns.saturating_sub(MARGIN));
    let head = canvas.head(&model.lanes);
    writeln!(f, " line         time  {}", head.trim_end())?;
    let items = items(model);
    for (index, row) in model.rows.iter().enumerate() {
        if let Gap::Folded(time) = row.gap {
            let line = canvas.lanes_of('┊').into_iter().collect::<String>();
            let time = format!("⋮ {}", duration(time));
            writeln!(f, "{time:>18}  {}", line.trim_end())?;
        }
        let mut head = format!("{:>5} {} s", row.line, seconds(row.time));
        for item in items.get(&index).into_iter().flatten() {
            let line = canvas.line(*item);
            let line = line.trim_end();
            match has_colours && item.is_bad() {
                true => writeln!(f, "{head:>18}  {RED}{line}{NO_COLOUR}")?,
                false => writeln!(f, "{head:>18}  {line}")?,
            }
            head.clear();
        }
    }
    Ok(())
}

/// By their rows.
fn items(model: &Model) -> BTreeMap<usize, Vec<Item<'_>>> {
    let mut items: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for note in &model.notes {
        items.entry(note.row).or_default().push(Item::Note(note));
    }
    for arrow in &model.arrows {
        let begin = items.entry(arrow.row).or_default();
        match arrow.fate.arrival() {
            Some(row) if row == arrow.row => begin.push(Item::Whole(arrow)),
            Some(row) => {
                if arrow.origin == Origin::End {
                    begin.push(Item::Departure(arrow)); // a fault is a note, too
                }
                items.entry(row).or_default().push(Item::Arrival(arrow));
            }
            None => begin.push(Item::Departure(arrow)),
        }
    }
    items
}

impl Item<'_> {
    fn is_bad(self) -> bool {
        match self {
            Self::Note(note) => note.tone != Tone::Plain,
            Self::Whole(arrow) | Self::Departure(arrow) | Self::Arrival(arrow) => {
                let is_lost = matches!(arrow.fate, Fate::Lost | Fate::TooLate(..));
                is_lost || arrow.origin == Origin::Fault
            }
        }
    }
}

impl Canvas {
    fn new(lanes: usize, columns: usize) -> Self {
        let between = lanes.saturating_sub(1);
        let width = columns.max(between * NARROWEST + 1).max(20);
        let lanes = (0..lanes).map(|lane| lane * (width - 1) / between.max(1));
        Self {
            lanes: lanes.collect(),
            width,
        }
    }

    fn head(&self, names: &[String]) -> String {
        let mut line = vec![' '; self.width];
        let room = self.width / self.lanes.len().max(1);
        for (index, (x, name)) in self.lanes.iter().zip(names).enumerate() {
            let name = cut(name, room.saturating_sub(1));
            let len = name.chars().count();
            let left = match index {
                0 => 0,
                _ if index + 1 == self.lanes.len() => self.width - len,
                _ => x - len / 2,
            };
            put(&mut line, left, &name);
        }
        line.into_iter().collect()
    }

    fn lanes_of(&self, bar: char) -> Vec<char> {
        let mut line = vec![' '; self.width];
        self.lanes.iter().for_each(|x| line[*x] = bar);
        line
    }

    fn line(&self, item: Item<'_>) -> String {
        let mut line = self.lanes_of('│');
        match item {
            Item::Note(note) => self.note(&mut line, note),
            Item::Whole(arrow) | Item::Departure(arrow) | Item::Arrival(arrow) => {
                self.arrow(&mut line, arrow, item);
            }
        }
        line.into_iter().collect()
    }

    fn note(&self, line: &mut [char], note: &Note) {
        let mark = match note.tone {
            Tone::Plain => '●',
            Tone::Bad => '○',
            Tone::Fault => '✗',
        };
        let x = |lane: usize| self.lanes.get(lane).copied().unwrap_or(0);
        match note.place {
            Place::Lane(lane) => {
                let x = x(lane);
                line[x] = mark;
                self.beside(line, x, &note.text);
            }
            Place::Between(one, other) => {
                let [left, right] = [x(one).min(x(other)), x(one).max(x(other))];
                let text = cut(&format!(" {mark} {} ", note.text), self.width);
                let len = text.chars().count();
                let middle = (left + right) / 2;
                let at = middle.saturating_sub(len / 2).min(self.width - len);
                put(line, at, &text);
            }
            Place::Everywhere => {
                let text = format!(" {mark} {} ", note.text);
                put(line, 1, &cut(&text, self.width - 1));
            }
        }
    }

    /// Text to the right of a lane, or to the left, where there is more room.
    fn beside(&self, line: &mut [char], x: usize, text: &str) {
        let right = self.width.saturating_sub(x + 2);
        let left = x.saturating_sub(1);
        if text.chars().count() <= right || right >= left {
            put(line, x + 2, &cut(text, right));
        } else {
            let text = cut(text, left);
            put(line, left - text.chars().count(), &text);
        }
    }

    fn arrow(&self, line: &mut [char], arrow: &Arrow, item: Item<'_>) {
        let [from, to] = arrow
            .lanes
            .map(|lane| self.lanes.get(lane).copied().unwrap_or(0));
        if from == to {
            return self.beside(line, from, &arrow.text);
        }
        let (left, right) = (from.min(to) + 1, from.max(to)); // without the lanes
        let middle = (left + right) / 2;
        let (first_half, second_half) = match from < to {
            true => (left..middle, middle..right),
            false => (middle..right, left..middle),
        };
        let (first, second) = match (item, arrow.origin, arrow.fate) {
            (Item::Whole(_), Origin::End, _) => ('─', '─'),
            (Item::Whole(_), Origin::Fault, _) => (' ', '─'),
            (Item::Departure(_), Origin::Fault, _) => (' ', ' '), // it never arrives
            (Item::Departure(_), Origin::End, Fate::Lost | Fate::Flying) => ('─', ' '),
            (Item::Departure(_), Origin::End, Fate::Arrives(..) | Fate::TooLate(..)) => ('─', '╌'),
            (Item::Arrival(_) | Item::Note(_), ..) => ('╌', '─'),
        };
        let first = match (item, arrow.origin) {
            (Item::Arrival(_), Origin::Fault) => ' ',
            _ => first,
        };
        for (half, bar) in [(first_half, first), (second_half, second)] {
            for x in half.filter(|_| bar != ' ') {
                line[x] = if line[x] == ' ' { bar } else { '┼' };
            }
        }
        let arrives = !matches!(item, Item::Departure(_));
        if arrives {
            match from < to {
                true => line[right - 1] = '▶',
                false => line[left] = '◀',
            }
        }
        if arrow.origin == Origin::End && !matches!(item, Item::Arrival(_)) {
            line[from] = if from < to { '├' } else { '┤' };
        }
        let text = match (item, arrow.fate) {
            (Item::Departure(_), Fate::Lost) => format!(" {} ✗ lost ", arrow.text),
            (Item::Departure(_), Fate::Flying) => format!(" {} … on its way ", arrow.text),
            (Item::Whole(_) | Item::Arrival(_), Fate::TooLate(..)) => {
                format!(" {} ✗ closed ", arrow.text)
            }
            _ => format!(" {} ", arrow.text),
        };
        let text = cut(&text, (right - left).saturating_sub(4));
        let len = text.chars().count();
        put(line, middle - len / 2, &text);
    }
}

fn put(line: &mut [char], at: usize, text: &str) {
    for (place, character) in line.iter_mut().skip(at).zip(text.chars()) {
        *place = character;
    }
}

/// So many characters at most.
fn cut(text: &str, len: usize) -> String {
    match text.chars().count() <= len {
        true => text.to_owned(),
        false => {
            let start = text.chars().take(len.saturating_sub(1));
            start.chain((len > 0).then_some('…')).collect()
        }
    }
}
