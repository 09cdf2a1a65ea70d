//! Makes a world that failed small.

mod passes;
mod plan;
pub(crate) mod smallest;
