//! Many worlds, one after the other, until one fails.

use std::{
    env,
    fmt::Write,
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use crate::{choice::Source, sim::Sim};

/// Names one world that is to be run instead of all.
pub(crate) const VARIABLE: &str = "MILLPOND_SEED";

/// How often the progress is told.
const PROGRESS: Duration = Duration::from_secs(1);

/// Calls `test` with the world of each seed, until one fails.
///
/// That prints the last events, and the seed with which it can be repeated: if the environment
/// variable `MILLPOND_SEED` is set, only the world of that seed is run. It is a number, or `bytes:`
/// and hexadecimal digits, as a [world of bytes](Sim::from_bytes) prints them.
///
/// A run that takes longer than a second tells its progress on standard error.
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
    if let Some(source) = chosen() {
        return test(Sim::of(source));
    }
    let began = Instant::now();
    let mut told = began;
    let mut count: u64 = 0;
    for seed in seeds {
        test(Sim::new(seed));
        count += 1;
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            tell(count, began.elapsed(), seed);
        }
    }
    if told > began && stderr().is_terminal() {
        eprintln!();
    }
}

fn tell(count: u64, time: Duration, seed: u64) {
    let rate = count as f64 / time.as_secs_f64();
    let line = format!("{count} worlds in {time:.0?}, {rate:.0} a second, seed {seed}");
    if stderr().is_terminal() {
        eprint!("\r{line}");
    } else {
        eprintln!("{line}");
    }
}

/// The world that the environment names.
fn chosen() -> Option<Source> {
    let text = env::var(VARIABLE).ok()?;
    match parse(&text) {
        Some(source) => Some(source),
        None => panic!("{VARIABLE} is a number, or bytes: and hexadecimal digits, not {text:?}"),
    }
}

fn parse(text: &str) -> Option<Source> {
    if let Some(digits) = text.strip_prefix("bytes:") {
        let digits: Option<Vec<_>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
        let pairs = digits.filter(|digits| digits.len() % 2 == 0)?;
        let byte = |pair: &[u32]| u8::try_from(pair[0] << 4 | pair[1]).ok();
        return pairs
            .chunks(2)
            .map(byte)
            .collect::<Option<_>>()
            .map(Source::Bytes);
    }
    text.parse().ok().map(Source::Seed)
}

/// The source as the variable has it.
pub(crate) fn variable(source: &Source) -> String {
    match source {
        Source::Seed(seed) => seed.to_string(),
        Source::Bytes(bytes) => bytes.iter().fold("bytes:".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_parsed() {
        for source in [
            Source::Seed(0),
            Source::Seed(u64::MAX),
            Source::Bytes(Vec::new()),
            Source::Bytes(vec![0, 1, 254, 255]),
        ] {
            let text = variable(&source);
            let again = parse(&text).map(|source| variable(&source));
            assert_eq!(again, Some(text));
        }
        for text in ["", "-1", "x", "bytes:x", "bytes:0", "bytes:+1", "bytes:é"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
