//! smol's own sockets as streams.

use std::{net, sync::Arc, time::Duration};

use millpond_smol::{Stream, connect, from_tcp, open_connection};
use smol::Async;

/// std's, so that each test makes of them what it needs.
fn tcp_pair() -> (net::TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (near, far)
}

async fn assert_connected(mut near: Stream, mut far: Stream) {
    near.write(b"ping\n").unwrap();
    assert_eq!(far.read_line().await.unwrap(), "ping\n");
    far.write(b"pong\n").unwrap();
    drop(far);
    assert_eq!(near.read_to_eof().await.unwrap(), "pong\n");
}

#[test]
fn a_tcp_socket_of_smol_is_a_stream_with_its_addresses() {
    smol::block_on(async {
        let listener = smol::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let near = smol::net::TcpStream::connect(address).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        let (reader, writer) = open_connection(from_tcp(near)).await.unwrap();
        assert_eq!(writer.extra_info().peer_addr, Some(address.into()));
        let far = connect(from_tcp(far)).await.unwrap();
        let near = Stream::reunite(reader, writer).unwrap();
        assert_connected(near, far).await;
    });
}

#[test]
fn a_socket_in_the_reactor_is_a_stream_though_it_is_shared() {
    smol::block_on(async {
        let (near, far) = tcp_pair();
        let near = Arc::new(Async::new(near).unwrap());
        let shared = near.clone();
        let far = Async::new(far).unwrap();
        let near = connect(from_tcp(near)).await.unwrap();
        let far = connect(from_tcp(far)).await.unwrap();
        assert_connected(near, far).await;
        assert_eq!(Arc::strong_count(&shared), 1, "the stream has dropped it");
    });
}

#[test]
fn the_options_are_set_on_a_socket_of_smol() {
    smol::block_on(async {
        let (near, far) = tcp_pair();
        let minute = Duration::from_secs(60);
        let near = Async::new(near).unwrap();
        let opening = connect(from_tcp(near)).keep_alive(minute).limit(3);
        let stream = opening.receive_buffer(50_000).await.unwrap();
        assert_eq!(stream.limit(), 3);
        let set = stream.transport().with_socket(|socket| {
            assert!(socket.tcp_nodelay().unwrap());
            assert!(socket.keepalive().unwrap());
            socket.recv_buffer_size().unwrap()
        });
        assert!([50_000, 100_000].contains(&set.unwrap()), "{set:?}");

        let far = Async::new(far).unwrap();
        let stream = connect(from_tcp(far)).no_delay(false).await.unwrap();
        let transport = stream.transport();
        let set = transport.with_socket(|socket| socket.tcp_nodelay().unwrap());
        assert_eq!(set, Some(false));
    });
}

#[cfg(unix)]
#[test]
fn a_unix_socket_of_smol_is_a_stream() {
    smol::block_on(async {
        let (near, far) = smol::net::unix::UnixStream::pair().unwrap();
        let near = connect(millpond_smol::from_unix(near)).await.unwrap();
        let far = connect(millpond_smol::from_unix(far)).await.unwrap();
        assert_connected(near, far).await;

        let (near, far) = Async::<std::os::unix::net::UnixStream>::pair().unwrap();
        let near = connect(millpond_smol::from_unix(near)).await.unwrap();
        let far = connect(millpond_smol::from_unix(far)).await.unwrap();
        assert_connected(near, far).await;
    });
}
