//! How it is connected, and what the options of that do.

use std::{
    io::{self, ErrorKind, Read},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use futures_channel::mpsc;
use futures_util::StreamExt;
use millpond::{
    Address, OpenError, Server, StreamReader, StreamWriter, Target,
    adapter::{ListenOptions, StdListener, os::SockRef},
    types::{Family, OpenConnection},
};

use crate::{polling::interrupted, setup::Setup};

pub(crate) mod system;

/// `AI_NUMERICHOST`, the same on Linux, macOS, the BSDs and Windows.
const NUMERIC_HOST: i32 = 4;

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let line = reader.read_line().await?;
    Ok(writer.write(&line)?)
}

async fn start(setup: &mut Setup) -> (Server, SocketAddr) {
    let server = setup.serve(echo).await.unwrap();
    let address = server.sockets()[0].tcp().unwrap();
    (server, address)
}

async fn assert_connects(opening: OpenConnection) {
    assert_answers(opening.await.unwrap()).await;
}

async fn assert_answers((mut reader, mut writer): (StreamReader, StreamWriter)) {
    writer.write(b"hello\n").unwrap();
    assert_eq!(reader.read_to_eof().await.unwrap(), "hello\n");
}

/// A server that reports the address of each client.
async fn watch(
    setup: &Setup,
    target: impl Into<Target>,
) -> io::Result<(Server, SocketAddr, mpsc::UnboundedReceiver<Address>)> {
    let (seen, peers) = mpsc::unbounded();
    let handler = move |_: StreamReader, writer: StreamWriter| {
        let peer = writer.extra_info().peer_addr.clone().unwrap();
        let _ = seen.unbounded_send(peer);
        async {}
    };
    let server = setup.serve_at(target, handler).await?;
    let address = server.sockets()[0].tcp().unwrap();
    Ok((server, address, peers))
}

