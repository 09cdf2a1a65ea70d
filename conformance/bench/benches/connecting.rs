//! Short connections over loopback TCP: each is made, carries a line and its answer, and ends.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    echo::{LINE, RAW, SERVED},
    elsewhere::Elsewhere,
    idle::runtime,
    many::{connect, servers},
    measured::{Measured, Unit},
    table::{Column, Options, Row, measure},
};

/// In a pass: their ports stay taken for a while.
const CONNECTIONS: usize = 300;

const ROUNDS: u32 = 9;
const LINE_OF_X: [u8; LINE] = {
    let mut line = [b'x'; LINE];
    line[LINE - 1] = b'\n';
    line
};

pub(crate) fn run(options: &Options) -> Vec<Measured> {
    vec![accepting(options), connecting(options)]
}

/// A blocking client, and servers on tokio.
fn accepting(options: &Options) -> Measured {
    let elsewhere = Elsewhere::start();
    let servers = servers().into_iter().chain(elsewhere.servers());
    let rows =
        servers.map(|(name, address)| Row::below(RAW, name, move || passes(|| visit(address))));
    show(
        options,
        "accept, echo a line, and end",
        SERVED,
        rows.collect(),
    )
}

fn visit(address: SocketAddr) {
    let mut stream = connect(address);
    stream.write_all(&LINE_OF_X).unwrap();
    stream.read_exact(&mut [0; LINE]).unwrap();
}

const CONNECT: &str = "millpond connect";

/// A blocking server, and clients on tokio.
fn connecting(options: &Options) -> Measured {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || echo_each(&listener));
    let rows = vec![
        Row::new("tokio TcpStream::connect", client(address, tokios)),
        Row::new(CONNECT, client(address, ours)),
    ];
    show(
        options,
        "connect, send a line, read it, and end",
        CONNECT,
        rows,
    )
}

fn echo_each(listener: &TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut line = [0; LINE];
        stream.read_exact(&mut line).unwrap();
        stream.write_all(&line).unwrap();
    }
}

fn client<F>(address: SocketAddr, visit: fn(SocketAddr) -> F) -> impl FnMut() -> u64
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let runtime = runtime().unwrap();
    // As a task: the future of `block_on` itself is polled in another way.
    move || {
        passes(|| {
            runtime
                .block_on(async { tokio::spawn(visit(address)).await })
                .unwrap()
                .unwrap()
        })
    }
}

async fn tokios(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&LINE_OF_X).await?;
    stream.read_exact(&mut [0; LINE]).await?;
    Ok(())
}

async fn ours(address: SocketAddr) -> io::Result<()> {
    let mut stream = millpond_tokio::connect(address).await?;
    stream.write(LINE_OF_X)?;
    stream.read_exactly_ref(LINE).await?;
    Ok(())
}

fn passes(mut visit: impl FnMut()) -> u64 {
    for _ in 0..CONNECTIONS {
        visit();
    }
    CONNECTIONS as u64
}

fn show(
    options: &Options,
    title: &str,
    featured: &'static str,
    rows: Vec<Row<'static>>,
) -> Measured {
    let column = Column::new(format!("{CONNECTIONS} in turn"), CONNECTIONS as u64, rows);
    let unit = Unit::Thousands("connections");
    measure(options, title, unit, featured, ROUNDS, [column])
}
