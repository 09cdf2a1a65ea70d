//! One suite of tests that any runtime adapter of [`millpond`] passes, and conversations with a
//! reader that can be recorded, replayed and compared with CPython.
//!
//! # Overview
//!
//! An adapter implements [`millpond::Runtime`]: how its runtime opens sockets, waits and spawns.
//! This crate tests whether that is right. Make it a dev-dependency, say in `tests/conformance.rs`
//! how a future is run on the runtime, and call the macro:
//!
//! ```
//! use std::sync::Arc;
//!
//! use millpond_conformance::{Harness, Scenario, suite};
//! use millpond_smol::Smol; // the adapter that is tested
//!
//! struct OnSmol;
//!
//! impl Harness for OnSmol {
//!     fn run(scenario: Scenario) {
//!         smol::block_on(scenario.on(Arc::new(Smol)));
//!     }
//! }
//!
//! suite!(OnSmol);
//! # fn main() {}
//! ```
//!
//! That is a test for each scenario on each transport, with a name of its own. For authors of an
//! adapter there is a [guide](guide::adapters), with one to start from and the traps on the way.
//!
//! # What is tested
//!
//! Each scenario is written once, for two connected streams, and runs on every transport:
//!
//! | group | the two streams are |
//! |---|---|
//! | `tcp` | a connection of `open_connection` to `start_server`, on loopback |
//! | `unix` | the same on a unix socket, where there are such |
//! | `sock` | a socket pair of the standard library, taken over |
//! | `memory`, `narrow` | a pair in memory; `narrow` holds one byte on its way |
//! | `futures_io` | two futures-io streams |
//! | `drip`, `hesitant` | sockets that give and take one byte a call; `hesitant` ones also say now and then, for no reason, that they are not ready |
//! | `tls`, `tls12` | as `tcp`, with TLS from the first byte; `tls12` with version 1.2 |
//! | `start_tls`, `tls_memory` | as `tcp` and `memory`, but TLS has begun in the middle |
//!
//! Three groups, `tcp_server`, `unix_server` and `tls_server`, are about serving; `tls_runtime` is
//! about how TLS begins and ends; `runtime` is about what can be connected to, and what the driver
//! needs of an adapter otherwise. `sock` and `system` need the system's own sockets, files and pipes,
//! which a runtime in memory does not have.
//!
//! A runtime that lacks something names the groups it has:
//!
//! ```
//! # use std::sync::Arc;
//! # use millpond_conformance::{Harness, Scenario};
//! # struct NoUnix;
//! # impl Harness for NoUnix {
//! #     fn run(scenario: Scenario) {
//! #         smol::block_on(scenario.on(Arc::new(millpond_smol::Smol)));
//! #     }
//! # }
//! millpond_conformance::suite!(NoUnix: tcp, memory, narrow, tcp_server, runtime);
//! # fn main() {}
//! ```
//!
//! # When a test fails
//!
//! Its name says what should have been, `tcp::closing::close_delivers_what_is_queued` for
//! instance. If a scenario is right on `memory`, which has no socket, and wrong elsewhere, the
//! sockets are to blame; if it is wrong on `drip` or `hesitant` alone, look for bytes or wake-ups
//! that get lost when an operation is cut short.
//!
//! A scenario that hangs fails, too: each has 60 s, by a clock that is not the runtime's. The
//! environment variable `MILLPOND_TIME_LIMIT` sets another number of seconds.
//!
//! Scenarios use the loopback interface, ports that the system chooses, temporary directories, and on
//! unix the programs `cat`, `mkfifo` and `sh`.
//!
//! # Traces
//!
//! The module [`trace`] keeps what a reader was fed and asked as a file that replays without a
//! socket, and compares it with what CPython does. There is a command for all of it:
//! `millpond-conformance --help`. It is built with the feature `cli`, which is on by default; an
//! adapter's tests do without:
//!
//! ```toml
//! [dev-dependencies]
//! millpond-conformance = { version = "0.1", default-features = false }
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod ask;
mod bridge;
mod certificates;
mod data;
mod drip;
pub mod guide;
mod harness;
mod meddler;
mod place;
mod polling;
mod scenarios;
mod setup;
mod suite;
pub mod trace;

pub use harness::{Harness, Scenario, run};

/// What the macro expands to.
#[doc(hidden)]
pub mod __private {
    pub use crate::{harness::check, place::Place, setup::Setup, suite::boxed};
}
