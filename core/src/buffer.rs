//! Contiguous bytes: received at the back, taken from the front.

use bytes::{Buf, Bytes, BytesMut};

/// The scratch tail starts on such a boundary whenever the buffer chooses where data lies.
///
/// On Zen 3, `rep movsb` and the kernel's copy to user space lose 2 to 30 times their speed when
/// source and destination differ by 1 to 31 bytes within a page (glibc bug 30994).
const ALIGN: usize = 64;

/// Copies above 2 KiB go in pieces of this size, for the same reason: below it libc does not
/// reach for `rep movsb`.
pub(crate) const COPY_PIECE: usize = 2048;

/// The size of a block that is read into; it doubles up to [`BLOCK_MAX`] while reads fill it.
const BLOCK_MIN: usize = 8 * 1024;

/// Half of a common L1 data cache would be 16 KiB; one system call for 64 KiB is worth more.
const BLOCK_MAX: usize = 64 * 1024;

/// From here on a block grows by a quarter and not by doubling, so that one large message does not take
/// twice its size.
const LARGE: usize = 1024 * 1024;

/// A partly filled block is only worth moving to a smaller one above this size.
const SHRINK_ABOVE: usize = 4 * 1024;

/// ```text
///         start             filled          block.len()
///           v                 v                 v
///   [ gone  |  data           |  scratch        ]
/// ```
///
/// `consume` moves `start`, `commit` moves `filled`; when the data is used up both return
/// to the front for free. `take` splits the front off without copying.
pub(crate) struct Buffer {
    /// Every byte is initialised, so that scratch can be lent out as `&mut [u8]`.
    block: BytesMut,
    /// Invariant: `start <= filled`.
    start: usize,
    /// Invariant: `filled <= block.len()`. Nothing behind it is data, whatever was written there.
    filled: usize,
    /// How large the block was before anything was taken of it: what is taken keeps it all alive.
    allocated: usize,
    /// Invariant: `BLOCK_MIN <= block_size <= BLOCK_MAX`.
    block_size: usize,
}

impl Buffer {
    pub(crate) fn new() -> Self {
        Self {
            block: BytesMut::new(),
            start: 0,
            filled: 0,
            allocated: 0,
            block_size: BLOCK_MIN,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.filled - self.start
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.filled
    }

    #[inline]
    pub(crate) fn data(&self) -> &[u8] {
        &self.block[self.start..self.filled]
    }

    /// The memory held, data and scratch.
    pub(crate) fn capacity(&self) -> usize {
        self.block.len()
    }

    /// The scratch tail, never empty.
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        let wanted = self.block_size / 2;
        // Moving a small tail is cheap, and what is read next then lies where the cache still is.
        if self.scratch() < wanted || self.len() <= self.start / 8 {
            self.make_room(wanted, self.block_size);
        }
        &mut self.block[self.filled..]
    }

    /// Turns the first `n` bytes of the scratch tail into data.
    pub(crate) fn commit(&mut self, n: usize) {
        let scratch = self.scratch();
        assert!(
            n <= scratch,
            "committed {n} bytes, but only {scratch} were spare"
        );
        if n == scratch {
            self.block_size = (self.block_size * 2).min(BLOCK_MAX);
        }
        self.filled += n;
    }

