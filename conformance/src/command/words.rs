//! A conversation in words, and how high a picture of it must be.

use std::str::EscapeDebug;

use millpond_conformance::trace::{Answer, Kind, Line, Moment, Request, Trace};

/// The most columns of a text that are shown.
const SHOWN: usize = 64;

/// Whether anything is asked: of what only arrives nothing is known of the reader.
pub(crate) fn asks(trace: &Trace) -> bool {
    trace.requests() > 0
}

/// The level at which a picture is full: it shows the limit, the pause and the highest level.
pub(crate) fn scale(trace: &Trace, moments: &[Moment]) -> usize {
    let highest = moments.iter().map(|moment| moment.buffered).max();
    let highest = highest.unwrap_or(0).max(1);
    // A limit that is far away would leave nothing to be seen of the rest.
    let limit = trace.limit();
    if limit > 8 * highest || !asks(trace) {
        highest
    } else {
        highest.max(2 * limit + 1)
    }
}

/// What a trace expects and did not happen, in words, or as it is if the words would be the same.
pub(crate) fn expected(recorded: &Line, moment: &Moment) -> String {
    let words = describe(recorded);
    if words == describe(&moment.line) {
        return recorded.to_string();
    }
    words
}

/// A line in words.
pub(crate) fn describe(line: &Line) -> String {
    match line {
        Line::Ask(request, answer) => format!("{} → {}", asked(request), answered(answer)),
        Line::Buffered(data) => format!("buffered: {}", text(data)),
        Line::Consume(n) => format!("drops {n}"),
        Line::Fail(kind) => format!("⟵ fails: {}", plain(kind)),
        Line::Feed(data) => format!("⟵ {} ({})", text(data), data.len()),
        Line::FeedEof => "⟵ end of the stream".to_owned(),
        Line::SetLimit(n) => format!("the limit is {n}"),
        _ => line.to_string(),
    }
}

fn asked(request: &Request) -> String {
    match request {
        Request::Exactly(n) => format!("read_exactly({n})"),
        Request::Line => "read_line()".to_owned(),
        Request::Peek(n) => format!("peek({n})"),
        Request::ToEof => "read_to_eof()".to_owned(),
        Request::Until(needles) => {
            let needles: Vec<String> = needles.iter().map(|needle| text(needle)).collect();
            format!("read_until({})", needles.join(", "))
        }
        Request::UpTo(n) => format!("read({n})"),
        _ => request.to_string(),
    }
}

fn answered(answer: &Answer) -> String {
    match answer {
        Answer::CapExceeded { cap } => format!("exceeds the cap of {cap}"),
        Answer::Failed(kind) => format!("failed: {}", plain(kind)),
        Answer::Incomplete { partial, expected } => match expected {
            Some(n) => format!("incomplete, {} of {n}: {}", partial.len(), text(partial)),
            None => format!("incomplete: {}", text(partial)),
        },
        Answer::Ok(data) => text(data),
        Answer::Overrun { consumed } => format!("overrun, {consumed} bytes can be skipped"),
        Answer::Pending => "waits".to_owned(),
        Answer::Ready(n) => format!("{n} bytes, not taken"),
        _ => answer.to_string(),
    }
}

/// A file can say anything.
fn plain(kind: &Kind) -> EscapeDebug<'_> {
    kind.as_str().escape_debug()
}

fn text(data: &[u8]) -> String {
    let mut text = String::new();
    for byte in data {
        let next = byte.escape_ascii().to_string();
        if text.len() + next.len() > SHOWN {
            return format!("\"{text}…\"");
        }
        text += &next;
    }
    format!("\"{text}\"")
}
