//! Faults that asyncio has, or had, as scenarios in which a stream has to do better.

use std::{
    io::{self, ErrorKind, IoSlice},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use millpond_sim::{
    Fault, ReadError, Server, Sim, StreamOptions, StreamReader, StreamWriter, check,
    open_connection, start_server, start_unix_server, timeout, world,
};

const SECOND: Duration = Duration::from_secs(1);

/// Worlds for each.
const SEEDS: u64 = 50;

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let line = reader.read_line().await?;
    Ok(writer.write_all(&line).await?)
}

/// An echo server, and how many errors of accepting it has reported.
async fn serve_echo() -> (Server, Arc<AtomicUsize>) {
    let reports = Arc::new(AtomicUsize::new(0));
    let counted = reports.clone();
    let server = start_server("127.0.0.1:7", echo).on_handler_error(|_| {});
    let server = server.on_accept_error(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    (server.await.unwrap(), reports)
}

/// Has a line echoed.
async fn ask() {
    let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.unwrap();
    writer.write(b"hello\n").unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "hello\n");
}

fn rough(run: impl Fn(Sim)) {
    check(0..SEEDS, |sim| run(sim.rough()));
}

/// gh-75044: what was received before a reset cannot be read.
#[test]
fn a_reset_does_not_hide_what_came_before_it() {
    rough(|sim| {
        sim.run(async {
            let (client, server) = world().connection(&StreamOptions::new());
            let ((mut reader, _writer), (_far_reader, mut far_writer)) = (client, server);
            far_writer.write(b"hello").unwrap();
            far_writer.flush().await.unwrap();
            world().sleep(SECOND).await;
            far_writer.abort();
            world().sleep(SECOND).await;
            let error = reader.read_exactly(6).await.unwrap_err(); // so it has met the reset
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            assert_eq!(reader.read_exactly(5).await.unwrap(), "hello");
            for _ in 0..3 {
                let error = reader.read(1).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            }
        });
    });
}

/// An answer is destroyed when its sender closes with unread input.
#[test]
fn a_close_with_unread_input_delivers_the_answer() {
    rough(|sim| {
        sim.buffers(100, 100).no_leaks().run(async {
            let server = start_server("127.0.0.1:7", async |_, mut writer| {
                writer.write([b'x'; 5000]) // and the request is not read
            });
            let _server = server.await.unwrap();
            let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.unwrap();
            writer.write([b'?'; 1000]).unwrap();
            world().sleep(SECOND).await;
            assert_eq!(reader.read_to_eof().await.unwrap().len(), 5000);
            writer.close();
            world().sleep(SECOND * 60).await;
        });
    });
}

/// CVE-2024-12254: `writelines` never pauses.
#[test]
fn many_lines_at_once_make_drain_wait() {
    rough(|sim| {
        sim.run(async {
            let ((_reader, mut writer), _silent) = world().connection(&StreamOptions::new());
            let lines = [IoSlice::new(&[b'x'; 1000]); 300];
            writer.write_vectored(&lines).unwrap();
            assert!(timeout(SECOND * 1000, writer.drain()).await.is_err());
        });
    });
}

/// gh-155888: a last line that is empty makes `wait_closed` hang.
#[test]
fn an_empty_last_line_does_not_hold_up_a_close() {
    rough(|sim| {
        sim.run(async {
            let (client, server) = world().connection(&StreamOptions::new());
            let ((_reader, mut writer), (mut far_reader, _far_writer)) = (client, server);
            let lines = [IoSlice::new(&[b'x'; 200_000]), IoSlice::new(b"")];
            writer.write_vectored(&lines).unwrap();
            writer.close();
            world().spawn(async move {
                assert_eq!(far_reader.read_to_eof().await.unwrap().len(), 200_000);
            });
            writer.wait_closed().await.unwrap();
        });
    });
}

/// `wait_closed` waits for ever for a peer that does not read.
#[test]
fn a_peer_that_does_not_read_does_not_hold_up_a_close_for_ever() {
    rough(|sim| {
        sim.run(async {
            let server = start_server("127.0.0.1:7", async |_reader, _writer| {
                std::future::pending::<()>().await;
            });
            let _server = server.await.unwrap();
            let (_reader, mut writer) = open_connection("127.0.0.1:7").await.unwrap();
            writer.write(vec![0; 1 << 20]).unwrap();
            writer.close();
            let error = writer.wait_closed().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        });
    });
}

/// gh-104344, gh-120866: the server waits for ever for handlers that wait for their clients.
#[test]
fn a_server_with_idle_clients_shuts_down_in_time() {
    rough(|sim| {
        sim.no_leaks().run(async {
            let server = start_server("127.0.0.1:7", echo).shutdown_timeout(SECOND);
            let server = server.end_idle_on_shutdown(false).await.unwrap();
            let client = open_connection("127.0.0.1:7").await.unwrap();
            world().sleep(SECOND).await;
            let began = world().now();
            assert_eq!(server.shutdown().await.closed, 1);
            assert!(world().now() - began <= SECOND * 3);
            drop(client);
        });
    });
}

