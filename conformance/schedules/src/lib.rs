//! The driver as it is, under one schedule after the other: with `--cfg millpond_shuttle` its locks,
//! atomics and wakers are those of shuttle, which decides at each of them which thread goes on.
//!
//! A scenario is a few threads and what must hold of them whatever the schedule. Nothing may be left
//! waiting: a schedule in which no thread can go on has failed. There is no clock that could hide that: a
//! timer only ends where a scenario says so.

#![cfg(all(test, millpond_shuttle))]

mod closing;
mod coalescing;
mod explore;
mod feeding;
mod memory;
mod pairs;
mod receiving;
mod serving;
mod traits;
mod world;
mod writing;

// What a runtime may lack is that of the driver's own tests.
#[path = "../../../adapters/driver/tests/support/lacking.rs"]
mod lacking;
