//! The toolbox for the system's sockets.

mod support;

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use futures_lite::future::{block_on, poll_once};
use millpond::{
    Address,
    adapter::{ConnectOptions, ListenOptions, Lookup, SocketOptions, StdSocket, os},
    types::{Family, KeepAlive},
};
use socket2::SockRef;
use support::system::{accepts, bind};

fn any_port() -> Address {
    Address::from((Ipv4Addr::LOCALHOST, 0))
}

fn listener() -> (TcpListener, Address) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = Address::from(listener.local_addr().unwrap());
    (listener, address)
}

#[track_caller]
fn connect(address: &Address, options: &ConnectOptions) -> TcpStream {
    let socket = os::connect(address, options).unwrap();
    let StdSocket::Tcp(socket) = socket else {
        panic!("{socket:?}");
    };
    socket
}

/// Everything but the defaults.
fn unusual() -> SocketOptions {
    let mut options = SocketOptions::default();
    options.keep_alive = KeepAlive::After(Duration::from_millis(41_500));
    options.receive_buffer = Some(50_000);
    options.send_buffer = Some(60_000);
    options
}

#[track_caller]
fn assert_unusual(socket: &TcpStream) {
    let socket = SockRef::from(socket);
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    #[cfg(not(any(windows, target_os = "openbsd", target_os = "haiku")))]
    assert_eq!(
        socket.tcp_keepalive_time().unwrap(),
        Duration::from_secs(42)
    );
    // Linux doubles them.
    assert!([50_000, 100_000].contains(&socket.recv_buffer_size().unwrap()));
    assert!([60_000, 120_000].contains(&socket.send_buffer_size().unwrap()));
}

#[test]
fn a_connecting_socket_has_its_options_and_does_not_block() {
    let (_listener, address) = listener();
    let mut options = ConnectOptions::default();
    options.socket = unusual();
    let socket = connect(&address, &options);
    assert_unusual(&socket);
    let read = io::Read::read(&mut &socket, &mut [0]).unwrap_err();
    assert_eq!(read.kind(), ErrorKind::WouldBlock);
}

#[test]
fn an_accepted_socket_can_be_given_its_options() {
    let (listener, address) = listener();
    let _client = connect(&address, &ConnectOptions::default());
    let (socket, _) = listener.accept().unwrap();
    os::configure(&socket, &unusual()).unwrap();
    assert_unusual(&socket);
}

#[test]
fn by_default_small_writes_leave_at_once_and_nothing_else_is_set() {
    let (_listener, address) = listener();
    let fresh = TcpStream::connect(address.tcp().unwrap()).unwrap();
    let socket = connect(&address, &ConnectOptions::default());
    assert!(socket.nodelay().unwrap() && !fresh.nodelay().unwrap());
    assert!(!SockRef::from(&socket).keepalive().unwrap());
    assert_eq!(
        SockRef::from(&socket).send_buffer_size().unwrap(),
        SockRef::from(&fresh).send_buffer_size().unwrap()
    );
}

#[test]
fn what_is_off_is_left_as_the_program_has_set_it() {
    let (_listener, address) = listener();
    let socket = TcpStream::connect(address.tcp().unwrap()).unwrap();
    socket.set_nodelay(true).unwrap();
    SockRef::from(&socket).set_keepalive(true).unwrap();
    let mut options = SocketOptions::default();
    options.no_delay = false;
    os::configure(&socket, &options).unwrap();
    assert!(socket.nodelay().unwrap() && SockRef::from(&socket).keepalive().unwrap());
}

