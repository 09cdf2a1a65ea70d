//! Shutting a server down, stage by stage.

use super::serving::Serving;
use crate::connection::Connection;

/// How a server shuts down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ShutdownMode {
    /// Handlers may finish, then streams may be flushed, each within the shutdown timeout.
    Graceful,
    /// Streams are aborted.
    Immediate,
}

/// How many connections were ended by which stage of a shutdown; returned by [`Server::shutdown`](crate::Server::shutdown).
///
/// ```no_run
/// # async fn example(server: millpond::Server) {
/// let shutdown = server.shutdown().await;
/// if shutdown.cancelled > 0 {
///     eprintln!("{} connections did not end by themselves", shutdown.cancelled);
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Shutdown {
    /// Those that were closed at the deadline of the first stage: the handler had not finished, or its
    /// writes were not delivered.
    pub closed: usize,
    /// Those that had not ended by the deadline of the second stage: their handlers were cancelled, and
    /// undelivered bytes are lost.
    pub cancelled: usize,
    /// Those whose handlers still run, because they never yield.
    pub left: usize,
}

impl Serving {
    /// Each stage has a deadline; the next one is for the connections that have not ended by then.
    pub(crate) async fn shutdown(&self, mode: ShutdownMode) -> Shutdown {
        let mut shutdown = Shutdown::default();
        self.close();
        self.end_accepting();
        match mode {
            ShutdownMode::Immediate => {
                self.for_each_client(Connection::abort);
            }
            ShutdownMode::Graceful => {
                self.for_each_client(|client| client.begin_shutdown(self.config.idle_reads));
                if self.ended_in_time().await {
                    return shutdown;
                }
                shutdown.closed = self.for_each_client(Connection::close);
            }
        }
        if self.ended_in_time().await {
            return shutdown;
        }
        shutdown.cancelled = self.cancel_clients();
        self.ended_in_time().await;
        shutdown.left = self.clients();
        shutdown
    }

    async fn ended_in_time(&self) -> bool {
        let ended = self.ended();
        crate::runtime::timeout(&*self.runtime, self.config.shutdown_timeout, ended)
            .await
            .is_ok()
    }
}
