//! Separator search that remembers how far it got.

use crate::{
    automaton::{Automaton, State},
    separator::{Matcher, MatcherRef, Separator},
};

/// Where a separator stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Match {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The memory of a search, kept beside the buffer and not in the read that asked, so that a read
/// that is dropped and asked again goes on where it was. It knows the two separators that were
/// asked for last.
///
/// However the input is cut, at most two looks are taken at each byte that arrives: one for the last byte
/// of a separator, and one for what is before it. A look at what is before the last byte of a short separator
/// is a comparison of at most 13 bytes, with each of the at most 8 of a set.
#[derive(Debug)]
pub(crate) struct Search {
    /// How many bytes were removed, ever. Places are counted from the beginning of the stream, so what is
    /// known of them stays true whatever is removed.
    front: u64,
    /// No line feed stands before it.
    line: u64,
    /// The last one first. Invariant: they are not the same.
    recent: [Recent; 2],
    /// Looks at a byte, ever.
    #[cfg(test)]
    pub(crate) examined: usize,
    /// Comparisons of separators that were built apart, ever.
    #[cfg(test)]
    compared: usize,
}

/// A search that begins behind the front, with a memory of its own.
#[derive(Debug)]
pub(crate) struct SearchBehind {
    search: Search,
    /// Where it begins.
    offset: usize,
}

#[derive(Debug)]
struct Recent {
    separator: Separator,
    progress: Progress,
}

/// What is known of a separator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// No match ends within the bytes before it.
    upto: u64,
    /// Up to where the automaton has read, if there is one.
    read: u64,
    /// That of the automaton there.
    state: State,
}

const START: Progress = Progress {
    upto: 0,
    read: 0,
    state: State::ROOT,
};

impl Search {
    pub(crate) fn new() -> Self {
        // Two that are not the same.
        let recent = [Separator::NEWLINE, Separator::byte(0)].map(|separator| Recent {
            separator,
            progress: START,
        });
        Self {
            front: 0,
            line: 0,
            recent,
            #[cfg(test)]
            examined: 0,
            #[cfg(test)]
            compared: 0,
        }
    }

    /// Where the first line feed stands in `data`, as [`find`](Self::find) would, with a memory of its own:
    /// lines are what is mostly read.
    #[inline]
    pub(crate) fn find_line_feed(&mut self, data: &[u8]) -> Option<usize> {
        let upto = behind(self.front, self.line);
        let found = memchr::memchr(b'\n', data.get(upto..)?).map(|at| upto + at);
        #[cfg(test)]
        {
            self.examined += found.map_or(data.len(), |at| at + 1) - upto;
        }
        // If it is asked for again, it is found again.
        self.line = self.front + found.unwrap_or(data.len()) as u64;
        found
    }

    /// The first match within `data`, which begins with the bytes it began with last time unless
    /// [`removed`](Self::removed) reported otherwise.
    #[inline]
    pub(crate) fn find(&mut self, data: &[u8], separator: &Separator) -> Option<Match> {
        if !self.recent[0].separator.is_same(separator) {
            self.bring_to_front(separator);
        }
        let progress = &mut self.recent[0].progress;
        let upto = behind(self.front, progress.upto);
        // A shorter window than last time may leave a match out.
        if upto >= data.len() {
            return None;
        }
        #[cfg(test)]
        let before = *progress;
        let found = match separator.matcher() {
            MatcherRef::Byte(byte) => {
                let found = memchr::memchr(byte, &data[upto..]);
                found.map(|at| match_of(1, upto + at + 1))
            }
            MatcherRef::Short(short) => {
                let found = short.find(data, upto);
                found.map(|end| match_of(short.len(), end))
            }
            MatcherRef::Pattern(matcher) => progress.find_pattern(matcher, data, self.front, upto),
        };
        // If it is asked for again, it is found again.
        let upto = found.map_or(data.len(), |found| found.end - 1);
        progress.upto = self.front + upto as u64;
        #[cfg(test)]
        {
            self.examined += examined(separator, data, self.front, before, found, progress);
        }
        found
    }

    /// Makes it the last one that was asked for.
    #[inline(never)]
    fn bring_to_front(&mut self, separator: &Separator) {
        self.recent.swap(0, 1);
        if self.recent[0].separator.is_same(separator) {
            return;
        }
        #[cfg(test)]
        {
            self.compared += 1;
        }
        // Where an equal one was that was built apart.
        let equal = self.recent.iter().find(|it| it.separator == *separator);
        self.recent[0] = Recent {
            progress: equal.map_or(START, |it| it.progress),
            separator: separator.clone(),
        };
    }

