//! The answers do not depend on how the input was cut: tried with every cut there is.
//!
//! An input of n bytes can be cut in 2^(n-1) ways, at each gap or not. Each of them has to give the
//! conversation that the plain model has with the whole input before it.

mod support;

use millpond_core::{Reader, TransportError};
use support::{Answer, Ask, End, Model, poll};

const UNCAPPED: usize = usize::MAX;

const ENDS: [End; 2] = [End::Eof, End::Failed];

/// How the application behaves while it waits.
#[derive(Clone, Copy, Debug)]
enum Patience {
    /// It asks once after every piece.
    Once,
    /// It asks, drops the request, and asks again.
    Again,
    /// It drops the request and asks something else before it comes back to it.
    Distracted,
}

/// How the pieces get into the reader.
#[derive(Clone, Copy, Debug)]
enum Door {
    Feed,
    Spare,
}

type Manner = (Patience, Door);

const MANNERS: [Manner; 6] = [
    (Patience::Once, Door::Feed),
    (Patience::Again, Door::Spare),
    (Patience::Once, Door::Spare),
    (Patience::Again, Door::Feed),
    (Patience::Distracted, Door::Feed),
    (Patience::Distracted, Door::Spare),
];

/// The two that reach most, for inputs with many cuts.
const FEW_MANNERS: [Manner; 2] = [MANNERS[0], MANNERS[1]];

/// An application that asks one thing after the other, round and round, and takes what it finds
/// (only looks at it if it peeks). It gives up when a whole round has changed nothing.
#[derive(Debug)]
struct Conversation<'a> {
    input: &'a [u8],
    end: End,
    limit: usize,
    cap: usize,
    asks: &'a [Ask],
    distractions: [Ask; 3],
    answers: Vec<Answer>,
    /// What no request can get at: bytes before a failure, or above the cap.
    left: Vec<u8>,
}

impl<'a> Conversation<'a> {
    /// What the model says, which sees the whole input at once.
    fn new(input: &'a [u8], end: End, limit: usize, cap: usize, asks: &'a [Ask]) -> Self {
        let mut model = Model::new(limit, cap);
        model.feed(input);
        model.end = end;
        let mut answers = Vec::new();
        let mut unchanged = 0;
        while unchanged < asks.len() {
            let ask = &asks[answers.len() % asks.len()];
            let before = model.data.len();
            let answer = model.ask(ask).expect("the model has everything");
            model.data.drain(..taken(ask, &answer));
            unchanged = if model.data.len() < before {
                0
            } else {
                unchanged + 1
            };
            answers.push(answer);
        }
        Self {
            input,
            end,
            limit,
            cap,
            asks,
            distractions: [
                Ask::until(&["\r\n", "ab"]),
                Ask::Exactly(usize::MAX),
                Ask::UpTo(2),
            ],
            answers,
            left: model.data,
        }
    }

    /// Has the same conversation with a reader that gets the input in pieces that end at `cuts`.
    fn replay(&self, cuts: &[usize], manner: Manner) {
        let (patience, door) = manner;
        let mut reader = Reader::with_limit(self.limit).with_cap(self.cap);
        let mut pieces = Pieces {
            input: self.input,
            cuts,
            at: 0,
        };
        for (turn, expected) in self.answers.iter().enumerate() {
            let ask = &self.asks[turn % self.asks.len()];
            let answer = loop {
                match self.put(&mut reader, ask, patience) {
                    Some(answer) => break answer,
                    None => self.deliver(&mut reader, pieces.next(), door),
                }
            };
            assert_eq!(
                answer, *expected,
                "answer {turn}, pieces that end at {cuts:?}, {manner:?}, {self:?}"
            );
            remove(&mut reader, taken(ask, &answer), turn);
        }
        while reader.is_open() {
            self.deliver(&mut reader, pieces.next(), door);
        }
        assert_eq!(reader.buffered(), self.left, "{cuts:?}, {self:?}");
    }

