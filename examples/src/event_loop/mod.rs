//! A runtime of one's own, and the adapter that makes it one of millpond's.
//!
//! The [runtime](EventLoop) has an executor, timers and a reactor, on one thread, as asyncio's event loop
//! does. The adapter is what `millpond_conformance::guide::adapters` explains; the test `event_loop` runs
//! the whole conformance suite on it.

mod adapter;
mod readiness;
mod runtime;
mod watched;

pub use runtime::{EventLoop, run};
