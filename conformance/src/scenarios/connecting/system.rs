//! Those that need the sockets of the system: they are of the topic `adopting`.

use super::*;

pub(crate) async fn any_socket_of_the_runtime_can_be_given(mut setup: Setup) {
    let (_server, address) = start(&mut setup).await;
    let socket = TcpStream::connect(address).unwrap();
    let socket = setup.runtime.adopt(socket.into()).unwrap();
    assert_connects(setup.open(socket)).await;
    let options = Default::default();
    let address = Address::from(address);
    let socket = setup.runtime.connect(&address, &options).await.unwrap();
    assert_connects(setup.open(socket)).await;
}

pub(crate) async fn attempts_that_lose_are_closed(setup: Setup) {
    let (listeners, addresses): (Vec<_>, Vec<_>) = (0..4).map(|_| listen()).unzip();
    let open = || {
        let opening = setup.open(&addresses[..]);
        opening.happy_eyeballs_delay(Duration::ZERO) // all at once
    };
    let opened = open().await.unwrap();
    assert_alive(&setup, &listeners, 1).await;
    drop(opened);

    // Or all of them, when the whole is dropped.
    let mut times = 1;
    while interrupted(times, || {}, open().into_future())
        .await
        .is_none()
    {
        times += 1;
    }
    assert_alive(&setup, &listeners, 0).await;
}

pub(crate) async fn settings_reach_the_sockets_of_clients(mut setup: Setup) {
    let (_server, address) = start(&mut setup).await;
    let (_reader, writer) = setup.open(address).await.unwrap();
    assert!(ask(&writer, |socket| socket.tcp_nodelay()));
    assert!(!ask(&writer, |socket| socket.keepalive()));

    let (_reader, writer) = setup.open(address).no_delay(false).await.unwrap();
    assert!(!ask(&writer, |socket| socket.tcp_nodelay()));

    let (_reader, writer) = setup.open(address).keep_alive(true).await.unwrap();
    assert!(ask(&writer, |socket| socket.keepalive()));

    let (_reader, writer) = set_all(setup.open(address)).await.unwrap();
    assert!(ask(&writer, |socket| socket.tcp_nodelay()));
    assert!(ask(&writer, |socket| socket.keepalive()));
    #[cfg(target_os = "linux")]
    {
        let time = ask(&writer, |socket| socket.tcp_keepalive_time());
        assert_eq!(time, Duration::from_secs(41));
    }
    assert_all_set(&writer);
}

pub(crate) async fn settings_reach_the_sockets_that_are_taken_over(mut setup: Setup) {
    let (_server, address) = start(&mut setup).await;
    let connect = || TcpStream::connect(address).unwrap();
    let adopt = || setup.runtime.adopt(connect().into()).unwrap();
    for opening in [setup.open(connect()), setup.open(adopt())] {
        let (_reader, writer) = opening.await.unwrap();
        assert!(ask(&writer, |socket| socket.tcp_nodelay()));
        assert!(!ask(&writer, |socket| socket.keepalive()));
    }
    for opening in [setup.open(connect()), setup.open(adopt())] {
        let (_reader, writer) = set_all(opening).await.unwrap();
        assert!(ask(&writer, |socket| socket.keepalive()));
        assert_all_set(&writer);
    }
    for opening in [setup.open(connect()), setup.open(adopt())] {
        let (_reader, writer) = opening.no_delay(false).await.unwrap();
        assert!(!ask(&writer, |socket| socket.tcp_nodelay()));
    }
    // Those that TCP has do no harm to others.
    let (near, far) = millpond::adapter::os::socket_pair().unwrap();
    let near = set_all(setup.open(near)).await.unwrap();
    assert_all_set(&near.1);
    let far = setup.runtime.adopt(far).unwrap();
    let far = set_all(setup.open(far)).await.unwrap();
    assert_all_set(&far.1);
}

#[cfg(unix)]
pub(crate) async fn a_datagram_socket_is_refused(setup: Setup) {
    use std::os::{fd::OwnedFd, unix::net::UnixDatagram};

    let udp = OwnedFd::from(std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let unix = OwnedFd::from(UnixDatagram::unbound().unwrap());
    for opening in [
        setup.open(TcpStream::from(udp)),
        setup.open(std::os::unix::net::UnixStream::from(unix)),
    ] {
        let error = opening.await.unwrap_err();
        assert!(error.to_string().contains("a datagram socket"), "{error}");
        assert!(matches!(error, OpenError::Option { name: "sock", .. }));
    }
}

#[cfg(unix)]
pub(crate) async fn descriptors_of_streams_can_be_taken_over(mut setup: Setup) {
    use std::os::fd::OwnedFd;

    use millpond::adapter::StdSocket;

    let (_server, address) = start(&mut setup).await;
    let socket = TcpStream::connect(address).unwrap();
    let socket = StdSocket::try_from(OwnedFd::from(socket)).unwrap();
    assert_connects(setup.open(socket)).await;
    let path = setup.new_path();
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let listener = StdListener::try_from(OwnedFd::from(listener)).unwrap();
    let _server = setup.serve_at(listener, echo).await.unwrap();
    assert_connects(setup.open(&*path)).await;
}
