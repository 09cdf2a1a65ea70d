//! Ending both directions.

use std::{io::ErrorKind, time::Duration};

use millpond::{StreamReader, WriteError};

use crate::{
    data,
    place::Place,
    polling::{interrupted, yield_now},
    setup::{Settings, Setup},
};

/// More connections than a socket is likely to be in the same mood for.
const MOODS: usize = 50;

/// Less than a close may take by default.
const SOON: Duration = Duration::from_secs(29);

pub(crate) async fn close_delivers_what_is_queued(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(setup.tight()).await;
    let sent = setup.fill(&mut writer);
    writer.close();
    assert!(writer.is_closing());
    let received = setup.spawn(async move { reader.read_to_eof().await.unwrap() });
    writer.wait_closed().await.unwrap();
    assert_eq!(writer.queued(), 0);
    data::assert_same(&received.await, &sent);
}

pub(crate) async fn close_ends_what_this_side_reads(mut setup: Setup) {
    let ((mut reader, mut writer), _far) = setup.connect().await;
    setup.stays_pending(reader.read(1)).await;
    writer.close();
    writer.wait_closed().await.unwrap();
    assert_eq!(reader.read(1).await.unwrap(), "");
    assert!(reader.at_eof());
}

pub(crate) async fn close_wakes_a_read_that_waits(mut setup: Setup) {
    let ((mut reader, mut writer), _far) = setup.connect().await;
    let read = setup.spawn(async move { reader.read(1).await.unwrap() });
    setup.sleep(10).await;
    writer.close();
    assert_eq!(read.await, "");
}

pub(crate) async fn what_arrived_before_close_can_still_be_read(mut setup: Setup) {
    let ((mut reader, mut writer), (_, mut far_writer)) = setup.connect().await;
    far_writer.write(b"one\ntwo\n").unwrap();
    reader.peek(8).await.unwrap();
    writer.close();
    writer.wait_closed().await.unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "one\n");
    assert_eq!(reader.read_line().await.unwrap(), "two\n");
    assert_eq!(reader.read_line().await.unwrap(), "");
}

/// A socket may say that nothing has come though something has; that is not its every answer.
pub(crate) async fn what_arrived_and_was_not_read_before_close_can_still_be_read(mut setup: Setup) {
    let mut kept = Vec::new();
    for _ in 0..MOODS {
        let ((mut reader, mut writer), (far_reader, mut far_writer)) = setup.connect().await;
        far_writer.write(b"1\n").unwrap();
        setup.sleep(10).await;
        writer.close();
        writer.wait_closed().await.unwrap();
        far_writer.write(b"too late\n").ok();
        setup.sleep(10).await;
        let read = reader.read_to_eof().await.unwrap();
        assert!(b"1\n".starts_with(&read), "{read:?}");
        assert!(reader.at_eof());
        kept.push(read);
        drop(far_reader);
        if kept.last().is_some_and(|read| read == "1\n") {
            return;
        }
    }
    panic!("what had arrived is gone: {kept:?}");
}

pub(crate) async fn wait_closed_waits_for_the_peer_to_take_everything(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(setup.tight()).await;
    let sent = setup.fill(&mut writer);
    writer.close();
    setup.stays_pending(writer.wait_closed()).await;
    // It was dropped, and can be asked again.
    setup.stays_pending(writer.wait_closed()).await;
    let received = setup.spawn(async move { reader.read_to_eof().await.unwrap() });
    writer.wait_closed().await.unwrap();
    writer.wait_closed().await.unwrap();
    data::assert_same(&received.await, &sent);
}

pub(crate) async fn wait_closed_can_be_dropped_after_every_poll(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(setup.tight()).await;
    let sent = setup.fill(&mut writer);
    writer.close();
    let received = setup.spawn(async move { reader.read_to_eof().await.unwrap() });
    loop {
        match interrupted(1, || {}, writer.wait_closed()).await {
            Some(closed) => break closed.unwrap(),
            None => yield_now().await,
        }
    }
    data::assert_same(&received.await, &sent);
}

pub(crate) async fn wait_closed_waits_for_a_close(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    setup.stays_pending(writer.wait_closed()).await;
    writer.write(b"!").unwrap();
    writer.write_eof().unwrap();
    setup.stays_pending(writer.wait_closed()).await;
    writer.close();
    writer.wait_closed().await.unwrap();
    assert_eq!(reader.read_to_eof().await.unwrap(), "!");
}

pub(crate) async fn nothing_can_be_written_after_close(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.write(b"!").unwrap();
    writer.close();
    for _ in 0..2 {
        assert_eq!(writer.write(b"?"), Err(WriteError::Closed));
        assert_eq!(writer.write_bytes("?".into()), Err(WriteError::Closed));
        assert_eq!(writer.write_all(b"?").await, Err(WriteError::Closed));
        writer.write_eof().unwrap();
        writer.close();
        writer.wait_closed().await.unwrap();
        writer.drain().await.unwrap();
        writer.flush().await.unwrap();
    }
    assert_eq!(reader.read_to_eof().await.unwrap(), "!");
}

