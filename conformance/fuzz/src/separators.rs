//! Sets of separators beside a search that tries everything.

use millpond_core::{Reader, Separator};

use crate::{
    input::Input,
    support::{Answer, Ask, Model, poll},
};

/// Long enough for a needle that is searched for in bulk.
const LONGEST_NEEDLE: usize = 80;

const MOST_STEPS: usize = 200;

/// Makes one or two sets of separators, feeds a text in pieces, and asks for them as it arrives. The
/// match is that which ends first; of two that end together, the shorter one.
///
/// # Panics
///
/// If it does not.
pub fn separators(data: &[u8]) {
    let mut input = Input::new(data);
    let alphabet = input.one_of(&[&b"ab"[..], b"a", b"abc", b"\r\nab", b""]);
    let limit = input.one_of(&[usize::MAX, 1, 2, 5, 33, 100]);
    let sets = [any_set(&mut input, alphabet), any_set(&mut input, alphabet)];
    let asks = sets.each_ref().map(|needles| {
        check_set(needles);
        Ask::until(needles)
    });
    let mut reader = Reader::with_limit(limit);
    let mut model = Model::new(limit, usize::MAX);
    for _ in 0..MOST_STEPS {
        if input.is_used_up() {
            break;
        }
        let choice = input.byte();
        match choice % 8 {
            0..=2 => feed(&mut reader, &mut model, &input.bytes(6, alphabet)),
            3 => feed(&mut reader, &mut model, &input.bytes(200, alphabet)),
            4 => {
                // All of a needle, or nearly.
                let needles = &sets[usize::from(choice >> 7)];
                let needle = &needles[input.below(needles.len())];
                let from = input.below(3).min(needle.len());
                let to = needle.len() - input.below(3).min(needle.len() - from);
                feed(&mut reader, &mut model, &needle[from..to]);
            }
            5 => {
                let n = input.below(reader.buffered().len().min(255) + 1);
                remove(&mut reader, &mut model, n);
            }
            _ => {
                let ask = &asks[usize::from(choice >> 7)];
                let answer = poll(&mut reader, ask.request());
                assert_eq!(answer, model.ask(ask), "{ask:?} in {:?}", reader.buffered());
                match answer {
                    Some(Answer::Found(found)) if choice & 64 == 0 => {
                        remove(&mut reader, &mut model, found);
                    }
                    // The way on that the error promises: no separator is cut in two.
                    Some(Answer::Overrun { consumed }) if choice & 64 == 0 => {
                        remove(&mut reader, &mut model, consumed);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// From one needle to many, short ones and long ones, of which some contain or repeat others.
fn any_set(input: &mut Input<'_>, alphabet: &[u8]) -> Vec<Vec<u8>> {
    let count = 1 + input.below(6);
    let mut needles: Vec<Vec<u8>> = Vec::new();
    for _ in 0..count {
        let mut needle = match input.below(8) {
            0 => input.bytes(LONGEST_NEEDLE, alphabet),
            1 => input.bytes(2, alphabet).repeat(1 + input.below(30)),
            2 => needles.last().cloned().unwrap_or_default(),
            _ => input.bytes(5, alphabet),
        };
        if let (true, Some(last)) = (input.below(8) == 1, needles.last()) {
            needle.extend_from_slice(last);
        }
        if needle.is_empty() {
            needle.push(*alphabet.first().unwrap_or(&b'x'));
        }
        needles.push(needle);
    }
    needles
}

/// A separator is the set of its needles, however they were given.
fn check_set(needles: &[Vec<u8>]) {
    let separator = Separator::any(needles);
    assert_eq!(separator, Separator::any(needles.iter().rev()));
    let mut sorted: Vec<&[u8]> = needles.iter().map(Vec::as_slice).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut kept: Vec<&[u8]> = separator.needles().collect();
    kept.sort_unstable();
    assert_eq!(kept, sorted);
    assert_eq!(Separator::any(&kept), separator);
    if let [only] = &sorted[..] {
        assert_eq!(Separator::new(only), separator);
    }
    let with_nothing = needles.iter().map(Vec::as_slice).chain([&b""[..]]);
    assert!(Separator::try_any(with_nothing).is_err());
}

fn feed(reader: &mut Reader, model: &mut Model, data: &[u8]) {
    reader.feed(data);
    model.feed(data);
}

fn remove(reader: &mut Reader, model: &mut Model, n: usize) {
    reader.consume(n);
    model.data.drain(..n);
    assert_eq!(reader.buffered(), model.data);
}
