//! Where millpond answers otherwise than CPython, on purpose.

use std::fmt;

/// A deliberate difference between millpond and CPython's asyncio.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Deliberate {
    /// What `consumed` says.
    Consumed,
    /// Whether data that came before a failure can be read.
    DataBeforeFailure,
    /// Whether a waiting request learns of a failure that comes right behind data.
    FailureBehindData,
    /// Which end of a stream counts.
    FirstEndCounts,
    /// What becomes of an over-long line whose line feed has not arrived.
    LongLineIsSkipped,
    /// Where a waiting read to EOF keeps what has arrived.
    ToEofKeeps,
}

/// The table: each difference, what millpond does, and why.
const TABLE: [(Deliberate, &str, &str); 6] = [
    (
        Deliberate::Consumed,
        "`consumed` of an overrun is always the limit and one byte",
        "CPython's number depends on how the input was cut; this one never begins a separator, either",
    ),
    (
        Deliberate::DataBeforeFailure,
        "what arrived before a failure can be read, and needs nothing more to be answered",
        "CPython makes it unreachable, so whether a last message is seen depends on scheduling",
    ),
    (
        Deliberate::FailureBehindData,
        "a waiting request sees a failure that comes right behind data",
        "in CPython it was woken for the data, does not look again, and waits for ever",
    ),
    (
        Deliberate::FirstEndCounts,
        "the first end of a stream is the only one",
        "CPython lets a later failure replace an end that was already reported",
    ),
    (
        Deliberate::LongLineIsSkipped,
        "an over-long line is reported once and skipped through its line feed",
        "CPython returns its tail as a false line, which smuggles requests past a check",
    ),
    (
        Deliberate::ToEofKeeps,
        "a read to EOF leaves in the buffer what has arrived until the end has come",
        "CPython moves it elsewhere and loses it when the read is cancelled or fails",
    ),
];

impl Deliberate {
    /// Every one, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(difference, ..)| *difference)
    }

    /// What millpond does.
    ///
    /// ```
    /// use millpond_conformance::trace::Deliberate;
    ///
    /// assert_eq!(
    ///     Deliberate::FirstEndCounts.behaviour(),
    ///     "the first end of a stream is the only one",
    /// );
    /// ```
    pub fn behaviour(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// Why it does not do as CPython does.
    pub fn reason(self) -> &'static str {
        TABLE[self as usize].2
    }
}

impl fmt::Display for Deliberate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.behaviour())
    }
}

/// Some of the differences.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Selection(u8);

impl Selection {
    pub(crate) const ALL: Self = Self((1 << TABLE.len()) - 1);
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn contains(self, difference: Deliberate) -> bool {
        self.0 & Self::bit(difference) != 0
    }

    pub(crate) fn without(self, difference: Deliberate) -> Self {
        Self(self.0 & !Self::bit(difference))
    }

    fn bit(difference: Deliberate) -> u8 {
        1 << difference as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_differences() {
        for (index, difference) in Deliberate::all().enumerate() {
            assert_eq!(difference as usize, index);
        }
    }
}
