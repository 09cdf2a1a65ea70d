//! What must hold whatever comes: one function for each fuzz target, which panics if it does not.
//!
//! `fuzz_targets` gives them to cargo-fuzz, and a test runs them on the inputs under `corpus`.

#![forbid(unsafe_code)]

mod duplex;
mod happy_eyeballs;
mod input;
mod racing;
mod reader;
mod receiving;
mod sending;
mod separators;
mod speech;
mod trace;
mod writer;

// The plain models are those of the core's own tests.
#[path = "../../../core/tests/support/act.rs"]
mod act;
#[path = "../../../core/tests/support/operate.rs"]
mod operate;
#[path = "../../../core/tests/support/mod.rs"]
mod support;

// What a runtime may lack is that of the driver's.
#[path = "../../../adapters/driver/tests/support/lacking.rs"]
mod lacking;

// And giving up is that of the worlds'.
#[path = "../../../adapters/sim/tests/support/cancel.rs"]
mod cancel;

pub use crate::{
    duplex::duplex, happy_eyeballs::happy_eyeballs, reader::reader, separators::separators,
    trace::trace, writer::writer,
};

/// What a fuzz target does with its input.
pub type Target = fn(&[u8]);

/// Each target and its name.
pub const TARGETS: [(&str, Target); 6] = [
    ("duplex", duplex),
    ("happy_eyeballs", happy_eyeballs),
    ("reader", reader),
    ("separators", separators),
    ("trace", trace),
    ("writer", writer),
];
