//! Those that need the sockets of the system: they are of the topic `adopting`.
//!
//! The peer reads on the thread of the writer's task, so that nothing but the writes themselves can have
//! sent what it gets: no other task runs meanwhile on a runtime of one thread.

use std::{
    io::{Read, Write},
    time::Duration,
};

use millpond::adapter::{StdSocket, os};

use super::*;

/// A stream that has read `taken` bytes of those that its peer has sent, and the peer.
async fn answering(
    setup: &Setup,
    sent: &[u8],
    taken: usize,
) -> (StreamReader, StreamWriter, StdSocket) {
    let (near, far) = os::socket_pair().unwrap();
    let (mut reader, writer) = setup.open(near).await.unwrap();
    let waited = Some(Duration::from_secs(10)); // so that a failure is one
    os::SockRef::from(&far).set_read_timeout(waited).unwrap();
    (&far).write_all(sent).unwrap();
    reader.read_exactly(taken).await.unwrap();
    (reader, writer, far)
}

fn assert_received(mut peer: &StdSocket, expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, expected);
}

pub(crate) async fn a_single_answer_is_with_the_peer_when_its_write_returns(setup: Setup) {
    let (_reader, mut writer, peer) = answering(&setup, b"request", 7).await;
    for _ in 0..3 {
        writer.write(b"answer").unwrap();
        assert_eq!(writer.queued(), 0);
        assert_received(&peer, b"answer");
    }
}

pub(crate) async fn the_answers_to_a_batch_are_with_the_peer_when_the_last_write_returns(
    setup: Setup,
) {
    let (mut reader, mut writer, peer) = answering(&setup, b"12345", 1).await;
    for _ in 1..5 {
        writer.write(b"answer").unwrap();
        writer.drain().await.unwrap();
        reader.read_exactly(1).await.unwrap();
    }
    writer.write(b"answer").unwrap();
    assert_eq!(writer.queued(), 0);
    assert_received(&peer, &b"answer".repeat(5));
}

pub(crate) async fn an_answer_between_others_leaves_while_the_task_waits_for_something_else(
    setup: Setup,
) {
    let (_reader, mut writer, peer) = answering(&setup, b"12", 1).await;
    writer.write(b"answer").unwrap();
    while writer.queued() > 0 {
        setup.sleep(1).await;
    }
    assert_received(&peer, b"answer");
}

pub(crate) async fn an_answer_between_others_leaves_when_the_stream_is_dropped(setup: Setup) {
    for writer_first in [true, false] {
        let (reader, mut writer, peer) = answering(&setup, b"12", 1).await;
        writer.write(b"answer").unwrap();
        if writer_first {
            drop(writer);
            assert_received(&peer, b"answer");
            drop(reader);
        } else {
            drop(reader);
            drop(writer);
            assert_received(&peer, b"answer");
        }
    }
}
