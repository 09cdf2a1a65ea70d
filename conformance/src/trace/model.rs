//! The rules of reading, as plain as possible, as millpond has them and as CPython does.

use super::{
    deliberate::{Deliberate, Selection},
    types::{Answer, Kind, Line, Request, Trace},
};

/// A reader that remembers nothing of a search and looks at everything again.
///
/// With no difference selected it is what the core should be; with all of them, what
/// `asyncio.StreamReader` is.
pub(crate) struct Model {
    as_cpython: Selection,
    limit: usize,
    buffer: Vec<u8>,
    eof: bool,
    failure: Option<Kind>,
    /// The rest of a line that was too long is still to come.
    skipping: bool,
    waiting: Option<Waiting>,
}

/// A request that found too little, as CPython keeps it: as a coroutine.
struct Waiting {
    request: Request,
    woken: Option<Wake>,
    /// What a read to EOF has taken out of the buffer.
    collected: Vec<u8>,
}

#[derive(Clone)]
enum Wake {
    Failure(Kind),
    /// Data, or the end.
    Input,
}

/// How an evaluation goes.
#[derive(Clone, Copy)]
struct View {
    /// Whether a failure is looked for, before everything else if that is CPython's way.
    failure: bool,
}

/// The same conversation with the answers of the model. Traces that ask what CPython does not have
/// are not for it.
pub(crate) fn answered_by_model(trace: &Trace, as_cpython: Selection) -> Trace {
    let mut model = Model::new(trace.limit(), as_cpython);
    let mut answered = Trace::new(trace.limit());
    for line in trace.lines() {
        answered.push(model.step(line));
    }
    answered
}

impl Model {
    pub(crate) fn new(limit: usize, as_cpython: Selection) -> Self {
        Self {
            as_cpython,
            limit,
            buffer: Vec::new(),
            eof: false,
            failure: None,
            skipping: false,
            waiting: None,
        }
    }

    /// What has arrived and was not taken, wherever it is kept.
    pub(crate) fn held(&self) -> Vec<u8> {
        let collected = self.waiting.as_ref().map(|waiting| &waiting.collected[..]);
        [collected.unwrap_or_default(), &self.buffer].concat()
    }

    pub(crate) fn step(&mut self, line: &Line) -> Line {
        match line {
            Line::Ask(request, _) => return Line::Ask(request.clone(), self.ask(request)),
            Line::Buffered(_) => return Line::Buffered(self.buffer.clone()),
            Line::Consume(n) => drop(self.buffer.drain(..n.min(&self.buffer.len()))),
            Line::Fail(kind) => self.fail(kind),
            Line::Feed(data) => self.feed(data),
            Line::FeedEof => self.feed_eof(),
            Line::SetLimit(limit) => self.limit = *limit,
        }
        line.clone()
    }

    fn feed(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.buffer.extend_from_slice(data);
        if self.skipping {
            self.skip_line();
        }
        self.wake(Wake::Input);
    }

    fn feed_eof(&mut self) {
        if self.failure.is_none() || self.is_as_cpython(Deliberate::FirstEndCounts) {
            self.eof = true;
            self.wake(Wake::Input);
        }
    }

    fn fail(&mut self, kind: &Kind) {
        let first = !self.eof && self.failure.is_none();
        if first || self.is_as_cpython(Deliberate::FirstEndCounts) {
            self.failure = Some(kind.clone());
            self.wake(Wake::Failure(kind.clone()));
        }
    }

    fn wake(&mut self, wake: Wake) {
        if let Some(waiting) = &mut self.waiting {
            waiting.woken.get_or_insert(wake);
        }
    }

    fn ask(&mut self, request: &Request) -> Answer {
        let asked_again = self.waiting.take().filter(|old| old.request == *request);
        let (answer, mut collected) = match asked_again {
            Some(waiting) => self.resume(waiting),
            None => self.begin(request),
        };
        if answer == Answer::Pending {
            if *request == Request::ToEof && self.is_as_cpython(Deliberate::ToEofKeeps) {
                collected.append(&mut self.buffer);
            }
            self.waiting = Some(Waiting {
                request: request.clone(),
                woken: None,
                collected,
            });
        }
        answer
    }

    fn begin(&mut self, request: &Request) -> (Answer, Vec<u8>) {
        let answer = self.evaluate(request, View { failure: true });
        (answer, Vec::new())
    }

