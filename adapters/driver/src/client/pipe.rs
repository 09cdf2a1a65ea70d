//! Pipes, files and the standard streams, as streams of one direction.

use std::{
    fmt,
    fs::File,
    future::IntoFuture,
    io::{self, ErrorKind, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::FileTypeExt,
    },
    process::{ChildStderr, ChildStdin, ChildStdout},
    sync::Arc,
};

use crate::{
    open_error::OpenError,
    runtime::{Background, BoxFuture, Runtime},
    socket::{Blocking, Direction, Socket, StdPipe},
    stream::{Stream, StreamOptions, stream_options},
};

/// Reads a pipe, a FIFO, a file, a terminal, a child's output or this process's input as a stream;
/// asyncio's `connect_read_pipe` of 3.8.
///
/// The adapters have a function of the same name that knows its runtime; this one is for programs
/// that are given theirs. Await the result. The stream's mode is
/// [`StreamMode::Read`](crate::StreamMode::Read).
///
/// # What is read, and how
///
/// A pipe or FIFO that is given as a descriptor of its own is made non-blocking, and the runtime
/// waits for it. Everything else is read by a thread that blocks: regular files, terminals, sockets
/// (for which [`open_connection`](crate::open_connection) does better), and this process's own
/// [`Stdin`](io::Stdin), whatever it is. The thread starts with the first read, reads at most 64 KiB
/// at a time and only when asked, and does not keep the process alive.
///
/// The thread waits until there is something to read (`poll(2)`), and ends when the stream is dropped
/// meanwhile: what comes later is left to the next reader. What has come before and was not read
/// is lost with the stream. Two things cannot be cancelled: a read of a file that another process
/// empties between the waiting and the reading, and one of a terminal on macOS, which cannot be waited
/// for. There the thread takes what comes next.
///
/// `Differs from asyncio:` it makes everything non-blocking and refuses regular files. But that
/// setting belongs to the open file, not to the descriptor: programs that share a terminal or a pipe with
/// this process would have it, too, `println!` among them. So do not give a descriptor that is shared
/// with others if it is one of a pipe; for standard input give [`io::stdin`]. If another process has
/// made it non-blocking, that is no matter: the thread waits.
///
/// What was given is closed with the stream, which is when both halves of it are gone. The process's
/// standard input stays open. Do not read that in any other way
/// meanwhile: `std::io::stdin` has a buffer of its own.
///
/// # Examples
///
/// ```no_run
/// use std::{
///     process::{Command, Stdio},
///     sync::Arc,
/// };
///
/// use millpond::{Runtime, connect_read_pipe, error::BoxError};
///
/// async fn count_processes(runtime: Arc<dyn Runtime>) -> Result<usize, BoxError> {
///     let mut ps = Command::new("ps").arg("-e").stdout(Stdio::piped()).spawn()?;
///     let output = ps.stdout.take().expect("it is piped");
///     let mut stream = connect_read_pipe(runtime, output).limit(1 << 20).await?;
///     let mut count = 0;
///     while !stream.read_line().await?.is_empty() {
///         count += 1;
///     }
///     ps.wait()?;
///     Ok(count)
/// }
/// ```
pub fn connect_read_pipe(runtime: Arc<dyn Runtime>, pipe: impl Into<ReadPipe>) -> ConnectPipe {
    ConnectPipe {
        runtime,
        pipe: pipe.into().0,
        direction: Direction::In,
        options: StreamOptions::new(),
    }
}

/// Writes to a pipe, a FIFO, a file, a terminal, a child's input or this process's output as a
/// stream; asyncio's `connect_write_pipe` of 3.8.
///
/// The adapters have a function of the same name that knows its runtime; this one is for programs
/// that are given theirs. Await the result. The stream's mode is
/// [`StreamMode::Write`](crate::StreamMode::Write).
///
/// # What is written, and how
///
/// As with [`connect_read_pipe`], the runtime waits for pipes and FIFOs that are given as descriptors
/// of their own, and a thread does the rest: regular files, terminals, and this process's own
/// [`Stdout`](io::Stdout) and [`Stderr`](io::Stderr). The thread takes 64 KiB at a time.
/// [`flush`](Stream::flush) waits until it has written everything, and reports its failure, such as a
/// full disk; otherwise the next call does.
///
/// # Ending
///
/// There is no other direction to be left open, so [`write_eof`](Stream::write_eof), dropping the
/// writer and [`close`](Stream::close) are the same. What was written is delivered in the background,
/// however long the reader takes: it may be a pager. [`flush`](Stream::flush) and
/// [`wait_closed`](Stream::wait_closed) wait until everything is written; a process that ends before
/// that loses the rest. A pipe knows no reset: after an [`abort`](Stream::abort) the reader sees an end,
/// when a thread that writes is done with its current call.
///
/// A reader that is gone is the error `BrokenPipe` of a write, drain or flush. That is so because Rust
/// programs ignore `SIGPIPE`. Where it is at its default, because the program has reset it or is a
/// library in one that is written in C, such a write to a pipe raises it, which ends the process:
/// there is no flag against that, as there is for sockets.
///
/// Closing the stream leaves the process's standard output open. `print!` has a buffer of its own:
/// flush it before writing to the stream, and [`flush`](Stream::flush) the stream before printing
/// again.
///
/// # Examples
///
/// ```no_run
/// use std::{io, sync::Arc};
///
/// use millpond::{Runtime, connect_write_pipe};
///
/// async fn say_yes(runtime: Arc<dyn Runtime>, times: usize) -> io::Result<()> {
///     let mut stdout = connect_write_pipe(runtime, io::stdout()).await?;
///     for _ in 0..times {
///         stdout.write_all(b"y\n").await?; // waits while the reader of stdout is slow
///     }
///     stdout.close();
///     stdout.wait_closed().await?;
///     Ok(())
/// }
/// ```
pub fn connect_write_pipe(runtime: Arc<dyn Runtime>, pipe: impl Into<WritePipe>) -> ConnectPipe {
    ConnectPipe {
        runtime,
        pipe: pipe.into().0,
        direction: Direction::Out,
        options: StreamOptions::new(),
    }
}

