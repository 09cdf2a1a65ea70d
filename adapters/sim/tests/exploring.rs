//! Guided exploration: what takes several steps is found one step after the other.

#[path = "support/alone.rs"]
mod alone;
#[path = "support/part.rs"]
mod part;

use std::{cell::Cell, collections::BTreeSet, env, fs, io, path::Path, time::Duration};

use alone::failing_alone;
use millpond_sim::{
    Check, Report, Sim, StreamReader, StreamWriter, check, observe, open_connection, reachable,
    start_server, world,
};
use part::part;

/// So many worlds explore; as many seeds do not find what they find.
const WORLDS: u64 = 2000;

/// Names the directory of a corpus to the test in a process of its own.
const CORPUS: &str = "MILLPOND_TEST_CORPUS";

const STEPS: [&str; 3] = ["cut off once", "cut off twice", "cut off three times"];

async fn answer(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    while !reader.read_line().await?.is_empty() {
        writer.write_all(b"ok\n").await?;
    }
    Ok(())
}

/// How many answers come until the network fails.
async fn answers() -> usize {
    let mut count = 0;
    let Ok((mut reader, mut writer)) = open_connection("127.0.0.1:80").await else {
        return count;
    };
    while count < 8 && writer.write(b"order\n").is_ok() {
        match reader.read_line().await {
            Ok(line) if line == "ok\n" => count += 1,
            Ok(_) | Err(_) => break,
        }
    }
    count
}

/// What is planted here: it fails if one session after the other is cut off at a certain answer.
async fn sessions() {
    let server = start_server("127.0.0.1:80", answer).on_handler_error(|_| {});
    let _server = server.on_accept_error(|_| {}).await.unwrap();
    let mut steps = [5, 3, 6].into_iter().zip(STEPS);
    let mut step = steps.next();
    for _ in 0..8 {
        let (wanted, name) = step.unwrap();
        if answers().await == wanted {
            reachable!(name);
            step = steps.next();
            assert!(step.is_some(), "cut off three times");
        }
    }
}

fn shop(sim: Sim) {
    // Nothing waits for ever.
    let run = sim.random_faults(3).record(sessions());
    let _may_be_stuck = run.output;
}

/// Opens when four digits are right: in one of a hundred million worlds.
fn lock(sim: Sim) -> u64 {
    let run = sim.rough().record(async {
        for (index, digit) in [13, 88, 4, 51].into_iter().enumerate() {
            if world().choose(100) != digit {
                return;
            }
            observe!("digits", index + 1);
            world().sleep(Duration::from_secs(1)).await;
        }
    });
    run.output.unwrap();
    run.trace.hash()
}

