//! A fuzzer's bytes as choices.

/// Takes choices from the front; when the bytes are used up, each is the first.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    /// Less than `n`, which is at most 65,536.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let number = match n {
            ..=256 => usize::from(self.byte()),
            _ => usize::from(self.byte()) << 8 | usize::from(self.byte()),
        };
        number % n
    }

    pub(crate) fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// At most `most` bytes, of few letters if there is an alphabet.
    pub(crate) fn bytes(&mut self, most: usize, alphabet: &[u8]) -> Vec<u8> {
        let len = self.below(most + 1).min(self.0.len());
        let (data, rest) = self.0.split_at(len);
        self.0 = rest;
        match alphabet {
            [] => data.to_vec(),
            letters => data
                .iter()
                .map(|byte| letters[usize::from(*byte) % letters.len()])
                .collect(),
        }
    }
}
