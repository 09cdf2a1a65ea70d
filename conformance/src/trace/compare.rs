//! The answers of CPython to a conversation, beside those of the core.

use super::{
    deliberate::{Deliberate, Selection},
    model::{Model, answered_by_model},
    replay::{Difference, Replay, answered_by_core, differences},
    types::{Answer, Line, Request, Trace},
};

pub(crate) const UNKNOWN: &str = "asyncio has no cap, no look ahead and one limit";

/// What became of a comparison.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// There is a difference and no reason for it.
    Broken(Vec<Difference>),
    /// Everything that differs is due to these.
    Deliberate(Vec<Deliberate>),
    /// Every answer is the same.
    Same,
}

/// Compares the core with a trace that CPython answered.
///
/// Nothing is taken on trust: a difference is deliberate only if a plain model with the deliberate
/// differences gives CPython's answers, all of them, and without them the core's.
///
/// # Panics
///
/// If the trace is not [known to asyncio](Trace::is_known_to_asyncio).
///
/// # Examples
///
/// ```
/// use millpond_conformance::trace::{Deliberate, Trace, Verdict, compare};
///
/// let of_cpython: Trace = r#"{"trace":1,"limit":2}
/// {"feed":"616263"}
/// {"read_line":true,"overrun":true,"consumed":3}
/// {"feed":"640a"}
/// {"read_line":true,"ok":"640a"}
/// "#
/// .parse()?;
/// let verdict = compare(&of_cpython);
/// assert_eq!(verdict, Verdict::Deliberate(vec![Deliberate::LongLineIsSkipped]));
/// # Ok::<(), millpond_conformance::trace::ParseError>(())
/// ```
pub fn compare(of_cpython: &Trace) -> Verdict {
    assert!(of_cpython.is_known_to_asyncio(), "{UNKNOWN}");
    let of_core = answered_by_core(of_cpython);
    let as_it_should_be = answered_by_model(of_cpython, Selection::NONE);
    if of_core != as_it_should_be {
        return Verdict::Broken(differences(&as_it_should_be, &of_core));
    }
    let as_cpython_should_be = answered_by_model(of_cpython, Selection::ALL);
    if *of_cpython != as_cpython_should_be {
        return Verdict::Broken(differences(of_cpython, &as_cpython_should_be));
    }
    if of_core == *of_cpython {
        return Verdict::Same;
    }
    let matters = |difference: &Deliberate| {
        let others = Selection::ALL.without(*difference);
        answered_by_model(of_cpython, others) != *of_cpython
    };
    Verdict::Deliberate(Deliberate::all().filter(matters).collect())
}

/// The index of the first line after which reading was paused on one side alone, given whether it was
/// in CPython after each line.
///
/// It is looked at as long as both sides have answered the same, hold the same bytes, and the stream is
/// open; but not while a read to EOF waits: in CPython, what that has seen does not count.
///
/// # Panics
///
/// As [`compare`].
pub fn pauses_differ(of_cpython: &Trace, paused: &[bool]) -> Option<usize> {
    assert!(of_cpython.is_known_to_asyncio(), "{UNKNOWN}");
    let mut core = Replay::new(of_cpython);
    let mut cpython = Model::new(of_cpython.limit(), Selection::ALL);
    let mut waits_for_all = false;
    for (index, (line, paused)) in of_cpython.lines().iter().zip(paused).enumerate() {
        let as_told = have_the_same_meaning(&core.step(line), &cpython.step(line));
        let reader = core.reader();
        if !as_told || !reader.is_open() || reader.buffered() != cpython.held() {
            return None;
        }
        if let Line::Ask(request, answer) = line {
            waits_for_all = (request, answer) == (&Request::ToEof, &Answer::Pending);
        }
        if !waits_for_all && reader.wants_read() == *paused {
            return Some(index);
        }
    }
    None
}

/// Whether these took the same, whatever an overrun says of what could be consumed.
fn have_the_same_meaning(one: &Line, other: &Line) -> bool {
    let is_overrun = |line: &Line| matches!(line, Line::Ask(_, Answer::Overrun { .. }));
    let is_statement = |line: &Line| matches!(line, Line::Buffered(_));
    one == other || (is_overrun(one) && is_overrun(other)) || is_statement(one)
}

impl Trace {
    /// Whether asyncio can have this conversation: it has no cap, no look ahead, and one limit.
    pub fn is_known_to_asyncio(&self) -> bool {
        let is_unknown = |line: &Line| {
            matches!(
                line,
                Line::Ask(Request::Peek(_), _)
                    | Line::Ask(_, Answer::CapExceeded { .. } | Answer::Ready(_))
                    | Line::Consume(_)
                    | Line::SetLimit(_)
            )
        };
        self.cap().is_none() && !self.lines().iter().any(is_unknown)
    }
}

/// The same conversation with the answers that there should be, if the core gives others.
///
/// Also `None` if the trace is not [known to asyncio](Trace::is_known_to_asyncio): the plain model is
/// not, either.
pub fn judge(trace: &Trace) -> Option<Trace> {
    if !trace.is_known_to_asyncio() {
        return None;
    }
    let as_it_should_be = answered_by_model(trace, Selection::NONE);
    (answered_by_core(trace) != as_it_should_be).then_some(as_it_should_be)
}
