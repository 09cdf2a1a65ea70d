//! Echo servers on tokio with many connections over loopback TCP, in one thread.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use crate::{
    echo::{LINE, RAW, SERVED, adopt, codec, gathering, per_line, raw},
    elsewhere::Elsewhere,
    idle::{accept_each, served},
    measured::{Measured, Unit},
    table::{Column, Options, Row, measure},
};

/// Lines that a pass echoes.
const LINES: usize = 16_000;

/// How many connections, and how many lines are on their way on each of them.
const LOADS: [(usize, usize); 2] = [(100, 16), (1000, 1)];

pub(crate) fn run(options: &Options) -> Vec<Measured> {
    let elsewhere = Elsewhere::start();
    let mut servers = servers();
    servers.extend(elsewhere.servers());
    let columns = LOADS.map(|(connections, in_flight)| {
        let name = format!("{connections} x {in_flight}");
        let rows = servers.iter();
        let rows = rows.map(|&(name, address)| row(name, address, connections, in_flight));
        Column::new(name, LINES as u64, rows.collect())
    });
    let title = "echo of lines of 64 B over loopback TCP on tokio, connections x lines in flight";
    let unit = Unit::Thousands("lines");
    vec![measure(options, title, unit, SERVED, 9, columns)]
}

/// A row for each; ends with the process.
pub(crate) fn servers() -> Vec<(&'static str, SocketAddr)> {
    vec![
        (RAW, accept(|s| async { raw(adopt(s)?).await })),
        (
            "tokio read_until + write_all per line",
            accept(|s| async { per_line(adopt(s)?).await }),
        ),
        (
            "tokio read_until, BufWriter flushed when idle",
            accept(|s| async { gathering(adopt(s)?.into_split()).await }),
        ),
        ("tokio-util LinesCodec, send per line", accept(codec)),
        (SERVED, start(|listener| served(listener, Arc::default()))),
    ]
}

fn accept<F>(handler: fn(TcpStream) -> F) -> SocketAddr
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    start(move |listener| accept_each(listener, Arc::default(), handler))
}

fn start(serve: impl FnOnce(TcpListener) -> io::Result<()> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve(listener).unwrap());
    address
}

fn row(
    name: &'static str,
    address: SocketAddr,
    connections: usize,
    in_flight: usize,
) -> Row<'static> {
    let lines = [[b'x'; LINE - 1].as_slice(), b"\n"]
        .concat()
        .repeat(in_flight);
    let mut answer = vec![0; lines.len()];
    let mut streams = Vec::new();
    let turns = LINES / connections / in_flight;
    let pass = move || {
        // When the row is measured, and not before.
        streams.resize_with(connections, || connect(address));
        for _ in 0..turns {
            for stream in &mut streams {
                stream.write_all(&lines).unwrap();
            }
            for stream in &mut streams {
                stream.read_exact(&mut answer).unwrap();
            }
        }
        (turns * connections * in_flight) as u64
    };
    Row::below(RAW, name, pass)
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}
