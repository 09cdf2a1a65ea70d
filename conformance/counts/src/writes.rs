//! Small writes.

use crate::memory::{Row, Source, block_on, open};

const WRITES: u64 = 4096;
const DATA: [u8; 64] = [b'x'; 64];

pub(crate) fn rows() -> Vec<Row> {
    vec![at_once(), corked()]
}

fn nothing() -> Source {
    Source::new(b"", 0, 1)
}

fn at_once() -> Row {
    Row::new("write of 64 B", "write", WRITES, || {
        let (_reader, mut writer) = open(nothing());
        for _ in 0..WRITES {
            writer.write(&DATA[..]).unwrap();
        }
        WRITES
    })
}

/// 64 at a time, each with a `drain`, as a handler does it.
fn corked() -> Row {
    Row::new("write and drain of 64 B, corked", "write", WRITES, || {
        block_on(async {
            let (_reader, mut writer) = open(nothing());
            for _ in 0..WRITES / 64 {
                let _cork = writer.cork();
                for _ in 0..64 {
                    writer.write(&DATA[..]).unwrap();
                    writer.drain().await.unwrap();
                }
            }
            WRITES
        })
    })
}
