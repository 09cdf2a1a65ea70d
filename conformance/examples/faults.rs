//! Plants each fault of `conformance/faults` and shows which test catches it. To be called by
//! `conformance/faults/run`.
//!
//! It works on a copy of the sources in `target/faults`, or where `CARGO_TARGET_DIR` says, so the checkout is
//! not touched, whatever happens. What it builds stays there for the next time.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

#[path = "../tests/faults/fault.rs"]
mod fault;

use fault::Fault;

/// In seconds: more than any of the tests takes on a busy machine. One that does not end catches nothing.
const LIMIT: &str = "600";

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mut faults = fault::read(root);
    if arguments == ["--table"] {
        let page = root.join("conformance/faults/TABLE.md");
        fs::write(page, fault::table(&faults)).unwrap();
        return ExitCode::SUCCESS;
    }
    let chosen = |fault: &Fault| {
        arguments
            .iter()
            .any(|it| fault.name.starts_with(it.as_str()))
    };
    faults.retain(|fault| arguments.is_empty() || chosen(fault));
    if faults.is_empty() {
        eprintln!(
            "no fault has a name that begins with: {}",
            arguments.join(" ")
        );
        return ExitCode::FAILURE;
    }
    let copy = Copy::new(root);
    if let Err(problem) = check_without_faults(&copy, &faults) {
        eprintln!("{problem}");
        return ExitCode::FAILURE;
    }
    println!("| fault | what it breaks | caught by | first test to fail |");
    println!("|---|---|---|---|");
    let caught = faults.iter().filter(|fault| catches(&copy, fault)).count();
    println!("\n{caught} of {} faults caught", faults.len());
    match caught == faults.len() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// What fails anyway, or tests nothing, catches nothing.
fn check_without_faults(copy: &Copy, faults: &[Fault]) -> Result<(), String> {
    let commands: BTreeSet<&str> = faults.iter().map(|fault| &*fault.caught_by).collect();
    for command in commands {
        let outcome = copy.run(command);
        if !outcome.passed {
            return Err(format!(
                "fails without a fault: {command}\n{}",
                outcome.output
            ));
        }
        if outcome.tests(" ... ok").next().is_none() {
            return Err(format!("runs no test: {command}"));
        }
    }
    Ok(())
}

/// Prints what became of a fault.
fn catches(copy: &Copy, fault: &Fault) -> bool {
    let result = outcome(copy, fault);
    let result_text = match &result {
        Ok(test) => format!("`{test}`"),
        Err(why) => format!("**{why}**"),
    };
    let Fault {
        name,
        breaks,
        caught_by,
        ..
    } = fault;
    println!("| {name} | {breaks} | `{caught_by}` | {result_text} |");
    result.is_ok()
}

/// The first test to fail, or why none did.
fn outcome(copy: &Copy, fault: &Fault) -> Result<String, String> {
    let planted = fault.plant(&copy.tree)?;
    let before = planted
        .iter()
        .map(|file| (&file.path, fs::read_to_string(&file.path).unwrap()));
    let before: Vec<_> = before.collect();
    for file in &planted {
        fs::write(&file.path, &file.text).unwrap();
    }
    let outcome = copy.run(&fault.caught_by);
    for (path, text) in before {
        fs::write(path, text).unwrap();
    }
    if outcome.passed {
        return Err("survives".to_owned());
    }
    if outcome
        .output
        .lines()
        .any(|line| line.starts_with("error: could not compile"))
    {
        return Err("does not build".to_owned());
    }
    let failed = outcome.tests(" ... FAILED").next().map(str::to_owned);
    failed.ok_or_else(|| "no test fails, but the command does".to_owned())
}

/// A copy of the sources, and what is built of it.
struct Copy {
    tree: PathBuf,
    build: PathBuf,
}

struct Outcome {
    passed: bool,
    output: String,
}

impl Copy {
    /// What git knows of, and what it does not ignore. Every file gets the time of now, so that nothing
    /// built of an earlier fault is taken for up to date.
    fn new(root: &Path) -> Self {
        let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let place = root.join(target).join("faults");
        let (tree, build) = (place.join("tree"), place.join("build"));
        if tree.exists() {
            fs::remove_dir_all(&tree).unwrap();
        }
        let list = ["ls-files", "--cached", "--others", "--exclude-standard"];
        let listed = Command::new("git").args(list).current_dir(root).output();
        let listed = String::from_utf8(listed.expect("git").stdout).unwrap();
        for file in listed
            .lines()
            .map(Path::new)
            .filter(|file| root.join(file).is_file())
        {
            let to = tree.join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            // Not `fs::copy`: it may keep the time.
            let text = fs::read(root.join(file)).unwrap();
            fs::write(&to, text).unwrap();
            let permissions = fs::metadata(root.join(file)).unwrap().permissions();
            fs::set_permissions(&to, permissions).unwrap();
        }
        Self { tree, build }
    }

    fn run(&self, command: &str) -> Outcome {
        let output = Command::new("timeout")
            .args([
                "--foreground",
                LIMIT,
                "sh",
                "-c",
                &format!("{command} 2>&1"),
            ])
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.build)
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_INCREMENTAL", "0")
            .stdin(Stdio::null())
            .output()
            .expect("timeout");
        let passed = output.status.success();
        let mut output = String::from_utf8_lossy(&output.stdout).into_owned();
        if command.starts_with("conformance/counts/") {
            // It is no cargo test, so it counts as one.
            let end = if passed { "ok" } else { "FAILED" };
            output.push_str(&format!("\ntest {command} ... {end}\n"));
        }
        Outcome { passed, output }
    }
}

impl Outcome {
    /// The names of the tests that ended so.
    fn tests<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.output.lines();
        lines.filter_map(move |line| line.strip_prefix("test ")?.strip_suffix(end))
    }
}
