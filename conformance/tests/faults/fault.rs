//! The table of planted faults, and where in the sources each is planted.

use std::{
    fs,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

pub(crate) const TABLE: &str = "conformance/faults/faults.toml";

pub(crate) struct Fault {
    pub(crate) name: String,
    pub(crate) breaks: String,
    pub(crate) caught_by: String,
    edits: Vec<Edit>,
}

struct Edit {
    /// The directory of the crate, seen from the root.
    krate: String,
    find: Vec<String>,
    replace: String,
}

/// A file as it is with a fault.
pub(crate) struct Planted {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// All faults of the table below `root`, in its order.
pub(crate) fn read(root: &Path) -> Vec<Fault> {
    let text = fs::read_to_string(root.join(TABLE)).unwrap();
    let table: Table = text.parse().unwrap();
    let rows = table["fault"].as_array().unwrap();
    rows.iter().map(Fault::new).collect()
}

/// The faults as a page to read.
pub(crate) fn table(faults: &[Fault]) -> String {
    let mut table = String::from("# The planted faults\n\n");
    table += "Printed from [faults.toml](faults.toml) by `conformance/faults/run --table`.\n\n";
    table += "| fault | what it breaks | caught by |\n|---|---|---|\n";
    for fault in faults {
        let Fault {
            name,
            breaks,
            caught_by,
            ..
        } = fault;
        table += &format!("| {name} | {breaks} | `{caught_by}` |\n");
    }
    table
}

impl Fault {
    fn new(row: &Value) -> Self {
        let edits = match row.get("edit") {
            Some(edits) => edits.as_array().unwrap().iter().map(Edit::new).collect(),
            None => vec![Edit::new(row)],
        };
        Self {
            name: text(row, "name"),
            breaks: text(row, "breaks"),
            caught_by: text(row, "caught_by"),
            edits,
        }
    }

    /// The files that it changes, seen from `root`, with the fault in them.
    ///
    /// # Errors
    ///
    /// Says which text does not stand just once in the sources.
    pub(crate) fn plant(&self, root: &Path) -> Result<Vec<Planted>, String> {
        let mut planted: Vec<Planted> = Vec::new();
        for edit in &self.edits {
            let (path, text) = edit.apply(root, &planted)?;
            planted.retain(|file| file.path != path);
            planted.push(Planted { path, text });
        }
        Ok(planted)
    }
}

impl Edit {
    fn new(row: &Value) -> Self {
        let find = text(row, "find");
        Self {
            krate: text(row, "crate"),
            find: find.lines().map(|line| line.trim().to_owned()).collect(),
            replace: text(row, "replace"),
        }
    }

    fn apply(&self, root: &Path, planted: &[Planted]) -> Result<(PathBuf, String), String> {
        let mut found = Vec::new();
        for path in sources(&root.join(&self.krate).join("src")) {
            let before = planted.iter().find(|file| file.path == path);
            let text = match before {
                Some(file) => file.text.clone(),
                None => fs::read_to_string(&path).unwrap(),
            };
            let lines: Vec<&str> = text.lines().collect();
            for at in self.places(&lines) {
                let replaced = [
                    &lines[..at],
                    &[self.replace.as_str()],
                    &lines[at + self.find.len()..],
                ];
                found.push((path.clone(), replaced.concat().join("\n") + "\n"));
            }
        }
        match found.len() {
            1 => Ok(found.remove(0)),
            n => Err(format!(
                "found {n} times in {}:\n{}",
                self.krate,
                self.find.join("\n")
            )),
        }
    }

    fn places(&self, lines: &[&str]) -> Vec<usize> {
        let trimmed: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
        let windows = trimmed.windows(self.find.len()).enumerate();
        let same = windows.filter(|(_, window)| *window == self.find.as_slice());
        same.map(|(at, _)| at).collect()
    }
}

fn text(row: &Value, field: &str) -> String {
    let value = row.get(field).and_then(Value::as_str);
    value
        .unwrap_or_else(|| panic!("no `{field}` in {row:?}"))
        .to_owned()
}

/// Every source file below `directory`.
pub(crate) fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