    fn put(&self, reader: &mut Reader, ask: &Ask, patience: Patience) -> Option<Answer> {
        let answer = poll(reader, ask.request());
        if !can_be_asked_again(ask, answer.as_ref()) {
            return answer;
        }
        match patience {
            Patience::Once => return answer,
            Patience::Again => {}
            Patience::Distracted => self.distract(reader),
        }
        let again = poll(reader, ask.request());
        assert_eq!(again, answer, "{ask:?} was asked again in {self:?}");
        answer
    }

    /// Asks what removes nothing while the stream is open, last of all what else is to be asked.
    fn distract(&self, reader: &mut Reader) {
        for ask in self.distractions.iter().chain(self.asks) {
            if reader.is_open() && !matches!(ask, Ask::Line) {
                poll(reader, ask.request());
            }
        }
    }

    /// What the transport does each time that it is asked.
    fn deliver(&self, reader: &mut Reader, piece: Option<&[u8]>, door: Door) {
        assert!(reader.is_open(), "more is wanted after the end: {self:?}");
        match (piece, door, self.end) {
            (Some(piece), Door::Feed, _) => reader.feed(piece),
            (Some(piece), Door::Spare, _) => {
                let spare = reader.spare();
                spare[..piece.len()].copy_from_slice(piece);
                // What is left there of an earlier read is no data.
                spare[piece.len()..][..8].copy_from_slice(b"\nab\r\n\naa");
                reader.commit(piece.len());
            }
            (None, _, End::Eof) => reader.feed_eof(),
            (None, _, End::Failed) => reader.fail(TransportError::new("reset")),
            (None, _, End::Open) => unreachable!("every conversation comes to an end"),
        }
    }
}

struct Pieces<'a> {
    input: &'a [u8],
    cuts: &'a [usize],
    at: usize,
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
        (_, Answer::Found(bytes)) => bytes.len(),
        (Ask::Until(_), Answer::Overrun { consumed }) => *consumed,
        _ => 0,
    }
}

/// The three ways of removing bytes, in turn.
fn remove(reader: &mut Reader, n: usize, turn: usize) {
    if n == 0 {
        return;
    }
    match turn % 3 {
        0 => reader.consume(n),
        1 => {
            let front = reader.buffered()[..n].to_vec();
            assert_eq!(reader.take(n), front);
        }
        _ => {
            let front = reader.buffered()[..n].to_vec();
            assert_eq!(reader.lend(n), front);
        }
    }
}

/// Calls `try_cut` with the ends of the pieces, for each of the 2^(len-1) ways of cutting.
fn for_every_cut(len: usize, mut try_cut: impl FnMut(&[usize])) {
    let mut cuts = Vec::new();
    let mut tried = 0;
    for mask in 0_u32..1 << (len - 1) {
        cuts.clear();
        cuts.extend((1..len).filter(|gap| mask >> (gap - 1) & 1 == 1));
        cuts.push(len);
        try_cut(&cuts);
        tried += 1;
    }
    assert_eq!(tried, 1 << (len - 1));
}

/// Both ends of one input, every cut, some manners.
fn try_every_cut(input: &[u8], limit: usize, cap: usize, asks: &[Ask], manners: &[Manner]) {
    let conversations = ENDS.map(|end| Conversation::new(input, end, limit, cap, asks));
    for_every_cut(input.len(), |cuts| {
        for conversation in &conversations {
            for manner in manners {
                conversation.replay(cuts, *manner);
            }
        }
    });
}

/// Every input here has 17 bytes, so 65536 cuts.
fn try_long(input: &[u8; 17], limit: usize, asks: &[Ask]) {
    try_every_cut(input, limit, UNCAPPED, asks, &FEW_MANNERS);
}

