//! The whole suite on a runtime that records what each of its sockets reads: everything is as it is
//! without, and every trace replays.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use millpond::{
    Address, Runtime, StreamOptions,
    adapter::{
        Bound, BoxFuture, ConnectOptions, ListenOptions, Listener, Lookup, Socket, Spawn,
        StdListener, StdSocket,
    },
};
use millpond_conformance::{
    Harness, Scenario, suite,
    trace::{RecordedSocket, Recording, replay},
};
use millpond_smol::Smol;

struct Recorded;

impl Harness for Recorded {
    fn run(scenario: Scenario) {
        smol::block_on(scenario.on(Arc::new(Recorder(Smol))));
    }
}

suite!(Recorded: tcp, unix, sock, tcp_server);

struct Recorder<R>(R);

struct RecordedBound(Box<dyn Bound>);

struct RecordedListener(Box<dyn Listener>);

/// Checks, when its socket goes, what was recorded.
struct Checked {
    socket: RecordedSocket,
    recording: Recording,
}

fn recorded(socket: Box<dyn Socket>) -> Box<dyn Socket> {
    let (socket, recording) = RecordedSocket::new(socket);
    Box::new(Checked { socket, recording })
}

impl Drop for Checked {
    fn drop(&mut self) {
        let trace = self.recording.trace();
        assert!(replay(&trace).is_empty());
        // The large ones would take longer than everything else.
        if trace.lines().len() < 100 {
            assert_eq!(trace.to_string().parse(), Ok(trace));
        }
    }
}

impl<R: Runtime> Spawn for Recorder<R> {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }
}

impl<R: Runtime> Runtime for Recorder<R> {
    fn connect<'a>(
        &'a self,
        address: &'a Address,
        options: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async { self.0.connect(address, options).await.map(recorded) })
    }

    fn bind(&self, address: &Address, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
        Ok(Box::new(RecordedBound(self.0.bind(address, options)?)))
    }

    fn adopt(&self, socket: StdSocket) -> io::Result<Box<dyn Socket>> {
        self.0.adopt(socket).map(recorded)
    }

    fn adopt_listener(&self, listener: StdListener) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(RecordedListener(self.0.adopt_listener(listener)?)))
    }

    fn resolve<'a>(&'a self, lookup: &'a Lookup) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        self.0.resolve(lookup)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }

    fn now(&self) -> Instant {
        self.0.now()
    }
}

impl Bound for RecordedBound {
    fn local_addr(&self) -> io::Result<Address> {
        self.0.local_addr()
    }

    fn listen(self: Box<Self>, backlog: u32) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(RecordedListener(self.0.listen(backlog)?)))
    }
}

impl Listener for RecordedListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>> {
        Poll::Ready(ready!(self.0.poll_accept(cx)).map(recorded))
    }

    fn local_addr(&self) -> io::Result<Address> {
        self.0.local_addr()
    }
}

impl Socket for Checked {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.socket.poll_read(cx, buf)
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.socket.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_write_vectored(cx, bufs)
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_close(cx)
    }

    fn abort(&self) {
        self.socket.abort();
    }

    fn mode(&self) -> millpond::StreamMode {
        self.socket.mode()
    }

    fn can_write_eof(&self) -> bool {
        self.socket.can_write_eof()
    }

    fn extra_info(&self) -> millpond::types::ExtraInfo {
        self.socket.extra_info()
    }

    fn system_socket(&self) -> Option<millpond::adapter::os::SockRef<'_>> {
        self.socket.system_socket()
    }
}

/// Gives the scripted results, in order.
struct Script(Mutex<VecDeque<Poll<io::Result<&'static [u8]>>>>);

impl Socket for Script {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let step = self.0.lock().unwrap().pop_front();
        match step.unwrap_or(Poll::Ready(Ok(b""))) {
            Poll::Ready(read) => Poll::Ready(read.map(|data| {
                buf[..data.len()].copy_from_slice(data);
                data.len()
            })),
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn poll_write(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn each_piece_and_the_one_end_are_kept() {
    let failure = || Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
    let interruption = Poll::Ready(Err(io::Error::from(io::ErrorKind::Interrupted)));
    let script = VecDeque::from([
        Poll::Ready(Ok(b"one\nt".as_slice())),
        Poll::Pending,
        interruption,
        Poll::Ready(Ok(b"wo\n")),
        failure(),
        failure(),
    ]);
    let (socket, recording) = RecordedSocket::with_limit(Box::new(Script(Mutex::new(script))), 9);
    let spawn = |task: BoxFuture<'static, ()>| smol::spawn(task).detach();
    let (mut reader, _writer) = StreamOptions::new().open(Box::new(socket), Arc::new(spawn));
    smol::block_on(async {
        assert_eq!(reader.read_line().await.unwrap(), "one\n");
        assert_eq!(reader.read_line().await.unwrap(), "two\n");
        for _ in 0..3 {
            let error = reader.read_line().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
    });
    assert_eq!(
        recording.trace().to_string(),
        r#"{"trace":1,"limit":9}
{"feed":"6f6e650a74"}
{"feed":"776f0a"}
{"fail":"ConnectionReset"}
"#
    );
}
