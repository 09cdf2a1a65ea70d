//! What happened in a world as a diagram: read from its lines, laid out, and drawn for a terminal or as a
//! page.

mod build;
mod flow;
mod label;
mod lanes;
mod line;
mod model;
mod page;
#[allow(
    clippy::module_inception,
    reason = "the room is named after its public type"
)]
pub(crate) mod picture;
mod text;
