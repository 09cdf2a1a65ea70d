//! Addresses that are listened on, and those who connect to them.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    task::{Context, Poll, Waker},
};

use millpond::{Address, ConnectOptions, ListenOptions, SocketOptions};

use crate::{
    connection::{Connection, EndState, Pipe, Transport},
    fault::Kind,
    task::Wait,
    trace::{End, Event},
    world::{Afterwards, FIRST_PORT, State},
};

/// As many connections wait at a unix path until its server says how many may.
const FIRST_BACKLOG: u32 = 4096;

/// As Linux cuts it.
const MAX_BACKLOG: u32 = 4096;

/// The protocols below streams: any, TCP and MPTCP.
const STREAMS: [i32; 3] = [0, 6, 262];

/// An address that is taken.
pub(crate) struct Port {
    host: u32,
    pub(crate) address: Address,
    options: ListenOptions,
    backlog: Option<Backlog>,
}

/// Those who wait to be accepted.
struct Backlog {
    max: usize,
    queue: VecDeque<u32>,
    errors: VecDeque<ErrorKind>,
    acceptor: Option<Waker>,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum File {
    /// The socket of a port, which may be gone.
    Socket(usize),
    Regular,
}

/// Listening.
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
                // It is found as soon as it is there.
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

    fn free_address(
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
        let mut address = address;
        for _ in FIRST_PORT..=u16::MAX {
            address.set_port(self.next_port(host));
            if !self.is_taken(host, address, false) {
                return Ok(address);
            }
        }
        Err(ErrorKind::AddrInUse.into())
    }

