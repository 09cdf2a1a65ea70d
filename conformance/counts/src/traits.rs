//! Lines by the trait of tokio, and beside them those of its own `BufReader` over the same source.

use std::hint::black_box;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};

use crate::{
    lines::{PIECE, source},
    memory::{Row, block_on, open},
};

pub(crate) fn rows() -> Vec<Row> {
    [16, 80, 1000].into_iter().flat_map(of).collect()
}

fn of(len: usize) -> [Row; 2] {
    let (ours, lines) = source(len, "\n");
    let theirs = ours.clone();
    [
        Row::new(
            format!("line of {len} B, by tokio's trait"),
            "line",
            lines,
            move || read_all(open(ours.clone()).0),
        ),
        Row::new(
            format!("line of {len} B, tokio's BufReader"),
            "line",
            lines,
            move || read_all(BufReader::with_capacity(PIECE, theirs.clone())),
        ),
    ]
}

fn read_all(mut reader: impl AsyncBufRead + Unpin) -> u64 {
    block_on(async {
        let mut line = Vec::new();
        let mut lines = 0;
        while reader.read_until(b'\n', &mut line).await.unwrap() > 0 {
            black_box(&line[..]);
            line.clear();
            lines += 1;
        }
        lines
    })
}
