//! Messages behind their length.

use std::hint::black_box;

use crate::memory::{Row, Source, block_on, open};

const PIECE: usize = 16 * 1024;
const BODY: u32 = 100;
const MESSAGES: u64 = 2000;

pub(crate) fn rows() -> Vec<Row> {
    let mut message = BODY.to_be_bytes().to_vec();
    message.resize(4 + BODY as usize, b'x');
    let source = Source::new(&message, MESSAGES, PIECE);
    vec![lent(source.clone()), owned(source)]
}

fn length(head: &[u8]) -> usize {
    u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize
}

fn lent(source: Source) -> Row {
    Row::new("exactly 4 + 100 B, lent", "message", MESSAGES, move || {
        block_on(async {
            let (mut reader, _writer) = open(source.clone());
            for _ in 0..MESSAGES {
                let body = length(reader.read_exactly_ref(4).await.unwrap());
                black_box(reader.read_exactly_ref(body).await.unwrap());
            }
            MESSAGES
        })
    })
}

fn owned(source: Source) -> Row {
    Row::new("exactly 4 + 100 B, owned", "message", MESSAGES, move || {
        block_on(async {
            let (mut reader, _writer) = open(source.clone());
            for _ in 0..MESSAGES {
                let body = length(&reader.read_exactly(4).await.unwrap());
                black_box(reader.read_exactly(body).await.unwrap());
            }
            MESSAGES
        })
    })
}
