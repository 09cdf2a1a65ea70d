//! The filter between pipes, files and readers that are slow or leave.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::program::RUNTIMES;

/// Lines, and what the filter makes of them.
fn numbered(count: usize) -> (String, String) {
    let lines = || (1..=count).map(|n| format!("the line {n}\n"));
    let numbered = lines().zip(1..).map(|(line, n)| format!("{n:6}\t{line}"));
    (lines().collect(), numbered.collect())
}

fn filter(runtime: &str, input: impl Into<Stdio>, output: impl Into<Stdio>) -> Child {
    Command::new(env!("CARGO_BIN_EXE_pipe_filter"))
        .args(["--runtime", runtime])
        .stdin(input)
        .stdout(output)
        .spawn()
        .unwrap()
}

#[test]
fn filter_between_pipes() {
    for runtime in RUNTIMES {
        let (lines, expected) = numbered(100_000);
        let mut child = filter(runtime, Stdio::piped(), Stdio::piped());
        let mut input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        // A line comes out as soon as it has come in.
        let (first, rest) = lines.split_once('\n').unwrap();
        writeln!(input, "{first}").unwrap();
        let mut received = String::new();
        output.read_line(&mut received).unwrap();
        assert_eq!(received, "     1\tthe line 1\n");
        let rest = rest.to_owned();
        let feeding = thread::spawn(move || input.write_all(rest.as_bytes()).unwrap());
        output.read_to_string(&mut received).unwrap();
        assert!(received == expected, "{} bytes", received.len());
        assert!(child.wait().unwrap().success());
        feeding.join().unwrap();
    }
}

#[test]
fn filter_between_files() {
    for runtime in RUNTIMES {
        let (lines, expected) = numbered(100_000);
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::write(&from, lines).unwrap();
        let output = File::create(&to).unwrap();
        let mut child = filter(runtime, File::open(&from).unwrap(), output);
        assert!(child.wait().unwrap().success());
        assert!(fs::read_to_string(&to).unwrap() == expected);
    }
}

/// Its output is not read, so it does not read on either.
#[test]
fn filter_before_a_slow_reader() {
    for runtime in RUNTIMES {
        let mut child = filter(runtime, Stdio::piped(), Stdio::piped());
        let mut input = child.stdin.take().unwrap();
        let (written, progress) = mpsc::channel();
        let feeding = thread::spawn(move || {
            let (lines, expected) = numbered(100_000);
            for piece in lines.as_bytes().chunks(1000) {
                input.write_all(piece).unwrap();
                written.send(piece.len()).unwrap();
            }
            expected
        });
        let mut taken = 0;
        while let Ok(n) = progress.recv_timeout(Duration::from_millis(300)) {
            taken += n;
            assert!(taken < 1_000_000, "{taken} bytes of 1.6 million");
        }
        let mut received = String::new();
        let mut output = child.stdout.take().unwrap();
        output.read_to_string(&mut received).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(received == feeding.join().unwrap());
    }
}

#[test]
fn filter_before_a_reader_that_leaves() {
    for runtime in RUNTIMES {
        let mut child = filter(runtime, Stdio::piped(), Stdio::piped());
        let mut input = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        input.write_all(b"one\n").unwrap();
        output.read_exact(&mut [0; 11]).unwrap();
        drop(output);
        // It ends though its input goes on.
        while input.write_all(b"more\n").is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(child.wait().unwrap().success());
    }
}