/// What [`connect_read_pipe`] reads: any descriptor, or this process's standard input.
///
/// ```
/// use millpond::types::ReadPipe;
///
/// let stdin = ReadPipe::from(std::io::stdin());
/// let file = ReadPipe::from(std::fs::File::open("/dev/null")?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ReadPipe(Given);

/// What [`connect_write_pipe`] writes to: any descriptor, or this process's standard output or error.
///
/// ```
/// use millpond::types::WritePipe;
///
/// let stdout = WritePipe::from(std::io::stdout());
/// let file = WritePipe::from(std::fs::File::create("/dev/null")?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct WritePipe(Given);

#[derive(Debug)]
enum Given {
    /// This stream's alone.
    Own(File),
    /// A duplicate of what the whole process has, and maybe others; or why there is none.
    Shared(io::Result<File>),
}

/// A duplicate can be closed, and the process still has its own.
fn shared(standard: impl AsFd) -> Given {
    Given::Shared(standard.as_fd().try_clone_to_owned().map(File::from))
}

macro_rules! given {
    ($kind:ident: $( $given:ty => $how:expr, )+) => {
        $(
            impl From<$given> for $kind {
                fn from(given: $given) -> Self {
                    let how: fn($given) -> Given = $how;
                    Self(how(given))
                }
            }
        )+
    };
}

given! {
    ReadPipe:
    OwnedFd => |pipe| Given::Own(pipe.into()),
    File => Given::Own,
    ChildStdout => |pipe| Given::Own(OwnedFd::from(pipe).into()),
    ChildStderr => |pipe| Given::Own(OwnedFd::from(pipe).into()),
    io::Stdin => shared,
}

given! {
    WritePipe:
    OwnedFd => |pipe| Given::Own(pipe.into()),
    File => Given::Own,
    ChildStdin => |pipe| Given::Own(OwnedFd::from(pipe).into()),
    io::Stdout => shared,
    io::Stderr => shared,
}

/// A stream of one direction that is opened when this is awaited; made by [`connect_read_pipe`] and
/// [`connect_write_pipe`].
///
/// # Errors
///
/// Awaiting it gives an [`OpenError`]: [`Option`](OpenError::Option), or [`Pipe`](OpenError::Pipe)
/// for a directory, the wrong end of a pipe, or what the runtime refuses. A file that is not open for
/// this direction fails with the first read or write.
///
/// # Cancel safety
///
/// Yes: it does not wait.
///
/// # Examples
///
/// See [`connect_read_pipe`].
#[must_use = "does nothing unless awaited"]
pub struct ConnectPipe {
    runtime: Arc<dyn Runtime>,
    pipe: Given,
    direction: Direction,
    options: StreamOptions,
}

impl ConnectPipe {
    stream_options!("millpond::connect_read_pipe(runtime, std::io::stdin())");

    fn open(self) -> Result<Stream, OpenError> {
        self.options.check()?;
        let socket = adopt(&*self.runtime, self.pipe, self.direction)
            .map_err(|source| OpenError::Pipe { source })?;
        let background = Background::Runtime(self.runtime);
        let opened = self.options.open_shared(socket, background, None, None);
        Ok(Stream::new(opened.watched()))
    }
}

fn adopt(runtime: &dyn Runtime, pipe: Given, direction: Direction) -> io::Result<Box<dyn Socket>> {
    let (file, alone) = match pipe {
        Given::Own(file) => (file, true),
        Given::Shared(file) => (file?, false),
    };
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a directory"));
    }
    if !kind.is_fifo() {
        return Ok(Box::new(Blocking::new(file, direction)));
    }
    check_end(&file, direction)?;
    match direction {
        Direction::In if alone => runtime.adopt_pipe(StdPipe::Reader(file.into())),
        Direction::Out if alone => runtime.adopt_pipe(StdPipe::Writer(file.into())),
        Direction::In | Direction::Out => Ok(Box::new(Blocking::new(file, direction))),
    }
}

/// Reading or writing nothing takes nothing from a pipe and does not wait, but not at its wrong end.
fn check_end(mut pipe: &File, direction: Direction) -> io::Result<()> {
    let (tried, doing) = match direction {
        Direction::In => (pipe.read(&mut []), "reading"),
        Direction::Out => (pipe.write(&[]), "writing"),
    };
    tried.map(|_| ()).map_err(|error| {
        let reason = format!("it is not open for {doing}: {error}");
        io::Error::new(ErrorKind::InvalidInput, reason)
    })
}

impl IntoFuture for ConnectPipe {
    type Output = Result<Stream, OpenError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.open() })
    }
}

impl fmt::Debug for ConnectPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectPipe")
            .field("pipe", &self.pipe)
            .field("direction", &self.direction)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
