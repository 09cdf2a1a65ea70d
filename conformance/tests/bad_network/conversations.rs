//! What two programs say to each other, and have to understand.

use std::io::ErrorKind;

use futures_util::future::{join, join5};
use millpond::{ReadError, StreamReader, StreamWriter};

use crate::link::{Link, Stream, times};

/// All of them at once.
pub(crate) async fn all(link: &Link) {
    let volume = 32 * 1024 * times();
    let plain = async { bulk(link.connect().await, volume).await };
    let protected = async { bulk(link.connect_tls().await, volume).await };
    let lines = async { lines(link.connect().await, 30 * times()).await };
    let half = async { half_close(link.connect().await).await };
    let reset = async { reset(link.connect().await).await };
    link.within(
        60 * times() as u64,
        join5(plain, protected, lines, half, reset),
    )
    .await;
    link.until_nothing_is_held().await;
}

/// Bytes of which no part is like another one.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// Both directions at once.
async fn bulk((near, far): (Stream, Stream), volume: usize) {
    let (there, back) = (bytes(1, volume), bytes(2, volume));
    let near = join(send(near.1, &there), receive(near.0, &back));
    let far = join(send(far.1, &back), receive(far.0, &there));
    join(near, far).await;
}

pub(crate) async fn send(mut writer: StreamWriter, bytes: &[u8]) {
    for block in bytes.chunks(5000) {
        writer.write_all(block).await.unwrap();
    }
    writer.write_eof().unwrap();
    writer.flush().await.unwrap();
}

pub(crate) async fn receive(mut reader: StreamReader, expected: &[u8]) {
    let received = reader.read_to_eof().await.unwrap();
    assert_same(&received, expected);
}

pub(crate) fn assert_same(received: &[u8], expected: &[u8]) {
    let differs = received.iter().zip(expected).position(|(a, b)| a != b);
    assert_eq!(differs, None, "the first byte that is another one");
    assert_eq!(received.len(), expected.len());
}

/// Questions, each with an answer before the next one.
async fn lines((mut near, mut far): (Stream, Stream), count: usize) {
    let ask = async {
        for number in 0..count {
            near.1.write_all(format!("{number}\n")).await.unwrap();
            let answer = near.0.read_line().await.unwrap();
            assert_eq!(answer, format!("{number}, again {number}\n"));
        }
        near.1.close();
        near.1.wait_closed().await.unwrap();
    };
    let answer = async {
        loop {
            let line = far.0.read_line().await.unwrap();
            let Some(number) = line.strip_suffix(b"\n") else {
                return assert!(line.is_empty());
            };
            let number = std::str::from_utf8(number).unwrap();
            let answer = format!("{number}, again {number}\n");
            far.1.write_all(answer).await.unwrap();
        }
    };
    join(ask, answer).await;
}

/// The answer begins when the question has ended.
async fn half_close((near, far): (Stream, Stream)) {
    let question = bytes(3, 3000);
    let answer: Vec<u8> = question.iter().rev().copied().collect();
    let ask = join(send(near.1, &question), receive(near.0, &answer));
    let answer = async {
        receive(far.0, &question).await;
        send(far.1, &answer).await;
    };
    join(ask, answer).await;
}

/// What has been answered stays so. Where the reset is lost, the system's own question finds out.
async fn reset((mut near, mut far): (Stream, Stream)) {
    let leave = async {
        near.1.write_all("goodbye\n").await.unwrap();
        assert_eq!(near.0.read_line().await.unwrap(), "goodbye!\n");
        near.1.abort();
    };
    let stay = async {
        assert_eq!(far.0.read_line().await.unwrap(), "goodbye\n");
        far.1.write_all("goodbye!\n").await.unwrap();
        let failure = far.0.read_line().await.unwrap_err();
        let ReadError::Transport(failure) = failure else {
            panic!("{failure}")
        };
        let kind = failure.kind();
        let expected = [ErrorKind::ConnectionReset, ErrorKind::TimedOut];
        assert!(expected.contains(&kind), "{failure}");
    };
    join(leave, stay).await;
}
