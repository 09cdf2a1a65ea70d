//! The worlds that a later check goes on from, in a file.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
};

use crate::{branch::Branch, choice::Source};

/// What cargo writes into the directory that it builds in: the first only if it has made that.
const MARKERS: [&str; 2] = ["CACHEDIR.TAG", ".rustc_info.json"];

/// The file of one test, if there is a place for it.
#[derive(Debug)]
pub(crate) struct Corpus {
    file: Option<PathBuf>,
}

impl Corpus {
    /// Of a test, in this directory, or else in that of what cargo builds.
    pub(crate) fn of(test: Option<String>, directory: Option<PathBuf>) -> Self {
        let directory = directory.or_else(|| Some(target()?.join("millpond")));
        let test = test.unwrap_or_else(|| "main".to_owned());
        let file = format!("{}.worlds", test.replace("::", "-"));
        Self {
            file: directory.map(|directory| directory.join(file)),
        }
    }

    /// How many worlds were explored before, and those to go on from.
    pub(super) fn load(&self) -> (u64, Vec<Branch>) {
        let text = self
            .file
            .as_ref()
            .and_then(|it| fs::read_to_string(it).ok());
        let text = text.unwrap_or_default();
        let mut lines = text.lines();
        let count = lines.next().and_then(|line| line.split(' ').next());
        let count = count.and_then(|count| count.parse().ok()).unwrap_or(0);
        let worlds = lines.filter_map(|line| match Source::parse(line)? {
            Source::Seed(seed) => Some(Branch::new(seed)),
            Source::Branch(branch) => Some(branch),
            Source::Bytes(_) | Source::Tape(_) => None,
        });
        (count, worlds.collect())
    }

    /// A failure to do so is printed.
    pub(super) fn save<'a>(&self, count: u64, worlds: impl IntoIterator<Item = &'a Branch>) {
        let Some(file) = &self.file else { return };
        let mut text =
            format!("{count} worlds were explored. MILLPOND_SEED repeats each of these:\n");
        for world in worlds {
            text += &world.text();
            text.push('\n');
        }
        if let Err(error) = write(file, &text) {
            eprintln!("the worlds are not kept in {}: {error}", file.display());
        }
    }
}

/// As a whole, so that what another process reads is whole, too.
fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    let written = file.with_extension(process::id().to_string());
    fs::write(&written, text)?;
    fs::rename(&written, file)
}

fn target() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let mut directories = program.ancestors();
    let is_target = |it: &&Path| MARKERS.iter().any(|marker| it.join(marker).exists());
    let target = directories.find(is_target)?;
    Some(target.to_owned())
}
