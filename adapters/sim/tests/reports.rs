//! What is counted over many worlds: what was ever so, how much there was, and which faults happened.

use std::{env, io, process::Command, time::Duration};

use millpond_sim::{
    Check, Direction, Fault, Sim, check, never, observe, open_connection, reachable, sometimes,
    start_server, timeout, world,
};

const SECOND: Duration = Duration::from_secs(1);

/// Set where the test that this program runs is its child.
const CHILD: &str = "MILLPOND_TEST_CHILD";

/// What a test prints in a process of its own, and whether it passed.
fn run_alone(test: &str, variables: &[(&str, &str)]) -> (String, bool) {
    let output = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env_remove("MILLPOND_SEED")
        .env("RUST_BACKTRACE", "0")
        .env(CHILD, "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    (
        String::from_utf8(output.stderr).unwrap(),
        output.status.success(),
    )
}

async fn throw() -> usize {
    let thrown = world().choose(6) + 1;
    if thrown == 6 {
        reachable!("a six");
    }
    sometimes!(thrown < 3, "one or two");
    sometimes!(thrown < 3, "one or two");
    observe!("thrown", thrown);
    thrown
}

#[test]
fn what_was_true_is_counted_once_in_each_world() {
    let thrown: Vec<_> = (0..200).map(|seed| Sim::new(seed).run(throw())).collect();
    let report = Check::new(0..200).must("a six").run(|sim| {
        sim.run(throw());
    });
    let count = |wanted: fn(&usize) -> bool| thrown.iter().filter(|it| wanted(it)).count() as u64;
    assert_eq!(report.worlds(), 200);
    assert_eq!(report.count("a six"), count(|thrown| *thrown == 6));
    assert_eq!(report.count("one or two"), count(|thrown| *thrown < 3));
    assert_eq!(report.observed("thrown"), Some(1..=6));
    let seed = |wanted: usize| thrown.iter().position(|it| *it == wanted).unwrap();
    let text = report.to_string();
    for line in [
        format!(
            "sometimes \"a six\" in {} worlds, first {}",
            report.count("a six"),
            seed(6)
        ),
        format!(
            "observed \"thrown\" from 1 in {} to 6 in {}",
            seed(1),
            seed(6)
        ),
    ] {
        assert!(text.contains(&line), "{line} in {text}");
    }
}

#[test]
fn what_is_counted_changes_no_world() {
    let hash = |counts: bool, seed| {
        let run = Sim::new(seed).rough().record(async move {
            if counts {
                throw().await;
            } else {
                world().choose(6);
            }
            let server = start_server("127.0.0.1:7", async |_, mut writer| writer.write(b"hello"));
            let server = server.await.unwrap();
            let (mut reader, _writer) = open_connection(&server.sockets()[0]).await.unwrap();
            reader.read_to_eof().await.unwrap();
        });
        run.trace.hash()
    };
    for seed in 0..100 {
        assert_eq!(hash(true, seed), hash(false, seed));
    }
}

#[test]
#[should_panic(expected = "in none of 100 worlds was it so: [\"a seven\"]")]
fn a_name_that_is_never_reached_fails_the_test() {
    Check::new(0..100).must("a seven").must("a six").run(|sim| {
        if sim.run(throw()) == 7 {
            reachable!("a seven");
        }
    });
}

#[test]
#[should_panic(expected = "in none of 100 worlds was it so: [\"a seven\"]")]
fn what_is_never_true_fails_the_test() {
    check(0..100, |sim| sometimes!(sim.run(throw()) == 7, "a seven"));
}

#[test]
#[should_panic(expected = "this is never to happen: a six")]
fn what_is_never_to_be_reached_fails_the_world() {
    check(0..100, |sim| {
        if sim.run(throw()) == 6 {
            never!("a six");
        }
    });
}

