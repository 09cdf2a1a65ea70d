//! What the network of a world does.

#[path = "support/echo.rs"]
mod echo;

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use echo::echo;
use millpond_sim::{
    Address, Direction, Fault, OpenError, ReadError, Server, Sim, Stream, StreamMode,
    StreamOptions, StreamWriter, open_connection, open_unix_connection, start_server,
    start_unix_server, timeout, world,
};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

async fn serve(at: &str) -> Server {
    start_server(at, echo)
        .on_handler_error(|_| {})
        .await
        .unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn kind(error: OpenError) -> ErrorKind {
    error.kind()
}

/// A world with two hosts; the program runs on the first one.
fn two_hosts(seed: u64) -> Sim {
    Sim::new(seed)
        .host("localhost", [ip("10.0.0.1"), ip("fd00::1")])
        .host("far", [ip("10.0.0.2"), ip("fd00::2")])
}

/// Starts an echo server on the other host.
async fn serve_far() {
    world().host("far").spawn(async {
        let server = serve(":7").await;
        server.serve_forever().await.unwrap();
    });
    world().sleep(MILLI).await;
}

#[test]
fn an_answer_takes_the_way_there_and_back() {
    let latency = Duration::from_millis(20);
    Sim::new(1).latency(latency..=latency).run(async {
        let _server = serve("127.0.0.1:7").await;
        let began = world().now();
        let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.unwrap();
        assert_eq!(world().now() - began, 2 * latency);
        writer.write(b"x").unwrap();
        reader.read(1).await.unwrap();
        assert_eq!(world().now() - began, 4 * latency);
    });
}

#[test]
fn what_was_sent_first_arrives_first_however_long_each_takes() {
    for seed in 0..100 {
        Sim::new(seed).latency(Duration::ZERO..=SECOND).run(async {
            let (client, server) = world().connection(&StreamOptions::new());
            let (mut writer, mut reader) = (client.1, server.0);
            let sent: Vec<u8> = (0..=255).collect();
            for byte in &sent {
                writer.write([*byte]).unwrap();
            }
            writer.write_eof().unwrap();
            assert_eq!(reader.read_to_eof().await.unwrap(), sent);
        });
    }
}

#[test]
fn a_narrow_line_takes_its_time() {
    Sim::new(1).bandwidth(1000).run(async {
        let (client, server) = world().connection(&StreamOptions::new());
        let (mut writer, mut reader) = (client.1, server.0);
        let began = world().now();
        writer.write(vec![0; 10_000]).unwrap();
        reader.read_exactly(10_000).await.unwrap();
        assert_eq!(world().now() - began, 10 * SECOND);
    });
}

#[test]
fn buffers_hold_as_much_as_is_set() {
    Sim::new(1).buffers(100, 50).run(async {
        let (client, server) = world().connection(&StreamOptions::new());
        let (mut writer, mut reader) = (client.1, server.0);
        writer.write([0; 200]).unwrap();
        assert_eq!(writer.queued(), 50);
        reader.read_exactly(10).await.unwrap();
        world().sleep(MILLI).await;
        assert_eq!(writer.queued(), 0);
    });
}

#[test]
fn hosts_have_names_addresses_and_ports_of_their_own() {
    two_hosts(1).run(async {
        serve_far().await;
        let _here = serve("127.0.0.1:7").await; // the same port
        for target in ["10.0.0.2:7", "far:7", "[fd00::2]:7"] {
            let (mut reader, mut writer) = open_connection(target).await.unwrap();
            let info = writer.extra_info().clone();
            assert!(info.peer_addr.unwrap().to_string().starts_with(['1', '[']));
            writer.write(b"x").unwrap();
            assert_eq!(reader.read(1).await.unwrap(), "x");
        }
        for (target, expected) in [
            ("10.0.0.1:7", ErrorKind::ConnectionRefused), // only on loopback
            ("10.0.0.3:7", ErrorKind::HostUnreachable),
            ("127.0.0.2:8", ErrorKind::ConnectionRefused),
        ] {
            let error = open_connection(target).await.unwrap_err();
            assert_eq!(kind(error), expected, "{target}");
        }
        let elsewhere = start_server("10.0.0.2:80", echo).await.unwrap_err();
        assert_eq!(kind(elsewhere), ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn what_was_sent_during_a_partition_arrives_when_it_heals() {
    two_hosts(1).run(async {
        serve_far().await;
        let (mut reader, mut writer) = open_connection("10.0.0.2:7").await.unwrap();
        world().partition("localhost", "far");
        writer.write(b"x").unwrap();
        assert!(timeout(60 * SECOND, reader.read(1)).await.is_err());
        let opening = open_connection("10.0.0.2:7").into_future();
        assert!(timeout(10 * SECOND, opening).await.is_err());
        world().heal("far", "localhost");
        assert_eq!(reader.read(1).await.unwrap(), "x");
        open_connection("10.0.0.2:7").await.unwrap();
    });
}

#[test]
fn an_attempt_without_an_answer_times_out_as_the_systems_does() {
    Sim::new(1).fault(Fault::black_hole()).run(async {
        let began = world().now();
        let error = open_connection("127.0.0.1:7").await.unwrap_err();
        assert_eq!(kind(error), ErrorKind::TimedOut);
        assert_eq!(world().now() - began, 127 * SECOND);
    });
}

#[test]
fn a_dead_address_costs_a_moment_and_a_dead_host_all_its_attempts() {
    let name = || [ip("::1"), ip("127.0.0.1")];
    Sim::new(1)
        .name("www", name())
        .fault(Fault::black_hole().connection(1))
        .run(async {
            let _server = serve("127.0.0.1:7").await;
            let began = world().now();
            let (_reader, writer) = open_connection("www:7").await.unwrap();
            assert!(
                writer
                    .extra_info()
                    .peer_addr
                    .clone()
                    .unwrap()
                    .tcp()
                    .unwrap()
                    .is_ipv4()
            );
            assert!(world().now() - began < SECOND);
        });
    Sim::new(1)
        .name("www", name())
        .fault(Fault::refuse())
        .run(async {
            let Err(OpenError::Connect { attempts }) = open_connection("www:7").await else {
                panic!("it was not refused");
            };
            assert_eq!(attempts.len(), 2);
        });
}

#[test]
fn names_that_are_not_known_do_not_resolve_and_others_take_their_time() {
    let sim = Sim::new(1).name("gone", []).name("here", [ip("127.0.0.1")]);
    sim.resolve_delay(SECOND).run(async {
        let _server = serve("127.0.0.1:7").await;
        for name in ["gone:7", "unknown:7"] {
            let error = open_connection(name).await.unwrap_err();
            assert!(matches!(error, OpenError::Resolve { .. }), "{error}");
        }
        assert_eq!(world().elapsed(), 2 * SECOND);
        open_connection("here:7").await.unwrap();
    });
}

#[test]
fn a_full_backlog_keeps_callers_waiting() {
    Sim::new(1).run(async {
        let server = start_server("127.0.0.1:7", echo)
            .backlog(2)
            .start_serving(false);
        let server = server.await.unwrap();
        // Bound, but not listening.
        let error = open_connection("127.0.0.1:7").await.unwrap_err();
        assert_eq!(kind(error), ErrorKind::ConnectionRefused);
        server.start_serving().unwrap();
        world().fail_accepts(ErrorKind::OutOfMemory, 1);
        let mut open = Vec::new();
        for _ in 0..10 {
            open.push(open_connection("127.0.0.1:7").await.unwrap());
        }
        assert!(world().elapsed() >= SECOND, "an attempt had to be repeated");
        for (reader, writer) in &mut open {
            writer.write(b"x").unwrap();
            assert_eq!(reader.read(1).await.unwrap(), "x");
        }
    });
}

#[test]
fn a_server_that_closes_resets_connections_that_were_not_accepted() {
    for address in [
        Address::from(([127, 0, 0, 1], 7)),
        Address::Unix(Some("/s".into())),
    ] {
        Sim::new(1).run(async {
            let runtime = world().runtime();
            let bound = runtime.bind(&address, &Default::default()).unwrap();
            let listener = bound.listen(10).unwrap();
            let (mut reader, _writer) = open_connection(&address).await.unwrap();
            drop(listener);
            let error = reader.read(1).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        });
    }
}

#[test]
fn accepting_goes_on_after_errors() {
    for (error, reports) in [
        (ErrorKind::ConnectionAborted, 0),
        (ErrorKind::OutOfMemory, 1),
    ] {
        Sim::new(1).run(async {
            let reported = std::sync::Arc::new(std::sync::Mutex::new(0));
            let count = reported.clone();
            let server = start_server("127.0.0.1:7", echo);
            let server = server.on_accept_error(move |_| *count.lock().unwrap() += 1);
            let _server = server.await.unwrap();
            world().fail_accepts(error, 5);
            let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.unwrap();
            writer.write(b"x").unwrap();
            assert_eq!(reader.read(1).await.unwrap(), "x");
            assert_eq!(*reported.lock().unwrap(), reports);
        });
    }
}

#[test]
fn paths_are_those_of_the_world() {
    Sim::new(1).run(async {
        let path = "/no/such/directory/socket";
        let missing = open_unix_connection(path).await.unwrap_err();
        assert_eq!(kind(missing), ErrorKind::NotFound);
        let server = start_unix_server(path, echo).await.unwrap();
        assert!(world().file_exists(path));
        let taken = start_unix_server(path, echo).await.unwrap_err();
        assert_eq!(kind(taken), ErrorKind::AddrInUse);
        let (mut reader, mut writer) = open_unix_connection(path).await.unwrap();
        writer.write(b"x").unwrap();
        assert_eq!(reader.read(1).await.unwrap(), "x");
        drop(server);
        assert!(!world().file_exists(path));
        assert!(!std::path::Path::new(path).exists());

        // What a dead server has left is replaced.
        drop(
            start_unix_server(path, echo)
                .cleanup_socket(false)
                .await
                .unwrap(),
        );
        assert!(world().file_exists(path));
        let refused = open_unix_connection(path).await.unwrap_err();
        assert_eq!(kind(refused), ErrorKind::ConnectionRefused);
        drop(start_unix_server(path, echo).await.unwrap());

        // A file in the way stays.
        world().make_file("/file");
        let in_the_way = start_unix_server("/file", echo).await.unwrap_err();
        assert_eq!(kind(in_the_way), ErrorKind::AddrInUse);
        assert!(world().file_exists("/file"));
    });
}

#[test]
fn ports_are_shared_only_by_servers_that_allow_it() {
    Sim::new(1).run(async {
        let _first = serve("127.0.0.1:7").await;
        for target in ["127.0.0.1:7", "0.0.0.0:7"] {
            let taken = start_server(target, echo).await.unwrap_err();
            assert_eq!(kind(taken), ErrorKind::AddrInUse);
        }
        let _other_family = serve("[::1]:7").await;
        let shared = || {
            start_server("127.0.0.1:8", echo)
                .reuse_port(true)
                .into_future()
        };
        let (_one, _other) = (shared().await.unwrap(), shared().await.unwrap());
        assert!(start_server("127.0.0.1:8", echo).await.is_err());
    });
}

#[test]
fn an_end_by_a_fault_is_one_for_the_reader_and_a_reset_for_the_writer() {
    Sim::new(1)
        .fault(Fault::eof().after(Direction::ToServer, 3))
        .run(async {
            let (client, server) = world().connection(&StreamOptions::new());
            let ((mut reader, mut writer), (mut far_reader, _far_writer)) = (client, server);
            writer.write(b"12345").unwrap();
            assert_eq!(far_reader.read_to_eof().await.unwrap(), "123");
            let error = reader.read(1).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        });
}

#[test]
fn a_stall_holds_back_what_comes_behind_it_and_then_gives_it_all() {
    let stall = Fault::stall(20 * SECOND).after(Direction::ToServer, 3);
    Sim::new(1).fault(stall).run(async {
        let (client, server) = world().connection(&StreamOptions::new());
        let (mut writer, mut reader) = (client.1, server.0);
        writer.write(b"12345").unwrap();
        writer.write(b"67").unwrap();
        assert_eq!(reader.read(10).await.unwrap(), "123");
        assert!(timeout(19 * SECOND, reader.read(10)).await.is_err());
        assert_eq!(reader.read_exactly(4).await.unwrap(), "4567");
        assert_eq!(world().elapsed(), 20 * SECOND);
    });
}

#[test]
fn an_injected_fault_happens_though_no_task_waits() {
    Sim::new(1).run(async {
        let (client, server) = world().connection(&StreamOptions::new());
        let ((mut reader, mut writer), (_far_reader, mut far_writer)) = (client, server);
        far_writer.write(b"before").unwrap();
        world().inject(Fault::reset());
        assert!(far_writer.write(b"after").is_err());
        // What has arrived can be read, and then the reset is reported.
        assert_eq!(reader.read_exactly(6).await.unwrap(), "before");
        let error = reader.read(1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(writer.write(b"?").is_err());
    });
}

#[test]
fn what_is_on_its_way_arrives_before_the_reset() {
    Sim::new(1).latency(SECOND..=SECOND).run(async {
        let (client, server) = world().connection(&StreamOptions::new());
        let (mut writer, mut reader) = (client.1, server.0);
        writer.write(b"on its way").unwrap();
        writer.abort();
        assert_eq!(reader.read(100).await.unwrap(), "on its way");
        let error = reader.read(1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

/// A reader and a writer.
fn pipe() -> (Stream, Stream) {
    world().pipe(&StreamOptions::new())
}

#[test]
fn a_pipe_carries_bytes_one_way_and_then_the_end() {
    for seed in 0..50 {
        let latency = SECOND..=SECOND; // it has none
        Sim::new(seed)
            .rough()
            .latency(latency)
            .no_leaks()
            .run(async {
                let (mut reader, mut writer) = pipe();
                assert_eq!(
                    (reader.mode(), writer.mode()),
                    (StreamMode::Read, StreamMode::Write)
                );
                let data: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
                let sent = data.clone();
                world().spawn(async move {
                    writer.write_all(&sent).await.unwrap();
                    writer.close();
                    writer.wait_closed().await.unwrap();
                });
                assert_eq!(reader.read_to_eof().await.unwrap(), data);
                assert_eq!(world().elapsed(), Duration::ZERO);
            });
    }
}

#[test]
fn a_pipe_without_a_reader_is_broken() {
    Sim::new(1).no_leaks().run(async {
        let (reader, mut writer) = pipe();
        writer.write(b"never read").unwrap();
        drop(reader);
        let error = io::Error::from(writer.write(b"?").unwrap_err());
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_full_pipe_makes_its_writer_wait_for_the_reader() {
    Sim::new(1).buffers(1, 5000).run(async {
        let (mut reader, mut writer) = pipe();
        writer.write([b'x'; 4096]).unwrap();
        writer.write([b'y'; 905]).unwrap(); // one byte too many, and so all of them
        assert_eq!(writer.queued(), 905);
        reader.read_exactly(1).await.unwrap();
        writer.flush().await.unwrap();
        assert_eq!(reader.read_exactly(5000).await.unwrap().len(), 5000);
    });
}

#[test]
fn faults_happen_to_pipes_at_their_byte() {
    for fault in [Fault::eof(), Fault::reset()] {
        let fault = fault.connection(2).after(Direction::ToServer, 1017);
        Sim::new(1).fault(fault).run(async {
            let (_first, mut whole) = pipe();
            whole.write([b'x'; 2000]).unwrap();
            let (mut reader, mut writer) = pipe();
            for _ in 0..1017 {
                writer.write(b"x").unwrap();
            }
            let error = io::Error::from(writer.write(b"x").unwrap_err());
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            assert_eq!(reader.read_to_eof().await.unwrap().len(), 1017);
        });
    }
}

/// What the receiver's system has no room for waits with the sender's, which is gone then.
#[test]
fn what_was_sent_before_a_fault_arrives_even_if_the_buffers_are_full() {
    for after in 1..=40 {
        for fault in [Fault::eof(), Fault::reset()] {
            let fault = fault.after(Direction::ToServer, after);
            Sim::new(1).buffers(20, 20).fault(fault).run(async {
                let (client, server) = world().connection(&StreamOptions::new());
                let ((_reader, mut writer), (mut far_reader, _far_writer)) = (client, server);
                let _ = writer.write([b'x'; 50]); // fails if the fault happens at once
                let error = far_reader.read_exactly(51).await.unwrap_err();
                let arrived = if let ReadError::Incomplete { partial, .. } = &error {
                    &partial[..]
                } else {
                    far_reader.buffered()
                };
                assert_eq!(arrived.len() as u64, after);
                let kinds = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
                assert!(kinds.contains(&error.kind()), "{error}");
            });
        }
    }
}

#[test]
fn several_faults_happen_within_one_write_each_at_its_byte() {
    for cut in 1..8 {
        let run = Sim::new(1)
            .fault(Fault::reset().after(Direction::ToServer, 8))
            .fault(Fault::stall(SECOND).after(Direction::ToServer, cut))
            .fault(Fault::stall(2 * SECOND).after(Direction::ToServer, cut))
            .record(async move {
                let ((_r, mut writer), (mut reader, _w)) =
                    world().connection(&StreamOptions::new());
                writer.write(b"0123456789").unwrap();
                let cut = usize::try_from(cut).unwrap();
                reader.read_exactly(cut).await.unwrap();
                assert_eq!(world().elapsed(), Duration::ZERO);
                assert_eq!(
                    reader.read_exactly(8 - cut).await.unwrap(),
                    &b"01234567"[cut..]
                );
                assert_eq!(world().elapsed(), 2 * SECOND);
                reader.read(1).await.unwrap_err();
            });
        run.output.unwrap();
        assert_eq!(run.faults, 3);
    }
}

#[test]
fn a_short_stall_does_not_end_a_long_one() {
    Sim::new(1).fault(Fault::stall_forever()).run(async {
        let ((_r, mut writer), (mut reader, _w)) = world().connection(&StreamOptions::new());
        world().inject(Fault::stall(SECOND));
        writer.write(b"x").unwrap();
        assert!(timeout(1000 * SECOND, reader.read(1)).await.is_err());
    });
}

/// The request has arrived, and then the answer does not, whatever it is.
#[test]
fn no_answer_comes_back_across_a_partition() {
    for port in [7, 8] {
        two_hosts(1)
            .latency(SECOND..=SECOND)
            .at(2500 * MILLI, |world| world.partition("localhost", "far"))
            .at(10 * SECOND, |world| world.heal("localhost", "far"))
            .run(async {
                let far = world().host("far").runtime();
                let _server = millpond::start_server(far, ":7", echo).await.unwrap();
                world().sleep(SECOND).await;
                let opened = open_connection(format!("far:{port}")).happy_eyeballs_delay(None);
                match opened.await {
                    Ok(_) => assert_eq!(port, 7),
                    Err(error) => {
                        assert_eq!((kind(error), port), (ErrorKind::ConnectionRefused, 8))
                    }
                }
                assert!(world().elapsed() > 10 * SECOND, "{:?}", world().elapsed());
            });
    }
}

#[test]
fn local_addresses_are_those_of_the_caller_and_lead_where_they_can() {
    two_hosts(1).run(async {
        let far = world().host("far").runtime();
        let _server = millpond::start_server(far, ":7", echo).await.unwrap();
        let from = |local: &str| {
            let local: SocketAddr = local.parse().unwrap();
            open_connection("10.0.0.2:7").local_addr(local)
        };
        let (_reader, writer) = from("0.0.0.0:5000").await.unwrap();
        let local = writer.extra_info().local_addr.clone().unwrap();
        assert_eq!(local.to_string(), "10.0.0.1:5000");
        for taken in ["10.0.0.1:5000", "0.0.0.0:5000"] {
            assert_eq!(kind(from(taken).await.unwrap_err()), ErrorKind::AddrInUse);
        }
        let loopback = from("127.0.0.1:5001").await.unwrap_err();
        assert_eq!(kind(loopback), ErrorKind::InvalidInput);
    });
}

#[test]
fn of_servers_that_share_a_port_only_the_listening_one_gets_connections() {
    for seed in 0..20 {
        Sim::new(seed).run(async {
            let server = || start_server("127.0.0.1:7", echo).reuse_port(true);
            let _idle = server().start_serving(false).await.unwrap();
            let _serving = server().await.unwrap();
            open_connection("127.0.0.1:7").await.unwrap();
        });
    }
}

#[test]
fn no_local_port_is_used_twice() {
    Sim::new(1).run(async {
        let server = serve("127.0.0.1:7").await;
        let target = &server.sockets()[0];
        let first = open_connection(target).await.unwrap();
        let local = |writer: &StreamWriter| writer.extra_info().local_addr.clone();
        for _ in 0..=u16::MAX - 49_152 {
            let (_reader, writer) = open_connection(target).await.unwrap();
            assert_ne!(local(&writer), local(&first.1));
        }
    });
}

#[test]
fn pipes_are_never_reset_and_unix_sockets_always_get_an_answer_at_once() {
    for seed in 0..200 {
        Sim::new(seed).random_faults(1).run(async {
            let (mut reader, mut writer) = pipe();
            let _ = writer.write(b"x");
            if let Ok(read) = timeout(500 * SECOND, reader.read_exactly(9)).await {
                let end = read.unwrap_err();
                assert!(matches!(end, ReadError::Incomplete { .. }), "{end}");
            }
        });
        let hole = Fault::black_hole();
        Sim::new(seed).random_faults(2).fault(hole).run(async {
            let server = start_unix_server("/socket", echo).on_handler_error(|_| {});
            let _server = server.on_accept_error(|_| {}).await.unwrap();
            if let Err(error) = open_unix_connection("/socket").await {
                assert_eq!(kind(error), ErrorKind::ConnectionRefused);
            }
            assert_eq!(world().elapsed(), Duration::ZERO);
        });
    }
}

#[test]
fn names_are_found_however_they_are_written() {
    two_hosts(1).name("www", [ip("10.0.0.2")]).run(async {
        let far = world().host("far").runtime();
        let _server = millpond::start_server(far, ":7", echo).await.unwrap();
        let _here = serve(":8").await;
        for name in ["WWW:7", "www.:7", "Far:7", "far.:7", "LOCALHOST:8"] {
            open_connection(name).await.unwrap();
        }
    });
}

#[test]
fn a_fault_for_an_address_applies_to_no_other() {
    let far: SocketAddr = "10.0.0.2:7".parse().unwrap();
    for fault in [Fault::refuse(), Fault::reset()] {
        let run = two_hosts(1).fault(fault.to(far)).record(async {
            let runtime = world().host("far").runtime();
            let _server = millpond::start_server(runtime, ":7", echo).await.unwrap();
            let ask = async |at: &str| {
                let (mut reader, mut writer) = open_connection(at).await?;
                writer.write(b"x")?;
                Ok::<_, io::Error>(reader.read_exactly(1).await?)
            };
            assert_eq!(ask("[fd00::2]:7").await.unwrap(), "x");
            ask("10.0.0.2:7").await.unwrap_err();

            world().stop_faults();
            let (mut reader, _writer) = open_connection("10.0.0.2:7").await.unwrap();
            world().inject(Fault::reset().to(([10, 0, 0, 3], 7)));
            assert!(timeout(SECOND, reader.read(1)).await.is_err(), "it waits");
            world().inject(Fault::reset().to(far));
            reader.read(1).await.unwrap_err();
        });
        run.output.unwrap();
        assert_eq!(run.faults, 2);
    }
}

/// The zone of an address is kept by all that is made of it.
#[test]
fn a_zone_is_kept() {
    let local = [ip("10.0.0.1"), ip("fe80::1")];
    Sim::new(1).host("localhost", local).run(async {
        let zone = |address: &Address| match address.tcp() {
            Some(SocketAddr::V6(address)) => address.scope_id(),
            other => panic!("{other:?}"),
        };
        // The second one gets the port of the first.
        let server = start_server((["10.0.0.1", "fe80::1%2"], 0), echo)
            .await
            .unwrap();
        let addresses = server.sockets();
        assert_eq!(
            addresses[0].tcp().unwrap().port(),
            addresses[1].tcp().unwrap().port()
        );
        assert_eq!(zone(&addresses[1]), 2);
        let any_port: SocketAddr = "[fe80::1%2]:0".parse().unwrap();
        let other = start_server(any_port, echo).await.unwrap();
        let fixed = serve("[fe80::1%2]:7").await;
        for address in [&addresses[1], &other.sockets()[0], &fixed.sockets()[0]] {
            assert_eq!(zone(address), 2);
            for opening in [
                open_connection(address),
                open_connection(address.to_string()),
            ] {
                let (mut reader, mut writer) = opening.await.unwrap();
                let info = writer.extra_info().clone();
                assert_eq!(zone(&info.peer_addr.unwrap()), 2);
                assert_eq!(zone(&info.local_addr.unwrap()), 2);
                writer.write(b"x").unwrap();
                assert_eq!(reader.read(1).await.unwrap(), "x");
            }
        }
    });
}
