//! Giving the socket of a connection back.

use std::io;

use millpond_core::WriteError;

use super::{Connection, ending::Failure};
use crate::socket::Socket;

impl Connection {
    /// Ends the connection, and gives what `take` makes of its socket and what was read ahead of the
    /// reader. After an error the stream goes on.
    ///
    /// # Errors
    ///
    /// If there is no socket any more, if something waits to be sent, or what `take` fails with.
    pub(crate) fn give_back<T>(
        &self,
        take: impl FnOnce(&dyn Socket) -> io::Result<T>,
    ) -> io::Result<(T, Vec<u8>)> {
        let mut receiving = self.receiving();
        let sending = self.lock();
        let end_is_unsent = match sending.core.writable() {
            Ok(()) => false,
            Err(WriteError::Finished) => !sending.core.is_finished(),
            Err(error) => return Err(error.into()),
        };
        let Some(socket) = sending.socket.clone() else {
            return Err(io::ErrorKind::NotConnected.into()); // it is being exchanged
        };
        let unsent = sending.core.queued();
        if unsent > 0 || end_is_unsent || socket.wants_flush() {
            let end = if end_is_unsent { ", and the end" } else { "" };
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("{unsent} bytes{end} are queued: flush the stream first"),
            ));
        }
        let taken = take(&*socket)?;
        // Under the lock, so that no task reads what is for the next owner of the socket.
        let detached = receiving.detach();
        let ahead = receiving.take_ahead();
        drop(receiving);
        drop(sending);
        self.fail(Failure::GivenBack);
        drop((detached, socket));
        Ok((taken, ahead))
    }
}
