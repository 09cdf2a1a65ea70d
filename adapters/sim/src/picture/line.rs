//! One line of what happened in a world, as it is saved, and what it says.

use crate::picture::label::unescaped;

/// An end of a connection; side 0 is the client.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct End {
    pub(super) connection: u32,
    pub(super) side: usize,
}

impl End {
    pub(super) fn peer(self) -> Self {
        let side = 1 - self.side;
        Self { side, ..self }
    }
}

/// What a line says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Said<'a> {
    Polled(u64),
    /// With the name of the host.
    Spawned(u64, &'a str),
    /// What is no part of a picture, or what another line says better.
    Unshown,
    Tried(u32, &'a str),
    /// From which host to which.
    Route(u32, &'a str, &'a str),
    Unanswered(u32),
    Refused(u32),
    Made(u32),
    Accepted(u32),
    Reads(End, u64),
    ReadsEnd(End),
    FailsToRead(End),
    WaitsToRead(End),
    Writes(End, u64),
    /// The beginning of what was just written.
    Data(Vec<u8>),
    FailsToWrite(End),
    WaitsToWrite(End),
    Closed(End),
    /// Closing it will reset.
    Aborts(End),
    IsReset(End),
    Sends(End, &'a str),
    /// A fault, in the place of an end.
    Forges(End, &'a str),
    SignalArrives(End, &'a str),
    /// From this end to its peer.
    Arrives(End, u64),
    TooLate(End, u64),
    Lost(End, u64),
    Repeats(End, u64),
    /// With the connection that it has met, if it is that of one.
    Fault(Option<u32>, &'a str),
    Other(&'a str),
}

/// The time of a line, in microseconds, and what it says. `None` if it has no time.
pub(super) fn parse(line: &str) -> Option<(u64, Said<'_>)> {
    let (time, text) = line.trim_start().split_once(" s  ")?;
    let (seconds, micros) = time.split_once('.')?;
    let whole = micros.len() == 6;
    let micros: u64 = micros.parse().ok().filter(|_| whole)?;
    let seconds: u64 = seconds.parse().ok()?;
    let now = seconds.checked_mul(1_000_000)?.checked_add(micros)?;
    let said = match text.strip_prefix("· ") {
        Some(note) => note_said(note),
        None => said(text),
    };
    Some((now, said.unwrap_or(Said::Other(text))))
}

/// `None` if it is nothing that is known.
fn said(text: &str) -> Option<Said<'_>> {
    if let Some((end, does)) = end_first(text) {
        return done_by_end(end, does);
    }
    if let Some((number, does)) = numbered(text, "connection ") {
        return done_by_connection(number, does);
    }
    if let Some(rest) = text.strip_prefix("the main task ") {
        return done_by_task(0, rest);
    }
    if let Some((number, does)) = numbered(text, "task ") {
        return done_by_task(number, does);
    }
    // What is behind these is a fault, which has a line of its own.
    let is_fault = text.starts_with("fault on ")
        || text.starts_with("nothing gets from ")
        || text.starts_with("the clock jumps by ")
        || text.ends_with(" are partitioned");
    is_fault.then_some(Said::Unshown)
}

fn done_by_task(number: u64, does: &str) -> Option<Said<'_>> {
    Some(match does {
        "runs" => Said::Polled(number),
        "ends" => Said::Unshown,
        _ => Said::Spawned(number, does.strip_prefix("is spawned on ")?),
    })
}

fn done_by_connection(number: u32, does: &str) -> Option<Said<'_>> {
    Some(match does {
        "is tried" => Said::Tried(number, ""),
        "gets no answer" => Said::Unanswered(number),
        "is refused" => Said::Refused(number),
        "is made" | "is a pipe, which its client writes" => Said::Made(number),
        "is accepted" => Said::Accepted(number),
        _ => {
            let target = does.strip_prefix("to ")?.strip_suffix(" is tried")?;
            Said::Tried(number, target)
        }
    })
}

fn done_by_end(end: End, does: &str) -> Option<Said<'_>> {
    Some(match does {
        "is pending for no reason" | "ends its direction" => Said::Unshown,
        "reads the end" => Said::ReadsEnd(end),
        "fails to read" => Said::FailsToRead(end),
        "waits to read" => Said::WaitsToRead(end),
        "fails to write" => Said::FailsToWrite(end),
        "waits to write" => Said::WaitsToWrite(end),
        "is closed" => Said::Closed(end),
        "is to be reset" => Said::Aborts(end),
        "is reset" => Said::IsReset(end),
        _ => {
            let (verb, amount) = does.split_once(' ')?;
            let amount = bytes(amount)?;
            match verb {
                "reads" => Said::Reads(end, amount),
                "writes" => Said::Writes(end, amount),
                _ => return None,
            }
        }
    })
}

/// What is beside the events.
fn note_said(text: &str) -> Option<Said<'_>> {
    if let Some(data) = text.strip_prefix('"') {
        return unescaped(data.strip_suffix('"')?).map(Said::Data);
    }
    if let Some(what) = text.strip_prefix("fault: ") {
        return Some(match numbered(what, "connection ") {
            Some((number, _)) => Said::Fault(Some(number), what),
            None => Said::Fault(None, what),
        });
    }
    if let Some((number, route)) = numbered(text, "connection ") {
        let (from, to) = route.strip_prefix("goes from \"")?.split_once("\" to \"")?;
        return Some(Said::Route(number, from, to.strip_suffix('"')?));
    }
    if let Some(forged) = text.strip_prefix("a fault sends ") {
        let (signal, end) = forged.split_once(" as ")?;
        return Some(Said::Forges(end_first(end)?.0, signal));
    }
    if let Some((end, does)) = end_first(text) {
        return Some(Said::Sends(end, does.strip_prefix("sends ")?));
    }
    let (what, rest) = text.split_once(" from ")?;
    let (end, whither) = end_first(rest)?;
    Some(match whither {
        "arrives" => Said::SignalArrives(end, what),
        "to its peer" => Said::Arrives(end, bytes(what)?),
        "to a closed peer" => Said::TooLate(end, bytes(what)?),
        "again" => Said::Repeats(end, bytes(what)?),
        "to nowhere" => Said::Lost(end, bytes(what)?),
        _ => return None,
    })
}

/// An end at the beginning of a text, and what follows it.
fn end_first(text: &str) -> Option<(End, &str)> {
    let rest = text.strip_prefix("the ")?;
    let (side, rest) = match rest.strip_prefix("client of ") {
        Some(rest) => (0, rest),
        None => (1, rest.strip_prefix("server of ")?),
    };
    let (connection, rest) = numbered(rest, "connection ")?;
    Some((End { connection, side }, rest))
}

/// A number behind a word, and what follows it.
fn numbered<'a, N: std::str::FromStr>(text: &'a str, word: &str) -> Option<(N, &'a str)> {
    let rest = text.strip_prefix(word)?;
    let len = rest.bytes().take_while(u8::is_ascii_digit).count();
    let number = rest[..len].parse().ok()?;
    let rest = rest[len..].trim_start_matches([':', ' ']);
    Some((number, rest))
}

fn bytes(amount: &str) -> Option<u64> {
    let number = amount.strip_suffix(" bytes");
    number
        .or_else(|| amount.strip_suffix(" byte"))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_time_is_no_line_and_what_is_not_known_is_kept() {
        for text in [
            "",
            "\n",
            "hello",
            "1 s  x",
            "1.5 s  x",
            "x.000000 s  y",
            "99999999999999.000000 s  x",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        let other = |text| Some((1_000_001, Said::Other(text)));
        for text in [
            "a comet passes",
            "the client of connection x reads",
            "connection 1 to",
            "· ",
            "",
        ] {
            assert_eq!(parse(&format!("  1.000001 s  {text}")), other(text));
        }
    }
}
