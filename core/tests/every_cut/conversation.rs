//! An application that puts its requests to a reader, and the answers that it has to get.

use std::sync::LazyLock;

use millpond_core::{Reader, TransportError};

use crate::support::{Answer, Ask, End, Model, poll};

/// How the application behaves while it waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Retry {
    /// It asks once after every piece.
    Once,
    /// It asks, drops the request, and asks again.
    Again,
    /// It drops the request and asks something else before it comes back to it.
    Distracted,
}

/// How the pieces get into the reader.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door {
    Feed,
    Spare,
}

pub(crate) type Manner = (Retry, Door);

pub(crate) const MANNERS: [Manner; 6] = [
    (Retry::Once, Door::Feed),
    (Retry::Again, Door::Spare),
    (Retry::Once, Door::Spare),
    (Retry::Again, Door::Feed),
    (Retry::Distracted, Door::Feed),
    (Retry::Distracted, Door::Spare),
];

/// The two that reach most, for inputs with many cuts.
pub(crate) const FEW_MANNERS: [Manner; 2] = [MANNERS[0], MANNERS[1]];

static DISTRACTIONS: LazyLock<[Ask; 3]> = LazyLock::new(|| {
    [
        Ask::until(&["\r\n", "ab"]),
        Ask::Exactly(usize::MAX),
        Ask::UpTo(2),
    ]
});

/// An application that asks one thing after the other, round and round, and takes what it finds
/// (only looks at it if it peeks). It gives up when a whole round has changed nothing, or when
/// nothing more comes; when everything has come, it asks a last time.
#[derive(Debug)]
pub(crate) struct Conversation<'a> {
    pub(crate) input: &'a [u8],
    end: End,
    limit: usize,
    cap: usize,
    asks: &'a [Ask],
    turns: Vec<Turn>,
    last: Last,
}

/// A request and what has to come of it.
#[derive(Debug)]
struct Turn {
    answer: Answer,
    /// How much has to have come for it, and not more.
    from: Progress,
    /// How many bytes of the input were taken, handed over or skipped before.
    gone: usize,
}

/// The request that is asked when everything has come.
#[derive(Debug)]
struct Last {
    /// `None` if it waits for ever.
    answer: Option<Answer>,
    /// As of a turn: what else there is, no request could get at.
    gone: usize,
}

/// How far the input has come.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Progress {
    Bytes(usize),
    Ended,
}

impl<'a> Conversation<'a> {
    /// What the model says if it gets the bytes one by one, which is as early as can be. It is right
    /// for every cut, unless something is asked whose answer depends on it.
    pub(crate) fn new(
        input: &'a [u8],
        end: End,
        limit: usize,
        cap: usize,
        asks: &'a [Ask],
    ) -> Self {
        let every_byte: Vec<usize> = (1..=input.len()).collect();
        Self::with_cuts(input, &every_byte, end, limit, cap, asks)
    }

    /// What the model says if it gets the input in pieces that end at `cuts`.
    pub(crate) fn with_cuts(
        input: &'a [u8],
        cuts: &[usize],
        end: End,
        limit: usize,
        cap: usize,
        asks: &'a [Ask],
    ) -> Self {
        let mut model = Model::new(limit, cap);
        let mut pieces = Pieces::new(input, cuts);
        let mut turns = Vec::new();
        let mut unchanged = 0;
        while unchanged < asks.len() {
            let ask = &asks[turns.len() % asks.len()];
            let gone = gone(&model, input, pieces.at);
            let before = model.data.len();
            let Some(answer) = model.ask(ask) else {
                match pieces.next() {
                    Some(piece) => model.feed(piece),
                    None if end == End::Open => break,
                    None => model.end = end,
                }
                continue;
            };
            model.data.drain(..taken(ask, &answer));
            unchanged = if model.data.len() < before {
                0
            } else {
                unchanged + 1
            };
            let from = match model.end {
                End::Open => Progress::Bytes(pieces.at),
                End::Eof | End::Failed => Progress::Ended,
            };
            turns.push(Turn { answer, from, gone });
        }
        for piece in pieces.by_ref() {
            model.feed(piece);
        }
        model.end = end;
        let gone = gone(&model, input, pieces.at);
        let answer = model.ask(&asks[turns.len() % asks.len()]);
        Self {
            input,
            end,
            limit,
            cap,
            asks,
            turns,
            last: Last { answer, gone },
        }
    }

