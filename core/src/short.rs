//! Needles of a few bytes, which need no tables: each is found by its last byte and a look back.

use alloc::boxed::Box;
use core::ops::Range;

use crate::byte_set::ByteSet;

/// As many as fit into a separator beside its kind and their number.
pub(crate) const MAX: usize = 14;

/// A needle that is compared and copied as a plain value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Short {
    /// Invariant: `1 <= len <= MAX`.
    len: u8,
    /// Behind `len` there are zeros, so that equal needles are equal.
    bytes: [u8; MAX],
}

/// Some needles. Of those that end together it finds the shortest.
pub(crate) struct Few {
    /// Invariant: sorted by length.
    needles: Box<[Short]>,
    /// The last byte of each.
    last: ByteSet,
}

impl Short {
    /// `None` if it is empty or too long.
    pub(crate) fn new(needle: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX];
        bytes.get_mut(..needle.len())?.copy_from_slice(needle);
        (!needle.is_empty()).then_some(Self {
            len: needle.len() as u8,
            bytes,
        })
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        usize::from(self.len)
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }

    fn last(&self) -> u8 {
        self.bytes[self.len() - 1]
    }

    /// Where the first match ends that ends behind `upto`.
    #[inline]
    pub(crate) fn find(&self, data: &[u8], upto: usize) -> Option<usize> {
        let last = self.last();
        let mut at = upto.max(self.len() - 1);
        loop {
            at += memchr::memchr(last, data.get(at..)?)?;
            if self.ends(data, at + 1) {
                return Some(at + 1);
            }
            at += 1;
        }
    }

    /// Whether a match ends there, if its last byte does.
    #[inline]
    fn ends(&self, data: &[u8], end: usize) -> bool {
        let Some(start) = end.checked_sub(self.len()) else {
            return false;
        };
        // Of two bytes these are all, and of more most are sorted out.
        data[start] == self.bytes[0] && (self.len <= 2 || data[start..end] == *self.as_slice())
    }
}

impl Few {
    /// More than so many are not tried one after the other.
    pub(crate) const MOST: usize = 8;

    /// Of needles sorted by length; `None` if there are too many, too long ones, or too many last bytes.
    pub(crate) fn new(needles: &[Box<[u8]>]) -> Option<Self> {
        if needles.len() > Self::MOST {
            return None;
        }
        let needles: Option<Box<[Short]>> =
            needles.iter().map(|needle| Short::new(needle)).collect();
        let needles = needles?;
        let last = ByteSet::new(needles.iter().map(Short::last));
        last.is_small().then_some(Self { needles, last })
    }

    /// The first match that ends behind `upto`.
    pub(crate) fn find(&self, data: &[u8], upto: usize) -> Option<Range<usize>> {
        let mut at = upto;
        loop {
            at += self.last.find(&data[at..])?;
            let end = at + 1;
            let ends = |needle: &&Short| needle.last() == data[at] && needle.ends(data, end);
            if let Some(needle) = self.needles.iter().find(ends) {
                return Some(end - needle.len()..end);
            }
            at += 1;
        }
    }

    #[cfg(test)]
    pub(crate) fn is_last(&self, byte: u8) -> bool {
        self.needles.iter().any(|needle| needle.last() == byte)
    }
}
