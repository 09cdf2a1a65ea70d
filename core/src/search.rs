//! Separator search that remembers how far it got.

use memchr::memmem::Finder;

use crate::{
    automaton::{Automaton, State, Step},
    separator::{Matcher, MatcherRef, Separator},
};

/// Below this many new bytes the automaton is as fast as setting the finder up.
const BULK: usize = 32;

/// Where a separator stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Match {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The memory of a search, kept beside the buffer and not in the read that asked, so that a read
/// that is dropped and asked again goes on where it was.
///
/// However the input is cut, at most two bytes are looked at for each one that arrives.
#[derive(Debug)]
pub(crate) struct Search {
    /// What `progress` speaks of.
    separator: Separator,
    progress: Progress,
    /// Bytes looked at, ever.
    #[cfg(test)]
    pub(crate) examined: usize,
}

/// A search that begins behind the front, with a memory of its own.
#[derive(Debug)]
pub(crate) struct SearchBehind {
    search: Search,
    /// Where it begins.
    offset: usize,
}

#[derive(Clone, Copy, Debug)]
enum Progress {
    /// No match ends within the first `upto` bytes; `state` is the automaton's after them.
    Scanned { upto: usize, state: State },
    /// The first match.
    Found(Match),
}

const START: Progress = Progress::Scanned {
    upto: 0,
    state: State::ROOT,
};

impl Search {
    pub(crate) fn new() -> Self {
        Self {
            separator: Separator::NEWLINE,
            progress: START,
            #[cfg(test)]
            examined: 0,
        }
    }

    /// The first match within `data`, which begins with the bytes it began with last time unless
    /// [`removed`](Self::removed) said otherwise.
    #[inline]
    pub(crate) fn find(&mut self, data: &[u8], separator: &Separator) -> Option<Match> {
        if self.separator != *separator {
            self.start_afresh(separator);
        }
        let (upto, state) = match self.progress {
            Progress::Scanned { upto, state } => (upto, state),
            // A shorter window than last time may leave the match out.
            Progress::Found(found) => return (found.end <= data.len()).then_some(found),
        };
        if upto >= data.len() {
            return None;
        }
        let step = match separator.matcher() {
            MatcherRef::Byte(byte) => single(memchr::memchr(byte, &data[upto..]), upto),
            MatcherRef::Pattern(matcher) => find_pattern(matcher, data, upto, state),
        };
        #[cfg(test)]
        {
            self.examined += examined(separator, data, upto, &step);
        }
        match step {
            Step::Match { end, len } => {
                let found = Match {
                    start: end - len,
                    end,
                };
                self.progress = Progress::Found(found);
                Some(found)
            }
            Step::More(state) => {
                self.progress = Progress::Scanned {
                    upto: data.len(),
                    state,
                };
                None
            }
        }
    }

    #[cold]
    fn start_afresh(&mut self, separator: &Separator) {
        self.separator = separator.clone();
        self.progress = START;
    }

    /// `n` bytes were removed from the front. What is known of the rest stays known, unless a
    /// match may have begun in what is gone.
    #[inline]
    pub(crate) fn removed(&mut self, n: usize) {
        self.progress = match self.progress {
            unchanged if n == 0 => unchanged,
            Progress::Scanned { upto, state } if upto >= n + self.separator.longest() => {
                Progress::Scanned {
                    upto: upto - n,
                    state,
                }
            }
            Progress::Found(Match { start, end }) if start >= n => Progress::Found(Match {
                start: start - n,
                end: end - n,
            }),
            Progress::Scanned { .. } | Progress::Found(_) => START,
        };
    }
}

impl SearchBehind {
    /// The first match within `data`, which begins `offset` bytes behind the front.
    pub(crate) fn find(
        &mut self,
        offset: usize,
        data: &[u8],
        separator: &Separator,
    ) -> Option<Match> {
        match offset.checked_sub(self.offset) {
            // What lies before it is as good as removed.
            Some(passed) => self.search.removed(passed),
            None => self.search.progress = START,
        }
        self.offset = offset;
        self.search.find(data, separator)
    }

