//! Every event of a world with the bytes that were written, to compare two runs of it.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::trace::event::{End, Event, Stamped};

/// So many bytes are shown in front of the first that differs, and as many behind it.
const SHOWN: usize = 24;

/// Every event of a world, and its bytes.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    events: Vec<(u64, Event)>,
    /// Those of each write, in order.
    written: Vec<Vec<u8>>,
}

impl Transcript {
    pub(super) fn add(&mut self, now: u64, event: Event) {
        self.events.push((now, event));
    }

    pub(super) fn wrote<'a>(&mut self, bufs: impl Iterator<Item = &'a [u8]>) {
        self.written.push(bufs.collect::<Vec<_>>().concat());
    }

    /// How many bytes each end has written.
    pub(crate) fn sent(&self) -> BTreeMap<End, u64> {
        let mut sent = BTreeMap::new();
        for (_, event) in &self.events {
            if let Event::Wrote(at, len, _) = event {
                *sent.entry(*at).or_default() += *len as u64;
            }
        }
        sent
    }

    /// The first event that another run does not have, in words. `None` if they are the same.
    pub(crate) fn difference(&self, other: &Self, hosts: &[String]) -> Option<String> {
        let len = self.events.len().max(other.events.len());
        let differs = |index: &usize| self.events.get(*index) != other.events.get(*index);
        let index = (0..len).find(differs)?;
        let mut text = format!("event {}", index + 1);
        for (run, name) in [(self, "is"), (other, "is then")] {
            let line = match run.events.get(index) {
                Some((now, event)) => Stamped(*now, *event, hosts).to_string(),
                None => "the end".to_owned(),
            };
            let _ = write!(text, "\n  {name}: {}", line.trim_start()); // to a string
        }
        let [one, two] = [self, other].map(|run| run.bytes_of(index));
        if let (Some(one), Some(two)) = (one, two) {
            let same = one.iter().zip(two).take_while(|(one, two)| one == two);
            let same = same.count();
            let shown = |bytes: &[u8]| {
                let end = bytes.len().min(same + SHOWN);
                bytes[same.saturating_sub(SHOWN)..end]
                    .escape_ascii()
                    .to_string()
            };
            let _ = write!(
                text,
                "\n  its bytes differ from byte {} on: \"{}\" and then \"{}\"",
                same + 1,
                shown(one),
                shown(two)
            );
        }
        Some(text)
    }

    /// Those of an event, if it is a write.
    fn bytes_of(&self, index: usize) -> Option<&[u8]> {
        let is_write = |(_, event): &&(u64, Event)| matches!(event, Event::Wrote(..));
        self.events.get(index).filter(is_write)?;
        let before = self.events[..index].iter().filter(is_write).count();
        self.written.get(before).map(Vec::as_slice)
    }
}
