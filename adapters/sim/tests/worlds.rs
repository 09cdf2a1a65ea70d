//! What is promised of a world: its time, its order, its end.

#[path = "support/echo.rs"]
mod echo;
#[path = "support/yield_now.rs"]
mod yield_now;

use std::{
    cell::Cell,
    future::{IntoFuture, pending, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::Poll,
    thread,
    time::Duration,
};

use echo::echo;
use millpond::adapter::{ConnectOptions, ListenOptions};
use millpond_sim::{
    Address, Check, Fault, ReadError, Sim, StreamOptions, StreamReader, StreamWriter, check,
    open_connection, start_server, timeout, world,
};
use yield_now::yield_now;

const SECOND: Duration = Duration::from_secs(1);

/// Several clients of an echo server, with much data, and a timeout.
async fn busy_program() -> usize {
    let server = start_server("127.0.0.1:7", echo).on_handler_error(|_| {});
    let server = server.await.unwrap();
    let total = Arc::new(AtomicUsize::new(0));
    for client in 0..4_usize {
        let total = total.clone();
        world().spawn(async move {
            let Ok((mut reader, mut writer)) = open_connection("localhost:7").await else {
                return;
            };
            let data = vec![b'x'; 1 << (4 * client)];
            if writer.write(&data).is_ok() {
                let read = timeout(SECOND * 30, reader.read_exactly(data.len())).await;
                if let Ok(Ok(data)) = read {
                    total.fetch_add(data.len(), Ordering::Relaxed);
                }
            }
        });
    }
    world().sleep(SECOND * 300).await;
    server.close();
    total.load(Ordering::Relaxed)
}

fn busy_world(seed: u64) -> Sim {
    let latency = Duration::from_millis(1)..=Duration::from_millis(80);
    Sim::new(seed).rough().latency(latency).random_faults(3)
}

#[test]
fn the_same_seed_gives_the_same_trace_a_thousand_times() {
    let first = busy_world(42).record(busy_program());
    for _ in 0..1000 {
        let again = busy_world(42).record(busy_program());
        assert_eq!(again.trace.hash(), first.trace.hash());
        assert_eq!(again.trace.len(), first.trace.len());
    }
}

/// Only the world itself, so that the number changes with nothing else.
#[test]
fn a_seed_gives_the_same_trace_on_every_machine() {
    let run = Sim::new(7).rough().record(async {
        let runtime = world().runtime();
        let address = Address::from(([127, 0, 0, 1], 7));
        let bound = runtime.bind(&address, &ListenOptions::default()).unwrap();
        let listener = bound.listen(1).unwrap();
        world().spawn(async move {
            let socket = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
            let mut buf = [0; 100];
            while let Ok(1..) = poll_fn(|cx| socket.poll_read(cx, &mut buf)).await {
                let pause = world().choose(1000) as u64;
                world().sleep(Duration::from_micros(pause)).await;
            }
        });
        let options = ConnectOptions::default();
        let socket = runtime.connect(&address, &options).await.unwrap();
        let mut left = 10_000;
        while left > 0 {
            let data = vec![b'x'; left];
            left -= poll_fn(|cx| socket.poll_write(cx, &data)).await.unwrap();
        }
        drop(socket);
        world().sleep(SECOND).await;
    });
    assert_eq!(
        (run.trace.len(), run.trace.hash()),
        (528, 6_263_921_134_068_344_524)
    );
}

/// Where in memory a reader's buffer lies differs from process to process.
#[test]
fn much_data_gives_the_same_trace_wherever_its_buffers_are() {
    let hash = || {
        let run = Sim::new(7).record(async {
            let (client, (reader, writer)) = world().connection(&StreamOptions::new());
            world().spawn(async { drop(echo(reader, writer).await) });
            let (mut reader, mut writer) = client;
            writer.write(vec![b'y'; 1_000_000]).unwrap();
            reader.read_exactly(1_000_000).await.unwrap();
        });
        run.trace.hash()
    };
    let first = hash();
    let mut kept = Vec::new();
    for n in 0..50 {
        kept.push(vec![0_u8; n * 8 + 1]); // moves what is allocated next
        assert_eq!(hash(), first);
    }
}

#[test]
fn other_seeds_give_other_traces() {
    let mut hashes: Vec<_> = (0..200)
        .map(|seed| busy_world(seed).record(busy_program()).trace.hash())
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 200);
}

