//! Bytes that wait to be sent: small writes gathered, large ones kept as they are.

use alloc::{collections::VecDeque, vec::Vec};

use core::mem;

use bytes::{Buf, Bytes, BytesMut};

use crate::buffer::COPY_PIECE;

/// From this size on, a chunk of its own costs less than copying it.
pub(crate) const OWN_CHUNK: usize = 8 * 1024;

/// No more than this is allocated ahead of what is gathered.
const AHEAD_MAX: u16 = 16 * 1024;

/// What was queued without being copied, and is not needed any more.
///
/// Memory of the program's own (`Bytes::from_owner`) runs its code when it is dropped. So a caller
/// that holds a lock keeps this until the lock is released; any other caller can drop it.
///
/// ```
/// # use millpond_core::{Spent, Writer};
/// use bytes::Bytes;
///
/// let mut writer = Writer::new();
/// writer.write_bytes(Bytes::from(vec![0; 100_000]))?;
/// let mut later = Spent::default();
/// later.append(writer.sent(60_000));
/// later.append(writer.sent(40_000));
/// // ... the lock is released ...
/// drop(later);
/// # Ok::<(), millpond_core::WriteError>(())
/// ```
#[derive(Debug, Default)]
pub struct Spent(Vec<Bytes>);

impl Spent {
    /// Keeps `other`, too.
    ///
    /// See [`Spent`] for an example.
    #[inline]
    pub fn append(&mut self, mut other: Self) {
        if !other.is_empty() {
            self.0.append(&mut other.0);
        }
    }

    /// Whether dropping it does nothing.
    ///
    /// ```
    /// # use millpond_core::{Spent, Writer};
    /// assert!(Spent::default().is_empty());
    ///
    /// let mut writer = Writer::new();
    /// writer.write_bytes(vec![0; 100_000].into())?;
    /// assert!(!writer.sent(100_000).is_empty());
    /// # Ok::<(), millpond_core::WriteError>(())
    /// ```
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

pub(crate) struct Queue {
    /// Comes before `gathered`. Invariant: no chunk is empty.
    chunks: VecDeque<Bytes>,
    /// Small writes, one behind the other.
    gathered: BytesMut,
    /// How much was gathered last time: the next time it is likely to be as much. Invariant: at most
    /// `AHEAD_MAX`.
    ahead: u16,
    /// Invariant: the bytes in `chunks` and `gathered`.
    len: usize,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            gathered: BytesMut::new(),
            ahead: 0,
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn push(&mut self, data: &[u8]) {
        let room = self.gathered.capacity() - self.gathered.len();
        if data.len() <= room.min(COPY_PIECE) {
            self.gathered.extend_from_slice(data);
        } else {
            self.push_in_pieces(data);
        }
        self.len += data.len();
    }

    fn push_in_pieces(&mut self, data: &[u8]) {
        let ahead = usize::from(self.ahead);
        self.gathered.reserve(data.len().max(ahead));
        for piece in data.chunks(COPY_PIECE) {
            self.gathered.extend_from_slice(piece);
        }
    }

    pub(crate) fn push_bytes(&mut self, data: Bytes) {
        if data.len() < OWN_CHUNK {
            return self.push(&data);
        }
        if !self.gathered.is_empty() {
            let gathered = mem::take(&mut self.gathered).freeze();
            self.chunks.push_back(gathered);
        }
        self.len += data.len();
        self.chunks.push_back(data);
    }

    /// Front to back, none of them empty.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let gathered = Some(&self.gathered[..]).filter(|data| !data.is_empty());
        self.chunks.iter().map(Bytes::as_ref).chain(gathered)
    }

    pub(crate) fn remove(&mut self, n: usize) -> Spent {
        let len = self.len;
        assert!(n <= len, "sent {n} bytes, but only {len} were queued");
        self.ahead = u16::try_from(self.gathered.len()).map_or(AHEAD_MAX, |n| n.min(AHEAD_MAX));
        self.len -= n;
        let mut left = n;
        let mut spent = Spent::default();
        while let Some(chunk) = self.chunks.front_mut() {
            if left < chunk.len() {
                chunk.advance(left);
                return spent;
            }
            left -= chunk.len();
            spent.0.extend(self.chunks.pop_front());
        }
        self.gathered.advance(left);
        if self.is_empty() {
            self.clear();
        }
        spent
    }

    /// Forgets everything and gives the memory back.
    pub(crate) fn clear(&mut self) -> Spent {
        let after = Self {
            ahead: self.ahead,
            ..Self::new()
        };
        let before = mem::replace(self, after);
        Spent(before.chunks.into())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn an_empty_queue_holds_no_memory() {
        let mut queue = Queue::new();
        for _ in 0..100 {
            queue.push(b"small");
            queue.push_bytes(vec![0; OWN_CHUNK].into());
            queue.push(b"small");
        }
        while !queue.is_empty() {
            queue.remove(queue.len().min(1000));
        }
        queue.push(b"");
        assert_eq!((queue.chunks.capacity(), queue.gathered.capacity()), (0, 0));
    }

    /// So a program that writes alike each time has one allocation each time.
    #[test]
    fn the_first_block_is_as_large_as_what_was_gathered_last_time_and_bounded() {
        for (gathered, ahead) in [(1, 10), (10, 100), (500, 5000), (3000, AHEAD_MAX)] {
            let mut queue = Queue::new();
            for _ in 0..gathered {
                queue.push(&[0; 10]);
            }
            queue.remove(queue.len());
            queue.push(b"x");
            let expected = usize::from(ahead);
            assert_eq!(
                queue.gathered.capacity(),
                expected,
                "after {gathered} writes"
            );
        }
    }
}
