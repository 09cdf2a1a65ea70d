//! The standard streams of real processes, whatever they are connected to.
#![cfg(target_os = "linux")]

use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, ExitStatus, Stdio, exit},
    sync::Arc,
    thread,
    time::Duration,
};

use millpond::{Runtime, connect_read_pipe, connect_write_pipe, timeout};

/// What this process is to do, and on which runtime, if it is one of those that are started here.
const PROGRAM: &str = "MILLPOND_PROGRAM";

const RUNTIMES: [&str; 2] = ["tokio", "smol"];

/// More than pipes and sockets hold.
const MUCH: usize = 4 * 1024 * 1024;

/// Far less than a line takes that never comes.
const BRIEF: Duration = Duration::from_millis(50);

/// This program once more. What the test harness prints goes nowhere.
fn start(runtime: &str, program: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "the_program", "--ignored", "--nocapture"])
        .env(PROGRAM, format!("{runtime} {program}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// What a program writes.
fn output(runtime: &str, program: &str) -> (ExitStatus, Vec<u8>) {
    let output = start(runtime, program).output().unwrap();
    (output.status, output.stderr)
}

#[test]
fn what_was_flushed_outlives_the_process() {
    for runtime in RUNTIMES {
        for _ in 0..25 {
            let (status, written) = output(runtime, "hello");
            assert!(status.success());
            assert_eq!(written, b"hello\n");
        }
        let (status, written) = output(runtime, "much");
        assert!(status.success());
        assert_eq!(written.len(), MUCH);
    }
}

#[test]
fn a_flush_reports_a_full_disk() {
    for runtime in RUNTIMES {
        for program in ["hello", "much", "close"] {
            let full = File::options().write(true).open("/dev/full").unwrap();
            let status = start(runtime, program).stderr(full).status().unwrap();
            assert_eq!(status.code(), Some(1), "{runtime} {program}");
        }
    }
}

#[test]
fn a_line_that_comes_after_the_stream_was_dropped_is_left() {
    for runtime in RUNTIMES {
        let mut program = start(runtime, "give up")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut printed = BufReader::new(program.stderr.take().unwrap()).lines();
        assert_eq!(printed.next().unwrap().unwrap(), "given up");
        let mut input = program.stdin.take().unwrap();
        input.write_all(b"one\ntwo\n").unwrap();
        assert_eq!(printed.next().unwrap().unwrap(), "one");
        assert!(program.wait().unwrap().success());
    }
}

/// Another process may have made them so.
#[test]
fn standard_streams_that_do_not_block_are_waited_for() {
    for runtime in RUNTIMES {
        let (input, theirs) = UnixStream::pair().unwrap();
        let (mut output, out) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        out.set_nonblocking(true).unwrap();
        let mut program = start(runtime, "copy")
            .stdin(OwnedFd::from(theirs))
            .stderr(OwnedFd::from(out))
            .spawn()
            .unwrap();
        let feeding = thread::spawn(move || (&input).write_all(&vec![7; MUCH]));
        let mut copied = Vec::new();
        output.read_to_end(&mut copied).unwrap();
        feeding.join().unwrap().unwrap();
        assert_eq!(copied.len(), MUCH);
        assert!(program.wait().unwrap().success());
    }
}

#[test]
#[ignore = "a process of its own, which the others start"]
fn the_program() {
    let Ok(program) = env::var(PROGRAM) else {
        return;
    };
    let (runtime, program) = program.split_once(' ').unwrap();
    let ended = match runtime {
        "tokio" => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let tokio = millpond_tokio::Tokio::new(runtime.handle().clone());
            runtime.block_on(run(program, Arc::new(tokio)))
        }
        _ => smol::block_on(run(program, Arc::new(millpond_smol::Smol))),
    };
    exit(i32::from(ended.is_err()));
}

/// Standard error stands for both outputs: the test harness writes to the other one.
async fn run(program: &str, runtime: Arc<dyn Runtime>) -> io::Result<()> {
    let mut out = connect_write_pipe(runtime.clone(), io::stderr()).await?;
    match program {
        "hello" => {
            out.write_all(b"hello\n").await?;
            out.flush().await?;
        }
        "much" => {
            out.write_all(&[b'x'; MUCH]).await?;
            out.flush().await?;
        }
        "close" => {
            out.write_all(b"hello\n").await?;
            out.close();
            out.wait_closed().await?;
        }
        "give up" => {
            let mut input = connect_read_pipe(runtime.clone(), io::stdin()).await?;
            let late = timeout(&*runtime, BRIEF, input.read_line()).await;
            assert!(late.is_err());
            drop(input);
            out.write_all(b"given up\n").await?;
            let mut line = String::new();
            io::stdin().read_line(&mut line)?;
            out.write_all(line.as_bytes()).await?;
            out.flush().await?;
        }
        _ => {
            let mut input = connect_read_pipe(runtime, io::stdin()).await?;
            loop {
                let some = input.read(MUCH).await?;
                if some.is_empty() {
                    break out.flush().await?;
                }
                out.write_all(&some).await?;
            }
        }
    }
    Ok(())
}