    fn is_taken(&self, host: u32, address: SocketAddr, shared: bool) -> bool {
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

    fn next_port(&mut self, host: u32) -> u16 {
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

    pub(crate) fn listen(&mut self, id: usize, backlog: u32) {
        let Some(port) = self.ports.get_mut(&id) else {
            return;
        };
        match &mut port.backlog {
            Some(listening) => listening.max = places(backlog),
            None => port.backlog = Some(Backlog::new(backlog)),
        }
    }

    pub(crate) fn poll_accept(
        &mut self,
        id: usize,
        cx: &Context<'_>,
        after: &mut Afterwards,
    ) -> Poll<io::Result<End>> {
        if self.choices.one_in(self.settings.hesitation) {
            after.wake(Some(cx.waker().clone()));
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
            return Poll::Ready(Ok(End {
                connection,
                side: 1,
            }));
        }
        after.wait(&mut backlog.acceptor, cx.waker());
        self.waits.push(Wait::Accept(id));
        Poll::Pending
    }

    /// Nobody listens any more. Those who wait to be accepted are reset.
    pub(crate) fn close_port(&mut self, id: usize, after: &mut Afterwards) {
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
        after.wake(backlog.acceptor);
        for connection in backlog.queue {
            let end = End {
                connection,
                side: 1,
            };
            self.refuse_late(end, after);
            self.close(end, after);
        }
    }

    pub(crate) fn take_acceptors(&mut self) -> Vec<Waker> {
        let ports = self.ports.values_mut();
        let backlogs = ports.filter_map(|port| port.backlog.as_mut());
        backlogs
            .filter_map(|backlog| backlog.acceptor.take())
            .collect()
    }

    /// Makes the next calls of accept fail.
    pub(crate) fn fail_accepts(&mut self, kind: ErrorKind, times: usize, after: &mut Afterwards) {
        let ids: Vec<_> = self.ports.keys().copied().collect();
        for id in ids {
            self.fail_accepts_of(id, kind, times, after);
        }
    }

    fn fail_accepts_of(
        &mut self,
        id: usize,
        kind: ErrorKind,
        times: usize,
        after: &mut Afterwards,
    ) {
        let port = self.ports.get_mut(&id);
        if let Some(backlog) = port.and_then(|port| port.backlog.as_mut()) {
            backlog.errors.extend(std::iter::repeat_n(kind, times));
            after.wake(backlog.acceptor.take());
        }
    }
}

impl Port {
    /// Accepting does not fail any more.
    pub(crate) fn spare(&mut self) {
        if let Some(backlog) = &mut self.backlog {
            backlog.errors.clear();
        }
    }
}

impl Backlog {
    fn new(backlog: u32) -> Self {
        Self {
            max: places(backlog),
            queue: VecDeque::new(),
            errors: VecDeque::new(),
            acceptor: None,
        }
    }
}

/// Linux has room for one more than it is told.
fn places(backlog: u32) -> usize {
    backlog.min(MAX_BACKLOG) as usize + 1
}

/// Connecting.
impl State {
    /// Attempts are numbered when they begin.
    pub(crate) fn begin_attempt(&mut self, target: Option<SocketAddr>) -> u32 {
        let number = self.next_connection;
        self.next_connection = number.checked_add(1).expect("fewer than 2^32 connections");
        self.note(Event::Connecting(number, target));
        number
    }

    /// The request to connect reaches whoever it is for. `None` is no answer.
    pub(crate) fn attempt(
        &mut self,
        number: u32,
        from: u32,
        target: &Address,
        options: &ConnectOptions,
        after: &mut Afterwards,
    ) -> io::Result<Option<End>> {
        let is_tcp = target.tcp().is_some();
        match self.fault_of_attempt(number, target.tcp()) {
            Some(Kind::Refuse) => return Err(self.refuse(number)),
            Some(Kind::BlackHole) => return Ok(self.lose(number)),
            Some(Kind::Stream(_)) | None => {}
        }
        if is_tcp && !options.protocol.is_none_or(|it| STREAMS.contains(&it)) {
            let why = "there is no such protocol for streams";
            return Err(io::Error::new(ErrorKind::Unsupported, why));
        }
        let (to, target) = self.route(from, target)?;
        if self.is_cut(from, to) {
            return Ok(self.lose(number));
        }
        let Some(id) = self.find_server(to, &target)? else {
            return Err(self.refuse(number));
        };
        let local = self.local_address(from, to, &target, options)?;
        let backlog = self.ports.get(&id).and_then(|port| port.backlog.as_ref());
        match backlog {
            None => return Err(self.refuse(number)),
            Some(backlog) if backlog.queue.len() < backlog.max => {}
            Some(_) if is_tcp => return Ok(self.lose(number)), // until there is room
            Some(_) => return Err(ErrorKind::WouldBlock.into()),
        }
        let ends = [EndState::new(from, local), EndState::new(to, target)];
        self.connect(number, ends, id, options, after);
        self.draw_outage(from, to);
        if let Some((kind, times)) = self.draw_accept_errors() {
            self.fail_accepts_of(id, kind, times, after);
        }
        Ok(Some(End {
            connection: number,
            side: 0,
        }))
    }

    /// What the plan, or chance, has in store for an attempt. What is within one system is not lost.
    fn fault_of_attempt(&mut self, number: u32, target: Option<SocketAddr>) -> Option<Kind> {
        let can_be = |kind: &Kind| match kind {
            Kind::Refuse => true,
            Kind::BlackHole => target.is_some(),
            Kind::Stream(_) => false,
        };
        let faults = self.faults.iter();
        let faults = faults.filter(|fault| fault.strikes(number, target));
        let planned = faults.map(|fault| fault.kind).find(can_be);
        let fault = planned.or_else(|| self.draw_connect_fault().filter(can_be))?;
        self.note(Event::Faulted(number, fault.name()));
        Some(fault)
    }

    /// Makes a connection, which waits to be accepted.
    fn connect(
        &mut self,
        number: u32,
        ends: [EndState; 2],
        id: usize,
        options: &ConnectOptions,
        after: &mut Afterwards,
    ) {
        let port = self.ports.get_mut(&id).expect("somebody listens there");
        let server_options = port.options.socket.clone();
        let backlog = port.backlog.as_mut().expect("somebody listens there");
        backlog.queue.push_back(number);
        after.wake(backlog.acceptor.take());
        let kind = match ends[1].address.tcp() {
            Some(_) => Transport::Tcp,
            None => Transport::Unix,
        };
        let pipes = [
            self.pipe(&options.socket, &server_options),
            self.pipe(&server_options, &options.socket),
        ];
        let connection = Connection { kind, ends, pipes };
        self.routes.extend(connection.route());
        self.connections.insert(number, Box::new(connection));
        self.note(Event::Connected(number));
        self.doom(number, after);
    }

    /// A connection that needs no server.
    pub(crate) fn connect_directly(&mut self, host: u32, after: &mut Afterwards) -> u32 {
        let number = self.begin_attempt(None);
        let mut end = || {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.next_port(host)));
            EndState::new(host, address.into())
        };
        let ends = [end(), end()];
        let options = SocketOptions::default();
        let pipes = [self.pipe(&options, &options), self.pipe(&options, &options)];
        let kind = Transport::Tcp;
        let connection = Connection { kind, ends, pipes };
        self.connections.insert(number, Box::new(connection));
        self.note(Event::Connected(number));
        self.doom(number, after);
        number
    }

