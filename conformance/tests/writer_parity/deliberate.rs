//! Where millpond's writer answers otherwise than asyncio's, on purpose.

use crate::peer::Place;

/// Of a Python: its first three numbers.
pub(crate) type Version = (u32, u32, u32);

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Deliberate {
    AbortIsAlwaysAllowed,
    AbortIsNoEnd,
    AbortResets,
    CloseIsNoLoss,
    CloseLingers,
    EmptyPiecesAreNothing,
    FailuresAreMetByWriting,
    FailuresHaveReasons,
    FailuresHaveToBeMet,
    LimitsHoldAtOnce,
    WaitClosedCanBeGivenUp,
    WriteAfterCloseFails,
    WriteLinesAfterCloseFails,
    WriteLinesPauses,
    WriteTellsOfFailures,
}

/// From the first version on, and before the second.
type Ranges = &'static [(Version, Version)];

/// Whether a difference is seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Applies {
    No,
    Maybe,
    Yes,
}

/// Where a difference is seen.
enum Seen {
    Everywhere,
    /// Unix sockets have no reset.
    OverTcp,
    OverUnix,
    /// Since 3.7.
    WithWaitClosed,
    /// In a range of versions.
    In {
        surely: Ranges,
        /// It was mended in one of these.
        maybe: Ranges,
    },
}

/// The table: each difference, what millpond does, why, and where it is seen.
const TABLE: [(Deliberate, &str, &str, Seen); 15] = [
    (
        Deliberate::AbortIsAlwaysAllowed,
        "an abort of a stream that has ended does nothing",
        "CPython stumbles over an AttributeError",
        Seen::Everywhere,
    ),
    (
        Deliberate::AbortIsNoEnd,
        "an abort fails drains and reads",
        "in CPython both succeed, though what was queued is lost",
        Seen::Everywhere,
    ),
    (
        Deliberate::AbortResets,
        "an abort resets the connection",
        "CPython's is an orderly end, so the peer takes a part for the whole",
        Seen::OverTcp,
    ),
    (
        Deliberate::CloseIsNoLoss,
        "a drain after a close succeeds when everything was delivered",
        "CPython says that the connection was lost, as it does when data was",
        Seen::Everywhere,
    ),
    (
        Deliberate::CloseLingers,
        "what the peer still sends after a close is read and dropped for a while",
        "after CPython's close the system resets the connection, and the peer loses what it had not read",
        Seen::Everywhere,
    ),
    (
        Deliberate::EmptyPiecesAreNothing,
        "a piece that is empty is nothing",
        "these versions of CPython never get it sent, and a close waits for it for ever (gh-155888)",
        Seen::In {
            surely: &[((3, 12, 0), (3, 13, 8))],
            maybe: &[((3, 13, 8), (3, 15, 1))],
        },
    ),
    (
        Deliberate::FailuresAreMetByWriting,
        "a writer that waits reports what sending has met",
        "CPython reads all the time and meets the failure there, where it has another name",
        Seen::OverUnix,
    ),
    (
        Deliberate::FailuresHaveReasons,
        "a failure of the transport has the error of the system",
        "the first that CPython's drain says of it is that the connection was lost",
        Seen::Everywhere,
    ),
    (
        Deliberate::FailuresHaveToBeMet,
        "a failure is met by reading, by writing or with something queued",
        "CPython reads in the background, whether the program wants the bytes or not",
        Seen::WithWaitClosed,
    ),
    (
        Deliberate::LimitsHoldAtOnce,
        "higher watermarks let a writer go on at once",
        "in CPython it stays paused until the next bytes are sent, however little is queued",
        Seen::Everywhere,
    ),
    (
        Deliberate::WaitClosedCanBeGivenUp,
        "wait_closed can be given up and asked again",
        "in CPython every other one is cancelled, too, for ever",
        Seen::WithWaitClosed,
    ),
    (
        Deliberate::WriteAfterCloseFails,
        "a write after close or abort is refused",
        "CPython drops it without a word, or sends it if something else was still queued",
        Seen::Everywhere,
    ),
    (
        Deliberate::WriteLinesAfterCloseFails,
        "several pieces after close or abort are refused as one is",
        "these versions of CPython stumble over a TypeError, and may send them nevertheless",
        Seen::In {
            surely: &[((3, 12, 0), (3, 12, 9)), ((3, 13, 0), (3, 13, 2))],
            maybe: &[((3, 12, 9), (3, 13, 0)), ((3, 13, 2), (3, 14, 1))],
        },
    ),
    (
        Deliberate::WriteLinesPauses,
        "several pieces count for the watermark as one does",
        "these versions of CPython never pause for them (CVE-2024-12254)",
        Seen::In {
            surely: &[((3, 12, 0), (3, 12, 8)), ((3, 13, 0), (3, 13, 1))],
            maybe: &[((3, 12, 8), (3, 12, 10)), ((3, 13, 1), (3, 13, 3))],
        },
    ),
    (
        Deliberate::WriteTellsOfFailures,
        "a write to a connection that has failed says so",
        "CPython drops what is written and leaves it to drain",
        Seen::Everywhere,
    ),
];

impl Deliberate {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(difference, ..)| *difference)
    }

    pub(crate) fn behaviour(self) -> &'static str {
        TABLE[self as usize].1
    }

    pub(crate) fn reason(self) -> &'static str {
        TABLE[self as usize].2
    }

    /// Whether it is seen with this Python in this place.
    pub(crate) fn applies(self, version: Version, place: Place) -> Applies {
        let seen = match TABLE[self as usize].3 {
            Seen::Everywhere => true,
            Seen::OverTcp => place == Place::Tcp,
            Seen::OverUnix => place == Place::Unix,
            Seen::WithWaitClosed => version >= (3, 7, 0),
            Seen::In { maybe, .. } if is_in(maybe, version) => return Applies::Maybe,
            Seen::In { surely, .. } => is_in(surely, version),
        };
        if seen { Applies::Yes } else { Applies::No }
    }
}

fn is_in(ranges: Ranges, version: Version) -> bool {
    ranges
        .iter()
        .any(|(first, mended)| (*first..*mended).contains(&version))
}

#[test]
fn the_table_is_in_the_order_of_the_differences() {
    for (index, difference) in Deliberate::all().enumerate() {
        assert_eq!(difference as usize, index);
        assert!(!difference.behaviour().is_empty() && !difference.reason().is_empty());
    }
}
