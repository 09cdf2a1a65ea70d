//! Runs a test once more in a world, quietly.

pub(crate) mod outcome;
pub(crate) mod quiet;