#[test]
fn the_same_bytes_give_the_same_trace_and_others_another_one() {
    let hash = |bytes: &[u8]| {
        Sim::from_bytes(bytes)
            .rough()
            .record(busy_program())
            .trace
            .hash()
    };
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(hash(&bytes), hash(&bytes));
    assert_ne!(hash(&bytes), hash(&bytes[1..]));
    let run = Sim::from_bytes([]).rough().record(busy_program());
    assert_eq!(run.output.unwrap(), 1 + 16 + 256 + 4096);
}

#[test]
fn time_passes_only_when_nothing_else_can_happen() {
    let run = Sim::new(1).record(async {
        let began = world().now();
        let sleeps = [3, 1, 2].map(|seconds| async move {
            world().sleep(SECOND * seconds).await;
        });
        for sleep in sleeps {
            sleep.await;
        }
        assert_eq!(world().now() - began, SECOND * 6);
        assert!(timeout(SECOND, pending::<()>()).await.is_err());
    });
    assert_eq!(run.elapsed, SECOND * 7);
}

#[test]
fn a_sleep_that_is_dropped_does_not_hold_the_clock() {
    let run = Sim::new(1).record(async {
        timeout(SECOND * 1000, world().sleep(SECOND)).await.unwrap();
        pending::<()>().await;
    });
    assert!(run.output.is_err());
    assert_eq!(run.elapsed, SECOND);
}

#[test]
fn a_task_that_runs_until_something_happens_sees_it_happen() {
    Sim::new(1).run(async {
        let mut sleep = Box::pin(world().sleep(Duration::from_millis(1)));
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            sleep
                .as_mut()
                .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
        })
        .await;
    });
}

#[test]
fn the_clock_can_jump_over_what_is_due() {
    Sim::new(1).run(async {
        let sleep = world().sleep(SECOND);
        world().spawn(async { world().jump(SECOND * 3600) });
        let began = world().now();
        sleep.await;
        assert_eq!(world().now() - began, SECOND * 3600);
    });
}

#[test]
fn times_that_never_come_are_no_overflow() {
    let run = Sim::new(1).record(async { world().sleep(Duration::MAX).await });
    assert!(run.output.is_err());
    Sim::new(1).run(async {
        world().jump(Duration::MAX);
        world().sleep(Duration::MAX).await;
    });
}

#[test]
fn a_world_that_is_stuck_says_which_tasks_wait_for_what() {
    let run = Sim::new(1).record(async {
        let server = start_server("127.0.0.1:7", echo).await.unwrap();
        let (mut reader, _writer) = open_connection("127.0.0.1:7").await.unwrap();
        world().spawn(pending());
        reader.read(1).await.unwrap();
        drop(server);
    });
    let stuck = run.output.unwrap_err().to_string();
    for part in [
        "nothing can ever happen any more",
        "the main task waits to read as the client of connection 1 (127.0.0.1:49152 to 127.0.0.1:7)",
        "waits to accept at 127.0.0.1:7",
        "waits to read as the server of connection 1",
        "waits for something else than the network",
    ] {
        assert!(stuck.contains(part), "{stuck}");
    }
}

#[test]
fn a_world_in_which_something_happens_for_ever_is_stuck() {
    let run = Sim::new(1).max_polls(1000).record(poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    }));
    assert!(run.output.unwrap_err().to_string().contains("1000 polls"));
    assert_eq!(run.polls, 1000);
}

