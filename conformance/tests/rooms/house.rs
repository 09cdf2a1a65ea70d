//! A crate as modules that know each other: what a path means, and where that is.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::source::{self, Module, Name, Use};

/// Paths through imports of imports end before this.
const DEPTH: usize = 16;

/// The modules of one crate.
#[derive(Default)]
pub(crate) struct House {
    modules: Vec<Placed>,
    by_path: BTreeMap<Vec<String>, usize>,
    /// Where the macros at the root are.
    macros: BTreeMap<String, usize>,
    for_tests: BTreeSet<Vec<String>>,
}

struct Placed {
    path: Vec<String>,
    /// Its file, without the folder of the sources.
    file: PathBuf,
    written: Module,
}

/// A use of something that is elsewhere.
pub(crate) struct Arrow {
    pub(crate) from: PathBuf,
    pub(crate) line: usize,
    /// The file in which what is used stands.
    pub(crate) to: PathBuf,
    /// Every room that the path goes through, by its name or that of an import.
    pub(crate) rooms: BTreeSet<String>,
}

/// What a path means.
struct Meaning {
    module: usize,
    /// It names the module itself.
    is_module: bool,
    /// All modules that have been named on the way.
    through: Vec<usize>,
}

impl House {
    /// Reads files, each as its path in the folder of the sources and its text. That of the root is
    /// `root`.
    ///
    /// # Errors
    ///
    /// Names the file that is no Rust.
    pub(crate) fn read(root: &str, files: &[(PathBuf, String)]) -> Result<Self, String> {
        let mut house = Self::default();
        for (file, text) in files {
            let source = source::read(text)
                .map_err(|e| format!("{}:{}: {e}", file.display(), e.span().start().line))?;
            let path = match file == Path::new(root) {
                true => Vec::new(),
                false => module_path(file),
            };
            for name in &source.exported_macros {
                house.macros.insert(name.clone(), house.modules.len());
            }
            for name in source.test_modules {
                house.for_tests.insert([&path[..], &[name]].concat());
            }
            for written in source.modules {
                let path = [&path[..], &written.inner].concat();
                house.by_path.insert(path.clone(), house.modules.len());
                house.modules.push(Placed {
                    path,
                    file: file.clone(),
                    written,
                });
            }
        }
        Ok(house)
    }

    /// The first-level folders and files, but for the root.
    pub(crate) fn rooms(&self) -> BTreeSet<&str> {
        let files = self.modules.iter().filter(|it| !self.is_for_tests(it));
        files.filter_map(|it| self.room_of(it)).collect()
    }

    /// The file that a room begins with.
    pub(crate) fn front_of(&self, room: &str) -> &Path {
        &self.modules[self.by_path[&vec![room.to_owned()]]].file
    }

    /// Every use of something in another file of the crate.
    pub(crate) fn arrows(&self) -> Vec<Arrow> {
        let mut arrows = Vec::new();
        for (index, module) in self.modules.iter().enumerate() {
            if self.is_for_tests(module) {
                continue;
            }
            for used in &module.written.uses {
                arrows.extend(self.arrow(index, used));
            }
        }
        arrows
    }

    fn is_for_tests(&self, module: &Placed) -> bool {
        (0..=module.path.len()).any(|n| self.for_tests.contains(&module.path[..n]))
    }

    fn arrow(&self, from: usize, used: &Use) -> Option<Arrow> {
        let here = &self.modules[from];
        let meaning = self.follow(from, &used.path, DEPTH)?;
        let there = &self.modules[meaning.module];
        // The name alone may be that of a variable.
        let is_variable = used.path.len() == 1 && meaning.is_module && !used.handed_on;
        // A front door hands on what is behind it.
        let is_door = used.handed_on && there.path.starts_with(&here.path);
        if there.file == here.file || is_variable || is_door {
            return None;
        }
        let end = self.room_of(there);
        let through = meaning.through.iter().map(|&it| &self.modules[it]);
        // Names of the root are those of other rooms, as long as they are defined there.
        let rooms = through.filter_map(|it| self.room_of(it)).chain(end);
        Some(Arrow {
            from: here.file.clone(),
            line: used.line,
            to: there.file.clone(),
            rooms: rooms
                .filter(|&room| Some(room) != self.room_of(here))
                .map(str::to_owned)
                .chain(end.is_none().then(|| "lib".to_owned()))
                .collect(),
        })
    }

    fn follow(&self, from: usize, path: &[String], depth: usize) -> Option<Meaning> {
        let depth = depth.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => self.named(self.by_path[&Vec::new()]),
            "self" => self.named(from),
            "super" => self.named(self.parent(from)?),
            name => self.lookup(from, name, depth)?,
        };
        for name in rest {
            if !at.is_module {
                break; // a variant, or something associated
            }
            let mut next = match name.as_str() {
                "super" => self.named(self.parent(at.module)?),
                "self" => self.named(at.module),
                name => match self.lookup(at.module, name, depth) {
                    Some(found) => found,
                    None if self.modules[at.module].path.is_empty() => return None, // the build makes it
                    // It is made by a macro, or left out here.
                    None => Meaning {
                        module: at.module,
                        is_module: false,
                        through: Vec::new(),
                    },
                },
            };
            next.through.append(&mut at.through);
            at = next;
        }
        at.through.push(at.module);
        Some(at)
    }

    /// What `name` means in a module.
    fn lookup(&self, module: usize, name: &str, depth: usize) -> Option<Meaning> {
        let here = &self.modules[module];
        let child = [&here.path[..], &[name.to_owned()]].concat();
        if let Some(&child) = self.by_path.get(&child) {
            return Some(self.named(child));
        }
        let mut names = here.written.names.iter().filter(|(it, _)| it == name);
        let found = match names.next() {
            Some((_, Name::Item)) => Some(Meaning {
                module,
                is_module: false,
                through: vec![module],
            }),
            Some((_, Name::Import(path))) if path[..] != [name] => self.follow(module, path, depth),
            Some((_, Name::Import(_))) => return None, // a crate
            None => self.lookup_behind_globs(module, name, depth),
        };
        found.or_else(|| self.exported_macro(here, name))
    }

    fn lookup_behind_globs(&self, module: usize, name: &str, depth: usize) -> Option<Meaning> {
        let mut globs = self.modules[module].written.globs.iter();
        globs.find_map(|glob| {
            let there = self.follow(module, glob, depth)?;
            (there.module != module).then_some(())?;
            self.lookup(there.module, name, depth.checked_sub(1)?)
        })
    }

    fn exported_macro(&self, here: &Placed, name: &str) -> Option<Meaning> {
        let &module = self.macros.get(name).filter(|_| here.path.is_empty())?;
        Some(Meaning {
            module,
            is_module: false,
            through: vec![module],
        })
    }

    /// The room of a module; nothing for the root and what stands in its file.
    fn room_of<'a>(&self, module: &'a Placed) -> Option<&'a str> {
        let root = self.by_path[&Vec::new()];
        let room = module.path.first()?;
        (module.file != self.modules[root].file).then_some(room)
    }

    fn named(&self, module: usize) -> Meaning {
        Meaning {
            module,
            is_module: true,
            through: vec![module],
        }
    }

    fn parent(&self, module: usize) -> Option<usize> {
        let (_, parent) = self.modules[module].path.split_last()?;
        self.by_path.get(parent).copied()
    }
}

/// The path of the module that a file is.
fn module_path(file: &Path) -> Vec<String> {
    let without = file.with_extension("");
    let mut path: Vec<String> = without
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    if path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    path
}
