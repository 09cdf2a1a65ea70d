//! A peer cannot make a reader buffer more than its limit.

use millpond::{
    Bytes, ReadError, Separator,
    millpond_core::{Reader, Status},
};

use crate::{
    polling::{poll_once, yield_now},
    setup::{Settings, Setup},
};

/// The most that one read of the driver takes from a socket.
const READ_SIZE: usize = 64 * 1024;

const OVERRUN: ReadError = ReadError::LimitOverrun { consumed: 9 };

pub(crate) async fn the_limit_counts_the_bytes_before_the_separator(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(Settings::limit(8)).await;
    assert_eq!(reader.limit(), 8);
    writer
        .write(b"12345678\n12345678\r\n123456789\r\n")
        .unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "12345678\n");
    assert_eq!(reader.read_until("\r\n").await.unwrap(), "12345678\r\n");
    assert_eq!(reader.read_until("\r\n").await, Err(OVERRUN));
}

pub(crate) async fn a_separator_may_be_longer_than_the_limit(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(Settings::limit(2)).await;
    writer.write(b"ab--boundary--").unwrap();
    let found = reader.read_until("--boundary--").await;
    assert_eq!(found.unwrap(), "ab--boundary--");
}

pub(crate) async fn an_overrun_of_read_until_takes_nothing(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(Settings::limit(8)).await;
    let end = Separator::new("\r\n");
    writer.write(b"123456789\r\nok\r\n").unwrap();
    for _ in 0..2 {
        assert_eq!(reader.read_until(&end).await, Err(OVERRUN));
        assert_eq!(reader.read_until_ref(&end).await, Err(OVERRUN));
    }
    assert_eq!(reader.read_exactly(9).await.unwrap(), "123456789");
    assert_eq!(reader.read_until(&end).await.unwrap(), "\r\n");
    assert_eq!(reader.read_until(&end).await.unwrap(), "ok\r\n");
}

pub(crate) async fn an_overrun_comes_before_the_separator_does(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(Settings::limit(8)).await;
    writer.write(b"12345678").unwrap();
    setup.stays_pending(reader.read_until("\n")).await;
    writer.write(b"9").unwrap();
    assert_eq!(reader.read_until("\n").await, Err(OVERRUN));
}

pub(crate) async fn a_line_that_is_too_long_is_skipped_as_a_whole(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(Settings::limit(8)).await;
    writer.write(b"one\n123456789").unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "one\n");
    assert_eq!(reader.read_line().await, Err(OVERRUN));
    let task = setup.spawn(async move {
        for _ in 0..10 {
            yield_now().await;
            writer.write(b"tail of that line, ").unwrap();
        }
        writer.write(b"\ntwo\n123456789\nthree\n").unwrap();
        writer
    });
    assert_eq!(reader.read_line().await.unwrap(), "two\n");
    assert_eq!(reader.lines().next().await.unwrap(), Err(OVERRUN));
    assert_eq!(reader.read_line_ref().await.unwrap(), b"three\n");
    task.await;
}

pub(crate) async fn skipped_bytes_of_a_line_are_gone_for_every_read(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(Settings::limit(8)).await;
    writer.write(b"123456789").unwrap();
    assert_eq!(reader.read_line().await, Err(OVERRUN));
    writer.write(b"tail\nrest").unwrap();
    drop(writer);
    assert_eq!(reader.read_to_eof().await.unwrap(), "rest");
}

pub(crate) async fn a_flood_without_separator_is_not_buffered(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(Settings::limit(100)).await;
    let unit = setup.place.unit();
    let flood = setup.spawn(async move {
        for _ in 0..16 {
            let sent = writer.write_all(&vec![b'x'; unit]).await;
            sent.unwrap();
        }
    });
    let overrun = Err(ReadError::LimitOverrun { consumed: 101 });
    for _ in 0..4 {
        assert_eq!(reader.read_until("\r\n").await, overrun);
        assert!(reader.buffered().len() <= 102 + READ_SIZE);
        reader.consume(101);
    }
    for _ in 0..10 {
        yield_now().await;
    }
    assert!(reader.buffered().len() <= 102 + READ_SIZE);
    reader.read_to_eof().await.unwrap();
    flood.await;
}

pub(crate) async fn more_than_the_cap_is_refused_before_it_is_waited_for(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(Settings::cap(8)).await;
    let refused = ReadError::CapExceeded { cap: 8 };
    assert_eq!(reader.read_exactly(9).await, Err(refused.clone()));
    assert_eq!(reader.read_exactly_ref(9).await, Err(refused.clone()));
    assert_eq!(reader.peek(9).await, Err(refused));
    assert!(poll_once(reader.read_exactly(8)).is_pending());
    writer.write(b"12345678").unwrap();
    assert_eq!(reader.peek(8).await.unwrap(), b"12345678");
    assert_eq!(reader.read_exactly(8).await.unwrap(), "12345678");
}

pub(crate) async fn read_to_eof_stops_above_the_cap_and_keeps_what_came(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(Settings::cap(8)).await;
    writer.write(b"12345678").unwrap();
    setup.stays_pending(reader.read_to_eof()).await;
    writer.write(b"9").unwrap();
    let refused = reader.read_to_eof().await;
    assert_eq!(refused, Err(ReadError::CapExceeded { cap: 8 }));
    assert_eq!(reader.buffered(), b"123456789");
    drop(writer);
    assert_eq!(reader.read(1).await.unwrap(), "1");
    assert_eq!(reader.read_to_eof().await.unwrap(), "23456789");
}

pub(crate) async fn a_parser_that_never_has_enough_is_stopped_at_the_cap(mut setup: Setup) {
    const CAP: usize = 1000;
    fn never(_: &mut Reader) -> Result<Status<()>, ReadError> {
        Ok(Status::NeedData)
    }

    let (mut writer, mut reader) = setup.one_way_with(Settings::cap(CAP)).await;
    writer.write(vec![b'x'; CAP - 1]).unwrap();
    setup.stays_pending(reader.read_with(never)).await;
    let unit = setup.place.unit();
    let flood = setup.spawn(async move {
        for _ in 0..4 {
            let sent = writer.write_all(&vec![b'x'; unit]).await;
            sent.unwrap();
        }
    });
    for _ in 0..2 {
        let refused = reader.read_with(never).await;
        assert_eq!(refused, Err(ReadError::CapExceeded { cap: CAP }));
        assert!(reader.buffered().len() < CAP + READ_SIZE);
    }
    // Nothing was taken, and the stream goes on.
    let mut rest = CAP - 1 + 4 * unit;
    while rest > 0 {
        rest -= reader.read(rest).await.unwrap().len();
    }
    flood.await;
    let ended = ReadError::Incomplete {
        partial: Bytes::new(),
        expected: None,
    };
    assert_eq!(reader.read_with(never).await, Err(ended));
}

pub(crate) async fn the_limit_can_be_changed(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(Settings::limit(4)).await;
    writer.write(b"head\n12345678\n12345\n").unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "head\n");
    reader.set_limit(8);
    assert_eq!(reader.limit(), 8);
    assert_eq!(reader.read_line().await.unwrap(), "12345678\n");
    reader.set_limit(4);
    let overrun = ReadError::LimitOverrun { consumed: 5 };
    assert_eq!(reader.read_line().await, Err(overrun));
}
