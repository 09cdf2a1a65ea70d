//! Copying between streams, one way and both.

mod support;

use std::io::{self, ErrorKind};

use futures_lite::future::{block_on, poll_once};
use millpond::{
    Stream, StreamOptions, StreamReader, StreamWriter, adapter::BoxFuture, copy,
    copy_bidirectional, error::CopyErrorCause,
};
use proptest::prelude::*;

use crate::support::{Scripted, fails, ready};

type Halves = (StreamReader, StreamWriter);

/// A peer, and the end that is copied from or to.
fn wire(room: usize) -> (Halves, Stream) {
    let (peer, (reader, writer)) = StreamOptions::new().watermarks(100, 400).pair(room);
    (peer, Stream::reunite(reader, writer).unwrap())
}

proptest! {
    #[test]
    fn a_copy_loses_nothing_however_often_it_is_cancelled(
        data in proptest::collection::vec(any::<u8>(), 0..5_000),
        rooms in (1_usize..700, 1_usize..700),
        pending in 1_usize..9,
    ) {
        block_on(async {
            let ((_, mut client), mut from) = wire(rooms.0);
            let ((mut server, _), mut to) = wire(rooms.1);
            client.write(&data).unwrap();
            client.write_eof().unwrap();
            let copying = async {
                let (from, _) = from.split();
                let (_, to) = to.split();
                loop {
                    // A future that is dropped after some polls.
                    let copying = copy(from, to);
                    let mut polls = 0;
                    let done = futures_lite::future::or(
                        async { Some(copying.await.unwrap()) },
                        futures_lite::future::poll_fn(|cx| {
                            polls += 1;
                            cx.waker().wake_by_ref();
                            if polls > pending { std::task::Poll::Ready(None) } else { std::task::Poll::Pending }
                        }),
                    );
                    if done.await.is_some() {
                        break;
                    }
                }
                to.write_eof().unwrap();
            };
            let ((), received) = futures_util::future::join(copying, server.read_to_eof()).await;
            assert_eq!(received.unwrap(), data);
        });
    }

    #[test]
    fn both_ways_arrive_whole_and_are_counted(
        sizes in (0_usize..9_000, 0_usize..9_000),
        rooms in (1_usize..700, 1_usize..700),
    ) {
        block_on(async {
            let ((mut client_reader, mut client), mut left) = wire(rooms.0);
            let ((mut server_reader, mut server), mut right) = wire(rooms.1);
            let there: Vec<u8> = (0..sizes.0).map(|n| n as u8).collect();
            let back: Vec<u8> = (0..sizes.1).map(|n| !(n as u8)).collect();
            client.write(&there).unwrap();
            client.write_eof().unwrap();
            server.write(&back).unwrap();
            server.write_eof().unwrap();
            let copying = copy_bidirectional(&mut left, &mut right);
            let progress = copying.progress();
            let (counts, seen_there, seen_back) = futures_util::future::join3(
                copying,
                server_reader.read_to_eof(),
                client_reader.read_to_eof(),
            ).await;
            assert_eq!(counts.unwrap(), (sizes.0 as u64, sizes.1 as u64));
            assert_eq!((progress.to_right(), progress.to_left()), (sizes.0 as u64, sizes.1 as u64));
            assert_eq!(seen_there.unwrap(), there);
            assert_eq!(seen_back.unwrap(), back);
        });
    }
}

#[test]
fn the_end_of_one_direction_is_passed_on_and_the_other_goes_on() {
    block_on(async {
        let ((mut client_reader, mut client), mut left) = wire(100);
        let ((mut server_reader, mut server), mut right) = wire(100);
        let copying = copy_bidirectional(&mut left, &mut right);
        let talking = async {
            client.write(b"question").unwrap();
            client.write_eof().unwrap();
            assert_eq!(server_reader.read_to_eof().await.unwrap(), "question");
            server.write(b"answer").unwrap();
            assert_eq!(client_reader.read_exactly(6).await.unwrap(), "answer");
            server.write_eof().unwrap();
            assert!(client_reader.read(1).await.unwrap().is_empty());
        };
        let (counts, ()) = futures_util::future::join(copying, talking).await;
        assert_eq!(counts.unwrap(), (8, 6));
    });
}

#[test]
fn a_reset_is_passed_on_as_a_reset_and_never_as_an_end() {
    block_on(async {
        let ((mut client_reader, client), mut left) = wire(100);
        let ((mut server_reader, mut server), mut right) = wire(100);
        server.write(b"half an ans").unwrap();
        let copying = copy_bidirectional(&mut left, &mut right);
        let failing = async {
            assert_eq!(client_reader.read(100).await.unwrap(), "half an ans");
            server.abort();
        };
        let (copied, ()) = futures_util::future::join(copying, failing).await;
        let error = copied.unwrap_err();
        assert_eq!(
            (error.copied, error.kind()),
            (11, ErrorKind::ConnectionReset)
        );
        assert!(matches!(error.cause, CopyErrorCause::Read(_)));
        assert_eq!(io::Error::from(error).kind(), ErrorKind::ConnectionReset);
        let seen = client_reader.read(100).await.unwrap_err();
        assert_eq!(io::Error::from(seen).kind(), ErrorKind::ConnectionReset);
        assert!(server_reader.read(100).await.is_err());
        drop(client);
    });
}

