//! How an input comes to a parser.

use alloc::{vec, vec::Vec};

/// Up to so many bytes, every cut in two is tried.
const EVERY_PLACE: usize = 1024;

/// Above, as many as make up so many bytes of input,
const MOST_INPUT: usize = 1 << 20;

/// and at least so many.
const FEWEST_PLACES: usize = 16;

/// Up to so many bytes, every cut in three is tried, and every cut before an end.
const SHORT: usize = 64;

/// What follows the last byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    Open,
    Eof,
    Failed,
}

/// Whether an input that is not short is cut, or only ended at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Thorough {
    IfShort,
    Yes,
}

/// The beginning of an input, in pieces. The parser is asked behind each.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    /// Where each piece ends, in order; the last is where the input ends.
    ///
    /// Invariant: there is one.
    cuts: Vec<usize>,
    pub(super) end: End,
    /// Whether the end comes with the last piece, before the parser is asked.
    pub(super) at_once: bool,
}

pub(super) struct Piece<'a> {
    pub(super) data: &'a [u8],
    pub(super) is_asked_behind: bool,
}

impl Delivery {
    pub(super) fn whole(len: usize, end: End) -> Self {
        Self {
            cuts: vec![len],
            end,
            at_once: false,
        }
    }

    /// The same bytes in several pieces, or with the end at once.
    pub(super) fn others(&self, thorough: Thorough) -> impl Iterator<Item = Self> {
        let (len, end) = (self.len(), self.end);
        let is_cut = thorough == Thorough::Yes || len <= SHORT;
        let two = is_cut.then(|| places(len)).into_iter().flatten();
        let three = (len <= SHORT && end == End::Open).then(|| pairs(len));
        let bytes = (is_cut && len > 2).then(|| (1..=len).collect());
        let cuts = two
            .filter(move |place| (1..len).contains(place))
            .map(move |place| vec![place, len])
            .chain(three.into_iter().flatten())
            .chain(bytes);
        let at_once = (end != End::Open).then(|| Self {
            at_once: true,
            ..self.clone()
        });
        at_once.into_iter().chain(cuts.map(move |cuts| Self {
            cuts,
            end,
            at_once: false,
        }))
    }

    fn len(&self) -> usize {
        self.cuts.iter().copied().max().unwrap_or_default()
    }

    pub(super) fn pieces<'a>(&'a self, input: &'a [u8]) -> impl Iterator<Item = Piece<'a>> {
        let last = self.cuts.len() - 1;
        let starts = [0].into_iter().chain(self.cuts.iter().copied());
        let ends = self.cuts.iter().copied();
        starts
            .zip(ends)
            .enumerate()
            .map(move |(i, (start, end))| Piece {
                data: &input[start..end],
                is_asked_behind: i < last || !self.at_once,
            })
    }
}

/// Where an input of so many bytes is cut or ended, in order: everywhere; or if it is long, everywhere at its
/// beginning, which is a quarter of the places, and evenly spread behind it.
pub(super) fn places(len: usize) -> Vec<usize> {
    if len <= EVERY_PLACE {
        return (0..=len).collect();
    }
    let count = (MOST_INPUT / len).clamp(FEWEST_PLACES, EVERY_PLACE);
    let beginning = count / 4;
    let spread = count - beginning;
    let step =
        |i: usize| beginning + ((len - beginning) as u64 * i as u64 / spread as u64) as usize;
    (0..=beginning).chain((1..=spread).map(step)).collect()
}

fn pairs(len: usize) -> impl Iterator<Item = Vec<usize>> {
    (1..len).flat_map(move |one| (one + 1..len).map(move |two| vec![one, two, len]))
}
