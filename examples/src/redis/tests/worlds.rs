//! The client in worlds: whatever happens to the connection, an answer is right, or there is an error, and
//! nothing waits for ever.

use std::{io, time::Duration};

use millpond_sim::{
    Check, Direction, Fault, Script, Sim, StreamServer, check, connect, reachable, stream_server,
    timeout, world,
};

use super::{
    super::{Client, Value, command},
    bulk, text,
};

const ADDRESS: &str = "127.0.0.1:6379";

/// Longer than a conversation takes, unless something stalls.
const TIME_LIMIT: Duration = Duration::from_secs(300);

const ANSWERS: &str = "+OK\r\n*2\r\n$5\r\nvalue\r\n*2\r\n:1\r\n$-1\r\n-ERR no\r\n";
const SUBSCRIBED: &str = "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n";
const MESSAGE: &str = "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n";

const COMMANDS: [[&str; 2]; 3] = [["FLUSHDB", "SYNC"], ["READ", "k"], ["FAIL", "k"]];

fn answers() -> Vec<Value> {
    let nested = Value::Array(vec![Value::Integer(1), Value::Null]);
    vec![
        text("OK"),
        Value::Array(vec![bulk("value"), nested]),
        Value::Error("ERR no".to_owned()),
    ]
}

/// How the server behaves on each connection.
fn script() -> Script {
    Script::new()
        .expect(COMMANDS.map(command).concat())
        .send(ANSWERS)
        .expect(command(["SUBSCRIBE", "news"]))
        .send(SUBSCRIBED)
        .wait(Duration::from_secs(1))
        .send(MESSAGE.repeat(2))
}

async fn start_serving() -> StreamServer {
    let server = stream_server(ADDRESS, |stream| async {
        // The other side may be cut off, and then it does not do what is expected.
        let _ = timeout(TIME_LIMIT, script().play(stream.into_split())).await;
    });
    let server = server.on_handler_error(|_| {}).on_accept_error(|_| {});
    server.start_serving().await.unwrap();
    server
}

/// A whole conversation. What it returns is right; how many messages there were may differ, since the
/// server may leave.
async fn talk() -> io::Result<usize> {
    let mut client = Client::new(connect(ADDRESS).await?);
    assert_eq!(client.pipeline(COMMANDS).await?, answers());
    let mut subscription = client.subscribe(["news"]).await?;
    let mut messages = 0;
    while let Some(message) = subscription.message().await? {
        assert_eq!(message.payload, "hello");
        messages += 1;
    }
    assert!(messages <= 2);
    Ok(messages)
}

/// `None` if there was an error, or nothing for a long time.
async fn try_to_talk() -> Option<usize> {
    timeout(TIME_LIMIT, talk()).await.ok()?.ok()
}

#[test]
fn answers_are_right_however_the_network_cuts_them() {
    check(0..100, |sim| {
        let latency = Duration::ZERO..=Duration::from_millis(100);
        sim.rough().latency(latency).no_leaks().run(async {
            let server = start_serving().await;
            assert_eq!(talk().await.unwrap(), 2);
            server.shutdown().await;
        });
    });
}

#[test]
fn a_connection_that_is_cut_at_any_byte_gives_right_answers_or_an_error() {
    let len = ANSWERS.len() + SUBSCRIBED.len() + 2 * MESSAGE.len();
    let mut failed = 0;
    for after in 0..len as u64 {
        for fault in [Fault::eof, Fault::reset, Fault::stall_forever] {
            let fault = fault().after(Direction::ToClient, after);
            Sim::new(after).rough().fault(fault).run(async {
                let _server = start_serving().await;
                match try_to_talk().await {
                    Some(messages) => assert!(messages < 2, "it was cut"),
                    None => failed += 1,
                }
            });
        }
    }
    assert!(failed > 2 * len, "only {failed} have failed");
}

#[test]
fn whatever_goes_wrong_an_answer_is_right_and_all_is_well_behind_it() {
    let names = ["everything is answered", "an error is reported"];
    let checks = names
        .iter()
        .fold(Check::new(0..300), |check, name| check.must(name));
    checks.run(|sim| {
        let latency = Duration::ZERO..=Duration::from_millis(100);
        sim.rough()
            .latency(latency)
            .random_faults(2)
            .no_leaks()
            .run(async {
                let server = start_serving().await;
                for _ in 0..2 {
                    match try_to_talk().await {
                        Some(2) => reachable!("everything is answered"),
                        Some(_) => {}
                        None => reachable!("an error is reported"),
                    }
                }
                world().stop_faults();
                assert_eq!(talk().await.unwrap(), 2);
                server.shutdown().await;
            });
    });
}