pub(crate) async fn close_after_write_eof_ends_the_other_direction_too(mut setup: Setup) {
    let ((mut reader, mut writer), (mut far_reader, _far_writer)) = setup.connect().await;
    writer.write(b"!").unwrap();
    writer.write_eof().unwrap();
    setup.stays_pending(reader.read(1)).await;
    writer.close();
    writer.wait_closed().await.unwrap();
    assert_eq!(reader.read(1).await.unwrap(), "");
    assert_eq!(far_reader.read_to_eof().await.unwrap(), "!");
}

pub(crate) async fn both_sides_can_close_at_once(mut setup: Setup) {
    let (near, far) = setup.connect().await;
    for (mut reader, mut writer) in [near, far] {
        writer.close();
        writer.wait_closed().await.unwrap();
        assert_eq!(reader.read(1).await.unwrap(), "");
    }
}

/// A server may answer, and close, before it has read all of the request.
pub(crate) async fn unread_input_does_not_destroy_what_was_written(mut setup: Setup) {
    if setup.place == Place::FuturesIo {
        return; // it does not linger, and its socket is one that resets
    }
    let ((_near_reader, mut writer), (mut far_reader, mut far_writer)) = setup.connect().await;
    let sent = data::bytes(1, setup.place.volume() / 8);
    far_writer.write(b"a request that is not read").unwrap();
    setup.sleep(10).await;
    writer.write(&sent).unwrap();
    writer.close();
    setup.sleep(10).await;
    let received = far_reader.read_exactly(sent.len()).await.unwrap();
    data::assert_same(&received, &sent);
}

pub(crate) async fn a_peer_may_write_on_after_this_side_has_closed(mut setup: Setup) {
    if !setup.place.lingers() {
        return;
    }
    let ((_reader, mut writer), (mut far_reader, mut far_writer)) = setup.connect().await;
    writer.write(b"bye").unwrap();
    writer.close();
    writer.wait_closed().await.unwrap();
    far_writer
        .write(data::bytes(1, setup.place.volume()))
        .unwrap();
    far_writer.flush().await.unwrap();
    assert_eq!(far_reader.read_to_eof().await.unwrap(), "bye");
    far_writer.close();
    far_writer.wait_closed().await.unwrap();
}

pub(crate) async fn a_close_takes_along_what_a_cork_holds_back(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    let cork = writer.cork();
    writer.write(b"bye").unwrap();
    writer.close();
    assert_eq!(reader.read_to_eof().await.unwrap(), "bye");
    writer.wait_closed().await.unwrap();
    drop(cork);
}

/// Everything until the end, or until the reset.
async fn read_until_any_end(setup: &Setup, mut reader: StreamReader) -> Vec<u8> {
    let mut received = Vec::new();
    loop {
        match reader.read(setup.place.unit()).await {
            Ok(some) if !some.is_empty() => received.extend_from_slice(&some),
            Ok(_) | Err(_) => return received,
        }
    }
}

pub(crate) async fn a_peer_that_reads_nothing_is_abandoned_after_the_close_timeout(
    mut setup: Setup,
) {
    if !setup.place.lingers() {
        return; // without a clock
    }
    let timeout = Duration::from_millis(50);
    let settings = setup.tight().close_timeout(timeout);
    let (mut writer, reader) = setup.one_way_with(settings).await;
    let sent = setup.fill(&mut writer);
    let began = setup.runtime.now();
    writer.close();
    let error = writer.wait_closed().await.unwrap_err();
    let took = setup.runtime.now() - began;
    assert!((timeout..SOON).contains(&took), "{took:?}");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("50ms"), "{error}");
    let received = read_until_any_end(&setup, reader).await;
    assert!(received.len() < sent.len());
    data::assert_same(&received, &sent[..received.len()]);
}

/// That needs no clock.
pub(crate) async fn a_close_that_may_take_no_time_gives_up_what_cannot_be_sent_at_once(
    mut setup: Setup,
) {
    let settings = setup.tight().close_timeout(Duration::ZERO);
    let (mut writer, reader) = setup.one_way_with(settings).await;
    let sent = setup.fill(&mut writer);
    writer.close();
    let error = writer.wait_closed().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let received = read_until_any_end(&setup, reader).await;
    assert!(received.len() < sent.len());
    data::assert_same(&received, &sent[..received.len()]);

    let (mut writer, mut reader) = setup.one_way_with(settings).await;
    writer.write(b"!").unwrap();
    writer.flush().await.unwrap();
    writer.close();
    writer.wait_closed().await.unwrap();
    assert_eq!(reader.read_to_eof().await.unwrap(), "!");
}

pub(crate) async fn a_closed_stream_takes_what_comes_no_longer_than_the_close_timeout(
    mut setup: Setup,
) {
    for timeout in [Duration::ZERO, Duration::from_millis(50)] {
        let settings = Settings::DEFAULT.close_timeout(timeout);
        let ((_reader, mut writer), (_far_reader, mut far_writer)) =
            setup.connect_with(settings).await;
        writer.close();
        // Where a socket is pending at first, nothing is sent at once, and then the wait is cancelled.
        let closed = writer.wait_closed().await;
        assert!(closed.is_ok() || timeout.is_zero(), "{closed:?}");
        let began = setup.runtime.now();
        while far_writer.write(b"x").is_ok() {
            setup.sleep(5).await;
            assert!(setup.runtime.now() - began < SOON, "it still takes bytes");
        }
    }
}
