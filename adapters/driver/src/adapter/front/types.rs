//! Types that calls take and return, and that programs seldom name: what is awaited, what is lent, and
//! the values of options.

pub use crate::client::{Connect, OpenConnection};
#[cfg(unix)]
pub use crate::client::{ConnectPipe, ReadPipe, WritePipe};
pub use crate::connection::{Closed, ShutdownRequested};
pub use crate::runtime::Family;
pub use crate::server::{HandlerOutput, Incoming, Shutdown, StartServer};
#[cfg(feature = "__tls")]
pub use crate::socket::TlsInfo;
pub use crate::socket::{ExtraInfo, FuturesIo, Info, KeepAlive, SystemHandle};
pub use crate::stream::{Chunks, CopyBidirectional, CopyProgress, Cork, Feeder, Lines, Messages};
#[cfg(feature = "__tls")]
pub use crate::stream::{StartTls, TlsSide};
pub use millpond_core::{Request, Status};
