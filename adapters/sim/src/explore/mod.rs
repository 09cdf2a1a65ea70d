//! Looks for worlds that show something new, from where others have shown it.
//!
//! The choices until that moment are kept: the next world makes the same ones, and draws anew from there.

pub(crate) mod corpus;
pub(crate) mod explorer;
pub(crate) mod limit;
mod spots;
