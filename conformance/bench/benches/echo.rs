//! An echo server on tokio over loopback TCP: one line on its way, and 64 of them.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use futures_util::{SinkExt, StreamExt};
use millpond::{
    StreamReader, StreamWriter, TlsAcceptor,
    adapter::{StdListener, StdSocket},
};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter,
};
use tokio_util::codec::{Framed, LinesCodec};

use crate::{
    idle::runtime,
    measured::{Measured, Unit},
    table::{Column, Options, Row, measure},
};

pub(crate) const LINE: usize = 64;
const IN_FLIGHT: usize = 64;
pub(crate) const RAW: &str = "tokio read + write_all";
pub(crate) const SERVED: &str = "millpond start_server, write_all per line";

pub(crate) fn run(options: &Options) -> Vec<Measured> {
    let over = "loopback TCP on tokio";
    vec![measure_echoes(options, over, RAW, |stream| stream, served)]
}

/// `served` is each row: its name, and a connection to what serves it, whose blocking end `connect`
/// makes.
pub(crate) fn measure_echoes<C: Read + Write + 'static>(
    options: &Options,
    over: &str,
    ceiling: &str,
    connect: fn(TcpStream) -> C,
    served: fn() -> Vec<(&'static str, TcpStream)>,
) -> Measured {
    let columns = [("ping-pong", 1, 2000), ("64 in flight", IN_FLIGHT, 300)].map(
        |(name, in_flight, turns)| {
            let rows = served().into_iter().map(|(name, stream)| {
                Row::below(ceiling, name, pass(connect(stream), in_flight, turns))
            });
            Column::new(name, (in_flight * turns) as u64, rows.collect())
        },
    );
    let title = format!("echo of lines of 64 B over {over}, one connection");
    let unit = Unit::Thousands("lines");
    measure(options, &title, unit, SERVED, 9, columns)
}

fn pass(
    stream: impl Read + Write + 'static,
    in_flight: usize,
    turns: usize,
) -> impl FnMut() -> u64 {
    let mut client = Client::new(stream, in_flight);
    move || {
        for _ in 0..turns {
            client.turn();
        }
        (in_flight * turns) as u64
    }
}

fn served() -> Vec<(&'static str, TcpStream)> {
    vec![
        (RAW, serve(|s| async { raw(adopt(s)?).await })),
        (
            "tokio read_until + write_all per line",
            serve(|s| async { per_line(adopt(s)?).await }),
        ),
        (
            "tokio read_until, BufWriter flushed when idle",
            serve(|s| async { gathering(adopt(s)?.into_split()).await }),
        ),
        ("tokio-util LinesCodec, send per line", serve(codec)),
        (
            "millpond read_ref + write_all",
            serve(|s| async { our_raw(our_adopt(s).await?).await }),
        ),
        (
            "millpond read_line_ref + write_all per line",
            serve(our_lines),
        ),
        (
            "millpond read_line_ref, one write_all when idle",
            serve(ours_gathering),
        ),
        (SERVED, start_server(None)),
    ]
}

/// The same blocking client for all of them.
struct Client<C> {
    stream: C,
    lines: Vec<u8>,
    answer: Vec<u8>,
}

impl<C: Read + Write> Client<C> {
    fn new(stream: C, in_flight: usize) -> Self {
        let line = [[b'x'; LINE - 1].as_slice(), b"\n"].concat();
        let lines = line.repeat(in_flight);
        Self {
            stream,
            answer: vec![0; lines.len()],
            lines,
        }
    }

    fn turn(&mut self) {
        self.stream.write_all(&self.lines).unwrap();
        self.stream.read_exact(&mut self.answer).unwrap();
    }
}

/// Serves one connection on a runtime of its own, and connects to it. It ends with the connection.
pub(crate) fn serve<F>(handler: impl Fn(TcpStream) -> F + Send + 'static) -> TcpStream
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let runtime = runtime().unwrap();
        // As a task: the future of `block_on` itself is polled in another way.
        let handler = runtime.block_on(async { tokio::spawn(handler(stream)).await });
        match handler.unwrap() {
            Ok(()) => {}
            // A client ends without a word.
            Err(error) => assert!(matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
            )),
        }
    });
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The same with our server, which lets what a handler writes in one go leave together.
pub(crate) fn start_server(tls: Option<TlsAcceptor>) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let runtime = runtime().unwrap();
        runtime.block_on(async {
            let starting = millpond_tokio::start_server(StdListener::from(listener), echo_lines)
                .on_handler_error(|_| {});
            let starting = match tls {
                None => starting,
                Some(tls) => starting.tls(tls),
            };
            let server = starting.await.unwrap();
            server.serve_forever().await.unwrap();
        });
    });
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// As millpond's adapter does it.
pub(crate) fn adopt(stream: TcpStream) -> io::Result<tokio::net::TcpStream> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    tokio::net::TcpStream::from_std(stream)
}

/// The same for a stream of ours.
pub(crate) async fn our_adopt(stream: TcpStream) -> io::Result<(StreamReader, StreamWriter)> {
    millpond_tokio::open_connection(StdSocket::from(stream))
        .await
        .map_err(io::Error::from)
}

pub(crate) async fn raw(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut buf = vec![0; 16 * 1024];
    loop {
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..n]).await?;
        stream.flush().await?; // which does nothing without TLS
    }
}

pub(crate) async fn per_line(stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await? > 0 {
        stream.write_all(&line).await?;
        stream.flush().await?;
        line.clear();
    }
    Ok(())
}

pub(crate) async fn gathering(
    (reader, writer): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(reader), BufWriter::new(writer));
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await? > 0 {
        writer.write_all(&line).await?;
        line.clear();
        if reader.buffer().is_empty() {
            writer.flush().await?;
        }
    }
    Ok(())
}

pub(crate) async fn codec(stream: TcpStream) -> io::Result<()> {
    let mut stream = Framed::new(adopt(stream)?, LinesCodec::new());
    while let Some(line) = stream.next().await {
        let line = line.map_err(io::Error::other)?;
        stream.send(line).await.map_err(io::Error::other)?;
    }
    Ok(())
}

pub(crate) async fn our_raw(
    (mut reader, mut writer): (StreamReader, StreamWriter),
) -> io::Result<()> {
    loop {
        let piece = reader.read_ref(16 * 1024).await?;
        if piece.is_empty() {
            return Ok(());
        }
        writer.write_all(piece).await?;
    }
}

pub(crate) async fn our_lines(stream: TcpStream) -> io::Result<()> {
    let (reader, writer) = our_adopt(stream).await?;
    echo_lines(reader, writer).await
}

pub(crate) async fn echo_lines(
    mut reader: StreamReader,
    mut writer: StreamWriter,
) -> io::Result<()> {
    loop {
        let line = reader.read_line_ref().await?;
        if line.is_empty() {
            return Ok(());
        }
        writer.write_all(line).await?;
    }
}

async fn ours_gathering(stream: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = our_adopt(stream).await?;
    let mut answer = Vec::new();
    loop {
        let line = reader.read_line_ref().await?;
        if line.is_empty() {
            return Ok(());
        }
        answer.extend_from_slice(line);
        if reader.buffered().is_empty() {
            writer.write_all(&answer).await?;
            answer.clear();
        }
    }
}
