//! Input that is cut as badly as can be, and separators that nearly match all the time.

use std::{hint::black_box, task::Poll};

use futures_util::StreamExt;
use memchr::memmem;
use millpond_core::{Reader, Request, Separator, Status};
use tokio::io::AsyncBufReadExt;
use tokio_util::codec::{FramedRead, LinesCodec};

use crate::{
    lines,
    measured::{Measured, Unit},
    memory::{self, Text, block_on, poll_once},
    table::{Column, Options, Row, measure},
};

const TOKIO: &str = "tokio read_until";
const OURS: &str = "millpond-core by hand";
const LINE: &str = "millpond read_line_ref";
const DRIVER: &str = "millpond read_until_ref";

pub(crate) fn run(options: &Options) -> Vec<Measured> {
    let mut tables = drip(options);
    tables.extend(periodic(options));
    tables
}

/// Lines that arrive byte by byte.
fn drip(options: &Options) -> Vec<Measured> {
    let texts = [16, 80, 1000].map(|mean| {
        let mut text = Text::records(mean, &["\n"]);
        text.repeats = 1;
        (mean, text)
    });
    let columns = |rows: fn(&Text) -> Vec<Row<'static>>| {
        texts.clone().map(|(mean, text)| Column {
            name: mean.to_string(),
            count: text.count(),
            units: text.len(),
            rows: rows(&text),
        })
    };
    let byte = Unit::Nanoseconds("byte");
    let rows = |text: &Text| {
        let mut rows = lines::peers(text, 1);
        rows.extend(lines::ours(text, 1));
        rows
    };
    let title = "lines of 16 to 1000 B, in chunks of 1 B";
    let patient = measure(options, title, byte, LINE, 7, columns(rows));
    let title = "the same, and after each byte the read is dropped and asked again";
    let impatient = measure(options, title, byte, LINE, 7, columns(impatient));
    vec![patient, impatient]
}

/// A read that is pending is dropped and asked again, as in a `select!` in a loop.
fn impatient(text: &Text) -> Vec<Row<'static>> {
    let source = {
        let text = text.clone();
        move || text.source(1).with_pauses()
    };
    vec![
        Row::new(TOKIO, {
            let source = source.clone();
            move || {
                let mut reader = tokio::io::BufReader::with_capacity(4096, source());
                // What has arrived stays here, so this read can be asked again, too.
                let mut line = Vec::new();
                let mut lines = 0;
                loop {
                    match poll_once(reader.read_until(b'\n', &mut line)) {
                        Poll::Pending => {}
                        Poll::Ready(_) if line.is_empty() => return lines,
                        Poll::Ready(_) => {
                            black_box(&line[..]);
                            line.clear();
                            lines += 1;
                        }
                    }
                }
            }
        }),
        Row::new("tokio-util LinesCodec", {
            let source = source.clone();
            move || {
                let mut frames = FramedRead::with_capacity(source(), LinesCodec::new(), 4096);
                let mut lines = 0;
                loop {
                    match poll_once(frames.next()) {
                        Poll::Pending => {}
                        Poll::Ready(None) => return lines,
                        Poll::Ready(Some(line)) => {
                            black_box(line.unwrap());
                            lines += 1;
                        }
                    }
                }
            }
        }),
        Row::new(LINE, move || {
            let (mut reader, _writer) = memory::open(source());
            let mut lines = 0;
            loop {
                match poll_once(reader.read_line_ref()) {
                    Poll::Pending => {}
                    Poll::Ready(line) if line.as_ref().unwrap().is_empty() => return lines,
                    Poll::Ready(line) => {
                        black_box(line.unwrap());
                        lines += 1;
                    }
                }
            }
        }),
    ]
}

/// `"aaa…ab"` in a text of `a`.
fn periodic(options: &Options) -> Vec<Measured> {
    const CHUNKS: [usize; 5] = [1, 16, 64, 1448, 16_384];
    const SIZES: [usize; 3] = [64, 1024, 4096];
    let measured = SIZES.map(|m| {
        let columns = CHUNKS.iter().map(|&chunk| {
            // What searches again from the front would take seconds with more.
            let len = if chunk < 1000 { 16 * 1024 } else { 64 * 1024 };
            let mut bytes = vec![b'a'; len];
            bytes.push(b'b');
            let text = Text {
                repeats: 1,
                ..Text::new(bytes, 1)
            };
            Column::new(chunk.to_string(), text.len(), long_needle(&text, m, chunk))
        });
        let title = format!("a separator of {m} B that nearly matches, in chunks of 1 to 16384 B");
        measure(
            options,
            &title,
            Unit::Nanoseconds("byte"),
            DRIVER,
            5,
            columns,
        )
    });
    println!("\n## How much dearer a byte is with a separator of 4096 B than with one of 64 B");
    for row in ["memmem per chunk, from the front", BACKOFF, OURS, DRIVER] {
        let dearer = CHUNKS.iter().filter_map(|chunk| {
            let [short, .., long] = &measured;
            let chunk = chunk.to_string();
            let times = long.median(&chunk, row)? / short.median(&chunk, row)?;
            Some(format!("{times:.2}x in chunks of {chunk}"))
        });
        let dearer: Vec<_> = dearer.collect();
        if !dearer.is_empty() {
            println!("{row}: {}", dearer.join(", "));
        }
    }
    measured.into()
}

const BACKOFF: &str = "memmem per chunk, backing off";

fn long_needle(text: &Text, m: usize, chunk: usize) -> Vec<Row<'static>> {
    let mut needle = vec![b'a'; m - 1];
    needle.push(b'b');
    let separator = Separator::new(&needle);
    let source = {
        let text = text.clone();
        move || text.source(chunk)
    };
    let per_chunk = |name, backing_off: bool| {
        let (source, needle) = (source.clone(), needle.clone());
        Row::ceiling(name, move || {
            let mut source = source();
            let mut buffered = Vec::new();
            let mut from = 0;
            loop {
                buffered.extend_from_slice(source.next(chunk));
                if let Some(at) = memmem::find(&buffered[from..], &needle) {
                    return (from + at + m) as u64;
                }
                if backing_off {
                    from = buffered.len().saturating_sub(m - 1);
                }
            }
        })
    };
    vec![
        per_chunk("memmem per chunk, from the front", false),
        per_chunk(BACKOFF, true),
        Row::new(OURS, {
            let (source, separator) = (source.clone(), separator.clone());
            move || {
                let mut source = source();
                let mut reader = Reader::with_limit(1 << 20);
                loop {
                    match reader.poll(Request::Until(&separator)).unwrap() {
                        Status::Ready(n) => return n as u64,
                        Status::NeedData => reader.feed(source.next(chunk)),
                    }
                }
            }
        }),
        Row::new(DRIVER, move || {
            block_on(async {
                let (mut reader, _writer) = memory::open(source());
                reader.read_until_ref(&separator).await.unwrap().len() as u64
            })
        }),
    ]
}
