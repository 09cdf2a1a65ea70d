//! Connecting over loopback TCP, and ending: the other end is on the same thread, and ends first.

use std::net::{SocketAddr, TcpListener};

use tokio::{net::TcpStream, runtime::Builder};

use crate::memory::Row;

/// In a pass.
const CONNECTIONS: u64 = 64;

pub(crate) fn rows() -> Vec<Row> {
    let theirs = async |address| drop(TcpStream::connect(address).await.unwrap().set_nodelay(true));
    let ours = async |address: SocketAddr| {
        drop(millpond_tokio::open_connection(address).await.unwrap());
    };
    vec![
        row("connecting, a socket of tokio's", theirs),
        row("connecting, a stream", ours),
    ]
}

fn row(name: &str, mut connect: impl AsyncFnMut(SocketAddr) + 'static) -> Row {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    Row::new(name, "connection", CONNECTIONS, move || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        runtime.block_on(async {
            for _ in 0..CONNECTIONS {
                connect(address).await;
                drop(listener.accept().unwrap());
            }
        });
        CONNECTIONS
    })
}
