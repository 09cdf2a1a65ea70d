//! A picture as a page for a browser. What is written here is the picture without a filter; its script moves
//! the rows when connections are left out.

use std::fmt::{self, Write as _};

use crate::picture::{
    label::{duration, plain, seconds},
    model::{Arrow, FOLDED_ABOVE, Fate, Gap, Model, Note, Origin, Place, Tone, Wait},
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// In pixels.
const ROW_HEIGHT: f64 = 20.0;

const LEGEND: &str = "<p class=\"legend\"><span><b style=\"color:var(--a)\">→</b> from a client</span> \
<span><b style=\"color:var(--b)\">→</b> from a server</span> \
<span><b style=\"color:var(--bad)\">⇢</b> lost, or a fault</span> \
<span><b>●</b> something at one end</span> \
<span><b style=\"color:var(--wait)\">▎</b> an end waits</span> \
<span><b>12:</b> connection 12</span></p>\n";

pub(super) fn page(model: &Model, title: &str) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = Page::new(model).write(title, &mut page);
    page
}

struct Page<'a> {
    model: &'a Model,
    /// The height of each row in the picture.
    rows: Vec<f64>,
}

/// Text as HTML.
struct Html<'a>(&'a str);

impl fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in plain(self.0).chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

impl<'a> Page<'a> {
    fn new(model: &'a Model) -> Self {
        let mut at = ROW_HEIGHT;
        let mut rows = Vec::with_capacity(model.rows.len());
        for (index, row) in model.rows.iter().enumerate() {
            if index > 0 {
                at += ROW_HEIGHT;
            }
            at += match row.gap {
                Gap::Nothing => 0.0,
                Gap::Drawn(times) => times * ROW_HEIGHT,
                Gap::Folded(_) => ROW_HEIGHT,
            };
            rows.push(at);
        }
        Self { model, rows }
    }

    fn y(&self, row: usize) -> f64 {
        self.rows.get(row).copied().unwrap_or(0.0)
    }

    /// In percent.
    fn x(&self, lane: usize) -> f64 {
        match self.model.lanes.len() {
            0 | 1 => 2.0,
            lanes => 2.0 + 96.0 * lane as f64 / (lanes - 1) as f64,
        }
    }

    fn write(&self, title: &str, to: &mut String) -> fmt::Result {
        let title = Html(title);
        write!(
            to,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        )?;
        self.summary(to)?;
        to.push_str(LEGEND);
        self.tools(to)?;
        self.world(to)?;
        write!(to, "<script>{SCRIPT}</script>\n</body>\n</html>\n")
    }

    fn summary(&self, to: &mut String) -> fmt::Result {
        let faults = self.model.notes.iter().filter(|it| it.tone == Tone::Fault);
        let faults: Vec<_> = faults.collect();
        let last = self.model.rows.last().map_or(0, |row| row.time);
        let (connections, faults_len) = (self.model.connections.len(), faults.len());
        let is_one = |n: usize| if n == 1 { "" } else { "s" };
        writeln!(
            to,
            "<p>{connections} connection{}, {faults_len} fault{}, {}</p>",
            is_one(connections),
            is_one(faults_len),
            duration(last),
        )?;
        if faults.is_empty() {
            return Ok(());
        }
        to.push_str("<ul class=\"faults\">\n");
        for fault in faults {
            let row = fault.row;
            let time = seconds(self.model.rows[row].time);
            let text = Html(&fault.text);
            writeln!(to, "<li><a href=\"#r{row}\">{text}</a>, at {time} s</li>")?;
        }
        writeln!(to, "</ul>")
    }

    fn tools(&self, to: &mut String) -> fmt::Result {
        to.push_str(
            "<div class=\"tools\"><input id=\"search\" type=\"search\" placeholder=\"search, then Enter\" \
             aria-label=\"search\"> <button id=\"all\">all</button>\n",
        );
        if self.model.connections.iter().any(|it| it.is_faulty) {
            to.push_str("<button id=\"faulty\">with faults</button>\n");
        }
        for connection in &self.model.connections {
            let (number, target) = (connection.number, Html(&connection.target));
            let class = if connection.is_faulty {
                " class=\"faulty\""
            } else {
                ""
            };
            writeln!(
                to,
                "<button data-c=\"{number}\" aria-pressed=\"false\"{class} title=\"connection {number} {target}\">\
                 {number}</button>"
            )?;
        }
        writeln!(to, "</div>")
    }

