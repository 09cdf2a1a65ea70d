//! The client of Redis against redis-server.

use std::net::TcpListener;

use crate::program::{Program, RUNTIMES, there_is};

/// How often it is tried on another port, if another process takes the one that was free.
const ATTEMPTS: usize = 5;

/// Ended when this is dropped.
struct Redis {
    port: String,
    _program: Program,
}

impl Redis {
    /// `None` if there is no redis-server.
    fn start() -> Option<Self> {
        if !there_is("redis-server", "--version") {
            return None;
        }
        for _ in 0..ATTEMPTS {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port().to_string();
            drop(free);
            let args = [
                "--port",
                &port,
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ];
            let program = Program::start("redis-server", &args);
            while let Some(line) = program.next_line() {
                if line.contains("eady to accept connections") {
                    return Some(Self {
                        port,
                        _program: program,
                    });
                }
            }
        }
        panic!("redis-server does not start");
    }

    fn client(&self, runtime: &str, args: &[&str]) -> Program {
        let args = [&["--runtime", runtime, "--port", &self.port], args].concat();
        Program::start(env!("CARGO_BIN_EXE_redis_client"), &args)
    }

    /// What it prints of its answers.
    fn answers(&self, runtime: &str, words: &str) -> Vec<String> {
        let words: Vec<&str> = words.split(' ').collect();
        self.client(runtime, &words).output()
    }
}

#[test]
fn commands_are_answered_in_order() {
    let Some(redis) = Redis::start() else { return };
    for runtime in RUNTIMES {
        let answers = redis.answers(
            runtime,
            "FLUSHALL , SET name Ada , GET name , INCR name , GET missing , RPUSH list one two , LRANGE list 0 -1",
        );
        let expected = [
            "OK",
            "OK",
            "\"Ada\"",
            "(error) ERR value is not an integer or out of range",
            "(nil)",
            "(integer) 2",
            "1) \"one\"",
            "2) \"two\"",
        ];
        assert_eq!(answers, expected);
    }
}

/// The third version has maps, and arrays are within arrays in both.
#[test]
fn values_of_either_version_are_understood() {
    let Some(redis) = Redis::start() else { return };
    for runtime in RUNTIMES {
        let script = "return {1,{'two',{}},false}";
        let answers = redis.client(runtime, &["EVAL", script, "0"]).output();
        let expected = [
            "1) (integer) 1",
            "2) 1) \"two\"",
            "   2) (empty)",
            "3) (nil)",
        ];
        assert_eq!(answers, expected);
        let words = "--resp3 DEL hash , HSET hash key value , HGETALL hash , GET missing";
        let answers = redis.answers(runtime, words);
        assert_eq!(
            answers[1..],
            ["(integer) 1", "1) \"key\" => \"value\"", "(nil)"]
        );
    }
}

#[test]
fn what_is_large_comes_whole() {
    let Some(redis) = Redis::start() else { return };
    let large = "x".repeat(100_000);
    for runtime in RUNTIMES {
        let pipeline = format!("SET large {large} , GET large , STRLEN large");
        let answers = redis.answers(runtime, &pipeline);
        assert_eq!(
            answers[1..],
            [format!("\"{large}\""), "(integer) 100000".to_owned()]
        );
    }
}

#[test]
fn what_is_published_comes_to_those_who_listen() {
    let Some(redis) = Redis::start() else { return };
    let other_runtimes = ["smol", "tokio"];
    for (runtime, other) in RUNTIMES.into_iter().zip(other_runtimes) {
        for (version, news) in [("2", "news"), ("3", "more news")] {
            let news = format!("{news} on {runtime}");
            let mut args = vec!["--subscribe", &news, "--subscribe", "other"];
            if version == "3" {
                args.push("--resp3");
            }
            let listener = redis.client(runtime, &args);
            assert_eq!(listener.line(), format!("Listening to {news}, other"));
            let publish = ["PUBLISH", &news, "hello", ",", "PUBLISH", &news, "bye"];
            let receivers = redis.client(other, &publish).output();
            assert_eq!(receivers, ["(integer) 1", "(integer) 1"]);
            assert_eq!(listener.line(), format!("{news}: hello"));
            assert_eq!(listener.line(), format!("{news}: bye"));
        }
    }
}
