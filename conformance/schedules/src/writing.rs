//! A corked writer with its reader elsewhere, waits that are given up, and ends from elsewhere.

use std::{
    pin::pin,
    task::{Context, Waker},
};

use millpond::{StreamOptions, StreamReader, StreamWriter, Transport};
use shuttle::{future::block_on, thread};

use crate::{
    explore::explore,
    world::{Halves, in_tasks, inline},
};

/// As many bytes in each piece, which is more than the lines hold.
const PIECE: &[u8] = b"abc";

const PIECES: usize = 3;

fn options() -> StreamOptions {
    StreamOptions::new().watermarks(1, 3)
}

#[test]
fn what_a_corked_writer_sends_comes_back_inline() {
    explore(|| inline(&options(), all_comes_back));
}

#[test]
fn what_a_corked_writer_sends_comes_back_by_tasks() {
    explore(|| in_tasks(&options(), all_comes_back));
}

#[test]
fn a_close_from_elsewhere_ends_everything_inline() {
    explore(|| {
        inline(&options(), |left, right| {
            disturbed(left, right, |transport| transport.close())
        })
    });
}

#[test]
fn a_close_from_elsewhere_ends_everything_by_tasks() {
    explore(|| {
        in_tasks(&options(), |left, right| {
            disturbed(left, right, |transport| transport.close())
        })
    });
}

#[test]
fn an_abort_from_elsewhere_ends_everything_inline() {
    explore(|| {
        inline(&options(), |left, right| {
            disturbed(left, right, |transport| transport.abort())
        })
    });
}

#[test]
fn an_abort_from_elsewhere_ends_everything_by_tasks() {
    explore(|| {
        in_tasks(&options(), |left, right| {
            disturbed(left, right, |transport| transport.abort())
        })
    });
}

#[test]
fn cancelled_waits_do_not_block_others_inline() {
    explore(|| inline(&options(), given_up));
}

#[test]
fn cancelled_waits_do_not_block_others_by_tasks() {
    explore(|| in_tasks(&options(), given_up));
}

#[test]
fn a_read_that_waits_sees_an_end_from_elsewhere_inline() {
    explore(|| inline(&options(), reading));
}

#[test]
fn a_read_that_waits_sees_an_end_from_elsewhere_by_tasks() {
    explore(|| in_tasks(&options(), reading));
}

fn all_comes_back((reader, writer): Halves, (peer_reader, peer_writer): Halves) {
    let writing = thread::spawn(move || block_on(write(writer)));
    let echoing = thread::spawn(move || block_on(echo(peer_reader, peer_writer)));
    let came = block_on(count(reader));
    let (written, writer) = writing.join().unwrap();
    assert_eq!((written, came), (PIECES, PIECES * PIECE.len()));
    echoing.join().unwrap();
    drop(writer);
}

fn disturbed(
    (reader, writer): Halves,
    (peer_reader, peer_writer): Halves,
    disturb: fn(&Transport),
) {
    let transport = reader.transport();
    let writing = thread::spawn(move || block_on(write(writer)));
    let echoing = thread::spawn(move || block_on(echo(peer_reader, peer_writer)));
    let reading = thread::spawn(move || block_on(count(reader)));
    disturb(&transport);
    let (_, writer) = writing.join().unwrap();
    assert!(reading.join().unwrap() <= PIECES * PIECE.len());
    echoing.join().unwrap();
    drop(writer);
}

/// The peer says nothing.
fn reading((mut reader, _writer): Halves, _peer: Halves) {
    let transport = reader.transport();
    let reading = thread::spawn(move || block_on(reader.read(1)));
    transport.close();
    assert_eq!(reading.join().unwrap().unwrap(), "");
}

/// A drain, a flush and the wait for the end are polled once, by other tasks than those that poll again.
fn given_up((_reader, mut writer): Halves, (peer_reader, _peer_writer): Halves) {
    let reading = thread::spawn(move || block_on(count(peer_reader)));
    let cork = writer.cork();
    writer.write(PIECE).unwrap();
    poll_once(writer.drain());
    writer.write(PIECE).unwrap();
    poll_once(writer.flush());
    drop(cork);
    block_on(writer.drain()).unwrap();
    writer.write(PIECE).unwrap();
    writer.close();
    poll_once(writer.wait_closed());
    block_on(writer.wait_closed()).unwrap();
    assert_eq!(reading.join().unwrap(), 3 * PIECE.len());
}

fn poll_once(future: impl Future) {
    let _ = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
}

/// Returns how many pieces were written, and the writer.
async fn write(mut writer: StreamWriter) -> (usize, StreamWriter) {
    let mut written = 0;
    for piece in 0..PIECES {
        let cork = writer.cork();
        if writer.write(PIECE).is_err() {
            break;
        }
        let waited = match piece {
            0 => Ok(()),
            1 => writer.drain().await,
            _ => writer.flush().await,
        };
        drop(cork);
        if waited.is_err() {
            break;
        }
        written += 1;
    }
    let _ = writer.write_eof();
    (written, writer)
}

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) {
    while let Ok(some) = reader.read(2).await {
        if some.is_empty() || writer.write_all(&some).await.is_err() {
            break;
        }
    }
    writer.close();
    let _ = writer.wait_closed().await;
}

/// How many bytes come before the end.
async fn count(mut reader: StreamReader) -> usize {
    let mut bytes = 0;
    loop {
        match reader.read(2).await {
            Ok(some) if !some.is_empty() => bytes += some.len(),
            Ok(_) | Err(_) => return bytes,
        }
    }
}
