//! A connection that the peer resets.

use std::io::ErrorKind;

use futures_util::future::join;
use millpond::{ReadError, WriteError, error::TransportError};

use crate::{
    ask::{Ask, MESSAGE},
    place::Ending,
    setup::{Setup, Stream},
};

/// Fails unless it is the failure of a transport.
#[track_caller]
fn read_failure<T: std::fmt::Debug>(result: Result<T, ReadError>) -> TransportError {
    match result {
        Err(ReadError::Transport(error)) => error,
        other => panic!("not the failure of a transport: {other:?}"),
    }
}

/// Fails unless it is the failure of a transport.
#[track_caller]
fn write_failure(result: Result<(), WriteError>) -> TransportError {
    match result {
        Err(WriteError::Transport(error)) => error,
        other => panic!("not the failure of a transport: {other:?}"),
    }
}

/// Writes until it fails: that takes until the peer has answered, or has had enough.
async fn write_until_failure(setup: &Setup, stream: &mut Stream) -> TransportError {
    let block = vec![b'?'; setup.place.unit()];
    loop {
        let written = stream.1.write_all(&block).await;
        if written.is_err() {
            return write_failure(written);
        }
    }
}

/// Every kind of read, with a reset at every position of what it reads.
pub(crate) async fn what_arrived_before_a_reset_can_be_read(mut setup: Setup) {
    let ending = setup.place.ending_of_abort();
    for ask in Ask::ALL {
        for len in 0..=MESSAGE.len() {
            let data = &MESSAGE[..len];
            let (mut writer, mut reader) = setup.one_way().await;
            setup.spawn(async move {
                writer.write(data).unwrap();
                writer.flush().await.unwrap();
                writer.abort();
            });
            let answer = ask.of(&mut reader).await;
            ask.assert_answer(&answer, data, ending);
            if ending == Ending::Reset {
                let failure = read_failure(reader.read_to_eof().await);
                assert_eq!(failure.kind(), ErrorKind::ConnectionReset);
                let left = match &answer {
                    Ok(taken) if ask != Ask::Peek => &data[taken.len()..],
                    Ok(_) | Err(_) => data,
                };
                assert_eq!(reader.buffered(), left);
                assert!(!reader.at_eof());
            }
        }
    }
}

pub(crate) async fn a_reset_stays_a_reset(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.abort();
    let first = reader.read(1).await;
    for ask in Ask::ALL {
        let again = ask.of(&mut reader).await;
        match setup.place.ending_of_abort() {
            Ending::Eof => ask.assert_answer(&again, b"", Ending::Eof),
            Ending::Reset => assert_eq!(again.err(), first.as_ref().err().cloned()),
        }
    }
}

pub(crate) async fn writes_fail_after_a_reset_and_go_on_failing(mut setup: Setup) {
    let (mut near, (_far_reader, mut far_writer)) = setup.connect().await;
    far_writer.abort();
    let failure = write_until_failure(&setup, &mut near).await;
    let (_, mut writer) = near;
    assert!(writer.is_closing());
    assert_eq!(writer.queued(), 0);
    assert_eq!(write_failure(writer.write(b"?")), failure);
    assert_eq!(write_failure(writer.write_bytes("?".into())), failure);
    assert_eq!(write_failure(writer.write_all(b"?").await), failure);
    assert_eq!(write_failure(writer.drain().await), failure);
    assert_eq!(write_failure(writer.flush().await), failure);
    assert_eq!(write_failure(writer.write_eof()), failure);
    writer.close();
    assert_eq!(write_failure(writer.wait_closed().await), failure);
}

pub(crate) async fn the_write_after_a_reset_that_was_read_fails(mut setup: Setup) {
    let ((mut reader, mut writer), (_far_reader, mut far_writer)) = setup.connect().await;
    far_writer.abort();
    if setup.place.ending_of_abort() == Ending::Reset {
        read_failure(reader.read(1).await);
        write_failure(writer.write(b"?"));
    }
}

