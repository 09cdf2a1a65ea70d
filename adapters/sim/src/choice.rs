//! Where random choices come from: a seed or several, a fuzzer's bytes, or a world that failed.

use std::fmt::Write as _;

use crate::{
    branch::{Branch, Following},
    tape::{Playing, Recorder, Subject, Tape},
};

/// Where choices come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// SplitMix64: the same numbers on every machine.
    Seed(u64),
    /// A world that is explored.
    Branch(Branch),
    /// What a fuzzer gives. When it is used up, the simplest choice is taken.
    Bytes(Vec<u8>),
    /// A world that was made small.
    Tape(Tape),
}

impl Source {
    /// As an environment variable has it.
    pub(crate) fn variable(&self) -> String {
        match self {
            Self::Seed(seed) => seed.to_string(),
            Self::Branch(branch) => branch.text(),
            Self::Bytes(bytes) => format!("{BYTES}{}", hex(bytes)),
            Self::Tape(tape) if *tape == Tape::default() => CALM.to_owned(),
            Self::Tape(tape) => format!("{CALM}+{}", tape.text()),
        }
    }

    pub(crate) fn parse(variable: &str) -> Option<Self> {
        if let Some(tape) = variable.strip_prefix(CALM) {
            let tape = match tape.strip_prefix('+') {
                Some(numbers) => Tape::parse(numbers)?,
                None => tape.is_empty().then(Tape::default)?,
            };
            return Some(Self::Tape(tape));
        }
        let Some(digits) = variable.strip_prefix(BYTES) else {
            let seed = variable.parse().ok().map(Self::Seed);
            return seed.or_else(|| Branch::parse(variable).map(Self::Branch));
        };
        let digits: Option<Vec<_>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
        let pairs = digits.filter(|digits| digits.len() % 2 == 0)?;
        let byte = |pair: &[u32]| u8::try_from(pair[0] << 4 | pair[1]).ok();
        pairs
            .chunks(2)
            .map(byte)
            .collect::<Option<_>>()
            .map(Self::Bytes)
    }

    /// As a program has it.
    pub(crate) fn constructor(&self) -> String {
        match self {
            Self::Seed(seed) => format!("Sim::new({seed})"),
            Self::Bytes(bytes) => format!("Sim::from_bytes({bytes:?})"),
            Self::Tape(tape) if *tape == Tape::default() => "Sim::from_bytes([])".to_owned(),
            Self::Branch(_) | Self::Tape(_) => self.variable(), // only a check has one
        }
    }
}

/// The prefix of bytes in hexadecimal digits.
const BYTES: &str = "bytes:";

/// What a world is called in which every choice is the calm one, and the prefix of those that are not.
const CALM: &str = "calm";

/// In lower-case hexadecimal digits.
pub(crate) fn hex(data: &[u8]) -> String {
    data.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a string does not fail
        hex
    })
}

#[derive(Debug)]
pub(crate) struct Choices {
    drawing: Drawing,
    /// What [`fill`](Self::fill) goes on from. Its numbers decide nothing, and so use up none that do.
    #[cfg(feature = "__tls")]
    noise: u64,
}

#[derive(Debug)]
enum Drawing {
    /// The state of SplitMix64.
    Seed(u64),
    Branch(Following),
    /// And how many of them are used up.
    Bytes(Vec<u8>, usize),
    Tape(Playing),
    /// By another one.
    Recorded(Box<Self>, Recorder),
}

impl Choices {
    pub(crate) fn new(source: Source, recorder: Option<Recorder>) -> Self {
        #[cfg(feature = "__tls")]
        let noise = match &source {
            Source::Seed(seed) => !seed,
            Source::Branch(branch) => !branch.seed(),
            Source::Bytes(_) | Source::Tape(_) => 0,
        };
        let drawing = match source {
            Source::Seed(seed) => Drawing::Seed(seed),
            Source::Branch(branch) => Drawing::Branch(Following::new(branch)),
            Source::Bytes(bytes) => Drawing::Bytes(bytes, 0),
            Source::Tape(tape) => Drawing::Tape(Playing::new(tape)),
        };
        Self {
            drawing: match recorder {
                Some(recorder) => Drawing::Recorded(Box::new(drawing), recorder),
                None => drawing,
            },
            #[cfg(feature = "__tls")]
            noise,
        }
    }

