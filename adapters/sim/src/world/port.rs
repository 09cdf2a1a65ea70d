//! Listening, and accepting connections.

use std::{
    io::{self, ErrorKind},
    iter,
    net::SocketAddr,
    path::Path,
    task::{Context, Poll, Waker},
};

use millpond::{Address, adapter::ListenOptions};

use crate::{
    struck::{Cause, What},
    trace::event::{End, Event},
    world::{
        backlog::{Backlog, FIRST_BACKLOG, File, Port, places},
        state::{FIRST_PORT, State},
        task::Wait,
    },
};

/// Taking an address.
impl State {
    pub(crate) fn bind(
        &mut self,
        host: u32,
        address: &Address,
        options: &ListenOptions,
    ) -> io::Result<usize> {
        let id = self.next_port_id;
        let mut port = Port {
            host,
            address: address.clone(),
            options: options.clone(),
            backlog: None,
        };
        match address {
            Address::Tcp(address) => {
                port.address = self.free_address(host, *address, options)?.into();
            }
            Address::Unix(Some(path)) => {
                self.make_room(host, path)?;
                self.files.insert((host, path.clone()), File::Socket(id));
                // Clients can connect as soon as the path is there.
                port.backlog = Some(Backlog::new(FIRST_BACKLOG));
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Address::Abstract(_) => {
                if self.find_port(host, address, |_| true).is_some() {
                    return Err(ErrorKind::AddrInUse.into());
                }
            }
            _ => return Err(ErrorKind::Unsupported.into()),
        }
        self.ports.insert(id, port);
        self.next_port_id += 1;
        Ok(id)
    }

    pub(super) fn free_address(
        &mut self,
        host: u32,
        address: SocketAddr,
        options: &ListenOptions,
    ) -> io::Result<SocketAddr> {
        let ip = address.ip();
        if !ip.is_unspecified() && !self.has_address(host, ip) {
            return Err(ErrorKind::AddrNotAvailable.into());
        }
        if address.port() != 0 {
            return if self.is_taken(host, address, options.reuse_port) {
                Err(ErrorKind::AddrInUse.into())
            } else {
                Ok(address)
            };
        }
        self.next_free(host, address, |_, _| true)
            .ok_or_else(|| ErrorKind::AddrInUse.into())
    }

    /// The address with the next port that is not taken, and `usable`.
    pub(super) fn next_free(
        &mut self,
        host: u32,
        mut address: SocketAddr,
        usable: impl Fn(&Self, SocketAddr) -> bool,
    ) -> Option<SocketAddr> {
        for _ in FIRST_PORT..=u16::MAX {
            address.set_port(self.next_port(host));
            if usable(self, address) && !self.is_taken(host, address, false) {
                return Some(address);
            }
        }
        None
    }

    pub(super) fn is_taken(&self, host: u32, address: SocketAddr, shared: bool) -> bool {
        self.ports.values().any(|port| {
            let Some(taken) = port.address.tcp() else {
                return false;
            };
            port.host == host
                && taken.port() == address.port()
                && taken.is_ipv4() == address.is_ipv4()
                && (taken.ip() == address.ip()
                    || taken.ip().is_unspecified()
                    || address.ip().is_unspecified())
                && !(shared && port.options.reuse_port)
        })
    }

    pub(super) fn next_port(&mut self, host: u32) -> u16 {
        let host = &mut self.hosts[host as usize];
        let port = host.next_port;
        host.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
        port
    }

    /// Removes what a dead server has left at a path.
    fn make_room(&mut self, host: u32, path: &Path) -> io::Result<()> {
        let key = (host, path.to_owned());
        let why = match self.files.get(&key) {
            None => return Ok(()),
            Some(File::Socket(id)) if !self.ports.contains_key(id) => {
                self.files.remove(&key);
                return Ok(());
            }
            Some(File::Socket(_)) => "a server listens on it",
            Some(File::Regular) => "it is a regular file",
        };
        Err(io::Error::new(ErrorKind::AddrInUse, why))
    }

    pub(crate) fn port(&self, id: usize) -> Option<&Port> {
        self.ports.get(&id)
    }
}

/// Listening.
impl State {
    pub(crate) fn listen(&mut self, id: usize, backlog: u32) {
        let Some(port) = self.ports.get_mut(&id) else {
            return;
        };
        match &mut port.backlog {
            Some(listening) => listening.max = places(backlog),
            None => port.backlog = Some(Backlog::new(backlog)),
        }
    }

    pub(crate) fn poll_accept(&mut self, id: usize, cx: &Context<'_>) -> Poll<io::Result<End>> {
        if self.is_spuriously_pending(cx) {
            return Poll::Pending;
        }
        let port = self.ports.get_mut(&id);
        let Some(backlog) = port.and_then(|port| port.backlog.as_mut()) else {
            return Poll::Ready(Err(ErrorKind::InvalidInput.into()));
        };
        if let Some(error) = backlog.errors.pop_front() {
            self.note(Event::AcceptFailed(id as u64));
            return Poll::Ready(Err(error.into()));
        }
        if let Some(connection) = backlog.queue.pop_front() {
            self.note(Event::Accepted(connection));
            return Poll::Ready(Ok(End::server(connection)));
        }
        self.deferred.register(&mut backlog.acceptor, cx.waker());
        self.waits.push(Wait::Accept(id));
        Poll::Pending
    }

    /// Ends listening. The connections that wait to be accepted are reset.
    pub(crate) fn close_port(&mut self, id: usize) {
        let Some(port) = self.ports.remove(&id) else {
            return;
        };
        if let Address::Unix(Some(path)) = &port.address {
            let key = (port.host, path.clone());
            if port.options.cleanup_socket && self.files.get(&key) == Some(&File::Socket(id)) {
                self.files.remove(&key);
            }
        }
        let Some(backlog) = port.backlog else { return };
        self.deferred.wake(backlog.acceptor);
        for connection in backlog.queue {
            self.refuse_late(End::server(connection));
        }
    }

    pub(super) fn take_acceptors(&mut self) -> Vec<Waker> {
        let ports = self.ports.values_mut();
        let backlogs = ports.filter_map(|port| port.backlog.as_mut());
        backlogs
            .filter_map(|backlog| backlog.acceptor.take())
            .collect()
    }

    /// Makes the next calls of accept fail.
    pub(crate) fn fail_accepts(&mut self, kind: ErrorKind, times: usize) {
        self.strike(Cause::Program, What::AcceptErrors(kind, times));
        let ids: Vec<_> = self.ports.keys().copied().collect();
        for id in ids {
            self.fail_accepts_of(id, kind, times);
        }
    }

    pub(super) fn fail_accepts_of(&mut self, id: usize, kind: ErrorKind, times: usize) {
        let port = self.ports.get_mut(&id);
        if let Some(backlog) = port.and_then(|port| port.backlog.as_mut()) {
            backlog.errors.extend(iter::repeat_n(kind, times));
            self.deferred.wake(backlog.acceptor.take());
        }
    }
}
