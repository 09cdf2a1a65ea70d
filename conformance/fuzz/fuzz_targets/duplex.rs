//! [`millpond_fuzz::duplex()`] for cargo-fuzz.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millpond_fuzz::duplex(data));
