//! Bytes that wait to be sent: small writes gathered, large ones kept as they are.

use alloc::{collections::VecDeque, vec::Vec};

use core::mem;

use bytes::{Buf, Bytes};

use crate::buffer::Buffer;

/// From this size on, a chunk of its own costs less than copying it.
pub(crate) const OWN_CHUNK: usize = 8 * 1024;

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
    gathered: Buffer,
    /// Invariant: the bytes in `chunks` and `gathered`.
    len: usize,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            gathered: Buffer::new(),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn push(&mut self, data: &[u8]) {
        self.gathered.feed(data);
        self.len += data.len();
    }

    pub(crate) fn push_bytes(&mut self, data: Bytes) {
        if data.len() < OWN_CHUNK {
            return self.push(&data);
        }
        if !self.gathered.is_empty() {
            let gathered = self.gathered.take(self.gathered.len());
            self.chunks.push_back(gathered);
        }
        self.len += data.len();
        self.chunks.push_back(data);
    }

    /// Front to back, none of them empty.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let gathered = Some(self.gathered.data()).filter(|data| !data.is_empty());
        self.chunks.iter().map(Bytes::as_ref).chain(gathered)
    }

    pub(crate) fn remove(&mut self, n: usize) -> Spent {
        let len = self.len;
        assert!(n <= len, "sent {n} bytes, but only {len} were queued");
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
        self.gathered.consume(left);
        if self.is_empty() {
            self.clear();
        }
        spent
    }

    /// Forgets everything and gives the memory back.
    pub(crate) fn clear(&mut self) -> Spent {
        let before = mem::replace(self, Self::new());
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
        assert_eq!((queue.chunks.capacity(), queue.gathered.capacity()), (0, 0));
    }
}
