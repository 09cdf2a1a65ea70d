//! How full the buffer was.

use super::{
    replay::Replay,
    types::{Line, Trace},
};

/// How a reader stood after a line of a trace.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Moment {
    /// What happened on the core; the line of the trace, unless that says otherwise.
    pub line: Line,
    /// How many bytes were buffered.
    pub buffered: usize,
    /// The limit, in bytes.
    pub limit: usize,
    /// Whether reading was paused.
    pub paused: bool,
}

/// Runs a trace on the core and gives the state of the reader after each line.
///
/// # Examples
///
/// ```
/// use millpond_conformance::trace::{Trace, timeline};
///
/// let trace: Trace = r#"{"trace":1,"limit":2}
/// {"feed":"6162630a64"}
/// {"read_exactly":4,"ok":"6162630a"}
/// "#
/// .parse()?;
/// let levels: Vec<_> = timeline(&trace).iter().map(|at| (at.buffered, at.paused)).collect();
/// assert_eq!(levels, [(5, true), (1, false)]);
/// # Ok::<(), millpond_conformance::trace::ParseError>(())
/// ```
pub fn timeline(trace: &Trace) -> Vec<Moment> {
    let mut replay = Replay::new(trace);
    let mut moments = Vec::with_capacity(trace.lines().len());
    for line in trace.lines() {
        let line = replay.step(line);
        let reader = replay.reader();
        moments.push(Moment {
            line,
            buffered: reader.buffered().len(),
            limit: reader.limit(),
            paused: reader.is_open() && !reader.wants_read(),
        });
    }
    moments
}
