//! What is counted over many worlds: names that were true, values, faults; and the report of it.

mod current;
pub mod marks;
pub(crate) mod report;
pub(crate) mod sightings;
#[allow(
    clippy::module_inception,
    reason = "the room is named after what it holds"
)]
pub(crate) mod tally;

pub(crate) use current::Counting;
