//! The trace parser: any text, and any conversation that it says.

use millpond_conformance::trace::{Answer, Line, Request, Trace, judge, replay, timeline};

/// Reads the bytes as traces. What can be read is the same when it is written and read again, and it
/// can be replayed: with the answers that a replay gives, there is no difference, and the plain model
/// agrees if it knows the requests.
///
/// # Panics
///
/// If it does not.
pub fn trace(data: &[u8]) {
    let Ok(traces) = Trace::read_all(data) else {
        // The other door says no, too.
        if let Ok(text) = std::str::from_utf8(data) {
            assert!(text.parse::<Trace>().is_err());
        }
        return;
    };
    let written: String = traces.iter().map(Trace::to_string).collect();
    let again = Trace::read_all(written.as_bytes()).expect("what is written can be read");
    assert_eq!(again, traces);
    for trace in &traces {
        check(trace);
    }
}

fn check(trace: &Trace) {
    let text = trace.to_string();
    assert_eq!(&text.parse::<Trace>().expect("one trace"), trace);
    let answered = answered(trace);
    assert_eq!(replay(&answered), [], "{answered}");
    assert_eq!(judge(&answered), None, "the plain model says otherwise");
    let moments = timeline(&answered);
    assert!(moments.iter().map(|at| &at.line).eq(answered.lines()));
    check_bytes(&answered);
}

/// The same conversation as a replay has it.
fn answered(trace: &Trace) -> Trace {
    let mut answered = Trace::new(trace.limit());
    if let Some(cap) = trace.cap() {
        answered = answered.with_cap(cap);
    }
    for moment in timeline(trace) {
        answered.push(moment.line);
    }
    answered
}

/// What was taken and what is left is what was fed, in order, but for lines that were too long.
fn check_bytes(trace: &Trace) {
    let mut fed = Vec::new();
    let mut gone = 0;
    let mut skipping = false;
    for line in trace.lines() {
        let took: &[u8] = match line {
            Line::Feed(data) => {
                fed.extend_from_slice(data);
                &[]
            }
            Line::Consume(n) => {
                gone += n;
                &[]
            }
            Line::Ask(Request::Peek(_), Answer::Ok(seen)) => {
                assert!(fed[gone..].starts_with(seen));
                &[]
            }
            Line::Ask(_, Answer::Ok(took) | Answer::Incomplete { partial: took, .. }) => took,
            Line::Ask(Request::Line, Answer::Overrun { .. }) => {
                skipping = true;
                &[]
            }
            Line::Buffered(left) => {
                assert_eq!(*left, fed[gone..]);
                &[]
            }
            Line::Ask(..) | Line::Fail(_) | Line::FeedEof | Line::SetLimit(_) => &[],
            other => panic!("{other} is not known here"),
        };
        assert!(
            fed[gone..].starts_with(took),
            "{line} of {:?}",
            &fed[gone..]
        );
        gone += took.len();
        if skipping {
            let newline = fed[gone..].iter().position(|byte| *byte == b'\n');
            gone = newline.map_or(fed.len(), |at| gone + at + 1);
            skipping = newline.is_none();
        }
    }
}
