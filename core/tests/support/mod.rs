//! The rules of reading, as plain as possible: one `Vec` of bytes, no memory of any search,
//! everything looked at again for each request.

use millpond_core::{ReadError, Reader, Request, Separator, Status};

/// A request that can be kept and shown, and that knows its separator as plain bytes.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Exactly(usize),
    Line,
    Peek(usize),
    ToEof,
    Until(Needles),
    UpTo(usize),
}

/// A separator, and what it was built from.
#[derive(Clone, Debug)]
pub(crate) struct Needles {
    plain: Vec<Vec<u8>>,
    separator: Separator,
}

impl Ask {
    pub(crate) fn until<N: AsRef<[u8]>>(needles: &[N]) -> Self {
        Self::Until(Needles {
            plain: needles.iter().map(|n| n.as_ref().to_vec()).collect(),
            separator: Separator::any(needles),
        })
    }

    pub(crate) fn request(&self) -> Request<'_> {
        match self {
            Self::Exactly(n) => Request::Exactly(*n),
            Self::Line => Request::Line,
            Self::Peek(n) => Request::Peek(*n),
            Self::ToEof => Request::ToEof,
            Self::Until(needles) => Request::Until(&needles.separator),
            Self::UpTo(n) => Request::UpTo(*n),
        }
    }
}

/// How the stream stands behind the last byte that is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Open,
    Eof,
    Failed,
}

/// What a request gives. As in the reader, what is found is so many bytes at the front.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    CapExceeded {
        cap: usize,
    },
    Failed,
    Found(usize),
    Incomplete {
        partial: Vec<u8>,
        expected: Option<usize>,
    },
    Overrun {
        consumed: usize,
    },
}

/// The reader as a reference: `data` is what has arrived and not been taken.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) data: Vec<u8>,
    pub(crate) end: End,
    pub(crate) limit: usize,
    pub(crate) cap: usize,
    /// The rest of a line that was too long is still to come.
    pub(crate) skipping: bool,
}

impl Model {
    pub(crate) fn new(limit: usize, cap: usize) -> Self {
        Self {
            data: Vec::new(),
            end: End::Open,
            limit,
            cap,
            skipping: false,
        }
    }

    pub(crate) fn feed(&mut self, data: &[u8]) {
        self.data.extend_from_slice(data);
        if self.skipping {
            self.skip_line();
        }
    }

    /// The answer, or `None` if it takes more data.
    pub(crate) fn ask(&mut self, ask: &Ask) -> Option<Answer> {
        match ask {
            Ask::Exactly(n) => self.exactly(*n),
            Ask::Line => self.line(),
            Ask::Peek(n) => self.peek(*n),
            Ask::ToEof => self.to_eof(),
            Ask::Until(needles) => self.until(&needles.plain),
            Ask::UpTo(n) => self.up_to(*n),
        }
    }

    /// The answer behind the first `offset` bytes, which have to be there first.
    pub(crate) fn ask_at(&self, offset: usize, ask: &Ask) -> Option<Answer> {
        let buffered = match ask {
            Ask::Exactly(n) | Ask::Peek(n) => offset.saturating_add(*n),
            Ask::ToEof => offset.max(self.data.len()),
            Ask::Line | Ask::Until(_) | Ask::UpTo(_) => offset,
        };
        if buffered > self.cap {
            return Some(Answer::CapExceeded { cap: self.cap });
        }
        let mut behind = self.clone();
        if offset > behind.data.len() {
            return behind.exactly(offset);
        }
        behind.data.drain(..offset);
        behind.cap = usize::MAX;
        behind.ask(ask)
    }

    fn exactly(&mut self, n: usize) -> Option<Answer> {
        if n > self.cap {
            return Some(Answer::CapExceeded { cap: self.cap });
        }
        if self.data.len() >= n {
            return Some(self.found(n));
        }
        self.incomplete(Some(n))
    }