    fn world(&self, to: &mut String) -> fmt::Result {
        let lanes = self.model.lanes.len();
        write!(
            to,
            "<div class=\"world\" style=\"--lanes:{lanes}\">\n<div class=\"names\">"
        )?;
        for (lane, name) in self.model.lanes.iter().enumerate() {
            let (x, name) = (self.x(lane), Html(name));
            let room = 96.0 / lanes as f64;
            let (class, side) = match lane {
                0 => ("left", "left:0".to_owned()),
                _ if lane + 1 == lanes => ("right", "right:0".to_owned()),
                _ => ("middle", format!("left:{:.2}%", x - room / 2.0)),
            };
            write!(
                to,
                "<span class=\"{class}\" style=\"{side};width:{room:.2}%\" title=\"{name}\">{name}</span>"
            )?;
        }
        let height = self.rows.last().map_or(0.0, |last| last + ROW_HEIGHT);
        writeln!(
            to,
            "</div>\n<div class=\"body\" style=\"height:{height:.0}px\" data-height=\"{ROW_HEIGHT}\" \
             data-folded=\"{FOLDED_ABOVE}\">"
        )?;
        self.times(to)?;
        to.push_str("<div class=\"area\">\n");
        self.lines(to)?;
        self.model
            .arrows
            .iter()
            .try_for_each(|it| self.label(it, to))?;
        self.model
            .notes
            .iter()
            .try_for_each(|it| self.text(it, to))?;
        writeln!(to, "</div>\n</div>\n</div>")
    }

    fn times(&self, to: &mut String) -> fmt::Result {
        for (index, row) in self.model.rows.iter().enumerate() {
            let (top, line, micros, time) =
                (self.y(index) - 9.0, row.line, row.time, seconds(row.time));
            writeln!(
                to,
                "<div class=\"time\" id=\"r{index}\" style=\"top:{top:.0}px\" data-r=\"{index}\" data-t=\"{micros}\" \
                 title=\"line {line}\"><b>{line}</b>{time}</div>"
            )?;
        }
        Ok(())
    }
}

/// What is drawn.
impl Page<'_> {
    fn lines(&self, to: &mut String) -> fmt::Result {
        to.push_str("<svg aria-hidden=\"true\"><defs>");
        for id in ["a", "b", "bad"] {
            write!(
                to,
                "<marker id=\"{id}\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
                 markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker>"
            )?;
        }
        to.push_str("</defs>\n");
        for lane in 0..self.model.lanes.len() {
            let x = self.x(lane);
            writeln!(
                to,
                "<line class=\"lane\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"0\" y2=\"100%\"/>"
            )?;
        }
        self.model
            .waits
            .iter()
            .try_for_each(|it| self.wait(it, to))?;
        self.model
            .arrows
            .iter()
            .try_for_each(|it| self.arrow(it, to))?;
        self.model
            .notes
            .iter()
            .try_for_each(|it| self.mark(it, to))?;
        writeln!(to, "</svg>")
    }

    fn wait(&self, wait: &Wait, to: &mut String) -> fmt::Result {
        let x = self.x(wait.lane);
        let (first, last) = wait.rows;
        let (y1, y2) = (self.y(first), self.y(last));
        let class = if wait.is_over { "wait" } else { "wait open" };
        let (number, text, time) = (wait.connection, wait.text, duration(wait.time));
        writeln!(
            to,
            "<line class=\"{class}\" data-c=\"{number}\" data-r=\"{first} {last}\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" \
             y1=\"{y1:.0}\" y2=\"{y2:.0}\"><title>{number}: {text}, {time}</title></line>"
        )
    }

    fn arrow(&self, arrow: &Arrow, to: &mut String) -> fmt::Result {
        let [from, target] = arrow.lanes.map(|lane| self.x(lane));
        let part = |part: f64| from + (target - from) * part;
        let begin = match arrow.origin {
            Origin::End => from,
            Origin::Fault => part(0.5),
        };
        let side = arrow.side;
        let bad = if arrow.origin == Origin::Fault {
            " bad"
        } else {
            ""
        };
        let mut line = |class: &str, x: f64, row: usize, shift: f64| {
            let (number, y1, y2) = (arrow.connection, self.y(arrow.row), self.y(row) + shift);
            writeln!(
                to,
                "<line class=\"arrow s{side}{class}\" data-c=\"{number}\" data-r=\"{} {row}\" data-d=\"{shift}\" \
                 x1=\"{begin:.2}%\" x2=\"{x:.2}%\" y1=\"{y1:.0}\" y2=\"{y2:.0}\"/>",
                arrow.row
            )
        };
        match arrow.fate {
            Fate::Arrives(first, last) => {
                line(bad, target, first, 0.0)?;
                match first == last {
                    true => Ok(()),
                    false => line(&format!(" rest{bad}"), target, last, 0.0),
                }
            }
            Fate::TooLate(_, last) => line(" bad", target, last, 0.0),
            Fate::Lost => line(" bad lost", part(0.6), arrow.row, 8.0),
            Fate::Flying => line(" lost", part(0.6), arrow.row, 8.0),
        }
    }

    fn mark(&self, note: &Note, to: &mut String) -> fmt::Result {
        let (row, y) = (note.row, self.y(note.row));
        let connection = of(note.connection);
        match note.place {
            Place::Lane(lane) => {
                let x = self.x(lane);
                let class = if note.tone == Tone::Plain {
                    "dot"
                } else {
                    "dot bad"
                };
                writeln!(
                    to,
                    "<circle class=\"{class}\"{connection} data-r=\"{row}\" cx=\"{x:.2}%\" cy=\"{y:.0}\" r=\"3.5\"/>"
                )
            }
            Place::Between(one, other) => {
                self.across(self.x(one), self.x(other), &connection, row, to)
            }
            Place::Everywhere if note.tone == Tone::Fault => {
                self.across(0.0, 100.0, &connection, row, to)
            }
            Place::Everywhere => Ok(()),
        }
    }

    fn across(
        &self,
        x1: f64,
        x2: f64,
        connection: &str,
        row: usize,
        to: &mut String,
    ) -> fmt::Result {
        let y = self.y(row);
        writeln!(
            to,
            "<line class=\"cut\"{connection} data-r=\"{row} {row}\" x1=\"{x1:.2}%\" x2=\"{x2:.2}%\" y1=\"{y:.0}\" y2=\"{y:.0}\"/>"
        )
    }
}

