//! Guides.
//!
//! | guide | for whom |
//! |---|---|
//! | [`adapters`] | who has a runtime: an adapter to start from, what it must do, the traps, and what a failure tells |

#[doc = include_str!("../docs/adapters.md")]
pub mod adapters {}
