//! What can be connected to or listened on, and what cannot.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
};

use futures_util::future::join;
use millpond::{Address, OpenError, Server, StreamReader, StreamWriter, types::OpenConnection};

use crate::{polling::interrupted, setup::Setup};

pub(super) async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let line = reader.read_line().await?;
    Ok(writer.write(&line)?)
}

pub(super) async fn start(setup: &mut Setup) -> (Server, SocketAddr) {
    let server = setup.serve(echo).await.unwrap();
    let address = server.sockets()[0].tcp().unwrap();
    (server, address)
}

pub(super) async fn assert_connects(opening: OpenConnection) {
    let (mut reader, mut writer) = opening.await.unwrap();
    writer.write(b"hello\n").unwrap();
    assert_eq!(reader.read_to_eof().await.unwrap(), "hello\n");
}

/// Fails unless the option is refused.
async fn assert_refused_option(opening: OpenConnection, option: &str) {
    match opening.await {
        Err(error @ OpenError::Option { name, .. }) => {
            assert_eq!(name, option);
            assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidInput);
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn everything_that_names_an_address_can_be_connected_to(mut setup: Setup) {
    let (_server, address) = start(&mut setup).await;
    let (ip, port) = (address.ip(), address.port());
    let text = address.to_string();
    assert_connects(setup.open(address)).await;
    assert_connects(setup.open((ip, port))).await;
    assert_connects(setup.open((Ipv4Addr::LOCALHOST, port))).await;
    assert_connects(setup.open(("127.0.0.1", port))).await;
    assert_connects(setup.open(("127.0.0.1".to_owned(), port))).await;
    assert_connects(setup.open(text.as_str())).await;
    assert_connects(setup.open(text)).await;
    assert_connects(setup.open(vec![address])).await;
    assert_connects(setup.open(&[address][..])).await;
}

pub(crate) async fn a_host_name_is_resolved(mut setup: Setup) {
    let (_server, address) = start(&mut setup).await;
    let host = ("localhost", address.port());
    assert_connects(setup.open(host)).await;
    let text = format!("localhost:{}", address.port());
    assert_connects(setup.open(text)).await;
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) async fn a_unix_server_whose_backlog_is_full_is_waited_for(mut setup: Setup) {
    let address = Address::Unix(Some(setup.new_path()));
    let bound = setup
        .runtime
        .bind(&address, &millpond::adapter::ListenOptions::default());
    let listener = bound.unwrap().listen(0).unwrap();
    let options = millpond::adapter::ConnectOptions::default();
    let mut queued = Vec::new();
    while let Ok(socket) = setup.runtime.connect(&address, &options).await {
        queued.push(socket);
    }
    let opening = setup.open(&address).into_future();
    let opened = setup.spawn(opening);
    setup.stays_pending(std::future::pending::<()>()).await;
    for _ in 0..=queued.len() {
        let accepted = std::future::poll_fn(|cx| listener.poll_accept(cx));
        drop(accepted.await.unwrap());
    }
    opened.await.unwrap();
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) async fn an_abstract_address_can_be_served_and_connected_to(mut setup: Setup) {
    // A path of this test alone is a name of this test alone.
    let name = format!("\0{}", setup.new_path().display());
    let server = setup.serve_at(std::path::Path::new(&name), echo);
    let server = server.await.unwrap();
    let address = Address::Abstract(name[1..].into());
    assert_eq!(server.sockets(), [address]);
    assert_connects(setup.open(std::path::Path::new(&name))).await;
    assert_connects(setup.open(&server.sockets()[0])).await;
}

pub(crate) async fn a_server_gets_a_port_from_the_system(mut setup: Setup) {
    let (server, address) = start(&mut setup).await;
    assert_ne!(address.port(), 0);
    assert_eq!(server.sockets().len(), 1);
}

pub(crate) async fn a_server_can_listen_on_several_addresses(setup: Setup) {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let targets = vec![any_port, any_port];
    let server = setup.serve_at(targets, echo);
    let server = server.await.unwrap();
    assert_eq!(server.sockets().len(), 2);
    assert_ne!(server.sockets()[0], server.sockets()[1]);
    for address in server.sockets() {
        assert_connects(setup.open(address)).await;
    }
}

pub(crate) async fn a_refusal_names_the_address(mut setup: Setup) {
    let address = setup.unused_address();
    let refused = setup.open(address).await;
    let error = refused.unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let OpenError::Connect { attempts } = error else {
        panic!("{error:?}");
    };
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].0, address.into());
    assert_eq!(attempts[0].1.kind(), ErrorKind::ConnectionRefused);
}