    pub(crate) fn feed(&mut self, data: &[u8]) {
        if self.scratch() < data.len() {
            self.make_room(data.len(), data.len());
        }
        copy_in_pieces(&mut self.block[self.filled..self.filled + data.len()], data);
        self.filled += data.len();
    }

    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        let len = self.len();
        assert!(n <= len, "consumed {n} bytes, but only {len} are buffered");
        self.start += n;
    }

    /// The `n` bytes that were consumed last. They stay readable until the buffer next changes.
    #[inline]
    pub(crate) fn consumed(&self, n: usize) -> &[u8] {
        &self.block[self.start - n..self.start]
    }

    /// Removes `n` bytes and hands them over without copying.
    pub(crate) fn take(&mut self, n: usize) -> Bytes {
        let len = self.len();
        assert!(n <= len, "took {n} bytes, but only {len} are buffered");
        if n == 0 {
            return Bytes::new();
        }
        if n == self.capacity() {
            // Nothing of the block is left over, not even scratch.
            self.start = 0;
            self.filled = 0;
            return core::mem::take(&mut self.block).freeze();
        }
        self.block.advance(self.start);
        let taken = self.block.split_to(n).freeze();
        self.filled -= self.start + n;
        self.start = 0;
        taken
    }

    /// Gives back memory that holds no data: all of it when empty, the surplus of a block that a
    /// burst made large.
    pub(crate) fn shrink(&mut self) {
        self.block_size = BLOCK_MIN;
        if self.is_empty() {
            *self = Self::new();
        } else if self.allocated > SHRINK_ABOVE && self.allocated / 4 > self.len() {
            // As much scratch as data: growing again by doubling stays linear.
            self.move_to_new_block(2 * self.len());
        }
    }

    fn scratch(&self) -> usize {
        self.block.len() - self.filled
    }

    /// Makes at least `wanted` bytes of scratch, in a block of at least `block_size` if a new one
    /// is needed.
    fn make_room(&mut self, wanted: usize, block_size: usize) {
        let len = self.len();
        let start = aligned_start(&self.block, len);
        // Moving data costs no more than was consumed since the last move, so it is constant per
        // byte; otherwise the block at least doubles, so that is, too.
        if start <= self.start && len <= self.start && start + len + wanted <= self.block.len()
            || self.is_empty() && start + wanted <= self.block.len()
        {
            move_down(&mut self.block, self.start, start, len);
            self.start = start;
            self.filled = start + len;
        } else if self.scratch() < wanted {
            if len >= LARGE && self.start <= len / 8 {
                self.grow(wanted);
            } else {
                self.move_to_new_block((len + wanted).max(2 * len).max(block_size));
            }
        }
        debug_assert!(self.scratch() >= wanted, "room was made");
    }

    /// Grows the block where it is, if the allocator can: large ones it moves without copying them, and what
    /// is reserved and was never written takes no memory.
    fn grow(&mut self, wanted: usize) {
        let len = self.block.len();
        self.block
            .resize((self.filled + wanted).max(len + len / 4), 0);
        self.allocated = self.block.len();
    }

    /// Moves the data to a fresh block with room for at least `capacity` bytes.
    fn move_to_new_block(&mut self, capacity: usize) {
        let len = self.len();
        debug_assert!(capacity >= len, "the data fits the new block");
        let mut block = BytesMut::zeroed(capacity + ALIGN);
        let start = aligned_start(&block, len);
        copy_in_pieces(&mut block[start..start + len], self.data());
        self.allocated = block.len();
        self.block = block;
        self.start = start;
        self.filled = start + len;
    }
}

/// Where `len` bytes of data go in `block` for the scratch behind them to be aligned.
fn aligned_start(block: &[u8], len: usize) -> usize {
    let address = block.as_ptr() as usize;
    (ALIGN - (address + len) % ALIGN) % ALIGN
}

fn copy_in_pieces(to: &mut [u8], from: &[u8]) {
    debug_assert_eq!(to.len(), from.len());
    for (to, from) in to.chunks_mut(COPY_PIECE).zip(from.chunks(COPY_PIECE)) {
        to.copy_from_slice(from);
    }
}

