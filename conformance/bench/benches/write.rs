//! Small writes and a large one now and then, into a sink in memory that takes everything.

use std::io::{IoSlice, Write};

use bytes::Bytes;
use futures_util::{AsyncWriteExt as _, SinkExt};
use millpond_core::{Transmit, Writer};
use tokio::io::AsyncWriteExt as _;
use tokio_util::codec::{BytesCodec, FramedWrite};

use crate::{
    measured::{Measured, Unit},
    memory::{self, Sink, block_on},
    table::{Column, Options, Row, measure},
};

const LARGE: usize = 16 * 1024;
/// Bytes in small writes before each large one.
const SMALL: usize = 64 * 1024;
/// How often that.
const REPEATS: usize = 32;

static DATA: [u8; LARGE] = [b'x'; LARGE];

const TOKIO: &str = "tokio BufWriter";
/// A system call for each write, which this sink makes for nothing.
const UNBUFFERED: &str = "tokio write_all, unbuffered";
const CORKED: &str = "millpond write, corked";

pub(crate) fn run(options: &Options) -> Vec<Measured> {
    let columns = [16, 64, 1024].map(|size| {
        let writes = (REPEATS * (SMALL / size + 1)) as u64;
        Column {
            name: size.to_string(),
            count: (REPEATS * (SMALL + LARGE)) as u64,
            units: writes,
            rows: rows(size)
                .into_iter()
                .map(|(name, write)| {
                    Row::below(UNBUFFERED, name, move || write(Sink::default()).bytes())
                })
                .collect(),
        }
    });
    let write = Unit::Nanoseconds("write");
    let title = "writes of 16 to 1024 B, and after each 64 KiB one of 16 KiB";
    let measured = measure(options, title, write, CORKED, 15, columns);
    println!("Calls to the sink for 1000 writes of 64 B, which would be system calls:");
    for (name, write) in rows(64) {
        let calls = write(Sink::default()).calls() as usize;
        let writes = REPEATS * (SMALL / 64 + 1);
        println!("  {name}: {}", calls * 1000 / writes);
    }
    vec![measured]
}

/// What to write, in order.
fn writes(size: usize) -> impl Iterator<Item = &'static [u8]> {
    let round = std::iter::repeat_n(&DATA[..size], SMALL / size).chain([&DATA[..]]);
    std::iter::repeat_n((), REPEATS).flat_map(move |()| round.clone())
}

type Pass = Box<dyn Fn(Sink) -> Sink>;

fn rows(size: usize) -> Vec<(&'static str, Pass)> {
    let mut rows = buffered_peers(size);
    rows.extend(unbuffered(size));
    rows
}

/// For two traits whose methods have one name.
macro_rules! write_each {
    ($writer:expr, $size:expr) => {
        block_on(async {
            let mut writer = $writer;
            for data in writes($size) {
                writer.write_all(data).await.unwrap();
            }
            writer.flush().await.unwrap();
        })
    };
}

fn buffered_peers(size: usize) -> Vec<(&'static str, Pass)> {
    vec![
        (
            "std BufWriter",
            Box::new(move |sink| {
                let mut writer = std::io::BufWriter::new(sink.clone());
                for data in writes(size) {
                    writer.write_all(data).unwrap();
                }
                writer.flush().unwrap();
                sink
            }),
        ),
        (
            TOKIO,
            Box::new(move |sink| {
                write_each!(tokio::io::BufWriter::new(sink.clone()), size);
                sink
            }),
        ),
        (
            "futures-util BufWriter",
            Box::new(move |sink| {
                write_each!(futures_util::io::BufWriter::new(sink.clone()), size);
                sink
            }),
        ),
        (
            "tokio-util FramedWrite, feed",
            Box::new(move |sink| {
                block_on(async {
                    let mut writer = FramedWrite::new(sink.clone(), BytesCodec::new());
                    for data in writes(size) {
                        writer.feed(Bytes::from_static(data)).await.unwrap();
                    }
                    SinkExt::<Bytes>::flush(&mut writer).await.unwrap();
                });
                sink
            }),
        ),
        (
            "millpond-core, sent at 8 KiB",
            Box::new(move |sink| {
                let mut writer = Writer::new();
                for data in writes(size) {
                    writer.write(data).unwrap();
                    if writer.queued() >= 8 * 1024 {
                        transmit(&mut writer, &sink);
                    }
                }
                transmit(&mut writer, &sink);
                sink
            }),
        ),
    ]
}

fn transmit(writer: &mut Writer, sink: &Sink) {
    while let Some(Transmit::Data(data)) = writer.poll_transmit() {
        let n = sink.take(data.len());
        writer.sent(n);
    }
}

/// Each write goes out at once.
fn unbuffered(size: usize) -> Vec<(&'static str, Pass)> {
    vec![
        (
            UNBUFFERED,
            Box::new(move |mut sink| {
                block_on(async {
                    for data in writes(size) {
                        tokio::io::AsyncWriteExt::write_all(&mut sink, data)
                            .await
                            .unwrap();
                    }
                });
                sink
            }),
        ),
        (
            "millpond write",
            Box::new(move |sink| {
                let (_reader, mut writer) = memory::open_socket(sink.clone());
                for data in writes(size) {
                    writer.write(data).unwrap();
                }
                sink
            }),
        ),
        (
            CORKED,
            Box::new(move |sink| {
                let (_reader, mut writer) = memory::open_socket(sink.clone());
                let cork = writer.cork();
                for data in writes(size) {
                    writer.write(data).unwrap();
                }
                drop(cork);
                sink
            }),
        ),
        (
            "millpond write_all",
            Box::new(move |sink| {
                block_on(async {
                    let (_reader, mut writer) = memory::open_socket(sink.clone());
                    for data in writes(size) {
                        writer.write_all(data).await.unwrap();
                    }
                });
                sink
            }),
        ),
        (
            "millpond write_vectored, 16 at once",
            Box::new(move |sink| {
                let (_reader, mut writer) = memory::open_socket(sink.clone());
                let mut writes = writes(size);
                loop {
                    let mut bufs = [IoSlice::new(&[]); 16];
                    let mut count = 0;
                    for (buf, data) in bufs.iter_mut().zip(&mut writes) {
                        *buf = IoSlice::new(data);
                        count += 1;
                    }
                    if count == 0 {
                        return sink;
                    }
                    writer.write_vectored(&bufs[..count]).unwrap();
                }
            }),
        ),
    ]
}