pub(crate) async fn every_address_is_tried_until_one_answers(mut setup: Setup) {
    let refusing = [setup.unused_address(), setup.unused_address()];
    let (_server, address) = start(&mut setup).await;
    let open = |targets: &[SocketAddr]| setup.open(targets);
    assert_connects(open(&[refusing[0], address, refusing[1]])).await;
    match open(&refusing).await {
        Err(OpenError::Connect { attempts }) => {
            let tried: Vec<_> = attempts.iter().filter_map(|(at, _)| at.tcp()).collect();
            assert_eq!(tried, refusing);
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn an_unknown_host_is_an_error_that_names_it(setup: Setup) {
    let host = "no-such-host.invalid";
    let opening = setup.open((host, 80)).into_future();
    let serving = setup.serve_at((host, 80), echo).into_future();
    // At once, because a resolver without a network may take long.
    let (opened, served) = join(opening, serving).await;
    for error in [opened.unwrap_err(), served.unwrap_err()] {
        assert!(matches!(error, OpenError::Resolve { .. }), "{error:?}");
        assert!(error.to_string().contains(host), "{error}");
    }
}

pub(crate) async fn options_that_cannot_be_are_refused_before_connecting(mut setup: Setup) {
    let address = setup.unused_address();
    let open = || setup.open(address);
    assert_refused_option(open().limit(0), "limit").await;
    assert_refused_option(open().watermarks(2, 1), "watermarks").await;
    let serving = setup.serve_at(address, echo);
    assert!(matches!(
        serving.limit(0).await,
        Err(OpenError::Option { .. })
    ));
}

pub(crate) async fn addresses_that_cannot_be_are_refused(setup: Setup) {
    for text in ["", "no port", "host:", "host:port", "host:65536", "host:-1"] {
        assert_refused_option(setup.open(text), "address").await;
    }
    assert_refused_option(setup.open(Vec::new()), "addresses").await;
    assert_refused_option(setup.open(("ho\0st", 80)), "host").await;
}

#[cfg(unix)]
pub(crate) async fn paths_that_cannot_be_are_refused(mut setup: Setup) {
    let open = |path: &str| setup.open(std::path::Path::new(path));
    assert_refused_option(open(""), "path").await;
    assert_refused_option(open("/a\0b"), "path").await;
    let long = format!("/{}", "x".repeat(200));
    assert_refused_option(open(&long), "path").await;
    let serving = setup.serve_at(std::path::Path::new(&long), echo);
    let error = serving.await.unwrap_err();
    assert!(error.to_string().contains("201"), "{error}");

    let missing = setup.new_path();
    let error = setup.open(&*missing).await.unwrap_err();
    let name = missing.display().to_string();
    assert!(error.to_string().contains(&name), "{error}");
    assert_eq!(io::Error::from(error).kind(), ErrorKind::NotFound);
}

pub(crate) async fn options_reach_the_streams_of_clients(mut setup: Setup) {
    let (_server, address) = start(&mut setup).await;
    let opening = setup.open(address);
    let opening = opening.limit(3).cap(5).watermarks(0, 1).write_cap(5);
    let (mut reader, mut writer) = opening.await.unwrap();
    assert_eq!(reader.limit(), 3);
    assert!(reader.read_exactly(6).await.is_err());
    assert_eq!(writer.watermarks(), (0, 1));
    assert!(writer.write(b"123456").is_err());
    writer.write(b"1234\n").unwrap();
    assert!(reader.read_line().await.is_err());
}

pub(crate) async fn connecting_can_be_cancelled_at_any_await(mut setup: Setup) {
    let (_server, address) = start(&mut setup).await;
    let open = || setup.open(address);
    let mut times = 1;
    while interrupted(times, || {}, open().into_future())
        .await
        .is_none()
    {
        times += 1;
        assert_connects(open()).await;
    }
}
