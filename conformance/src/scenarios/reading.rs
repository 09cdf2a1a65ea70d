//! Every read operation, as long as nothing goes wrong.

use std::task::Poll;

use futures_util::StreamExt;
use millpond::Separator;

use crate::{
    data,
    polling::{poll_once, yield_now},
    setup::{Settings, Setup},
};

pub(crate) async fn read_gives_what_is_there_and_never_more_than_asked(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.write(b"hello world").unwrap();
    drop(writer);
    let mut all = Vec::new();
    loop {
        let some = reader.read(4).await.unwrap();
        assert!(some.len() <= 4);
        if some.is_empty() {
            break;
        }
        all.extend_from_slice(&some);
    }
    assert_eq!(all, b"hello world");
}

pub(crate) async fn reads_of_nothing_do_not_wait(mut setup: Setup) {
    let (_writer, mut reader) = setup.one_way().await;
    assert_eq!(reader.read(0).await.unwrap(), "");
    assert_eq!(reader.read_ref(0).await.unwrap(), b"");
    assert_eq!(reader.read_exactly(0).await.unwrap(), "");
    assert_eq!(reader.read_exactly_ref(0).await.unwrap(), b"");
    assert_eq!(reader.peek(0).await.unwrap(), b"");
    assert!(!reader.at_eof());
}

pub(crate) async fn reads_wait_for_what_has_not_come(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    setup.stays_pending(reader.read(1)).await;
    setup.stays_pending(reader.peek(1)).await;
    setup.stays_pending(reader.read_line()).await;
    writer.write(b"abc").unwrap();
    setup.stays_pending(reader.read_exactly(4)).await;
    setup.stays_pending(reader.peek(4)).await;
    setup.stays_pending(reader.read_line()).await;
    setup.stays_pending(reader.read_until("d")).await;
    setup.stays_pending(reader.read_to_eof()).await;
    writer.write(b"d").unwrap();
    assert_eq!(reader.read_exactly(4).await.unwrap(), "abcd");
}

pub(crate) async fn a_waiting_read_is_woken_by_what_comes(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    let read = setup.spawn(async move { reader.read_line().await.unwrap() });
    setup.sleep(10).await;
    writer.write(b"good ").unwrap();
    setup.sleep(10).await;
    writer.write(b"morning\n").unwrap();
    assert_eq!(read.await, "good morning\n");
}

pub(crate) async fn a_read_can_go_on_in_another_task(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    for round in 0..10 {
        // The task that polled last is woken.
        assert!(poll_once(reader.read_line()).is_pending());
        let read = setup.spawn(async move {
            let line = reader.read_line().await.unwrap();
            (line, reader)
        });
        for _ in 0..round {
            yield_now().await;
        }
        writer.write(b"line\n").unwrap();
        let (line, moved) = read.await;
        assert_eq!(line, "line\n");
        reader = moved;
    }
}

pub(crate) async fn read_line_gives_lines_and_then_the_rest(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.write(b"one\ntwo\r\n\n\nrest").unwrap();
    drop(writer);
    for line in ["one\n", "two\r\n", "\n", "\n", "rest", "", ""] {
        assert_eq!(reader.read_line().await.unwrap(), line);
    }
}

pub(crate) async fn read_exactly_joins_pieces_and_splits_them(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    for piece in ["a", "bc", "def", "ghij"] {
        writer.write(piece.as_bytes()).unwrap();
        yield_now().await;
    }
    for part in ["abcd", "e", "fghi", "", "j"] {
        assert_eq!(reader.read_exactly(part.len()).await.unwrap(), part);
    }
}

pub(crate) async fn read_until_finds_one_byte(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.write(b"a;;bc;").unwrap();
    for part in ["a;", ";", "bc;"] {
        assert_eq!(reader.read_until(b';').await.unwrap(), part);
    }
}

pub(crate) async fn read_until_finds_several_bytes_wherever_they_are_cut(mut setup: Setup) {
    let message = &b"x\r\r\n\ny\r\n\r\r\n\r\n"[..];
    for cut in 0..=message.len() {
        let (mut writer, mut reader) = setup.one_way().await;
        writer.write(&message[..cut]).unwrap();
        yield_now().await;
        let early = poll_once(reader.read_until("\r\n\r\n"));
        writer.write(&message[cut..]).unwrap();
        let found = match early {
            Poll::Ready(found) => found,
            Poll::Pending => reader.read_until("\r\n\r\n").await,
        };
        assert_eq!(found.unwrap(), message);
    }
}

