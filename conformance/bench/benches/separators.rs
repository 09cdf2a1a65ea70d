//! Separators other than a line feed, from a source in memory, in chunks of 16 KiB.

use std::{hint::black_box, io::BufRead};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use futures_util::StreamExt;
use memchr::memmem::{self, Finder};
use millpond_core::{Reader, Request, Separator, Status};
use tokio::io::AsyncBufReadExt;
use tokio_util::codec::{AnyDelimiterCodec, FramedRead, LinesCodec};

use crate::{
    measured::{Measured, Unit},
    memory::{self, Source, Text, block_on},
    table::{Column, Options, Row, measure},
};

const MEANS: [usize; 4] = [16, 80, 1000, 16_000];
const CHUNK: usize = 16 * 1024;
const ROUNDS: u32 = 11;

const WORDS: [&str; 8] = [
    "GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "OPTIONS ", "TRACE ", "PATCH ",
];

pub(crate) fn run(options: &Options) -> Vec<Measured> {
    let tables: [(&str, &[&str], Rows); 6] = [
        ("CR LF", &["\r\n"], crlf),
        ("CR LF . CR LF", &["\r\n.\r\n"], |text| {
            needle(text, "\r\n.\r\n")
        }),
        ("the set {CR LF, LF}", &["\r\n", "\n"], either_line),
        ("a set of 4 bytes", &[",", ";", "\n", "\t"], bytes),
        ("a set of 8 words, all of them present", &WORDS, words),
        ("a set of 8 words, one of them present", &["PATCH "], words),
    ];
    let tables = tables.map(|(title, ends, rows)| {
        let columns = MEANS.iter().map(|mean| {
            let text = Text::records(*mean, ends);
            Column::new(mean.to_string(), text.count(), rows(&text))
        });
        measure(
            options,
            &format!("separators: {title}"),
            Unit::Nanoseconds("record"),
            OURS,
            ROUNDS,
            columns,
        )
    });
    tables.into()
}

type Rows = fn(&Text) -> Vec<Row<'static>>;

const TOKIO: &str = "tokio read_until + ends_with";
const OURS: &str = "millpond read_until_ref";

fn crlf(text: &Text) -> Vec<Row<'static>> {
    let mut rows = needle(text, "\r\n");
    rows.insert(
        3,
        codec("tokio-util LinesCodec", text, |source| {
            FramedRead::with_capacity(source, LinesCodec::new(), CHUNK)
        }),
    );
    rows
}

fn either_line(text: &Text) -> Vec<Row<'static>> {
    let mut rows = vec![
        slice("memchr over one slice", text, |text| {
            memchr::memchr_iter(b'\n', text).count()
        }),
        tokio_until(text, b"\n"),
        codec("tokio-util LinesCodec", text, |source| {
            FramedRead::with_capacity(source, LinesCodec::new(), CHUNK)
        }),
    ];
    rows.extend(ours(text, &Separator::any(["\r\n", "\n"])));
    rows
}

fn bytes(text: &Text) -> Vec<Row<'static>> {
    let mut rows = vec![
        slice("iter().filter over one slice", text, |text| {
            let ends = |byte: &&u8| matches!(byte, b',' | b';' | b'\n' | b'\t');
            text.iter().filter(ends).count()
        }),
        codec("tokio-util AnyDelimiterCodec", text, |source| {
            let codec = AnyDelimiterCodec::new(b",;\n\t".into(), b"\n".into());
            FramedRead::with_capacity(source, codec, CHUNK)
        }),
    ];
    rows.extend(ours(text, &Separator::any([",", ";", "\n", "\t"])));
    rows
}

fn words(text: &Text) -> Vec<Row<'static>> {
    let automaton = AhoCorasick::new(WORDS).unwrap();
    let dfa = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .build(WORDS)
        .unwrap();
    let finders = WORDS.map(|word| Finder::new(word.as_bytes()));
    let mut rows = vec![
        slice("aho-corasick over one slice", text, move |text| {
            automaton.find_iter(text).count()
        }),
        chunks(
            "aho-corasick's DFA over what is buffered",
            text,
            move |buffered| dfa.find(buffered).map(|found| found.end()),
        ),
        chunks("8 x memmem over what is buffered", text, move |buffered| {
            let end = |finder: &Finder<'_>| {
                finder
                    .find(buffered)
                    .map(|start| start + finder.needle().len())
            };
            finders.iter().filter_map(end).min()
        }),
    ];
    rows.extend(ours(text, &Separator::any(WORDS)));
    rows
}

