//! One-way partitions, latencies of two hosts, drift, changed and repeated bytes, trickles, restarts, swarms.

#[path = "support/shop.rs"]
mod shop;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use millpond_sim::{
    Direction, Fault, Sim, StreamOptions, Sweep, open_connection, start_server, timeout, world,
};
use shop::{echo, open_shop};

const SECOND: Duration = Duration::from_secs(1);

fn hosts(sim: Sim) -> Sim {
    sim.host("localhost", ["10.0.0.1".parse().unwrap()])
        .host("shop", ["10.0.0.80".parse().unwrap()])
        .host("moon", ["10.0.0.81".parse().unwrap()])
}

#[test]
fn a_request_to_connect_gets_there_one_way_and_its_answer_comes_when_that_is_healed() {
    for (from, to) in [("shop", "localhost"), ("localhost", "shop")] {
        hosts(Sim::new(1)).run(async {
            open_shop("shop").await;
            world().partition_one_way(from, to);
            let opening = timeout(SECOND * 20, open_connection("shop:80")).await;
            assert!(opening.is_err());
            // The other hosts are not concerned.
            let before = world().open_ends();
            world().partition_one_way("moon", "shop");
            let opening = while_healing(open_connection("shop:80").into_future()).await;
            let (mut reader, mut writer) = opening.unwrap();
            assert!(world().open_ends() > before);
            writer.write(b"hello\n").unwrap();
            assert_eq!(reader.read_line().await.unwrap(), "hello\n");
        });
    }
}

/// Waits for something, and heals the network meanwhile.
async fn while_healing<F: Future>(future: F) -> F::Output {
    world().spawn(async {
        world().sleep(SECOND * 10).await;
        world().heal("localhost", "shop");
    });
    future.await
}

#[test]
fn what_is_sent_the_other_way_arrives_during_a_one_way_partition() {
    hosts(Sim::new(1)).run(async {
        open_shop("shop").await;
        let (mut reader, mut writer) = open_connection("shop:80").await.unwrap();
        world().partition_one_way("localhost", "shop");
        writer.write(b"late\n").unwrap();
        let answer = timeout(SECOND * 9, reader.read_line()).await;
        assert!(answer.is_err());
        world().heal("shop", "localhost"); // in whichever order
        assert_eq!(reader.read_line().await.unwrap(), "late\n");
    });
}

#[test]
fn two_hosts_may_be_farther_from_each_other_than_others() {
    let [near, far] = [10, 300].map(Duration::from_millis);
    let sim = hosts(Sim::new(1)).latency(near..=near);
    sim.latency_between("moon", "localhost", far..=far)
        .run(async {
            for (name, one_way) in [("shop", near), ("moon", far)] {
                open_shop(name).await;
                let began = world().elapsed();
                let opened = open_connection((name, 80)).await;
                let (mut reader, mut writer) = opened.unwrap();
                assert_eq!(world().elapsed() - began, one_way * 2);
                writer.write(b"hello\n").unwrap();
                reader.read_line().await.unwrap();
                assert_eq!(world().elapsed() - began, one_way * 4);
            }
        });
}

/// What arrives of some writes with some faults.
fn arrives(writes: &[&[u8]], faults: &[Fault]) -> Vec<u8> {
    let sim = faults
        .iter()
        .fold(Sim::new(1), |sim, fault| sim.fault(*fault));
    sim.run(async {
        let ((_r, mut writer), (mut reader, _w)) = world().connection(&StreamOptions::new());
        let mut arrived = Vec::new();
        for data in writes {
            writer.write(data).unwrap();
            arrived.extend(reader.read_exactly(data.len()).await.unwrap());
        }
        arrived
    })
}

