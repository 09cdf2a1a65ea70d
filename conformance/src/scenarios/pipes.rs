//! Streams of one direction: pipes, FIFOs, files, and what a thread has to wait for.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, Stdio},
};

use futures_util::future::join;
use millpond::{
    ReadError, Stream, StreamMode, WriteError,
    types::{ConnectPipe, ReadPipe, WritePipe},
};

use crate::{
    data,
    polling::{interrupted, yield_now},
    setup::Setup,
};

const VOLUME: usize = 8 * 1024 * 1024;

/// More than a pipe holds, with what a stream queues and a thread has at hand.
const PLENTY: usize = 1024 * 1024;

/// What the two ends belong to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Fifo,
    Pipe,
    /// Sockets are left to a thread, as terminals are.
    Thread,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Fifo, Self::Pipe, Self::Thread];

    /// The end to read, and the one to write.
    fn ends(self, setup: &mut Setup) -> (OwnedFd, OwnedFd) {
        match self {
            Self::Fifo => {
                let path = setup.new_path();
                let made = Command::new("mkfifo").arg(&path).status().unwrap();
                assert!(made.success());
                // Opening one end waits for the other one, unless it is both at once.
                let both = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .open(&path)
                    .unwrap();
                let reader = File::open(&path).unwrap();
                let writer = OpenOptions::new().write(true).open(&path).unwrap();
                drop(both);
                (reader.into(), writer.into())
            }
            Self::Pipe => {
                let (reader, writer) = os_pipe::pipe().unwrap();
                (reader.into(), writer.into())
            }
            Self::Thread => {
                let (reader, writer) = UnixStream::pair().unwrap();
                (reader.into(), writer.into())
            }
        }
    }

    async fn connect(self, setup: &mut Setup) -> (Stream, Stream) {
        let (reader, writer) = self.ends(setup);
        let reader = read_pipe(setup, reader).await.unwrap();
        let writer = write_pipe(setup, writer).await.unwrap();
        (reader, writer)
    }
}

fn read_pipe(setup: &Setup, pipe: impl Into<ReadPipe>) -> ConnectPipe {
    millpond::connect_read_pipe(setup.runtime.clone(), pipe)
}

fn write_pipe(setup: &Setup, pipe: impl Into<WritePipe>) -> ConnectPipe {
    millpond::connect_write_pipe(setup.runtime.clone(), pipe)
}

fn kind_of(error: &WriteError) -> ErrorKind {
    let WriteError::Transport(error) = error else {
        panic!("{error:?}");
    };
    error.kind()
}

/// Writes to the end of a pipe until it is gone.
async fn write_until_it_fails(setup: &Setup, writer: &mut Stream) -> WriteError {
    loop {
        if let Err(error) = writer.write_all(b"is there anybody").await {
            return error;
        }
        setup.sleep(1).await;
    }
}

pub(crate) async fn what_is_written_to_a_pipe_can_be_read(mut setup: Setup) {
    for kind in Kind::ALL {
        let (mut reader, mut writer) = kind.connect(&mut setup).await;
        setup.stays_pending(reader.read_line()).await;
        for line in ["one\n", "two\n", "three\n"] {
            writer.write(line.as_bytes()).unwrap();
            assert_eq!(reader.read_line().await.unwrap(), line, "{kind:?}");
        }
        writer.write_all(&[7; 1000]).await.unwrap();
        assert_eq!(reader.read_exactly(1000).await.unwrap(), [7; 1000][..]);
    }
}

pub(crate) async fn the_end_comes_behind_the_last_byte(mut setup: Setup) {
    let endings: [fn(Stream); 4] = [
        |mut stream| stream.close(),
        |mut stream| stream.write_eof().unwrap(),
        drop,
        |stream| drop(stream.into_split()),
    ];
    for kind in Kind::ALL {
        for end in endings {
            let (mut reader, mut writer) = kind.connect(&mut setup).await;
            let sent = data::bytes(1, PLENTY);
            writer.write(&sent).unwrap();
            end(writer);
            data::assert_same(&reader.read_to_eof().await.unwrap(), &sent);
            assert_eq!(reader.read(1).await.unwrap(), "");
            assert!(reader.at_eof());
        }
    }
}

