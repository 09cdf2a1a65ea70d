//! A tour of what the streams promise, on tokio and on smol side by side. Everything that is shown is
//! checked: the output is code of `steps.rs` and what it gave.
//!
//!     cargo run -p millpond-examples --bin tour

use std::{
    process::{self, ExitCode},
    sync::Arc,
    thread,
    time::Duration,
};

use millpond::{Runtime, adapter::BoxFuture, error::BoxError};
use millpond_examples::{RuntimeName, run};

mod print;
mod see;
mod steps;

/// It takes a few seconds at most, but the machine may be busy.
const TIME_LIMIT: Duration = Duration::from_secs(60);

type Step = fn(Arc<dyn Runtime>) -> BoxFuture<'static, Result<(), BoxError>>;

const STEPS: [(&str, Step); 12] = [
    ("A client and a server", |on| Box::pin(steps::echo(on))),
    ("Up to whichever separator comes first", |on| {
        Box::pin(steps::separators(on))
    }),
    ("Longer than the limit", |on| Box::pin(steps::limit(on))),
    ("Half close: ask, end, get the answer", |on| {
        Box::pin(steps::half_close(on))
    }),
    ("Back-pressure: drain waits for the reader", |on| {
        Box::pin(steps::drain(on))
    }),
    ("A read that loses a race loses no data", |on| {
        Box::pin(steps::cancel(on))
    }),
    ("What came before a reset can be read", |on| {
        Box::pin(steps::reset(on))
    }),
    ("A handler panics, the server goes on", |on| {
        Box::pin(steps::panic(on))
    }),
    ("TLS: the same streams, protected", |on| {
        Box::pin(steps::tls(on))
    }),
    ("hyper speaks HTTP over them", |on| {
        Box::pin(steps::hyper(on))
    }),
    ("No socket: the handler of step 1, tested", |on| {
        Box::pin(steps::pair(on))
    }),
    ("No network: step 1 in a simulated world", |on| {
        Box::pin(steps::world(on))
    }),
];

fn tour() -> Result<(), BoxError> {
    for (number, (title, step)) in (1..).zip(STEPS) {
        print::title(number, title);
        let mut shown = Vec::new();
        for name in [RuntimeName::Tokio, RuntimeName::Smol] {
            let result = run(name, step);
            shown.push(see::take());
            result.map_err(|error| format!("step {number} on {name:?}: {error}"))?;
        }
        print::lines(&shown[0], &shown[1]);
    }
    println!(
        "tour: {} steps on tokio and on smol, all as promised",
        STEPS.len()
    );
    Ok(())
}

fn main() -> ExitCode {
    // A thread, so that nothing that the streams or the runtimes do can stop it.
    thread::spawn(|| {
        thread::sleep(TIME_LIMIT);
        eprintln!("tour: it takes more than {TIME_LIMIT:?}");
        process::exit(1);
    });
    match tour() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tour: {error}");
            ExitCode::FAILURE
        }
    }
}
