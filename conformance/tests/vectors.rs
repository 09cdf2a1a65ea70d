//! Recorded conversations, replayed without any Python; and that the table of ported cases is right.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
};

use millpond_conformance::trace::{Deliberate, Trace, Verdict, compare, replay};

const VERSIONS: [&str; 8] = ["3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13"];

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn traces(path: &Path) -> Vec<Trace> {
    let file = BufReader::new(File::open(path).unwrap());
    Trace::read_all(file).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The traces in a directory, in order.
fn files(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(home().join(directory)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "jsonl")
    });
    files.sort();
    files
}

#[test]
fn the_core_answers_as_each_cpython_did_but_for_deliberate_differences() {
    let mut seen = BTreeSet::new();
    for path in files("vectors") {
        let traces = traces(&path);
        assert!(traces.len() >= 60, "{}", path.display());
        for trace in traces {
            match compare(&trace) {
                Verdict::Broken(differences) => {
                    panic!("{}:\n{trace}{differences:?}", path.display())
                }
                Verdict::Deliberate(differences) => {
                    assert!(!differences.is_empty(), "{trace}");
                    seen.extend(differences);
                }
                Verdict::Same | _ => {}
            }
        }
    }
    assert!(
        seen.into_iter().eq(Deliberate::all()),
        "one of them never occurs"
    );
}

#[test]
fn there_are_vectors_of_each_version() {
    let files = files("vectors");
    for version in VERSIONS {
        let start = format!("cpython-{version}.");
        let is_of_it = |path: &&PathBuf| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(&start))
        };
        assert_eq!(files.iter().filter(is_of_it).count(), 1, "{version}");
    }
}

#[test]
fn an_answer_that_cpython_did_not_give_is_found() {
    for path in files("vectors") {
        for trace in traces(&path).iter().take(5) {
            let text = trace.to_string();
            let Some(at) = text.find(r#","ok":""#) else {
                continue;
            };
            let forged = format!("{}00{}", &text[..at + 7], &text[at + 7..]);
            let forged: Trace = forged.parse().unwrap();
            assert!(matches!(compare(&forged), Verdict::Broken(_)), "{forged}");
        }
    }
}

#[test]
fn ported_cases_give_the_answers_they_should() {
    for path in files("vectors/ported") {
        for trace in traces(&path) {
            let differences = replay(&trace);
            assert!(
                differences.is_empty(),
                "{}: {differences:?}",
                path.display()
            );
        }
    }
}

/// A row of the tables of ported cases.
struct Row<'a> {
    theirs: &'a str,
    ours: &'a str,
    note: &'a str,
}

fn rows(readme: &str) -> Vec<Row<'_>> {
    let (_, ported) = readme.split_once("## Ported cases").unwrap();
    let lines = ported.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" |").map(str::trim).collect();
            let [theirs, ours, note] = cells[..] else {
                panic!("three cells: {line}");
            };
            Row { theirs, ours, note }
        })
        .collect()
}

#[test]
fn what_the_table_of_ported_cases_names_exists() {
    let readme = fs::read_to_string(home().join("vectors/README.md")).unwrap();
    for Row { theirs, ours, note } in rows(&readme) {
        assert!(
            !ours.is_empty() || !note.is_empty(),
            "{theirs} has neither test nor reason"
        );
        for name in [ours, note]
            .iter()
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        {
            if let Some((file, test)) = name.split_once(".rs::") {
                let source = fs::read_to_string(home().join(format!("{file}.rs")))
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(
                    source.contains(&format!("fn {test}(")),
                    "{name} does not exist"
                );
            } else if name.starts_with("ported/") {
                assert!(
                    home().join("vectors").join(name).is_file(),
                    "{name} does not exist"
                );
            }
        }
    }
}

#[test]
fn the_table_has_every_ported_case_once() {
    let readme = fs::read_to_string(home().join("vectors/README.md")).unwrap();
    let rows = rows(&readme);
    let theirs: BTreeSet<&str> = rows.iter().map(|row| row.theirs).collect();
    assert_eq!(theirs.len(), rows.len(), "one of them is there twice");
    assert_eq!(rows.len(), 74 + 24);
    for path in files("vectors/ported") {
        let name = format!("`ported/{}`", path.file_name().unwrap().to_string_lossy());
        assert!(readme.contains(&name), "{name} is not in the table");
    }
}
