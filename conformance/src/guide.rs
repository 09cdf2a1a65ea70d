//! Guides.
//!
//! | guide | for |
//! |---|---|
//! | [`adapters`] | authors of adapters: an adapter to start from, what it must do, the traps, and what a failure means |

#[doc = include_str!("../docs/adapters.md")]
pub mod adapters {}
