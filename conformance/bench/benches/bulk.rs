//! Much in one direction over loopback TCP on tokio, with a blocking thread at the other end.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use millpond::StdSocket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    echo::{adopt, serve},
    table::{Column, Options, Row, Unit, measure},
};

/// Bytes in a pass.
const TOTAL: usize = 256 * 1024 * 1024;
const KIB: usize = 1024;

pub(crate) fn run(options: &Options) {
    let column = |name: &str, rows| Column {
        name: name.into(),
        count: TOTAL as u64,
        units: TOTAL as u64,
        rows,
    };
    let title = "bulk over loopback TCP on tokio: sink";
    let baseline = "tokio read, 64 KiB";
    let columns = [column("256 MiB", sinks())];
    measure(options, title, Unit::Throughput, baseline, 7, columns);
    let title = "bulk over loopback TCP on tokio: source";
    let baseline = "tokio write_all, 64 KiB";
    let columns = [column("256 MiB", sources())];
    measure(options, title, Unit::Throughput, baseline, 7, columns);
}

/// The other end writes, and is told by one byte when everything has arrived.
fn sinks() -> Vec<Row<'static>> {
    let row = |name: &str, mut stream: TcpStream| {
        let data = vec![b'x'; 256 * KIB];
        Row::new(name, move || {
            for _ in 0..TOTAL / data.len() {
                stream.write_all(&data).unwrap();
            }
            stream.read_exact(&mut [0]).unwrap();
            TOTAL as u64
        })
    };
    vec![
        row("tokio read, 16 KiB", serve(|s| tokio_sink(s, 16 * KIB))),
        row("tokio read, 64 KiB", serve(|s| tokio_sink(s, 64 * KIB))),
        row("tokio read, 1 MiB", serve(|s| tokio_sink(s, 1024 * KIB))),
        row("millpond read_ref(1 MiB)", serve(our_sink)),
        row("millpond read(1 MiB)", serve(our_owned_sink)),
    ]
}

/// The other end asks by one byte, and reads.
fn sources() -> Vec<Row<'static>> {
    let row = |name: &str, mut stream: TcpStream| {
        let mut buf = vec![0; 256 * KIB];
        Row::new(name, move || {
            stream.write_all(&[0]).unwrap();
            let mut left = TOTAL;
            while left > 0 {
                left -= stream.read(&mut buf).unwrap();
            }
            TOTAL as u64
        })
    };
    vec![
        row(
            "tokio write_all, 64 KiB",
            serve(|s| tokio_source(s, 64 * KIB)),
        ),
        row(
            "tokio write_all, 256 KiB",
            serve(|s| tokio_source(s, 256 * KIB)),
        ),
        row(
            "millpond write_all, 64 KiB",
            serve(|s| our_source(s, 64 * KIB)),
        ),
        row(
            "millpond write_all, 256 KiB",
            serve(|s| our_source(s, 256 * KIB)),
        ),
    ]
}

async fn tokio_sink(stream: TcpStream, size: usize) -> io::Result<()> {
    let mut stream = adopt(stream)?;
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
    }
}

async fn our_sink(stream: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = millpond_tokio::open_connection(StdSocket::from(stream)).await?;
    loop {
        let mut left = TOTAL;
        while left > 0 {
            match reader.read_ref(1 << 20).await?.len() {
                0 => return Ok(()),
                n => left -= n,
            }
        }
        writer.write(&[0])?;
    }
}

async fn our_owned_sink(stream: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = millpond_tokio::open_connection(StdSocket::from(stream)).await?;
    loop {
        let mut left = TOTAL;
        while left > 0 {
            match reader.read(1 << 20).await?.len() {
                0 => return Ok(()),
                n => left -= n,
            }
        }
        writer.write(&[0])?;
    }
}

async fn tokio_source(stream: TcpStream, size: usize) -> io::Result<()> {
    let mut stream = adopt(stream)?;
    let data = vec![b'x'; size];
    while stream.read(&mut [0]).await? > 0 {
        for _ in 0..TOTAL / size {
            stream.write_all(&data).await?;
        }
    }
    Ok(())
}

async fn our_source(stream: TcpStream, size: usize) -> io::Result<()> {
    let (mut reader, mut writer) = millpond_tokio::open_connection(StdSocket::from(stream)).await?;
    let data = vec![b'x'; size];
    while !reader.read_ref(1).await?.is_empty() {
        for _ in 0..TOTAL / size {
            writer.write_all(&data).await?;
        }
    }
    Ok(())
}