/// The worlds of the only corpus in a directory.
fn corpus_in(directory: &Path) -> Vec<String> {
    let file = fs::read_dir(directory).unwrap().next().unwrap().unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn what_takes_three_faults_in_turn_is_found_by_exploring_and_not_by_seeds() {
    let test = "what_takes_three_faults_in_turn_is_found_by_exploring_and_not_by_seeds";
    if env::var_os(CORPUS).is_none() {
        Check::new(0..WORLDS).run(shop);
    }
    let corpus = tempfile::tempdir().unwrap();
    let variables = [
        (CORPUS, corpus.path().to_str().unwrap()),
        ("MILLPOND_SHRINK", "1s"),
    ];
    let text = failing_alone(test, &variables, || {
        let corpus = env::var(CORPUS).unwrap();
        let check = Check::new(0..1).explore_worlds(WORLDS);
        check.keep_corpus_in(corpus).run(shop);
    });
    assert!(text.contains("cut off three times"), "{text}");
    let failed = part(&text, "to repeat it: MILLPOND_SEED=", " cargo test");
    assert!(failed.contains(','), "{text}");
    let smallest = part(&text, "to repeat the smallest: MILLPOND_SEED=", " ");
    assert!(smallest.starts_with("calm+"), "{text}");
    assert_eq!(corpus_in(corpus.path())[0], failed, "{text}");

    // It is the first that is tried again, and can be named.
    for variables in [
        vec![variables[0], ("MILLPOND_SHRINK", "0")],
        vec![
            variables[0],
            ("MILLPOND_SHRINK", "0"),
            ("MILLPOND_SEED", failed),
        ],
        vec![variables[0], ("MILLPOND_SEED", smallest)],
    ] {
        let text = failing_alone(test, &variables, || {
            let corpus = env::var(CORPUS).unwrap();
            let check = Check::new(0..1).explore_worlds(1);
            check.keep_corpus_in(corpus).run(shop);
        });
        assert!(text.contains("cut off three times"), "{text}");
    }
}

#[test]
fn a_corpus_is_taken_up_again_and_each_of_its_worlds_is_the_same() {
    let test = "a_corpus_is_taken_up_again_and_each_of_its_worlds_is_the_same";
    if env::var_os("MILLPOND_SEED").is_some() {
        check(0..0, |sim| eprintln!("hash {}!", lock(sim)));
        return;
    }
    let corpus = tempfile::tempdir().unwrap();
    let explore = |seeds, worlds, hashes: &mut BTreeSet<u64>| {
        let check = Check::new(0..seeds).explore_worlds(worlds);
        check.keep_corpus_in(corpus.path()).run(|sim| {
            hashes.insert(lock(sim));
        })
    };
    let mut hashes = BTreeSet::new();
    let most = |report: &Report| report.observed("digits").map_or(0, |digits| *digits.end());
    assert!(most(&explore(100, 1000, &mut hashes)) >= 2);

    let worlds = corpus_in(corpus.path());
    for line in &worlds {
        let (text, passed) = alone::run(test, &[("MILLPOND_SEED", line)]);
        assert!(passed, "{text}");
        let hash = part(&text, "hash ", "!").parse().unwrap();
        assert!(hashes.contains(&hash), "{line}: {text}");
    }

    let mut again = BTreeSet::new();
    let report = explore(0, worlds.len() as u64, &mut again);
    assert_eq!(report.worlds(), worlds.len() as u64);
    assert!(most(&report) >= 2, "{report}");
    assert!(again.is_subset(&hashes));
}

#[test]
fn two_explorations_are_the_same_without_a_corpus() {
    let explore = || {
        let corpus = tempfile::tempdir().unwrap();
        let mut hashes = Vec::new();
        let check = Check::new(0..10).explore_worlds(500);
        check
            .keep_corpus_in(corpus.path())
            .run(|sim| hashes.push(lock(sim)));
        (hashes, corpus_in(corpus.path()))
    };
    assert_eq!(explore(), explore());
}

#[test]
fn what_a_check_only_comes_to_by_exploring_is_enough_for_what_must_be() {
    let corpus = tempfile::tempdir().unwrap();
    let report = Check::new(0..1)
        .must("two digits")
        .explore_worlds(3000)
        .keep_corpus_in(corpus.path())
        .run(|sim| {
            let digits = Cell::new(0);
            sim.run(async {
                while digits.get() < 2 && world().choose(60) == 7 {
                    digits.set(digits.get() + 1);
                    observe!("digits", digits.get());
                }
            });
            // Also of what is seen when the world is over.
            if digits.get() == 2 {
                reachable!("two digits");
            }
        });
    assert_eq!(report.worlds(), 3001);
    assert!(
        report.to_string().contains("explored 3000 worlds from "),
        "{report}"
    );
}

#[test]
fn when_the_time_is_over_nothing_more_is_explored() {
    let test = "when_the_time_is_over_nothing_more_is_explored";
    if env::var_os("MILLPOND_EXPLORE").is_some() {
        let report = Check::new(0..7).explore_worlds(100).run(|sim| {
            lock(sim);
        });
        eprintln!("ran {} worlds", report.worlds());
        return;
    }
    let corpus = tempfile::tempdir().unwrap();
    let check = || Check::new(0..7).keep_corpus_in(corpus.path().join("new"));
    let run = |sim| {
        lock(sim);
    };
    assert_eq!(check().explore_for(Duration::ZERO).run(run).worlds(), 7);
    assert!(!corpus.path().join("new").exists());
    assert!(
        check()
            .explore_for(Duration::from_millis(20))
            .run(run)
            .worlds()
            > 7
    );

    // The environment has the last word.
    let (text, passed) = alone::run(test, &[("MILLPOND_EXPLORE", "0")]);
    assert!(passed && text.contains("ran 7 worlds"), "{text}");
    let (text, passed) = alone::run(test, &[("MILLPOND_EXPLORE", "long")]);
    assert!(
        !passed && text.contains("MILLPOND_EXPLORE is a number of seconds"),
        "{text}"
    );
}
