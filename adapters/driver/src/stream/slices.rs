//! The first bytes of a vectored write.

use std::io::IoSlice;

/// More pieces than this are not worth one call.
const MOST: usize = 64;

/// Pieces of a vectored write, up to a number of bytes.
pub(super) struct Slices<'a> {
    pieces: [IoSlice<'a>; MOST],
    count: usize,
    len: usize,
}

impl<'a> Slices<'a> {
    /// The first `most` bytes of `bufs`, or fewer if those are in very many pieces.
    pub(super) fn first(bufs: &'a [IoSlice<'a>], most: usize) -> Self {
        let mut first = Self {
            pieces: [IoSlice::new(&[]); MOST],
            count: 0,
            len: 0,
        };
        for buf in bufs.iter().filter(|buf| !buf.is_empty()) {
            let piece = &buf[..buf.len().min(most - first.len)];
            if piece.is_empty() || first.count == MOST {
                break;
            }
            first.pieces[first.count] = IoSlice::new(piece);
            first.count += 1;
            first.len += piece.len();
        }
        first
    }

    pub(super) fn as_slice(&self) -> &[IoSlice<'a>] {
        &self.pieces[..self.count]
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}
