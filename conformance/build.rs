//! Lists the scenarios: a macro for each kind of them, which hands the names of its scenarios to
//! another macro.

use std::{
    collections::BTreeSet,
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// The kinds of scenarios, and the modules of each.
const KINDS: [(&str, &[&str]); 5] = [
    (
        "streams",
        &[
            "reading",
            "ending",
            "signals",
            "thread_locals",
            "limits",
            "writing",
            "draining",
            "half_closing",
            "closing",
            "leaving",
            "aborting",
            "resets",
            "cancelling",
            "streams",
            "introspection",
            "traffic",
            "traits",
        ],
    ),
    ("servers", &["serving", "shutting_down", "taking"]),
    ("runtime", &["opening", "connecting", "binding", "duties"]),
    ("system", &["adopting", "pipes"]),
    (
        "tls",
        &[
            "trusting",
            "handshakes",
            "broken_handshakes",
            "starting_tls",
            "ending_tls",
        ],
    ),
];

fn main() {
    let folder = Path::new("src/scenarios");
    println!("cargo::rerun-if-changed={}", folder.display());
    let declared = fs::read_to_string(folder.join("mod.rs")).expect("the modules can be read");
    let mut modules: BTreeSet<&str> = declarations(&declared).map(|(_, name)| name).collect();
    let mut lists = String::new();
    for (kind, topics) in KINDS {
        begin(&mut lists, kind);
        for topic in topics {
            assert!(modules.remove(topic), "there is no module {topic}");
            let (condition, _) = declarations(&declared)
                .find(|(_, name)| name == topic)
                .expect("it was declared");
            list(&mut lists, folder, topic, &condition);
        }
        lists.push_str("        }\n    };\n}\n");
    }
    assert!(modules.is_empty(), "of no kind: {modules:?}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo says where"));
    fs::write(out.join("scenarios.rs"), lists).expect("the lists can be written");
}

fn begin(lists: &mut String, kind: &str) {
    let head = format!(
        "#[doc(hidden)]\n#[macro_export]\nmacro_rules! __{kind} {{\n    \
         ($with:path, $arguments:tt) => {{\n        $with! {{\n            $arguments\n"
    );
    lists.push_str(&head);
}

/// Each scenario of a topic, behind the conditions under which there is one.
fn list(lists: &mut String, folder: &Path, topic: &str, condition: &str) {
    writeln!(lists, "            {topic} {{").expect("a string takes everything");
    for file in files(folder, topic) {
        let text = fs::read_to_string(file).expect("a module can be read");
        for (conditions, name) in scenarios(&text) {
            writeln!(lists, "                {condition}{conditions}{name},")
                .expect("a string takes everything");
        }
    }
    lists.push_str("            }\n");
}

/// Where a topic's scenarios are: those that need the system's sockets are all of one topic, though they
/// stand beside others.
fn files(folder: &Path, topic: &str) -> Vec<PathBuf> {
    let mut files = vec![folder.join(topic).with_extension("rs")];
    if topic == "adopting" {
        let folders = fs::read_dir(folder).expect("the modules can be listed");
        let folders = folders.map(|entry| entry.expect("an entry can be read").path());
        let mut beside: Vec<PathBuf> = folders
            .map(|folder| folder.join("system.rs"))
            .filter(|file| file.exists())
            .collect();
        beside.sort();
        files.append(&mut beside);
    }
    files
}

/// What a file declares: the attributes before it, and its name.
fn declarations(text: &str) -> impl Iterator<Item = (String, &str)> {
    named(text, "pub(crate) mod ", ';')
}

fn scenarios(text: &str) -> impl Iterator<Item = (String, &str)> {
    named(text, "pub(crate) async fn ", '(').filter(|(_, name)| is_scenario(text, name))
}

fn named<'a>(
    text: &'a str,
    keyword: &'static str,
    end: char,
) -> impl Iterator<Item = (String, &'a str)> {
    let mut conditions = String::new();
    text.lines().filter_map(move |line| {
        if line.starts_with("#[cfg(") {
            conditions += line;
        } else if let Some(rest) = line.strip_prefix(keyword) {
            let (name, _) = rest.split_once(end)?;
            return Some((std::mem::take(&mut conditions), name));
        } else if !line.starts_with("//") && !line.starts_with("#[") {
            conditions.clear();
        }
        None
    })
}

/// It is given a setup, and nothing else.
fn is_scenario(text: &str, name: &str) -> bool {
    let (_, behind) = text
        .split_once(&format!("fn {name}("))
        .expect("it is there");
    let (parameters, _) = behind.split_once(')').expect("a list has an end");
    let parameters = parameters.trim().trim_end_matches(',');
    parameters.trim_start_matches("mut ") == "setup: Setup"
}
