//! Taking over what the system has: its sockets and its files.

use std::{io, net::Ipv4Addr, time::Duration};

use millpond::{Address, ListenOptions};

// Those that share more with others of their topic than with these.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use super::binding::{
    backlogs_are_what_they_should_be, the_mode_of_a_path_is_what_was_asked_for,
};
use super::opening::{assert_connects, echo, start};
pub(crate) use super::{
    binding::a_socket_that_was_given_can_be_bound_only_once,
    connecting::{
        any_socket_of_the_runtime_can_be_given, attempts_that_lose_are_closed,
        settings_reach_the_sockets_of_clients, settings_reach_the_sockets_that_are_taken_over,
    },
    starting_tls::a_socket_that_is_taken_over_can_be_upgraded,
    trusting::a_name_must_be_given_for_a_socket_that_is_taken_over,
};
#[cfg(unix)]
pub(crate) use super::{
    binding::{
        a_path_is_taken_from_the_dead_and_not_from_the_living, only_a_path_of_its_own_is_removed,
    },
    connecting::{a_datagram_socket_is_refused, descriptors_of_streams_can_be_taken_over},
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
        let (near, far) = millpond::os::socket_pair().unwrap();
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
