//! Random faults, and that none happens once they are stopped.

#[path = "support/shop.rs"]
mod shop;

use std::{io, time::Duration};

use millpond_sim::{
    Direction, Fault, Sim, StreamOptions, open_connection, start_server, timeout, world,
};
use shop::{echo, open_shop};

const SECOND: Duration = Duration::from_secs(1);

/// A shop on a host of its own, and a network with many faults.
fn faulty(seed: u64) -> Sim {
    Sim::new(seed)
        .host("localhost", ["10.0.0.1".parse().unwrap()])
        .host("shop", ["10.0.0.80".parse().unwrap()])
        .rough()
        .random_faults(2)
        .kept_events(usize::MAX)
}

async fn ask() -> io::Result<()> {
    let (mut reader, mut writer) = open_connection("shop:80").await?;
    for _ in 0..3 {
        writer.write(b"one\n")?;
        assert!("one\n".as_bytes().starts_with(&reader.read_line().await?));
        world().sleep(SECOND * 10).await;
    }
    Ok(())
}

async fn ask_often() {
    open_shop("shop").await;
    for _ in 0..3 {
        let _ = timeout(SECOND * 200, ask()).await; // it may fail
    }
}

#[test]
fn every_random_fault_happens_sooner_or_later() {
    let all = [
        "connection 1: reset",
        "connection 1: end of the stream",
        "connection 1: stall",
        "connection 1 is refused",
        "connection 1 gets no answer",
        "accepting fails",
        "localhost and shop are partitioned",
        "localhost and shop are connected again",
        "the clock jumps",
        "is pending for no reason",
    ];
    let mut counts = [0; 10];
    for seed in 0..300 {
        let sim = faulty(seed).random_jumps(100, SECOND * 100);
        let trace = sim.record(ask_often()).trace.to_string();
        for (count, what) in counts.iter_mut().zip(all) {
            *count += u32::from(trace.contains(what));
        }
    }
    assert!(counts.iter().all(|count| *count >= 5), "{counts:?}");
}

async fn idle() {
    let _connection = world().connection(&StreamOptions::new());
    world().sleep(SECOND * 100).await;
}

/// More than any fault waits for, at once.
async fn busy() {
    let ((_r, mut writer), (mut reader, _w)) = world().connection(&StreamOptions::new());
    world()
        .spawn(async move { while reader.read(4096).await.is_ok_and(|data| !data.is_empty()) {} });
    for _ in 0..40 {
        if writer.write([b'x'; 4096]).is_err() || writer.drain().await.is_err() {
            break;
        }
    }
}

/// How many worlds of 200 have a fault, if one is drawn for each.
fn faults_of<F: Future>(program: fn() -> F) -> usize {
    let has_fault = |seed: &u64| {
        let sim = Sim::new(*seed).random_faults(1).kept_events(usize::MAX);
        let trace = sim.record(program()).trace.to_string();
        trace.contains("fault on connection 1")
    };
    (0..200).filter(has_fault).count()
}

#[test]
fn half_of_the_faults_happen_at_a_time_and_half_at_a_byte_of_either_direction() {
    let [idle, busy] = [faults_of(idle), faults_of(busy)];
    assert!((90..140).contains(&idle), "{idle}"); // and those at no byte at all
    assert!((35..65).contains(&busy), "{busy}"); // one direction only
}

/// Connects while there are faults, and may go on when they are stopped.
async fn until_faults_stop(go_on: bool) {
    open_shop("shop").await;
    let opening = || timeout(SECOND * 4, open_connection("shop:80"));
    let _connections = [opening().await, opening().await, opening().await];
    world().stop_faults();
    if go_on {
        ask().await.unwrap();
        world().sleep(SECOND * 200).await;
        ask().await.unwrap();
    }
}

#[test]
fn no_fault_happens_once_they_are_stopped() {
    for seed in 0..300 {
        let faults = |go_on| {
            let sim = faulty(seed).random_jumps(100, SECOND);
            let run = sim.record(until_faults_stop(go_on));
            run.output.unwrap();
            let trace = run.trace.to_string();
            ["fault on", "partitioned", "jumps"].map(|what| trace.matches(what).count())
        };
        assert_eq!(faults(true), faults(false), "{seed}");
    }
}

#[test]
fn a_fault_that_was_planned_for_a_connection_is_cancelled() {
    Sim::new(1)
        .fault(Fault::reset().after(Direction::ToServer, 10))
        .run(async {
            let ((_r, mut writer), (mut reader, _w)) = world().connection(&StreamOptions::new());
            world().inject(Fault::eof().after(Direction::ToServer, 15));
            writer.write([b'x'; 9]).unwrap();
            world().stop_faults();
            writer.write([b'x'; 11]).unwrap();
            assert_eq!(
                reader.read_exactly(20).await.unwrap(),
                [b'x'; 20].as_slice()
            );
        });
}

#[test]
fn accepting_does_not_fail_once_faults_are_stopped() {
    Sim::new(1).run(async {
        let server = start_server("127.0.0.1:7", echo).on_accept_error(|error| panic!("{error}"));
        let _server = server.await.unwrap();
        world().fail_accepts(io::ErrorKind::OutOfMemory, 3);
        world().stop_faults();
        open_connection("127.0.0.1:7").await.unwrap();
        world().sleep(SECOND).await;
    });
}
