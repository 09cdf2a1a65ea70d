//! Noticing that the peer has left, without reading.

use std::io::ErrorKind;

use futures_util::future::join;
use millpond::ReadError;

use crate::{
    data,
    polling::{interrupted, yield_now},
    setup::{Settings, Setup},
};

pub(crate) async fn closed_waits_for_the_peers_end_and_takes_nothing(mut setup: Setup) {
    let ((mut reader, writer), (_far_reader, mut far_writer)) = setup.connect().await;
    setup.stays_pending(writer.closed()).await;
    far_writer.write(b"one\nbye").unwrap();
    setup.stays_pending(reader.closed()).await;
    assert_eq!(reader.read_line().await.unwrap(), "one\n");
    far_writer.close();
    let transport = writer.transport();
    let (by_reader, by_writer) = join(reader.closed(), writer.closed()).await;
    by_reader.unwrap();
    by_writer.unwrap();
    assert!(!reader.at_eof());
    assert_eq!(reader.read_to_eof().await.unwrap(), "bye");
    assert!(reader.at_eof());
    transport.closed().await.unwrap();
}

/// The peer has something unread, so that every kind of socket reports the reset.
pub(crate) async fn closed_reports_a_reset_and_the_writer_has_it(mut setup: Setup) {
    let ((reader, mut writer), (_far_reader, mut far_writer)) = setup.connect().await;
    writer.write(b"!").unwrap();
    writer.flush().await.unwrap();
    setup.stays_pending(writer.closed()).await;
    far_writer.abort();
    for ended in [writer.closed().await, reader.closed().await] {
        match ended {
            Err(ReadError::Transport(error)) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            }
            other => panic!("no reset: {other:?}"),
        }
    }
    assert!(writer.is_closing());
    assert!(!reader.at_eof());
}

/// Both want to know from the same socket.
pub(crate) async fn a_read_and_closed_wait_at_once(mut setup: Setup) {
    let ((mut reader, writer), (_far_reader, mut far_writer)) = setup.connect().await;
    let reading = setup.spawn(async move {
        let mut lines = Vec::new();
        loop {
            match reader.read_line().await.unwrap() {
                line if line.is_empty() => return lines,
                line => lines.push(line),
            }
        }
    });
    let closed = setup.spawn(async move { (writer.closed().await, writer) });
    for n in 0..10 {
        setup.sleep(1).await;
        far_writer.write(format!("{n}\n").as_bytes()).unwrap();
    }
    far_writer.close();
    let (ended, _writer) = closed.await;
    ended.unwrap();
    assert_eq!(reading.await.len(), 10);
}

pub(crate) async fn closed_dropped_after_every_poll_loses_nothing(mut setup: Setup) {
    let ((mut reader, writer), (_far_reader, mut far_writer)) = setup.connect().await;
    let sent = data::bytes(1, setup.place.unit() / 2);
    let all = sent.clone();
    let sending = setup.spawn(async move {
        for piece in all.chunks(all.len() / 16) {
            far_writer.write_all(piece).await.unwrap();
            yield_now().await;
        }
        far_writer.close();
        far_writer.wait_closed().await.unwrap();
    });
    loop {
        match interrupted(1, || {}, writer.closed()).await {
            Some(closed) => break closed.unwrap(),
            None => yield_now().await,
        }
    }
    sending.await;
    data::assert_same(&reader.read_to_eof().await.unwrap(), &sent);
}

pub(crate) async fn closed_keeps_no_more_than_the_limit_for_the_reader(mut setup: Setup) {
    let limit = 16;
    let settings = Settings::limit(limit);
    let ((mut reader, writer), (_far_reader, mut far_writer)) = setup.connect_with(settings).await;
    let sent = data::bytes(1, 10 * limit);
    far_writer.write(&sent).unwrap();
    far_writer.close();
    setup.stays_pending(writer.closed()).await;
    setup.stays_pending(writer.closed()).await;
    let (received, closed) = join(reader.read_to_eof(), writer.closed()).await;
    data::assert_same(&received.unwrap(), &sent);
    closed.unwrap();
}

/// Whatever it still sends.
pub(crate) async fn without_a_reader_closed_sees_the_end_behind_everything(mut setup: Setup) {
    let ((reader, writer), (_far_reader, mut far_writer)) = setup.connect().await;
    drop(reader);
    let volume = setup.place.volume() / 8;
    let sending = setup.spawn(async move {
        far_writer.write_all(&data::bytes(1, volume)).await.unwrap();
        far_writer.close();
        far_writer.wait_closed().await.unwrap();
    });
    writer.closed().await.unwrap();
    sending.await;
}

pub(crate) async fn closed_ends_when_this_side_closes_or_aborts(mut setup: Setup) {
    let ((reader, mut writer), _far) = setup.connect().await;
    let closed = setup.spawn(reader.closed());
    setup.sleep(10).await;
    writer.close();
    closed.await.unwrap();
    reader.closed().await.unwrap();

    let ((reader, mut writer), _far) = setup.connect().await;
    let closed = setup.spawn(reader.closed());
    setup.sleep(10).await;
    writer.abort();
    match closed.await {
        Err(ReadError::Transport(error)) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        }
        other => panic!("{other:?}"),
    }
}

/// A loop as in asyncio, that only looks.
pub(crate) async fn a_loop_that_only_looks_ends_when_the_peer_has_left(mut setup: Setup) {
    let ((reader, writer), far) = setup.connect().await;
    assert!(!reader.at_eof() && !writer.is_closing());
    drop(far);
    while !reader.at_eof() {
        assert!(reader.buffered().is_empty());
        setup.sleep(1).await;
    }
    assert_eq!(writer.closed().await, Ok(()));
}

/// The peer has something unread, so that every kind of socket reports the reset.
pub(crate) async fn a_loop_that_only_looks_ends_after_a_reset(mut setup: Setup) {
    let ((mut reader, mut writer), (_far_reader, mut far_writer)) = setup.connect().await;
    writer.write(b"!").unwrap();
    far_writer.write(b"last words\n").unwrap();
    writer.flush().await.unwrap();
    setup.sleep(10).await;
    far_writer.abort();
    while !writer.is_closing() {
        setup.sleep(1).await;
    }
    assert!(!reader.at_eof());
    // What came before was looked at, not taken.
    if let Ok(line) = reader.read_line().await {
        assert_eq!(line, "last words\n");
    }
    reader.read_line().await.unwrap_err();
}