/// Lines of exactly the limit, one byte more and two bytes more; the last one has no line feed.
const AROUND_THE_LIMIT: &[u8; 17] = b"abc\nabcd\nabcde\nab";
const CARRIAGE_RETURNS: &[u8; 17] = b"ab\r\r\ncd\r\n\r\r\r\nefg\r";
const REPEATING: &[u8; 17] = b"aaabaabaaabaaabab";
const EMPTY_LINES: &[u8; 17] = b"\n\none\ntwo\n\nlonger";
const NO_NEWLINE: &[u8; 17] = b"no newline at all";
const MANY_ENDS: &[u8; 17] = b"aab\nabab\r\nb\r\naaab";

#[test]
fn lines_around_the_limit() {
    try_long(AROUND_THE_LIMIT, 3, &[Ask::Line]);
}

#[test]
fn lines_that_are_nearly_all_too_long() {
    try_long(EMPTY_LINES, 1, &[Ask::Line]);
}

#[test]
fn one_byte_as_separator_around_the_limit() {
    try_long(AROUND_THE_LIMIT, 3, &[Ask::until(&["\n"])]);
}

#[test]
fn two_bytes_as_separator_whose_first_one_repeats() {
    try_long(CARRIAGE_RETURNS, 2, &[Ask::until(&["\r\n"])]);
}

#[test]
fn a_separator_that_nearly_matches_all_the_time() {
    try_long(REPEATING, 5, &[Ask::until(&["aaab"])]);
}

#[test]
fn a_separator_longer_than_the_limit() {
    try_long(REPEATING, 1, &[Ask::until(&["abaaa"])]);
}

#[test]
fn a_set_whose_members_overlap_and_contain_each_other() {
    try_long(MANY_ENDS, 3, &[Ask::until(&["\r\n", "aab", "\n", "bab"])]);
}

#[test]
fn a_set_of_which_one_member_ends_within_another() {
    try_long(REPEATING, 2, &[Ask::until(&["baab", "aaa"])]);
}

#[test]
fn an_exact_number_of_bytes() {
    try_long(NO_NEWLINE, 2, &[Ask::Exactly(5)]);
}

#[test]
fn looking_ahead_before_taking() {
    try_long(NO_NEWLINE, 1, &[Ask::Peek(5), Ask::Exactly(3)]);
}

#[test]
fn everything_up_to_the_end() {
    try_long(NO_NEWLINE, 1, &[Ask::ToEof]);
}

#[test]
fn different_requests_in_turn() {
    let asks = [
        Ask::until(&["ab"]),
        Ask::Line,
        Ask::Exactly(2),
        Ask::Peek(4),
        Ask::until(&["\r\n", "\n"]),
    ];
    try_long(MANY_ENDS, 2, &asks);
}

#[test]
fn other_requests_after_a_line_that_was_too_long() {
    let asks = [
        Ask::Line,
        Ask::Peek(2),
        Ask::until(&["c"]),
        Ask::Exactly(1),
        Ask::ToEof,
    ];
    try_long(AROUND_THE_LIMIT, 2, &asks);
}

/// One of each kind of request and of separator, alone and in company.
fn conversations() -> Vec<Vec<Ask>> {
    let newline = || Ask::until(&["\n"]);
    let crlf = || Ask::until(&["\r\n"]);
    vec![
        vec![Ask::Exactly(0)],
        vec![Ask::Exactly(1)],
        vec![Ask::Exactly(4)],
        vec![Ask::Exactly(20)],
        vec![Ask::Line],
        vec![Ask::Peek(0), Ask::Peek(3), Ask::Exactly(2)],
        vec![Ask::ToEof],
        vec![newline()],
        vec![crlf()],
        vec![Ask::until(&["aab"])],
        vec![Ask::until(&["abab", "b\n"])],
        vec![Ask::until(&["a", "\r\n", "\n"])],
        vec![Ask::until(&["\n", "b"])],
        vec![Ask::Line, crlf()],
        vec![Ask::Line, Ask::Exactly(3), Ask::Peek(2)],
        vec![Ask::Exactly(1), Ask::until(&["aab"])],
        vec![Ask::Exactly(1), crlf()],
        vec![Ask::Exactly(2), Ask::until(&["bab", "aa"])],
        vec![Ask::until(&["aab"]), newline(), Ask::Line, Ask::ToEof],
    ]
}