/// A listening socket that is asked by hand.
fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(crate) async fn several_hosts_can_be_connected_to(mut setup: Setup) {
    let (_server, address) = start(&mut setup).await;
    let port = address.port();
    assert_connects(setup.open((["127.0.0.1", "localhost"], port))).await;
    let hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    assert_connects(setup.open((hosts, port))).await;

    // One that refuses does no harm.
    let free = setup.unused_address();
    let refused = setup.open((["127.0.0.1", "127.0.0.1"], free.port()));
    match refused.await {
        Err(OpenError::Connect { attempts }) => assert_eq!(attempts.len(), 1, "each once"),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn an_ipv6_address_can_be_in_brackets(setup: Setup) {
    let Ok(server) = setup.serve_at((Ipv6Addr::LOCALHOST, 0), echo).await else {
        return; // there is no IPv6 here
    };
    let address = server.sockets()[0].tcp().unwrap();
    let port = address.port();
    assert_connects(setup.open(format!("[::1]:{port}"))).await;
    assert_connects(setup.open(("[::1]", port))).await;
    assert_connects(setup.open(("::1", port))).await;
    let both = (["127.0.0.1", "::1"], port);
    assert_connects(setup.open(both).family(Family::Ipv6)).await;
    match setup.open(format!("::1:{port}")).await {
        Err(OpenError::Option { name, .. }) => assert_eq!(name, "address"),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_family_is_kept_to(mut setup: Setup) {
    let (_server, address) = start(&mut setup).await;
    let port = address.port();
    assert_connects(setup.open(("localhost", port)).family(Family::Ipv4)).await;
    assert_connects(setup.open(address).family(Family::Ipv4)).await;
    for opening in [
        setup.open(address),
        setup.open(("127.0.0.1", port)),
        setup.open(address.to_string()),
    ] {
        match opening.family(Family::Ipv6).await {
            Err(OpenError::Option { name, .. }) => assert_eq!(name, "family"),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn a_protocol_can_be_chosen(mut setup: Setup) {
    const TCP: i32 = 6;
    let (_server, address) = start(&mut setup).await;
    assert_connects(setup.open(address).proto(TCP)).await;
    assert_connects(setup.open(("localhost", address.port())).proto(TCP)).await;
    for nonsense in [17, 9999, -1] {
        let error = setup.open(address).proto(nonsense).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("cannot connect to {address}: ")),
            "{text}"
        );
        assert!(matches!(error, OpenError::Connect { .. }), "{error:?}");
    }
}

pub(crate) async fn flags_reach_the_resolver(mut setup: Setup) {
    let (_server, address) = start(&mut setup).await;
    let numeric = setup.open(("127.0.0.1", address.port()));
    assert_connects(numeric.flags(NUMERIC_HOST)).await;
    let named = setup.open(("localhost", address.port()));
    let error = named.flags(NUMERIC_HOST).await.unwrap_err();
    assert!(matches!(error, OpenError::Resolve { .. }), "{error:?}");
    assert!(error.to_string().contains("\"localhost\""), "{error}");
}

pub(crate) async fn a_local_address_is_what_the_server_sees(setup: Setup) {
    let (_server, address, mut peers) = watch(&setup, (Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let anywhere = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    for opening in [
        setup.open(address).local_addr(here),
        setup.open(address).local_addr("127.0.0.1:0"),
        setup
            .open(address)
            .local_addr(("localhost", 0))
            .family(Family::Ipv4),
        // The first of its family.
        setup.open(address).local_addr(vec![anywhere, here]),
    ] {
        let (_reader, writer) = opening.await.unwrap();
        let local = writer.extra_info().local_addr.clone().unwrap();
        assert_eq!(local.tcp().unwrap().ip(), IpAddr::from(Ipv4Addr::LOCALHOST));
        assert_eq!(peers.next().await, Some(local));
    }
    // All of 127/8 is this machine there.
    if cfg!(target_os = "linux") {
        let other = Ipv4Addr::new(127, 0, 0, 2);
        let (_reader, writer) = setup.open(address).local_addr((other, 0)).await.unwrap();
        let peer = peers.next().await.unwrap();
        assert_eq!(peer.tcp().unwrap().ip(), IpAddr::from(other));
        drop(writer);
    }
}

pub(crate) async fn a_local_port_can_be_given(setup: Setup) {
    let (_server, address, mut peers) = watch(&setup, (Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    // Another process may get the port in between.
    for _ in 0..20 {
        let (free, local) = listen();
        drop(free);
        match setup.open(address).local_addr(local).await {
            Ok((_reader, writer)) => {
                assert_eq!(writer.extra_info().local_addr, Some(local.into()));
                assert_eq!(peers.next().await, Some(local.into()));
                return;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}"),
        }
    }
    panic!("no port is free");
}

/// Binding to the address that is connected to makes TCP connect to itself.
pub(crate) async fn a_connection_to_itself_is_refused_and_gives_the_port_back(mut setup: Setup) {
    // Another process may get the port in between.
    for _ in 0..20 {
        let (listener, free) = listen();
        drop(listener);
        let error = setup.open(free).local_addr(free).await.unwrap_err();
        if error.kind() == ErrorKind::AddrInUse {
            continue;
        }
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
        // Not even a server that does not ask for it is kept from starting.
        let mut options = ListenOptions::default();
        options.reuse_address = false;
        match setup.runtime.bind(&free.into(), &options) {
            Ok(bound) => drop(bound),
            Err(_) => continue,
        }
        // With another address beside it, which answers, that one is taken.
        let (_server, address) = start(&mut setup).await;
        match setup.open(vec![free, address]).local_addr(free).await {
            Ok(opened) => assert_answers(opened).await,
            Err(error) if error.kind() == ErrorKind::AddrInUse => continue,
            Err(error) => panic!("{error}"),
        }
        let Ok(_server) = setup.serve_at(free, echo).await else {
            continue;
        };
        assert_connects(setup.open(free)).await;
        return;
    }
    panic!("no port is given back");
}

pub(crate) async fn an_impossible_local_address_is_in_the_error(mut setup: Setup) {
    let (_server, address) = start(&mut setup).await;
    // Of a reserved block.
    let not_ours = SocketAddr::from(([240, 0, 0, 1], 0));
    let error = setup.open(address).local_addr(not_ours).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    for part in [address.to_string(), not_ours.to_string()] {
        assert!(error.to_string().contains(&part), "{error}");
    }

    let wrong = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let error = setup.open(address).local_addr(wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    assert!(
        error.to_string().contains("of its address family"),
        "{error}"
    );

    let path = std::path::Path::new("/run/socket");
    match setup.open(address).local_addr(path).await {
        Err(OpenError::Option { name, .. }) => assert_eq!(name, "local_addr"),
        other => panic!("{other:?}"),
    }
}

fn ask<T>(writer: &StreamWriter, question: impl FnOnce(SockRef<'_>) -> io::Result<T>) -> T {
    let answer = writer.transport().with_socket(question);
    answer.expect("it has a socket").unwrap()
}

/// All but the defaults.
fn set_all(opening: OpenConnection) -> OpenConnection {
    let opening = opening.keep_alive(Duration::from_secs(41));
    opening.receive_buffer(50_000).send_buffer(60_000)
}

#[track_caller]
fn assert_all_set(writer: &StreamWriter) {
    // Linux doubles them.
    let receive = ask(writer, |socket| socket.recv_buffer_size());
    assert!([50_000, 100_000].contains(&receive), "{receive}");
    let send = ask(writer, |socket| socket.send_buffer_size());
    assert!([60_000, 120_000].contains(&send), "{send}");
}

pub(crate) async fn both_halves_can_be_had_in_one(mut setup: Setup) {
    let (_server, address) = start(&mut setup).await;
    let opening = millpond::connect(setup.runtime.clone(), address).limit(7);
    let mut stream = opening.await.unwrap();
    assert_eq!(stream.limit(), 7);
    assert_eq!(stream.extra_info().peer_addr, Some(address.into()));
    stream.write(b"hello\n").unwrap();
    assert_eq!(stream.read_to_eof().await.unwrap(), "hello\n");
    #[cfg(unix)]
    {
        let path = setup.new_path();
        let _server = setup.serve_at(&*path, echo).await.unwrap();
        let opening = millpond::connect_unix(setup.runtime.clone(), &path);
        let mut stream = opening.await.unwrap();
        stream.write(b"hello\n").unwrap();
        assert_eq!(stream.read_to_eof().await.unwrap(), "hello\n");
        let opening = millpond::open_unix_connection(setup.runtime.clone(), &path);
        assert_connects(opening).await;
    }
}

/// Accepts all waiting clients, and keeps those that have not ended.
fn take_alive(listeners: &[TcpListener], alive: &mut Vec<TcpStream>) {
    for listener in listeners {
        listener.set_nonblocking(true).unwrap();
        while let Ok((accepted, _)) = listener.accept() {
            accepted.set_nonblocking(true).unwrap();
            alive.push(accepted);
        }
    }
    alive.retain(|mut accepted| match accepted.read(&mut [0]) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => true,
        Ok(0) | Err(_) => false,
        Ok(_) => panic!("nothing is written"),
    });
}

/// Waits until so many connections are left, and makes sure that they stay.
async fn assert_alive(setup: &Setup, listeners: &[TcpListener], expected: usize) {
    let mut alive = Vec::new();
    take_alive(listeners, &mut alive);
    while alive.len() > expected {
        setup.sleep(1).await;
        take_alive(listeners, &mut alive);
    }
    setup.sleep(20).await;
    take_alive(listeners, &mut alive);
    assert_eq!(alive.len(), expected);
}

pub(crate) async fn a_server_prints_its_addresses_and_state(mut setup: Setup) {
    let (server, address) = start(&mut setup).await;
    let text = format!("{server:?}");
    for part in [
        "Server",
        &address.to_string(),
        "serving: true",
        "clients: 0",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    server.close();
    assert!(format!("{server:?}").contains("serving: false"));
}

/// A server that accepts no connection, and whose backlog is full.
#[cfg(unix)]
async fn busy_server(
    setup: &mut Setup,
) -> (Box<dyn millpond::adapter::Listener>, std::path::PathBuf) {
    let path = setup.new_path();
    let address = Address::Unix(Some(path.clone()));
    let bound = setup.runtime.bind(&address, &ListenOptions::default());
    let listener = bound.unwrap().listen(1).unwrap();
    let mut waiting = Vec::new();
    while let Ok(socket) = setup.runtime.connect(&address, &Default::default()).await {
        waiting.push(socket);
    }
    assert!(waiting.len() < 100, "the backlog is bounded");
    setup.keep(waiting);
    (listener, path)
}

#[cfg(unix)]
pub(crate) async fn a_unix_server_that_is_busy_is_waited_for(mut setup: Setup) {
    if !cfg!(target_os = "linux") {
        return; // it refuses
    }
    let (listener, path) = busy_server(&mut setup).await;
    let opening = setup.open(&*path).into_future();
    let opening = setup.spawn(opening);
    setup.sleep(30).await;
    let mut accepted = Vec::new();
    let accept = async {
        loop {
            let next = std::future::poll_fn(|cx| listener.poll_accept(cx));
            accepted.push(next.await.unwrap());
        }
    };
    let accept = std::pin::pin!(accept);
    match futures_util::future::select(opening, accept).await {
        futures_util::future::Either::Left((opened, _)) => drop(opened.unwrap()),
        futures_util::future::Either::Right(((), _)) => unreachable!(),
    }
}

#[cfg(unix)]
pub(crate) async fn waiting_for_a_busy_server_ends_in_time(mut setup: Setup) {
    if !cfg!(target_os = "linux") {
        return; // it refuses
    }
    let (_listener, path) = busy_server(&mut setup).await;
    let opening = setup.open(&*path);
    let time = Duration::from_millis(50);
    let error = opening.connect_timeout(time).await.unwrap_err();
    let OpenError::TimedOut {
        target,
        waiting_for,
        ..
    } = &error
    else {
        panic!("{error:?}");
    };
    let path = path.display();
    assert_eq!(*target, path.to_string());
    assert_eq!(*waiting_for, format!("an answer from {path}"));
    assert_eq!(io::Error::from(error).kind(), ErrorKind::TimedOut);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) async fn an_abstract_address_can_be_connected_to(mut setup: Setup) {
    // The directory is unique, and so is its name.
    let path = setup.new_path();
    let name = path.display().to_string();
    let address = Address::Abstract(name.clone().into_bytes());
    let target = std::path::PathBuf::from(format!("\0{name}"));
    let server = setup.serve_at(&*target, echo).await.unwrap();
    assert_eq!(server.sockets(), std::slice::from_ref(&address));
    assert_connects(setup.open(&*target)).await;
    assert_connects(setup.open(&address)).await;
    let (_reader, writer) = setup.open(&address).await.unwrap();
    assert_eq!(writer.extra_info().peer_addr, Some(address));
    assert!(!path.exists());
}
