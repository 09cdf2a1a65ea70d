//! What a failure reports and saves, so that it can be repeated.

#[path = "support/alone.rs"]
mod alone;

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Mutex,
};

use alone::failing_alone;
use millpond_conformance::trace::{Kind, Line, Trace};
use millpond_sim::{Direction, Fault, Sim, check, open_connection, start_server, world};

#[track_caller]
fn assert_reports(text: &str, parts: &[&str]) {
    for part in parts {
        assert_eq!(text.matches(part).count(), 1, "{part:?} in:\n{text}");
    }
}

/// Fails in one of ten worlds.
async fn flaky() {
    let server = start_server("127.0.0.1:7", async |_, mut writer| writer.write(b"hello"));
    let server = server.await.unwrap();
    let (mut reader, _writer) = open_connection(&server.sockets()[0]).await.unwrap();
    assert_eq!(reader.read_to_eof().await.unwrap(), "hello");
    assert!(world().choose(10) > 0, "bad luck");
}

/// The seed of the first failure, of many.
fn seed_in(text: &str) -> u64 {
    let (_, rest) = text.split_once("MILLPOND_SEED=").unwrap();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
    rest[..end].parse().unwrap()
}

#[test]
fn a_failure_in_one_of_many_worlds_reports_its_seed_and_the_last_events() {
    let test = "a_failure_in_one_of_many_worlds_reports_its_seed_and_the_last_events";
    let fails = || {
        check(0..1000, |sim| {
            sim.run(flaky());
        });
    };
    let text = failing_alone(test, &[], fails);
    let seed = seed_in(&text);
    let command = format!("to repeat it: MILLPOND_SEED={seed} cargo test {test} -- --exact\n");
    let parts = ["bad luck", "the last of", "reads 5 bytes", &command];
    assert_reports(&text, &parts);

    // That repeats it.
    let again = failing_alone(test, &[("MILLPOND_SEED", &seed.to_string())], fails);
    assert_reports(&again, &parts);
}

#[test]
fn a_seed_in_the_environment_runs_no_other_world() {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let test = "a_seed_in_the_environment_runs_no_other_world";
    let fails = || {
        check(0..10, |sim| {
            SEEN.lock().unwrap().push(format!("{sim:?}"));
            drop(sim);
        });
        panic!("worlds: {}", SEEN.lock().unwrap().join(" and "));
    };
    let text = failing_alone(test, &[("MILLPOND_SEED", "77")], fails);
    assert_reports(&text, &["worlds: Sim", "Seed(77)"]);
    let text = failing_alone(test, &[("MILLPOND_SEED", "bytes:01ff")], fails);
    assert_reports(&text, &["worlds: Sim", "Bytes([1, 255])"]);
    let text = failing_alone(test, &[("MILLPOND_SEED", "lucky")], fails);
    assert_reports(
        &text,
        &[
            "MILLPOND_SEED is a number, perhaps with turns, or bytes:",
            "\"lucky\"",
        ],
    );
}

#[test]
fn a_failed_assertion_about_a_run_reports_its_seed_and_the_last_events() {
    let test = "a_failed_assertion_about_a_run_reports_its_seed_and_the_last_events";
    let text = failing_alone(test, &[], || {
        check(0..10, |sim| {
            let run = sim.record(flaky());
            assert!(run.output.is_err(), "it ended");
        });
    });
    let command = format!("to repeat it: MILLPOND_SEED=0 cargo test {test} -- --exact\n");
    assert_reports(
        &text,
        &["it ended", "the last of", "reads 5 bytes", &command],
    );
}

#[test]
fn a_failure_after_a_world_reports_its_seed() {
    let test = "a_failure_after_a_world_reports_its_seed";
    let text = failing_alone(test, &[], || {
        check(5..10, |sim| {
            let polls = sim.record(flaky()).polls;
            assert_eq!(polls, 0);
        });
    });
    let command = format!("to repeat it: MILLPOND_SEED=5 cargo test {test} -- --exact\n");
    assert_reports(&text, &["the last of", "reads 5 bytes", &command]);
}

#[test]
fn a_failure_that_was_caught_does_not_hide_the_next_one() {
    let test = "a_failure_that_was_caught_does_not_hide_the_next_one";
    let text = failing_alone(test, &[], || {
        let mut first = true;
        check(5..7, |sim| {
            assert!(first, "not caught");
            first = false;
            let fails = AssertUnwindSafe(|| sim.run(async { panic!("caught") }));
            assert!(catch_unwind(fails).is_err());
        });
    });
    assert_reports(
        &text,
        &["MILLPOND_SEED=5 ", "not caught", "MILLPOND_SEED=6 "],
    );
}

