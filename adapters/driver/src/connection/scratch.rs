//! A block of memory that all idle readers of a thread read into, so that none of them owns one.

use std::cell::Cell;

/// As much as one read takes at the most.
const SIZE: usize = 64 * 1024;

/// See the core's buffer: a block that starts there is copied into at full speed.
const ALIGN: usize = 64;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Runs `read` with the thread's block. Within `read` it may be called again and then gets a block
/// of its own, and so does a thread that ends, whose block is gone.
pub(crate) fn with_scratch<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut block = SCRATCH.try_with(Cell::take).unwrap_or_default();
    if block.is_empty() {
        block = vec![0; SIZE + ALIGN];
    }
    let start = (ALIGN - block.as_ptr() as usize % ALIGN) % ALIGN;
    let result = read(&mut block[start..start + SIZE]);
    // A thread that ends frees it.
    let _ = SCRATCH.try_with(|scratch| scratch.set(block));
    result
}
