//! tokio's own sockets as streams.

use std::time::Duration;

use millpond_tokio::{connect, from_tcp, open_connection, types::KeepAlive};
use tokio::net::{TcpListener, TcpStream};

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await;
    let (far, _) = listener.accept().await.unwrap();
    (near.unwrap(), far)
}

#[tokio::test]
async fn a_tcp_socket_of_tokio_is_a_stream_with_its_addresses() {
    let (near, far) = tcp_pair().await;
    let address = far.local_addr().unwrap();
    let (mut reader, mut writer) = open_connection(from_tcp(near)).await.unwrap();
    let mut far = connect(from_tcp(far)).await.unwrap();
    assert_eq!(writer.extra_info().peer_addr, Some(address.into()));
    writer.write(b"ping\n").unwrap();
    assert_eq!(far.read_line().await.unwrap(), "ping\n");
    far.write(b"pong\n").unwrap();
    drop(far);
    assert_eq!(reader.read_to_eof().await.unwrap(), "pong\n");
}

#[tokio::test]
async fn what_was_read_of_a_socket_before_is_not_read_again() {
    let (near, far) = tcp_pair().await;
    let mut far = connect(from_tcp(far)).await.unwrap();
    far.write(b"for tokio, for the stream\n").unwrap();
    let mut taken = [0; 11];
    near.readable().await.unwrap();
    assert_eq!(near.try_read(&mut taken).unwrap(), 11);
    let mut near = connect(from_tcp(near)).await.unwrap();
    assert_eq!(near.read_line().await.unwrap(), "for the stream\n");
}

#[tokio::test]
async fn the_options_are_set_on_a_socket_of_tokio() {
    let (near, far) = tcp_pair().await;
    let minute = Duration::from_secs(60);
    let opening = connect(from_tcp(near)).keep_alive(minute).limit(3);
    let stream = opening.receive_buffer(50_000).await.unwrap();
    assert_eq!(stream.limit(), 3);
    let set = stream.transport().with_socket(|socket| {
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        socket.recv_buffer_size().unwrap()
    });
    assert!([50_000, 100_000].contains(&set.unwrap()), "{set:?}");

    let opening = connect(from_tcp(far)).no_delay(false);
    let stream = opening.keep_alive(KeepAlive::Off).await.unwrap();
    let set = stream
        .transport()
        .with_socket(|socket| (socket.tcp_nodelay().unwrap(), socket.keepalive().unwrap()));
    assert_eq!(set, Some((false, false)));
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_of_tokio_is_a_stream() {
    let (near, far) = tokio::net::UnixStream::pair().unwrap();
    let near = connect(millpond_tokio::from_unix(near)).send_buffer(50_000);
    let mut near = near.await.unwrap();
    let mut far = connect(millpond_tokio::from_unix(far)).await.unwrap();
    near.write(b"ping\n").unwrap();
    near.close();
    near.wait_closed().await.unwrap();
    assert_eq!(far.read_to_eof().await.unwrap(), "ping\n");
}