#[test]
fn a_cancelled_copy_leaves_both_streams_open() {
    block_on(async {
        let ((_, mut client), mut left) = wire(100);
        let ((mut server_reader, server), mut right) = wire(100);
        client.write(b"one").unwrap();
        assert!(
            poll_once(copy_bidirectional(&mut left, &mut right))
                .await
                .is_none()
        );
        assert_eq!(server_reader.read(100).await.unwrap(), "one");
        client.write(b"two").unwrap();
        assert_eq!(left.read(100).await.unwrap(), "two");
        right.write(b"three").unwrap();
        assert_eq!(server_reader.read(100).await.unwrap(), "three");
        drop(server);
    });
}

#[test]
fn a_piece_whose_write_failed_is_still_in_the_reader() {
    block_on(async {
        let refuse = |_: BoxFuture<'static, ()>| panic!("nothing is left for the background");
        let target = Scripted::new([], [ready(4), fails(ErrorKind::BrokenPipe)]);
        let (_reader, mut to) = target.open(refuse);
        let ((_, mut client), mut from) = wire(1_000);
        client.write(b"12345678").unwrap();
        client.write_eof().unwrap();
        let (reader, _) = from.split();
        let error = copy(reader, &mut to).await.unwrap_err();
        assert_eq!((error.copied, error.kind()), (0, ErrorKind::BrokenPipe));
        assert_eq!(reader.buffered(), b"12345678");
        assert_eq!(target.written(), b"1234"); // a write that fails may have sent a part
    });
}

#[test]
fn no_more_is_read_than_the_other_side_has_room_for() {
    block_on(async {
        let ((_, mut client), mut left) = wire(1 << 20);
        let ((_server_reader, _server), mut right) = wire(1_000);
        client.write(vec![0; 1 << 20]).unwrap();
        let copying = copy_bidirectional(&mut left, &mut right);
        let progress = copying.progress();
        assert!(poll_once(copying).await.is_none());
        // What the other side holds, its high watermark, and the least piece above that.
        assert!(
            progress.to_right() <= 1_000 + 400 + 2 * 8 * 1024,
            "{}",
            progress.to_right()
        );
        assert!(left.buffered().len() <= 2 * 64 * 1024);
    });
}

#[test]
fn a_copy_that_is_given_up_leaves_no_waker_with_the_streams() {
    block_on(async {
        let ((_, mut client), mut left) = wire(100_000);
        let ((_server_reader, _server), mut right) = wire(100);
        client.write(vec![0; 50_000]).unwrap();
        for both in [true, false] {
            let alarm = std::sync::Arc::new(support::Alarm::default());
            let waker = std::task::Waker::from(alarm.clone());
            let mut cx = std::task::Context::from_waker(&waker);
            if both {
                let mut copying = std::pin::pin!(copy_bidirectional(&mut left, &mut right));
                assert!(copying.as_mut().poll(&mut cx).is_pending());
            } else {
                let ((from, _), (_, to)) = (left.split(), right.split());
                let mut copying = std::pin::pin!(copy(from, to));
                assert!(copying.as_mut().poll(&mut cx).is_pending());
            }
            // Here are two, and each reader that has asked its socket keeps the last one that it had.
            let with_the_writers = std::sync::Arc::strong_count(&alarm) - 3 - usize::from(both);
            assert_eq!(with_the_writers, 0, "both ways: {both}");
        }
    });
}

#[test]
fn a_reset_ends_a_copy_whose_other_side_takes_nothing() {
    // As much as the other side holds, its high watermark, and the rest up to the limit.
    for len in [20_000, 40_000, 60_000] {
        block_on(async {
            let ((_client_reader, mut client), mut left) = wire(1 << 20);
            let ((mut server_reader, _server), mut right) = wire(1_000);
            client.write(vec![0; len]).unwrap();
            let mut copying = Box::pin(copy_bidirectional(&mut left, &mut right));
            assert!(poll_once(copying.as_mut()).await.is_none());
            client.write(b"!").unwrap(); // what comes meanwhile is no failure
            assert!(poll_once(copying.as_mut()).await.is_none());
            client.abort();
            let copied = poll_once(copying.as_mut()).await;
            let error = copied.expect("it notices the reset").unwrap_err();
            assert!(matches!(error.cause, CopyErrorCause::Read(_)), "{error}");
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{len}");
            drop(copying);
            assert!(server_reader.read_to_eof().await.is_err());
        });
    }
}

#[test]
fn an_end_does_not_end_a_copy_whose_other_side_takes_nothing_yet() {
    block_on(async {
        let ((_client_reader, mut client), mut left) = wire(1 << 20);
        let ((mut server_reader, mut server), mut right) = wire(1_000);
        client.write(vec![7; 40_000]).unwrap();
        client.write_eof().unwrap();
        server.write_eof().unwrap();
        let mut copying = Box::pin(copy_bidirectional(&mut left, &mut right));
        assert!(poll_once(copying.as_mut()).await.is_none());
        assert!(poll_once(copying.as_mut()).await.is_none());
        let both = futures_util::future::join(copying, server_reader.read_to_eof()).await;
        assert_eq!(both.0.unwrap(), (40_000, 0));
        assert_eq!(both.1.unwrap(), vec![7; 40_000]);
    });
}
