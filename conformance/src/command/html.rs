//! A conversation as a page with a picture; it needs nothing beside it.

use std::fmt::Write;

use millpond_conformance::trace::{Answer, Line, Moment, Trace, timeline};

use crate::words::{asks, describe, expected, scale};

const HEIGHT: usize = 220;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fbfbf9; --faint: #78818d;
  --water: #2f7fb8; --fill: #2f7fb833; --pause: #e0a02033; --limit: #b8562f; --bad: #c0262d; --good: #2c8a4b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --paper: #14181e; --faint: #8b95a3;
  --water: #5cb0ea; --fill: #5cb0ea33; --pause: #e0a02040; --limit: #ef8d63; --bad: #ff6b70; --good: #5fce85; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.2rem; } h2 { font-size: 1rem; margin: 2.5rem 0 .3rem; }
.chart { overflow-x: auto; } svg { display: block; height: auto; } svg text { font: 11px system-ui, sans-serif; fill: var(--faint); }
.level { fill: var(--fill); stroke: none; } .edge { fill: none; stroke: var(--water); stroke-width: 2; }
.pause { fill: var(--pause); } .differs { fill: var(--bad); opacity: .18; }
.limit { fill: none; stroke: var(--limit); stroke-dasharray: 5 4; }
.twice { fill: none; stroke: var(--limit); stroke-dasharray: 1 4; } .axis { stroke: var(--faint); }
circle { fill: var(--faint); } .feed { fill: var(--water); } .ok { fill: var(--good); } .waits { fill: var(--faint); } .bad { fill: var(--bad); }
svg .limit-name { fill: var(--limit); }
table { border-collapse: collapse; width: 100%; font: 13px/1.5 ui-monospace, monospace; }
td, th { padding: .1rem .6rem; text-align: left; vertical-align: top; }
td:last-child { width: 100%; white-space: pre-wrap; overflow-wrap: anywhere; }
th { font-family: system-ui, sans-serif; font-weight: 500; color: var(--faint); }
tr:nth-child(even) td { background: #8881; } td.n { text-align: right; color: var(--faint); }
td.feed { color: var(--water); } td.ok { color: var(--good); } td.waits { color: var(--faint); }
td.bad, .wrong { color: var(--bad); }
.legend { color: var(--faint); } .legend span { white-space: nowrap; margin-right: 1em; } b.feed { color: var(--water); }
b.ok { color: var(--good); } b.waits { color: var(--faint); } b.bad { color: var(--bad); }
b.paused { color: #e0a020; }
@media (max-width: 600px) { body { margin: .5rem auto; padding: 0 .6rem; } table { font-size: 12px; } td, th { padding: .1rem .3rem; } }
";

const LEGEND: &str = "<p class=\"legend\"><span><b class=\"feed\">▼</b> bytes arrive</span> \
  <span><b class=\"feed\">▮</b> the stream ends</span> <span><b class=\"bad\">▮</b> or fails</span> \
  <span><b class=\"ok\">●</b> a request is answered</span> <span><b class=\"waits\">●</b> it waits</span> \
  <span><b class=\"bad\">●</b> it fails</span> <span><b class=\"waits\">╵</b> a statement</span> \
  <span><b class=\"paused\">▇</b> reading is paused</span> \
  <span><b class=\"wrong\">▇</b> the trace says otherwise</span></p>\n";

/// The page of all of these, each with the number of each line in its file.
pub(crate) fn page(title: &str, traces: &[(Trace, Vec<usize>)]) -> String {
    let title = escaped(title);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    page += LEGEND;
    for (index, (trace, numbers)) in traces.iter().enumerate() {
        let moments = timeline(trace);
        let what = match asks(trace) {
            true => format!("limit {}", trace.limit()),
            false => "what has arrived, for no request is recorded".to_owned(),
        };
        page += &format!(
            "<h2>Conversation {} of {}: {what}, {} lines</h2>\n",
            index + 1,
            traces.len(),
            moments.len(),
        );
        page += &picture(trace, &moments);
        page += &table(trace, &moments, numbers);
    }
    page += "</body>\n</html>\n";
    page
}

/// Where things are in a picture.
struct Frame {
    /// Width of one line of the trace.
    step: f64,
    top: usize,
    width: f64,
}

impl Frame {
    const LEFT: f64 = 90.0;
    const ABOVE: f64 = 34.0;

    fn x(&self, index: usize) -> f64 {
        Self::LEFT + self.step * index as f64
    }

    fn y(&self, level: usize) -> f64 {
        let height = HEIGHT as f64;
        Self::ABOVE + height - height * level.min(self.top) as f64 / self.top as f64
    }
}

/// The level of the buffer after each line, with the limit, what happened, and pauses.
fn picture(trace: &Trace, moments: &[Moment]) -> String {
    let step = (1000.0 / moments.len().max(1) as f64).clamp(6.0, 60.0);
    let frame = Frame {
        step,
        top: scale(trace, moments),
        width: Frame::LEFT + step * moments.len() as f64,
    };
    let height = Frame::ABOVE + HEIGHT as f64 + 40.0;
    let width = frame.width + 130.0;
    let least = width * 0.7;
    let mut svg = format!(
        "<div class=\"chart\"><svg viewBox=\"0 0 {width:.0} {height:.0}\" \
         style=\"width:100%;max-width:{width:.0}px;min-width:{least:.0}px\" role=\"img\" \
         aria-label=\"How full the buffer was after each line\">\n"
    );
    svg += &bands(&frame, trace, moments);
    svg += &levels(&frame, moments);
    svg += &axis(&frame);
    if asks(trace) {
        svg += &limits(&frame, moments);
    }
    svg += &marks(&frame, moments);
    svg += "</svg></div>\n";
    svg
}

/// Where reading is paused, and where something else has happened than the trace says.
fn bands(frame: &Frame, trace: &Trace, moments: &[Moment]) -> String {
    let mut svg = String::new();
    for (index, (recorded, moment)) in trace.lines().iter().zip(moments).enumerate() {
        let (x, y, step) = (frame.x(index), Frame::ABOVE, frame.step);
        let mut band = |class: &str, title: &str| {
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" width=\"{step:.1}\" height=\"{HEIGHT}\">\
                 <title>{title}</title></rect>"
            );
        };
        if moment.paused && asks(trace) {
            band("pause", "reading is paused");
        }
        if *recorded != moment.line {
            let expected = format!("expected: {}", expected(recorded, moment));
            band("differs", &escaped(&expected));
        }
    }
    svg
}

fn levels(frame: &Frame, moments: &[Moment]) -> String {
    let (left, floor) = (frame.x(0), frame.y(0));
    let mut path = format!("M{left:.1} {floor:.1}");
    for (index, moment) in moments.iter().enumerate() {
        let (y, right) = (frame.y(moment.buffered), frame.x(index + 1));
        let _ = write!(path, "V{y:.1}H{right:.1}");
    }
    let right = frame.width;
    format!(
        "<path class=\"level\" d=\"{path}V{floor:.1}Z\"/>\n<path class=\"edge\" d=\"{path}\"/>\n\
         <line class=\"axis\" x1=\"{left:.1}\" y1=\"{floor:.1}\" x2=\"{right:.1}\" y2=\"{floor:.1}\"/>\n"
    )
}

fn axis(frame: &Frame) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{top:.1}\" text-anchor=\"end\">{} B</text>\n\
         <text x=\"{x:.1}\" y=\"{floor:.1}\" text-anchor=\"end\">0</text>\n",
        frame.top,
        x = Frame::LEFT - 6.0,
        top = frame.y(frame.top) + 4.0,
        floor = frame.y(0) + 4.0,
    )
}

