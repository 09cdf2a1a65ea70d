//! What a server listens on, when, and how often.

use std::{
    future::pending,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{join, join_all},
};
use millpond::{
    Address, OpenError, Server, Stream, StreamReader, StreamServer, StreamWriter,
    error::HandlerErrorCause, types::Family,
};

use crate::setup::Setup;

pub(crate) mod system;

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let line = reader.read_line().await?;
    Ok(writer.write(&line)?)
}

async fn echo_stream(mut stream: Stream) -> io::Result<()> {
    let line = stream.read_line().await?;
    Ok(stream.write(&line)?)
}

async fn assert_echoes(setup: &Setup, address: &Address) {
    let (mut reader, mut writer) = setup.open(address).await.unwrap();
    writer.write(b"hello\n").unwrap();
    assert_eq!(reader.read_to_eof().await.unwrap(), "hello\n");
}

async fn assert_refuses(setup: &Setup, address: &Address) {
    let error = setup.open(address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

fn assert_refused_option(error: &OpenError, option: &str) {
    let OpenError::Option { name, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(*name, option);
}

fn has_ipv6() -> bool {
    let here = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !here {
        eprintln!("skipped in part: there is no IPv6 here");
    }
    here
}

fn stream_server(setup: &mut Setup) -> StreamServer {
    let address = setup.own_address();
    StreamServer::new(setup.runtime.clone(), &address, echo_stream)
}

pub(crate) async fn a_client_cannot_connect_before_the_server_has_started(setup: Setup) {
    let starting = setup.serve_at("127.0.0.1:0", echo).start_serving(false);
    let server = starting.await.unwrap();
    let address = server.sockets()[0].clone();
    assert!(!server.is_serving());
    let debug = format!("{server:?}");
    assert!(
        debug.contains("serving: false") && debug.contains("127.0.0.1"),
        "{debug}"
    );
    assert_refuses(&setup, &address).await;
    for _ in 0..2 {
        server.start_serving().unwrap();
        assert!(server.is_serving());
        assert_eq!(server.sockets(), std::slice::from_ref(&address));
        assert_echoes(&setup, &address).await;
    }
    server.close();
    assert!(matches!(server.start_serving(), Err(OpenError::Closed)));
    let debug = format!("{server:?}");
    assert!(
        debug.contains("sockets: []") && debug.contains("serving: false"),
        "{debug}"
    );
}

pub(crate) async fn serve_forever_starts_a_server(setup: Setup) {
    let starting = setup.serve_at("127.0.0.1:0", echo).start_serving(false);
    let server = Arc::new(starting.await.unwrap());
    let address = server.sockets()[0].clone();
    setup.stays_pending(server.serve_forever()).await;
    assert!(server.is_serving(), "dropping the future does not matter");
    assert_echoes(&setup, &address).await;
}

pub(crate) async fn a_server_that_never_started_can_be_closed(mut setup: Setup) {
    let address = setup.own_address();
    let starting = setup.serve_at(&address, echo).start_serving(false);
    let server = starting.await.unwrap();
    let address = server.sockets()[0].clone();
    server.close();
    server.wait_closed().await;
    let again = setup.serve_at(&address, echo).await.unwrap();
    assert_eq!(again.sockets(), [address]);
}

pub(crate) async fn a_stream_server_can_be_bound_started_and_closed_again_and_again(
    mut setup: Setup,
) {
    let server = stream_server(&mut setup).limit(7);
    assert!(!server.is_bound() && server.sockets().is_empty());
    assert_eq!(server.shutdown().await.closed, 0);
    for _ in 0..3 {
        server.bind().await.unwrap();
        let address = server.sockets()[0].clone();
        server.bind().await.unwrap();
        assert_eq!(server.sockets(), std::slice::from_ref(&address));
        assert!(server.is_bound() && !server.is_serving());
        assert_refuses(&setup, &address).await;
        server.start_serving().await.unwrap();
        server.start_serving().await.unwrap();
        assert!(server.is_serving());
        assert_echoes(&setup, &address).await;
        let (mut reader, mut writer) = setup.open(&address).await.unwrap();
        writer.write(b"beyond the limit\n").unwrap();
        assert_eq!(reader.read_to_eof().await.unwrap(), "");
        let debug = format!("{server:?}");
        assert!(
            debug.starts_with("StreamServer") && debug.contains("limit: 7"),
            "{debug}"
        );
        server.shutdown().await;
        assert!(!server.is_bound() && !server.is_serving() && server.sockets().is_empty());
        assert_refuses(&setup, &address).await;
    }
}

pub(crate) async fn a_stream_server_serves_for_ever_and_can_be_closed_then(mut setup: Setup) {
    let server = stream_server(&mut setup);
    setup.stays_pending(server.serve_forever()).await;
    assert!(server.is_serving());
    let address = server.sockets()[0].clone();
    assert_echoes(&setup, &address).await;
    setup.until_there_are(0, &server).await;
    let (mut reader, _writer) = setup.open(&address).await.unwrap();
    setup.until_there_are(1, &server).await;
    server.close_clients();
    assert_eq!(reader.read_to_eof().await.unwrap(), "");
    setup.until_there_are(0, &server).await;
    let (mut reader, _writer) = setup.open(&address).await.unwrap();
    setup.until_there_are(1, &server).await;
    server.abort_clients();
    assert!(reader.read_to_eof().await.is_err());
    setup.until_there_are(0, &server).await;
    let (mut reader, _writer) = setup.open(&address).await.unwrap();
    setup.until_there_are(1, &server).await;
    server.abort().await;
    assert!(reader.read_to_eof().await.is_err());
    assert_refuses(&setup, &address).await;
}

pub(crate) async fn a_stream_server_is_closed_while_it_serves_for_ever(mut setup: Setup) {
    let address = setup.own_address();
    let server = StreamServer::new(
        setup.runtime.clone(),
        &address,
        async |mut stream: Stream| -> io::Result<()> {
            loop {
                let line = stream.read_line().await?;
                if line.is_empty() {
                    return Ok(());
                }
                stream.write(&line)?;
            }
        },
    );
    server.start_serving().await.unwrap();
    let address = server.sockets()[0].clone();
    let client = async {
        let (mut reader, mut writer) = setup.open(&address).await.unwrap();
        writer.write(b"hello\n").unwrap();
        assert_eq!(reader.read_line().await.unwrap(), "hello\n");
        // Nothing more is asked for, so it is not waited for.
        let shutdown = server.shutdown().await;
        assert_eq!((shutdown.closed, shutdown.cancelled), (0, 0));
        assert_eq!(reader.read_to_eof().await.unwrap(), "");
    };
    let (served, ()) = join(server.serve_forever(), client).await;
    served.unwrap();
    assert!(!server.is_bound());
    assert_refuses(&setup, &address).await;
}

/// How many can connect to a path while no server accepts.
#[cfg(any(target_os = "linux", target_os = "android"))]
async fn room(setup: &Setup, path: &std::path::Path) -> usize {
    let address = Address::Unix(Some(path.to_owned()));
    let options = millpond::adapter::ConnectOptions::default();
    let mut waiting = Vec::new();
    loop {
        match setup.runtime.connect(&address, &options).await {
            Ok(socket) => waiting.push(socket),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return waiting.len(),
            Err(error) => panic!("{error}"),
        }
    }
}

fn ports(server: &Server) -> Vec<u16> {
    let addresses = server.sockets().iter().filter_map(Address::tcp);
    addresses.map(|address| address.port()).collect()
}

pub(crate) async fn all_addresses_of_hosts_get_the_same_port_and_each_is_taken_once(setup: Setup) {
    let hosts = (["127.0.0.1", "localhost", "127.0.0.1", "127.0.0.2"], 0);
    let server = setup.serve_at(hosts, echo).await.unwrap();
    let ports = ports(&server);
    assert!(ports.len() >= 2 && ports[0] != 0, "{server:?}");
    assert!(ports.iter().all(|port| *port == ports[0]), "{server:?}");
    for (i, address) in server.sockets().iter().enumerate() {
        assert!(!server.sockets()[..i].contains(address), "{server:?}");
        assert_echoes(&setup, address).await;
    }
}

pub(crate) async fn an_empty_host_is_all_interfaces(setup: Setup) {
    let server = setup.serve_at(("", 0), echo).await.unwrap();
    let port = ports(&server)[0];
    assert!(ports(&server).iter().all(|it| *it == port));
    assert_echoes(
        &setup,
        &SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into(),
    )
    .await;
    if has_ipv6() {
        assert_echoes(
            &setup,
            &SocketAddr::from((Ipv6Addr::LOCALHOST, port)).into(),
        )
        .await;
    }
    for (family, host) in [
        (Family::Ipv4, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        (Family::Ipv6, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
    ] {
        if family == Family::Ipv4 || has_ipv6() {
            let server = setup.serve_at(("", 0), echo).family(family).await.unwrap();
            let address = SocketAddr::from((host, ports(&server)[0]));
            assert_eq!(server.sockets(), [Address::from(address)]);
        }
    }
    let wrong = setup.serve_at("127.0.0.1:0", echo).family(Family::Ipv6);
    assert_refused_option(&wrong.await.unwrap_err(), "family");
}

/// An address of a reserved block, which no machine has.
const ELSEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(240, 0, 0, 1)), 0);

pub(crate) async fn an_address_of_another_machine_is_left_out_if_one_is_left(setup: Setup) {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = setup.serve_at(&[ELSEWHERE, here][..], echo).await.unwrap();
    assert_eq!(server.sockets().len(), 1);
    assert_echoes(&setup, &server.sockets()[0]).await;
    let error = setup.serve_at(ELSEWHERE, echo).await.unwrap_err();
    let OpenError::Listen { address, source } = error else {
        panic!("{error:?}");
    };
    assert_eq!(address, ELSEWHERE.into());
    assert_eq!(source.kind(), ErrorKind::AddrNotAvailable);
}

pub(crate) async fn an_address_in_use_leaves_nothing_bound(setup: Setup) {
    let first = setup.serve_at("127.0.0.1:0", echo).await.unwrap();
    let taken = first.sockets()[0].tcp().unwrap();
    let free = SocketAddr::from(([127, 0, 0, 3], taken.port()));
    let both = setup.serve_at(&[free, taken][..], echo);
    let error = both.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
    if cfg!(target_os = "linux") {
        // Elsewhere there is but one address on loopback.
        let second = setup.serve_at(free, echo).await.unwrap();
        assert_echoes(&setup, &second.sockets()[0]).await;
    }
    assert_echoes(&setup, &first.sockets()[0]).await;
}

#[cfg(unix)]
pub(crate) async fn servers_share_a_port_if_all_say_so(setup: Setup) {
    let counts = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    let serve = |address: SocketAddr, count: &Arc<AtomicUsize>| {
        let count = count.clone();
        let server = setup.serve_at(address, move |reader, writer| {
            count.fetch_add(1, Ordering::AcqRel);
            echo(reader, writer)
        });
        server.reuse_port(true).into_future()
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let first = serve(any, &counts[0]).await.unwrap();
    let address = first.sockets()[0].clone();
    let refused = setup.serve_at(&address, echo).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AddrInUse);
    let _second = serve(address.tcp().unwrap(), &counts[1]).await.unwrap();
    if cfg!(target_os = "linux") {
        // Elsewhere the system need not share evenly.
        for _ in 0..60 {
            assert_echoes(&setup, &address).await;
        }
        let counts = counts.each_ref().map(|count| count.load(Ordering::Acquire));
        assert_eq!(counts.iter().sum::<usize>(), 60);
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    }
}

pub(crate) async fn a_flood_never_has_more_handlers_than_may_be(setup: Setup) {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (current, maximum) = (now.clone(), most.clone());
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let inside = setup.runtime.clone();
    let server = setup.serve_at(vec![here, here], move |reader, writer| {
        let (current, maximum) = (current.clone(), maximum.clone());
        let sleep = inside.sleep(Duration::from_millis(2));
        async move {
            let count = current.fetch_add(1, Ordering::AcqRel) + 1;
            maximum.fetch_max(count, Ordering::AcqRel);
            sleep.await;
            let echoed = echo(reader, writer).await;
            current.fetch_sub(1, Ordering::AcqRel);
            echoed
        }
    });
    let server = server.max_connections(4).await.unwrap();
    let clients = (0..50).map(|i| assert_echoes(&setup, &server.sockets()[i % 2]));
    join_all(clients).await;
    server.close();
    server.wait_closed().await;
    assert_eq!(now.load(Ordering::Acquire), 0);
    let most = most.load(Ordering::Acquire);
    assert!((1..=4).contains(&most), "{most}");
}

pub(crate) async fn a_silent_connection_is_reset_and_its_handler_gets_the_reason(setup: Setup) {
    let (sender, mut sentence) = futures_channel::mpsc::unbounded();
    let server = setup
        .serve_at("127.0.0.1:0", echo)
        .on_handler_error(move |error| {
            sender.unbounded_send(error.to_string()).unwrap();
        });
    let server = server
        .idle_timeout(Duration::from_millis(50))
        .await
        .unwrap();
    let (mut reader, _writer) = loop {
        match setup.open(&server.sockets()[0]).await {
            Ok(opened) => break opened,
            // On a busy machine the time may be over before the client knows that it is connected.
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    };
    let ended = reader.read_to_eof().await;
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
    server.close();
    server.wait_closed().await;
    let sentence = futures_util::StreamExt::next(&mut sentence).now_or_never();
    let sentence = sentence.flatten().unwrap();
    assert!(
        sentence.contains("nothing was read or written for 50ms"),
        "{sentence}"
    );
}

pub(crate) async fn a_handler_that_waits_elsewhere_does_not_keep_an_idle_connections_place(
    setup: Setup,
) {
    let (sender, mut reports) = futures_channel::mpsc::unbounded();
    let server = setup
        .serve_at("127.0.0.1:0", async |_, _writer| pending::<()>().await)
        .idle_timeout(Duration::from_millis(50))
        .max_connections(1)
        .on_handler_error(move |error| sender.unbounded_send(error.cause).unwrap());
    let server = server.await.unwrap();
    for _ in 0..2 {
        // Connected or reset by then: the report is of this one.
        let _client = setup.open(&server.sockets()[0]).await;
        let cause = futures_util::StreamExt::next(&mut reports).await.unwrap();
        assert!(matches!(cause, HandlerErrorCause::Idle { .. }), "{cause:?}");
    }
    server.close();
    server.wait_closed().await;
}

pub(crate) async fn silent_clients_that_have_had_their_answer_block_no_others(setup: Setup) {
    let handler = async |_: StreamReader, mut writer: StreamWriter| writer.write(b"bye");
    let server = setup.serve_at("127.0.0.1:0", handler).max_connections(2);
    let server = server.await.unwrap();
    let began = setup.runtime.now();
    let mut silent = Vec::new();
    for _ in 0..20 {
        let (mut reader, writer) = setup.open(&server.sockets()[0]).await.unwrap();
        assert_eq!(reader.read_exactly(3).await.unwrap(), "bye");
        silent.push((reader, writer));
    }
    let took = setup.runtime.now() - began;
    assert!(took < Duration::from_secs(29), "they lingered for {took:?}");
    server.close();
    server.wait_closed().await;
}

pub(crate) async fn a_silent_server_is_abandoned_after_the_idle_timeout(setup: Setup) {
    let server = setup.serve_at("127.0.0.1:0", echo).await.unwrap();
    let opening = setup.open(&server.sockets()[0]);
    let timeout = Duration::from_millis(50);
    let (mut reader, mut writer) = opening.idle_timeout(timeout).await.unwrap();
    let began = setup.runtime.now();
    let error = reader.read_line().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let error = error.to_string();
    assert!(
        error.contains("nothing was read or written for 50ms"),
        "{error}"
    );
    let error = writer.drain().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(setup.runtime.now() - began < Duration::from_secs(29));
    server.close();
    server.wait_closed().await; // it was reset, or its handler would wait for a line
}

#[cfg(unix)]
pub(crate) async fn clients_of_a_path_wait_until_the_server_has_started(mut setup: Setup) {
    let path = setup.new_path();
    let starting = setup.serve_at(&*path, echo).start_serving(false);
    let server = starting.await.unwrap();
    let (mut reader, mut writer) = setup.open(&*path).await.unwrap();
    writer.write(b"hello\n").unwrap();
    setup.stays_pending(reader.read_line()).await;
    server.start_serving().unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "hello\n");
    server.close();
    server.wait_closed().await;
    assert!(!path.exists());
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) async fn an_abstract_address_can_be_listened_on(setup: Setup) {
    let name = format!(
        "\0millpond of {}, {:p}",
        std::process::id(),
        &raw const setup
    );
    let path = std::path::Path::new(&name);
    let server = setup.serve_at(path, echo).await.unwrap();
    let address = server.sockets()[0].clone();
    assert!(matches!(address, Address::Abstract(_)), "{address:?}");
    assert_echoes(&setup, &address).await;
    let error = setup.serve_at(path, echo).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    server.close();
    server.wait_closed().await;
    assert_refuses(&setup, &address).await;
}
