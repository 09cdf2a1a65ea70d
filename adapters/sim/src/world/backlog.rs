//! An address that is taken, and the connections that wait there to be accepted.

use std::{collections::VecDeque, io::ErrorKind, task::Waker};

use millpond::{Address, adapter::ListenOptions};

/// How many connections may wait at a unix path until its server sets that itself.
pub(super) const FIRST_BACKLOG: u32 = 4096;

/// Linux takes no more.
const MAX_BACKLOG: u32 = 4096;

/// An address that is taken.
pub(crate) struct Port {
    pub(super) host: u32,
    pub(crate) address: Address,
    pub(super) options: ListenOptions,
    pub(super) backlog: Option<Backlog>,
}

/// The connections that wait to be accepted.
pub(super) struct Backlog {
    pub(super) max: usize,
    pub(super) queue: VecDeque<u32>,
    pub(super) errors: VecDeque<ErrorKind>,
    pub(super) acceptor: Option<Waker>,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum File {
    /// The socket of a port, which may be gone.
    Socket(usize),
    Regular,
}

impl Port {
    /// Cancels the errors of accepting that have not occurred yet.
    pub(super) fn cancel_errors(&mut self) {
        if let Some(backlog) = &mut self.backlog {
            backlog.errors.clear();
        }
    }
}

impl Backlog {
    pub(super) fn new(backlog: u32) -> Self {
        Self {
            max: places(backlog),
            queue: VecDeque::new(),
            errors: VecDeque::new(),
            acceptor: None,
        }
    }
}

/// Linux has room for one more than the server asks for.
pub(super) fn places(backlog: u32) -> usize {
    backlog.min(MAX_BACKLOG) as usize + 1
}
