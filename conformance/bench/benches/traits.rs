//! What is read by the traits of tokio and futures-io, and what is copied, from a source in memory and over
//! loopback.

use std::{
    hint::black_box,
    io::{self, Read, Write},
    net::TcpStream,
    thread,
};

use millpond::{Stream, copy, copy_bidirectional};
use tokio::io::BufReader;

use crate::{
    echo::{adopt, our_adopt, serve},
    measured::{Measured, Unit},
    memory::{self, Sink, Text, block_on},
    table::{Column, Options, Row, aim, measure},
};

const KIB: usize = 1024;

/// Of what is read from the source at once, and of tokio's buffer for it.
const CHUNK: usize = 16 * KIB;

/// Of tokio's buffer for copying.
const COPY: usize = 64 * KIB;

/// Bytes that are sent and come back in a pass over loopback.
const TOTAL: usize = 64 * KIB * KIB;

const BUF_READER: &str = "tokio BufReader";
const AS_TOKIO: &str = "millpond as tokio's AsyncBufRead";
const AS_FUTURES: &str = "millpond as futures-io's AsyncBufRead";
const COPY_BUF: &str = "tokio copy_buf, 64 KiB";
const OURS: &str = "millpond copy";

pub(crate) fn run(options: &Options) -> Vec<Measured> {
    let columns = [16, 80, 1000].map(|mean| {
        let text = Text::records(mean, &["\n"]);
        Column::new(mean.to_string(), text.count(), lines(&text))
    });
    let title = "traits: read_until, in chunks of 16 KiB";
    let unit = Unit::Nanoseconds("line");
    let lines = measure(options, title, unit, AS_TOKIO, 15, columns);
    for ours in [AS_TOKIO, AS_FUTURES] {
        // 1.15 times the time at the most.
        let ratio = lines.ratio("80", ours, BUF_READER);
        aim(&format!("80 B lines, {ours} / tokio"), ratio, 0.87);
    }

    let text = Text::records(1000, &["\n"]);
    let column = Column::new("4 MiB", text.len(), copies(&text));
    let title = "traits: copy in memory";
    let in_memory = measure(options, title, Unit::Throughput, OURS, 15, [column]);
    let ratio = in_memory.ratio("4 MiB", OURS, COPY_BUF);
    aim("copy in memory, millpond / tokio", ratio, 1.0);

    let column = Column::new("64 MiB", TOTAL as u64, echoes());
    let title = "traits: copy back over loopback TCP on tokio";
    let loopback = measure(options, title, Unit::Throughput, OURS, 7, [column]);
    let ratio = loopback.ratio("64 MiB", OURS, COPY_BUF);
    aim("copy over loopback, millpond / tokio", ratio, 1.0);
    vec![lines, in_memory, loopback]
}

/// By the trait: a reader of ours has a method of that name, too.
macro_rules! read_each {
    ($($extension:ident)::+, $reader:expr) => {
        block_on(async {
            let mut reader = $reader;
            let mut line = Vec::new();
            let mut lines = 0;
            while $($extension)::+::read_until(&mut reader, b'\n', &mut line).await.unwrap() > 0 {
                black_box(&line[..]);
                line.clear();
                lines += 1;
            }
            lines
        })
    };
}

fn lines(text: &Text) -> Vec<Row<'static>> {
    let text = text.clone();
    let source = move || text.source(CHUNK);
    vec![
        Row::new(BUF_READER, {
            let source = source.clone();
            move || {
                let reader = BufReader::with_capacity(CHUNK, source());
                read_each!(tokio::io::AsyncBufReadExt, reader)
            }
        }),
        Row::new(AS_TOKIO, {
            let source = source.clone();
            move || read_each!(tokio::io::AsyncBufReadExt, memory::open(source()).0)
        }),
        Row::new(AS_FUTURES, move || {
            read_each!(futures_util::AsyncBufReadExt, memory::open(source()).0)
        }),
    ]
}

fn copies(text: &Text) -> Vec<Row<'static>> {
    let text = text.clone();
    let source = move || text.source(COPY);
    vec![
        Row::new(COPY_BUF, {
            let source = source.clone();
            move || {
                let sink = Sink::default();
                let mut from = BufReader::with_capacity(COPY, source());
                block_on(tokio::io::copy_buf(&mut from, &mut sink.clone())).unwrap();
                sink.bytes()
            }
        }),
        Row::new(OURS, {
            let source = source.clone();
            move || {
                let sink = Sink::default();
                let (mut reader, _writer) = memory::open(source());
                let (_reader, mut writer) = memory::open_socket(sink.clone());
                block_on(copy(&mut reader, &mut writer)).unwrap();
                sink.bytes()
            }
        }),
        Row::new("millpond copy_bidirectional", move || {
            let sink = Sink::default();
            let (reader, writer) = memory::open(source());
            let mut left = Stream::reunite(reader, writer).unwrap();
            let (reader, writer) = memory::open_socket(sink.clone());
            let mut right = Stream::reunite(reader, writer).unwrap();
            block_on(copy_bidirectional(&mut left, &mut right)).unwrap();
            sink.bytes()
        }),
    ]
}

/// The handler copies what comes back to where it comes from.
fn echoes() -> Vec<Row<'static>> {
    let peers = serve(async |stream| {
        let (from, mut to) = adopt(stream)?.into_split();
        let mut from = BufReader::with_capacity(COPY, from);
        tokio::io::copy_buf(&mut from, &mut to).await.map(drop)
    });
    let ours = serve(async |stream| {
        let (mut from, mut to) = our_adopt(stream).await?;
        Ok(copy(&mut from, &mut to).await.map(drop)?)
    });
    vec![echo(COPY_BUF, peers), echo(OURS, ours)]
}

fn echo(name: &str, mut stream: TcpStream) -> Row<'static> {
    let mut buf = vec![0; 256 * KIB];
    Row::new(name, move || {
        let mut sending = stream.try_clone().unwrap();
        let sender = thread::spawn(move || -> io::Result<()> {
            let data = vec![b'x'; 256 * KIB];
            (0..TOTAL / data.len()).try_for_each(|_| sending.write_all(&data))
        });
        let mut left = TOTAL;
        while left > 0 {
            left -= stream.read(&mut buf).unwrap();
        }
        sender.join().unwrap().unwrap();
        TOTAL as u64
    })
}
