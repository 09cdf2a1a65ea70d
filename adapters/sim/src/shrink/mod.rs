//! Makes a world that failed small.

pub(crate) mod outcome;
mod passes;
mod plan;
pub(crate) mod quiet;
pub(crate) mod smallest;