/// Moves `len` bytes towards the front; the two places may overlap.
fn move_down(block: &mut [u8], from: usize, to: usize, len: usize) {
    if from == to {
        return;
    }
    debug_assert!(len == 0 || to < from, "data only moves towards the front");
    let mut moved = 0;
    while moved < len {
        let piece = (len - moved).min(COPY_PIECE);
        block.copy_within(from + moved..from + moved + piece, to + moved);
        moved += piece;
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    /// Every way of putting in pieces of `feed` bytes and taking out pieces of `taken`, by every
    /// mix of doors, keeps the bytes in order.
    #[test]
    fn bytes_come_out_as_they_went_in() {
        for feed in 1_u8..40 {
            for taken in 1_u8..40 {
                let mut buffer = Buffer::new();
                let mut next = 0_u8;
                let mut expected = 0_u8;
                for round in 0..60 {
                    let piece: Vec<u8> = (0..feed).map(|i| next.wrapping_add(i)).collect();
                    next = next.wrapping_add(feed);
                    if round % 2 == 0 {
                        buffer.feed(&piece);
                    } else {
                        buffer.spare()[..piece.len()].copy_from_slice(&piece);
                        buffer.commit(piece.len());
                    }
                    while buffer.len() >= usize::from(taken) {
                        let n = usize::from(taken);
                        let front: Vec<u8> = match round % 3 {
                            0 => buffer.take(n).to_vec(),
                            1 => {
                                buffer.consume(n);
                                buffer.consumed(n).to_vec()
                            }
                            _ => {
                                let front = buffer.data()[..n].to_vec();
                                buffer.consume(n);
                                front
                            }
                        };
                        assert_eq!(front.len(), n);
                        for byte in front {
                            assert_eq!(byte, expected);
                            expected = expected.wrapping_add(1);
                        }
                    }
                    if round % 7 == 0 {
                        buffer.shrink();
                    }
                }
            }
        }
    }

    #[test]
    fn scratch_written_but_not_committed_is_not_data() {
        let mut buffer = Buffer::new();
        buffer.feed(b"ab");
        buffer.spare().fill(b'x');
        assert_eq!(buffer.data(), b"ab");
        buffer.feed(b"cd");
        assert_eq!(buffer.data(), b"abcd");
    }

    #[test]
    fn scratch_starts_aligned_after_a_partial_tail() {
        let mut buffer = Buffer::new();
        for tail in 1..200 {
            let n = buffer.spare().len();
            buffer.commit(n);
            buffer.consume(buffer.len() - tail);
            let spare = buffer.spare();
            assert_eq!(spare.as_ptr() as usize % ALIGN, 0, "tail of {tail}");
            buffer.consume(tail);
        }
    }

    #[test]
    fn scratch_starts_aligned_when_nothing_is_left_behind_what_was_taken() {
        for taken in 1..200 {
            let mut buffer = Buffer::new();
            buffer.spare();
            buffer.commit(taken + 1);
            buffer.take(taken);
            buffer.consume(1);
            let spare = buffer.spare();
            assert_eq!(spare.as_ptr() as usize % ALIGN, 0, "{taken} were taken");
        }
    }

    /// Moving costs no more than was consumed, so it is better than a new block.
    #[test]
    fn room_is_made_in_the_same_block_if_the_data_fits_into_what_was_consumed() {
        for tail in 0..1000 {
            let mut buffer = Buffer::new();
            let nearly_all = buffer.spare().len() - 1;
            buffer.commit(nearly_all);
            buffer.consume(nearly_all - tail);
            let block = buffer.block.as_ptr();
            buffer.spare();
            assert_eq!(buffer.block.as_ptr(), block, "tail of {tail}");
            assert!(buffer.start < ALIGN, "tail of {tail}");
        }
    }

    #[test]
    fn a_small_tail_moves_to_the_front_before_the_next_read_and_a_larger_one_stays() {
        for (tail, moves) in [(1, true), (100, true), (120, false), (500, false)] {
            let mut buffer = Buffer::new();
            buffer.spare();
            buffer.commit(1000);
            buffer.consume(1000 - tail);
            let before = buffer.start;
            buffer.spare();
            assert_eq!(buffer.start < before, moves, "tail of {tail}");
        }
    }

    #[test]
    fn an_empty_buffer_gives_everything_back() {
        let mut buffer = Buffer::new();
        assert_eq!(buffer.capacity(), 0);
        buffer.feed(&[7; 100_000]);
        buffer.consume(100_000);
        buffer.shrink();
        assert_eq!(buffer.capacity(), 0);
    }

    #[test]
    fn a_block_that_a_burst_made_large_gives_the_surplus_back() {
        let mut buffer = Buffer::new();
        buffer.feed(&[7; 100_000]);
        buffer.consume(99_900);
        buffer.shrink();
        assert_eq!(buffer.data(), [7; 100]);
        // As much scratch as data.
        assert!((200..1024).contains(&buffer.capacity()));
    }

    #[test]
    fn a_block_is_only_moved_to_a_smaller_one_if_that_is_worth_it() {
        let small = 4 * 1024 - ALIGN;
        let quarter = 2 * 1024;
        for (fed, left, moves) in [
            (small, 1, false),
            (small + 1, 1, true),
            (4 * quarter - ALIGN, quarter, false),
            (4 * quarter - ALIGN, quarter - 1, true),
        ] {
            let mut buffer = Buffer::new();
            buffer.feed(&vec![7; fed]);
            buffer.consume(fed - left);
            let capacity = buffer.capacity();
            buffer.shrink();
            let moved = buffer.capacity() < capacity;
            assert_eq!(moved, moves, "{left} of {fed} bytes are left");
        }
    }

    #[test]
    fn moving_down_is_copying_though_the_places_overlap() {
        for len in [0, 1, 63, 2047, 2048, 2049, 4096, 5000] {
            for by in [0, 1, 64, 2047, 2048, 2049, 6000] {
                for to in [0, 5] {
                    let numbers = 0..to + by + len;
                    let mut block: Vec<u8> = numbers.map(|i| (i ^ (i / 256)) as u8).collect();
                    let mut expected = block.clone();
                    expected.copy_within(to + by.., to);
                    move_down(&mut block, to + by, to, len);
                    assert!(block == expected, "{len} bytes down by {by} to {to}");
                }
            }
        }
    }

    #[test]
    fn a_block_that_grows_has_room_for_no_more_than_twice_what_it_holds() {
        let mut buffer = Buffer::new();
        for _ in 0..100 {
            buffer.feed(&[7; 1000]);
            assert!(buffer.capacity() <= 2 * buffer.len() + ALIGN);
        }
    }

    #[test]
    fn a_large_block_has_room_for_no_more_than_a_quarter_of_what_it_holds() {
        let mut buffer = Buffer::new();
        let mut blocks = 0;
        let mut capacity = 0;
        while buffer.len() < 64 * LARGE {
            buffer.feed(&[7; 50_000]);
            if buffer.len() > 3 * LARGE {
                let len = buffer.len();
                assert!(buffer.capacity() <= len + len / 4 + ALIGN, "{len} bytes");
            }
            if buffer.capacity() != capacity {
                capacity = buffer.capacity();
                blocks += 1;
            }
        }
        assert!(buffer.data().iter().all(|byte| *byte == 7));
        assert!(blocks < 60, "it grew {blocks} times");
    }

    /// Byte by byte with a `shrink` after each: the work stays linear.
    #[test]
    fn growing_after_shrinking_doubles() {
        let mut buffer = Buffer::new();
        let mut blocks = 0;
        let mut block = core::ptr::null();
        for _ in 0..100_000 {
            buffer.feed(b"x");
            buffer.shrink();
            if buffer.block.as_ptr() != block {
                block = buffer.block.as_ptr();
                blocks += 1;
            }
        }
        assert!(blocks < 40, "{blocks} blocks for 100000 bytes");
    }

    #[test]
    fn reads_that_fill_the_scratch_get_more_of_it() {
        let mut buffer = Buffer::new();
        let first = buffer.spare().len();
        for _ in 0..10 {
            let n = buffer.spare().len();
            buffer.commit(n);
            buffer.consume(n);
            buffer.shrink_if_small();
        }
        assert!(buffer.spare().len() >= 4 * first);
    }

    impl Buffer {
        /// Forgets the block but not what was learnt about its size.
        fn shrink_if_small(&mut self) {
            let block_size = self.block_size;
            self.shrink();
            self.block_size = block_size;
        }
    }
}
