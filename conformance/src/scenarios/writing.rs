//! Every write operation, as long as nothing goes wrong.

use std::{io::IoSlice, thread};

use futures_util::future::join;
use millpond::{Address, Bytes, StreamReader, StreamWriter, WriteError};

use crate::{
    data,
    place::Place,
    setup::{Settings, Setup, Task},
};

pub(crate) mod system;

fn read_all(setup: &Setup, mut reader: StreamReader) -> Task<Bytes> {
    setup.spawn(async move { reader.read_to_eof().await.unwrap() })
}

pub(crate) async fn what_is_written_arrives_in_order(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.write(b"one ").unwrap();
    writer.write_bytes(Bytes::from_static(b"two ")).unwrap();
    writer
        .write_vectored(&[IoSlice::new(b"three "), IoSlice::new(b"four ")])
        .unwrap();
    writer.write_all(b"five\n").await.unwrap();
    let line = reader.read_line().await.unwrap();
    assert_eq!(line, "one two three four five\n");
}

pub(crate) async fn writes_of_nothing_send_nothing(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.write(b"").unwrap();
    writer.write_bytes(Bytes::new()).unwrap();
    writer.write_vectored(&[]).unwrap();
    writer.write_vectored(&[IoSlice::new(b"")]).unwrap();
    writer.write_all(b"").await.unwrap();
    assert_eq!(writer.queued(), 0);
    setup.stays_pending(reader.read(1)).await;
    writer.write(b"x").unwrap();
    assert_eq!(reader.read(10).await.unwrap(), "x");
}

/// More pieces and more bytes than the system takes in one call, with empty ones between.
pub(crate) async fn many_pieces_can_be_written_at_once(mut setup: Setup) {
    let (mut writer, reader) = setup.one_way().await;
    let sent = data::bytes(3, setup.place.volume());
    let mut pieces = vec![IoSlice::new(b"")];
    for piece in sent.chunks(sent.len() / 3000 + 1) {
        pieces.push(IoSlice::new(piece));
        pieces.push(IoSlice::new(b""));
    }
    writer.write_vectored(&pieces).unwrap();
    drop(writer);
    data::assert_same(&read_all(&setup, reader).await, &sent);
}

/// The background task alone can deliver them.
pub(crate) async fn writes_are_delivered_without_being_awaited(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    let sent = data::bytes(4, setup.place.volume());
    for piece in sent.chunks(sent.len() / 100 + 1) {
        writer.write(piece).unwrap();
    }
    let received = reader.read_exactly(sent.len()).await.unwrap();
    data::assert_same(&received, &sent);
    drop(writer);
}

pub(crate) async fn large_pieces_and_small_ones_keep_their_order(mut setup: Setup) {
    let (mut writer, reader) = setup.one_way().await;
    let received = read_all(&setup, reader);
    let mut sent = Vec::new();
    for round in 0..20 {
        for len in [1, 10_000, 0, 8_192, 8_191, 3] {
            let len = len.min(setup.place.unit());
            let piece = data::bytes(round, len);
            writer.write(&piece).unwrap();
            writer.write_bytes(piece.clone().into()).unwrap();
            let (head, tail) = piece.split_at(len / 2);
            let halves = [IoSlice::new(tail), IoSlice::new(head)];
            writer.write_vectored(&halves).unwrap();
            for part in [&piece[..], &piece, tail, head] {
                sent.extend_from_slice(part);
            }
        }
        writer.drain().await.unwrap();
    }
    drop(writer);
    data::assert_same(&received.await, &sent);
}

/// As a program does that has more threads than those of its runtime.
pub(crate) async fn any_thread_can_write(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    let sent = data::bytes(5, setup.place.volume() / 2);
    let to_send = sent.clone();
    let thread = thread::spawn(move || {
        writer.write(&to_send).unwrap();
        writer
    });
    let received = reader.read_exactly(sent.len()).await.unwrap();
    data::assert_same(&received, &sent);
    thread.join().unwrap();
}

pub(crate) async fn dropping_the_writer_delivers_everything_and_then_the_end(mut setup: Setup) {
    let ((mut near_reader, mut writer), (reader, mut far_writer)) = setup.connect().await;
    let sent = data::bytes(6, setup.place.volume() / 2);
    writer.write(&sent).unwrap();
    drop(writer);
    data::assert_same(&read_all(&setup, reader).await, &sent);
    far_writer.write(b"got it").unwrap();
    assert_eq!(near_reader.read_exactly(6).await.unwrap(), "got it");
}

pub(crate) async fn dropping_both_halves_delivers_everything_and_then_the_end(mut setup: Setup) {
    let (near, (reader, _far_writer)) = setup.connect().await;
    let sent = data::bytes(7, setup.place.volume() / 2);
    let (near_reader, mut writer) = near;
    writer.write(&sent).unwrap();
    drop((near_reader, writer));
    data::assert_same(&read_all(&setup, reader).await, &sent);
}

pub(crate) async fn dropping_the_reader_does_not_matter_to_the_writer(mut setup: Setup) {
    let ((near_reader, mut writer), (mut reader, mut far_writer)) = setup.connect().await;
    drop(near_reader);
    far_writer.write(b"into the void").unwrap();
    let sent = data::bytes(8, setup.place.volume() / 8);
    writer.write(&sent).unwrap();
    let received = reader.read_exactly(sent.len()).await.unwrap();
    data::assert_same(&received, &sent);
}

