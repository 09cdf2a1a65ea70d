//! Finds the first byte of a set.

use alloc::{boxed::Box, vec::Vec};

pub(crate) enum ByteSet {
    One(u8),
    Two(u8, u8),
    Three(u8, u8, u8),
    /// Whether each of the 256 bytes is in the set.
    Many(Box<[bool; 256]>),
}

impl ByteSet {
    pub(crate) fn new(bytes: impl Iterator<Item = u8>) -> Self {
        let mut bytes: Vec<u8> = bytes.collect();
        bytes.sort_unstable();
        bytes.dedup();
        match bytes[..] {
            [a] => Self::One(a),
            [a, b] => Self::Two(a, b),
            [a, b, c] => Self::Three(a, b, c),
            _ => {
                let mut members = Box::new([false; 256]);
                for byte in bytes {
                    members[usize::from(byte)] = true;
                }
                Self::Many(members)
            }
        }
    }

    /// Whether it is searched for many bytes at a time.
    pub(crate) fn is_small(&self) -> bool {
        !matches!(self, Self::Many(_))
    }

    #[inline]
    pub(crate) fn find(&self, data: &[u8]) -> Option<usize> {
        match self {
            Self::One(a) => memchr::memchr(*a, data),
            Self::Two(a, b) => memchr::memchr2(*a, *b, data),
            Self::Three(a, b, c) => memchr::memchr3(*a, *b, *c, data),
            Self::Many(members) => data.iter().position(|byte| members[usize::from(*byte)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets of few and many bytes, neighbours and far apart, some of them twice.
    #[test]
    fn every_byte_of_a_set_is_found_and_no_other() {
        for size in [0_u16, 1, 2, 3, 4, 5, 16, 255, 256] {
            for step in [1, 51, 255] {
                let members: Vec<u8> = (0..size).map(|i| (i * step) as u8).collect();
                let set = ByteSet::new(members.iter().chain(&members).copied());
                for byte in 0..=255_u8 {
                    let data = [byte.wrapping_sub(1), byte, byte.wrapping_add(1)];
                    let first = data.iter().position(|byte| members.contains(byte));
                    assert_eq!(set.find(&data), first, "{data:?} in {members:?}");
                }
            }
        }
    }
}
