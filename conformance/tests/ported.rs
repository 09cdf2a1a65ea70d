//! The cases of CPython's own tests that are more than a conversation with a reader. The table that
//! says which test became which is in `vectors/README.md`.

use std::{
    error::Error,
    future::Future,
    io::{self, ErrorKind},
    net::Ipv4Addr,
    panic::catch_unwind,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use futures_channel::{mpsc, oneshot};
use futures_util::{FutureExt, StreamExt, future::join};
use millpond::{
    Address, ReadError, Runtime, Server, Stream, StreamMode, StreamOptions, StreamReader,
    StreamServer, StreamWriter, WriteError,
    adapter::{BoxFuture, Socket},
    connect,
    error::{HandlerErrorCause, TransportError},
    fed,
    millpond_core::{Reader, Request, Separator, Status},
    open_connection, start_server,
    types::{Shutdown, StartServer},
};
use millpond_smol::Smol;

type Tested = Result<(), Box<dyn Error>>;

const ANY_PORT: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

fn smol() -> Arc<dyn Runtime> {
    Arc::new(Smol)
}

fn run(test: impl Future<Output = Tested>) -> Tested {
    smol::block_on(test)
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// What CPython's tests ask: a page of a web server.
async fn answer_with_a_page(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    assert_eq!(
        reader.read_until("\r\n\r\n").await?,
        "GET / HTTP/1.0\r\n\r\n"
    );
    writer
        .write_all(b"HTTP/1.0 200 OK\r\nContent-type: text/plain\r\n\r\nTest message")
        .await?;
    Ok(())
}

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let line = reader.read_line().await?;
    writer.write_all(&line).await?;
    writer.close();
    writer.wait_closed().await?;
    Ok(())
}

async fn echo_on_a_stream(stream: Stream) -> io::Result<()> {
    let (reader, writer) = stream.into_split();
    echo(reader, writer).await
}

async fn ask_for_the_page(reader: &mut StreamReader, writer: &mut StreamWriter) -> Tested {
    writer.write(b"GET / HTTP/1.0\r\n\r\n")?;
    assert_eq!(reader.read_line().await?, "HTTP/1.0 200 OK\r\n");
    let rest = reader.read_to_eof().await?;
    assert!(rest.ends_with(b"\r\n\r\nTest message"));
    Ok(())
}

fn first(server: &Server) -> &Address {
    &server.sockets()[0]
}

async fn open_web_server() -> Result<(Server, StreamReader, StreamWriter), Box<dyn Error>> {
    let server = start_server(smol(), ANY_PORT, answer_with_a_page).await?;
    let (reader, writer) = open_connection(smol(), first(&server)).await?;
    Ok((server, reader, writer))
}

async fn is_echoed(server: StartServer) -> Tested {
    let server = server.await?;
    let (mut reader, mut writer) = open_connection(smol(), first(&server)).await?;
    writer.write(b"hello world!\n")?;
    assert_eq!(reader.read_line().await?, "hello world!\n");
    assert_eq!(reader.read_to_eof().await?, "");
    server.close();
    server.wait_closed().await;
    Ok(())
}

mod streams {
    use super::*;

    #[test]
    fn open_connection() -> Tested {
        run(async {
            let (_server, mut reader, mut writer) = open_web_server().await?;
            ask_for_the_page(&mut reader, &mut writer).await
        })
    }

    #[cfg(unix)]
    #[test]
    fn open_unix_connection() -> Tested {
        run(async {
            let directory = tempfile::tempdir()?;
            let path = directory.path().join("web");
            let _server = millpond::start_unix_server(smol(), &path, answer_with_a_page).await?;
            let (mut reader, mut writer) = millpond::open_unix_connection(smol(), &path).await?;
            ask_for_the_page(&mut reader, &mut writer).await
        })
    }

    #[test]
    fn start_server() -> Tested {
        run(is_echoed(super::start_server(smol(), ANY_PORT, echo)))
    }

    #[cfg(unix)]
    #[test]
    fn start_unix_server() -> Tested {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("echo");
        run(is_echoed(millpond::start_unix_server(smol(), &path, echo)))
    }

    #[test]
    fn drain_raises() -> Tested {
        run(async {
            let server = super::start_server(
                smol(),
                ANY_PORT,
                async |mut reader: StreamReader, mut writer: StreamWriter| {
                    let _ = reader.read_line().await;
                    writer.abort();
                },
            );
            let server = server.await?;
            let (_reader, mut writer) = super::open_connection(smol(), first(&server)).await?;
            let failed = loop {
                if let Err(error) = writer.write(b"foo\n") {
                    break error;
                }
                if let Err(error) = writer.drain().await {
                    break error;
                }
                smol::Timer::after(Duration::from_millis(1)).await;
            };
            assert!(
                matches!(
                    failed.kind(),
                    ErrorKind::ConnectionReset
                        | ErrorKind::BrokenPipe
                        | ErrorKind::ConnectionAborted
                ),
                "{failed}"
            );
            Ok(())
        })
    }

    #[test]
    fn wait_closed_on_close() -> Tested {
        run(async {
            let (_server, mut reader, mut writer) = open_web_server().await?;
            ask_for_the_page(&mut reader, &mut writer).await?;
            assert!(!writer.is_closing());
            writer.close();
            assert!(writer.is_closing());
            Ok(writer.wait_closed().await?)
        })
    }

    #[test]
    fn wait_closed_on_close_with_unread_data() -> Tested {
        run(async {
            let (_server, mut reader, mut writer) = open_web_server().await?;
            writer.write(b"GET / HTTP/1.0\r\n\r\n")?;
            assert_eq!(reader.read_line().await?, "HTTP/1.0 200 OK\r\n");
            writer.close();
            Ok(writer.wait_closed().await?)
        })
    }

    #[test]
    fn async_writer_api_exception_after_close() -> Tested {
        run(async {
            let (_server, mut reader, mut writer) = open_web_server().await?;
            ask_for_the_page(&mut reader, &mut writer).await?;
            writer.close();
            // CPython drops what is written and reports that when draining.
            assert_eq!(writer.write(b"data"), Err(WriteError::Closed));
            Ok(())
        })
    }

    #[test]
    fn eof_feed_when_closing_writer() -> Tested {
        run(async {
            let (_server, mut reader, mut writer) = open_web_server().await?;
            writer.close();
            writer.wait_closed().await?;
            assert_eq!(reader.read_to_eof().await?, "");
            assert!(reader.at_eof());
            Ok(())
        })
    }

    #[test]
    fn unhandled_cancel() -> Tested {
        run(async {
            let reports = Arc::new(AtomicUsize::new(0));
            let count = reports.clone();
            let server =
                super::start_server(smol(), ANY_PORT, async |_, mut writer: StreamWriter| {
                    writer.close();
                })
                .on_handler_error(move |_| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
            let server = server.await?;
            let (mut reader, _writer) = super::open_connection(smol(), first(&server)).await?;
            assert_eq!(reader.read_to_eof().await?, "");
            server.close();
            server.wait_closed().await;
            assert_eq!(reports.load(Ordering::Relaxed), 0);
            Ok(())
        })
    }
}

mod reader {
    use super::*;

    #[test]
    fn invalid_limit() {
        let panic = catch_unwind(|| Reader::with_limit(0)).unwrap_err();
        let message = panic.downcast_ref::<&str>();
        assert_eq!(message, Some(&"the limit of a reader is at least 1 byte"));
        assert!(catch_unwind(|| StreamOptions::new().limit(0).fed()).is_err());
    }

    #[test]
    fn at_eof() {
        let mut reader = Reader::new();
        let line = |reader: &mut Reader| {
            assert_eq!(reader.poll(Request::Line), Ok(Status::Ready(10)));
            reader.consume(10);
        };
        assert!(!reader.at_eof());
        reader.feed(b"some data\n");
        assert!(!reader.at_eof());
        line(&mut reader);
        assert!(!reader.at_eof());
        reader.feed(b"some data\n");
        reader.feed_eof();
        line(&mut reader);
        assert!(reader.at_eof());
    }

    #[test]
    fn readuntil_separator() {
        let none: [&str; 0] = [];
        let refused = Separator::try_new("").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a separator must hold at least one sequence, each of at least one byte"
        );
        assert!(Separator::try_any([""]).is_err());
        assert!(Separator::try_any(none).is_err());
        assert!(catch_unwind(|| Separator::new("")).is_err());
    }

    #[test]
    fn readuntil_bytearray() -> Tested {
        run(async {
            let (mut feeder, mut reader) = fed();
            feeder.feed(b"some data\r\nsome data\r\nsome data\r\n")?;
            assert_eq!(reader.read_until("\r\n").await?, "some data\r\n");
            assert_eq!(reader.read_until(b"\r\n").await?, "some data\r\n");
            assert_eq!(
                reader.read_until(&vec![b'\r', b'\n'][..]).await?,
                "some data\r\n"
            );
            Ok(())
        })
    }

    #[test]
    fn exception() {
        let mut reader = Reader::new();
        assert_eq!(reader.error(), None);
        let error = TransportError::new("it broke");
        reader.fail(error.clone());
        assert_eq!(reader.error(), Some(&error));
    }

    #[test]
    fn exception_waiter() -> Tested {
        run(async {
            let (mut feeder, mut reader) = fed();
            let error = TransportError::new("it broke");
            let failing = async { feeder.fail(error.clone()) };
            let (line, ()) = join(reader.read_line(), failing).await;
            assert_eq!(line, Err(ReadError::Transport(error)));
            Ok(())
        })
    }

    #[test]
    fn exception_cancel() {
        let (mut feeder, mut reader) = fed();
        assert!(poll_once(reader.read_line()).is_pending());
        feeder.fail(TransportError::new("it broke"));
        assert!(matches!(poll_once(reader.read_line()), Poll::Ready(Err(_))));
    }

    #[test]
    fn messages_of_errors() {
        let incomplete = |expected| ReadError::Incomplete {
            partial: b"some dataAA".as_slice().into(),
            expected,
        };
        assert_eq!(
            incomplete(Some(36)).to_string(),
            "the stream ended after 11 of 36 bytes"
        );
        assert_eq!(
            incomplete(None).to_string(),
            "the stream ended after 11 bytes, before the separator"
        );
    }

    #[test]
    fn errors_keep_their_fields_in_an_io_error() {
        for error in [
            ReadError::Incomplete {
                partial: b"abc".as_slice().into(),
                expected: Some(10),
            },
            ReadError::LimitOverrun { consumed: 12 },
        ] {
            let inner = io::Error::from(error.clone()).downcast::<ReadError>();
            assert_eq!(inner.unwrap(), error);
        }
    }
}

mod debug {
    use super::*;

    #[test]
    fn repr() {
        assert_eq!(
            format!("{:?}", Reader::new()),
            "Reader { buffered: 0, limit: 65536, paused: false, end: Open }"
        );
    }

    #[test]
    fn repr_nondefault_limit() {
        let reader = format!("{:?}", Reader::with_limit(123));
        assert!(reader.contains("limit: 123"), "{reader}");
    }

    #[test]
    fn repr_eof() {
        let mut reader = Reader::new();
        reader.feed_eof();
        assert!(format!("{reader:?}").contains("end: Eof"));
    }

    #[test]
    fn repr_data() {
        let mut reader = Reader::new();
        reader.feed(b"data");
        assert!(format!("{reader:?}").contains("buffered: 4"));
    }

    #[test]
    fn repr_exception() {
        let mut reader = Reader::new();
        reader.fail(TransportError::new("it broke"));
        assert!(format!("{reader:?}").contains("it broke"));
    }

    #[test]
    fn repr_transport() {
        let ((reader, _writer), _peer) = millpond::pair();
        let shown = format!("{reader:?}");
        assert!(
            shown.starts_with("StreamReader { ") && shown.contains("core: Reader { "),
            "{shown}"
        );
    }

    #[test]
    fn repr_of_a_stream_server() -> Tested {
        run(async {
            let server = StreamServer::new(smol(), ANY_PORT, echo_on_a_stream);
            assert!(format!("{server:?}").contains("server: None"));
            server.bind().await?;
            assert!(format!("{server:?}").contains("serving: false"));
            server.start_serving().await?;
            assert!(format!("{server:?}").contains("serving: true"));
            Ok(())
        })
    }
}

/// The streams of CPython 3.8's betas.
mod withdrawn {
    use super::*;

    async fn ask(address: &Address) -> Tested {
        let mut stream = super::connect(smol(), address).await?;
        stream.write_all(b"hello world!\n").await?;
        assert_eq!(stream.read_line().await?, "hello world!\n");
        assert_eq!(stream.read_to_eof().await?, "");
        stream.close();
        Ok(stream.wait_closed().await?)
    }

    /// A client closes the server, which is served for ever meanwhile.
    async fn is_closed_by_a_client(server: StreamServer) -> Tested {
        server.start_serving().await?;
        let client = async {
            ask(&server.sockets()[0]).await?;
            Ok::<_, Box<dyn Error>>(server.shutdown().await)
        };
        let (served, shutdown) = join(server.serve_forever(), client).await;
        served?;
        let shutdown = shutdown?;
        assert_eq!((shutdown.cancelled, shutdown.left), (0, 0));
        assert!(!server.is_bound());
        Ok(())
    }

    #[test]
    fn stream_server() -> Tested {
        let server = StreamServer::new(smol(), ANY_PORT, echo_on_a_stream);
        run(is_closed_by_a_client(server))
    }

    #[cfg(unix)]
    #[test]
    fn unix_stream_server() -> Tested {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("echo");
        let server = millpond::UnixStreamServer::new(smol(), &*path, echo_on_a_stream);
        run(is_closed_by_a_client(server))
    }

    #[test]
    fn stream_server_bind() -> Tested {
        run(async {
            let server = StreamServer::new(smol(), ANY_PORT, echo_on_a_stream);
            assert!(!server.is_bound());
            assert!(server.sockets().is_empty());
            server.bind().await?;
            assert!(server.is_bound() && !server.is_serving());
            let address = server.sockets()[0].clone();
            // No other process gets the port when it is free.
            let _holder = smol().bind(&address, &millpond::adapter::ListenOptions::default());
            server.bind().await?;
            assert_eq!(server.sockets(), std::slice::from_ref(&address));
            server.shutdown().await;
            assert!(!server.is_bound());
            assert!(server.sockets().is_empty());
            server.bind().await?;
            drop(server);
            assert!(super::connect(smol(), &address).await.is_err());
            Ok(())
        })
    }

    #[test]
    fn stream_server_start_serving() -> Tested {
        run(async {
            let server = StreamServer::new(smol(), ANY_PORT, echo_on_a_stream);
            assert!(!server.is_serving());
            server.start_serving().await?;
            assert!(server.is_bound() && server.is_serving());
            server.start_serving().await?;
            ask(&server.sockets()[0]).await?;
            server.shutdown().await;
            assert!(!server.is_serving());
            server.start_serving().await?;
            ask(&server.sockets()[0]).await
        })
    }

    type Read = Result<millpond::Bytes, ReadError>;

    /// A server is ended while its handler waits for a next line: what that reads then, and the client.
    async fn ended_by(
        end: impl AsyncFnOnce(&StreamServer) -> Shutdown,
    ) -> Result<(Shutdown, Read, Read), Box<dyn Error>> {
        let (report, mut reports) = mpsc::unbounded();
        let (proceed, fut2) = oneshot::channel::<()>();
        let fut2 = fut2.shared();
        let handler = move |mut stream: Stream| {
            let (report, fut2) = (report.clone(), fut2.clone());
            async move {
                let data = stream.read_exactly(4).await;
                report.unbounded_send(data).unwrap();
                fut2.await.unwrap();
                report.unbounded_send(stream.read_line().await).unwrap();
            }
        };
        let server = StreamServer::new(smol(), ANY_PORT, handler);
        server.start_serving().await?;
        let mut client = super::connect(smol(), &server.sockets()[0]).await?;
        client.write_all(b"data").await?;
        assert_eq!(reports.next().await.expect("fut1")?, "data");
        proceed.send(()).unwrap();
        let (shutdown, read) = join(end(&server), client.read_line()).await;
        assert!(!server.is_bound());
        Ok((shutdown, reports.next().await.expect("the end"), read))
    }

    #[test]
    fn stream_server_close() -> Tested {
        run(async {
            let began = Instant::now();
            let (shutdown, handler, client) =
                ended_by(async |server| server.shutdown().await).await?;
            assert_eq!((shutdown.cancelled, shutdown.left), (0, 0));
            assert_eq!(handler?, "");
            assert_eq!(client?, "");
            // Not by the second stage.
            assert_eq!(shutdown.closed, 0);
            assert!(began.elapsed() < Duration::from_secs(60));
            Ok(())
        })
    }

    /// There, both sides read the end; here both learn that they were reset.
    #[test]
    fn stream_server_abort() -> Tested {
        run(async {
            let (shutdown, handler, client) = ended_by(async |server| server.abort().await).await?;
            assert_eq!(shutdown.left, 0);
            assert!(handler.is_err(), "{handler:?}");
            let Err(ReadError::Transport(error)) = client else {
                panic!("{client:?}");
            };
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            Ok(())
        })
    }

    #[test]
    fn stream_shutdown_hung_task() -> Tested {
        run(async {
            let (report, mut reports) = mpsc::unbounded();
            let handler = move |mut stream: Stream| {
                let report = report.clone();
                async move {
                    let data = stream.read_exactly(4).await;
                    report.unbounded_send(data).unwrap();
                    let mut ticks = smol::Timer::interval(Duration::from_millis(10));
                    while ticks.next().await.is_some() {}
                }
            };
            let (cancelled, mut failed) = mpsc::unbounded();
            let server = StreamServer::new(smol(), ANY_PORT, handler)
                .shutdown_timeout(Duration::from_millis(300))
                .on_handler_error(move |error| cancelled.unbounded_send(error.cause).unwrap());
            server.start_serving().await?;
            let mut client = super::connect(smol(), &server.sockets()[0]).await?;
            client.write_all(b"data").await?;
            assert_eq!(reports.next().await.expect("fut1")?, "data");
            let (shutdown, end) = join(server.shutdown(), client.read_line()).await;
            assert_eq!((shutdown.cancelled, shutdown.left), (1, 0));
            assert_eq!(end?, "");
            let cause = failed.next().await.expect("cancelled");
            assert!(matches!(cause, HandlerErrorCause::Cancelled), "{cause:?}");
            Ok(())
        })
    }

    #[test]
    fn connect() -> Tested {
        run(async {
            let server = start_server(smol(), ANY_PORT, answer_with_a_page).await?;
            let mut stream = super::connect(smol(), first(&server)).await?;
            assert_eq!(stream.mode(), StreamMode::ReadWrite);
            let (reader, writer) = stream.split();
            ask_for_the_page(reader, writer).await?;
            drop(stream);
            // The server waits for its handler, and that for no task.
            server.close();
            server.wait_closed().await;
            Ok(())
        })
    }

    #[cfg(unix)]
    #[test]
    fn connect_unix() -> Tested {
        run(async {
            let directory = tempfile::tempdir()?;
            let path = directory.path().join("web");
            let _server = millpond::start_unix_server(smol(), &path, answer_with_a_page).await?;
            let mut stream = millpond::connect_unix(smol(), &path).await?;
            let (reader, writer) = stream.split();
            ask_for_the_page(reader, writer).await
        })
    }

    /// One direction of a pipe.
    struct OneWay(StreamMode, Mutex<Vec<u8>>);

    impl Socket for OneWay {
        fn poll_read(&self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            let mut data = self.1.lock().unwrap();
            let n = data.len().min(buf.len());
            buf[..n].copy_from_slice(&data[..n]);
            data.drain(..n);
            Poll::Ready(Ok(n))
        }

        fn poll_write(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn mode(&self) -> StreamMode {
            self.0
        }
    }

    fn open(mode: StreamMode) -> (StreamReader, StreamWriter) {
        let spawn = |task: BoxFuture<'static, ()>| smol::spawn(task).detach();
        let socket = OneWay(mode, Mutex::new(b"in\n".to_vec()));
        StreamOptions::new().open(Box::new(socket), Arc::new(spawn))
    }

    #[test]
    fn stream_reader_forbidden_ops() -> Tested {
        run(async {
            let (mut reader, mut writer) = open(StreamMode::Read);
            assert_eq!(writer.write(b"data"), Err(WriteError::ReadOnly));
            assert_eq!(writer.write_vectored(&[]), Err(WriteError::ReadOnly));
            assert_eq!(writer.write_eof(), Err(WriteError::ReadOnly));
            assert_eq!(writer.drain().await, Err(WriteError::ReadOnly));
            assert_eq!(WriteError::ReadOnly.to_string(), "the stream is read-only");
            assert_eq!(reader.read_line().await?, "in\n");
            Ok(())
        })
    }

    #[test]
    fn stream_writer_forbidden_ops() -> Tested {
        run(async {
            let (mut reader, mut writer) = open(StreamMode::Write);
            assert_eq!(reader.read(4).await, Err(ReadError::WriteOnly));
            assert_eq!(reader.read_line().await, Err(ReadError::WriteOnly));
            assert_eq!(reader.read_exactly(4).await, Err(ReadError::WriteOnly));
            assert_eq!(reader.read_until("x").await, Err(ReadError::WriteOnly));
            assert_eq!(reader.read_to_eof().await, Err(ReadError::WriteOnly));
            assert_eq!(reader.lines().next().await, Some(Err(ReadError::WriteOnly)));
            assert_eq!(ReadError::WriteOnly.to_string(), "the stream is write-only");
            writer.write_all(b"out\n").await?;
            Ok(())
        })
    }
}
