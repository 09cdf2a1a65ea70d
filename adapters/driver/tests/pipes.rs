//! Pipes on a runtime that cannot wait for them, and whose time is over at once.

#![cfg(unix)]

mod support;

use std::{
    io::{self, Read},
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use futures_lite::future::block_on;
use millpond::{Runtime, connect_read_pipe, connect_write_pipe};

use crate::support::world::World;

fn runtime() -> Arc<dyn Runtime> {
    World::on_threads().runtime()
}

#[test]
fn a_runtime_that_knows_no_pipes_has_threads_for_them() {
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = child.stdin.take().unwrap();
    let output = child.stdout.take().unwrap();
    block_on(async {
        let mut input = connect_write_pipe(runtime(), input).await.unwrap();
        let mut output = connect_read_pipe(runtime(), output).await.unwrap();
        input.write(b"hello\n").unwrap();
        assert_eq!(output.read_line().await.unwrap(), "hello\n");
        drop(input);
        assert_eq!(output.read_line().await.unwrap(), "");
    });
    assert!(child.wait().unwrap().success());
}

/// It may be a pager.
#[test]
fn a_pipe_may_be_read_at_any_pace() {
    const LEN: usize = 1024 * 1024;
    let mut child = Command::new("sh")
        .args(["-c", "sleep 0.2; cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    block_on(async {
        let mut input = connect_write_pipe(runtime(), input).await.unwrap();
        input.write(vec![0; LEN]).unwrap();
        input.close();
        let received = thread::spawn(move || output.read_to_end(&mut Vec::new()).unwrap());
        input.wait_closed().await.unwrap();
        assert_eq!(received.join().unwrap(), LEN);
    });
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_stream_of_this_process_leaves_its_descriptor_open() {
    for _ in 0..2 {
        block_on(async {
            let mut stderr = connect_write_pipe(runtime(), io::stderr()).await.unwrap();
            stderr.write(b"").unwrap();
            stderr.close();
            stderr.wait_closed().await.unwrap();
            let stdin = connect_read_pipe(runtime(), io::stdin()).await;
            drop(stdin.unwrap());
        });
    }
}
