//! Giving up a connection.

use std::io::ErrorKind;

use millpond::{ReadError, WriteError};

use crate::{ask::Ask, data, place::Ending, setup::Setup};

pub(crate) async fn abort_drops_what_is_queued(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(setup.tight()).await;
    let sent = setup.fill(&mut writer);
    writer.abort();
    assert_eq!(writer.queued(), 0);
    let ended = reader.read_exactly(sent.len()).await;
    let arrived = match ended {
        Err(ReadError::Incomplete { partial, .. }) => partial.to_vec(),
        Err(ReadError::Transport(_)) => reader.buffered().to_vec(),
        other => panic!("{other:?}"),
    };
    assert!(arrived.len() < sent.len());
    data::assert_same(&arrived, &sent[..arrived.len()]);
}

pub(crate) async fn the_peer_sees_an_abort(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    let read = setup.spawn(async move { reader.read(1).await });
    setup.sleep(10).await;
    writer.abort();
    let ended = read.await;
    match setup.place.ending_of_abort() {
        Ending::Eof => assert_eq!(ended.unwrap(), ""),
        Ending::Reset => match ended {
            Err(ReadError::Transport(error)) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            }
            other => panic!("{other:?}"),
        },
    }
}

pub(crate) async fn reads_of_this_side_fail_after_abort(mut setup: Setup) {
    let ((mut reader, mut writer), _far) = setup.connect().await;
    let read = setup.spawn(async move {
        let failed = reader.read(1).await;
        (failed, reader)
    });
    setup.sleep(10).await;
    writer.abort();
    let (failed, mut reader) = read.await;
    match &failed {
        Err(ReadError::Transport(error)) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        }
        other => panic!("{other:?}"),
    }
    for ask in Ask::ALL {
        assert_eq!(
            ask.of(&mut reader).await.err(),
            failed.as_ref().err().cloned()
        );
    }
    assert!(!reader.at_eof());
}

pub(crate) async fn what_arrived_before_abort_can_still_be_read(mut setup: Setup) {
    let ((mut reader, mut writer), (_, mut far_writer)) = setup.connect().await;
    far_writer.write(b"one\n").unwrap();
    reader.peek(4).await.unwrap();
    writer.abort();
    assert_eq!(reader.read_line().await.unwrap(), "one\n");
    assert!(reader.read_line().await.is_err());
}

pub(crate) async fn nothing_can_be_written_after_abort(mut setup: Setup) {
    let (mut writer, _reader) = setup.one_way().await;
    writer.abort();
    for _ in 0..2 {
        assert!(writer.is_closing());
        assert_eq!(writer.write(b"?"), Err(WriteError::Closed));
        assert_eq!(writer.write_bytes("?".into()), Err(WriteError::Closed));
        assert_eq!(writer.drain().await, Err(WriteError::Closed));
        assert_eq!(writer.flush().await, Err(WriteError::Closed));
        writer.write_eof().unwrap();
        writer.close();
        writer.abort();
        writer.wait_closed().await.unwrap();
    }
}

pub(crate) async fn abort_wakes_a_drain_that_waits(mut setup: Setup) {
    let (mut writer, _reader) = setup.one_way_with(setup.tight()).await;
    setup.fill(&mut writer);
    // The drain borrows the writer, so the abort comes after the wait.
    setup.stays_pending(writer.drain()).await;
    writer.abort();
    assert_eq!(writer.drain().await, Err(WriteError::Closed));
}

pub(crate) async fn abort_ends_a_close_that_takes_too_long(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(setup.tight()).await;
    let sent = setup.fill(&mut writer);
    writer.close();
    setup.stays_pending(writer.wait_closed()).await;
    writer.abort();
    writer.wait_closed().await.unwrap();
    let mut received = 0;
    while let Ok(some) = reader.read(setup.place.unit()).await {
        if some.is_empty() {
            break;
        }
        received += some.len();
    }
    assert!(received < sent.len());
}
