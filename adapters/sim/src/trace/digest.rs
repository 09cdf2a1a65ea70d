//! Hashes that are the same on every machine.

/// Adds a word to a hash.
pub(super) fn mix(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// A number made of all the bytes, however they are cut.
pub(crate) fn digest<'a>(bufs: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut digest = Digest::default();
    bufs.into_iter().for_each(|buf| digest.add(buf));
    digest.end()
}

#[derive(Default)]
struct Digest {
    hash: u64,
    /// The bytes that make no word yet.
    word: u64,
    len: u64,
}

impl Digest {
    fn add(&mut self, mut buf: &[u8]) {
        while self.len % 8 != 0 {
            let Some((first, rest)) = buf.split_first() else {
                return;
            };
            self.byte(*first);
            buf = rest;
        }
        let mut words = buf.chunks_exact(8);
        for word in &mut words {
            let word = word
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.hash = mix(self.hash, word);
            self.len += 8;
        }
        words.remainder().iter().for_each(|byte| self.byte(*byte));
    }

    fn byte(&mut self, byte: u8) {
        self.word = self.word << 8 | u64::from(byte);
        self.len += 1;
        if self.len % 8 == 0 {
            self.hash = mix(self.hash, self.word);
            self.word = 0;
        }
    }

    fn end(self) -> u64 {
        mix(mix(self.hash, self.word), self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_does_not_depend_on_cuts_but_on_every_byte() {
        let data: Vec<u8> = (0..40).collect();
        let whole = digest([&data[..]]);
        for cut in 0..=data.len() {
            for next in cut..=data.len() {
                let parts = [&data[..cut], &data[cut..next], &data[next..]];
                assert_eq!(digest(parts), whole, "{cut} {next}");
            }
        }
        for position in 0..data.len() {
            let mut other = data.clone();
            other[position] ^= 1;
            assert_ne!(digest([&other[..]]), whole);
            assert_ne!(digest([&data[..position]]), whole);
        }
    }
}
