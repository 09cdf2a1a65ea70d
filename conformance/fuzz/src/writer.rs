//! A writer beside its plain model.

use std::mem;

use millpond_core::{Event, Transmit, Writer};

use crate::{
    act::{Act, WATERMARKS, WriterModel, act, assert_same, writer_and_model},
    input::Input,
};

const MOST_ACTS: usize = 200;

/// Nothing is written while more is queued, which would only take time.
const MOST_QUEUED: usize = 40_000;

/// Does to a writer what the bytes say, in any order. After each act it stands as the model does, and
/// what is sent is the beginning of what it has accepted. At last a transport does what the writer asks: it
/// gets the rest, and then the end that was asked for.
///
/// # Panics
///
/// If it does not.
pub fn writer(data: &[u8]) {
    let mut input = Input::new(data);
    let watermarks = input.one_of(&WATERMARKS);
    let cap = input.one_of(&[None, Some(0), Some(60), Some(8_200), Some(30_000)]);
    let (mut writer, mut model) = writer_and_model(watermarks, cap);
    let mut seen_paused = false;
    for _ in 0..MOST_ACTS {
        if input.is_used_up() {
            break;
        }
        let one = any_act(&mut input);
        let writes = matches!(one, Act::Write(_) | Act::WriteBytes(_));
        if writes && writer.queued() > MOST_QUEUED {
            continue;
        }
        act(&mut writer, &mut model, &one);
        assert_same(&mut writer, &mut model);
        if let Act::PollEvent = one {
            follow(&mut writer, &mut seen_paused);
        }
    }
    follow(&mut writer, &mut seen_paused);
    transmit(&mut writer, &mut model, &mut input);
    follow(&mut writer, &mut seen_paused);
}

fn any_act(input: &mut Input<'_>) -> Act {
    match input.below(16) {
        0..=2 => Act::Write(any_len(input)),
        3..=5 => Act::WriteBytes(any_len(input)),
        6 => Act::SentChunk,
        7..=8 => Act::Sent(input.below(1 << 16)),
        9 => Act::Sent(input.below(64)),
        10 => Act::SetWatermarks(any_len(input), any_len(input)),
        11 | 12 => Act::PollEvent,
        13 | 14 => Act::Ended,
        _ => input.one_of(&[Act::Eof, Act::Close, Act::Abort, Act::Fail]),
    }
}

fn any_len(input: &mut Input<'_>) -> usize {
    match input.below(8) {
        0 => 8_190 + input.below(5),
        1 => input.below(30_000),
        _ => input.below(60),
    }
}

/// A transport that follows the last event agrees with one that asks for the level.
fn follow(writer: &mut Writer, seen_paused: &mut bool) {
    match writer.poll_event() {
        Some(Event::PauseWriting) => assert!(!mem::replace(seen_paused, true), "paused twice"),
        Some(Event::ResumeWriting) => assert!(mem::replace(seen_paused, false), "resumed twice"),
        Some(other) => panic!("{other:?} from a writer"),
        None => {}
    }
    assert_eq!(*seen_paused, writer.is_paused());
    assert_eq!(writer.poll_event(), None, "nothing has changed since");
}

/// As a transport does it, some bytes at a time, until there is nothing more to do.
fn transmit(writer: &mut Writer, model: &mut WriterModel, input: &mut Input<'_>) {
    let mut ends = 0;
    while let Some(step) = writer.poll_transmit() {
        let done = match step {
            Transmit::Data(data) => {
                assert_eq!(ends, 0, "an end comes behind the last byte");
                Act::Sent(data.len() - input.below(data.len().min(256)))
            }
            Transmit::Abort | Transmit::Close | Transmit::Shutdown => {
                ends += 1;
                assert_eq!(ends, 1, "one end at a time");
                Act::Ended
            }
        };
        act(writer, model, &done);
        assert_same(writer, model);
    }
    assert_eq!(writer.queued(), 0);
}