#[cfg(unix)]
#[test]
fn a_descriptor_becomes_a_socket_if_it_is_one_of_a_stream() {
    use std::os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    };

    use millpond::adapter::StdListener;

    let (listener, address) = listener();
    let socket = TcpStream::connect(address.tcp().unwrap()).unwrap();
    let socket = StdSocket::try_from(OwnedFd::from(socket)).unwrap();
    assert!(matches!(socket, StdSocket::Tcp(_)));
    let listener = StdListener::try_from(OwnedFd::from(listener)).unwrap();
    assert!(matches!(listener, StdListener::Tcp(_)));
    if let Ok(listener) = TcpListener::bind("[::1]:0") {
        let listener = StdListener::try_from(OwnedFd::from(listener)).unwrap();
        assert!(matches!(listener, StdListener::Tcp(_)));
    }

    let (socket, _peer) = UnixStream::pair().unwrap();
    let socket = StdSocket::try_from(OwnedFd::from(socket)).unwrap();
    assert!(matches!(socket, StdSocket::Unix(_)));
    let directory = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(directory.path().join("socket")).unwrap();
    let listener = StdListener::try_from(OwnedFd::from(listener)).unwrap();
    assert!(matches!(listener, StdListener::Unix(_)));

    let file = || OwnedFd::from(tempfile::tempfile().unwrap());
    let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let udp = || OwnedFd::from(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let unix = || OwnedFd::from(UnixDatagram::unbound().unwrap());
    let (no, datagrams) = ("not a socket", "a datagram socket");
    for (one, other, what) in [
        (file(), file(), no),
        (null(), null(), no),
        (udp(), udp(), datagrams),
        (unix(), unix(), datagrams),
    ] {
        let expected = format!("a stream socket is needed, and this is {what}");
        for error in [
            StdSocket::try_from(one).unwrap_err(),
            StdListener::try_from(other).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), expected);
        }
    }
}

/// So that attempts to connect to several addresses can come from the same port, and one that is given
/// can be used again at once.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_local_port_that_is_given_serves_several_connections() {
    let (first, first_address) = listener();
    let (second, second_address) = listener();
    // Bound and nothing more: connections may begin there, and no other process gets the port.
    let holder = bind(&any_port(), &ListenOptions::default()).unwrap();
    let local = holder.local_addr().unwrap().tcp().unwrap();
    let mut options = ConnectOptions::default();
    options.local_addrs = vec![local];
    for _ in 0..2 {
        let near = [&first_address, &second_address].map(|address| connect(address, &options));
        for (listener, near) in [&first, &second].into_iter().zip(near) {
            let (far, peer) = listener.accept().unwrap();
            assert_eq!(peer, local);
            drop(near); // first, so that it is the one that remembers the connection
            drop(far);
        }
    }
}

#[test]
fn buffer_sizes_that_are_too_large_are_as_large_as_can_be() {
    let (_listener, address) = listener();
    let size = |bytes| {
        let mut options = ConnectOptions::default();
        options.socket.receive_buffer = Some(bytes);
        options.socket.send_buffer = Some(bytes);
        let socket = connect(&address, &options);
        let socket = SockRef::from(&socket);
        (
            socket.recv_buffer_size().unwrap(),
            socket.send_buffer_size().unwrap(),
        )
    };
    if cfg!(target_os = "linux") {
        let largest = size(i32::MAX as usize);
        assert_eq!(size(usize::MAX / 2 + 1), largest);
        assert_eq!(size(usize::MAX), largest);
    }
}