pub(crate) async fn much_arrives_as_it_was_sent(mut setup: Setup) {
    for kind in Kind::ALL {
        let (mut reader, mut writer) = kind.connect(&mut setup).await;
        let sent = data::bytes(1, VOLUME);
        let to_send = sent.clone();
        let sending = setup.spawn(async move {
            let mut sizes = data::Random::new(2);
            let mut rest = &to_send[..];
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(sizes.up_to(200_000).min(rest.len()));
                writer.write_all(piece).await.unwrap();
                rest = behind;
            }
            writer.close();
            writer.wait_closed().await.unwrap();
        });
        data::assert_same(&reader.read_to_eof().await.unwrap(), &sent);
        sending.await;
    }
}

pub(crate) async fn a_file_is_read_to_its_end(mut setup: Setup) {
    let path = setup.new_path();
    let content = data::bytes(1, VOLUME);
    fs::write(&path, &content).unwrap();
    let mut stream = read_pipe(&setup, File::open(&path).unwrap()).await.unwrap();
    assert_eq!(stream.read_exactly(10).await.unwrap(), content[..10]);
    let rest = stream.read_to_eof().await.unwrap();
    data::assert_same(&rest, &content[10..]);
}

pub(crate) async fn a_file_is_written_when_the_stream_is_closed(mut setup: Setup) {
    let path = setup.new_path();
    let content = data::bytes(1, VOLUME);
    let file = File::create(&path).unwrap();
    let mut stream = write_pipe(&setup, file).await.unwrap();
    for piece in content.chunks(100_000) {
        stream.write_all(piece).await.unwrap();
    }
    stream.close();
    stream.wait_closed().await.unwrap();
    data::assert_same(&fs::read(&path).unwrap(), &content);
}

pub(crate) async fn the_null_device_takes_everything_and_gives_nothing(setup: Setup) {
    let null = File::open("/dev/null").unwrap();
    let mut reader = read_pipe(&setup, null).await.unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "");
    assert!(reader.at_eof());
    let null = File::create("/dev/null").unwrap();
    let mut writer = write_pipe(&setup, null).await.unwrap();
    for _ in 0..100 {
        writer.write_all(&[0; 100_000]).await.unwrap();
    }
    writer.close();
    writer.wait_closed().await.unwrap();
}

