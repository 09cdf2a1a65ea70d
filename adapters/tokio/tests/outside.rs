//! The functions outside of a tokio runtime.

use std::{
    panic::{self, Location, PanicHookInfo},
    sync::Mutex,
    time::Duration,
};

use millpond_tokio::{StreamReader, StreamWriter};

static SEEN: Mutex<Vec<(String, String, u32)>> = Mutex::new(Vec::new());

fn note(panic: &PanicHookInfo<'_>) {
    let location = panic.location().unwrap();
    let payload = panic.payload();
    let message = payload.downcast_ref::<&str>().map(ToString::to_string);
    let message = message.or_else(|| payload.downcast_ref::<String>().cloned());
    let file = location.file().to_owned();
    SEEN.lock()
        .unwrap()
        .push((message.unwrap_or_default(), file, location.line()));
}

async fn handler(_: StreamReader, _: StreamWriter) {}

/// One test, because there is one hook.
#[test]
fn they_panic_and_name_their_caller() {
    type Call = (&'static str, fn());

    macro_rules! calls {
        ($($name:literal: $call:expr),+ $(,)?) => {
            [$(($name, (|| drop($call)) as fn())),+]
        };
    }
    let here = Location::caller().file();
    let calls: Vec<Call> = calls![
        "open_connection": millpond_tokio::open_connection("127.0.0.1:1"),
        "connect": millpond_tokio::connect("127.0.0.1:1"),
        "start_server": millpond_tokio::start_server("127.0.0.1:0", handler),
        "stream_server": millpond_tokio::stream_server("127.0.0.1:0", async |_| {}),
        "timeout": millpond_tokio::timeout(Duration::ZERO, async {}),
        "Tokio::current": millpond_tokio::Tokio::current(),
    ]
    .into();
    #[cfg(unix)]
    let calls: Vec<Call> = calls
        .into_iter()
        .chain(calls![
            "open_unix_connection": millpond_tokio::open_unix_connection("/nowhere"),
            "connect_unix": millpond_tokio::connect_unix("/nowhere"),
            "start_unix_server": millpond_tokio::start_unix_server("/nowhere", handler),
        ])
        .collect();

    let usual = panic::take_hook();
    panic::set_hook(Box::new(note));
    let results: Vec<_> = calls
        .iter()
        .map(|(name, call)| (*name, panic::catch_unwind(call).is_err()))
        .collect();
    panic::set_hook(usual);

    for (name, panicked) in results {
        assert!(panicked, "{name} does not panic");
    }
    let seen = SEEN.lock().unwrap();
    for ((name, _), (message, file, _)) in calls.iter().zip(&*seen) {
        assert!(message.contains("Tokio"), "{name}: {message}");
        assert_eq!(file, here, "{name}");
    }
    let lines: std::collections::HashSet<u32> = seen.iter().map(|(_, _, line)| *line).collect();
    assert_eq!(lines.len(), calls.len(), "each has a line of its own");
}