#[test]
fn leaks_are_reported() {
    let run = Sim::new(1).record(async {
        let (client, server) = world().connection(&StreamOptions::new());
        drop(server);
        world().spawn(async move {
            let _client = client;
            pending::<()>().await;
        });
        world().sleep(SECOND).await;
    });
    assert_eq!(run.leaks.len(), 2, "{:?}", run.leaks);
    assert!(run.leaks[0].contains("task 1"));
    assert_eq!(run.leaks[1], "the client of connection 1 is open");
}

#[test]
fn what_ends_in_time_is_no_leak() {
    Sim::new(1).no_leaks().run(async {
        let server = start_server("127.0.0.1:7", echo).await.unwrap();
        let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.unwrap();
        writer.write(b"x").unwrap();
        reader.read(1).await.unwrap();
        world().spawn(async { world().sleep(SECOND * 10).await });
        drop(server);
    });
}

#[test]
fn a_task_that_panics_fails_the_run() {
    let run = || {
        Sim::new(1).run(async {
            world().spawn(async { panic!("as it should") });
            world().sleep(SECOND).await;
        });
    };
    let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"as it should"));
}

#[test]
fn a_failure_stops_a_check_at_its_seed() {
    let mut tried = Vec::new();
    let checked = catch_unwind(AssertUnwindSafe(|| {
        Check::new(5..).shrink_for(Duration::ZERO).run(|sim| {
            tried.push(tried.len());
            sim.run(async { assert!(world().choose(10) != 3, "three") });
        });
    }));
    assert!(checked.is_err());
    let last = 5 + tried.len() as u64 - 1;
    let fails = |seed| Sim::new(seed).run(async { world().choose(10) }) == 3;
    assert!((5..last).all(|seed| !fails(seed)));
    assert!(fails(last));
}

#[test]
fn tasks_that_outlive_the_program_are_dropped_and_what_they_spawn_is_too() {
    struct Spawns(Arc<AtomicUsize>);

    impl Drop for Spawns {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            let dropped = self.0.clone();
            if dropped.load(Ordering::Relaxed) < 3 {
                world().spawn(async move {
                    let _spawns = Self(dropped);
                    pending::<()>().await;
                });
            }
        }
    }

    let dropped = Arc::new(AtomicUsize::new(0));
    let spawns = Spawns(dropped.clone());
    Sim::new(1).run(async {
        world().spawn(async move {
            let _spawns = spawns;
            pending::<()>().await;
        });
    });
    assert_eq!(
        dropped.load(Ordering::Relaxed),
        1,
        "a task of an ended world never ran"
    );
    assert_eq!(Arc::strong_count(&dropped), 1);
}

#[test]
fn faults_happen_at_the_byte_that_was_planned() {
    use millpond_sim::Direction::{ToClient, ToServer};
    for after in [0, 1, 1016, 1017, 1018, 4000] {
        for direction in [ToServer, ToClient] {
            let fault = Fault::reset().connection(2).after(direction, after);
            Sim::new(1).fault(fault).run(async {
                let (_first, _) = world().connection(&StreamOptions::new());
                let (client, server) = world().connection(&StreamOptions::new());
                let (mut writer, mut reader) = match direction {
                    ToServer => (client.1, server.0),
                    ToClient => (server.1, client.0),
                };
                for _ in 0..after {
                    writer.write(b"x").unwrap();
                }
                let error = loop {
                    if let Err(error) = reader.read(4096).await {
                        break error;
                    }
                };
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                // Nothing is taken from a reader that fails.
                assert!(writer.write(b"x").is_err());
            });
        }
    }
}

/// The message of a world that fails.
fn failure(run: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    *payload.downcast::<String>().unwrap()
}