    /// `n` bytes were removed from the front.
    #[inline]
    pub(crate) fn removed(&mut self, n: usize) {
        self.front += n as u64;
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
            None => self.search = Search::new(),
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

/// How many bytes behind the front a place is; what is before the front is gone.
#[inline]
fn behind(front: u64, place: u64) -> usize {
    place.saturating_sub(front) as usize
}

#[inline]
fn match_of(len: usize, end: usize) -> Match {
    Match {
        start: end - len,
        end,
    }
}

impl Progress {
    #[inline(never)]
    fn find_pattern(
        &mut self,
        matcher: &Matcher,
        data: &[u8],
        front: u64,
        upto: usize,
    ) -> Option<Match> {
        match matcher {
            Matcher::Bytes(set) => {
                let found = set.find(&data[upto..]);
                found.map(|at| match_of(1, upto + at + 1))
            }
            Matcher::Few(few) => few.find(data, upto).map(|it| match_of(it.len(), it.end)),
            Matcher::Long(tail, automaton) => {
                let mut ends = upto;
                loop {
                    // A needle ends where its last bytes do. Each byte before is read once.
                    ends = tail.find(data, ends)?;
                    let from = ends.saturating_sub(automaton.longest());
                    if let Some(found) = self.read_on(automaton, &data[..ends], front, from) {
                        return Some(found);
                    }
                }
            }
            Matcher::Set(automaton) => self.read_on(automaton, data, front, 0),
        }
    }

    /// Lets the automaton read what it has not, but nothing before `from`, where no match begins.
    fn read_on(
        &mut self,
        automaton: &Automaton,
        data: &[u8],
        front: u64,
        from: usize,
    ) -> Option<Match> {
        let mut read = behind(front, self.read);
        self.state = automaton.shortened(self.state, read);
        if read < from {
            read = from;
            self.state = State::ROOT;
        }
        let len = automaton.scan(data, &mut read, &mut self.state);
        self.read = front + read as u64;
        len.map(|len| match_of(len, read + 1))
    }
}

/// How many looks were taken, counted from above.
#[cfg(test)]
fn examined(
    separator: &Separator,
    data: &[u8],
    front: u64,
    before: Progress,
    found: Option<Match>,
    after: &Progress,
) -> usize {
    let upto = behind(front, before.upto);
    let new = &data[upto..found.map_or(data.len(), |found| found.end)];
    let read = behind(before.read.max(front), after.read);
    match separator.matcher() {
        MatcherRef::Byte(_) | MatcherRef::Pattern(Matcher::Bytes(_)) => new.len(),
        // Each as the last one, and what is before it if it is.
        MatcherRef::Short(short) => {
            let last = short.as_slice().last();
            new.len() + new.iter().filter(|byte| last == Some(byte)).count()
        }
        MatcherRef::Pattern(Matcher::Few(few)) => {
            new.len() + new.iter().filter(|byte| few.is_last(**byte)).count()
        }
        MatcherRef::Pattern(Matcher::Long(..)) => new.len() + read,
        MatcherRef::Pattern(Matcher::Set(_)) => read + usize::from(found.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use alloc::{boxed::Box, format, string::String, vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    /// Earliest end, then shortest: the rule in plain words.
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

    /// Parts of a text, some with another last byte: they match or nearly do.
    fn parts(
        text: &[u8],
        parts: &[(usize, usize, bool)],
        len: core::ops::RangeInclusive<usize>,
    ) -> Vec<Vec<u8>> {
        let part = |(start, more, changed): &(usize, usize, bool)| {
            let len = (len.start() + more % (len.end() - len.start() + 1)).min(text.len());
            let start = start % (text.len() - len + 1);
            let mut part = text[start..start + len].to_vec();
            if *changed {
                part[len - 1] = b'd';
            }
            part
        };
        parts.iter().map(part).collect()
    }

    /// Each line feed, while data comes in pieces and something is removed.
    fn lines(
        data: &[u8],
        steps: &[(usize, usize)],
        mut find: impl FnMut(&[u8], usize) -> Option<usize>,
    ) -> Vec<Option<usize>> {
        let (mut front, mut back) = (0, 0);
        let mut found = Vec::new();
        for (arrive, remove) in steps {
            back = (back + arrive).min(data.len());
            let remove = *remove.min(&(back - front));
            found.push(find(&data[front..back], remove));
            front += remove;
        }
        found
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

        #[test]
        fn line_feeds_are_found_as_any_separator(
            data in prop::collection::vec(prop::sample::select(vec![b'a', b'\n']), 0..=100),
            steps in prop::collection::vec((0_usize..20, 0_usize..8), 1..40),
        ) {
            let (mut one, mut other) = (Search::new(), Search::new());
            let found = lines(&data, &steps, |data, remove| {
                let found = one.find_line_feed(data);
                one.removed(remove);
                found
            });
            let expected = lines(&data, &steps, |data, remove| {
                let found = other.find(data, &Separator::NEWLINE);
                other.removed(remove);
                found.map(|found| found.start)
            });
            prop_assert_eq!(found, expected);
            prop_assert_eq!(one.examined, other.examined);
        }

        /// With needles for each way of searching: one that is long, and sets of long and short ones.
        #[test]
        fn finds_parts_of_what_comes(
            data in over_ab(50..=150),
            needles in prop::collection::vec((0_usize..100, 0_usize..100, prop::bool::ANY), 1..12),
            (shortest, longest) in prop::sample::select(vec![(1, 14), (2, 20), (15, 40)]),
            cuts in prop::collection::vec(0_usize..=150, 0..40),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(data.len())).collect();
            cuts.push(data.len());
            cuts.sort_unstable();
            let all = parts(&data, &needles, shortest..=longest);
            for needles in [&all[..1], &all] {
                let separator = Separator::any(needles);
                prop_assert_eq!(
                    all_matches(&data, &cuts, &separator),
                    naive_matches(&data, needles),
                    "{:?}", separator
                );
            }
        }

        /// Whatever is taken in between.
        #[test]
        fn finds_parts_of_what_comes_behind_what_is_removed(
            data in over_ab(50..=150),
            needles in prop::collection::vec((0_usize..100, 0_usize..100, prop::bool::ANY), 1..12),
            (shortest, longest) in prop::sample::select(vec![(1, 14), (2, 20), (15, 40)]),
            steps in prop::collection::vec((0_usize..20, 0_usize..8), 1..40),
        ) {
            let all = parts(&data, &needles, shortest..=longest);
            for needles in [&all[..1], &all] {
                let separator = Separator::any(needles);
                let mut search = Search::new();
                let (mut front, mut back) = (0, 0);
                for (arrive, remove) in &steps {
                    back = (back + arrive).min(data.len());
                    let found = search.find(&data[front..back], &separator);
                    prop_assert_eq!(found, naive(&data[front..back], needles), "{:?}", separator);
                    let remove = *remove.min(&(back - front));
                    search.removed(remove);
                    front += remove;
                }
            }
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

    /// What is meant for larger sets.
    struct ByAutomaton(Automaton);

    impl ByAutomaton {
        fn new(needles: &[Vec<u8>]) -> Self {
            let needles: Vec<Box<[u8]>> = needles.iter().map(|it| it[..].into()).collect();
            Self(Automaton::new(&needles))
        }

        fn read(&self, text: &[u8]) -> Option<Match> {
            let (mut at, mut state) = (0, State::ROOT);
            let len = self.0.scan(text, &mut at, &mut state);
            len.map(|len| match_of(len, at + 1))
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
                let automaton = ByAutomaton::new(&needles);
                for text in texts_of_ab(7) {
                    let found = Search::new().find(&text, &separator);
                    assert_eq!(found, naive(&text, &needles), "{separator:?} in {text:?}");
                    let read = automaton.read(&text);
                    assert_eq!(read, found, "{separator:?} in {text:?}");
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
        needles.push(vec![
            b"aab".to_vec(),
            b"bc".to_vec(),
            b"bd".to_vec(),
            b"be".to_vec(),
        ]);
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
                    // What was found is looked at again when it is asked for again.
                    assert!(
                        search.examined <= 2 * (data.len() + 25),
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
    fn two_separators_in_turn_look_at_nothing_again() {
        const TOTAL: usize = 3000;
        let needles = ["\n", "\r\n", "aaaab", "abcdefghijklmnopqrstuvwxyz"];
        let data = vec![b'a'; TOTAL];
        for one in needles.map(Separator::new) {
            for other in [Separator::byte(b'x'), Separator::any(needles)] {
                let mut search = Search::new();
                for arrived in (0..TOTAL).step_by(7) {
                    for separator in [&one, &other] {
                        assert!(search.find(&data[..arrived], separator).is_none());
                    }
                }
                assert!(
                    search.examined <= 4 * TOTAL,
                    "{one:?} and {other:?}: {}",
                    search.examined
                );
            }
        }
    }

    #[test]
    fn a_twin_is_compared_once_and_not_at_each_poll() {
        let words: Vec<String> = (0..1000).map(|n| format!("word {n}\n")).collect();
        let twins = [Separator::any(&words), Separator::any(&words)];
        let data = vec![b'a'; 1000];
        let mut search = Search::new();
        for arrived in 0..data.len() {
            for twin in &twins {
                assert!(search.find(&data[..arrived], twin).is_none());
            }
        }
        assert_eq!(search.compared, 2);
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
        for needles in [&["ab"][..], &["ab", "cd"], &["abcdefghijklmnopqrstuvwxyz"]] {
            let mut search = Search::new();
            for arrived in 0..data.len() {
                let twin = Separator::any(needles);
                assert!(search.find(&data[..arrived], &twin).is_none());
            }
            assert!(search.examined <= 2 * data.len());
        }
    }

    #[test]
    fn another_separator_starts_afresh() {
        let mut search = Search::new();
        assert!(search.find(b"a;b", &Separator::byte(b',')).is_none());
        let found = search.find(b"a;b", &Separator::byte(b';'));
        assert_eq!(found, Some(Match { start: 1, end: 2 }));
    }
}
