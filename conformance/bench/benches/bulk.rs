//! Much in one direction over loopback TCP on tokio, with a blocking thread at the other end.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use millpond::{StreamReader, StreamWriter};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    echo::{adopt, our_adopt, serve},
    measured::{Measured, Unit},
    table::{Column, Options, Row, measure},
};

/// Bytes in a pass.
const TOTAL: usize = 256 * 1024 * 1024;
const KIB: usize = 1024;

pub(crate) fn run(options: &Options) -> Vec<Measured> {
    let over = "loopback TCP on tokio";
    measure_bulk(options, over, "tokio", |stream| stream, adopted, our_adopt)
}

async fn adopted(stream: TcpStream) -> io::Result<tokio::net::TcpStream> {
    adopt(stream)
}

/// Measures both directions. `connect` makes the blocking end of a socket, `accept` that of the peer,
/// which has the name `peer`, and `ours` that of millpond.
pub(crate) fn measure_bulk<C, A, O, S>(
    options: &Options,
    over: &str,
    peer: &str,
    connect: fn(TcpStream) -> C,
    accept: fn(TcpStream) -> A,
    ours: fn(TcpStream) -> O,
) -> Vec<Measured>
where
    C: Read + Write + 'static,
    A: Future<Output = io::Result<S>> + Send + 'static,
    O: Future<Output = io::Result<(StreamReader, StreamWriter)>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // The other end writes, and gets one byte when everything has arrived.
    let row = |name: &str, stream| sink_row(name, connect(stream));
    let peers = |size| serve(move |s| async move { sink(accept(s).await?, size).await });
    let rows = vec![
        row(&format!("{peer} read, 16 KiB"), peers(16 * KIB)),
        row(&format!("{peer} read, 64 KiB"), peers(64 * KIB)),
        row(&format!("{peer} read, 1 MiB"), peers(1024 * KIB)),
        row(
            "millpond read_ref(1 MiB)",
            serve(move |s| async move { our_sink(ours(s).await?).await }),
        ),
        row(
            "millpond read(1 MiB)",
            serve(move |s| async move { our_owned_sink(ours(s).await?).await }),
        ),
    ];
    let title = format!("bulk over {over}: sink");
    let sink = show(options, &title, "millpond read_ref(1 MiB)", rows);

    // The other end asks by one byte, and reads.
    let row = |name: String, stream| source_row(&name, connect(stream));
    let sizes = [64, 256];
    let peers = sizes.map(|kib| {
        let served = serve(move |s| async move { source(accept(s).await?, kib * KIB).await });
        row(format!("{peer} write_all, {kib} KiB"), served)
    });
    let ours = sizes.map(|kib| {
        let served = serve(move |s| async move { our_source(ours(s).await?, kib * KIB).await });
        row(format!("millpond write_all, {kib} KiB"), served)
    });
    let rows = peers.into_iter().chain(ours).collect();
    let title = format!("bulk over {over}: source");
    let source = show(options, &title, "millpond write_all, 64 KiB", rows);
    vec![sink, source]
}

fn show(
    options: &Options,
    title: &str,
    featured: &'static str,
    rows: Vec<Row<'static>>,
) -> Measured {
    let column = Column::new("256 MiB", TOTAL as u64, rows);
    measure(options, title, Unit::Throughput, featured, 7, [column])
}

fn sink_row(name: &str, mut stream: impl Read + Write + 'static) -> Row<'static> {
    let data = vec![b'x'; 256 * KIB];
    Row::new(name, move || {
        for _ in 0..TOTAL / data.len() {
            stream.write_all(&data).unwrap();
        }
        stream.read_exact(&mut [0]).unwrap();
        TOTAL as u64
    })
}

fn source_row(name: &str, mut stream: impl Read + Write + 'static) -> Row<'static> {
    let mut buf = vec![0; 256 * KIB];
    Row::new(name, move || {
        stream.write_all(&[0]).unwrap();
        let mut left = TOTAL;
        while left > 0 {
            left -= stream.read(&mut buf).unwrap();
        }
        TOTAL as u64
    })
}

async fn sink(mut stream: impl AsyncRead + AsyncWrite + Unpin, size: usize) -> io::Result<()> {
    let mut buf = vec![0; size];
    loop {
        let mut left = TOTAL;
        while left > 0 {
            match stream.read(&mut buf).await? {
                0 => return Ok(()),
                n => left -= n,
            }
        }
        stream.write_all(&[0]).await?;
        stream.flush().await?; // which does nothing without TLS
    }
}

async fn our_sink((mut reader, mut writer): (StreamReader, StreamWriter)) -> io::Result<()> {
    loop {
        let mut left = TOTAL;
        while left > 0 {
            match reader.read_ref(1 << 20).await?.len() {
                0 => return Ok(()),
                n => left -= n,
            }
        }
        writer.write([0])?;
    }
}

async fn our_owned_sink((mut reader, mut writer): (StreamReader, StreamWriter)) -> io::Result<()> {
    loop {
        let mut left = TOTAL;
        while left > 0 {
            match reader.read(1 << 20).await?.len() {
                0 => return Ok(()),
                n => left -= n,
            }
        }
        writer.write([0])?;
    }
}

async fn source(mut stream: impl AsyncRead + AsyncWrite + Unpin, size: usize) -> io::Result<()> {
    let data = vec![b'x'; size];
    while stream.read(&mut [0]).await? > 0 {
        for _ in 0..TOTAL / size {
            stream.write_all(&data).await?;
        }
        stream.flush().await?;
    }
    Ok(())
}

async fn our_source(
    (mut reader, mut writer): (StreamReader, StreamWriter),
    size: usize,
) -> io::Result<()> {
    let data = vec![b'x'; size];
    while !reader.read_ref(1).await?.is_empty() {
        for _ in 0..TOTAL / size {
            writer.write_all(&data).await?;
        }
    }
    Ok(())
}
