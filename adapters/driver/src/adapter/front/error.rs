//! Every error. The three that most programs meet are at the root, too.

pub use crate::open_error::OpenError;
pub use crate::runtime::TimedOut;
pub use crate::server::{BoxError, HandlerError, HandlerErrorCause};
pub use crate::stream::{CopyError, CopyErrorCause, IntoInnerError, ReuniteError};
#[cfg(feature = "__tls")]
pub use crate::tls::TlsError;
pub use millpond_core::{EmptySeparator, ReadError, TransportError, Truncated, WriteError};
