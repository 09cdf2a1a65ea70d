//! Each fuzz target on the inputs that are kept for it.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use millpond_fuzz::TARGETS;

/// The inputs under `corpus/<target>`, by name.
fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let entries = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", directory.display()));
    let mut inputs: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), fs::read(&path).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

fn holds_on_its_corpus(name: &str) {
    let (_, target) = TARGETS.iter().find(|(it, _)| *it == name).unwrap();
    let inputs = inputs(name);
    assert!(!inputs.is_empty(), "{name} has no inputs");
    for (path, data) in inputs {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&data))) {
            eprintln!("{name} fails on {path}");
            std::panic::resume_unwind(panic);
        }
    }
}

macro_rules! corpora {
    ($($target:ident),*) => {
        mod corpus {
            $(
                #[test]
                fn $target() {
                    super::holds_on_its_corpus(stringify!($target));
                }
            )*
        }

        #[test]
        fn every_target_has_its_corpus_tried() {
            assert_eq!(TARGETS.map(|(name, _)| name), [$(stringify!($target)),*]);
        }
    };
}

corpora!(duplex, happy_eyeballs, reader, separators, trace, writer);

#[test]
fn every_target_holds_on_nothing_and_on_very_much() {
    for (_, target) in TARGETS {
        target(&[]);
        for byte in [0, 1, b'{', 0x7f, 0xff] {
            target(&[byte; 5_000]);
        }
    }
}
