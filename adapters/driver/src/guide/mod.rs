//! Guides.
//!
//! | guide | for whom |
//! |---|---|
//! | [`from_asyncio`] | users of asyncio's streams: what is the same, what differs and why, and every name with its counterpart |

#[doc = include_str!("../../docs/from_asyncio.md")]
// Where the names are that this build leaves out.
#[cfg_attr(not(feature = "__tls"), doc = include_str!("../../docs/links_without_tls.md"))]
pub mod from_asyncio {}

// What the guides link to.
#[cfg(doc)]
#[allow(unused_imports)]
use crate::*;