    fn line(&mut self) -> Option<Answer> {
        let before = self.data.iter().position(|byte| *byte == b'\n');
        if before.unwrap_or(self.data.len()) > self.limit {
            self.skip_line();
            return Some(self.overrun());
        }
        match before {
            Some(before) => Some(self.found(before + 1)),
            None => self.rest(),
        }
    }

    fn peek(&self, n: usize) -> Option<Answer> {
        if n > self.cap {
            return Some(Answer::CapExceeded { cap: self.cap });
        }
        let enough = self.data.len() >= n;
        let all_there_is = self.end != End::Open && !self.data.is_empty();
        if enough || all_there_is {
            return Some(self.found(n));
        }
        self.rest()
    }

    fn to_eof(&self) -> Option<Answer> {
        if self.data.len() > self.cap {
            return Some(Answer::CapExceeded { cap: self.cap });
        }
        self.rest()
    }

    fn until(&mut self, needles: &[Vec<u8>]) -> Option<Answer> {
        let longest = needles.iter().map(Vec::len).max();
        let undecided = self.limit.saturating_add(longest.unwrap_or_default());
        match first_match(&self.data, needles) {
            Some((start, end)) if start <= self.limit => Some(self.found(end)),
            Some(_) => Some(self.overrun()),
            None if self.data.len() >= undecided => Some(self.overrun()),
            None => self.incomplete(None),
        }
    }

    fn up_to(&self, n: usize) -> Option<Answer> {
        if n == 0 || !self.data.is_empty() {
            return Some(self.found(n));
        }
        self.rest()
    }

    /// At most `n` bytes.
    fn found(&self, n: usize) -> Answer {
        Answer::Found(n.min(self.data.len()))
    }

    fn overrun(&self) -> Answer {
        Answer::Overrun {
            consumed: self.limit + 1,
        }
    }

    /// Whatever is left, if it is sure that this is all.
    fn rest(&self) -> Option<Answer> {
        match self.end {
            End::Open => None,
            End::Eof => Some(self.found(self.data.len())),
            End::Failed => Some(Answer::Failed),
        }
    }

    fn incomplete(&mut self, expected: Option<usize>) -> Option<Answer> {
        match self.end {
            End::Open => None,
            End::Eof => Some(Answer::Incomplete {
                partial: std::mem::take(&mut self.data),
                expected,
            }),
            End::Failed => Some(Answer::Failed),
        }
    }

    fn skip_line(&mut self) {
        let newline = self.data.iter().position(|byte| *byte == b'\n');
        self.skipping = newline.is_none();
        self.data
            .drain(..newline.map_or(self.data.len(), |at| at + 1));
    }
}

/// Start and end of the match that ends first; of two that end together, the shorter one.
fn first_match(data: &[u8], needles: &[Vec<u8>]) -> Option<(usize, usize)> {
    (1..=data.len()).find_map(|end| {
        let ending_here = needles.iter().filter(|n| data[..end].ends_with(n));
        ending_here.map(Vec::len).min().map(|len| (end - len, end))
    })
}

/// Puts one request to the reader; `None` if it needs more data.
pub(crate) fn poll(reader: &mut Reader, request: Request<'_>) -> Option<Answer> {
    let polled = reader.poll(request);
    answer(reader, polled)
}

/// What the reader has answered.
pub(crate) fn answer(reader: &Reader, polled: Result<Status<usize>, ReadError>) -> Option<Answer> {
    match polled {
        Ok(Status::NeedData) => None,
        Ok(Status::Ready(n)) => Some(Answer::Found(n)),
        Err(ReadError::CapExceeded { cap }) => Some(Answer::CapExceeded { cap }),
        Err(ReadError::Incomplete { partial, expected }) => Some(Answer::Incomplete {
            partial: partial.to_vec(),
            expected,
        }),
        Err(ReadError::LimitOverrun { consumed }) => Some(Answer::Overrun { consumed }),
        Err(error) => {
            assert!(matches!(&error, ReadError::Transport(e) if Some(e) == reader.error()));
            Some(Answer::Failed)
        }
    }
}