/// What is written.
impl Page<'_> {
    /// At the beginning of an arrow.
    fn label(&self, arrow: &Arrow, to: &mut String) -> fmt::Result {
        let [from, target] = arrow.lanes.map(|lane| self.x(lane));
        let (left, width) = (from.min(target), (from - target).abs());
        let class = match (arrow.fate, arrow.origin) {
            (Fate::Lost | Fate::TooLate(..), _) | (_, Origin::Fault) => "bad",
            (Fate::Arrives(..) | Fate::Flying, Origin::End) if arrow.side == 0 => "s0",
            (Fate::Arrives(..) | Fate::Flying, Origin::End) => "s1",
        };
        let fate = match arrow.fate {
            Fate::Arrives(..) => "",
            Fate::TooLate(..) => " ✗ closed",
            Fate::Lost => " ✗ lost",
            Fate::Flying => " … on its way",
        };
        let aligned = match (arrow.origin, from <= target) {
            (Origin::Fault, _) => "middle",
            (Origin::End, true) => "left",
            (Origin::End, false) => "right",
        };
        let text = format!("{}{fate}", arrow.text);
        let place = match width > 0.0 {
            true => format!("left:calc({left:.2}% + 10px);width:calc({width:.2}% - 20px)"),
            false => format!("left:calc({left:.2}% + 10px);right:0"),
        };
        let bytes = arrow
            .bytes
            .map(|(from, to)| format!(", bytes {} to {to}", from + 1));
        let bytes = bytes.unwrap_or_default();
        let arrival = arrow.fate.arrival().filter(|row| *row != arrow.row);
        let arrival = arrival.and_then(|row| self.model.rows.get(row));
        let arrival = arrival.map_or_else(String::new, |row| {
            format!(", arrives at {} s (line {})", seconds(row.time), row.line)
        });
        let text = Text {
            class: &format!("{aligned} {class}"),
            connection: Some(arrow.connection),
            row: arrow.row,
            place: &place,
            text: &text,
            more: &format!("{bytes}{arrival}"),
        };
        self.write_text(&text, to)
    }

    fn text(&self, note: &Note, to: &mut String) -> fmt::Result {
        let lanes = self.model.lanes.len();
        let (class, place) = match note.place {
            Place::Lane(lane) if lane > 0 && lane + 1 == lanes => (
                "right",
                format!("left:0;width:calc({:.2}% - 10px)", self.x(lane)),
            ),
            Place::Lane(lane) => (
                "left",
                format!("left:calc({:.2}% + 10px);right:0", self.x(lane)),
            ),
            Place::Between(..) | Place::Everywhere => ("middle", "left:0;right:0".to_owned()),
        };
        let tone = match note.tone {
            Tone::Plain => "",
            Tone::Bad => " bad",
            Tone::Fault => " bad fault",
        };
        let text = Text {
            class: &format!("{class}{tone}"),
            connection: note.connection,
            row: note.row,
            place: &place,
            text: &note.text,
            more: "",
        };
        self.write_text(&text, to)
    }

    fn write_text(&self, it: &Text<'_>, to: &mut String) -> fmt::Result {
        let (class, connection, row, place) = (it.class, of(it.connection), it.row, it.place);
        let (top, text, more) = (self.y(row) - 9.0, Html(it.text), Html(it.more));
        let line = self.model.rows.get(row).map_or(0, |row| row.line);
        writeln!(
            to,
            "<div class=\"text {class}\"{connection} data-r=\"{row}\" data-d=\"-9\" style=\"top:{top:.0}px;{place}\" \
             title=\"{text}{more}, line {line}\"><i>{text}</i></div>"
        )
    }
}

/// What a piece of text is about.
struct Text<'a> {
    class: &'a str,
    connection: Option<u32>,
    row: usize,
    /// Where it is, from left to right.
    place: &'a str,
    text: &'a str,
    /// What is shown when one points at it.
    more: &'a str,
}

/// For the filter.
fn of(connection: Option<u32>) -> String {
    connection.map_or_else(String::new, |number| format!(" data-c=\"{number}\""))
}
