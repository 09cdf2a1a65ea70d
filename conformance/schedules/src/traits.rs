//! The halves by the traits of futures-io, on threads of their own.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use millpond::{
    StreamOptions, StreamReader, StreamWriter,
    adapter::futures_io::{AsyncRead, AsyncWrite},
};
use shuttle::{future::block_on, thread};

use crate::{
    explore::explore,
    world::{Halves, in_tasks, inline},
};

/// More than the lines hold, in pieces that do not fit the blocks it is read in.
const SENT: &[u8] = b"by the trait";

fn options() -> StreamOptions {
    StreamOptions::new().watermarks(1, 3)
}

#[test]
fn what_is_written_by_the_trait_is_read_by_the_trait_inline() {
    explore(|| inline(&options(), all_arrives));
}

#[test]
fn what_is_written_by_the_trait_is_read_by_the_trait_by_tasks() {
    explore(|| in_tasks(&options(), all_arrives));
}

#[test]
fn a_half_that_moves_to_another_thread_is_woken_there_inline() {
    explore(|| inline(&options(), all_arrives_elsewhere));
}

#[test]
fn a_half_that_moves_to_another_thread_is_woken_there_by_tasks() {
    explore(|| in_tasks(&options(), all_arrives_elsewhere));
}

/// Every poll that has to wait was made before with a waker that is lost.
fn all_arrives((_left, mut writer): Halves, (mut reader, _right): Halves) {
    let reading = thread::spawn(move || block_on(read_all(&mut reader)));
    block_on(write_all(&mut writer));
    assert_eq!(reading.join().unwrap(), SENT);
}

/// Each half has waited on another thread before.
fn all_arrives_elsewhere((_left, mut writer): Halves, (mut reader, _right): Halves) {
    let begun = thread::spawn(move || {
        let mut first = [0; 1];
        let n = block_on(once(|cx| Pin::new(&mut reader).poll_read(cx, &mut first)));
        (reader, first[..n.unwrap_or(0)].to_vec())
    });
    let writing = thread::spawn(move || block_on(write_all(&mut writer)));
    let (mut reader, mut all) = begun.join().unwrap();
    all.extend(
        thread::spawn(move || block_on(read_all(&mut reader)))
            .join()
            .unwrap(),
    );
    assert_eq!(all, SENT);
    writing.join().unwrap();
}

async fn read_all(reader: &mut StreamReader) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut block = [0; 3];
        let read = |cx: &mut Context<'_>| Pin::new(&mut *reader).poll_read(cx, &mut block);
        let n = replaced(read).await.unwrap();
        if n == 0 {
            return all;
        }
        all.extend(&block[..n]);
    }
}

async fn write_all(writer: &mut StreamWriter) {
    for piece in SENT.chunks(5) {
        let mut left = piece;
        while !left.is_empty() {
            let n = replaced(|cx| Pin::new(&mut *writer).poll_write(cx, left)).await;
            left = &left[n.unwrap()..];
        }
        let flushed = replaced(|cx| AsyncWrite::poll_flush(Pin::new(&mut *writer), cx));
        flushed.await.unwrap();
    }
    let ended = replaced(|cx| AsyncWrite::poll_close(Pin::new(&mut *writer), cx));
    ended.await.unwrap();
}

/// Polls with a waker that wakes no task, and then with that of the task.
async fn replaced<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    poll_fn(|cx| match poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => poll(cx),
        ready => ready,
    })
    .await
}

/// Polls once.
async fn once<T, E>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<Result<T, E>>) -> Option<T> {
    poll_fn(|cx| {
        Poll::Ready(match poll(cx) {
            Poll::Ready(result) => result.ok(),
            Poll::Pending => None,
        })
    })
    .await
}
