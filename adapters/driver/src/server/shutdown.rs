//! Shutting a server down, stage by stage.

use super::serving::Serving;
use crate::connection::Connection;

/// How a server's shutdown begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shutting {
    /// Handlers have their time, and so have their streams.
    Down,
    /// Streams are aborted.
    Aborted,
}

/// How many connections it took which stage to end, when a server was shut down; given by [`Server::shutdown`](crate::Server::shutdown).
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
    /// Those that were closed, because their handlers had not ended in time, or what those had
    /// written was not delivered.
    pub closed: usize,
    /// Those that had not ended in time even then: their handlers were cancelled, and what was not
    /// delivered is lost.
    pub cancelled: usize,
    /// Those whose handlers still run, because they never wait.
    pub left: usize,
}

impl Serving {
    /// Each stage has its time, and the next one is for those who have not ended within it.
    pub(crate) async fn shutdown(&self, how: Shutting) -> Shutdown {
        let mut shutdown = Shutdown::default();
        self.close();
        match how {
            Shutting::Aborted => {
                self.for_each_client(Connection::abort);
            }
            Shutting::Down => {
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