#[test]
fn a_world_of_the_program_is_repeated_by_its_constructor() {
    let test = "a_world_of_the_program_is_repeated_by_its_constructor";
    let text = failing_alone(test, &[], || {
        let number = |sim: Sim| sim.run(async { world().choose(1000) });
        assert_eq!(number(Sim::new(1)), number(Sim::new(1)));
        Sim::from_bytes([1, 2]).run(async { panic!("bad luck") });
    });
    assert_reports(
        &text,
        &["bad luck", "to repeat it: Sim::from_bytes([1, 2])\n"],
    );
    assert!(!text.contains("MILLPOND_SEED"), "{text}");
}

#[test]
fn a_world_that_is_stuck_reports_its_seed() {
    let test = "a_world_that_is_stuck_reports_its_seed";
    let text = failing_alone(test, &[], || Sim::new(31).run(std::future::pending()));
    let parts = ["nothing can ever happen", "to repeat it: Sim::new(31)\n"];
    assert_reports(&text, &parts);
}

#[test]
fn a_leak_reports_its_seed() {
    let test = "a_leak_reports_its_seed";
    let text = failing_alone(test, &[], || {
        Sim::new(31).no_leaks().run(async {
            world().spawn(std::future::pending());
        });
    });
    assert_reports(
        &text,
        &["something is left", "to repeat it: Sim::new(31)\n"],
    );
}

/// What an end has received, as the conformance suite reads it.
fn saved(directory: &Path, end: &str) -> Vec<Line> {
    let path = directory.join(format!("connection-{end}.jsonl"));
    let file = io::BufReader::new(fs::File::open(path).unwrap());
    Trace::read(file).unwrap().lines().to_vec()
}

#[test]
fn a_failure_is_saved_with_every_event_and_what_each_end_has_received() {
    let test = "a_failure_is_saved_with_every_event_and_what_each_end_has_received";
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join(format!("{test}-3"));
    fs::create_dir(&directory).unwrap();
    let [old, other] = ["connection-9-client.jsonl", "notes"].map(|name| directory.join(name));
    fs::write(&old, "of a failure before this one").unwrap();
    fs::write(&other, "of another program").unwrap();
    let variable = ("MILLPOND_TRACES", parent.path().to_str().unwrap());
    let text = failing_alone(test, &[variable], || {
        let reset = Fault::reset().connection(2).after(Direction::ToServer, 6);
        Sim::new(3).kept_events(2).fault(reset).run(async {
            let server = start_server("127.0.0.1:7", async |mut reader, mut writer| {
                let line = reader.read_line().await?;
                writer.write_all(&line).await?;
                Ok::<_, io::Error>(())
            });
            let server = server.on_handler_error(|_| {}).await.unwrap();
            for _ in 0..2 {
                let (mut reader, mut writer) = open_connection(&server.sockets()[0]).await.unwrap();
                writer.write(b"hello\n").unwrap();
                assert_eq!(reader.read_to_eof().await.unwrap(), "hello\n");
            }
        });
    });
    let saved_in = format!("what each end has received: {}\n", directory.display());
    assert_reports(&text, &[&saved_in]);
    assert!(!old.exists() && other.exists());

    let hello = Line::Feed(b"hello\n".to_vec());
    assert_eq!(
        saved(&directory, "1-client"),
        [hello.clone(), Line::FeedEof]
    );
    assert_eq!(saved(&directory, "1-server"), [hello]);
    let reset = Line::Fail(Kind::from(io::ErrorKind::ConnectionReset));
    assert_eq!(saved(&directory, "2-client"), [reset]);

    let events = fs::read_to_string(directory.join("events.txt")).unwrap();
    // What begins with a dot is no event.
    let lines = events.lines().filter(|line| !line.contains(" s  · "));
    let last: Vec<_> = lines.clone().rev().take(2).collect();
    let [last, before] = last.try_into().unwrap();
    assert_reports(&text, &[&format!("{before}\n{last}\n")]);
    assert_reports(
        &events,
        &["connection 1 is made", "fault on connection 2: reset"],
    );
    let count = format!("the last of {} events", lines.count());
    assert_reports(&text, &[&count]);
}

#[test]
fn what_succeeds_is_not_saved() {
    let parent = tempfile::tempdir().unwrap();
    Sim::new(1).save_failures_in(parent.path()).run(async {});
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_that_cannot_be_made_is_reported() {
    let test = "a_directory_that_cannot_be_made_is_reported";
    let text = failing_alone(test, &[], || {
        let file = tempfile::NamedTempFile::new().unwrap();
        let sim = Sim::new(1).save_failures_in(file.path());
        sim.run(async { panic!("bad luck") });
    });
    assert_reports(
        &text,
        &[
            "bad luck",
            "nothing is saved in ",
            "to repeat it: Sim::new(1)\n",
        ],
    );
}
