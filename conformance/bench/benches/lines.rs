//! Lines of random lengths, from a source in memory.

use std::{hint::black_box, io::BufRead};

use futures_util::AsyncBufReadExt as _;
use millpond_core::{Reader, Request, Status};
use tokio::io::AsyncBufReadExt as _;
use tokio_util::codec::{AnyDelimiterCodec, FramedRead, LinesCodec};

use crate::{
    measured::{Measured, Unit},
    memory::{self, Text, block_on, count_all},
    table::{Column, Options, Row, aim, measure},
};

const MEANS: [usize; 4] = [16, 80, 1000, 16_000];

const TOKIO: &str = "tokio read_until";
const CODEC: &str = "tokio-util LinesCodec";
const LENT: &str = "millpond read_line_ref";

pub(crate) fn run(options: &Options) -> Vec<Measured> {
    let texts = MEANS.map(|mean| (mean, Text::records(mean, &["\n"])));
    let tables = [4, 16, 64].map(|chunk| {
        let columns = texts.iter().map(|(mean, text)| {
            Column::new(mean.to_string(), text.count(), rows(text, chunk * 1024))
        });
        let title = format!("lines of 16 to 16000 B, in chunks of {chunk} KiB");
        let measured = measure(
            options,
            &title,
            Unit::Nanoseconds("line"),
            LENT,
            15,
            columns,
        );
        if chunk == 16 {
            let ratio = |to| measured.ratio("80", LENT, to);
            aim("80 B lines, read_line_ref / tokio", ratio(TOKIO), 1.3);
            aim("80 B lines, read_line_ref / LinesCodec", ratio(CODEC), 4.0);
        }
        measured
    });
    tables.into()
}

fn rows(text: &Text, chunk: usize) -> Vec<Row<'static>> {
    let mut rows = vec![ceiling(text)];
    rows.extend(peers(text, chunk));
    rows.extend(ours(text, chunk));
    rows
}

fn ceiling(text: &Text) -> Row<'static> {
    let text = text.clone();
    Row::ceiling("memchr over one slice", move || {
        let mut lines = 0;
        for _ in 0..text.repeats {
            let mut start = 0;
            for at in memchr::memchr_iter(b'\n', &text.bytes) {
                black_box(&text.bytes[start..=at]);
                start = at + 1;
                lines += 1;
            }
        }
        lines
    })
}

/// For two traits whose methods have one name.
macro_rules! read_each {
    ($reader:expr) => {
        block_on(async {
            let mut reader = $reader;
            let mut line = Vec::new();
            let mut lines = 0;
            while reader.read_until(b'\n', &mut line).await.unwrap() > 0 {
                black_box(&line[..]);
                line.clear();
                lines += 1;
            }
            lines
        })
    };
}

/// Also used for drips, where a chunk is a byte.
pub(crate) fn peers(text: &Text, chunk: usize) -> Vec<Row<'static>> {
    let capacity = chunk.max(4096);
    let source = {
        let text = text.clone();
        move || text.source(chunk)
    };
    vec![
        Row::new("std read_until", {
            let source = source.clone();
            move || {
                let mut reader = std::io::BufReader::with_capacity(capacity, source());
                let mut line = Vec::new();
                let mut lines = 0;
                while reader.read_until(b'\n', &mut line).unwrap() > 0 {
                    black_box(&line[..]);
                    line.clear();
                    lines += 1;
                }
                lines
            }
        }),
        Row::new(TOKIO, {
            let source = source.clone();
            move || read_each!(tokio::io::BufReader::with_capacity(capacity, source()))
        }),
        Row::new("futures-util read_until", {
            let source = source.clone();
            move || {
                read_each!(futures_util::io::BufReader::with_capacity(
                    capacity,
                    source()
                ))
            }
        }),
        Row::new(CODEC, {
            let source = source.clone();
            move || {
                let codec = LinesCodec::new();
                count_all(FramedRead::with_capacity(source(), codec, capacity))
            }
        }),
        Row::new("tokio-util AnyDelimiterCodec", move || {
            let codec = AnyDelimiterCodec::new(b"\n".into(), b"\n".into());
            count_all(FramedRead::with_capacity(source(), codec, capacity))
        }),
    ]
}

/// Also used for drips, where a chunk is a byte.
pub(crate) fn ours(text: &Text, chunk: usize) -> Vec<Row<'static>> {
    let source = {
        let text = text.clone();
        move || text.source(chunk)
    };
    vec![
        Row::new("millpond-core by hand", {
            let source = source.clone();
            move || {
                let mut source = source();
                let mut reader = Reader::new();
                let mut lines = 0;
                loop {
                    match reader.poll(Request::Line).unwrap() {
                        Status::Ready(0) => return lines,
                        Status::Ready(n) => {
                            black_box(reader.lend(n));
                            lines += 1;
                        }
                        Status::NeedData => {
                            match std::io::Read::read(&mut source, reader.spare()).unwrap() {
                                0 => reader.feed_eof(),
                                n => reader.commit(n),
                            }
                        }
                    }
                }
            }
        }),
        Row::new(LENT, {
            let source = source.clone();
            move || {
                block_on(async {
                    let (mut reader, _writer) = memory::open(source());
                    let mut lines = 0;
                    loop {
                        let line = reader.read_line_ref().await.unwrap();
                        if line.is_empty() {
                            return lines;
                        }
                        black_box(line);
                        lines += 1;
                    }
                })
            }
        }),
        Row::new("millpond read_line", move || {
            block_on(async {
                let (mut reader, _writer) = memory::open(source());
                let mut lines = 0;
                loop {
                    let line = reader.read_line().await.unwrap();
                    if line.is_empty() {
                        return lines;
                    }
                    black_box(line);
                    lines += 1;
                }
            })
        }),
    ]
}
