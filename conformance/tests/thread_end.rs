//! Whole runtimes that are dropped by a destructor of their thread's locals, with a stream of theirs.

use std::{
    cell::Cell,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
    time::Duration,
};

use millpond_tokio::open_connection;

/// Than it takes.
const FAR_MORE: Duration = Duration::from_secs(60);

thread_local! {
    static LEFT: Cell<Option<Left>> = const { Cell::new(None) };
}

/// What is left to be done at the end of a thread, in this order, and the channel that reports whether it
/// has panicked, which would end the process.
struct Left {
    things: Vec<Box<dyn FnOnce()>>,
    done: mpsc::Sender<thread::Result<()>>,
}

impl Drop for Left {
    fn drop(&mut self) {
        let things = std::mem::take(&mut self.things);
        let doing = AssertUnwindSafe(|| things.into_iter().for_each(|thing| thing()));
        self.done.send(catch_unwind(doing)).unwrap();
    }
}

#[test]
fn a_runtime_of_tokios_and_its_stream_can_be_left_to_the_end_of_a_thread() {
    for runtime_first in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (done, doing) = mpsc::channel();
        let thread = thread::spawn(move || {
            LEFT.set(None); // the destructor of what is used first runs last
            let tokio = tokio::runtime::Builder::new_current_thread();
            let tokio = { tokio }.enable_all().build().unwrap();
            let (reader, mut writer) = tokio.block_on(async {
                let opening = open_connection(address).idle_timeout(FAR_MORE);
                let (mut reader, mut writer) = opening.await.unwrap();
                writer.write(b"hello ").unwrap();
                assert_eq!(reader.read_line().await.unwrap(), "?\n");
                writer.write(b"world").unwrap();
                (reader, writer)
            });
            let leave = move || {
                let _farewell = writer.write(b", bye"); // what has a timeout asks for the time
                drop((reader, writer));
            };
            let mut things: Vec<Box<dyn FnOnce()>> =
                vec![Box::new(leave), Box::new(|| drop(tokio))];
            if runtime_first {
                things.reverse();
            }
            LEFT.set(Some(Left { things, done }));
        });
        let (mut peer, _): (TcpStream, _) = listener.accept().unwrap();
        peer.write_all(b"?\n").unwrap();
        thread.join().unwrap();
        doing.recv().unwrap().unwrap();
        let mut received = String::new();
        peer.read_to_string(&mut received).unwrap();
        match runtime_first {
            false => assert_eq!(received, "hello world, bye"),
            true => assert!(received.starts_with("hello world"), "{received}"),
        }
    }
}
