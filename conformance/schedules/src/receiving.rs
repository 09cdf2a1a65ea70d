//! Tasks that wait for input, on different threads: a reader, and others that only wait to know
//! of the end.

use std::{future::poll_fn, task::Poll};

use millpond::StreamOptions;
use shuttle::{future::block_on, thread};

use crate::{
    explore::explore,
    world::{Halves, World, in_tasks, inline},
};

/// More than is read ahead, and than is on its way.
const SENT: &[u8] = b"abcdef";

fn options() -> StreamOptions {
    StreamOptions::new().limit(2)
}

#[test]
fn the_end_reaches_all_waiting_tasks_inline() {
    explore(|| inline(&options(), all_see_the_end));
}

#[test]
fn the_end_reaches_all_waiting_tasks_by_tasks() {
    explore(|| in_tasks(&options(), all_see_the_end));
}

/// No task is left waiting, and nothing is lost, though some give up in between.
fn all_see_the_end((mut reader, writer): Halves, (peer_reader, mut peer_writer): Halves) {
    let sending = thread::spawn(move || {
        peer_writer.write(SENT).unwrap();
        drop((peer_reader, peer_writer));
    });
    let transport = writer.transport();
    let watching = thread::spawn(move || {
        block_on(async {
            let mut given_up = Box::pin(transport.closed());
            poll_fn(|cx| {
                let _ended = given_up.as_mut().poll(cx);
                Poll::Ready(())
            })
            .await;
            drop(given_up);
            transport.closed().await.unwrap();
        });
    });
    let received = block_on(reader.read_to_eof()).unwrap();
    assert_eq!(received, SENT);
    watching.join().unwrap();
    sending.join().unwrap();
    drop((reader, writer));
}

/// Whatever was looked at before can be read, and then comes the end.
#[test]
fn a_close_keeps_what_has_come_while_others_read_and_wait() {
    explore(|| {
        let world = World::new();
        let ((mut reader, writer), (peer_reader, mut peer_writer)) = world.pair(&options());
        peer_writer.write(b"ab").unwrap();
        let reading = thread::spawn(move || block_on(reader.read_to_eof()));
        let closed = writer.closed();
        let watching = thread::spawn(move || block_on(closed));
        writer.transport().close();
        assert_eq!(reading.join().unwrap().unwrap(), "ab");
        watching.join().unwrap().unwrap();
        drop((writer, peer_reader, peer_writer));
        world.finish();
    });
}

#[test]
fn a_reader_and_waiting_tasks_see_a_reset() {
    explore(|| {
        let world = World::new();
        let ((mut reader, writer), (peer_reader, mut peer_writer)) = world.pair(&options());
        let reading = thread::spawn(move || block_on(reader.read(1)));
        let closed = writer.closed();
        let watching = thread::spawn(move || block_on(closed));
        peer_writer.abort();
        assert!(reading.join().unwrap().is_err());
        assert!(watching.join().unwrap().is_err());
        assert!(writer.is_closing());
        drop((writer, peer_reader, peer_writer));
        world.finish();
    });
}