    /// A pipe of the system, which the client writes.
    pub(crate) fn make_pipe(&mut self, host: u32, after: &mut Afterwards) -> u32 {
        let number = self.begin_attempt(None);
        let end = || EndState::new(host, Address::Unix(None));
        let size = self.settings.receive_buffer;
        let connection = Connection {
            kind: Transport::Pipe,
            ends: [end(), end()],
            pipes: [Pipe::of_system(size), Pipe::of_system(0)],
        };
        self.connections.insert(number, Box::new(connection));
        self.note(Event::Piped(number));
        self.doom(number, after);
        number
    }

    fn pipe(&self, sender: &SocketOptions, receiver: &SocketOptions) -> Pipe {
        Pipe::new(
            sender.send_buffer.unwrap_or(self.settings.send_buffer),
            receiver
                .receive_buffer
                .unwrap_or(self.settings.receive_buffer),
        )
    }

    fn refuse(&mut self, number: u32) -> io::Error {
        self.note(Event::Refused(number));
        ErrorKind::ConnectionRefused.into()
    }

    fn lose<T>(&mut self, number: u32) -> Option<T> {
        self.note(Event::Lost(number));
        None
    }

    /// Whether nothing comes back from there.
    pub(crate) fn is_cut_off(&self, from: u32, target: &Address) -> bool {
        let route = self.route(from, target);
        route.is_ok_and(|(to, _)| self.is_cut(from, to))
    }