#[test]
fn a_silence_below_a_second_is_one_second() {
    let (_listener, address) = listener();
    for silence in [Duration::ZERO, Duration::from_millis(1)] {
        let mut options = ConnectOptions::default();
        options.socket.keep_alive = silence.into();
        let socket = connect(&address, &options);
        assert!(SockRef::from(&socket).keepalive().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(
            SockRef::from(&socket).tcp_keepalive_time().unwrap(),
            Duration::from_secs(1)
        );
    }
}

#[cfg(unix)]
#[test]
fn unix_sockets_take_buffer_sizes_and_ignore_the_options_of_tcp() {
    let (socket, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    os::configure(&socket, &unusual()).unwrap();
    let size = SockRef::from(&socket).send_buffer_size().unwrap();
    assert!([60_000, 120_000].contains(&size));
}

#[test]
fn a_local_address_is_the_first_one_of_the_family_that_works() {
    let (_listener, address) = listener();
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let other_family = "[::1]:0".parse().unwrap();
    let not_ours = "240.0.0.1:0".parse().unwrap(); // of a reserved block
    let mut options = ConnectOptions::default();
    options.local_addrs = vec![other_family, not_ours, here];
    let socket = connect(&address, &options);
    assert!(socket.local_addr().unwrap().ip().is_loopback());

    #[cfg(target_os = "linux")] // has all of 127.0.0.0/8
    {
        let here = SocketAddr::from(([127, 0, 0, 2], 0));
        options.local_addrs = vec![here];
        let socket = connect(&address, &options);
        assert_eq!(socket.local_addr().unwrap().ip(), here.ip());
    }

    options.local_addrs = vec![other_family];
    let error = os::connect(&address, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    assert_eq!(
        error.to_string(),
        "no local address is of its address family"
    );

    options.local_addrs = vec![other_family, not_ours];
    let error = os::connect(&address, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    assert!(error.to_string().contains("240.0.0.1:0"), "{error}");
}

#[test]
fn a_protocol_that_is_none_is_refused() {
    let (_listener, address) = listener();
    let mut options = ConnectOptions::default();
    options.protocol = Some(17); // UDP does not carry a stream
    os::connect(&address, &options).unwrap_err();
    options.protocol = Some(6);
    connect(&address, &options);
}

#[test]
fn a_refused_connection_is_reported_at_once_or_by_connected() {
    // Bound and nothing more, so that no other process gets the port.
    let silent = bind(&any_port(), &ListenOptions::default()).unwrap();
    let address = silent.local_addr().unwrap();
    let refused = match os::connect(&address, &ConnectOptions::default()) {
        Err(error) => error,
        Ok(socket) => {
            let StdSocket::Tcp(socket) = socket else {
                panic!("{socket:?}");
            };
            failure(&socket)
        }
    };
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

/// What a socket that is not connected fails with, once the system knows.
fn failure(socket: &TcpStream) -> io::Error {
    loop {
        match os::connected(socket) {
            Err(error) => return error,
            Ok(()) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

#[test]
fn a_socket_that_has_failed_is_not_connected() {
    let (listener, address) = listener();
    let socket = TcpStream::connect(address.tcp().unwrap()).unwrap();
    os::connected(&socket).unwrap();
    let (peer, _) = listener.accept().unwrap();
    os::reset_on_close(&peer);
    drop(peer);
    assert_eq!(failure(&socket).kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_bound_address_is_known_but_refuses_until_it_is_listened_on() {
    let bound = bind(&any_port(), &ListenOptions::default()).unwrap();
    let address = bound.local_addr().unwrap().tcp().unwrap();
    assert_ne!(address.port(), 0);
    assert!(TcpStream::connect(address).is_err());
    let listener = bound.listen(10).unwrap();
    assert_eq!(listener.local_addr().unwrap().tcp(), Some(address));
    assert!(!accepts(&*listener));
    let _client = TcpStream::connect(address).unwrap();
    while !accepts(&*listener) {} // the client may know before the server
}

#[test]
fn a_port_is_taken_as_soon_as_it_is_listened_on() {
    let listener = bind(&any_port(), &ListenOptions::default()).unwrap();
    let listener = listener.listen(10).unwrap();
    let error = bind(&listener.local_addr().unwrap(), &ListenOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[cfg(unix)]
#[test]
fn a_port_is_shared_by_servers_with_reuse_port() {
    let mut options = ListenOptions::default();
    options.reuse_port = true;
    let first = bind(&any_port(), &options).unwrap().listen(10).unwrap();
    let address = first.local_addr().unwrap();
    let _second = bind(&address, &options).unwrap().listen(10).unwrap();
    let third = bind(&address, &ListenOptions::default());
    assert_eq!(third.unwrap_err().kind(), ErrorKind::AddrInUse);
}

fn resolve(lookup: &Lookup) -> io::Result<Vec<SocketAddr>> {
    block_on(os::resolve(lookup))
}

#[test]
fn names_and_literals_resolve_to_addresses_with_the_port_each_once() {
    for host in [Some("localhost"), Some("127.0.0.1"), None] {
        let addresses = resolve(&Lookup::new(host, 4321)).unwrap();
        assert!(!addresses.is_empty());
        for (i, address) in addresses.iter().enumerate() {
            assert!(address.ip().is_loopback(), "{host:?}: {address}");
            assert_eq!(address.port(), 4321);
            assert!(!addresses[..i].contains(address));
        }
    }
}

/// So no thread is started for it.
#[test]
fn an_address_is_answered_at_once() {
    let at_once = |lookup: &Lookup| block_on(poll_once(os::resolve(lookup)));
    for host in [
        Some("127.0.0.1"),
        Some("::1"),
        None,
        #[cfg(unix)]
        Some("127.1"),
    ] {
        let addresses = at_once(&Lookup::new(host, 80))
            .expect("it is no name")
            .unwrap();
        assert!(addresses[0].ip().is_loopback());
    }
    let mut lookup = Lookup::new(Some("localhost"), 80);
    lookup.flags = 4; // AI_NUMERICHOST
    at_once(&lookup)
        .expect("it must not be looked up")
        .unwrap_err();
    #[cfg(target_os = "linux")]
    {
        let zone = at_once(&Lookup::new(Some("fe80::1%lo"), 80))
            .unwrap()
            .unwrap();
        assert!(matches!(zone[..], [SocketAddr::V6(address)] if address.scope_id() == 1));
    }
}

#[test]
fn all_interfaces_are_found_only_for_listening() {
    let mut lookup = Lookup::new(None, 80);
    lookup.passive = true;
    let addresses = resolve(&lookup).unwrap();
    assert!(addresses.contains(&(Ipv4Addr::UNSPECIFIED, 80).into()));
    assert!(addresses.iter().all(|at| at.ip().is_unspecified()));
}

#[test]
fn a_family_leaves_out_the_other_one() {
    for (family, literal, other) in [
        (Family::Ipv4, "127.0.0.1", "::1"),
        (Family::Ipv6, "::1", "127.0.0.1"),
    ] {
        let mut lookup = Lookup::new(Some(literal), 80);
        lookup.family = Some(family);
        let addresses = resolve(&lookup).unwrap();
        assert!(addresses.iter().all(|at| family.matches(at)) && !addresses.is_empty());
        lookup.host = Some(other.to_owned());
        resolve(&lookup).unwrap_err();
    }
}

#[cfg(unix)]
#[test]
fn flags_reach_the_resolver_and_its_error_is_reported() {
    let mut lookup = Lookup::new(Some("localhost"), 80);
    lookup.flags = libc::AI_NUMERICHOST;
    let error = resolve(&lookup).unwrap_err();
    assert!(error.to_string().contains(": "), "{error}");
    lookup.flags = libc::AI_CANONNAME;
    resolve(&lookup).unwrap();
}

#[test]
fn a_protocol_that_the_resolver_does_not_know_is_left_to_the_socket() {
    let mut lookup = Lookup::new(Some("127.0.0.1"), 80);
    for protocol in [6, 262] {
        lookup.protocol = Some(protocol);
        let addresses = resolve(&lookup).unwrap();
        assert_eq!(addresses, [(Ipv4Addr::LOCALHOST, 80).into()]);
    }
}

#[test]
fn a_host_with_a_nul_is_an_error() {
    let error = resolve(&Lookup::new(Some("a\0b"), 80)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn what_does_not_carry_a_stream_is_named() {
    let (listener, address) = listener();
    os::check_stream(&listener).unwrap();
    os::check_stream(&TcpStream::connect(address.tcp().unwrap()).unwrap()).unwrap();
    let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let error = os::check_stream(&datagrams).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("a datagram socket"));
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod abstract_names {
    use std::os::{linux::net::SocketAddrExt, unix::net};

    use super::*;

    /// A name that no other process has.
    fn name(end: &[u8]) -> Vec<u8> {
        let id = std::process::id();
        [format!("millpond-{id}-").as_bytes(), end].concat()
    }

    #[test]
    fn any_bytes_can_be_listened_on_and_connected_to() {
        let long = name(&[b'x'; 80]);
        for name in [name(b"plain"), name(b"\0\xff\0"), long] {
            let address = Address::Abstract(name.clone());
            let bound = bind(&address, &ListenOptions::default()).unwrap();
            assert_eq!(bound.local_addr().unwrap(), address);
            let early = os::connect(&address, &ConnectOptions::default());
            assert_eq!(early.unwrap_err().kind(), ErrorKind::ConnectionRefused);

            let listener = bound.listen(10).unwrap();
            let client = os::connect(&address, &ConnectOptions::default()).unwrap();
            let StdSocket::Unix(client) = client else {
                panic!("{client:?}");
            };
            assert!(accepts(&*listener));
            assert_eq!(os::extra_info(&client).peer_addr, Some(address.clone()));
            let system = net::SocketAddr::from_abstract_name(&name).unwrap();
            net::UnixStream::connect_addr(&system).unwrap();

            let second = bind(&address, &ListenOptions::default()).unwrap_err();
            assert_eq!(second.kind(), ErrorKind::AddrInUse);
        }
    }

    #[test]
    fn one_that_is_too_long_is_an_error() {
        let address = Address::Abstract(vec![b'x'; 108]);
        let error = bind(&address, &ListenOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = os::connect(&address, &ConnectOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn they_are_shown_with_an_at_sign_and_escaped() {
        let address = Address::Abstract(b"a b\0\xff".to_vec());
        assert_eq!(address.to_string(), r"@a b\0\xff");
    }
}
