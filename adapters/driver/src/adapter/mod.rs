//! What only authors of adapters need: an adapter is how one runtime opens sockets,
//! waits and spawns.
//!
//! It implements [`Runtime`] with the traits and types here, calls [`functions!`], and hands on the
//! names of its users, which are in [`front`]. Those of runtimes that use the system's sockets find most
//! of the work done in [`os`]. The crate `millpond-conformance` says whether an adapter is right, and has
//! a guide to writing one.
//!
//! ```text
//! pub use millpond::adapter::front::*;
//!
//! millpond::adapter::functions!("millpond_smol", std::sync::Arc::new(Smol));
//! ```
//!
//! [`Runtime`]: crate::Runtime

pub mod front;
mod functions;

#[doc(inline)]
pub use crate::__functions as functions;
#[cfg(unix)]
pub use crate::socket::StdPipe;
pub use crate::{
    runtime::{BoxFuture, Lookup, Spawn},
    socket::{
        Bound, ConnectOptions, ListenOptions, Listener, Socket, SocketOptions, StdListener,
        StdSocket,
    },
};
#[doc(hidden)] // for `functions`
pub use futures_io;

/// The system's sockets, for adapters of runtimes that use them.
///
/// An adapter is left with what differs between runtimes: registering a socket, waiting until it is
/// ready, and running what blocks elsewhere.
pub mod os {
    pub use crate::os::*;
}
