//! What is to be shown: a world that was saved, or traces.

use std::{
    fs,
    io::{self, Read, stdin},
    path::{Path, PathBuf},
};

use crate::source::{Numbered, about, traces_of};

/// What is in a file.
pub(crate) enum Saved {
    /// The lines of a file `events.txt`.
    World(String),
    Traces(Vec<Numbered>),
}

/// What is in a file, or in each of a directory, the world first.
pub(crate) fn open(path: &Path) -> io::Result<Vec<(PathBuf, Saved)>> {
    if !path.is_dir() {
        return Ok(vec![(path.to_owned(), read(path)?)]);
    }
    let mut files = Vec::new();
    let mut worlds = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        if entry.extension().is_some_and(|it| it == "jsonl") || entry.ends_with("events.txt") {
            files.push(entry);
        } else if entry.join("events.txt").is_file() {
            worlds.push(entry.display().to_string());
        }
    }
    worlds.sort();
    if files.is_empty() {
        let hint = match &worlds[..] {
            [] => String::new(),
            worlds => format!("; there are in {}", worlds.join(", ")),
        };
        let error = format!("neither events.txt nor a trace is in it{hint}");
        return Err(about(path, &io::Error::new(io::ErrorKind::NotFound, error)));
    }
    files.sort_by_key(|file| (!file.ends_with("events.txt"), file.clone()));
    let files = files.into_iter().map(|file| {
        let saved = read(&file)?;
        Ok((file, saved))
    });
    files.collect()
}

fn read(path: &Path) -> io::Result<Saved> {
    let data = match path == Path::new("-") {
        true => {
            let mut data = Vec::new();
            stdin().lock().read_to_end(&mut data).map(|_| data)
        }
        false => fs::read(path),
    };
    let data = data.map_err(|error| about(path, &error))?;
    let text = String::from_utf8_lossy(&data);
    let first = text.lines().find(|line| !line.trim().is_empty());
    let is_world =
        first.is_some_and(|line| !line.trim_start().starts_with('{') && line.contains(" s  "));
    match is_world {
        true => Ok(Saved::World(text.into_owned())),
        false => traces_of(path, &data[..]).map(Saved::Traces),
    }
}