    /// Has the same conversation with a reader that gets the input in pieces that end at `cuts`.
    pub(crate) fn replay(&self, cuts: &[usize], manner: Manner) {
        let mut replay = Replay {
            conversation: self,
            reader: Reader::with_limit(self.limit).with_cap(self.cap),
            pieces: Pieces::new(self.input, cuts),
            came: Progress::Bytes(0),
            paused: false,
            manner,
            turn: 0,
        };
        for turn in &self.turns {
            while replay.came < turn.from {
                replay.ask(None, turn.gone);
                replay.deliver();
            }
            let ask = replay.ask(Some(&turn.answer), turn.gone);
            replay.remove(turn.gone, taken(ask, &turn.answer));
            replay.turn += 1;
        }
        let last = &self.last;
        while replay.is_more_to_come() {
            match last.answer {
                Some(_) => replay.assert_state(last.gone),
                None => drop(replay.ask(None, last.gone)),
            }
            replay.deliver();
        }
        replay.ask(last.answer.as_ref(), last.gone);
    }
}

/// A reader in the middle of a conversation.
struct Replay<'a> {
    conversation: &'a Conversation<'a>,
    reader: Reader,
    pieces: Pieces<'a>,
    came: Progress,
    /// By the definition: above twice the limit, until the limit or until a task waits.
    paused: bool,
    manner: Manner,
    turn: usize,
}

impl<'a> Replay<'a> {
    /// Asks what it is the turn of, of which `expected` has to come. `gone` is where the buffer begins.
    #[track_caller]
    fn ask(&mut self, expected: Option<&Answer>, gone: usize) -> &'a Ask {
        let Conversation { asks, .. } = self.conversation;
        let ask = &asks[self.turn % asks.len()];
        self.assert_state(gone);
        self.put(ask, expected);
        if can_be_asked_again(ask, expected) {
            match self.manner.0 {
                Retry::Once => return ask,
                Retry::Again => {}
                Retry::Distracted => self.distract(),
            }
            self.assert_state(gone);
            self.put(ask, expected);
        }
        ask
    }

    #[track_caller]
    fn put(&mut self, ask: &Ask, expected: Option<&Answer>) {
        let answer = poll(&mut self.reader, ask.request());
        assert!(
            answer.as_ref() == expected,
            "{ask:?} gave {answer:?} instead of {expected:?}, {self:?}"
        );
        if answer.is_none() {
            self.paused = false;
        } else {
            self.removed();
        }
    }

    /// Asks what removes nothing while the stream is open, last of all what else is to be asked.
    fn distract(&mut self) {
        for ask in DISTRACTIONS.iter().chain(self.conversation.asks) {
            if self.reader.is_open()
                && !matches!(ask, Ask::Line)
                && poll(&mut self.reader, ask.request()).is_none()
            {
                self.paused = false;
            }
        }
    }

    fn is_more_to_come(&self) -> bool {
        match self.conversation.end {
            End::Open => !self.pieces.cuts.is_empty(),
            End::Eof | End::Failed => self.came != Progress::Ended,
        }
    }

    /// What the transport does each time that it is asked.
    fn deliver(&mut self) {
        let reader = &mut self.reader;
        let Some(piece) = self.pieces.next() else {
            match self.conversation.end {
                End::Open => unreachable!("more is waited for than is to come: {self:?}"),
                End::Eof => reader.feed_eof(),
                End::Failed => reader.fail(TransportError::new("reset")),
            }
            self.came = Progress::Ended;
            return;
        };
        match self.manner.1 {
            Door::Feed => reader.feed(piece),
            Door::Spare => {
                let spare = reader.spare();
                spare[..piece.len()].copy_from_slice(piece);
                // What is left there of an earlier read is no data.
                spare[piece.len()..][..8].copy_from_slice(b"\nab\r\n\naa");
                reader.commit(piece.len());
            }
        }
        self.came = Progress::Bytes(self.pieces.at);
        if reader.buffered().len() > self.conversation.limit.saturating_mul(2) {
            self.paused = true;
        }
    }

    /// Removes what is at `input[gone..][..n]`, in each of the three ways in turn.
    fn remove(&mut self, gone: usize, n: usize) {
        if n == 0 {
            return;
        }
        let reader = &mut self.reader;
        let front = &self.pieces.input[gone..gone + n];
        match self.turn % 3 {
            0 => reader.consume(n),
            1 => assert_eq!(reader.take(n), front),
            _ => assert_eq!(reader.lend(n), front),
        }
        self.removed();
    }

    fn removed(&mut self) {
        if self.reader.buffered().len() <= self.conversation.limit {
            self.paused = false;
        }
    }

    /// What can be seen of a reader without asking it anything. `gone` is where the buffer begins.
    #[track_caller]
    fn assert_state(&self, gone: usize) {
        let Self { reader, pieces, .. } = self;
        let buffered = &pieces.input[gone.min(pieces.at)..pieces.at];
        let end = match self.came {
            Progress::Bytes(_) => End::Open,
            Progress::Ended => self.conversation.end,
        };
        let at_eof = end == End::Eof && buffered.is_empty();
        // Byte by byte: loads across what was just stored in pieces would take most of the time.
        let same = reader.buffered().iter().eq(buffered);
        assert!(same, "{:?} is buffered in {self:?}", reader.buffered());
        assert_eq!(reader.is_open(), end == End::Open, "{self:?}");
        assert_eq!(reader.at_eof(), at_eof, "the end of {self:?}");
        assert_eq!(reader.error().is_some(), end == End::Failed, "{self:?}");
        let wants_read = end == End::Open && !self.paused;
        assert_eq!(reader.wants_read(), wants_read, "back-pressure of {self:?}");
    }
}

