//! How far opening a connection has come, for the error that says so.

use std::{
    io, mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{open_error::OpenError, socket::Address};

/// Written by the opening, read when it times out.
#[derive(Default)]
pub(crate) struct Progress(Mutex<Stage>);

#[derive(Default)]
struct Stage {
    /// Those that were tried and have not answered.
    unanswered: Vec<Address>,
    failed: Vec<(Address, io::Error)>,
    /// The peer with which TLS is begun.
    connected: Option<String>,
}

impl Progress {
    pub(crate) fn started(&self, address: &Address) {
        self.lock().unanswered.push(address.clone());
    }

    pub(crate) fn failed(&self, address: &Address, error: io::Error) {
        let mut stage = self.lock();
        stage.unanswered.retain(|other| other != address);
        stage.failed.push((address.clone(), error));
    }

    /// TLS is begun with this peer.
    pub(crate) fn connected(&self, peer: &Option<Address>) {
        let peer = peer.as_ref().map(Address::to_string);
        self.lock().connected = Some(peer.unwrap_or_else(|| "the peer".to_owned()));
    }

    /// Nothing is left to be tried.
    pub(crate) fn lost(&self) -> OpenError {
        let attempts = mem::take(&mut self.lock().failed);
        OpenError::Connect { attempts }
    }

    pub(crate) fn timed_out(self, target: String, timeout: Duration) -> OpenError {
        let stage = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let waiting_for = match (&stage.connected, &stage.unanswered[..]) {
            (Some(peer), _) => format!("the TLS handshake with {peer}"),
            (None, []) => "the addresses of the host".to_owned(),
            (None, addresses) => {
                let addresses: Vec<_> = addresses.iter().map(Address::to_string).collect();
                format!("an answer from {}", addresses.join(" and from "))
            }
        };
        OpenError::TimedOut {
            target,
            timeout,
            waiting_for,
            attempts: stage.failed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
