//! Both halves in one, and what is below them.

use std::{io::IoSlice, time::Duration};

use futures_util::future::join;
use millpond::{Separator, Stream, StreamMode, WriteError, timeout};

use crate::{
    ask::{Ask, MESSAGE},
    data,
    place::Ending,
    setup::{Setup, whole},
};

async fn connect(setup: &mut Setup) -> (Stream, Stream) {
    let (near, far) = setup.connect().await;
    (whole(near), whole(far))
}

pub(crate) async fn a_stream_reads_as_its_reader_does(mut setup: Setup) {
    let (mut near, mut far) = connect(&mut setup).await;
    assert_eq!(near.mode(), StreamMode::ReadWrite);
    far.write(b"line\nexact;until;line\nexact;until;lines\nof them\nlooked at, parsed; rest")
        .unwrap();
    far.write_eof().unwrap();
    let end = Separator::new(";");
    assert_eq!(near.peek(2).await.unwrap(), b"li");
    assert_eq!(near.read_line().await.unwrap(), "line\n");
    assert_eq!(near.read_exactly(6).await.unwrap(), "exact;");
    assert_eq!(near.read_until(&end).await.unwrap(), "until;");
    assert_eq!(near.read_line_ref().await.unwrap(), b"line\n");
    assert_eq!(near.read_exactly_ref(6).await.unwrap(), b"exact;");
    assert_eq!(near.read_until_ref(&end).await.unwrap(), b"until;");
    let mut lines = near.lines();
    assert_eq!(lines.next().await.unwrap().unwrap(), "lines\n");
    assert_eq!(lines.next().await.unwrap().unwrap(), "of them\n");
    near.peek(11).await.unwrap();
    assert!(near.buffered().starts_with(b"looked at, "));
    near.consume(11);
    let parsed = near.read_with(|core| {
        use millpond::{
            ReadError,
            millpond_core::{Request, Status},
        };
        let found: Result<Status<usize>, ReadError> = core.poll(Request::Exactly(7));
        Ok::<_, ReadError>(found?.map(|n| core.take(n)))
    });
    assert_eq!(parsed.await.unwrap(), "parsed;");
    assert!(!near.at_eof());
    assert_eq!(near.read(1).await.unwrap(), " ");
    assert_eq!(near.read_ref(1).await.unwrap(), b"r");
    near.set_limit(7);
    assert_eq!(near.limit(), 7);
    assert_eq!(near.read_to_eof().await.unwrap(), "est");
    assert!(near.at_eof());
}

pub(crate) async fn a_stream_writes_as_its_writer_does(mut setup: Setup) {
    let (mut near, mut far) = connect(&mut setup).await;
    near.write(b"write ").unwrap();
    near.write_bytes("bytes ".into()).unwrap();
    let pieces = [IoSlice::new(b"vec"), IoSlice::new(b"tored ")];
    near.write_vectored(&pieces).unwrap();
    let writing = async {
        near.write_all(b"all ").await.unwrap();
        near.drain().await.unwrap();
        near.flush().await.unwrap();
        assert_eq!((near.queued(), near.is_paused()), (0, false));
        let cork = near.cork();
        near.write(b"corked").unwrap();
        assert_eq!(near.queued(), 6);
        drop(cork);
        near.set_watermarks(1, 2);
        assert_eq!(near.watermarks(), (1, 2));
        near.flush().await.unwrap();
        assert!(near.can_write_eof());
        near.write_eof().unwrap();
        assert_eq!(near.write(b"?"), Err(WriteError::Finished));
        assert!(!near.is_closing());
        near.close();
        assert!(near.is_closing());
        near.wait_closed().await.unwrap();
    };
    let (received, ()) = join(far.read_to_eof(), writing).await;
    assert_eq!(received.unwrap(), "write bytes vectored all corked");
}

pub(crate) async fn a_stream_can_be_aborted(mut setup: Setup) {
    let (mut near, mut far) = connect(&mut setup).await;
    near.abort();
    assert!(near.is_closing());
    near.wait_closed().await.unwrap();
    near.read(1).await.unwrap_err();
    match setup.place.ending_of_abort() {
        Ending::Eof => assert_eq!(far.read(1).await.unwrap(), ""),
        Ending::Reset => drop(far.read(1).await.unwrap_err()),
    }
}

pub(crate) async fn both_halves_of_a_stream_work_at_once(mut setup: Setup) {
    let (mut near, mut far) = connect(&mut setup).await;
    let sent = data::bytes(1, setup.place.volume() / 8);
    for (this, other) in [(&mut near, &mut far)] {
        let (reader, writer) = this.split();
        let (far_reader, far_writer) = other.split();
        let (there, back) = join(
            join(writer.write_all(&sent), far_reader.read_exactly(sent.len())),
            join(far_writer.write_all(&sent), reader.read_exactly(sent.len())),
        )
        .await;
        for (written, read) in [there, back] {
            written.unwrap();
            data::assert_same(&read.unwrap(), &sent);
        }
    }
    // The halves can be apart for a while, in two tasks.
    let (mut reader, mut writer) = near.into_split();
    let length = sent.len();
    let reading = setup.spawn(async move {
        reader.read_exactly(length).await.unwrap();
        reader
    });
    let back = sent.clone();
    let writing = setup.spawn(async move {
        writer.write_all(&back).await.unwrap();
        writer
    });
    let (far_reader, far_writer) = far.split();
    let (written, read) = join(far_writer.write_all(&sent), far_reader.read_exactly(length)).await;
    written.unwrap();
    data::assert_same(&read.unwrap(), &sent);
    let near = Stream::reunite(reading.await, writing.await).unwrap();
    assert!(!near.is_closing());
}

