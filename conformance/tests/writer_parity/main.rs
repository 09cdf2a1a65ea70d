//! A writer beside that of CPython's asyncio, on real sockets: the same steps, with the same peer.
//!
//! What each step answers, and what the peer receives, is the same, but for the differences in the
//! table of `deliberate.rs`, all of which have to occur. The conversations are the table of `scripts.rs`.
//! Skipped where there is no `python3`, unless the environment variable `MILLPOND_REQUIRE`, a list with
//! commas, names it; `MILLPOND_PYTHON` is the path of another one.
#![cfg(unix)]

mod cpython;
mod deliberate;
#[path = "../common/find.rs"]
mod find;
mod ours;
mod peer;
#[path = "../common/runtimes.rs"]
mod runtimes;
mod scripts;
mod step;

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use cpython::Python;
use deliberate::{Applies, Deliberate, Version};
use find::find;
use millpond_conformance::Harness;
use ours::Ours;
use peer::{Address, Meeting, Place};
use runtimes::{OnSmol, OnTokio};
use step::{Differs, Line, Outcome, Script, Step};

/// Of the system, for each direction of each socket. Linux doubles it.
const BUFFER: usize = 64 * 1024;

/// For what always comes.
const LONG: Duration = Duration::from_secs(30);

/// For the system's queues to be as full as they get; acknowledgements may be delayed by 200 ms.
const QUIET: Duration = Duration::from_millis(300);

/// A writer that follows steps.
trait Side {
    fn open(&mut self, address: &Address);

    fn does(&mut self, step: Step) -> Outcome;
}

#[derive(Default)]
struct Figures {
    steps: usize,
    same: usize,
    absent: usize,
    on_purpose: BTreeMap<Deliberate, usize>,
}

#[test]
fn on_tokio_over_tcp() {
    same_as_cpython::<OnTokio>(Place::Tcp);
}

#[test]
fn on_tokio_over_a_unix_socket() {
    same_as_cpython::<OnTokio>(Place::Unix);
}

#[test]
fn on_smol_over_tcp() {
    same_as_cpython::<OnSmol>(Place::Tcp);
}

#[test]
fn on_smol_over_a_unix_socket() {
    same_as_cpython::<OnSmol>(Place::Unix);
}

fn same_as_cpython<H: Harness>(place: Place) {
    let Some(interpreter) = find("python3") else {
        return;
    };
    let mut python = Python::start(&interpreter);
    let version = python.version;
    let mut figures = Figures::default();
    let mut problems = Vec::new();
    for script in scripts::scripts() {
        let theirs = converse(&mut python, place, &script);
        let mut ours = Ours::new::<H>(script.name);
        let answers = converse(&mut ours, place, &script);
        ours.end();
        for (index, line) in script.lines.iter().enumerate() {
            let (ours, theirs) = (answers[index], theirs[index]);
            if let Some(problem) = figures.judge(line, ours, theirs, version, place) {
                let (name, step) = (script.name, line.step);
                problems.push(format!("{name}, {}. {step:?}: {problem}", index + 1));
            }
        }
    }
    figures.print(version, place);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    for difference in Deliberate::all() {
        let applies = difference.applies(version, place) == Applies::Yes;
        let occurs = figures.on_purpose.contains_key(&difference);
        assert!(occurs || !applies, "{difference:?} never occurs");
    }
}

/// What came of each step.
fn converse(side: &mut dyn Side, place: Place, script: &Script) -> Vec<Outcome> {
    let meeting = Meeting::new(place).unwrap();
    side.open(&meeting.address().unwrap());
    let mut peer = meeting.accept().unwrap();
    let mut written = 0;
    let mut outcomes = Vec::new();
    for Line { step, .. } in &script.lines {
        let outcome = if let Step::Peer(step) = step {
            let done = peer.does(*step, written);
            done.unwrap_or_else(|error| panic!("{}, {step:?}: {error}", script.name))
        } else {
            side.does(*step)
        };
        if outcome == Outcome::Done {
            written += step.writes();
        }
        outcomes.push(outcome);
    }
    outcomes
}

impl Figures {
    /// Counts a step, and says what is wrong with it.
    fn judge(
        &mut self,
        line: &Line,
        ours: Outcome,
        theirs: Outcome,
        version: Version,
        place: Place,
    ) -> Option<String> {
        self.steps += 1;
        if theirs == Outcome::Absent {
            self.absent += 1;
            return None;
        }
        let is_it = |difference: &&Differs| match difference.why.applies(version, place) {
            Applies::No => false,
            Applies::Maybe => (difference.ours, difference.theirs) == (ours, theirs),
            Applies::Yes => true,
        };
        let of_this = line.differs.iter().find(is_it);
        match of_this {
            Some(difference) => {
                *self.on_purpose.entry(difference.why).or_default() += 1;
                let expected = (difference.ours, difference.theirs);
                (expected != (ours, theirs)).then(|| {
                    format!("{ours:?}, in CPython {theirs:?}; on purpose it would be {expected:?}")
                })
            }
            None => {
                self.same += 1;
                (ours != theirs).then(|| format!("{ours:?}, in CPython {theirs:?}"))
            }
        }
    }

    fn print(&self, version: Version, place: Place) {
        let (major, minor, micro) = version;
        println!(
            "CPython {major}.{minor}.{micro} over {place:?}: {} steps",
            self.steps
        );
        println!("{:>5} the same", self.same);
        println!("{:>5} that this version does not have", self.absent);
        for (difference, count) in &self.on_purpose {
            println!("{count:>5} on purpose: {}", difference.behaviour());
            println!("{:>5} {}", "", difference.reason());
        }
    }
}

/// What is written, on either side.
fn data() -> &'static [u8] {
    static DATA: LazyLock<Vec<u8>> = LazyLock::new(|| {
        (0..1_usize << 23)
            .map(|i| (7 * (i & 255) + 13 * (i >> 8)).to_le_bytes()[0])
            .collect()
    });
    &DATA
}
