//! A world that failed is made as small as it can be, and what is printed of it repeats it.

#[path = "support/alone.rs"]
mod alone;
#[path = "support/part.rs"]
mod part;

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use alone::failing_alone;
use millpond_sim::{
    Check, Direction, Fault, Sim, StreamReader, StreamWriter, check, open_connection, start_server,
    timeout, world,
};
use part::part;

const SECOND: Duration = Duration::from_secs(1);

/// What is planted here: half a line is taken for a whole one.
async fn take_orders(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    loop {
        let line = timeout(SECOND * 60, reader.read_line()).await??;
        if line.is_empty() {
            return Ok(());
        }
        assert!(line.ends_with(b"\n"), "half an order");
        writer.write_all(b"ok\n").await?;
    }
}

async fn place_orders() -> io::Result<()> {
    let (mut reader, mut writer) = open_connection("127.0.0.1:80").await?;
    for order in 200..205 {
        writer.write(format!("{order}\n"))?;
        reader.read_line().await?;
    }
    Ok(())
}

async fn shop() {
    let server = start_server("127.0.0.1:80", take_orders);
    let server = server.on_handler_error(|_| {}).on_accept_error(|_| {});
    let _server = server.await.unwrap();
    for _ in 0..3 {
        world().spawn(async {
            let _ = timeout(SECOND * 300, place_orders()).await; // it may fail
        });
    }
    world().sleep(SECOND * 1000).await;
}

fn rough_shop() {
    check(0..1000, |sim| {
        let latency = Duration::from_millis(1)..=Duration::from_millis(100);
        sim.rough().latency(latency).random_faults(4).run(shop());
    });
}

#[test]
fn a_world_with_many_faults_is_made_one_with_the_fault_that_matters() {
    let test = "a_world_with_many_faults_is_made_one_with_the_fault_that_matters";
    let text = failing_alone(test, &[], rough_shop);
    // That it strikes, how many bytes in two choices, and that it is an end.
    assert!(text.contains(": 4 choices are not calm\n"), "{text}");
    let faults = part(&text, "the faults in a world that failed:\n", "the last of");
    let fault = "    connection 1: end of the stream after 1 byte to the server, at 0.002000 s\n";
    assert_eq!(faults, fault, "{text}");
    let plan = "or with its faults alone: Sim::new(0).in_order(true)\
                .fault(Fault::eof().connection(1).after(Direction::ToServer, 1))\n";
    assert!(text.contains(plan), "{text}");
    assert!(!text.contains("it fails with"), "{text}"); // no other message

    // What is printed repeats it, and is not made smaller again.
    let calm = part(&text, "to repeat the smallest: MILLPOND_SEED=", " ");
    assert!(calm.starts_with("calm+"), "{calm}");
    let again = failing_alone(test, &[("MILLPOND_SEED", calm)], rough_shop);
    assert!(
        again.contains(fault) && again.contains("half an order"),
        "{again}"
    );
    assert!(!again.contains("smallest"), "{again}");
}

#[test]
#[should_panic(expected = "half an order")]
fn the_faults_of_the_smallest_world_repeat_its_failure() {
    let fault = Fault::eof().connection(1).after(Direction::ToServer, 1);
    Sim::new(0).in_order(true).fault(fault).run(shop());
}

/// Fails at one place with large numbers, and at another one with small ones.
fn two_failures() {
    check(0..1000, |sim| {
        let (high, low) = sim.run(async { (world().choose(1000), world().choose(1000)) });
        let _ = world_is_large(high, low) || world_is_small(high, low);
    });
}

fn world_is_large(high: usize, low: usize) -> bool {
    assert!(high <= 500 || low <= 700, "large");
    false
}

fn world_is_small(high: usize, low: usize) -> bool {
    assert!(high + low >= 20, "small");
    false
}

#[test]
fn numbers_are_lowered_as_far_as_the_same_place_fails() {
    let test = "numbers_are_lowered_as_far_as_the_same_place_fails";
    let text = failing_alone(test, &[], two_failures);
    assert!(text.contains("large"), "{text}");
    assert!(!text.contains("small\n"), "{text}");
    let smallest = part(&text, "to repeat the smallest: MILLPOND_SEED=", " ");
    assert_eq!(smallest, "calm+0:501,1:701", "{text}");
}

#[test]
fn a_world_that_is_stuck_does_not_become_one_that_leaks() {
    let test = "a_world_that_is_stuck_does_not_become_one_that_leaks";
    let text = failing_alone(test, &[], || {
        check(0..1000, |sim| {
            sim.no_leaks().run(async {
                // Both fail where the world is run.
                match world().choose(10) {
                    0..3 => world().spawn(std::future::pending()),
                    3..7 => {}
                    _ => std::future::pending().await,
                }
                let _more = world().choose(100);
            });
        });
    });
    let smallest = part(&text, "to repeat the smallest: MILLPOND_SEED=", " ");
    let expected = match text.contains("nothing can ever happen") {
        true => "calm+0:7",
        false => "calm",
    };
    assert_eq!(smallest, expected, "{text}");
}

#[test]
fn a_world_that_does_not_fail_again_is_reported_as_not_deterministic() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let test = "a_world_that_does_not_fail_again_is_reported_as_not_deterministic";
    let text = failing_alone(test, &[], || {
        check(0..10, |sim| {
            sim.run(async { world().choose(10) });
            assert!(RUNS.fetch_add(1, Ordering::Relaxed) != 3, "the fourth");
        });
    });
    let command = format!("to repeat it: MILLPOND_SEED=3 cargo test {test} -- --exact\n");
    for part in [&command, "the last of", "it is not deterministic"] {
        assert_eq!(text.matches(part).count(), 1, "{part} in {text}");
    }
}

#[test]
fn without_time_no_smaller_world_is_looked_for() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let test = "without_time_no_smaller_world_is_looked_for";
    let fails = || {
        Check::new(7..9).shrink_for(Duration::ZERO).run(|sim| {
            sim.run(async { world().choose(10) });
            RUNS.fetch_add(1, Ordering::Relaxed);
            panic!("run {}", RUNS.load(Ordering::Relaxed));
        });
    };
    let text = failing_alone(test, &[], fails);
    assert!(text.contains("run 1") && !text.contains("calm"), "{text}");
    assert!(text.contains("the last of"), "{text}");
    // The environment has the last word.
    let text = failing_alone(test, &[("MILLPOND_SHRINK", "2s")], fails);
    assert!(text.contains("MILLPOND_SEED=calm "), "{text}");
}

#[test]
fn a_failure_of_its_own_world_is_saved_and_so_is_the_smallest() {
    let test = "a_failure_of_its_own_world_is_saved_and_so_is_the_smallest";
    let parent = tempfile::tempdir().unwrap();
    let variable = ("MILLPOND_TRACES", parent.path().to_str().unwrap());
    let text = failing_alone(test, &[variable], || {
        check(4..5, |sim| sim.rough().run(async { panic!("bad luck") }));
    });
    for name in ["4", "smallest"] {
        let events = parent.path().join(format!("{test}-{name}/events.txt"));
        assert!(events.exists(), "{text}");
    }
}
