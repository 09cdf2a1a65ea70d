//! Connecting: an attempt, the server that it finds, and the address that it comes from.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use millpond::{
    Address,
    adapter::{ConnectOptions, ListenOptions, SocketOptions},
};

use crate::{
    fault::Kind,
    struck::{Cause, What},
    tape::Subject,
    trace::{
        event::{End, Event},
        note::Note,
    },
    world::{
        backlog::{File, Port},
        link::{Connection, EndState, Pipe, Transport},
        state::State,
    },
};

/// The protocols below streams: any, TCP and MPTCP.
const STREAMS: [i32; 3] = [0, 6, 262];

/// Connecting.
impl State {
    /// Attempts are numbered when they begin.
    pub(crate) fn begin_attempt(&mut self, target: Option<SocketAddr>) -> u32 {
        let number = self.next_connection;
        self.next_connection = number.checked_add(1).expect("fewer than 2^32 connections");
        self.note(Event::Connecting(number, target));
        number
    }

    /// The request to connect reaches its target. `None` is no answer.
    pub(crate) fn attempt(
        &mut self,
        number: u32,
        from: u32,
        target: &Address,
        options: &ConnectOptions,
    ) -> io::Result<Option<End>> {
        let is_tcp = target.tcp().is_some();
        if self.watched.is_recorded() {
            if let Some(to) = self.host_at(from, target) {
                self.note_for_record(|| Note::Route(number, from, to));
            }
        }
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
        if self.is_partitioned(from, to) {
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
        self.connect(number, ends, id, options);
        self.draw_outage(from, to);
        if let Some((kind, times)) = self.draw_accept_errors() {
            self.strike(Cause::Chance, What::AcceptErrors(kind, times));
            self.fail_accepts_of(id, kind, times);
        }
        Ok(Some(End::client(number)))
    }

    /// Makes a connection, which waits to be accepted.
    fn connect(&mut self, number: u32, ends: [EndState; 2], id: usize, options: &ConnectOptions) {
        let port = self.ports.get_mut(&id).expect("a server listens there");
        let server_options = port.options.socket.clone();
        let backlog = port.backlog.as_mut().expect("a server listens there");
        backlog.queue.push_back(number);
        self.deferred.wake(backlog.acceptor.take());
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
        self.add_connection(number, connection);
    }

    fn add_connection(&mut self, number: u32, connection: Connection) {
        let event = match connection.kind {
            Transport::Pipe => Event::Piped(number),
            Transport::Tcp | Transport::Unix => Event::Connected(number),
        };
        let [from, to] = connection.ends.each_ref().map(|end| end.host);
        self.connections.insert(number, connection);
        self.note_for_record(|| Note::Route(number, from, to));
        self.note(event);
        self.plan_faults(number);
    }

    /// A connection that needs no server.
    pub(crate) fn connect_directly(&mut self, host: u32) -> u32 {
        let number = self.begin_attempt(None);
        let mut end = || {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.next_port(host)));
            EndState::new(host, address.into())
        };
        let ends = [end(), end()];
        let options = SocketOptions::default();
        let pipes = [self.pipe(&options, &options), self.pipe(&options, &options)];
        let kind = Transport::Tcp;
        self.add_connection(number, Connection { kind, ends, pipes });
        number
    }

    /// A pipe of the system, which the client writes.
    pub(crate) fn make_pipe(&mut self, host: u32) -> u32 {
        let number = self.begin_attempt(None);
        let end = || EndState::new(host, Address::Unix(None));
        let size = self.settings.receive_buffer;
        let connection = Connection {
            kind: Transport::Pipe,
            ends: [end(), end()],
            pipes: [Pipe::of_system(size), Pipe::of_system(0)],
        };
        self.add_connection(number, connection);
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
}

/// The server that an attempt finds.
impl State {
    /// Whether no answer comes back from there.
    pub(crate) fn is_unreachable(&self, from: u32, target: &Address) -> bool {
        self.host_at(from, target)
            .is_some_and(|to| self.is_partitioned(to, from))
    }

    /// The host that an address leads to.
    pub(crate) fn host_at(&self, from: u32, target: &Address) -> Option<u32> {
        self.route(from, target).ok().map(|(host, _)| host)
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
    pub(super) fn has_address(&self, host: u32, ip: IpAddr) -> bool {
        ip.is_loopback() || self.hosts[host as usize].addresses.contains(&ip)
    }

    /// The port that listens there.
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

    /// Of several that share the address it is any.
    fn find_listener(&mut self, host: u32, target: &Address) -> Option<usize> {
        let found = self.find_port(host, target, |port| port.backlog.is_some())?;
        let address = &self.port(found)?.address;
        let places = self.ports.range(found..).filter(|(_, port)| {
            port.host == host && port.address == *address && port.backlog.is_some()
        });
        let shared: Vec<_> = places.map(|(id, _)| *id).collect();
        Some(shared[self.choices.index(Subject::Port, shared.len())])
    }

    /// Of those that are `wanted`, the one with this address, or else one with the unspecified address.
    pub(super) fn find_port(
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

/// The local address of an attempt.
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
        let is_new = |state: &Self, local| !state.routes.contains(&(from, local, *target));
        let free = self.next_free(from, local, is_new);
        free.map(Address::from)
            .ok_or_else(|| ErrorKind::AddrNotAvailable.into())
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
            "no local address is of its address family",
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
