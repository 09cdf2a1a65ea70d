//! A tour of what the streams promise, on tokio and on smol. Everything that is shown is checked:
//! the output is code of `steps.rs` and what it gave.
//!
//!     cargo run -p millpond-examples --bin tour

use std::{
    process::{self, ExitCode},
    sync::Arc,
    thread,
    time::Duration,
};

use millpond::{Runtime, error::BoxError};
use millpond_examples::{RuntimeName, run};

mod see;
mod steps;

/// It takes less than a second, but the machine may be busy.
const TIME_LIMIT: Duration = Duration::from_secs(60);

struct Tour {
    runtime: Arc<dyn Runtime>,
    steps: usize,
}

impl Tour {
    async fn step<F>(
        &mut self,
        title: &str,
        step: impl FnOnce(Arc<dyn Runtime>) -> F,
    ) -> Result<(), BoxError>
    where
        F: Future<Output = Result<(), BoxError>>,
    {
        self.steps += 1;
        println!("{}. {title}", self.steps);
        step(self.runtime.clone())
            .await
            .map_err(|error| format!("step {}: {error}", self.steps).into())
    }
}

/// Returns the number of steps.
async fn tour(runtime: Arc<dyn Runtime>) -> Result<usize, BoxError> {
    let mut tour = Tour { runtime, steps: 0 };
    tour.step("A client and a server", steps::echo).await?;
    tour.step("Up to whichever separator comes first", steps::separators)
        .await?;
    tour.step("Longer than the limit", steps::limit).await?;
    tour.step("Half close: ask, end, get the answer", steps::half_close)
        .await?;
    tour.step("Back-pressure: drain waits for the reader", steps::drain)
        .await?;
    tour.step("A read that loses a race loses no data", steps::cancel)
        .await?;
    tour.step("What came before a reset can be read", steps::reset)
        .await?;
    tour.step("A handler panics, the server goes on", steps::panic)
        .await?;
    tour.step("No socket: the handler of step 1, tested", steps::pair)
        .await?;
    Ok(tour.steps)
}

fn on(name: RuntimeName, title: &str) -> Result<usize, BoxError> {
    println!("On {title}\n");
    let steps = run(name, tour).map_err(|error| format!("on {title}, {error}"))?;
    println!();
    Ok(steps)
}

fn both() -> Result<(), BoxError> {
    let tokio = on(RuntimeName::Tokio, "tokio")?;
    let smol = on(RuntimeName::Smol, "smol")?;
    println!("tour: {tokio} steps on tokio, {smol} on smol, all as promised");
    Ok(())
}

fn main() -> ExitCode {
    // A thread, so that nothing that the streams or the runtimes do can stop it.
    thread::spawn(|| {
        thread::sleep(TIME_LIMIT);
        eprintln!("tour: it takes more than {TIME_LIMIT:?}");
        process::exit(1);
    });
    match both() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tour: {error}");
            ExitCode::FAILURE
        }
    }
}
