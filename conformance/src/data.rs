//! Bytes that are the same in every run.

/// Numbers that look random; SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least 1 and at most `max`.
    pub(crate) fn up_to(&mut self, max: usize) -> usize {
        self.below(max) + 1
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        let below = self.next() % seed(n);
        usize::try_from(below).expect("it is below a usize")
    }
}

/// A seed of its own for each position in a stream.
pub(crate) fn seed(position: usize) -> u64 {
    u64::try_from(position).expect("a position fits into 64 bits")
}

/// So many bytes of all values, without a period: what is lost, repeated or moved shows.
pub(crate) fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Fails if `got` is not `expected`, without printing either, because both are long.
#[track_caller]
pub(crate) fn assert_same(got: &[u8], expected: &[u8]) {
    let same = got.iter().zip(expected).take_while(|(a, b)| a == b).count();
    assert!(
        got == expected,
        "{} bytes arrived of {}, of which the first {same} are right",
        got.len(),
        expected.len(),
    );
}