#[test]
fn a_handler_or_a_report_that_panics_fails_the_world_unless_that_is_tolerated() {
    async fn call() {
        let server = start_server("127.0.0.1:7", async |mut reader, _| {
            assert_eq!(reader.read(5).await.unwrap(), "hello", "of the handler");
        });
        let server = server.on_handler_error(|_| panic!("of the report"));
        let _server = server.await.unwrap();
        let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.unwrap();
        writer.write(b"howdy").unwrap();
        assert_eq!(reader.read_to_eof().await.unwrap(), "");
    }
    let message = failure(|| Sim::new(1).run(call()));
    assert!(message.contains("a server has caught a panic"), "{message}");
    assert!(message.contains("of the handler"), "{message}");
    Sim::new(1).tolerate_panics().run(call());

    let message = failure(|| {
        Sim::new(1).run(async {
            let server = start_server("127.0.0.1:7", async |_, _| Err::<(), _>("no"));
            let server = server.on_handler_error(|error| panic!("{error}"));
            let server = server.await.unwrap();
            open_connection(&server.sockets()[0]).await.unwrap();
            world().sleep(SECOND).await;
        });
    });
    assert!(message.contains("a server has caught a panic"), "{message}");
}

#[test]
fn when_no_choices_are_left_no_task_waits_for_ever() {
    let run = Sim::from_bytes([]).max_polls(1000).record(async {
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..2 {
            let done = done.clone();
            world().spawn(async move {
                while done.load(Ordering::Relaxed) == 0 {
                    yield_now().await;
                }
            });
        }
        let last = done.clone();
        world().spawn(async move { last.store(1, Ordering::Relaxed) });
        while done.load(Ordering::Relaxed) == 0 {
            yield_now().await;
        }
    });
    run.output.unwrap();
}

#[test]
fn a_deadlock_is_reported_before_its_leaks() {
    let message = failure(|| {
        Sim::new(1).no_leaks().run(async {
            world().spawn(pending());
            let ((mut reader, _writer), _peer) = world().connection(&StreamOptions::new());
            reader.read_line().await.unwrap();
        });
    });
    assert!(message.contains("nothing can ever happen"), "{message}");
    assert!(
        message.contains("the main task waits to read as"),
        "{message}"
    );
}

/// What is not polled any more is dropped, and that needs the world.
#[test]
fn a_world_without_end_is_reported_whatever_its_tasks_hold() {
    for polls in 1..20 {
        let run = Sim::new(1).max_polls(polls).record(async {
            let ((mut reader, writer), _peer) = world().connection(&StreamOptions::new());
            world().spawn(async move {
                let _writer = writer;
                loop {
                    let _ = timeout(SECOND, reader.read(1)).await;
                }
            });
            pending::<()>().await;
        });
        let stuck = run.output.unwrap_err().to_string();
        assert!(
            stuck.contains(&format!("no end after {polls} polls")),
            "{stuck}"
        );
    }
}

#[test]
fn what_happens_at_a_time_happens_on_the_first_host() {
    for seed in 0..10 {
        let sim = Sim::new(seed).host("shop", ["10.0.0.80".parse().unwrap()]);
        let sim = sim.at(2 * SECOND, |world| {
            world.spawn(async {
                let server = start_server("127.0.0.1:7", echo).await.unwrap();
                server.serve_forever().await.unwrap();
            });
        });
        sim.run(async {
            world()
                .host("shop")
                .spawn(async { world().sleep(SECOND).await });
            world().sleep(3 * SECOND).await;
            open_connection("127.0.0.1:7").await.unwrap();
        });
    }
}

#[test]
fn a_task_that_waits_for_a_thread_is_no_leak() {
    let sim = Sim::new(1).other_threads(SECOND * 60).no_leaks();
    sim.run(async {
        world().spawn(async {
            let (sender, receiver) = futures_util::future::abortable(pending::<()>());
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                receiver.abort();
            });
            let _aborted = sender.await;
        });
    });
}

#[test]
fn the_faults_that_have_happened_are_counted() {
    let faults = |connection| {
        let reset = Fault::reset().connection(connection);
        let sim = Sim::new(1)
            .fault(reset)
            .fault(Fault::refuse().connection(2));
        let run = sim.record(async {
            let _connection = world().connection(&StreamOptions::new());
            let _ = open_connection("127.0.0.1:7").await;
        });
        run.faults
    };
    assert_eq!(faults(1), 2);
    assert_eq!(faults(7), 1);
}

