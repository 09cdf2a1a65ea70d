//! How a program fuzzes a parser of its own: what must hold is a function of bytes, here for the parser of
//! the Redis client.
//!
//! ```sh
//! cargo test -p millpond-examples-fuzz                                                  # on what is kept in corpus
//! cargo +nightly fuzz run --fuzz-dir examples/fuzz --features libfuzzer redis -- -max_len=256
//! ```

#![forbid(unsafe_code)]

use millpond_core::testing::EveryCut;
use millpond_examples::redis::{Parser, parse};

/// However short the lines of a server may be.
const LIMIT: usize = 64;

/// Whatever comes, both forms of the parser make the same of it, however it is cut, and neither takes half a
/// value for a whole one.
///
/// # Panics
///
/// If they do not.
pub fn redis(data: &[u8]) {
    let cuts = EveryCut::new(data).limit(LIMIT).whole_messages();
    let with_state = cuts.check(Parser::default, Parser::parse);
    let without = cuts.check(|| (), |(), reader| parse(reader));
    assert_eq!(with_state.messages, without.messages);
    assert_eq!(with_state.error.is_some(), without.error.is_some());
}