impl std::fmt::Debug for Replay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay")
            .field("came", &self.came)
            .field("later cuts", &self.pieces.cuts)
            .field("manner", &self.manner)
            .field("turn", &self.turn)
            .field("reader", &self.reader)
            .field("conversation", &self.conversation)
            .finish()
    }
}

/// The input as it comes.
struct Pieces<'a> {
    input: &'a [u8],
    cuts: &'a [usize],
    at: usize,
}

impl<'a> Pieces<'a> {
    fn new(input: &'a [u8], cuts: &'a [usize]) -> Self {
        Self { input, cuts, at: 0 }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let (&cut, later) = self.cuts.split_first()?;
        let piece = &self.input[self.at..cut];
        self.cuts = later;
        self.at = cut;
        Some(piece)
    }
}

/// How many bytes are gone or will be, when so many have come.
fn gone(model: &Model, input: &[u8], came: usize) -> usize {
    if !model.skipping {
        return came - model.data.len();
    }
    let newline = input[came..].iter().position(|byte| *byte == b'\n');
    newline.map_or(input.len(), |at| came + at + 1)
}

/// Whether the request has removed nothing, so that it has to give the same once more.
fn can_be_asked_again(ask: &Ask, answer: Option<&Answer>) -> bool {
    match (ask, answer) {
        (_, Some(Answer::Incomplete { .. })) => false,
        (ask, Some(Answer::Overrun { .. })) => !matches!(ask, Ask::Line),
        _ => true,
    }
}

/// How many bytes the application removes after an answer.
fn taken(ask: &Ask, answer: &Answer) -> usize {
    match (ask, answer) {
        (Ask::Peek(_), _) => 0,
        (_, Answer::Found(n)) => *n,
        (Ask::Until(_), Answer::Overrun { consumed }) => *consumed,
        _ => 0,
    }
}

/// Calls `try_cut` with the ends of the pieces, for each of the 2^(len-1) ways of cutting.
pub(crate) fn for_every_cut(len: usize, mut try_cut: impl FnMut(&[usize])) {
    let gaps = len.saturating_sub(1);
    let mut cuts = Vec::new();
    for mask in 0_u32..1 << gaps {
        cuts.clear();
        cuts.extend((1..=gaps).filter(|gap| mask >> (gap - 1) & 1 == 1));
        cuts.extend((len > 0).then_some(len));
        try_cut(&cuts);
    }
}

/// Calls `try_input` with each string of `len` bytes of the alphabet.
pub(crate) fn for_every_input<const N: usize>(
    alphabet: [u8; N],
    len: usize,
    mut try_input: impl FnMut(&[u8]),
) {
    let mut input = vec![alphabet[0]; len];
    for number in 0..N.pow(len.try_into().expect("inputs are short")) {
        let mut rest = number;
        for byte in &mut input {
            *byte = alphabet[rest % N];
            rest /= N;
        }
        try_input(&input);
    }
}