/// The limit and twice the limit, which the program may change on the way. What lies above the picture is
/// not in it.
fn limits(frame: &Frame, moments: &[Moment]) -> String {
    let mut svg = String::new();
    for (class, times, name) in [("limit", 1, "limit"), ("twice", 2, "pauses above")] {
        let mut path = String::new();
        let mut last = None;
        for (index, moment) in moments.iter().enumerate() {
            let level = moment.limit.saturating_mul(times);
            last = Some(level).filter(|level| *level <= frame.top);
            if last.is_some() {
                let (left, y, right) = (frame.x(index), frame.y(level), frame.x(index + 1));
                let _ = write!(path, "M{left:.1} {y:.1}H{right:.1}");
            }
        }
        let _ = writeln!(svg, "<path class=\"{class}\" d=\"{path}\"/>");
        let Some(last) = last else { continue };
        // Two names at one height are one above the other.
        let y = frame.y(last) + if times == 2 { -8.0 } else { 4.0 };
        let _ = writeln!(
            svg,
            "<text class=\"limit-name\" x=\"{:.1}\" y=\"{y:.1}\">{name} {last}</text>",
            frame.width + 6.0,
        );
    }
    svg
}

/// What happened: inputs above, answers below.
fn marks(frame: &Frame, moments: &[Moment]) -> String {
    let mut svg = String::new();
    for (index, moment) in moments.iter().enumerate() {
        let x = frame.x(index) + frame.step / 2.0;
        let (y, shape) = match moment.line {
            Line::Feed(_) => (12.0, "v"),
            Line::FeedEof | Line::Fail(_) => (12.0, "end"),
            Line::Ask(..) => (frame.y(0) + 16.0, "dot"),
            Line::Buffered(_) | Line::Consume(_) | Line::SetLimit(_) | _ => {
                (frame.y(0) + 12.0, "tick")
            }
        };
        let class = class(&moment.line);
        let title = escaped(&describe(&moment.line));
        let drawn = match shape {
            "v" => format!("<path d=\"M{:.1} {:.1}h8l-4 8z\"", x - 4.0, y - 4.0),
            "end" => format!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"4\" height=\"12\"",
                x - 2.0,
                y - 6.0
            ),
            "tick" => format!("<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"1\" height=\"8\""),
            _ => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\""),
        };
        let _ = writeln!(
            svg,
            "{drawn} class=\"{class}\"><title>{title}</title></{}>",
            name_of(&drawn)
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"16\" text-anchor=\"end\">arrives</text>\
         <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"end\">asks</text>",
        frame.y(0) + 20.0,
        x = Frame::LEFT - 6.0,
    );
    svg
}

