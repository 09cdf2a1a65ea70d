//! The answers do not depend on how the input was cut: tried with every cut there is.
//!
//! An input of n bytes can be cut in 2^(n-1) ways, at each gap or not. Each of them has to give the
//! conversation that the plain model has, and at the first piece with which the model has enough.

mod behind;
mod conversation;
mod exhaustive;
#[path = "../support/mod.rs"]
mod support;

use conversation::{Conversation, FEW_MANNERS, MANNERS, Manner, for_every_cut, for_every_input};
use support::{Ask, End};

const UNCAPPED: usize = usize::MAX;

const ENDS: [End; 2] = [End::Eof, End::Failed];

/// Both ends of one input, every cut, some manners.
fn try_every_cut(input: &[u8], limit: usize, cap: usize, asks: &[Ask], manners: &[Manner]) {
    try_cuts(1, input, limit, cap, asks, manners);
}

/// One cut in `step`. Of an input of 17 bytes one in 15 has the first and the last among them:
/// in one piece, and byte by byte.
fn try_cuts(step: usize, input: &[u8], limit: usize, cap: usize, asks: &[Ask], manners: &[Manner]) {
    let conversations = ENDS.map(|end| Conversation::new(input, end, limit, cap, asks));
    let mut number = 0;
    for_every_cut(input.len(), |cuts| {
        number += 1;
        if number % step != 1 % step {
            return;
        }
        for conversation in &conversations {
            for manner in manners {
                conversation.replay(cuts, *manner);
            }
        }
    });
}

/// Whether there is time for all there is, as in CI: half a minute. Without it there are seconds.
fn is_thorough() -> bool {
    std::env::var_os("MILLPOND_EXHAUSTIVE").is_some()
}

/// Every input here has 17 bytes, so 65536 cuts.
fn try_long(input: &[u8; 17], limit: usize, asks: &[Ask]) {
    let step = if is_thorough() { 1 } else { 15 };
    try_cuts(step, input, limit, UNCAPPED, asks, &FEW_MANNERS);
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
    let step = if is_thorough() { 1 } else { 3 };
    for asks in conversations() {
        for input in inputs.iter().step_by(step) {
            for limit in [1, 2, 3, 5, usize::MAX] {
                try_every_cut(*input, limit, UNCAPPED, &asks, &MANNERS);
            }
        }
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