    /// The answer, and what a read to EOF keeps if it still waits.
    fn resume(&mut self, waiting: Waiting) -> (Answer, Vec<u8>) {
        let Waiting {
            request,
            woken,
            mut collected,
        } = waiting;
        let mut view = View { failure: true };
        if self.is_as_cpython(Deliberate::FailureBehindData) {
            match woken {
                Some(Wake::Failure(kind)) if self.hides_data() => {
                    return (Answer::Failed(kind), Vec::new());
                }
                Some(Wake::Failure(_)) => {}
                // A coroutine that waits for more does not look for a failure again. A read to EOF
                // does, because it begins anew for each block.
                Some(Wake::Input) => {
                    view.failure = request == Request::ToEof && !self.buffer.is_empty();
                }
                None => return (Answer::Pending, collected),
            }
        }
        if request == Request::ToEof && self.is_as_cpython(Deliberate::ToEofKeeps) {
            // One block was read before the failure is seen.
            let block = self.failure.as_ref().map_or(usize::MAX, |_| self.limit);
            let n = self.buffer.len().min(block);
            collected.extend(self.buffer.drain(..n));
        }
        let answer = self.evaluate(&request, view);
        if let Answer::Ok(rest) = answer {
            collected.extend(rest);
            return (Answer::Ok(collected), Vec::new());
        }
        (answer, collected)
    }

    fn evaluate(&mut self, request: &Request, view: View) -> Answer {
        if let Some(kind) = self.failure_seen(view).filter(|_| self.hides_data()) {
            return Answer::Failed(kind);
        }
        let enough = match request {
            Request::Exactly(n) => (self.buffer.len() >= *n).then_some(*n),
            Request::Line => match self.until(&[b"\n".to_vec()]) {
                Ok(found) => found,
                Err(overrun) => {
                    self.skip_line();
                    return overrun;
                }
            },
            Request::Peek(_) => unreachable!("asyncio cannot look ahead"),
            Request::ToEof => None,
            Request::Until(needles) => match self.until(needles) {
                Ok(found) => found,
                Err(overrun) => return overrun,
            },
            Request::UpTo(n) => {
                let enough = *n == 0 || !self.buffer.is_empty();
                enough.then_some(self.buffer.len().min(*n))
            }
        };
        if let Some(n) = enough {
            return Answer::Ok(self.buffer.drain(..n).collect());
        }
        if let Some(kind) = self.failure_seen(view) {
            return Answer::Failed(kind);
        }
        if !self.eof {
            return Answer::Pending;
        }
        let rest = std::mem::take(&mut self.buffer);
        match request {
            Request::Exactly(n) => Answer::Incomplete {
                partial: rest,
                expected: Some(*n),
            },
            Request::Until(_) => Answer::Incomplete {
                partial: rest,
                expected: None,
            },
            Request::Line | Request::Peek(_) | Request::ToEof | Request::UpTo(_) => {
                Answer::Ok(rest)
            }
        }
    }

    /// How many bytes end with the first separator, or that none begins within the limit.
    fn until(&self, needles: &[Vec<u8>]) -> Result<Option<usize>, Answer> {
        let found = needles
            .iter()
            .filter_map(|needle| {
                let start = find(&self.buffer, needle)?;
                Some((start + needle.len(), needle.len()))
            })
            .min();
        let longest = needles.iter().map(Vec::len).max().unwrap_or(0);
        let begins_at_least_at = match found {
            Some((end, len)) if end - len <= self.limit => return Ok(Some(end)),
            Some((end, len)) => end - len,
            None => (self.buffer.len() + 1).saturating_sub(longest),
        };
        if begins_at_least_at <= self.limit {
            return Ok(None);
        }
        Err(Answer::Overrun {
            consumed: if self.is_as_cpython(Deliberate::Consumed) {
                begins_at_least_at
            } else {
                self.limit + 1
            },
        })
    }

    fn skip_line(&mut self) {
        match find(&self.buffer, b"\n") {
            Some(at) => {
                self.buffer.drain(..=at);
                self.skipping = false;
            }
            None => {
                self.buffer.clear();
                self.skipping = !self.is_as_cpython(Deliberate::LongLineIsSkipped);
            }
        }
    }

    fn failure_seen(&self, view: View) -> Option<Kind> {
        self.failure.clone().filter(|_| view.failure)
    }

    fn hides_data(&self) -> bool {
        self.is_as_cpython(Deliberate::DataBeforeFailure)
    }

    fn is_as_cpython(&self, difference: Deliberate) -> bool {
        self.as_cpython.contains(difference)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