#[test]
fn every_request_with_every_limit_in_every_manner() {
    let inputs: [&[u8; 7]; 6] = [
        b"aab\naab",
        b"\r\r\n\n\r\na",
        b"ababab\n",
        b"\nabcd\n\n",
        b"aaaaaaa",
        b"b\r\ncdef",
    ];
    for asks in conversations() {
        for input in inputs {
            for limit in [1, 2, 3, 5, usize::MAX] {
                try_every_cut(input, limit, UNCAPPED, &asks, &MANNERS);
            }
        }
    }
}

/// Calls `try_input` with each string of `len` bytes of the alphabet.
fn for_every_input<const N: usize>(
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

#[test]
fn every_input_of_two_letters() {
    let conversations = [
        [Ask::until(&["ab"])],
        [Ask::until(&["aab"])],
        [Ask::until(&["abab"])],
        [Ask::until(&["bab", "aa"])],
    ];
    for_every_input(*b"ab", 7, |input| {
        for asks in &conversations {
            for limit in [1, 2] {
                try_every_cut(input, limit, UNCAPPED, asks, &FEW_MANNERS);
            }
        }
    });
}

#[test]
fn every_input_of_line_ends() {
    let conversations = [
        vec![Ask::Line],
        vec![Ask::until(&["\r\n"])],
        vec![Ask::until(&["\r\n", "\n"])],
        vec![Ask::until(&["\r\n\r\n"])],
        vec![Ask::Line, Ask::Exactly(1)],
    ];
    for_every_input(*b"a\r\n", 5, |input| {
        for asks in &conversations {
            for limit in [1, 2, 3] {
                try_every_cut(input, limit, UNCAPPED, asks, &FEW_MANNERS);
            }
        }
    });
}

#[test]
fn everything_up_to_the_end_within_the_cap_or_above_it() {
    for cap in 0..=9 {
        try_every_cut(b"12345678", 2, cap, &[Ask::ToEof], &MANNERS);
        let asks = [Ask::ToEof, Ask::Line, Ask::until(&["6"])];
        try_every_cut(b"12\n45678", 2, cap, &asks, &MANNERS);
    }
}

#[test]
fn an_exact_number_within_the_cap_or_above_it() {
    for cap in 0..=6 {
        for asks in [
            [Ask::Exactly(3), Ask::Line],
            [Ask::Peek(3), Ask::Exactly(1)],
        ] {
            try_every_cut(b"1234\n678", 9, cap, &asks, &MANNERS);
        }
    }
}

/// Long enough for the search to go in bulk: every pair of cuts, and pieces of every size.
#[test]
fn every_pair_of_cuts_in_a_long_input() {
    let mut input = b"aaab".repeat(8);
    input.extend_from_slice(b"aaaab\r\n");
    // So much that the search is in bulk behind a cut through the separators, too.
    input.extend_from_slice(&b"ba".repeat(24));
    let asks = [
        Ask::until(&["aaaab"]),
        Ask::until(&["\r\n"]),
        Ask::until(&["aaabb", "b\r\nba"]),
        Ask::until(&["bab"]),
    ];
    for ask in asks {
        for limit in [20, 31, 32, 33, 100] {
            for end in ENDS {
                let asks = std::slice::from_ref(&ask);
                let conversation = Conversation::new(&input, end, limit, UNCAPPED, asks);
                try_pairs_and_sizes(&conversation);
            }
        }
    }
}

fn try_pairs_and_sizes(conversation: &Conversation<'_>) {
    let len = conversation.input.len();
    for first in 1..len {
        for second in first + 1..len {
            conversation.replay(&[first, second, len], FEW_MANNERS[second % 2]);
        }
        let mut cuts: Vec<usize> = (first..len).step_by(first).collect();
        cuts.push(len);
        for manner in MANNERS {
            conversation.replay(&cuts, manner);
        }
    }
}