/// One needle of several bytes.
fn needle(text: &Text, needle: &'static str) -> Vec<Row<'static>> {
    let needle = needle.as_bytes();
    let mut rows = vec![
        slice("memmem over one slice", text, move |text| {
            memmem::find_iter(text, needle).count()
        }),
        std_until(text, needle),
        tokio_until(text, needle),
    ];
    rows.extend(ours(text, &Separator::new(needle)));
    rows
}

/// How many matches an iterator over everything finds: the ceiling.
fn slice(name: &str, text: &Text, count: impl Fn(&[u8]) -> usize + 'static) -> Row<'static> {
    let text = text.clone();
    Row::ceiling(name, move || {
        (0..text.repeats)
            .map(|_| count(black_box(&text.bytes)) as u64)
            .sum()
    })
}

/// A search from the front of what is buffered for each record, and after each chunk again.
fn chunks(
    name: &str,
    text: &Text,
    find_end: impl Fn(&[u8]) -> Option<usize> + 'static,
) -> Row<'static> {
    let text = text.clone();
    Row::new(name, move || {
        let mut source = text.source(CHUNK);
        let mut buffered = Vec::new();
        let mut records = 0;
        loop {
            let piece = source.next(CHUNK);
            if piece.is_empty() {
                return records;
            }
            buffered.extend_from_slice(piece);
            let mut start = 0;
            while let Some(end) = find_end(&buffered[start..]) {
                black_box(&buffered[start..start + end]);
                start += end;
                records += 1;
            }
            buffered.drain(..start);
        }
    })
}

fn std_until(text: &Text, needle: &'static [u8]) -> Row<'static> {
    let text = text.clone();
    Row::new("std read_until + ends_with", move || {
        let mut reader = std::io::BufReader::with_capacity(CHUNK, text.source(CHUNK));
        let mut record = Vec::new();
        let mut records = 0;
        let last = needle[needle.len() - 1];
        while reader.read_until(last, &mut record).unwrap() > 0 {
            if record.ends_with(needle) {
                black_box(&record[..]);
                record.clear();
                records += 1;
            }
        }
        records
    })
}

fn tokio_until(text: &Text, needle: &'static [u8]) -> Row<'static> {
    let text = text.clone();
    Row::new(TOKIO, move || {
        block_on(async {
            let mut reader = tokio::io::BufReader::with_capacity(CHUNK, text.source(CHUNK));
            let mut record = Vec::new();
            let mut records = 0;
            let last = needle[needle.len() - 1];
            while reader.read_until(last, &mut record).await.unwrap() > 0 {
                if record.ends_with(needle) {
                    black_box(&record[..]);
                    record.clear();
                    records += 1;
                }
            }
            records
        })
    })
}

fn codec<S: futures_util::Stream + Unpin>(
    name: &str,
    text: &Text,
    frames: impl Fn(Source) -> S + 'static,
) -> Row<'static> {
    let text = text.clone();
    Row::new(name, move || {
        let mut frames = frames(text.source(CHUNK));
        block_on(async {
            let mut records = 0;
            while let Some(record) = frames.next().await {
                black_box(record);
                records += 1;
            }
            records
        })
    })
}

fn ours(text: &Text, separator: &Separator) -> [Row<'static>; 2] {
    [
        Row::new("millpond-core by hand", {
            let (text, separator) = (text.clone(), separator.clone());
            move || {
                let mut source = text.source(CHUNK);
                let mut reader = Reader::new();
                let mut records = 0;
                while records < text.count() {
                    match reader.poll(Request::Until(&separator)).unwrap() {
                        Status::Ready(n) => {
                            black_box(reader.lend(n));
                            records += 1;
                        }
                        Status::NeedData => {
                            let n = std::io::Read::read(&mut source, reader.spare()).unwrap();
                            reader.commit(n);
                        }
                    }
                }
                records
            }
        }),
        Row::new(OURS, {
            let (text, separator) = (text.clone(), separator.clone());
            move || {
                block_on(async {
                    let (mut reader, _writer) = memory::open(text.source(CHUNK));
                    let mut records = 0;
                    while records < text.count() {
                        black_box(reader.read_until_ref(&separator).await.unwrap());
                        records += 1;
                    }
                    records
                })
            }
        }),
    ]
}
