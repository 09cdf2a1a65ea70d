//! A client and an upstream of the standard library, and the proxy between them.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, Type};

use crate::program::{RUNTIMES, Server, TIME_LIMIT};

const MUCH: usize = 16 * 1024 * 1024;

/// Whatever the system buffers on four sockets, and more.
const BUFFERS: usize = 128 * 1024 * 1024;

/// Something that does not happen for so long probably never does.
const A_WHILE: Duration = Duration::from_millis(300);

struct Proxy {
    server: Server,
    upstream: TcpListener,
}

impl Proxy {
    fn start(runtime: &str, args: &[&str]) -> Self {
        let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = upstream.local_addr().unwrap();
        Self {
            server: start_to(runtime, address, args),
            upstream,
        }
    }

    fn client(&self) -> TcpStream {
        patient(TcpStream::connect(&self.server.address).unwrap())
    }

    fn accept(&self) -> TcpStream {
        patient(self.upstream.accept().unwrap().0)
    }

    /// A client and what the upstream has of it.
    fn connect(&self) -> (TcpStream, TcpStream) {
        (self.client(), self.accept())
    }
}

fn start_to(runtime: &str, upstream: SocketAddr, args: &[&str]) -> Server {
    let upstream = upstream.to_string();
    let args = [args, &[upstream.as_str()]].concat();
    Server::start_with(env!("CARGO_BIN_EXE_tcp_proxy"), runtime, &args)
}

fn patient(socket: TcpStream) -> TcpStream {
    socket.set_read_timeout(Some(TIME_LIMIT)).unwrap();
    socket.set_write_timeout(Some(TIME_LIMIT)).unwrap();
    socket
}

/// Bytes in which a loss or a swap shows.
fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (seed + i + (i >> 8) + (i >> 16)).to_le_bytes()[0])
        .collect()
}

fn reset(socket: TcpStream) {
    SockRef::from(&socket)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(socket);
}

fn all(mut socket: &TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    socket.read_to_end(&mut received).unwrap();
    received
}

fn error_of(mut socket: &TcpStream) -> ErrorKind {
    let read = socket.read(&mut [0; 100]);
    read.expect_err("the stream is reset").kind()
}

fn ping(from: &mut TcpStream, to: &mut TcpStream) {
    from.write_all(b"ping").unwrap();
    let mut received = [0; 4];
    to.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"ping");
}

#[test]
fn both_sides_can_send_much_at_once() {
    for runtime in RUNTIMES {
        let proxy = Proxy::start(runtime, &[]);
        let (client, upstream) = proxy.connect();
        let sends = |mut socket: &TcpStream, seed| {
            socket.write_all(&pattern(seed, MUCH)).unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
        };
        thread::scope(|scope| {
            scope.spawn(|| sends(&client, 1));
            scope.spawn(|| sends(&upstream, 2));
            let received = scope.spawn(|| all(&upstream) == pattern(1, MUCH));
            assert!(all(&client) == pattern(2, MUCH), "{runtime}");
            assert!(received.join().unwrap(), "{runtime}");
        });
    }
}

#[test]
fn an_end_is_passed_on_and_the_other_direction_goes_on() {
    for runtime in RUNTIMES {
        let proxy = Proxy::start(runtime, &[]);
        for the_client_ends_first in [true, false] {
            let (client, upstream) = proxy.connect();
            let (mut first, mut last) = match the_client_ends_first {
                true => (client, upstream),
                false => (upstream, client),
            };
            first.write_all(b"question").unwrap();
            first.shutdown(Shutdown::Write).unwrap();
            assert_eq!(all(&last), b"question");
            let answer = pattern(3, MUCH);
            thread::scope(|scope| {
                let received = scope.spawn(|| all(&first));
                last.write_all(&answer).unwrap();
                last.shutdown(Shutdown::Write).unwrap();
                assert!(received.join().unwrap() == answer);
            });
        }
    }
}

