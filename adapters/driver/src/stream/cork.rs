//! Holding small writes back, so that they leave together.

use std::sync::Arc;

use crate::connection::Connection;

/// Holds small writes back while it lives, so that they leave together when it is dropped; made by
/// [`StreamWriter::cork`](crate::StreamWriter::cork).
///
/// Nothing that was written is lost with it, and nothing can wait for itself. What is held back
/// leaves earlier
///
/// * when more is queued than the high watermark, or the write cap would be exceeded,
/// * together with a write of 8 KiB or more,
/// * when a task waits for it to be sent: in a [`flush`](crate::StreamWriter::flush), a
///   [`drain`](crate::StreamWriter::drain) that is not done at once, or a
///   [`wait_closed`](crate::StreamWriter::wait_closed),
/// * before a read asks the socket: a reply does not wait for the next request,
/// * with the end of the stream, behind which nothing can follow.
///
/// There may be several at a time: what is held back waits for the last one. A cork does nothing to a
/// stream that is closed, aborted or has failed, and does not keep one whose halves are gone.
///
/// A handler of [`start_server`](crate::start_server) needs none: what it writes before it waits is
/// held back anyway.
#[derive(Debug)]
#[must_use = "writes are held back only as long as it lives"]
pub struct Cork(Arc<Connection>);

impl Cork {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        connection.cork();
        Self(connection)
    }
}

impl Drop for Cork {
    fn drop(&mut self) {
        self.0.uncork();
    }
}
