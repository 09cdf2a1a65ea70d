//! A writer waits for a reader that does not keep up.

use std::{pin::pin, time::Duration};

use millpond::StreamReader;

use crate::{
    data,
    polling::{Alarm, poll_once, yield_now},
    setup::{Settings, Setup, Task},
};

/// Takes `len` bytes in small pieces, with pauses.
fn read_slowly(setup: &Setup, mut reader: StreamReader, len: usize) -> Task<Vec<u8>> {
    let runtime = setup.runtime.clone();
    let piece = setup.place.unit() / 4;
    setup.spawn(async move {
        let mut received = Vec::new();
        for rest in 1..=16 {
            while received.len() < len * rest / 16 {
                let some = reader.read(piece).await.unwrap();
                assert!(!some.is_empty(), "ended after {}", received.len());
                received.extend_from_slice(&some);
            }
            runtime.sleep(Duration::from_millis(1)).await;
        }
        received
    })
}

pub(crate) async fn drain_does_not_wait_at_the_high_watermark(mut setup: Setup) {
    let settings = setup.tight();
    let (mut writer, mut reader) = setup.one_way_with(settings).await;
    for _ in 0..100 {
        writer.drain().await.unwrap();
    }
    let mut sent = Vec::new();
    while writer.queued() == 0 {
        let block = data::bytes(data::seed(sent.len()), setup.place.unit());
        writer.write(&block).unwrap();
        sent.extend(block);
        assert!(writer.queued() <= settings.high);
        writer.drain().await.unwrap();
    }
    let received = reader.read_exactly(sent.len()).await.unwrap();
    data::assert_same(&received, &sent);
}

pub(crate) async fn drain_waits_above_the_high_watermark_and_resumes_at_the_low_one(
    mut setup: Setup,
) {
    let settings = setup.tight();
    let (mut writer, reader) = setup.one_way_with(settings).await;
    let sent = setup.fill(&mut writer);
    assert!(writer.is_paused());
    setup.stays_pending(writer.drain()).await;
    let received = read_slowly(&setup, reader, sent.len());
    writer.drain().await.unwrap();
    assert!(!writer.is_paused());
    assert!(writer.queued() <= settings.low);
    data::assert_same(&received.await, &sent);
}

pub(crate) async fn a_paused_writer_is_not_drained_above_the_low_watermark(mut setup: Setup) {
    let settings = setup.tight();
    let (mut writer, mut reader) = setup.one_way_with(settings).await;
    let sent = setup.fill(&mut writer);
    let mut received = 0;
    while received < sent.len() {
        if poll_once(writer.drain()).is_ready() {
            assert!(writer.queued() <= settings.low);
        }
        received += reader.read(setup.place.unit() / 4).await.unwrap().len();
    }
    writer.drain().await.unwrap();
}

pub(crate) async fn a_drain_is_woken_at_the_low_watermark(mut setup: Setup) {
    let settings = setup.tight();
    let (mut writer, mut reader) = setup.one_way_with(settings).await;
    setup.fill(&mut writer);
    let alarm = Alarm::default();
    let transport = writer.transport();
    let mut drained = pin!(writer.drain());
    assert!(alarm.poll(drained.as_mut()).is_pending());
    while transport.queued() > settings.low {
        reader.read(setup.place.unit() / 4).await.unwrap();
        yield_now().await;
    }
    // Nothing more is read, so this may be the last time that anything changes.
    while !alarm.has_rung() {
        setup.sleep(1).await;
    }
    drained.await.unwrap();
}

pub(crate) async fn a_writer_that_drains_queues_one_write_above_the_high_watermark(
    mut setup: Setup,
) {
    let settings = setup.tight();
    let (mut writer, reader) = setup.one_way_with(settings).await;
    let (unit, volume) = (setup.place.unit(), setup.place.volume() / 2);
    let sent = data::bytes(1, volume);
    let received = read_slowly(&setup, reader, volume);
    for block in sent.chunks(unit) {
        writer.write(block).unwrap();
        assert!(writer.queued() <= settings.high + unit);
        writer.drain().await.unwrap();
        assert!(writer.queued() <= settings.high);
    }
    data::assert_same(&received.await, &sent);
}

pub(crate) async fn watermarks_of_nothing_wait_until_everything_is_sent(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(Settings::watermarks(0, 0)).await;
    let sent = data::bytes(2, setup.place.volume() / 8);
    let to_send = sent.clone();
    let task = setup.spawn(async move {
        for block in to_send.chunks(3000) {
            writer.write_all(block).await.unwrap();
            assert_eq!(writer.queued(), 0);
        }
    });
    let received = reader.read_exactly(sent.len()).await.unwrap();
    data::assert_same(&received, &sent);
    task.await;
}

/// Nothing is taken from the transport unasked, so that the peer is held up.
pub(crate) async fn a_reader_that_is_not_asked_reads_nothing(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(setup.tight()).await;
    let mut sent = setup.fill(&mut writer);
    setup.stays_pending(writer.drain()).await;
    assert_eq!(reader.buffered(), b"");
    sent.truncate(1);
    assert_eq!(reader.read_exactly(1).await.unwrap(), sent);
    setup.stays_pending(writer.flush()).await;
}

pub(crate) async fn both_watermarks_hold_for_each_direction_alone(mut setup: Setup) {
    let settings = setup.tight();
    let (near, far) = setup.connect_with(settings).await;
    let ((mut near_reader, mut near_writer), (mut far_reader, mut far_writer)) = (near, far);
    let sent = setup.fill(&mut near_writer);
    setup.stays_pending(near_writer.drain()).await;
    far_writer.write(b"not held up\n").unwrap();
    far_writer.drain().await.unwrap();
    assert_eq!(near_reader.read_line().await.unwrap(), "not held up\n");
    let received = far_reader.read_exactly(sent.len()).await.unwrap();
    data::assert_same(&received, &sent);
    near_writer.drain().await.unwrap();
}

pub(crate) async fn watermarks_can_be_changed_while_writing_is_paused(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(setup.tight()).await;
    let sent = setup.fill(&mut writer);
    let alarm = Alarm::default();
    let transport = writer.transport();
    let mut drained = Box::pin(writer.drain());
    assert!(alarm.poll(drained.as_mut()).is_pending());
    // More than half of it is queued.
    let half = sent.len() / 2;
    transport.set_watermarks(half, half);
    assert!(!alarm.has_rung() && transport.is_paused());
    transport.set_watermarks(sent.len(), sent.len());
    assert!(alarm.has_rung() && !transport.is_paused());
    drained.await.unwrap();
    assert_eq!(writer.watermarks(), (sent.len(), sent.len()));

    writer.set_watermarks(0, 0);
    assert!(writer.is_paused());
    setup.stays_pending(writer.drain()).await;
    let len = sent.len();
    let received = setup.spawn(async move { reader.read_exactly(len).await.unwrap() });
    writer.drain().await.unwrap();
    assert_eq!(writer.queued(), 0);
    data::assert_same(&received.await, &sent);
}
