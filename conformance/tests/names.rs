//! The list of asyncio's names, which the guide for its users covers, has those of the interpreter.
//!
//! Skipped where there is no `python3`; see `common`.

#[path = "common/find.rs"]
mod find;

use std::{collections::BTreeMap, process::Command};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/stream_names.py");

/// Each name and the versions that have it.
const NAMES: &str = include_str!("../../adapters/driver/tests/asyncio_names.txt");

#[test]
fn the_list_has_the_names_of_this_interpreter() {
    let Some(interpreter) = find::find("python3") else {
        return;
    };
    let output = Command::new(interpreter).arg(SCRIPT).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    let mut lines = output.lines();
    let this = version(lines.next().unwrap());
    let listed = listed();
    let absent: Vec<_> = lines.filter(|name| !listed.has(name, this)).collect();
    assert!(
        absent.is_empty(),
        "of Python {this:?}, but not listed: {absent:#?}"
    );
}

type Version = (u32, u32);

/// From the first of these versions to the last.
struct Listed(BTreeMap<&'static str, (Version, Version)>);

impl Listed {
    fn has(&self, name: &str, version: Version) -> bool {
        let versions = self.0.get(name);
        versions.is_some_and(|(since, until)| (since..=until).contains(&&version))
    }
}

fn listed() -> Listed {
    let released = NAMES.lines().filter_map(|line| {
        let (name, versions) = line.split_once("  ")?;
        let versions = versions.trim();
        if versions.ends_with("alpha") || versions.ends_with("beta") {
            return None;
        }
        let (since, until) = versions.split_once(" to ").unwrap_or((versions, "3.1000"));
        Some((name, (version(since), version(until))))
    });
    Listed(released.collect())
}

fn version(text: &str) -> Version {
    let (major, minor) = text.split_once('.').expect("a version");
    (major.parse().unwrap(), minor.parse().unwrap())
}