#[test]
fn a_reset_is_passed_on_as_a_reset() {
    for runtime in RUNTIMES {
        let proxy = Proxy::start(runtime, &[]);
        let (client, upstream) = proxy.connect();
        reset(client);
        assert_eq!(error_of(&upstream), ErrorKind::ConnectionReset);

        let (client, upstream) = proxy.connect();
        reset(upstream);
        assert_eq!(error_of(&client), ErrorKind::ConnectionReset);

        // Behind an end of the other direction, too.
        let (client, upstream) = proxy.connect();
        upstream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(all(&client), b"");
        reset(client);
        let mut upstream = upstream;
        let refused = loop {
            if let Err(error) = upstream.write(&[0; 1024]) {
                break error.kind();
            }
        };
        assert!(matches!(
            refused,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ));
    }
}

#[test]
fn a_client_is_reset_if_the_upstream_refuses() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // The port of a client: no server listens there, and no other process gets it.
    let placeholder = TcpStream::connect(silent.local_addr().unwrap()).unwrap();
    for runtime in RUNTIMES {
        let server = start_to(runtime, placeholder.local_addr().unwrap(), &[]);
        let client = patient(TcpStream::connect(&server.address).unwrap());
        assert_eq!(error_of(&client), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_client_is_reset_if_the_upstream_does_not_answer() {
    let silent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    silent.bind(&any_port.into()).unwrap();
    silent.listen(0).unwrap();
    let address = silent.local_addr().unwrap().as_socket().unwrap();
    // They fill the backlog.
    let _waiting = [(); 3].map(|()| TcpStream::connect_timeout(&address, A_WHILE));

    for runtime in RUNTIMES {
        let server = start_to(runtime, address, &["--connect-timeout", "0.3"]);
        let client = patient(TcpStream::connect(&server.address).unwrap());
        assert_eq!(error_of(&client), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_side_that_reads_nothing_stops_the_other_one() {
    for runtime in RUNTIMES {
        let proxy = Proxy::start(runtime, &[]);
        let (mut client, _upstream) = proxy.connect();
        client.set_write_timeout(Some(A_WHILE)).unwrap();
        let block = [0; 64 * 1024];
        let mut sent = 0;
        while let Ok(n) = client.write(&block) {
            sent += n;
            assert!(sent < BUFFERS, "nothing stops the client");
        }
    }
}

#[test]
fn clients_above_the_maximum_wait() {
    for runtime in RUNTIMES {
        let proxy = Proxy::start(runtime, &["--max-connections", "1"]);
        let (mut one, mut upstream_of_one) = proxy.connect();
        ping(&mut one, &mut upstream_of_one);

        let mut two = proxy.client();
        proxy.upstream.set_nonblocking(true).unwrap();
        thread::sleep(A_WHILE);
        let early = proxy.upstream.accept();
        assert_eq!(early.unwrap_err().kind(), ErrorKind::WouldBlock);
        proxy.upstream.set_nonblocking(false).unwrap();

        drop((one, upstream_of_one));
        let mut upstream_of_two = proxy.accept();
        ping(&mut two, &mut upstream_of_two);
    }
}

#[test]
fn a_client_that_has_ended_does_not_keep_its_place_when_the_upstream_is_silent() {
    for runtime in RUNTIMES {
        let args = ["--idle-timeout", "0.3", "--max-connections", "1"];
        let proxy = Proxy::start(runtime, &args);
        let (mut client, upstream) = proxy.connect();
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut next = proxy.client();
        assert_eq!(error_of(&client), ErrorKind::ConnectionReset);
        let mut upstream_of_next = proxy.accept();
        ping(&mut next, &mut upstream_of_next);
        assert_eq!(all(&upstream), b"question");
    }
}

#[test]
fn a_connection_on_which_nothing_moves_is_ended() {
    for runtime in RUNTIMES {
        let proxy = Proxy::start(runtime, &["--idle-timeout", "0.3"]);
        let (mut client, upstream) = proxy.connect();
        assert_eq!(error_of(&upstream), ErrorKind::ConnectionReset);
        let end = client.read(&mut [0; 100]);
        assert!(end.map_or_else(
            |error| error.kind() == ErrorKind::ConnectionReset,
            |n| n == 0
        ));
    }
}
