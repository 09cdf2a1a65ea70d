//! A side that sends.

use std::{
    io::{ErrorKind, IoSlice},
    time::Duration,
};

use bytes::Bytes;
use millpond_sim::{StreamWriter, WriteError, world};

use crate::cancel::cancel_after;

/// The sizes of pieces. The first is that of a world without choices.
const SIZES: [usize; 8] = [10, 1, 0, 3, 40, 100, 700, 9_000];

/// What was sent.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// So many bytes. If sending has failed, the last of them may have been refused.
    pub(crate) accepted: usize,
    pub(crate) failure: Option<ErrorKind>,
}

/// How a side ends its direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    WriteEof,
    Drop,
    Close,
    Abort,
}

/// Sends so many pieces of a speech, none of them larger than `largest`, unless writing fails.
pub(crate) async fn send(
    sent: &mut Sent,
    writer: &mut StreamWriter,
    speech: &'static [u8],
    pieces: usize,
    largest: usize,
) {
    for _ in 0..pieces {
        let size = SIZES[world().choose(SIZES.len())].min(largest);
        let data = &speech[sent.accepted..][..size];
        sent.accepted += size;
        if let Err(error) = say(writer, data).await {
            sent.fail(&error);
            let again = writer.write(b"x").unwrap_err();
            assert_eq!(again, error, "the same failure again");
            return;
        }
        assert!(writer.queued() <= sent.accepted);
    }
}

/// Writes some bytes in one of several ways.
async fn say(writer: &mut StreamWriter, data: &'static [u8]) -> Result<(), WriteError> {
    match world().choose(8) {
        0 => writer.write(data),
        1 => writer.write_bytes(Bytes::from_static(data)),
        2 => {
            let (head, tail) = data.split_at(data.len() / 3);
            writer.write_vectored(&[IoSlice::new(head), IoSlice::new(tail)])
        }
        3 => {
            // Given up or not, it is written.
            let written = cancel_after(world().choose(3), writer.write_all(data)).await;
            written.unwrap_or(Ok(()))
        }
        4 => {
            writer.write(data)?;
            let drained = cancel_after(world().choose(3), writer.drain()).await;
            drained.unwrap_or(Ok(()))
        }
        5 => {
            writer.write(data)?;
            if let Some(flushed) = cancel_after(world().choose(3), writer.flush()).await {
                flushed?;
                assert_eq!(writer.queued(), 0, "flushed");
            }
            Ok(())
        }
        6 => {
            let _cork = writer.cork();
            writer.write(data)?;
            world().sleep(pause()).await;
            Ok(())
        }
        _ => {
            world().sleep(pause()).await;
            writer.write(data)
        }
    }
}

fn pause() -> Duration {
    Duration::from_millis(world().choose(20) as u64)
}

/// Ends the direction, and gives the writer back if it is to be kept.
pub(crate) async fn finish(
    sent: &mut Sent,
    mut writer: StreamWriter,
    ending: Ending,
) -> Option<StreamWriter> {
    match ending {
        Ending::Drop => None,
        Ending::WriteEof => {
            if let Err(error) = writer.write_eof() {
                sent.fail(&error);
            }
            assert_ended(sent, &mut writer, &WriteError::Finished);
            Some(writer)
        }
        Ending::Close => {
            writer.close();
            assert_ended(sent, &mut writer, &WriteError::Closed);
            sent.wait_closed(&mut writer).await;
            None
        }
        Ending::Abort => {
            writer.abort();
            assert_ended(sent, &mut writer, &WriteError::Closed);
            writer.drain().await.unwrap_err();
            sent.wait_closed(&mut writer).await;
            None
        }
    }
}

/// Nothing more is taken, whatever was before.
fn assert_ended(sent: &mut Sent, writer: &mut StreamWriter, expected: &WriteError) {
    let error = writer.write(b"x").unwrap_err();
    if let WriteError::Transport(_) = error {
        sent.fail(&error);
    } else {
        assert_eq!(error, *expected);
    }
}

impl Sent {
    /// It was cancelled now and then, and called again.
    pub(crate) async fn wait_closed(&mut self, writer: &mut StreamWriter) {
        let closed = loop {
            if let Some(closed) = cancel_after(world().choose(3), writer.wait_closed()).await {
                break closed;
            }
        };
        match closed {
            Ok(()) => assert_eq!(writer.queued(), 0),
            Err(error) => self.fail(&error),
        }
    }

    /// The first failure is the one that counts.
    fn fail(&mut self, error: &WriteError) {
        self.failure.get_or_insert_with(|| error.kind());
    }
}