/// The peer has something unread, so that every kind of socket reports the reset.
pub(crate) async fn the_writer_knows_of_a_reset_that_was_read(mut setup: Setup) {
    let ((mut reader, mut writer), (_far_reader, mut far_writer)) = setup.connect().await;
    writer.write(b"!").unwrap();
    writer.flush().await.unwrap();
    setup.sleep(10).await;
    far_writer.abort();
    read_failure(reader.read(1).await);
    assert!(writer.is_closing());
    write_failure(writer.drain().await);
    write_failure(writer.wait_closed().await);
}

/// The peer has something unread, so that every kind of socket reports the reset.
///
/// The system reports it once, to the first call, and then reports an end.
pub(crate) async fn a_reset_that_the_writer_meets_first_is_no_end_for_the_reader(mut setup: Setup) {
    let settings = setup.tight();
    let (mut near, (_far_reader, mut far_writer)) = setup.connect_with(settings).await;
    setup.fill(&mut near.1);
    far_writer.write(b"!").unwrap();
    far_writer.flush().await.unwrap();
    setup.sleep(10).await;
    far_writer.abort();
    write_until_failure(&setup, &mut near).await;
    let (mut reader, _writer) = near;
    assert_eq!(reader.read_exactly(1).await.unwrap(), "!");
    let failure = read_failure(reader.read(1).await);
    assert_eq!(read_failure(reader.read(1).await), failure);
}

/// The peer has something unread, so that every kind of socket reports the reset.
///
/// The system says of the end only that there is no connection.
pub(crate) async fn a_reset_is_no_end_though_an_end_was_sent_before_it_was_read(mut setup: Setup) {
    let ((mut reader, mut writer), (_far_reader, mut far_writer)) = setup.connect().await;
    writer.write(b"!").unwrap();
    writer.flush().await.unwrap();
    setup.sleep(10).await;
    far_writer.abort();
    setup.sleep(10).await;
    if writer.can_write_eof() {
        let ended = match writer.write_eof() {
            Ok(()) => writer.flush().await,
            failed => failed,
        };
        if let Err(error) = ended {
            let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
            assert!(kinds.contains(&error.kind()), "{error:?}");
        }
    }
    let read = reader.read(1).await;
    assert_eq!(read_failure(read).kind(), ErrorKind::ConnectionReset);
}

pub(crate) async fn a_reset_fails_everything_that_waits(mut setup: Setup) {
    let settings = setup.tight();
    let (near, (_far_reader, mut far_writer)) = setup.connect_with(settings).await;
    let (mut reader, mut writer) = near;
    setup.fill(&mut writer);
    let task = setup.spawn(async move { join(reader.read(1), writer.drain()).await });
    setup.sleep(10).await;
    far_writer.abort();
    let (read, drained) = task.await;
    read_failure(read);
    write_failure(drained);
}

pub(crate) async fn a_reset_fails_a_close_that_waits(mut setup: Setup) {
    let settings = setup.tight();
    let ((_reader, mut writer), (_far_reader, mut far_writer)) = setup.connect_with(settings).await;
    setup.fill(&mut writer);
    writer.close();
    setup.stays_pending(writer.wait_closed()).await;
    far_writer.abort();
    write_failure(writer.wait_closed().await);
}

/// What was sent before is not lost when the peer leaves, or writing to it fails.
pub(crate) async fn a_proper_end_stays_one_though_a_reset_follows(mut setup: Setup) {
    let (mut near, (_far_reader, mut far_writer)) = setup.connect().await;
    far_writer.write(b"!").unwrap();
    far_writer.write_eof().unwrap();
    far_writer.flush().await.unwrap();
    setup.sleep(10).await;
    far_writer.abort();
    write_until_failure(&setup, &mut near).await;
    let (mut reader, _writer) = near;
    assert_eq!(reader.read_to_eof().await.unwrap(), "!");
    assert!(reader.at_eof());
}
