//! What the two sides say: each a long text of its own, so that a byte that is missing, doubled or
//! moved is found, with line ends now and then.

use std::sync::OnceLock;

/// More than a side ever sends.
const LEN: usize = 128 * 1024;

pub(crate) fn of(side: usize) -> &'static [u8] {
    static SPEECHES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    &SPEECHES.get_or_init(|| [1, 2].map(make))[side]
}

fn make(seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut speech = Vec::with_capacity(LEN + 1);
    while speech.len() < LEN {
        // xorshift
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        match state % 24 {
            0 => speech.push(b'\n'),
            1 => speech.extend_from_slice(b"\r\n"),
            _ => speech.push((state >> 8) as u8),
        }
    }
    speech
}
