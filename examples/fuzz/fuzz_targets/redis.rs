//! [`millpond_examples_fuzz::redis()`] for cargo-fuzz.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millpond_examples_fuzz::redis(data));