/// What was with the system arrives, what the program had queued does not, and nothing is left.
#[test]
fn a_host_that_is_killed_at_any_time_closes_everything_and_can_start_again() {
    const SENT: usize = 100_000;
    let hosts = |sim: Sim| {
        sim.host("localhost", ["10.0.0.1".parse().unwrap()])
            .host("shop", ["10.0.0.80".parse().unwrap()])
    };
    let mut cut_off = 0;
    check(0..100, |sim| {
        let latency = Duration::from_millis(1)..=Duration::from_millis(20);
        let sim = hosts(sim).rough().latency(latency).buffers(5000, 5000);
        let received = sim.no_leaks().run(async {
            let shop = world().host("shop");
            let serve = async |mut reader: StreamReader, mut writer: StreamWriter| {
                writer.write(vec![b'x'; SENT])?;
                reader.read_to_eof().await?;
                Ok::<_, io::Error>(())
            };
            let start = || {
                let server = millpond::start_server(shop.runtime(), ":80", serve);
                server.on_handler_error(|_| {}).into_future()
            };
            let _killed = start().await.unwrap();
            let (mut reader, mut writer) = open_connection("shop:80").await.unwrap();
            let again = shop.clone();
            let wait = Duration::from_millis(world().choose(1000) as u64);
            world().spawn(async move {
                world().sleep(wait).await;
                again.kill();
            });
            let received = match timeout(SECOND * 2, reader.read_exactly(SENT + 1))
                .await
                .unwrap()
            {
                Err(ReadError::Incomplete { partial, .. }) => partial.len(),
                Err(_) => reader.buffered().len(),
                Ok(_) => panic!("more has come than was sent"),
            };
            let _ = writer.write(b"anybody there?");
            let error = open_connection("shop:80").await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);

            let server = start().await.unwrap();
            let (mut reader, _writer) = open_connection("shop:80").await.unwrap();
            assert_eq!(reader.read_exactly(SENT).await.unwrap().len(), SENT);
            server.close();
            received
        });
        cut_off += u32::from(received < SENT);
    });
    assert!(cut_off > 10, "{cut_off}");
}

#[test]
fn a_task_that_kills_its_host_ends_when_it_waits() {
    Sim::new(1).host("shop", []).no_leaks().run(async {
        let shop = world().host("shop");
        let ran = Arc::new(AtomicUsize::new(0));
        let count = ran.clone();
        shop.clone().spawn(async move {
            shop.kill();
            count.fetch_add(1, Ordering::Relaxed);
            yield_now().await;
            count.fetch_add(1, Ordering::Relaxed);
        });
        world().sleep(SECOND).await;
        assert_eq!(ran.load(Ordering::Relaxed), 1);
        assert_eq!(world().tasks(), 0);
    });
}

/// Such destructors run when others of the thread have run already.
#[test]
fn a_world_can_be_run_by_the_destructor_of_a_thread_local() {
    struct RunsAWorld(mpsc::Sender<thread::Result<Duration>>);

    impl Drop for RunsAWorld {
        fn drop(&mut self) {
            let ran = catch_unwind(|| {
                Sim::new(1).run(async {
                    world().sleep(SECOND).await;
                    world().elapsed()
                })
            });
            self.0.send(ran).unwrap();
        }
    }

    thread_local! {
        static LEFT: Cell<Option<RunsAWorld>> = const { Cell::new(None) };
    }

    let (ran, result) = mpsc::channel();
    let thread = thread::spawn(move || {
        LEFT.set(None); // the destructor of what is used first runs last
        Sim::new(1).run(async { world().sleep(SECOND).await });
        LEFT.set(Some(RunsAWorld(ran)));
    });
    thread.join().unwrap();
    assert_eq!(result.recv().unwrap().unwrap(), SECOND);
}
