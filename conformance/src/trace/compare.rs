//! What CPython said of a conversation, beside what the core says.

use super::{
    deliberate::{Deliberate, Selection},
    model::answered_by_model,
    replay::{Difference, answered_by_core, differences},
    timeline::timeline,
    types::{Answer, Line, Request, Trace},
};

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
    assert!(
        of_cpython.is_known_to_asyncio(),
        "asyncio has no cap, no look ahead and one limit"
    );
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
/// It is looked at only where both sides hold the same bytes: until the stream ends, while no read to
/// EOF waits, and if no answer differs, on purpose or not, in what it takes.
pub fn pauses_differ(of_cpython: &Trace, paused: &[bool]) -> Option<usize> {
    match compare(of_cpython) {
        Verdict::Same => {}
        Verdict::Deliberate(reasons) if reasons == [Deliberate::Consumed] => {}
        Verdict::Broken(_) | Verdict::Deliberate(_) => return None,
    }
    let mut waits_for_all = false;
    for (index, (moment, paused)) in timeline(of_cpython).iter().zip(paused).enumerate() {
        match &moment.line {
            Line::FeedEof | Line::Fail(_) => return None,
            Line::Ask(request, answer) => {
                waits_for_all = (request, answer) == (&Request::ToEof, &Answer::Pending);
            }
            Line::Buffered(_) | Line::Consume(_) | Line::Feed(_) | Line::SetLimit(_) => {}
        }
        if !waits_for_all && moment.paused != *paused {
            return Some(index);
        }
    }
    None
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
