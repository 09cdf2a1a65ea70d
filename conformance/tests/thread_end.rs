//! Whole runtimes that are dropped by a destructor of their thread's locals, with a stream of theirs.

use std::{
    any::Any,
    cell::Cell,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
};

use millpond_tokio::open_connection;

thread_local! {
    static LEFT: Cell<Option<Left>> = const { Cell::new(None) };
}

/// What is left to the end of a thread, and told then: whether dropping it has panicked, which would
/// end the process.
struct Left {
    /// Dropped in this order.
    things: Vec<Box<dyn Any>>,
    dropped: mpsc::Sender<thread::Result<()>>,
}

impl Drop for Left {
    fn drop(&mut self) {
        let things = std::mem::take(&mut self.things);
        let dropping = AssertUnwindSafe(|| things.into_iter().for_each(drop));
        self.dropped.send(catch_unwind(dropping)).unwrap();
    }
}

#[test]
fn a_runtime_of_tokios_and_its_stream_can_be_left_to_the_end_of_a_thread() {
    for runtime_first in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (dropped, dropping) = mpsc::channel();
        let thread = thread::spawn(move || {
            LEFT.set(None); // the destructor of what is used first runs last
            let tokio = tokio::runtime::Builder::new_current_thread();
            let tokio = { tokio }.enable_all().build().unwrap();
            let stream = tokio.block_on(async {
                let (mut reader, mut writer) = open_connection(address).await.unwrap();
                writer.write(b"hello ").unwrap();
                assert_eq!(reader.read_line().await.unwrap(), "?\n");
                writer.write(b"world").unwrap();
                (reader, writer)
            });
            let mut things: Vec<Box<dyn Any>> = vec![Box::new(stream), Box::new(tokio)];
            if runtime_first {
                things.reverse();
            }
            LEFT.set(Some(Left { things, dropped }));
        });
        let (mut peer, _): (TcpStream, _) = listener.accept().unwrap();
        peer.write_all(b"?\n").unwrap();
        thread.join().unwrap();
        dropping.recv().unwrap().unwrap();
        let mut received = String::new();
        peer.read_to_string(&mut received).unwrap();
        assert_eq!(received, "hello world");
    }
}
