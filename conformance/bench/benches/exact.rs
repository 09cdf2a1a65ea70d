//! A length in 4 bytes, then so many bytes, from a source in memory, in chunks of 16 KiB.

use std::{hint::black_box, io::Read};

use futures_util::AsyncReadExt as _;
use millpond_core::{Reader, Request, Status};
use tokio::io::AsyncReadExt as _;
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

use crate::{
    measured::{Measured, Unit},
    memory::{self, Text, block_on, count_all},
    table::{Column, Options, Row, measure},
};

const CHUNK: usize = 16 * 1024;
const LENT: &str = "millpond read_exactly_ref";

pub(crate) fn run(options: &Options) -> Vec<Measured> {
    let columns = [16_u32, 100, 4096].map(|body| {
        let frames = (512 * 1024 / (4 + body)).into();
        let mut bytes = Vec::new();
        for _ in 0..frames {
            bytes.extend_from_slice(&body.to_be_bytes());
            bytes.resize(bytes.len() + body as usize, b'x');
        }
        let text = Text::new(bytes, frames);
        Column::new(body.to_string(), text.count(), rows(&text))
    });
    let frame = Unit::Nanoseconds("frame");
    let title = "frames of 4 + 16 to 4096 B";
    vec![measure(options, title, frame, LENT, 15, columns)]
}

fn length(head: &[u8]) -> usize {
    u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize
}

fn rows(text: &Text) -> Vec<Row<'static>> {
    let mut rows = peers(text);
    rows.extend(ours(text));
    rows
}

/// For two traits whose methods have one name.
macro_rules! read_each {
    ($reader:expr, $count:expr) => {
        block_on(async {
            let mut reader = $reader;
            let mut body = Vec::new();
            for _ in 0..$count {
                let mut head = [0; 4];
                reader.read_exact(&mut head).await.unwrap();
                body.resize(length(&head), 0);
                reader.read_exact(&mut body).await.unwrap();
                black_box(&body[..]);
            }
            $count
        })
    };
}

fn peers(text: &Text) -> Vec<Row<'static>> {
    let count = text.count();
    let source = {
        let text = text.clone();
        move || text.source(CHUNK)
    };
    vec![
        Row::new("std read_exact", {
            let source = source.clone();
            move || {
                let mut reader = std::io::BufReader::with_capacity(CHUNK, source());
                let mut body = Vec::new();
                for _ in 0..count {
                    let mut head = [0; 4];
                    reader.read_exact(&mut head).unwrap();
                    body.resize(length(&head), 0);
                    reader.read_exact(&mut body).unwrap();
                    black_box(&body[..]);
                }
                count
            }
        }),
        Row::new("tokio read_exact", {
            let source = source.clone();
            move || read_each!(tokio::io::BufReader::with_capacity(CHUNK, source()), count)
        }),
        Row::new("futures-util read_exact", {
            let source = source.clone();
            move || {
                read_each!(
                    futures_util::io::BufReader::with_capacity(CHUNK, source()),
                    count
                )
            }
        }),
        Row::new("tokio-util LengthDelimitedCodec", move || {
            let codec = LengthDelimitedCodec::new();
            count_all(FramedRead::with_capacity(source(), codec, CHUNK))
        }),
    ]
}

fn ours(text: &Text) -> Vec<Row<'static>> {
    let count = text.count();
    let source = {
        let text = text.clone();
        move || text.source(CHUNK)
    };
    vec![
        Row::new("millpond-core by hand", {
            let source = source.clone();
            move || {
                let mut source = source();
                let mut reader = Reader::new();
                for _ in 0..count {
                    let n = exactly(&mut reader, &mut source, 4);
                    let body = length(reader.lend(n));
                    let n = exactly(&mut reader, &mut source, body);
                    black_box(reader.lend(n));
                }
                count
            }
        }),
        Row::new(LENT, {
            let source = source.clone();
            move || {
                block_on(async {
                    let (mut reader, _writer) = memory::open(source());
                    for _ in 0..count {
                        let body = length(reader.read_exactly_ref(4).await.unwrap());
                        black_box(reader.read_exactly_ref(body).await.unwrap());
                    }
                    count
                })
            }
        }),
        Row::new("millpond read_exactly", move || {
            block_on(async {
                let (mut reader, _writer) = memory::open(source());
                for _ in 0..count {
                    let body = length(&reader.read_exactly(4).await.unwrap());
                    black_box(reader.read_exactly(body).await.unwrap());
                }
                count
            })
        }),
    ]
}

fn exactly(reader: &mut Reader, source: &mut memory::Source, n: usize) -> usize {
    loop {
        match reader.poll(Request::Exactly(n)).unwrap() {
            Status::Ready(n) => return n,
            Status::NeedData => {
                let n = Read::read(source, reader.spare()).unwrap();
                reader.commit(n);
            }
        }
    }
}
