//! Echoing lines over a unix socket, client and server on one thread: one line on its way, and 64.

use std::{io, os::unix::net};

use millpond::{
    StreamReader, StreamWriter,
    adapter::{StdListener, StdSocket},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    runtime::{Builder, Runtime},
};

use crate::memory::Row;

/// In a pass.
const LINES: usize = 4096;

pub(crate) fn rows() -> Vec<Row> {
    let servers: [(&str, Serve); 3] = [
        ("a socket of tokio's", by_socket),
        ("a stream", by_stream),
        ("a handler", by_handler),
    ];
    let rows = servers.map(|(name, serve)| {
        [
            row(format!("echo of a line, {name}"), serve, 1),
            row(format!("echo of 64 lines, {name}"), serve, 64),
        ]
    });
    rows.into_iter().flatten().collect()
}

/// Serves a connection in a task, and returns its other end.
type Serve = fn() -> net::UnixStream;

fn row(name: String, serve: Serve, in_flight: usize) -> Row {
    let mut client = None;
    Row::new(name, "line", LINES as u64, move || {
        let client = client.get_or_insert_with(|| Client::new(serve, in_flight));
        client.pass();
        LINES as u64
    })
}

/// Its system calls are in the count: two for all that is in flight.
struct Client {
    runtime: Runtime,
    stream: UnixStream,
    lines: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    fn new(serve: Serve, in_flight: usize) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let context = runtime.enter();
        let stream = serve();
        stream.set_nonblocking(true).unwrap();
        let stream = UnixStream::from_std(stream).unwrap();
        drop(context);
        let line = [[b'x'; 63].as_slice(), b"\n"].concat();
        let lines = line.repeat(in_flight);
        Self {
            runtime,
            stream,
            answer: vec![0; lines.len()],
            lines,
        }
    }

    fn pass(&mut self) {
        let Self {
            runtime,
            stream,
            lines,
            answer,
        } = self;
        runtime.block_on(async {
            for _ in 0..LINES * 64 / lines.len() {
                stream.write_all(lines).await.unwrap();
                stream.read_exact(answer).await.unwrap();
            }
        });
        assert_eq!(answer, lines);
    }
}

fn by_socket() -> net::UnixStream {
    let (near, far) = net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let mut near = UnixStream::from_std(near).unwrap();
    tokio::spawn(async move {
        let mut buf = vec![0; 16 * 1024];
        loop {
            let n = near.read(&mut buf).await?;
            near.write_all(&buf[..n]).await?;
        }
        #[expect(unreachable_code, reason = "it names the type")]
        io::Result::Ok(())
    });
    far
}

fn by_stream() -> net::UnixStream {
    let (near, far) = net::UnixStream::pair().unwrap();
    tokio::spawn(async {
        let (reader, writer) = millpond_tokio::open_connection(StdSocket::from(near)).await?;
        echo(reader, writer).await
    });
    far
}

fn by_handler() -> net::UnixStream {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async {
        let server = millpond_tokio::start_server(StdListener::from(listener), echo).await?;
        server.serve_forever().await
    });
    net::UnixStream::connect(&path).unwrap()
}

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    loop {
        let line = reader.read_line_ref().await?;
        writer.write_all(line).await?;
    }
}
