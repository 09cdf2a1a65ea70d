//! What both sides of a protocol say, on any runtime.

pub(crate) mod http;
pub(crate) mod redis;
pub(crate) mod websocket;

/// Bytes in which a loss or a swap shows.
pub(crate) fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (seed + 7 * i + 13 * (i >> 8) + 29 * (i >> 16)).to_le_bytes()[0])
        .collect()
}