/// The name of an element that begins so.
fn name_of(element: &str) -> &str {
    let name = element.trim_start_matches('<');
    name.split(' ').next().unwrap_or(name)
}

fn table(trace: &Trace, moments: &[Moment], numbers: &[usize]) -> String {
    let (level, paused) = match asks(trace) {
        true => ("buffered", "paused"),
        false => ("arrived", ""),
    };
    let mut html = format!(
        "<table>\n<tr><th>line</th><th>{level}</th><th>{paused}</th><th>what happened</th></tr>\n",
    );
    let lines = trace.lines().iter().zip(moments).zip(numbers);
    for ((recorded, moment), number) in lines {
        let wrong = if *recorded == moment.line {
            String::new()
        } else {
            let recorded = escaped(&expected(recorded, moment));
            format!("<br><span class=\"wrong\">expected: {recorded}</span>")
        };
        let _ = writeln!(
            html,
            "<tr><td class=\"n\">{number}</td><td class=\"n\">{}</td><td>{}</td><td class=\"{}\">{}{wrong}</td></tr>",
            moment.buffered,
            if moment.paused { paused } else { "" },
            class(&moment.line),
            escaped(&describe(&moment.line)),
        );
    }
    html + "</table>\n"
}

fn class(line: &Line) -> &'static str {
    match line {
        Line::Feed(_) | Line::FeedEof => "feed",
        Line::Ask(_, Answer::Pending) => "waits",
        Line::Ask(_, Answer::Ok(_) | Answer::Ready(_)) => "ok",
        Line::Ask(..) | Line::Fail(_) => "bad",
        Line::Buffered(_) | Line::Consume(_) | Line::SetLimit(_) | _ => "",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
