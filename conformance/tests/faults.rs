//! The faults in `faults` still fit the sources, so that `faults/run` can plant each and show what
//! catches it.
//!
//! Whether they apply is asked of `git`. That is skipped where there is none, unless the environment
//! variable `MILLPOND_REQUIRE`, a list with commas, names it.

#[path = "common/find.rs"]
mod find;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

struct Fault {
    path: PathBuf,
    name: String,
    text: String,
}

impl Fault {
    fn read(path: PathBuf) -> Self {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        Self { path, name, text }
    }

    /// A line above the patch itself.
    fn header(&self, field: &str) -> &str {
        let head = self.text.lines().take_while(|line| !line.is_empty());
        let mut values = head.filter_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
        let value = values.next();
        value.unwrap_or_else(|| panic!("{} does not say `{field}`", self.name))
    }

    fn changes(&self, file: &str) -> bool {
        self.text
            .lines()
            .any(|line| line.strip_prefix("+++ b/") == Some(file))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn files(directory: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(directory)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{directory} has no .{extension}");
    files
}

fn faults() -> Vec<Fault> {
    let patches = files("conformance/faults", "patch");
    patches.into_iter().map(Fault::read).collect()
}

#[test]
fn every_fault_applies() {
    let Some(git) = find::find("git") else {
        return;
    };
    for fault in faults() {
        let applied = Command::new(&git)
            .args(["apply", "--check"])
            .arg(&fault.path)
            .current_dir(root())
            // In a repository around this one it would pass over files without a word.
            .env("GIT_CEILING_DIRECTORIES", root().parent().unwrap())
            .output()
            .unwrap();
        let problem = String::from_utf8_lossy(&applied.stderr);
        assert!(applied.status.success(), "{}: {problem}", fault.name);
    }
}

#[test]
fn every_file_of_the_core_has_a_fault() {
    let faults = faults();
    for file in files("core/src", "rs") {
        let file = format!("core/src/{}", file.file_name().unwrap().to_str().unwrap());
        assert!(faults.iter().any(|fault| fault.changes(&file)), "{file}");
    }
}

#[test]
fn every_fault_is_in_the_table_with_what_catches_it() {
    let readme = fs::read_to_string(root().join("conformance/faults/README.md")).unwrap();
    let rows: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("cargo test"))
        .collect();
    let faults = faults();
    for fault in &faults {
        let (breaks, caught_by) = (fault.header("Breaks"), fault.header("Caught by"));
        let row = format!("| {} | {breaks} | `{caught_by}` | `", fault.name);
        assert!(rows.iter().any(|it| it.starts_with(&row)), "no row: {row}");
    }
    assert_eq!(rows.len(), faults.len());
}
