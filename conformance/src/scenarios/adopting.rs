//! Taking over what the system has: its sockets and its files.

use std::{io, net::Ipv4Addr, time::Duration};

use millpond::{Address, adapter::ListenOptions};

use super::opening::{assert_connects, echo, start};
// Those that share more with others of their topic than with these.
pub(crate) use super::{
    binding::system::*, connecting::system::*, starting_tls::system::*, trusting::system::*,
};
use crate::setup::Setup;

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