    /// `n` bytes were removed from the front.
    pub(crate) fn removed(&mut self, n: usize) {
        self.search.removed(n.saturating_sub(self.offset));
        self.offset = self.offset.saturating_sub(n);
    }
}

impl Default for SearchBehind {
    fn default() -> Self {
        Self {
            search: Search::new(),
            offset: 0,
        }
    }
}

#[inline(never)]
fn find_pattern(matcher: &Matcher, data: &[u8], upto: usize, state: State) -> Step {
    match matcher {
        Matcher::Bytes(set) => single(set.find(&data[upto..]), upto),
        Matcher::Pair([first, last]) => find_pair(*first, *last, data, upto),
        Matcher::Needle(finder, automaton) => {
            if is_bulk(&data[upto..], finder) {
                find_in_bulk(finder, automaton, data, upto)
            } else {
                automaton.scan(data, upto, state)
            }
        }
        Matcher::Set(automaton) => automaton.scan(data, upto, state),
    }
}

/// Whether so much that is new is worth the finder, which looks at up to twice the needle again.
fn is_bulk(new: &[u8], finder: &Finder<'_>) -> bool {
    new.len() >= BULK.max(2 * finder.needle().len())
}

fn find_in_bulk(finder: &Finder<'_>, automaton: &Automaton, data: &[u8], upto: usize) -> Step {
    let len = finder.needle().len();
    // A match may have begun in the last bytes that were scanned.
    let from = upto.saturating_sub(len - 1);
    match finder.find(&data[from..]) {
        Some(at) => Step::Match {
            end: from + at + len,
            len,
        },
        None => catch_up(automaton, data, len),
    }
}

fn single(found: Option<usize>, upto: usize) -> Step {
    match found {
        Some(at) => Step::Match {
            end: upto + at + 1,
            len: 1,
        },
        None => Step::More(State::ROOT),
    }
}

fn find_pair(first: u8, last: u8, data: &[u8], upto: usize) -> Step {
    // The first byte of the data cannot be the second of a pair.
    let mut at = upto.max(1);
    while at < data.len() {
        match memchr::memchr(last, &data[at..]) {
            None => break,
            Some(skipped) => at += skipped,
        }
        if data[at - 1] == first {
            return Step::Match {
                end: at + 1,
                len: 2,
            };
        }
        at += 1;
    }
    Step::More(State::ROOT)
}

/// The state after `data`, which holds no match: it depends on the last `len - 1` bytes alone.
fn catch_up(automaton: &Automaton, data: &[u8], len: usize) -> Step {
    automaton.scan(data, data.len().saturating_sub(len - 1), State::ROOT)
}

