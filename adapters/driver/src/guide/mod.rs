//! Guides.
//!
//! | guide | for whom |
//! |---|---|
//! | [`from_asyncio`] | who knows asyncio's streams: what is the same, what differs and why, and every name with its counterpart |

#[doc = include_str!("../../docs/from_asyncio.md")]
pub mod from_asyncio {}

// What the guides link to.
#[cfg(doc)]
#[allow(unused_imports)]
use crate::*;