    /// The host that an address leads to, and the address as that host knows it.
    fn route(&self, from: u32, target: &Address) -> io::Result<(u32, Address)> {
        let Address::Tcp(mut address) = *target else {
            return Ok((from, target.clone()));
        };
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            IpAddr::V4(_) | IpAddr::V6(_) => {}
        }
        let (ip, target) = (address.ip(), Address::Tcp(address));
        if self.has_address(from, ip) {
            return Ok((from, target));
        }
        let host = (0..self.hosts.len())
            .find(|host| !ip.is_loopback() && self.hosts[*host].addresses.contains(&ip));
        match host.and_then(|host| u32::try_from(host).ok()) {
            Some(host) => Ok((host, target)),
            None => Err(ErrorKind::HostUnreachable.into()),
        }
    }

    /// Every host has the loopback addresses.
    pub(crate) fn has_address(&self, host: u32, ip: IpAddr) -> bool {
        ip.is_loopback() || self.hosts[host as usize].addresses.contains(&ip)
    }

    /// Who listens there; `None` if nobody does.
    fn find_server(&mut self, host: u32, target: &Address) -> io::Result<Option<usize>> {
        let Address::Unix(path) = target else {
            return Ok(self.find_listener(host, target));
        };
        let Some(path) = path else {
            return Err(ErrorKind::Unsupported.into());
        };
        match self.files.get(&(host, path.clone())) {
            Some(File::Socket(id)) => Ok(Some(*id)),
            Some(File::Regular) => Ok(None),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    /// Of several who share the port it is any.
    fn find_listener(&mut self, host: u32, target: &Address) -> Option<usize> {
        let found = self.find_port(host, target, |port| port.backlog.is_some())?;
        let address = &self.port(found)?.address;
        let places = self.ports.range(found..).filter(|(_, port)| {
            port.host == host && port.address == *address && port.backlog.is_some()
        });
        let shared: Vec<_> = places.map(|(id, _)| *id).collect();
        Some(shared[self.choices.index(shared.len())])
    }

    /// Of those that are `wanted`, the one with this address, or else one with any.
    fn find_port(
        &self,
        host: u32,
        target: &Address,
        wanted: impl Fn(&Port) -> bool,
    ) -> Option<usize> {
        let mut found = None;
        let ports = self.ports.iter();
        for (id, port) in ports.filter(|(_, port)| port.host == host && wanted(port)) {
            if port.address == *target {
                return Some(*id);
            }
            if let (Some(here), Some(target)) = (port.address.tcp(), target.tcp()) {
                let same_kind = here.is_ipv4() == target.is_ipv4();
                let any = here.ip().is_unspecified() && found.is_none();
                if same_kind && here.port() == target.port() && any {
                    found = Some(*id);
                }
            }
        }
        found
    }
}

/// The addresses of those who connect.
impl State {
    fn local_address(
        &mut self,
        from: u32,
        to: u32,
        target: &Address,
        options: &ConnectOptions,
    ) -> io::Result<Address> {
        let Address::Tcp(target) = target else {
            return Ok(Address::Unix(None));
        };
        if !options.local_addrs.is_empty() {
            return self.first_usable(from, to, *target, &options.local_addrs);
        }
        let mut local = *target;
        local.set_ip(self.source_ip(from, to, *target)?);
        for _ in FIRST_PORT..=u16::MAX {
            local.set_port(self.next_port(from));
            let route = (from, local, *target);
            if !self.routes.contains(&route) && !self.is_taken(from, local, false) {
                return Ok(local.into());
            }
        }
        Err(ErrorKind::AddrNotAvailable.into())
    }

    /// The one from which a host reaches that address of another one, or of its own.
    fn source_ip(&self, from: u32, to: u32, target: SocketAddr) -> io::Result<IpAddr> {
        if from == to {
            return Ok(target.ip());
        }
        let addresses = self.hosts[from as usize].addresses.iter();
        let mut usable = addresses.filter(|ip| ip.is_ipv4() == target.is_ipv4());
        let ip = usable.find(|ip| !ip.is_loopback());
        ip.copied()
            .ok_or_else(|| ErrorKind::NetworkUnreachable.into())
    }

    fn first_usable(
        &mut self,
        from: u32,
        to: u32,
        target: SocketAddr,
        locals: &[SocketAddr],
    ) -> io::Result<Address> {
        let mut failed = io::Error::new(
            ErrorKind::AddrNotAvailable,
            "no local address is of its family",
        );
        for local in locals
            .iter()
            .filter(|local| local.is_ipv4() == target.is_ipv4())
        {
            match self.usable(from, to, target, *local) {
                Ok(address) => return Ok(address.into()),
                Err(error) => {
                    let why = format!("the local address {local} cannot be used: {error}");
                    failed = io::Error::new(error.kind(), why);
                }
            }
        }
        Err(failed)
    }

    fn usable(
        &mut self,
        from: u32,
        to: u32,
        target: SocketAddr,
        local: SocketAddr,
    ) -> io::Result<SocketAddr> {
        let mut address = self.free_address(from, local, &ListenOptions::default())?;
        if address.ip().is_unspecified() {
            address.set_ip(self.source_ip(from, to, target)?);
        }
        if address.ip().is_loopback() && from != to {
            return Err(ErrorKind::InvalidInput.into()); // Linux's answer
        }
        if self.routes.contains(&(from, address, target)) {
            return Err(ErrorKind::AddrInUse.into());
        }
        Ok(address)
    }
}