/// How many bytes a step from `upto` on has looked at, counted from above.
#[cfg(test)]
fn examined(separator: &Separator, data: &[u8], upto: usize, step: &Step) -> usize {
    let end = match step {
        Step::Match { end, .. } => *end,
        Step::More(_) => data.len(),
    };
    let new = end - upto;
    match separator.matcher() {
        MatcherRef::Byte(_) | MatcherRef::Pattern(Matcher::Bytes(_) | Matcher::Set(_)) => new,
        // Each byte as the second of a pair, and the one before it if it is.
        MatcherRef::Pattern(Matcher::Pair([_, last])) => {
            new + data[upto..end].iter().filter(|byte| *byte == last).count()
        }
        MatcherRef::Pattern(Matcher::Needle(finder, _)) => {
            if !is_bulk(&data[upto..], finder) {
                return new;
            }
            let len = finder.needle().len();
            let again = upto.min(len - 1);
            let caught_up = match step {
                Step::Match { .. } => 0,
                Step::More(_) => (len - 1).min(data.len()),
            };
            again + new + caught_up
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    /// Earliest end, then shortest: the rule said plainly.
    fn naive(data: &[u8], needles: &[Vec<u8>]) -> Option<Match> {
        (1..=data.len()).find_map(|end| {
            needles
                .iter()
                .filter(|needle| data[..end].ends_with(needle))
                .min_by_key(|needle| needle.len())
                .map(|needle| Match {
                    start: end - needle.len(),
                    end,
                })
        })
    }

    /// Feeds `data` in pieces that end at `cuts`, asks after each, and removes each match.
    fn all_matches(data: &[u8], cuts: &[usize], separator: &Separator) -> Vec<(usize, usize)> {
        let mut search = Search::new();
        let mut front = 0;
        let mut found = Vec::new();
        for &cut in cuts {
            while let Some(Match { start, end }) = search.find(&data[front..cut], separator) {
                found.push((front + start, front + end));
                search.removed(end);
                front += end;
            }
        }
        found
    }

    fn naive_matches(data: &[u8], needles: &[Vec<u8>]) -> Vec<(usize, usize)> {
        let mut front = 0;
        let mut found = Vec::new();
        while let Some(Match { start, end }) = naive(&data[front..], needles) {
            found.push((front + start, front + end));
            front += end;
        }
        found
    }

    fn over_ab(len: core::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![b'a', b'b', b'c']), len)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// A small alphabet makes needles that repeat, overlap and contain each other.
        #[test]
        fn finds_what_the_plain_rule_finds(
            data in over_ab(0..=120),
            needles in prop::collection::vec(over_ab(1..=5), 1..6),
            cuts in prop::collection::vec(0_usize..=120, 0..40),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(data.len())).collect();
            cuts.push(data.len());
            cuts.sort_unstable();
            let separator = Separator::any(&needles);
            prop_assert_eq!(
                all_matches(&data, &cuts, &separator),
                naive_matches(&data, &needles)
            );
        }

        /// Removing any number of bytes at any time keeps the search exact.
        #[test]
        fn removing_bytes_keeps_what_is_known_true(
            data in over_ab(1..=100),
            needles in prop::collection::vec(over_ab(1..=4), 1..4),
            steps in prop::collection::vec((0_usize..20, 0_usize..8), 1..40),
        ) {
            let separator = Separator::any(&needles);
            let mut search = Search::new();
            let (mut front, mut back) = (0, 0);
            for (arrive, remove) in steps {
                back = (back + arrive).min(data.len());
                let found = search.find(&data[front..back], &separator);
                prop_assert_eq!(found, naive(&data[front..back], &needles));
                let remove = remove.min(back - front);
                search.removed(remove);
                front += remove;
            }
        }
    }

    /// Every text of so many letters.
    fn texts_of_ab(len: u32) -> impl Iterator<Item = Vec<u8>> {
        (0..1_u32 << len).map(move |bits| (0..len).map(|i| b'a' + (bits >> i & 1) as u8).collect())
    }

    #[test]
    fn every_pair_of_short_needles_is_found_in_every_short_text() {
        let needles: Vec<Vec<u8>> = (1..=5).flat_map(texts_of_ab).collect();
        for (i, one) in needles.iter().enumerate() {
            for other in &needles[i..] {
                let needles = [one.clone(), other.clone()];
                let separator = Separator::any(&needles);
                for text in texts_of_ab(7) {
                    let found = Search::new().find(&text, &separator);
                    assert_eq!(found, naive(&text, &needles), "{separator:?} in {text:?}");
                }
            }
        }
    }

    /// The worst text for each kind of search: it nearly matches all the time.
    #[test]
    fn looks_at_no_byte_more_than_twice_however_the_input_is_cut_and_asked_again() {
        const TOTAL: usize = 20_000;
        let mut needles = vec![vec![b"\n".to_vec()], vec![b"\r\n".to_vec()]];
        for len in [3, 10, 64, 1000, 4096] {
            let mut needle = vec![b'a'; len - 1];
            needle.push(b'b');
            needles.push(vec![needle]);
        }
        needles.push(vec![b"aab".to_vec(), b"aaaaaaac".to_vec(), b"x".to_vec()]);
        needles.push(vec![b"aaaa".to_vec(), b"b".to_vec()]);
        for needles in needles {
            let separator = Separator::any(&needles);
            for filler in [b'a', b'\n', b'\r'] {
                if needles
                    .iter()
                    .any(|needle| needle.iter().all(|b| *b == filler))
                {
                    continue;
                }
                for piece in [1, 2, 7, 31, 32, 33, 64, 127, 128, 1448, 9000] {
                    let data = vec![filler; TOTAL];
                    let mut search = Search::new();
                    let mut arrived = 0;
                    while arrived < TOTAL {
                        arrived = (arrived + piece).min(TOTAL);
                        for _ in 0..3 {
                            assert!(search.find(&data[..arrived], &separator).is_none());
                        }
                    }
                    assert!(
                        (TOTAL..=2 * TOTAL).contains(&search.examined),
                        "{separator:?} in pieces of {piece}: {} of {TOTAL}",
                        search.examined
                    );
                }
            }
        }
    }

    /// A match that is far away, one that has not come, and one of which only the beginning has.
    #[test]
    fn what_was_looked_at_is_not_looked_at_again_when_bytes_before_it_are_removed() {
        const TOTAL: usize = 3000;
        for needle in ["\n", "\r\n", "aaaab", "abcdefghijklmnopqrstuvwxyz"] {
            let separator = Separator::new(needle);
            let mut data = vec![b'a'; TOTAL];
            data.extend_from_slice(needle.as_bytes());
            for arrived in [data.len(), data.len() - 1, TOTAL] {
                for removed in [0, 1, 7, 100] {
                    let mut search = Search::new();
                    let mut front = 0;
                    for _ in 0..(TOTAL - 500) / 100 {
                        let found = search.find(&data[front..arrived], &separator);
                        assert_eq!(found.is_some(), arrived == data.len());
                        search.removed(removed);
                        front += removed;
                    }
                    assert!(
                        search.examined <= 2 * data.len(),
                        "{separator:?}, {removed} at a time: {}",
                        search.examined
                    );
                }
            }
        }
    }

    /// While it comes, the front is taken piece by piece, or the search moves on.
    #[test]
    fn a_search_behind_the_front_looks_at_no_byte_more_than_twice() {
        const TOTAL: usize = 3000;
        for needle in ["\n", "\r\n", "aaaab", "abcdefghijklmnopqrstuvwxyz"] {
            let separator = Separator::new(needle);
            let data = vec![b'a'; TOTAL];
            for (removed, passed) in [(0, 0), (1, 0), (0, 1), (1, 2)] {
                let mut search = SearchBehind::default();
                let (mut front, mut start) = (0, 500);
                for arrived in (start..TOTAL).step_by(7) {
                    let found = search.find(start - front, &data[start..arrived], &separator);
                    assert!(found.is_none());
                    search.removed(removed);
                    front += removed;
                    start += passed;
                }
                let examined = search.search.examined;
                assert!(
                    (TOTAL - 520..=2 * TOTAL).contains(&examined),
                    "{separator:?}, {removed}, {passed}: {examined}"
                );
            }
        }
    }

    #[test]
    fn a_beginning_is_looked_at_once_though_nothing_is_removed_again_and_again() {
        let separator = Separator::new("abcdefgh");
        let mut search = Search::new();
        for _ in 0..100 {
            assert!(search.find(b"abcdef", &separator).is_none());
            search.removed(0);
        }
        assert_eq!(search.examined, 6);
    }

    #[test]
    fn a_separator_built_again_goes_on_where_its_twin_was() {
        let data = vec![b'a'; 1000];
        let mut search = Search::new();
        for arrived in 0..data.len() {
            assert!(
                search
                    .find(&data[..arrived], &Separator::new("ab"))
                    .is_none()
            );
        }
        assert!(search.examined <= 2 * data.len());
    }

    #[test]
    fn another_separator_starts_afresh() {
        let mut search = Search::new();
        assert!(search.find(b"a;b", &Separator::byte(b',')).is_none());
        let found = search.find(b"a;b", &Separator::byte(b';'));
        assert_eq!(found, Some(Match { start: 1, end: 2 }));
    }
}