    /// Less than `n`; 0 is the simplest.
    pub(crate) fn below(&mut self, subject: Subject, n: u64) -> u64 {
        if n <= 1 {
            return 0; // no choice
        }
        if let Drawing::Seed(state) = &mut self.drawing {
            return scale(split_mix(state), n); // nearly always, so it is to be inlined
        }
        self.drawing.below(subject, n)
    }

    pub(crate) fn index(&mut self, subject: Subject, len: usize) -> usize {
        usize::try_from(self.below(subject, len as u64)).unwrap_or(0)
    }

    /// True once in `n` times; never if that is 0.
    pub(crate) fn one_in(&mut self, subject: Subject, n: u32) -> bool {
        n > 0 && self.below(subject, n.into()) == u64::from(n) - 1
    }

    /// Bytes that look random.
    #[cfg(feature = "__tls")]
    pub(crate) fn fill(&mut self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            let number = split_mix(&mut self.noise).to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }

    /// At least 1 and at most `max`, which is the simplest; 0 if that is 0.
    pub(crate) fn up_to(&mut self, subject: Subject, max: usize) -> usize {
        max - self.index(subject, max)
    }
}

impl Drawing {
    fn below(&mut self, subject: Subject, n: u64) -> u64 {
        match self {
            Self::Seed(state) => scale(split_mix(state), n),
            Self::Branch(following) => scale(split_mix(following.next()), n),
            Self::Bytes(bytes, used) => {
                let wanted = usize::try_from((n - 1).ilog2() / 8 + 1).unwrap_or(8);
                let from = (*used).min(bytes.len());
                let to = (from + wanted).min(bytes.len());
                *used = to;
                let number = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
                bytes[from..to].iter().fold(0, number) % n
            }
            Self::Tape(playing) => playing.below(n),
            Self::Recorded(drawing, recorder) => {
                let number = drawing.below(subject, n);
                recorder.add(subject, number);
                number
            }
        }
    }
}

pub(crate) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number of 64 bits as one below `n`.
fn scale(number: u64, n: u64) -> u64 {
    ((u128::from(number) * u128::from(n)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Subject = Subject::Program;

    #[test]
    fn a_source_is_printed_as_it_is_parsed() {
        for source in [
            Source::Seed(0),
            Source::Seed(u64::MAX),
            Source::Branch(Branch::new(5).turn(7, 9)),
            Source::Bytes(Vec::new()),
            Source::Bytes(vec![0, 1, 254, 255]),
            Source::Tape(Tape::default()),
            Source::Tape(Tape::parse("3:1,5:9").unwrap()),
        ] {
            let text = source.variable();
            let again = Source::parse(&text).map(|source| source.variable());
            assert_eq!(again, Some(text));
        }
        for text in [
            "", "-1", "x", "1,", "bytes:x", "bytes:0", "bytes:+1", "bytes:é", "calm+", "calm1:1",
        ] {
            assert!(Source::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_seed_gives_the_numbers_of_splitmix64() {
        // From the reference implementation.
        let mut state = 1_234_567;
        let numbers: Vec<_> = (0..3).map(|_| split_mix(&mut state)).collect();
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn a_branch_without_turns_is_its_seed() {
        let [mut one, mut other] = [Source::Seed(7), Source::Branch(Branch::new(7))]
            .map(|source| Choices::new(source, None));
        for n in 1..1000 {
            assert_eq!(one.below(ANY, n), other.below(ANY, n));
        }
    }

    #[test]
    fn choices_stay_in_their_range_and_reach_all_of_it() {
        let mut choices = Choices::new(Source::Seed(1), None);
        let mut seen = [0; 7];
        for _ in 0..1000 {
            seen[choices.index(ANY, 7)] += 1;
            assert!((1..=3).contains(&choices.up_to(ANY, 3)));
        }
        assert!(seen.iter().all(|times| *times > 100), "{seen:?}");
        assert!(!(0..1000).any(|_| choices.one_in(ANY, 0)));
        assert!((0..10).all(|_| choices.one_in(ANY, 1)));
    }

    #[test]
    fn bytes_that_are_used_up_leave_the_simplest_choice() {
        let mut choices = Choices::new(Source::Bytes(vec![5, 1, 0]), None);
        assert_eq!(choices.below(ANY, 256), 5);
        assert_eq!(choices.below(ANY, 1), 0);
        assert_eq!(choices.below(ANY, 300), 256);
        assert_eq!(choices.below(ANY, 9), 0);
        assert!(!choices.one_in(ANY, 2));
        assert_eq!(choices.up_to(ANY, 9), 9);
    }
}
