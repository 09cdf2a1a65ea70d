//! The server of the README: it sends each line back, for as long as the client likes.
//!
//!     cargo run -p millpond-examples --bin line_echo_server -- --runtime smol
//!     nc 127.0.0.1 8888                               # in another terminal

use std::io;

use clap::Parser;
use millpond::{Address, StreamReader, StreamWriter, start_server};
use millpond_examples::{On, run};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    on: On,
    /// 0 for any that is free
    #[arg(long, default_value_t = 8888)]
    port: u16,
}

async fn handle_echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let peer = writer.extra_info().peer_addr.clone();
    let peer = peer.map_or_else(|| "a peer".to_owned(), |address| address.to_string());
    let mut lines = reader.lines();
    while let Some(line) = lines.next().await {
        let line = line?;
        println!("Received: {line:?} from {peer}");
        writer.write_all(&line).await?;
    }
    println!("Close the connection");
    Ok(())
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    run(args.on.runtime, async |runtime| {
        let server = start_server(runtime, (args.on.host, args.port), handle_echo).await?;
        let addresses: Vec<_> = server.sockets().iter().map(Address::to_string).collect();
        println!("Serving on {}", addresses.join(", "));
        server.serve_forever().await?;
        Ok(())
    })
}

/// The same handler, unchanged, where there are no sockets.
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join;
    use millpond_sim::{Script, check, open_connection, pair, start_server, timeout, world};

    use super::*;

    #[test]
    fn each_line_comes_back() {
        millpond_sim::Sim::new(1).run(async {
            let ((reader, writer), client) = pair();
            let script = Script::new()
                .send("one\n")
                .expect("one\n")
                .send("two")
                .end();
            let script = script.expect("two").expect_end();
            let (served, played) = join(handle_echo(reader, writer), script.play(client)).await;
            served.unwrap();
            played.unwrap();
        });
    }

    #[test]
    fn clients_get_their_own_lines_however_the_network_cuts_them() {
        check(0..100, |sim| {
            let latency = Duration::ZERO..=Duration::from_millis(100);
            sim.rough().latency(latency).no_leaks().run(async {
                let server = start_server("localhost:8888", handle_echo).await.unwrap();
                let clients = ["one\n", "two\n", "three\n"].map(async |line| {
                    let (mut reader, mut writer) = open_connection("localhost:8888").await?;
                    writer.write(line.as_bytes())?;
                    assert_eq!(reader.read_line().await?, line);
                    io::Result::Ok(())
                });
                let [one, two, three] = clients;
                let ((one, two), three) = join(join(one, two), three).await;
                one.and(two).and(three).unwrap();
                server.close();
            });
        });
    }

    #[test]
    fn a_client_gets_its_lines_or_an_error_and_the_next_one_is_served() {
        async fn ask(line: &str) -> io::Result<Vec<u8>> {
            let (mut reader, mut writer) = open_connection("localhost:8888").await?;
            writer.write(line.as_bytes())?;
            Ok(reader.read_exactly(line.len()).await?.to_vec())
        }

        check(0..100, |sim| {
            sim.rough().random_faults(2).no_leaks().run(async {
                let server = start_server("localhost:8888", handle_echo);
                let server = server.on_handler_error(|_| {}).await.unwrap();
                for line in ["one\n", "two\n", "three\n"] {
                    // Anything else is the network's fault.
                    if let Ok(Ok(echoed)) = timeout(Duration::from_secs(60), ask(line)).await {
                        assert_eq!(echoed, line.as_bytes());
                    }
                }
                world().stop_faults();
                assert_eq!(ask("four\n").await.unwrap(), b"four\n");
                server.close();
                server.abort_clients(); // those that send nothing any more
            });
        });
    }
}