pub(crate) async fn a_child_can_be_listened_to_line_by_line(setup: Setup) {
    let mut child = Command::new("sh")
        .args(["-c", r"printf 'one\ntwo\nthree'; printf 'oh\n' >&2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let errors = child.stderr.take().unwrap();
    let mut output = read_pipe(&setup, output).await.unwrap();
    let mut errors = read_pipe(&setup, errors).await.unwrap();
    for line in ["one\n", "two\n", "three", ""] {
        assert_eq!(output.read_line().await.unwrap(), line);
    }
    assert_eq!(errors.read_to_eof().await.unwrap(), "oh\n");
    assert!(child.wait().unwrap().success());
}

pub(crate) async fn what_a_child_is_given_comes_back(setup: Setup) {
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = child.stdin.take().unwrap();
    let output = child.stdout.take().unwrap();
    let mut input = write_pipe(&setup, input).await.unwrap();
    let mut output = read_pipe(&setup, output).await.unwrap();
    input.write(b"hello\n").unwrap();
    assert_eq!(output.read_line().await.unwrap(), "hello\n");
    let sent = data::bytes(1, PLENTY);
    input.write(&sent).unwrap();
    input.write_eof().unwrap();
    data::assert_same(&output.read_to_eof().await.unwrap(), &sent);
    input.wait_closed().await.unwrap();
    assert!(child.wait().unwrap().success());
}

pub(crate) async fn a_writer_pauses_when_the_pipe_is_not_read(mut setup: Setup) {
    for kind in Kind::ALL {
        let (mut reader, mut writer) = kind.connect(&mut setup).await;
        let sent = data::bytes(1, PLENTY);
        writer.write(&sent).unwrap();
        assert!(writer.is_paused(), "{kind:?}");
        setup.stays_pending(writer.drain()).await;
        assert!(writer.is_paused(), "{kind:?}");
        let read = reader.read_exactly(PLENTY);
        let (drained, read) = join(writer.drain(), read).await;
        drained.unwrap();
        data::assert_same(&read.unwrap(), &sent);
    }
}

/// There is no reading ahead: what is not asked for stays in the pipe, and so the producer waits.
pub(crate) async fn a_producer_is_paused_when_no_task_reads(mut setup: Setup) {
    for kind in Kind::ALL {
        let (reader, writer) = kind.ends(&mut setup);
        let mut reader = read_pipe(&setup, reader).await.unwrap();
        let mut writer = write_pipe(&setup, writer).await.unwrap();
        writer.write(b"first\n").unwrap();
        assert_eq!(reader.read_line().await.unwrap(), "first\n");
        // A cancelled one, too, reads no more than it was going to.
        setup.stays_pending(reader.read_line()).await;
        writer.write(vec![b'x'; PLENTY]).unwrap();
        let mut queued = usize::MAX;
        while writer.queued() < queued {
            queued = writer.queued();
            setup.sleep(20).await;
        }
        assert!(queued > PLENTY / 4, "{kind:?}: {queued}");
        drop(writer);
        assert_eq!(reader.read_to_eof().await.unwrap().len(), PLENTY);
    }
}

pub(crate) async fn each_direction_refuses_the_other_one(mut setup: Setup) {
    for kind in Kind::ALL {
        let (mut reader, mut writer) = kind.connect(&mut setup).await;
        assert_eq!(reader.write(b"x"), Err(WriteError::ReadOnly));
        assert_eq!(reader.drain().await, Err(WriteError::ReadOnly));
        assert_eq!(reader.write_eof(), Err(WriteError::ReadOnly));
        assert_eq!(writer.read(1).await, Err(ReadError::WriteOnly));
        assert_eq!(writer.read_line().await, Err(ReadError::WriteOnly));
        assert_eq!(writer.read_to_eof().await, Err(ReadError::WriteOnly));
        // Nothing has happened by that.
        writer.write(b"line\n").unwrap();
        assert_eq!(reader.read_line().await.unwrap(), "line\n");
    }
}

pub(crate) async fn each_half_knows_its_direction(mut setup: Setup) {
    for kind in Kind::ALL {
        let (reader, writer) = kind.connect(&mut setup).await;
        for (stream, mode) in [(reader, StreamMode::Read), (writer, StreamMode::Write)] {
            assert_eq!(stream.mode(), mode);
            assert_eq!(stream.can_write_eof(), mode.can_write());
            let info = stream.extra_info();
            assert!(info.get("pipe").is_some(), "{kind:?}");
            assert!(info.get("socket").is_none() && info.get("peername").is_none());
            assert!(stream.transport().with_socket(|_| ()).is_none());
            let (reader, writer) = stream.into_split();
            assert_eq!(reader.transport().mode(), mode);
            assert_eq!(writer.transport().mode(), mode);
        }
    }
}

pub(crate) async fn a_writer_sees_that_its_reader_was_closed(mut setup: Setup) {
    for kind in Kind::ALL {
        let (reader, mut writer) = kind.connect(&mut setup).await;
        writer.write(b"line\n").unwrap();
        drop(reader);
        let error = write_until_it_fails(&setup, &mut writer).await;
        assert_eq!(kind_of(&error), ErrorKind::BrokenPipe, "{kind:?}");
        assert_eq!(writer.write(b"more"), Err(error.clone()));
        assert_eq!(writer.wait_closed().await, Err(error));
    }
}

pub(crate) async fn a_waiting_writer_sees_that_its_reader_was_closed(mut setup: Setup) {
    for kind in Kind::ALL {
        let (reader, mut writer) = kind.connect(&mut setup).await;
        writer.write(vec![0; PLENTY]).unwrap();
        let leave = async {
            setup.sleep(10).await;
            drop(reader);
        };
        let (drained, ()) = join(writer.drain(), leave).await;
        let kind_of_error = kind_of(&drained.unwrap_err());
        // A socket with unread input is reset, where a pipe only breaks.
        let expected = match kind {
            Kind::Fifo | Kind::Pipe => kind_of_error == ErrorKind::BrokenPipe,
            Kind::Thread => true,
        };
        assert!(expected, "{kind:?}: {kind_of_error:?}");
    }
}

pub(crate) async fn a_read_of_a_pipe_dropped_at_any_await_loses_nothing(mut setup: Setup) {
    for kind in Kind::ALL {
        let (mut reader, mut writer) = kind.connect(&mut setup).await;
        let mut sent = Vec::new();
        let mut received = Vec::new();
        for i in 0..200 {
            let line = format!("line {i}\n").into_bytes();
            let mut rest = line.chunks(1);
            let mut next = || writer.write(rest.next().unwrap_or_default()).unwrap();
            next();
            // Each time it has to wait the next byte comes; every other time it is dropped.
            let got = loop {
                match interrupted(1 + i % 3, &mut next, reader.read_line()).await {
                    Some(line) => break line.unwrap(),
                    None => yield_now().await,
                }
            };
            sent.extend(line);
            received.extend(got);
        }
        let more = data::bytes(1, PLENTY);
        writer.write(&more).unwrap();
        let exactly = loop {
            match interrupted(1, || {}, reader.read_exactly(PLENTY)).await {
                Some(all) => break all.unwrap(),
                None => yield_now().await,
            }
        };
        assert_eq!(received, sent, "{kind:?}");
        data::assert_same(&exactly, &more);
    }
}

/// Whether a write to the pipe fails as closed, sooner or later: a child that is just being
/// started by another test has every descriptor for a moment.
async fn has_no_reader(setup: &Setup, writer: OwnedFd) -> bool {
    let mut writer = File::from(writer);
    for doublings in 0..16 {
        if let Err(error) = writer.write(b"?") {
            return error.kind() == ErrorKind::BrokenPipe;
        }
        setup.sleep(1 << doublings).await;
    }
    false
}

/// Whether the reader of the pipe sees it closed; waits for that otherwise.
fn has_no_writer(reader: OwnedFd) -> bool {
    File::from(reader).read(&mut [0]).unwrap() == 0
}

async fn end_each_way(mut setup: Setup, end: fn(&mut Stream)) {
    for kind in Kind::ALL {
        let (reader, writer) = kind.ends(&mut setup);
        let mut stream = read_pipe(&setup, reader).await.unwrap();
        File::from(writer.try_clone().unwrap())
            .write_all(b"line\n")
            .unwrap();
        assert_eq!(stream.read_line().await.unwrap(), "line\n");
        end(&mut stream);
        let _ended = stream.wait_closed().await;
        drop(stream);
        assert!(has_no_reader(&setup, writer).await, "{kind:?}");

        let (reader, writer) = kind.ends(&mut setup);
        let mut stream = write_pipe(&setup, writer).await.unwrap();
        stream.write(b"x").unwrap();
        stream.flush().await.unwrap();
        assert_eq!(
            File::from(reader.try_clone().unwrap())
                .read(&mut [0])
                .unwrap(),
            1
        );
        end(&mut stream);
        let _ended = stream.wait_closed().await;
        assert!(has_no_writer(reader), "{kind:?}");
    }
}

pub(crate) async fn closing_the_stream_closes_the_pipe(setup: Setup) {
    end_each_way(setup, Stream::close).await;
}

pub(crate) async fn aborting_the_stream_closes_the_pipe(setup: Setup) {
    end_each_way(setup, Stream::abort).await;
}

pub(crate) async fn dropping_the_stream_closes_the_pipe(mut setup: Setup) {
    for kind in Kind::ALL {
        let (reader, writer) = kind.ends(&mut setup);
        drop(read_pipe(&setup, reader).await.unwrap());
        assert!(has_no_reader(&setup, writer).await, "{kind:?}");

        let (reader, writer) = kind.ends(&mut setup);
        drop(write_pipe(&setup, writer).await.unwrap());
        assert!(has_no_writer(reader), "{kind:?}");
    }
}

pub(crate) async fn close_ends_a_read_of_a_pipe_that_waits(mut setup: Setup) {
    for kind in Kind::ALL {
        let (mut reader, _writer) = kind.connect(&mut setup).await;
        let transport = reader.transport();
        let close = async {
            setup.sleep(10).await;
            transport.close();
        };
        let (read, ()) = join(reader.read(1), close).await;
        assert_eq!(read.unwrap(), "", "{kind:?}");
    }
}

pub(crate) async fn the_half_without_a_direction_can_be_dropped(mut setup: Setup) {
    for kind in Kind::ALL {
        let (reader, writer) = kind.connect(&mut setup).await;
        let (mut reader, no_writer) = reader.into_split();
        let (no_reader, mut writer) = writer.into_split();
        drop((no_writer, no_reader));
        writer.write_all(b"line\n").await.unwrap();
        assert_eq!(reader.read_line().await.unwrap(), "line\n", "{kind:?}");
        setup.stays_pending(reader.read_line()).await;
        drop(writer);
        assert_eq!(reader.read_line().await.unwrap(), "");
    }
}

pub(crate) async fn closing_waits_until_everything_is_written(mut setup: Setup) {
    for kind in Kind::ALL {
        let (mut reader, mut writer) = kind.connect(&mut setup).await;
        let sent = data::bytes(1, PLENTY);
        writer.write(&sent).unwrap();
        writer.close();
        setup.stays_pending(writer.wait_closed()).await;
        let (closed, read) = join(writer.wait_closed(), reader.read_to_eof()).await;
        closed.unwrap();
        data::assert_same(&read.unwrap(), &sent);
    }
}

/// What was flushed arrives though the stream is aborted.
pub(crate) async fn flush_waits_until_everything_is_written(mut setup: Setup) {
    for kind in Kind::ALL {
        let (mut reader, mut writer) = kind.connect(&mut setup).await;
        writer.write(vec![7; PLENTY]).unwrap();
        setup.stays_pending(writer.flush()).await;
        let received = setup.spawn(async move { reader.read_to_eof().await.unwrap() });
        writer.flush().await.unwrap();
        assert_eq!(writer.queued(), 0);
        writer.abort();
        assert_eq!(received.await.len(), PLENTY, "{kind:?}");
    }
}

pub(crate) async fn flush_reports_what_a_write_has_failed_with(mut setup: Setup) {
    for kind in Kind::ALL {
        let (reader, mut writer) = kind.connect(&mut setup).await;
        drop(reader);
        // It may be known at once, or the thread meets the error.
        let failed = match writer.write(b"is there anybody") {
            Ok(()) => writer.flush().await,
            failed => failed,
        };
        let error = failed.unwrap_err();
        assert_eq!(kind_of(&error), ErrorKind::BrokenPipe, "{kind:?}");
        assert_eq!(writer.flush().await, Err(error.clone()));
        assert_eq!(writer.drain().await, Err(error));
    }
}

pub(crate) async fn what_comes_after_a_stream_was_dropped_is_left_to_others(setup: Setup) {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    let shared = OwnedFd::from(ours.try_clone().unwrap());
    let mut reader = read_pipe(&setup, shared).await.unwrap();
    setup.stays_pending(reader.read_line()).await;
    drop(reader);
    theirs.write_all(b"hello").unwrap();
    let mut received = [0; 5];
    ours.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"hello");
}

pub(crate) async fn what_is_no_pipe_is_refused(mut setup: Setup) {
    let directory = File::open("/").unwrap();
    let error = read_pipe(&setup, directory).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the pipe cannot be used: it is a directory"
    );
    assert_eq!(error.kind(), ErrorKind::IsADirectory);
    for kind in [Kind::Fifo, Kind::Pipe] {
        let (reader, writer) = kind.ends(&mut setup);
        let error = read_pipe(&setup, writer).await.unwrap_err().to_string();
        let expected = "the pipe cannot be used: it is not open for reading: ";
        assert!(error.starts_with(expected), "{error}");
        let error = write_pipe(&setup, reader).await.unwrap_err().to_string();
        let expected = "the pipe cannot be used: it is not open for writing: ";
        assert!(error.starts_with(expected), "{error}");
    }
    // What a file is open for shows with the first use.
    let path = setup.new_path();
    let mut stream = read_pipe(&setup, File::create(&path).unwrap())
        .await
        .unwrap();
    assert!(stream.read(1).await.is_err());
    let mut stream = write_pipe(&setup, File::open(&path).unwrap())
        .await
        .unwrap();
    let _queued = stream.write(b"x");
    stream.close();
    assert!(stream.wait_closed().await.is_err());
}

pub(crate) async fn options_reach_the_streams_of_pipes(mut setup: Setup) {
    for kind in Kind::ALL {
        let (reader, writer) = kind.ends(&mut setup);
        let mut reader = read_pipe(&setup, reader).limit(4).cap(8).await.unwrap();
        let mut writer = write_pipe(&setup, writer)
            .watermarks(0, PLENTY)
            .await
            .unwrap();
        writer.write(b"12345\n").unwrap();
        let overrun = reader.read_line().await;
        assert_eq!(overrun, Err(ReadError::LimitOverrun { consumed: 5 }));
        let refused = reader.read_exactly(9).await;
        assert_eq!(refused, Err(ReadError::CapExceeded { cap: 8 }));
        writer.write(vec![0; PLENTY]).unwrap();
        assert!(!writer.is_paused());
    }
    let null = File::open("/dev/null").unwrap();
    let error = read_pipe(&setup, null).limit(0).await.unwrap_err();
    assert!(error.to_string().contains("`limit`"), "{error}");
}