/// The same, where they need not be waited for at all.
#[test]
fn a_server_with_idle_clients_shuts_down_at_once() {
    rough(|sim| {
        sim.no_leaks().run(async {
            let server = start_server("127.0.0.1:7", echo).await.unwrap();
            let client = open_connection("127.0.0.1:7").await.unwrap();
            world().sleep(SECOND).await;
            let began = world().now();
            assert_eq!(server.shutdown().await.closed, 0);
            assert!(world().now() - began <= SECOND);
            drop(client);
        });
    });
}

/// gh-118950: writes to a connection that is gone succeed for ever.
#[test]
fn writing_to_a_closed_peer_fails() {
    rough(|sim| {
        sim.run(async {
            let ((_reader, mut writer), peer) = world().connection(&StreamOptions::new());
            drop(peer);
            let mut writes = 0;
            while writer.write(b"anybody?").is_ok() {
                writes += 1;
                assert!(writes < 10);
                world().sleep(SECOND).await;
            }
            assert!(writer.drain().await.is_err());
        });
    });
}

/// The tail of a line that is too long comes back as a line of its own.
#[test]
fn the_tail_of_a_long_line_is_no_line() {
    rough(|sim| {
        sim.run(async {
            let options = StreamOptions::new().limit(16);
            let (client, server) = world().connection(&options);
            let ((mut reader, _writer), (_far_reader, mut far_writer)) = (client, server);
            world().spawn(async move {
                for part in [&b"AAAAAAAAAAAAAAAAAAAAAAAA"[..], b"BBB\n", b"next\n"] {
                    far_writer.write(part).unwrap();
                    far_writer.flush().await.unwrap();
                    world().sleep(SECOND).await;
                }
            });
            let overrun = reader.read_line().await.unwrap_err();
            assert!(
                matches!(overrun, ReadError::LimitOverrun { .. }),
                "{overrun}"
            );
            assert_eq!(reader.read_line().await.unwrap(), "next\n");
        });
    });
}

/// gh-151615: too many open files are reported a thousand times.
#[test]
fn too_many_files_are_reported_once_and_then_all_goes_on() {
    rough(|sim| {
        sim.run(async {
            let (_server, reports) = serve_echo().await;
            world().fail_accepts(ErrorKind::Other, 20);
            ask().await;
            assert_eq!(reports.load(Ordering::Relaxed), 1);
        });
    });
}

/// gh-127529: a connection that ended before it was accepted ends the accepting.
#[test]
fn a_connection_that_ends_before_it_is_accepted_ends_nothing() {
    rough(|sim| {
        sim.run(async {
            let (_server, reports) = serve_echo().await;
            for kind in [
                ErrorKind::ConnectionAborted,
                ErrorKind::HostUnreachable,
                ErrorKind::Interrupted,
                ErrorKind::NetworkDown,
                ErrorKind::NetworkUnreachable,
                ErrorKind::TimedOut,
            ] {
                drop(open_connection("127.0.0.1:7").await.unwrap());
                world().fail_accepts(kind, 3);
            }
            ask().await;
            assert_eq!(reports.load(Ordering::Relaxed), 0);
        });
    });
}

/// gh-128479, and its port's: attempts that lose, or win twice, are left behind.
#[test]
fn attempts_that_lose_leave_nothing_behind() {
    let addresses: [IpAddr; 2] = ["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    rough(|sim| {
        let latency = SECOND / 10..=SECOND;
        sim.name("www", addresses)
            .latency(latency)
            .no_leaks()
            .run(async {
                let server = start_server((["::1", "127.0.0.1"], 7), echo);
                let server = server.on_handler_error(|_| {}).await.unwrap();
                let (mut reader, mut writer) = open_connection("www:7").await.unwrap();
                writer.write(b"hello\n").unwrap();
                assert_eq!(reader.read_line().await.unwrap(), "hello\n");
                server.close();
            });
    });
}

/// gh-89856: any port is another one for each address of a host.
#[test]
fn all_addresses_of_a_host_get_the_same_port() {
    rough(|sim| {
        sim.run(async {
            let server = start_server("localhost:0", echo).await.unwrap();
            let ports: Vec<_> = server
                .sockets()
                .iter()
                .map(|at| at.tcp().unwrap().port())
                .collect();
            assert_eq!(ports.len(), 2);
            assert_eq!(ports[0], ports[1]);
        });
    });
}

/// The path of a server that listens is taken away from it.
#[test]
fn the_path_of_a_live_server_stays_its_own() {
    rough(|sim| {
        sim.run(async {
            let server = start_unix_server("/socket", echo).await.unwrap();
            start_unix_server("/socket", echo).await.unwrap_err();
            let target = &server.sockets()[0];
            let (mut reader, mut writer) = open_connection(target).await.unwrap();
            writer.write(b"hello\n").unwrap();
            assert_eq!(reader.read_line().await.unwrap(), "hello\n");
        });
    });
}

/// bpo-37658: what is given up at the moment at which it is done is lost.
#[test]
fn a_read_that_times_out_as_its_data_comes_loses_nothing() {
    rough(|sim| {
        sim.fault(Fault::stall(SECOND)).run(async {
            let (client, server) = world().connection(&StreamOptions::new());
            let ((_reader, mut writer), (mut reader, _far_writer)) = (client, server);
            writer.write(b"hello\n").unwrap();
            let line = match timeout(SECOND, reader.read_line()).await {
                Ok(line) => line,
                Err(_) => reader.read_line().await,
            };
            assert_eq!(line.unwrap(), "hello\n");
        });
    });
}
