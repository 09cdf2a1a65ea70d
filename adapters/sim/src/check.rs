//! Many worlds, one after the other, until one fails.

use std::{
    io::{IsTerminal, stderr},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    choice::Source,
    sim::Sim,
    trace::failure::{self, Many, Origin, UnreportedFailure},
};

/// How often the progress is printed.
const PROGRESS: Duration = Duration::from_secs(1);

/// Calls `test` with the world of each seed, until one fails.
///
/// That prints the last events, and the seed with which it can be repeated: if the environment
/// variable `MILLPOND_SEED` is set, only the world of that seed is run. It is a number, or `bytes:`
/// and hexadecimal digits for a [world of bytes](Sim::from_bytes).
/// [`Sim::save_failures_in`] saves more of a failure.
///
/// A run that takes longer than a second prints its progress on standard error.
///
/// # Panics
///
/// If `test` does, or if the variable is neither.
///
/// # Examples
///
/// ```
/// use millpond_sim::{check, open_connection, start_server};
///
/// check(0..100, |sim| {
///     sim.rough().run(async {
///         let server = start_server("127.0.0.1:17", async |_, mut writer| writer.write(b"be good"));
///         let server = server.await.unwrap();
///         let (mut reader, _writer) = open_connection(&server.sockets()[0]).await.unwrap();
///         assert_eq!(reader.read_to_eof().await.unwrap(), "be good");
///     });
/// });
/// ```
pub fn check(seeds: impl IntoIterator<Item = u64>, mut test: impl FnMut(Sim)) {
    let many = Arc::new(Many::default());
    let mut run = |source| {
        let origin = Origin::of_many(source, &many);
        let _unreported = UnreportedFailure(&origin);
        test(Sim::of(origin.clone()));
    };
    if let Some(source) = failure::chosen() {
        return run(source);
    }
    let began = Instant::now();
    let mut progress = began;
    let mut count: u64 = 0;
    for seed in seeds {
        run(Source::Seed(seed));
        count += 1;
        if progress.elapsed() >= PROGRESS {
            progress = Instant::now();
            print_progress(count, began.elapsed(), seed);
        }
    }
    if progress > began && stderr().is_terminal() {
        eprintln!();
    }
}

fn print_progress(count: u64, time: Duration, seed: u64) {
    let rate = count as f64 / time.as_secs_f64();
    let line = format!("{count} worlds in {time:.0?}, {rate:.0} a second, seed {seed}");
    if stderr().is_terminal() {
        eprint!("\r{line}");
    } else {
        eprintln!("{line}");
    }
}