pub(crate) async fn only_halves_of_one_stream_make_one(mut setup: Setup) {
    let (near, far) = setup.connect().await;
    let error = Stream::reunite(near.0, far.1).unwrap_err();
    assert!(error.to_string().contains("different streams"), "{error}");
    let mut near = Stream::reunite(error.reader, near.1).unwrap();
    let mut far = Stream::reunite(far.0, error.writer).unwrap();
    // Neither has lost anything by that.
    near.write(b"ping\n").unwrap();
    assert_eq!(far.read_line().await.unwrap(), "ping\n");
    far.write(b"pong\n").unwrap();
    assert_eq!(near.read_line().await.unwrap(), "pong\n");
}

pub(crate) async fn dropping_a_stream_delivers_what_is_queued_and_closes_it(mut setup: Setup) {
    let ((near_reader, mut writer), mut far) = setup.connect_with(setup.tight()).await;
    let sent = setup.fill(&mut writer);
    let near = Stream::reunite(near_reader, writer).unwrap();
    let transport = near.transport();
    drop(near);
    assert!(transport.is_closing(), "though it is not sent yet");
    data::assert_same(&far.0.read_to_eof().await.unwrap(), &sent);
    while transport.queued() > 0 {
        setup.sleep(1).await;
    }
}

pub(crate) async fn a_transport_wakes_a_read_that_waits(mut setup: Setup) {
    for abort in [false, true] {
        let ((mut reader, writer), _far) = setup.connect().await;
        let transport = reader.transport();
        let reading = setup.spawn(async move { reader.read_line().await });
        setup.sleep(10).await;
        if abort {
            transport.abort();
            reading.await.unwrap_err();
        } else {
            transport.clone().close();
            assert_eq!(reading.await.unwrap(), "");
        }
        assert!(transport.is_closing() && writer.is_closing());
    }
}

pub(crate) async fn a_transport_wakes_a_drain_that_waits(mut setup: Setup) {
    let (mut writer, _reader) = setup.one_way_with(setup.tight()).await;
    setup.fill(&mut writer);
    let transport = writer.transport();
    let before = writer.queued();
    let seen = transport.queued(); // less and less: it is being sent
    assert!((writer.queued()..=before).contains(&seen));
    let draining = setup.spawn(async move {
        let drained = writer.drain().await;
        (writer, drained)
    });
    setup.sleep(10).await;
    transport.abort();
    let (writer, drained) = draining.await;
    assert_eq!(drained, Err(WriteError::Closed));
    assert_eq!((transport.queued(), writer.queued()), (0, 0));
}

pub(crate) async fn a_transport_does_not_keep_a_connection(mut setup: Setup) {
    let (near, mut far) = connect(&mut setup).await;
    let transport = near.transport();
    assert!(!transport.is_closing());
    drop(near);
    assert_eq!(far.read_to_eof().await.unwrap(), "");
    assert!(transport.is_closing());
    assert_eq!(transport.queued(), 0);
    assert!(transport.with_socket(|_| ()).is_none());
    // They do nothing any more.
    transport.close();
    transport.abort();
    far.write(b"this is not read").unwrap_or_default();
}

/// A read that is cancelled by a timeout has taken nothing, however often that happens.
pub(crate) async fn a_read_that_takes_too_long_can_be_asked_again(mut setup: Setup) {
    for ask in Ask::ALL {
        let (mut writer, mut reader) = setup.one_way().await;
        let runtime = setup.runtime.clone();
        let (first, second) = MESSAGE.split_at(MESSAGE.len() / 2);
        let sending = async {
            setup.sleep(3).await;
            writer.write(first).unwrap();
            setup.sleep(6).await;
            writer.write(second).unwrap();
            writer.write_eof().unwrap();
        };
        // What takes any number of bytes takes the first half.
        let partial = matches!(ask, Ask::Read | Ask::ReadRef);
        let reading = async {
            let mut timeouts = 0;
            loop {
                let asked = ask.of(&mut reader);
                match timeout(&*runtime, Duration::from_millis(2), asked).await {
                    Err(_) => timeouts += 1,
                    Ok(answer) => break (timeouts, answer),
                }
            }
        };
        let ((timeouts, answer), ()) = join(reading, sending).await;
        assert!(timeouts > 0, "{ask:?}");
        if partial {
            assert!(MESSAGE.starts_with(&answer.unwrap()), "{ask:?}");
        } else {
            ask.assert_answer(&answer, MESSAGE, Ending::Eof);
        }
    }
}