#[test]
fn a_flip_changes_its_bits_in_the_one_byte_wherever_writes_end() {
    let sent = b"abcdefgh";
    for cut in 1..sent.len() {
        let writes = [&sent[..cut], &sent[cut..]];
        for after in 0..sent.len() {
            let flip = Fault::flip(0x81).after(Direction::ToServer, after as u64);
            let mut expected = sent.to_vec();
            expected[after] ^= 0x81;
            assert_eq!(arrives(&writes, &[flip]), expected, "{cut} {after}");
            // The same again takes it back, and one of the other direction is none of this one.
            assert_eq!(arrives(&writes, &[flip, flip]), sent);
            let back = Fault::flip(1).after(Direction::ToClient, after as u64);
            assert_eq!(arrives(&writes, &[back]), sent);
        }
    }
}

#[test]
fn what_is_repeated_comes_twice_at_once_wherever_writes_end() {
    let sent = b"abcdefgh";
    for cut in 1..sent.len() {
        for after in 0..sent.len() {
            for bytes in 1..10 {
                let repeat = Fault::repeat(bytes).after(Direction::ToServer, after as u64);
                let written = if after < cut { cut } else { sent.len() };
                let end = written.min(after + bytes);
                let expected = [&sent[..end], &sent[after..]].concat();
                let arrived = Sim::new(1).fault(repeat).run(async {
                    let options = StreamOptions::new();
                    let ((_r, mut writer), (mut reader, _w)) = world().connection(&options);
                    writer.write(&sent[..cut]).unwrap();
                    writer.write(&sent[cut..]).unwrap();
                    writer.close();
                    reader.read_to_eof().await.unwrap()
                });
                assert_eq!(arrived, expected, "{cut} {after} {bytes}");
            }
        }
    }
}

#[test]
fn random_repetitions_begin_a_write_again_until_they_are_stopped() {
    for seed in 0..100 {
        let run = Sim::new(seed).random_repeats(1).record(async {
            let ((_r, mut writer), (mut reader, _w)) = world().connection(&StreamOptions::new());
            writer.write(b"12345678").unwrap();
            world().stop_faults();
            writer.write(b"90").unwrap();
            writer.close();
            reader.read_to_eof().await.unwrap()
        });
        assert_eq!(run.faults, 1);
        let arrived = run.output.unwrap();
        let repeated = arrived.len() - 10;
        assert!((1..=8).contains(&repeated));
        assert_eq!(arrived, [&b"12345678"[..repeated], b"1234567890"].concat());
    }
}

#[test]
fn the_clock_of_one_host_may_drift_and_its_waits_are_of_its_own_time() {
    for (drift, sleeps) in [(0, 60), (1_000_000, 30), (-500_000, 120)] {
        hosts(Sim::new(1)).clock_drift("shop", drift).run(async {
            let shop = world().host("shop");
            let (began, runtime) = (world().now(), shop.runtime());
            let then = runtime.now();
            let sleep = runtime.sleep(SECOND * 60);
            sleep.await;
            assert_eq!(runtime.now() - then, SECOND * 60);
            assert_eq!(world().now() - began, SECOND * sleeps);
            let localhost = world().host("localhost").runtime();
            localhost.sleep(SECOND).await;
            assert_eq!(world().now() - began, SECOND * (sleeps + 1));
        });
    }
    // However it drifts, nothing wakes too early.
    for drift in [-999_999, -7, 1, 13, 333_333, 1_999_999_999] {
        hosts(Sim::new(1)).clock_drift("shop", drift).run(async {
            let runtime = world().host("shop").runtime();
            for nanos in [0, 1, 2, 3, 999, 1_000_001] {
                let then = runtime.now();
                runtime.sleep(Duration::from_nanos(nanos)).await;
                assert!(runtime.now() - then >= Duration::from_nanos(nanos));
            }
        });
    }
}

#[test]
fn random_flips_change_one_bit_of_a_write_until_they_are_stopped() {
    for seed in 0..100 {
        let run = Sim::new(seed).random_flips(1).record(async {
            let ((_r, mut writer), (mut reader, _w)) = world().connection(&StreamOptions::new());
            for _ in 0..10 {
                writer.write(b"12345678").unwrap();
                let arrived = reader.read_exactly(8).await.unwrap();
                let pairs = arrived.iter().zip(b"12345678");
                let bits: u32 = pairs.map(|(one, other)| (one ^ other).count_ones()).sum();
                assert_eq!(bits, 1);
            }
            world().stop_faults();
            writer.write(b"12345678").unwrap();
            assert_eq!(reader.read_exactly(8).await.unwrap(), "12345678");
        });
        assert_eq!(run.faults, 10);
    }
}

