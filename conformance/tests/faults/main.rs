//! The faults in `faults` still fit the sources, so that `faults/run` can plant each and show what
//! catches it.

mod fault;

use std::{collections::BTreeSet, fs, path::Path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn every_fault_applies() {
    let misfits: Vec<String> = fault::read(root())
        .iter()
        .filter_map(|fault| {
            let problem = fault.plant(root()).err()?;
            Some(format!("{}: {problem}", fault.name))
        })
        .collect();
    assert!(misfits.is_empty(), "{}", misfits.join("\n\n"));
}

#[test]
fn every_fault_changes_something() {
    for fault in fault::read(root()) {
        for planted in fault.plant(root()).unwrap() {
            let before = fs::read_to_string(&planted.path).unwrap();
            assert_ne!(planted.text, before, "{}", fault.name);
        }
    }
}

#[test]
fn every_fault_has_a_name_of_its_own_and_a_test_that_catches_it() {
    let mut names = BTreeSet::new();
    for fault in fault::read(root()) {
        assert!(names.insert(fault.name.clone()), "{} twice", fault.name);
        assert!(!fault.breaks.is_empty(), "{}", fault.name);
        let commands = [
            "cargo test ",
            "conformance/schedules/run ",
            "conformance/counts/run ",
        ];
        let command = commands.iter().any(|it| fault.caught_by.contains(it));
        assert!(command, "{}: {}", fault.name, fault.caught_by);
    }
}

#[test]
fn every_file_of_the_core_has_a_fault() {
    let faults = fault::read(root());
    let planted = faults.iter().flat_map(|it| it.plant(root()).unwrap());
    let planted: BTreeSet<_> = planted.map(|file| file.path).collect();
    for file in fault::sources(&root().join("core/src")) {
        if file.ends_with("lib.rs") {
            continue; // it has no code
        }
        assert!(planted.contains(&file), "{}", file.display());
    }
}

#[test]
fn the_table_lists_every_fault() {
    let expected = fault::table(&fault::read(root()));
    let path = root().join("conformance/faults/TABLE.md");
    let table = fs::read_to_string(path).unwrap();
    assert!(
        table == expected,
        "not up to date: conformance/faults/run --table"
    );
}
