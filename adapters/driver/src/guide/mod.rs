//! Guides.
//!
//! | guide | for |
//! |---|---|
//! | [`from_asyncio`] | users of asyncio's streams: what is the same, what differs and why, and every name with its counterpart |
//! | [`from_tokio`](mod@from_tokio) | users of tokio and futures: what they call, with ours beside it, hyper and axum, and when not to use millpond |
//! | [`writing_a_protocol`](mod@writing_a_protocol) | who reads and writes messages of a protocol's own: a parser, and its tests from every cut to worlds with faults |

#[doc = include_str!("../../docs/from_asyncio.md")]
// Where the names are that this build leaves out.
#[cfg_attr(not(feature = "__tls"), doc = include_str!("../../docs/links_without_tls.md"))]
pub mod from_asyncio {}

// Its programs need crates that this one does not: they are run elsewhere.
#[cfg_attr(not(doctest), doc = include_str!("../../docs/from_tokio.md"))]
pub mod from_tokio {}

// As are these.
#[cfg_attr(not(doctest), doc = include_str!("../../docs/writing_a_protocol.md"))]
pub mod writing_a_protocol {}

// What the guides link to.
#[cfg(doc)]
#[allow(unused_imports)]
use crate::{error::*, types::*, *};
