//! Random conversations, and the ported cases, on the CPython that is installed.
//!
//! They are skipped where there is no `python3`, unless the environment variable `MILLPOND_REQUIRE`,
//! a list with commas, names it. `MILLPOND_PYTHON` is the path of another interpreter.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    io::BufReader,
    process::Command,
};

use millpond_conformance::trace::{
    Conversations, Deliberate, Python, Trace, Verdict, compare, pauses_differ,
};

const COUNT: usize = 5_000;

/// `None` if there is none, and none is required.
fn python() -> Option<Python> {
    let chosen = env::var("MILLPOND_PYTHON");
    let required = env::var("MILLPOND_REQUIRE")
        .is_ok_and(|list| list.split(',').any(|name| name.trim() == "python3"));
    let must_be_there = chosen.is_ok() || required;
    let interpreter = chosen.unwrap_or_else(|_| "python3".to_owned());
    let version = Command::new(&interpreter).arg("--version").output();
    if must_be_there || version.is_ok_and(|output| output.status.success()) {
        return Some(Python::start(&interpreter).unwrap());
    }
    eprintln!("skipped: there is no {interpreter}");
    None
}

#[test]
fn random_conversations_differ_from_cpython_only_on_purpose() {
    let Some(mut python) = python() else {
        return;
    };
    let mut seen = BTreeSet::new();
    let (mut same, mut pauses) = (0, 0);
    let mut conversations = Conversations::new(8)
        .with_sets(python.has_sets())
        .take(COUNT);
    loop {
        let batch: Vec<Trace> = conversations.by_ref().take(500).collect();
        if batch.is_empty() {
            break;
        }
        for (trace, paused) in python.answer_and_pause(&batch).unwrap() {
            pauses += usize::from(paused.contains(&true));
            assert_eq!(pauses_differ(&trace, &paused), None, "\n{trace}{paused:?}");
            match compare(&trace) {
                Verdict::Broken(differences) => {
                    panic!("CPython {}:\n{trace}{differences:?}", python.version())
                }
                Verdict::Deliberate(differences) => seen.extend(differences),
                Verdict::Same | _ => same += 1,
            }
        }
    }
    assert!(pauses > COUNT / 20, "{pauses} of {COUNT}");
    assert!(same > COUNT / 2, "{same} of {COUNT}");
    assert!(
        seen.into_iter().eq(Deliberate::all()),
        "one of them never occurs"
    );
}

#[test]
fn ported_cases_are_what_cpython_does() {
    let Some(mut python) = python() else {
        return;
    };
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/ported");
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let traces = Trace::read_all(BufReader::new(File::open(&path).unwrap())).unwrap();
        if path.to_string_lossy().contains("multi_separator") && !python.has_sets() {
            continue;
        }
        for trace in python.answer(&traces).unwrap() {
            if let Verdict::Broken(differences) = compare(&trace) {
                panic!("{}: {differences:?}", path.display());
            }
        }
    }
}

#[test]
fn what_asyncio_does_not_have_is_not_asked() {
    let Some(mut python) = python() else {
        return;
    };
    let error = python.answer(&[Trace::new(1).with_cap(1)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "asyncio has no cap, no look ahead and one limit"
    );
}

#[test]
fn what_is_no_python_is_an_error() {
    assert!(Python::start("/there/is/none").is_err());
    assert!(Python::start("true").is_err());
}
