//! The end of a stream.

use millpond::ReadError;

use crate::{
    ask::{Ask, MESSAGE},
    place::Ending,
    setup::Setup,
};

fn incomplete(partial: &'static str, expected: Option<usize>) -> ReadError {
    ReadError::Incomplete {
        partial: partial.into(),
        expected,
    }
}

pub(crate) async fn an_end_within_a_separator_hands_over_what_was_left(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.write(b"line\r\nlast\r").unwrap();
    drop(writer);
    assert_eq!(reader.read_until("\r\n").await.unwrap(), "line\r\n");
    let ended = reader.read_until("\r\n").await;
    assert_eq!(ended, Err(incomplete("last\r", None)));
    let ended = reader.read_until("\r\n").await;
    assert_eq!(ended, Err(incomplete("", None)));
    assert!(reader.at_eof());
}

pub(crate) async fn an_end_within_exactly_n_bytes_hands_over_what_was_left(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.write(b"abc").unwrap();
    drop(writer);
    let ended = reader.read_exactly(4).await;
    assert_eq!(ended, Err(incomplete("abc", Some(4))));
    let ended = reader.read_exactly(4).await;
    assert_eq!(ended, Err(incomplete("", Some(4))));
}

/// Every kind of read, with the end of the stream at every position of what it reads.
pub(crate) async fn every_read_reports_an_end_at_any_position(mut setup: Setup) {
    for ask in Ask::ALL {
        for len in 0..=MESSAGE.len() {
            let data = &MESSAGE[..len];
            let (mut writer, mut reader) = setup.one_way().await;
            writer.write(data).unwrap();
            drop(writer);
            let answer = ask.of(&mut reader).await;
            ask.assert_answer(&answer, data, Ending::Eof);
            reader.read_to_eof().await.unwrap();
            assert!(reader.at_eof());
        }
    }
}

pub(crate) async fn the_end_comes_behind_the_last_byte(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.write(b"ab").unwrap();
    drop(writer);
    assert!(!reader.at_eof());
    assert_eq!(reader.read_line().await.unwrap(), "ab");
    assert!(reader.at_eof());
}

pub(crate) async fn an_end_stays_an_end(mut setup: Setup) {
    let (writer, mut reader) = setup.one_way().await;
    drop(writer);
    for _ in 0..2 {
        for ask in Ask::ALL {
            let answer = ask.of(&mut reader).await;
            ask.assert_answer(&answer, b"", Ending::Eof);
            assert!(reader.at_eof());
        }
    }
}

pub(crate) async fn a_waiting_read_is_woken_by_the_end(mut setup: Setup) {
    let (writer, mut reader) = setup.one_way().await;
    let read = setup.spawn(async move { reader.read(1).await.unwrap() });
    setup.sleep(10).await;
    drop(writer);
    assert_eq!(read.await, "");
}