pub(crate) async fn flush_waits_until_nothing_is_queued(mut setup: Setup) {
    let (mut writer, reader) = setup.one_way_with(setup.tight()).await;
    writer.flush().await.unwrap();
    let mut sent = setup.fill(&mut writer);
    setup.stays_pending(writer.flush()).await;
    let received = read_all(&setup, reader);
    writer.flush().await.unwrap();
    assert_eq!(writer.queued(), 0);
    writer.write(b"more").unwrap();
    sent.extend_from_slice(b"more");
    writer.flush().await.unwrap();
    drop(writer);
    data::assert_same(&received.await, &sent);
}

pub(crate) async fn writing_after_write_eof_is_an_error(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    assert!(writer.can_write_eof());
    writer.write(b"!").unwrap();
    writer.write_eof().unwrap();
    assert_eq!(writer.write(b"?"), Err(WriteError::Finished));
    assert_eq!(writer.write_bytes("?".into()), Err(WriteError::Finished));
    let piece = [IoSlice::new(b"?")];
    assert_eq!(writer.write_vectored(&piece), Err(WriteError::Finished));
    assert_eq!(writer.write_all(b"?").await, Err(WriteError::Finished));
    writer.write_eof().unwrap();
    assert!(!writer.is_closing());
    writer.drain().await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(reader.read_to_eof().await.unwrap(), "!");
}

pub(crate) async fn a_cork_holds_small_writes_back_until_it_goes(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    let cork = writer.cork();
    let inner = writer.cork();
    writer.write(b"one ").unwrap();
    writer.write_bytes(Bytes::from_static(b"two ")).unwrap();
    writer.write_all(b"three\n").await.unwrap();
    drop(cork);
    setup.stays_pending(reader.read(1)).await;
    assert_eq!(writer.queued(), 14);
    drop(inner);
    assert_eq!(reader.read_line().await.unwrap(), "one two three\n");
}

pub(crate) async fn a_cork_releases_what_a_task_waits_for(mut setup: Setup) {
    let ((mut near_reader, mut writer), (mut reader, mut far_writer)) = setup.connect().await;
    let _cork = writer.cork();
    writer.write(b"flushed\n").unwrap();
    let (flushed, line) = join(writer.flush(), reader.read_line()).await;
    assert_eq!((flushed, line.unwrap()), (Ok(()), "flushed\n".into()));
    let echo = setup.spawn(async move {
        let line = reader.read_line().await.unwrap();
        far_writer.write(&line).unwrap();
        far_writer
    });
    writer.write(b"answer me\n").unwrap();
    assert_eq!(near_reader.read_line().await.unwrap(), "answer me\n");
    echo.await;
}

pub(crate) async fn what_is_written_under_corks_keeps_its_order(mut setup: Setup) {
    let (mut writer, reader) = setup.one_way_with(setup.tight()).await;
    let received = read_all(&setup, reader);
    let mut sent = Vec::new();
    for round in 0..20 {
        let cork = writer.cork();
        for len in [1, 10_000, 0, 8_192, 3, 8_191] {
            let piece = data::bytes(round, len.min(setup.place.unit()));
            writer.write(&piece).unwrap();
            writer.write_bytes(piece.clone().into()).unwrap();
            sent.extend(piece.repeat(2));
        }
        drop(cork);
        writer.drain().await.unwrap();
    }
    drop(writer);
    data::assert_same(&received.await, &sent);
}

pub(crate) async fn more_than_the_write_cap_is_refused_as_a_whole(mut setup: Setup) {
    let unit = setup.place.unit();
    let cap = 4 * unit;
    let (mut writer, reader) = setup.one_way_with(Settings::write_cap(cap)).await;
    let too_much = vec![0; cap + 1];
    let refused = Err(WriteError::CapExceeded { cap });
    assert_eq!(writer.write(&too_much), refused);
    assert_eq!(writer.write_bytes(too_much.clone().into()), refused);
    let pieces = [IoSlice::new(&too_much[1..]), IoSlice::new(b"!")];
    assert_eq!(writer.write_vectored(&pieces), refused);
    assert_eq!(writer.write_all(&too_much).await, refused);
    let mut sent = Vec::new();
    loop {
        let block = data::bytes(data::seed(sent.len()), unit);
        let written = writer.write(&block);
        assert!(writer.queued() <= cap);
        if written.is_err() {
            assert_eq!(written, refused);
            break;
        }
        sent.extend(block);
    }
    writer.write(b"").unwrap();
    let received = read_all(&setup, reader);
    writer.flush().await.unwrap();
    writer.write(b"there is room again").unwrap();
    sent.extend_from_slice(b"there is room again");
    drop(writer);
    data::assert_same(&received.await, &sent);
}

pub(crate) async fn each_side_knows_both_addresses(mut setup: Setup) {
    let ((_near_reader, near), (_far_reader, far)) = setup.connect().await;
    let (near, far) = (near.extra_info(), far.extra_info());
    assert_eq!(near.peer_addr, far.local_addr);
    assert_eq!(near.local_addr, far.peer_addr);
    match setup.place {
        Place::StartTls | Place::Tcp | Place::Tls | Place::Tls12 => {
            let server = near.peer_addr.as_ref().and_then(Address::tcp).unwrap();
            let client = near.local_addr.as_ref().and_then(Address::tcp).unwrap();
            assert!(server.ip().is_loopback() && client.ip().is_loopback());
            assert_ne!(server.port(), client.port());
        }
        #[cfg(unix)]
        Place::Unix => {
            assert!(matches!(near.peer_addr, Some(Address::Unix(Some(_)))));
            assert_eq!(near.local_addr, Some(Address::Unix(None)));
        }
        Place::FuturesIo | Place::Memory | Place::Narrow | Place::TlsMemory => {
            assert_eq!(near.peer_addr, None);
        }
        Place::Drip | Place::Hesitant | Place::Sock => assert!(near.peer_addr.is_some()),
    }
}
