//! millpond in a deterministic world.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod check;
mod choice;
mod connection;
mod fault;
mod host;
mod port;
mod run;
mod script;
mod settings;
mod sim;
mod socket;
mod task;
mod trace;
mod world;
mod world_handle;

pub use millpond::*;

pub use crate::{
    check::check,
    fault::{Direction, Fault},
    host::Host,
    run::{Run, Stuck},
    script::{Departure, Script},
    sim::Sim,
    trace::Trace,
    world_handle::{World, world},
};

millpond::functions!(
    "millpond_sim",
    world_handle::current_host().runtime(),
    /// # Panics
    ///
    /// Outside of [`Sim::run`], and on other threads.
);
