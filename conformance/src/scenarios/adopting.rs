//! Taking over what the system has: its sockets and its files.

use std::{
    io::{self, Read, Write},
    net::Ipv4Addr,
    time::Duration,
};

use futures_util::future::join;

use millpond::{Address, adapter::ListenOptions};

use super::opening::{assert_connects, echo, start};
// Those that share more with others of their topic than with these.
pub(crate) use super::{
    binding::system::*, connecting::system::*, starting_tls::system::*, trusting::system::*,
    writing::system::*,
};
use crate::{
    data,
    setup::{Setup, whole},
};

pub(crate) async fn a_socket_can_be_taken_over(mut setup: Setup) {
    let (_server, address) = start(&mut setup).await;
    // It blocks, as any socket does at first.
    let socket = std::net::TcpStream::connect(address).unwrap();
    assert_connects(setup.open(socket)).await;
}

pub(crate) async fn a_listening_socket_can_be_taken_over(setup: Setup) {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = Address::from(listener.local_addr().unwrap());
    let server = setup.serve_at(listener, echo);
    let server = server.await.unwrap();
    assert_eq!(server.sockets(), std::slice::from_ref(&address));
    assert_connects(setup.open(&address)).await;
}

#[cfg(unix)]
pub(crate) async fn unix_sockets_can_be_taken_over(mut setup: Setup) {
    let path = setup.new_path();
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let server = setup.serve_at(listener, echo);
    let server = server.await.unwrap();
    assert_eq!(server.sockets(), [Address::Unix(Some(path.clone()))]);
    let socket = std::os::unix::net::UnixStream::connect(&path).unwrap();
    assert_connects(setup.open(socket)).await;
}

#[cfg(unix)]
pub(crate) async fn the_path_that_a_dead_server_left_is_replaced(mut setup: Setup) {
    let path = setup.new_path();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = setup.serve_at(&*path, echo).await.unwrap();
    assert_connects(setup.open(&*path)).await;
    server.close();
    server.wait_closed().await;
    assert!(!path.exists());
}

#[cfg(unix)]
pub(crate) async fn a_file_in_the_way_of_a_server_is_left_alone(mut setup: Setup) {
    let path = setup.new_path();
    std::fs::write(&path, "precious").unwrap();
    let serving = setup.serve_at(&*path, echo).await;
    let error = io::Error::from(serving.unwrap_err());
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

pub(crate) async fn sockets_and_sleeps_can_be_made_on_any_thread(setup: Setup) {
    let runtime = setup.runtime.clone();
    let thread = std::thread::spawn(move || {
        let any_port = Address::from((Ipv4Addr::LOCALHOST, 0));
        let bound = runtime.bind(&any_port, &ListenOptions::default());
        let listener = bound.unwrap().listen(10).unwrap();
        let (near, far) = millpond::adapter::os::socket_pair().unwrap();
        let sockets = [runtime.adopt(near).unwrap(), runtime.adopt(far).unwrap()];
        (listener, sockets, runtime.sleep(Duration::from_millis(1)))
    });
    let (_listener, _sockets, sleep) = thread.join().unwrap();
    sleep.await;
}

pub(crate) async fn tcp_sockets_send_at_once(setup: Setup) {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let twin = socket.try_clone().unwrap();
    let adopted = setup.open(socket).await.unwrap();
    assert!(twin.nodelay().unwrap());
    drop(adopted);
}

/// Two streams over a socket of the system.
async fn over_a_socket(setup: &Setup) -> (millpond::Stream, millpond::Stream) {
    let (near, far) = millpond::adapter::os::socket_pair().unwrap();
    let (near, far) = (
        setup.open(near).await.unwrap(),
        setup.open(far).await.unwrap(),
    );
    (whole(near), whole(far))
}

pub(crate) async fn a_socket_is_given_back_with_what_was_read_ahead(setup: Setup) {
    let (mut near, mut far) = over_a_socket(&setup).await;
    far.write(b"first\nsecond\n").unwrap();
    assert_eq!(near.read_line().await.unwrap(), "first\n");
    assert_eq!(near.buffered(), b"second\n");
    far.write(b"third\n").unwrap();
    setup.sleep(5).await;
    assert!(!near.is_closing()); // which has looked ahead
    far.write(b"fourth\n").unwrap();
    near.write(b"up to here by the stream, ").unwrap();
    near.flush().await.unwrap();
    let (socket, buffered) = near.into_std().unwrap();
    socket.set_nonblocking(false).unwrap();
    assert_eq!(buffered, "second\nthird\n");
    let mut rest = [0; 7];
    (&socket).read_exact(&mut rest).unwrap();
    assert_eq!(&rest, b"fourth\n");
    (&socket).write_all(b"and then by the socket").unwrap();
    let sent = "up to here by the stream, and then by the socket";
    assert_eq!(far.read_exactly(sent.len()).await.unwrap(), sent);
    setup.stays_pending(far.read(1)).await; // the stream has not ended it
    drop(socket);
    assert_eq!(far.read(1).await.unwrap(), "");
}

pub(crate) async fn a_socket_that_was_given_back_can_be_taken_over_again(setup: Setup) {
    let (mut near, mut far) = over_a_socket(&setup).await;
    near.write_eof().unwrap();
    near.flush().await.unwrap();
    let (socket, buffered) = near.into_std().unwrap();
    assert!(buffered.is_empty());
    let mut near = whole(setup.open(socket).await.unwrap());
    assert_eq!(far.read(1).await.unwrap(), "");
    far.write_all(b"still open").await.unwrap();
    assert_eq!(near.read_exactly(10).await.unwrap(), "still open");
}

pub(crate) async fn a_socket_is_not_given_back_while_something_is_queued(setup: Setup) {
    let (mut near, mut far) = over_a_socket(&setup).await;
    let sent = data::bytes(5, 4 << 20);
    near.write(&sent).unwrap();
    let refused = near.into_std().unwrap_err();
    assert_eq!(refused.reason.kind(), io::ErrorKind::WouldBlock);
    let mut near = refused.stream;
    let (received, ()) = join(far.read_exactly(sent.len()), async {
        near.flush().await.unwrap();
    })
    .await;
    data::assert_same(&received.unwrap(), &sent);
    let (socket, _) = near.into_std().unwrap();
    drop(socket);
    assert_eq!(far.read(1).await.unwrap(), "");
}

/// The server counts the connection no longer.
pub(crate) async fn a_server_forgets_a_connection_whose_socket_was_given_back(mut setup: Setup) {
    let server = setup.listen().await.unwrap();
    let (client, taken) = join(setup.client(&server), server.accept()).await;
    let (socket, _) = taken.unwrap().into_std().unwrap();
    server.close();
    server.wait_closed().await;
    let mut client = whole(client);
    (&socket).write_all(b"on its own").unwrap();
    assert_eq!(client.read_exactly(10).await.unwrap(), "on its own");
}
