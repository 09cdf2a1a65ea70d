//! Streams by the traits of futures-io, and copying between streams.

use futures_util::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use millpond::{Stream as Joined, copy, copy_bidirectional, error::CopyErrorCause};

use crate::{
    data,
    place::Ending,
    polling::poll_once,
    setup::{Setup, Stream},
};

pub(crate) async fn what_is_written_by_the_trait_is_read_by_the_trait(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    let sent = data::bytes(1, setup.place.volume());
    let to_send = sent.clone();
    let writing = setup.spawn(async move {
        AsyncWriteExt::write_all(&mut writer, &to_send)
            .await
            .unwrap();
        AsyncWriteExt::close(&mut writer).await.unwrap();
    });
    let mut received = Vec::new();
    let mut buf = [0; 4096]; // `read_to_end` of the trait fills all of its space anew after each wait
    loop {
        match AsyncReadExt::read(&mut reader, &mut buf).await.unwrap() {
            0 => break,
            n => received.extend_from_slice(&buf[..n]),
        }
    }
    data::assert_same(&received, &sent);
    writing.await;
}

pub(crate) async fn calls_of_the_trait_and_our_own_mix(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    writer.write("one\n").unwrap();
    AsyncWriteExt::write_all(&mut writer, b"two\nthree")
        .await
        .unwrap();
    writer.write(" and four\n").unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "one\n");
    let mut line = String::new();
    AsyncBufReadExt::read_line(&mut reader, &mut line)
        .await
        .unwrap();
    assert_eq!(line, "two\n");
    let mut three = [0; 5];
    AsyncReadExt::read_exact(&mut reader, &mut three)
        .await
        .unwrap();
    assert_eq!(&three, b"three");
    assert_eq!(reader.read_until("\n").await.unwrap(), " and four\n");
}

pub(crate) async fn a_write_by_the_trait_waits_for_a_reader_that_does_not_read(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(setup.tight()).await;
    let sent = setup.fill(&mut writer);
    let mut writing = Box::pin(AsyncWriteExt::write(&mut writer, b"more"));
    assert!(poll_once(&mut writing).is_pending());
    let filled = reader.read_exactly(sent.len()).await.unwrap();
    data::assert_same(&filled, &sent);
    let n = writing.await.unwrap();
    assert_eq!(reader.read_exactly(n).await.unwrap(), b"more"[..n]);
    assert!(n > 0);
}

pub(crate) async fn a_wait_for_something_to_read_takes_nothing(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    setup.stays_pending(reader.readable()).await;
    writer.write("x").unwrap();
    assert!(reader.readable().await.unwrap());
    assert_eq!(reader.read(10).await.unwrap(), "x");
    drop(writer);
    assert!(!reader.readable().await.unwrap());
}

fn joined((reader, writer): Stream) -> Joined {
    Joined::reunite(reader, writer).unwrap()
}

pub(crate) async fn a_proxy_passes_on_both_directions_and_both_ends(mut setup: Setup) {
    let (client, left) = setup.connect().await;
    let (right, server) = setup.connect().await;
    let (mut left, mut right) = (joined(left), joined(right));
    let volume = setup.place.volume() / 8;
    let (question, answer) = (data::bytes(1, volume), data::bytes(2, volume));
    let proxy = setup.spawn(async move { copy_bidirectional(&mut left, &mut right).await });
    let (to_send, expected) = (answer.clone(), question.clone());
    let served = setup.spawn(async move {
        let (mut reader, mut writer) = server;
        let received = reader.read_exactly(expected.len()).await.unwrap();
        data::assert_same(&received, &expected);
        AsyncWriteExt::write_all(&mut writer, &to_send)
            .await
            .unwrap();
        AsyncWriteExt::close(&mut writer).await.unwrap();
        assert!(reader.read(1).await.unwrap().is_empty());
    });
    let (mut reader, mut writer) = client;
    AsyncWriteExt::write_all(&mut writer, &question)
        .await
        .unwrap();
    let received = reader.read_exactly(answer.len()).await.unwrap();
    data::assert_same(&received, &answer);
    AsyncWriteExt::close(&mut writer).await.unwrap();
    assert!(reader.read(1).await.unwrap().is_empty());
    served.await;
    let volume = volume as u64;
    assert_eq!(proxy.await.unwrap(), (volume, volume));
}

pub(crate) async fn a_proxy_never_passes_on_a_failure_as_an_end(mut setup: Setup) {
    let (client, left) = setup.connect().await;
    let (right, server) = setup.connect().await;
    let (mut left, mut right) = (joined(left), joined(right));
    let ending = setup.place.ending_of_abort();
    let proxy = setup.spawn(async move { copy_bidirectional(&mut left, &mut right).await });
    let (server_reader, mut server) = server;
    server.write("half an ans").unwrap();
    let (mut reader, writer) = client;
    assert_eq!(reader.read_exactly(11).await.unwrap(), "half an ans");
    server.abort();
    drop((server, server_reader));
    if ending == Ending::Eof {
        drop(writer); // where there is no reset, an abort is an end, and the other direction goes on
        assert_eq!(proxy.await.unwrap(), (0, 11));
        return;
    }
    let error = proxy.await.unwrap_err();
    assert_eq!(error.copied, 11);
    assert!(reader.read(1).await.is_err());
}

pub(crate) async fn a_reset_ends_a_proxy_whose_other_side_takes_nothing(mut setup: Setup) {
    let (client, left) = setup.connect().await;
    let (right, server) = setup.connect_with(setup.tight()).await;
    let (right_reader, mut right_writer) = right;
    if setup.place.ending_of_abort() == Ending::Eof {
        return; // no reset
    }
    setup.fill(&mut right_writer);
    let (mut left, mut right) = (joined(left), joined((right_reader, right_writer)));
    let proxy = setup.spawn(async move { copy_bidirectional(&mut left, &mut right).await });
    let (reader, mut writer) = client;
    writer.write("half a questi").unwrap();
    setup.sleep(5).await;
    writer.abort();
    let error = proxy.await.unwrap_err();
    assert!(matches!(error.cause, CopyErrorCause::Read(_)), "{error}");
    drop((reader, server));
}

pub(crate) async fn a_copy_that_is_given_up_can_be_begun_again(mut setup: Setup) {
    let (mut client, mut from) = setup.one_way().await;
    let (mut to, mut server) = setup.one_way().await;
    let sent = data::bytes(3, 10_000);
    let len = sent.len();
    let receiving = setup.spawn(async move { server.read_exactly(len).await.unwrap() });
    for piece in sent.chunks(1_000) {
        client.write(piece).unwrap();
        setup.sleep(1).await;
        assert!(poll_once(Box::pin(copy(&mut from, &mut to))).is_pending());
    }
    client.close();
    let copying = copy(&mut from, &mut to).await;
    assert!(copying.unwrap() <= len as u64);
    data::assert_same(&receiving.await, &sent);
}
