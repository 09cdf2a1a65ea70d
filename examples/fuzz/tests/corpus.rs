//! The fuzz target on the inputs that are kept for it, and on some that were not kept.

use std::{fs, path::Path};

use millpond_examples_fuzz::redis;

#[test]
fn values_are_the_same_for_every_cut_of_the_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/redis");
    let mut count = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        eprintln!("{}", path.display()); // shown if it fails
        redis(&fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count > 0, "there is no input");
}

#[test]
fn values_are_the_same_for_every_cut_of_nothing_and_of_very_much() {
    redis(b"");
    for piece in [
        "*1\r\n",
        "+\r\n",
        "$1\r\n\n\r\n",
        "*9\r\n",
        "%2\r\n:1\r\n",
        "\r\n",
        "\0",
    ] {
        redis(piece.repeat(60).as_bytes());
    }
}
