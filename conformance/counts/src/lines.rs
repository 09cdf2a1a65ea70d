//! Lines and what ends with other separators.

use std::{hint::black_box, task::Poll};

use millpond::Separator;
use millpond_core::{Reader, Request, Status};

use crate::memory::{Row, Source, block_on, open, poll_once};

pub(crate) const PIECE: usize = 16 * 1024;

/// Bytes in a pass, about.
const PASS: usize = 256 * 1024;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for len in [16, 80, 1000] {
        rows.push(by_hand(len));
        rows.push(lent(len));
        rows.push(owned(len));
    }
    rows.extend([dripping(), dropped_and_asked_again(), from_a_string()]);
    for (name, separator, end) in separators() {
        rows.extend([16, 80, 1000].map(|len| until(name, &separator, end, len)));
    }
    rows
}

fn separators() -> [(&'static str, Separator, &'static str); 4] {
    let words = [
        "GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "OPTIONS ", "TRACE ", "PATCH ",
    ];
    [
        ("CR LF", Separator::new("\r\n"), "\r\n"),
        ("CR LF . CR LF", Separator::new("\r\n.\r\n"), "\r\n.\r\n"),
        ("CR LF or LF", Separator::any(["\r\n", "\n"]), "\r\n"),
        ("one of 8 words", Separator::any(words), "PATCH "),
    ]
}

/// So many bytes, of which the last ones are the end. A period of 26 letters, none of them in an end.
fn record(len: usize, end: &str) -> Vec<u8> {
    let mut record: Vec<u8> = (b'a'..=b'z').cycle().take(len - end.len()).collect();
    record.extend_from_slice(end.as_bytes());
    record
}

pub(crate) fn source(len: usize, end: &str) -> (Source, u64) {
    let records = (PASS / len) as u64;
    (Source::new(&record(len, end), records, PIECE), records)
}

/// For reads that differ in type: until there is nothing.
macro_rules! count_all {
    ($source:expr, $reader:ident => $read:expr) => {
        block_on(async {
            let (mut $reader, _writer) = open($source.clone());
            let mut records = 0;
            loop {
                let record = $read.await.unwrap();
                if record.is_empty() {
                    return records;
                }
                black_box(record);
                records += 1;
            }
        })
    };
}

fn by_hand(len: usize) -> Row {
    let (source, lines) = source(len, "\n");
    Row::new(
        format!("line of {len} B, the core alone"),
        "line",
        lines,
        move || {
            let mut source = source.clone();
            let mut reader = Reader::new();
            let mut lines = 0;
            loop {
                match reader.poll(Request::Line).unwrap() {
                    Status::Ready(0) => return lines,
                    Status::Ready(n) => {
                        black_box(reader.lend(n));
                        lines += 1;
                    }
                    Status::NeedData => match source.next(usize::MAX) {
                        [] => reader.feed_eof(),
                        piece => reader.feed(piece),
                    },
                }
            }
        },
    )
}

fn lent(len: usize) -> Row {
    let (source, lines) = source(len, "\n");
    Row::new(
        format!("line of {len} B, lent"),
        "line",
        lines,
        move || count_all!(source, reader => reader.read_line_ref()),
    )
}

fn owned(len: usize) -> Row {
    let (source, lines) = source(len, "\n");
    Row::new(
        format!("line of {len} B, owned"),
        "line",
        lines,
        move || count_all!(source, reader => reader.read_line()),
    )
}

fn until(name: &str, separator: &Separator, end: &str, len: usize) -> Row {
    let (source, records) = source(len, end);
    let separator = separator.clone();
    let pass = move || {
        block_on(async {
            let (mut reader, _writer) = open(source.clone());
            for _ in 0..records {
                black_box(reader.read_until_ref(&separator).await.unwrap());
            }
            records
        })
    };
    Row::new(
        format!("{name} after {len} B, lent"),
        "record",
        records,
        pass,
    )
}

/// The separator is made for each read.
fn from_a_string() -> Row {
    let (source, records) = source(80, "\r\n");
    Row::new("CR LF from a string, owned", "record", records, move || {
        block_on(async {
            let (mut reader, _writer) = open(source.clone());
            for _ in 0..records {
                black_box(reader.read_until("\r\n").await.unwrap());
            }
            records
        })
    })
}

const DRIP: u64 = 200;

fn dripping() -> Row {
    let source = Source::new(&record(80, "\n"), DRIP, 1);
    Row::new(
        "byte by byte, lines of 80 B, lent",
        "byte",
        80 * DRIP,
        move || {
            let lines: u64 = count_all!(source, reader => reader.read_line_ref());
            80 * lines
        },
    )
}

fn dropped_and_asked_again() -> Row {
    let source = Source::new(&record(80, "\n"), DRIP, 1).with_pauses();
    let name = "byte by byte, dropped and asked again";
    Row::new(name, "byte", 80 * DRIP, move || {
        let (mut reader, _writer) = open(source.clone());
        let mut bytes = 0;
        loop {
            match poll_once(reader.read_line_ref()) {
                Poll::Pending => {}
                Poll::Ready(line) if line.as_ref().unwrap().is_empty() => return bytes,
                Poll::Ready(line) => bytes += black_box(line.unwrap()).len() as u64,
            }
        }
    })
}