#[test]
fn a_peer_that_trickles_is_given_up_in_time() {
    let trickle = Fault::trickle(SECOND * 10).after(Direction::ToServer, 2);
    let sim = Sim::new(1).fault(trickle);
    let arrived = sim.run(async {
        let ((_r, mut writer), (mut reader, _w)) = world().connection(&StreamOptions::new());
        writer.write(b"a line of bytes\n").unwrap();
        let line = timeout(SECOND * 35, reader.read_line()).await;
        assert!(line.is_err());
        reader.buffered().to_vec()
    });
    assert_eq!(arrived, b"a lin");
}

#[test]
fn whenever_bits_change_and_bytes_trickle_nothing_is_left() {
    let faults = [Fault::trickle(SECOND), Fault::flip(1)];
    let sweep = Sweep::every_byte(faults).seeds(0..20);
    let summary = sweep.run(|sim, _| {
        let sim = sim.rough().no_leaks().buffers(7, 5);
        sim.run(async {
            let server = start_server("127.0.0.1:7", echo).on_handler_error(|_| {});
            let server = server.await.unwrap();
            let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.unwrap();
            writer.write(b"one\ntwo and more\n").unwrap();
            let _answer = timeout(SECOND * 5, reader.read_line()).await;
            match world().choose(3) {
                0 => writer.abort(),
                1 => drop(reader),
                _ => {}
            }
            drop(writer);
            server.close();
        });
    });
    assert!(summary.worlds() > 21 * 2 * 17, "{summary}");
}

#[test]
fn a_host_that_is_restarted_runs_the_new_program_alone() {
    let runs = Arc::new(AtomicU32::new(0));
    let count = runs.clone();
    hosts(Sim::new(1)).run(async move {
        let program = move |count: Arc<AtomicU32>| async move {
            let server = start_server(":80", echo).await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            server.serve_forever().await.unwrap();
        };
        let shop = world().host("shop");
        shop.spawn(program(count.clone()));
        world().sleep(SECOND).await;
        let (mut old, _writer) = open_connection("shop:80").await.unwrap();
        world().sleep(SECOND).await; // it is accepted
        shop.restart(program(count));
        assert_eq!(old.read_to_eof().await.unwrap(), "");
        world().sleep(SECOND).await;
        open_connection("shop:80").await.unwrap();
    });
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

/// How many of its connections have each of these faults.
fn faults_of(sim: Sim) -> [usize; 2] {
    let run = sim.kept_events(usize::MAX).record(async {
        for _ in 0..20 {
            let _connection = world().connection(&StreamOptions::new());
            world().sleep(SECOND * 100).await;
        }
    });
    let trace = run.trace.to_string();
    [": reset", ": end of the stream"].map(|fault| trace.matches(fault).count())
}

#[test]
fn in_a_swarm_each_kind_of_fault_is_missing_in_half_of_the_worlds() {
    let missing = |swarm: bool| {
        let faults = (0..200).map(|seed| {
            let sim = Sim::new(seed).random_faults(1);
            faults_of(if swarm { sim.swarm() } else { sim })
        });
        let all: Vec<_> = faults.collect();
        [
            all.iter().filter(|it| it[0] == 0).count(),
            all.iter().filter(|it| it[1] == 0).count(),
            all.iter().filter(|it| it[0] == 0 && it[1] > 0).count(),
        ]
    };
    assert!(missing(false)[..2].iter().all(|worlds| *worlds < 10));
    let [resets, ends, ends_alone] = missing(true);
    assert!((70..130).contains(&resets) && (70..130).contains(&ends));
    assert!(ends_alone > 30, "{ends_alone}");
    // The calm world has none, although every connection was to have one.
    assert_eq!(
        faults_of(Sim::from_bytes([]).random_faults(1).swarm()),
        [0, 0]
    );
}