#[test]
fn of_one_world_alone_nothing_has_to_be_true() {
    let test = "of_one_world_alone_nothing_has_to_be_true";
    if env::var_os(CHILD).is_some() {
        Check::new(0..100).must("a seven").run(|sim| {
            sim.run(throw());
        });
        return;
    }
    let (text, passed) = run_alone(test, &[("MILLPOND_SEED", "5")]);
    assert!(passed, "{text}");
    let (text, passed) = run_alone(test, &[]);
    assert!(!passed, "{text}");
    assert_eq!(text.matches("NEVER \"a seven\"").count(), 1, "{text}");
}

#[test]
fn outside_of_a_check_nothing_is_counted() {
    sometimes!(false, "never asked");
    observe!("nothing", 1);
    let report = Check::new(0..10).run(|sim| {
        let inner = Check::new(0..3).run(|_| reachable!("within"));
        assert_eq!(inner.count("within"), 3);
        sim.run(throw());
    });
    assert_eq!(report.count("within"), 0);
    assert_eq!(report.observed("nothing"), None);
    assert_eq!(report.observed("thrown").map(|it| *it.end()), Some(6));
}

async fn ask() -> io::Result<()> {
    let (mut reader, mut writer) = open_connection("127.0.0.1:7").await?;
    writer.write(b"hello\n")?;
    reader.read_line().await?;
    Ok(())
}

async fn ask_often() {
    let server = start_server("127.0.0.1:7", async |mut reader, mut writer| {
        let line = timeout(SECOND * 60, reader.read_line()).await??;
        writer.write_all(&line).await?;
        Ok::<_, io::Error>(())
    });
    let server = server.on_handler_error(|_| {}).on_accept_error(|_| {});
    let _server = server.await.unwrap();
    for _ in 0..3 {
        let _ = timeout(SECOND * 300, ask()).await; // it may fail
    }
}

#[test]
fn each_kind_of_fault_is_counted_and_those_that_never_happened_are_marked() {
    let report = Check::new(0..300).run(|sim| {
        let late = Fault::stall(SECOND).connection(9);
        sim.random_faults(2).fault(late).run(ask_often());
    });
    let text = report.to_string();
    let (_, faults) = text.split_once("faults: ").unwrap();
    let counts: Vec<_> = faults.split(", ").collect();
    let names = [
        "reset",
        "end of the stream",
        "stall",
        "refusal",
        "no answer",
        "accept error",
    ];
    assert_eq!(counts.len(), names.len(), "{text}");
    for (count, name) in counts.iter().zip(names) {
        let count = count.strip_prefix(name).unwrap().trim();
        assert!(count.parse::<u32>().unwrap() > 0, "{text}");
    }

    let report = Check::new(0..20).run(|sim| {
        let sim = sim.fault(Fault::reset().connection(9));
        sim.fault(Fault::refuse().connection(1)).run(ask_often());
    });
    let text = report.to_string();
    assert!(text.contains("faults: reset 0 (!), refusal 20"), "{text:?}");
    assert!(!Check::new(0..2).run(drop).to_string().contains("faults"));
}

#[test]
fn a_failure_says_which_faults_there_were_above_its_last_events() {
    let test = "a_failure_says_which_faults_there_were_above_its_last_events";
    if env::var_os(CHILD).is_some() {
        let stall = Fault::stall(SECOND).after(Direction::ToServer, 2);
        let end = Fault::eof().connection(2).after(Direction::ToClient, 1);
        Sim::new(1).fault(stall).fault(end).run(async {
            ask_often().await;
            world().fail_accepts(io::ErrorKind::OutOfMemory, 3);
            panic!("bad luck");
        });
    }
    let (text, passed) = run_alone(test, &[]);
    assert!(!passed);
    let faults = "the faults in a world that failed:
    connection 1: stall of 1s after 2 bytes to the server, at 0.000000 s, as planned
    connection 2: stall of 1s after 2 bytes to the server, at 1.000000 s, as planned
    connection 2: end of the stream after 1 byte to the client, at 2.000000 s, as planned
    connection 3: stall of 1s after 2 bytes to the server, at 2.000000 s, as planned
    accepting fails 3 times with OutOfMemory, at 3.000000 s, as planned
the last ";
    assert!(text.contains(faults), "{text}");
}
