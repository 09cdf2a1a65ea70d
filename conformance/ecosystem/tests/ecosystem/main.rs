//! millpond's streams under the crates, and against the servers, that others wrote.
//!
//! `talk` has what both sides of a protocol say. `real` has it over sockets, on each runtime, plain
//! and over TLS; `worlds` in simulated worlds in which anything may fail.

#[path = "../../../tests/common/mod.rs"]
mod common;
mod real;
mod talk;
mod worlds;
