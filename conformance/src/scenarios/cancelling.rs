//! Futures that are dropped before they are done, at each of their awaits.

use millpond::{ReadError, StreamReader, StreamWriter};

use crate::{
    ask::{Ask, MESSAGE},
    data,
    place::Ending,
    polling::{interrupted, yield_now},
    setup::Setup,
};

/// Sends the message byte by byte, and then the end: one more step in each call.
struct Dribble {
    writer: StreamWriter,
    sent: usize,
}

impl Dribble {
    fn step(&mut self) {
        match MESSAGE.get(self.sent) {
            Some(byte) => self.writer.write([*byte]).unwrap(),
            None if self.writer.can_write_eof() => self.writer.write_eof().unwrap(),
            None => self.writer.close(),
        }
        self.sent += 1;
    }
}

/// Asks; the next byte is sent whenever the read has to wait. `None` if it was dropped because it
/// had to wait `times` times.
async fn ask_interrupted(
    times: usize,
    ask: Ask,
    dribble: &mut Dribble,
    reader: &mut StreamReader,
) -> Option<Result<Vec<u8>, ReadError>> {
    interrupted(times, || dribble.step(), ask.of(reader)).await
}

/// Asks until it is answered.
async fn ask_patiently(
    ask: Ask,
    dribble: &mut Dribble,
    reader: &mut StreamReader,
) -> Result<Vec<u8>, ReadError> {
    let answer = ask_interrupted(usize::MAX, ask, dribble, reader).await;
    answer.expect("it is not interrupted")
}

/// `first` is asked and dropped at the `times`th poll that finds it waiting, then `second` is asked
/// until it is answered, then the rest is read. Returns whether `first` was dropped.
async fn drop_one_and_ask_another(
    setup: &mut Setup,
    times: usize,
    first: Ask,
    second: Ask,
) -> bool {
    let (writer, mut reader) = setup.one_way().await;
    let mut dribble = Dribble { writer, sent: 0 };
    let early = ask_interrupted(times, first, &mut dribble, &mut reader).await;
    let dropped = early.is_none();
    let (ask, answer) = match early {
        Some(answer) => (first, answer),
        None => {
            let answer = ask_patiently(second, &mut dribble, &mut reader).await;
            (second, answer)
        }
    };
    ask.assert_answer(&answer, MESSAGE, Ending::Eof);
    let mut all = answer.unwrap();
    if ask == Ask::Peek {
        all.clear();
    }
    let rest = ask_patiently(Ask::ToEof, &mut dribble, &mut reader).await;
    all.extend(rest.unwrap());
    assert_eq!(
        all, MESSAGE,
        "{first:?} dropped at poll {times}, then {second:?}"
    );
    dropped
}

pub(crate) async fn a_read_dropped_at_any_await_can_be_asked_again(mut setup: Setup) {
    for ask in Ask::ALL {
        let mut times = 1;
        while drop_one_and_ask_another(&mut setup, times, ask, ask).await {
            times += 1;
        }
        assert!(times > 1, "{ask:?} never had to wait");
    }
}

pub(crate) async fn a_read_dropped_at_any_await_leaves_all_to_another_one(mut setup: Setup) {
    for (i, first) in Ask::ALL.into_iter().enumerate() {
        let mut times = 1;
        loop {
            let second = Ask::ALL[(i + times) % Ask::ALL.len()];
            if !drop_one_and_ask_another(&mut setup, times, first, second).await {
                break;
            }
            times += 1;
        }
    }
}

pub(crate) async fn a_read_dropped_after_every_poll_ends_nevertheless(mut setup: Setup) {
    for ask in Ask::ALL {
        let (writer, mut reader) = setup.one_way().await;
        let mut dribble = Dribble { writer, sent: 0 };
        let answer = loop {
            match ask_interrupted(1, ask, &mut dribble, &mut reader).await {
                Some(answer) => break answer,
                None => yield_now().await,
            }
        };
        ask.assert_answer(&answer, MESSAGE, Ending::Eof);
    }
}

pub(crate) async fn a_large_read_dropped_again_and_again_loses_nothing(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way().await;
    let sent = data::bytes(1, setup.place.volume() / 8);
    let to_send = sent.clone();
    let task = setup.spawn(async move { writer.write_all(&to_send).await });
    let received = loop {
        match interrupted(1, || {}, reader.read_exactly(sent.len())).await {
            Some(all) => break all.unwrap(),
            None => yield_now().await,
        }
    };
    data::assert_same(&received, &sent);
    task.await.unwrap();
}

pub(crate) async fn drain_and_flush_can_be_dropped_after_every_poll(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(setup.tight()).await;
    let mut sent = setup.fill(&mut writer);
    let received = setup.spawn(async move { reader.read_to_eof().await.unwrap() });
    while interrupted(1, || {}, writer.drain()).await.is_none() {
        yield_now().await;
    }
    let more = data::bytes(1, 8 * setup.place.unit());
    writer.write(&more).unwrap();
    sent.extend(more);
    while interrupted(1, || {}, writer.flush()).await.is_none() {
        yield_now().await;
    }
    assert_eq!(writer.queued(), 0);
    drop(writer);
    data::assert_same(&received.await, &sent);
}

/// What it was given is delivered, once.
pub(crate) async fn a_write_all_that_is_dropped_has_written_all(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(setup.tight()).await;
    let mut sent = setup.fill(&mut writer);
    for round in 0..5 {
        let block = data::bytes(round, 1000);
        let dropped = interrupted(1, || {}, writer.write_all(&block)).await;
        assert!(dropped.is_none());
        sent.extend(block);
    }
    drop(writer);
    data::assert_same(&reader.read_to_eof().await.unwrap(), &sent);
}
