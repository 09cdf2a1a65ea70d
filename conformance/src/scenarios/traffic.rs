//! Much of everything at once.

use std::pin::pin;

use futures_util::future::{join_all, select};
use millpond::{Separator, StreamReader, StreamWriter};

use crate::{
    data::{self, Random},
    polling::count_polls,
    setup::{Setup, Task},
};

/// How many operations in a row a stream may do without yielding.
const TURNS: usize = 128;

/// Writes in pieces of all sizes.
fn send(setup: &Setup, mut writer: StreamWriter, data: Vec<u8>) -> Task<StreamWriter> {
    setup.spawn(async move {
        let mut random = Random::new(data::seed(data.len()));
        let mut rest = &data[..];
        while !rest.is_empty() {
            let max = if random.up_to(4) == 1 { 200_000 } else { 100 };
            let (piece, others) = rest.split_at(random.up_to(max).min(rest.len()));
            writer.write_all(piece).await.unwrap();
            rest = others;
        }
        writer
    })
}

/// Reads in pieces of all sizes.
fn receive(setup: &Setup, mut reader: StreamReader, len: usize) -> Task<Vec<u8>> {
    setup.spawn(async move {
        let mut random = Random::new(data::seed(len));
        let mut received = Vec::new();
        while received.len() < len {
            let n = random.up_to(100_000).min(len - received.len());
            if random.up_to(2) == 1 {
                received.extend_from_slice(reader.read_exactly_ref(n).await.unwrap());
            } else {
                let some = reader.read(n).await.unwrap();
                assert!(!some.is_empty(), "ended after {} of {len}", received.len());
                received.extend_from_slice(&some);
            }
        }
        received
    })
}

pub(crate) async fn both_directions_carry_much_at_once(mut setup: Setup) {
    let ((near_reader, near_writer), (far_reader, far_writer)) = setup.connect().await;
    let volume = setup.place.volume();
    let (there, back) = (data::bytes(1, volume), data::bytes(2, volume));
    let tasks = (
        send(&setup, near_writer, there.clone()),
        send(&setup, far_writer, back.clone()),
        receive(&setup, far_reader, volume),
        receive(&setup, near_reader, volume),
    );
    data::assert_same(&tasks.2.await, &there);
    data::assert_same(&tasks.3.await, &back);
    tasks.0.await;
    tasks.1.await;
}

pub(crate) async fn small_messages_go_to_and_fro(mut setup: Setup) {
    let ((mut reader, mut writer), (mut far_reader, mut far_writer)) = setup.connect().await;
    let echo = setup.spawn(async move {
        loop {
            let line = far_reader.read_line().await.unwrap();
            if line.is_empty() {
                return;
            }
            far_writer.write(&line).unwrap();
        }
    });
    for round in 0..300 {
        let line = format!("message {round}\n");
        writer.write(line.as_bytes()).unwrap();
        assert_eq!(reader.read_line().await.unwrap(), line);
    }
    drop((reader, writer));
    echo.await;
}

pub(crate) async fn messages_sent_ahead_are_answered_in_order(mut setup: Setup) {
    let ((mut reader, mut writer), (mut far_reader, mut far_writer)) = setup.connect().await;
    let crlf = Separator::new("\r\n");
    let server = setup.spawn(async move {
        for _ in 0..500 {
            let line = far_reader.read_until("\r\n").await.unwrap();
            far_writer.write_all(&line).await.unwrap();
        }
    });
    for number in 0..500 {
        writer
            .write(format!("request {number}\r\n").as_bytes())
            .unwrap();
    }
    for number in 0..500 {
        let reply = reader.read_until_ref(&crlf).await.unwrap();
        assert_eq!(reply, format!("request {number}\r\n").as_bytes());
    }
    server.await;
}

pub(crate) async fn many_streams_work_at_once(mut setup: Setup) {
    let mut tasks = Vec::new();
    for seed in 0..20 {
        let (writer, reader) = setup.one_way().await;
        let sent = data::bytes(seed, setup.place.volume() / 64);
        let writing = send(&setup, writer, sent.clone());
        let received = receive(&setup, reader, sent.len());
        tasks.push(async move {
            data::assert_same(&received.await, &sent);
            writing.await;
        });
    }
    join_all(tasks).await;
}

pub(crate) async fn a_stream_that_never_waits_yields(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    let operations = 20 * TURNS;
    let polls = count_polls(async {
        for _ in 0..operations {
            writer.write_all(b"x").await.unwrap();
        }
    });
    assert!(polls.await > operations / TURNS / 2);
    reader.read_exactly(operations).await.unwrap();
    let polls = count_polls(async {
        for _ in 0..operations {
            writer.write(b"x").unwrap();
            reader.read_exactly(1).await.unwrap();
        }
    });
    assert!(polls.await > operations / TURNS / 2);
}

pub(crate) async fn a_waiting_task_is_not_woken_without_a_reason(mut setup: Setup) {
    let (near, far) = setup.connect_with(setup.tight()).await;
    let ((mut near_reader, mut near_writer), _far) = (near, far);
    setup.fill(&mut near_writer);
    let polls = count_polls(async {
        let sleep = pin!(setup.sleep(20));
        let waiting = pin!(async {
            let read = pin!(near_reader.read(1));
            select(read, pin!(near_writer.drain())).await;
        });
        select(waiting, sleep).await;
    });
    let polls = polls.await;
    assert!(polls < 30, "polled {polls} times");
}
