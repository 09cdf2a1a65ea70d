//! The smallest trace that still fails.

use super::types::{Line, Request, Trace};

/// Makes a trace as small as it can be while `still_fails` is true for it: with fewer lines, fewer
/// bytes, smaller numbers.
///
/// `still_fails` gets conversations whose answers are those of `trace` and no longer right. It has to
/// find out by itself what they should be.
///
/// # Examples
///
/// ```
/// use millpond_conformance::trace::{Line, Trace, shrink};
///
/// let mut trace = Trace::new(64);
/// trace.push(Line::Feed(b"quiet\n".to_vec()));
/// trace.push(Line::Feed(b"a loud! line\n".to_vec()));
/// trace.push(Line::FeedEof);
/// let is_loud = |trace: &Trace| {
///     trace.lines().iter().any(|line| matches!(line, Line::Feed(data) if data.contains(&b'!')))
/// };
///
/// let small = shrink(&trace, is_loud);
/// assert_eq!(small.lines(), [Line::Feed(b"!".to_vec())]);
/// assert_eq!(small.limit(), 1);
/// ```
pub fn shrink(trace: &Trace, mut still_fails: impl FnMut(&Trace) -> bool) -> Trace {
    let mut best = trace.clone();
    loop {
        let before = best.clone();
        for pass in [
            without_lines,
            with_joined_feeds,
            with_smaller_limit,
            with_smaller_lines,
            with_less_of_both,
        ] {
            best = pass(best, &mut still_fails);
        }
        if best == before {
            return best;
        }
    }
}

type StillFails<'a> = &'a mut dyn FnMut(&Trace) -> bool;

/// Leaves out runs of lines: half of them, a quarter, down to single ones.
fn without_lines(mut best: Trace, still_fails: StillFails<'_>) -> Trace {
    let mut run = best.lines().len();
    while run > 0 {
        let mut at = 0;
        while at < best.lines().len() {
            let end = (at + run).min(best.lines().len());
            let kept = [&best.lines()[..at], &best.lines()[end..]].concat();
            match rebuilt(&best, best.limit(), kept).filter(&mut *still_fails) {
                Some(smaller) => best = smaller,
                None => at = end,
            }
        }
        run /= 2;
    }
    best
}

fn with_joined_feeds(mut best: Trace, still_fails: StillFails<'_>) -> Trace {
    let mut at = 0;
    while at + 1 < best.lines().len() {
        if let [Line::Feed(first), Line::Feed(second)] = &best.lines()[at..at + 2] {
            let joined = Line::Feed([&first[..], second].concat());
            let lines = [&best.lines()[..at], &[joined], &best.lines()[at + 2..]].concat();
            if let Some(smaller) = rebuilt(&best, best.limit(), lines).filter(&mut *still_fails) {
                best = smaller;
                continue;
            }
        }
        at += 1;
    }
    best
}

fn with_smaller_limit(best: Trace, still_fails: StillFails<'_>) -> Trace {
    let smaller = smaller_numbers(best.limit())
        .filter(|limit| *limit > 0)
        .find_map(|limit| rebuilt(&best, limit, best.lines().to_vec()).filter(&mut *still_fails));
    smaller.unwrap_or(best)
}

/// Shrinks each line by itself, as far as that goes.
fn with_smaller_lines(mut best: Trace, still_fails: StillFails<'_>) -> Trace {
    let mut at = 0;
    while at < best.lines().len() {
        let smaller = smaller_lines(&best.lines()[at])
            .into_iter()
            .find_map(|line| {
                let mut lines = best.lines().to_vec();
                lines[at] = line;
                rebuilt(&best, best.limit(), lines).filter(&mut *still_fails)
            });
        match smaller {
            Some(smaller) => best = smaller,
            None => at += 1,
        }
    }
    best
}

/// One byte less of the limit and of a line: what fails just at the limit still does.
fn with_less_of_both(best: Trace, still_fails: StillFails<'_>) -> Trace {
    let Some(limit) = best.limit().checked_sub(1).filter(|limit| *limit > 0) else {
        return best;
    };
    for (at, line) in best.lines().iter().enumerate() {
        for line in smaller_lines(line) {
            let mut lines = best.lines().to_vec();
            lines[at] = line;
            if let Some(smaller) = rebuilt(&best, limit, lines).filter(&mut *still_fails) {
                return smaller;
            }
        }
    }
    best
}

fn smaller_lines(line: &Line) -> Vec<Line> {
    match line {
        Line::Ask(request, answer) => smaller_requests(request)
            .into_iter()
            .map(|request| Line::Ask(request, answer.clone()))
            .collect(),
        Line::Consume(n) => smaller_numbers(*n).map(Line::Consume).collect(),
        Line::Feed(data) => smaller_bytes(data).into_iter().map(Line::Feed).collect(),
        Line::SetLimit(n) => smaller_numbers(*n).map(Line::SetLimit).collect(),
        Line::Buffered(_) | Line::Fail(_) | Line::FeedEof => Vec::new(),
    }
}

fn smaller_requests(request: &Request) -> Vec<Request> {
    match request {
        Request::Exactly(n) => smaller_numbers(*n).map(Request::Exactly).collect(),
        Request::Peek(n) => smaller_numbers(*n).map(Request::Peek).collect(),
        Request::UpTo(n) => smaller_numbers(*n).map(Request::UpTo).collect(),
        Request::Until(needles) => {
            let fewer = (0..needles.len()).map(|left_out| {
                let mut fewer = needles.clone();
                fewer.remove(left_out);
                Request::Until(fewer)
            });
            let shorter = needles.iter().enumerate().flat_map(|(at, needle)| {
                smaller_bytes(needle).into_iter().map(move |shorter| {
                    let mut needles = needles.clone();
                    needles[at] = shorter;
                    Request::Until(needles)
                })
            });
            fewer.chain(shorter).collect()
        }
        Request::Line | Request::ToEof => Vec::new(),
    }
}

/// Without one half, without the other, and without each single byte.
fn smaller_bytes(data: &[u8]) -> Vec<Vec<u8>> {
    let half = data.len() / 2;
    let mut smaller = Vec::new();
    if half > 0 {
        smaller.push(data[..half].to_vec());
        smaller.push(data[half..].to_vec());
    }
    smaller.extend((0..data.len()).map(|at| [&data[..at], &data[at + 1..]].concat()));
    smaller
}

/// From the smallest on.
fn smaller_numbers(n: usize) -> impl Iterator<Item = usize> {
    let mut steps = vec![0, 1, 2, n / 2, n.saturating_sub(1)];
    steps.retain(|step| *step < n);
    steps.sort_unstable();
    steps.into_iter()
}

/// `None` if it cannot happen.
fn rebuilt(like: &Trace, limit: usize, lines: Vec<Line>) -> Option<Trace> {
    let mut trace = Trace::new(limit);
    if let Some(cap) = like.cap() {
        trace = trace.with_cap(cap);
    }
    for line in lines {
        trace.try_push(line).ok()?;
    }
    Some(trace)
}