pub(crate) async fn read_until_finds_whichever_of_a_set_ends_first(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    let ends = Separator::any(["\r\n", "\n", ";", "END"]);
    writer.write(b"a;b\r\nEN\nxEND;").unwrap();
    for part in ["a;", "b\r\n", "EN\n", "xEND", ";"] {
        assert_eq!(reader.read_until(&ends).await.unwrap(), part);
    }
}

pub(crate) async fn read_to_eof_gives_everything(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    let sent = data::bytes(1, setup.place.volume() / 16);
    let received = setup.spawn(async move {
        let all = reader.read_to_eof().await.unwrap();
        assert_eq!(reader.read_to_eof().await.unwrap(), "");
        all
    });
    for piece in sent.chunks(1000) {
        writer.write_all(piece).await.unwrap();
    }
    drop(writer);
    data::assert_same(&received.await, &sent);
}

pub(crate) async fn peek_takes_nothing(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.write(b"abcdef").unwrap();
    assert_eq!(reader.peek(2).await.unwrap(), b"ab");
    assert_eq!(reader.peek(6).await.unwrap(), b"abcdef");
    assert_eq!(reader.read_exactly(3).await.unwrap(), "abc");
    assert_eq!(reader.peek(3).await.unwrap(), b"def");
    drop(writer);
    assert_eq!(reader.peek(100).await.unwrap(), b"def");
    assert_eq!(reader.read_to_eof().await.unwrap(), "def");
    assert_eq!(reader.peek(100).await.unwrap(), b"");
}

pub(crate) async fn lines_come_until_the_end(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.write(b"one\ntwo\nthree\nrest").unwrap();
    drop(writer);
    let mut lines = reader.lines();
    assert_eq!(lines.next().await.unwrap().unwrap(), "one\n");
    assert_eq!(StreamExt::next(&mut lines).await.unwrap().unwrap(), "two\n");
    let others: Vec<_> = reader.lines().map(Result::unwrap).collect().await;
    assert_eq!(others, ["three\n", "rest"]);
    assert!(reader.lines().next().await.is_none());
}

pub(crate) async fn reads_can_lend_what_they_return(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.write(b"line\nexactuntil\r\nsome").unwrap();
    let crlf = Separator::new("\r\n");
    assert_eq!(reader.read_line_ref().await.unwrap(), b"line\n");
    assert_eq!(reader.read_exactly_ref(5).await.unwrap(), b"exact");
    assert_eq!(reader.read_until_ref(&crlf).await.unwrap(), b"until\r\n");
    drop(writer);
    let mut some = Vec::new();
    while !reader.at_eof() {
        some.extend_from_slice(reader.read_ref(3).await.unwrap());
    }
    assert_eq!(some, b"some");
}

pub(crate) async fn what_has_arrived_can_be_looked_at_and_dropped(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    assert_eq!(reader.buffered(), b"");
    writer.write(b"   word").unwrap();
    reader.peek(7).await.unwrap();
    assert_eq!(reader.buffered(), b"   word");
    reader.consume(3);
    assert_eq!(reader.buffered(), b"word");
    assert_eq!(reader.read_exactly(4).await.unwrap(), "word");
    assert_eq!(reader.buffered(), b"");
}

pub(crate) async fn reads_of_all_kinds_can_be_mixed(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    let task = setup.spawn(async move {
        for _ in 0..20 {
            writer.write(b"POST 5\r\nhost: a\r\n\r\n").unwrap();
            yield_now().await;
            writer.write(b"ab\ncd;next\0").unwrap();
        }
    });
    for _ in 0..20 {
        assert_eq!(reader.peek(4).await.unwrap(), b"POST");
        assert_eq!(reader.read_line().await.unwrap(), "POST 5\r\n");
        let head = reader.read_until("\r\n\r\n").await.unwrap();
        assert_eq!(head, "host: a\r\n\r\n");
        assert_eq!(reader.read_exactly(5).await.unwrap(), "ab\ncd");
        assert_eq!(reader.read_until(b';').await.unwrap(), ";");
        assert_eq!(reader.read_until(0).await.unwrap(), "next\0");
    }
    task.await;
}

pub(crate) async fn every_byte_arrives_as_it_was_sent(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    let all: Vec<u8> = (0..=255).rev().chain(0..=255).collect();
    writer.write(&all).unwrap();
    assert_eq!(reader.read_exactly(all.len()).await.unwrap(), all);
}

pub(crate) async fn a_message_may_be_larger_than_the_limit(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(Settings::limit(16)).await;
    let message = data::bytes(2, setup.place.volume() / 8);
    let sent = message.clone();
    let task = setup.spawn(async move { writer.write_all(&sent).await });
    let received = reader.read_exactly(message.len()).await.unwrap();
    data::assert_same(&received, &message);
    task.await.unwrap();
}
