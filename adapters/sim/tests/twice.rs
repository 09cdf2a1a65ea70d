//! A world that is not the same when it is run again, and its report.

#[path = "support/alone.rs"]
mod alone;

use std::{
    cell::Cell,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alone::failing_alone;
use millpond_sim::{
    Check, Sim, StreamOptions, check, open_connection, start_server, timeout, world,
};

/// Says something to a peer.
async fn say(text: String) {
    let ((_reader, mut writer), (mut peer, _writer)) = world().connection(&StreamOptions::new());
    writer.write(text).unwrap();
    drop(writer);
    drop(_reader);
    peer.read_to_eof().await.unwrap();
}

fn since_the_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

#[test]
#[should_panic(
    expected = "it is not deterministic: event 4\n  is: 0.000000 s  the client of connection 1"
)]
fn a_program_that_reads_a_clock_is_found() {
    Check::new(0..100).run_twice(10).run(|sim| {
        sim.run(say(format!("date: {:?}", since_the_epoch())));
    });
}

#[test]
#[should_panic(expected = "it is not deterministic: event 4\n")]
fn a_program_that_reads_only_the_second_of_a_clock_is_found_when_it_changes() {
    // For ever, but for what is to be shown.
    Check::new(0..).run_twice(1).run(|sim| {
        let seconds = since_the_epoch().as_secs();
        sim.run(say(format!("date: {seconds}")));
    });
}

#[test]
#[should_panic(expected = "it is not deterministic: event 4\n")]
fn a_program_that_depends_on_the_order_of_a_map_is_found() {
    Check::new(0..100).run_twice(1).run(|sim| {
        let map: HashMap<_, _> = (0..20).map(|key| (key, ())).collect();
        sim.run(say(format!("{:?}", map.keys())));
    });
}

#[test]
fn the_bytes_that_differ_are_shown_of_both_runs() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let count = || RUNS.fetch_add(1, Ordering::Relaxed);
    let checked = catch_unwind(AssertUnwindSafe(|| {
        Check::new(5..6).run_twice(1).run(|sim| {
            sim.run(say(format!(
                "a long line, at the end a number: \r\n{}",
                1000 + count()
            )));
        });
    }));
    let message = checked.unwrap_err().downcast::<String>().unwrap();
    let bytes = "from byte 40 on: \" the end a number: \\r\\n1002\" and then \
                 \" the end a number: \\r\\n1003\"";
    assert!(message.contains(bytes), "{message}");
    assert!(message.contains("MILLPOND_SEED=5"), "{message}");
}

#[test]
fn a_world_that_fails_is_run_twice_too() {
    let test = "a_world_that_fails_is_run_twice_too";
    let text = failing_alone(test, &[], || {
        check(0..100, |sim| {
            sim.run(say(format!("date: {:?}", since_the_epoch())));
            panic!("bad luck");
        });
    });
    let difference = "it is not deterministic: event 4\n";
    assert_eq!(text.matches(difference).count(), 1, "{text}");
}

#[test]
fn by_default_one_world_that_is_not_the_same_again_is_printed_and_passes() {
    let test = "by_default_one_world_that_is_not_the_same_again_is_printed_and_passes";
    let clock = |sim: Sim| sim.run(say(format!("date: {:?}", since_the_epoch())));
    let text = failing_alone(test, &[], || {
        check(0..1000, clock);
        panic!("it has passed");
    });
    assert_eq!(text.matches("it is not deterministic").count(), 1, "{text}");
    assert!(
        text.contains("it has passed") && text.contains("MILLPOND_SEED=63"),
        "{text}"
    );
    let variable = ("MILLPOND_TWICE", "5");
    let text = failing_alone(test, &[variable], || ());
    assert!(
        !text.contains("it has passed") && text.contains("MILLPOND_SEED=4"),
        "{text}"
    );
}

#[test]
fn a_program_that_asks_only_its_world_is_the_same_again() {
    Check::new(0..200).run_twice(1).run(|sim| {
        sim.rough().random_faults(2).run(async {
            let server = start_server("127.0.0.1:7", async |mut reader, mut writer| {
                writer.write(&reader.read_line().await?)?;
                Ok::<_, std::io::Error>(())
            });
            let server = server.on_handler_error(|_| {}).on_accept_error(|_| {});
            let _server = server.await.unwrap();
            let asking = async {
                let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.ok()?;
                writer.write(format!("{:?}\n", world().elapsed())).ok()?;
                reader.read_line().await.ok()
            };
            let _ = timeout(Duration::from_secs(500), asking).await;
        });
    });
}

#[test]
fn a_program_with_threads_or_a_test_that_says_so_is_not_run_twice() {
    let clock = |sim: Sim| sim.run(say(format!("date: {:?}", since_the_epoch())));
    check(0..100, |sim| {
        clock(sim.other_threads(Duration::from_secs(1)))
    });
    let runs = Cell::new(0);
    Check::new(0..100).run_twice(0).run(|sim| {
        runs.set(runs.get() + 1);
        clock(sim);
    });
    assert_eq!(runs.get(), 100);
}
