//! The steps.

use std::{
    io::{self, ErrorKind},
    panic::resume_unwind,
    str::from_utf8,
    sync::{Arc, mpsc},
    time::Duration,
};

use futures_util::future::join;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use millpond::{
    Address, Bytes, ReadError, Runtime, Separator, Server, Stream, StreamReader, StreamServer,
    StreamWriter, TlsAcceptor, TlsConnector, WriteError,
    adapter::os,
    error::{BoxError, HandlerErrorCause},
    millpond_core::DEFAULT_HIGH_WATER,
    open_connection,
    rustls::pki_types::PrivateKeyDer,
    start_server, timeout,
};
use millpond_sim::Sim;

use crate::see::{note, see};

const LOOPBACK: &str = "127.0.0.1:0";

type Result<T = (), E = BoxError> = std::result::Result<T, E>;

fn address(server: &Server) -> &Address {
    &server.sockets()[0]
}

/// Long enough to see that nothing happens.
async fn in_20_ms<F: Future>(runtime: &Arc<dyn Runtime>, future: F) -> Option<F::Output> {
    let limit = Duration::from_millis(20);
    timeout(&**runtime, limit, future).await.ok()
}

async fn send_back(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let mut lines = reader.lines();
    while let Some(line) = lines.next().await {
        writer.write_all(&line?).await?;
    }
    Ok(())
}

pub(crate) async fn echo(runtime: Arc<dyn Runtime>) -> Result {
    let server = start_server(runtime.clone(), LOOPBACK, send_back).await?;
    note!("a server that sends lines back");
    let (mut reader, mut writer) = open_connection(runtime, address(&server)).await?;

    see!(writer.write(b"hello\n")?);
    see!(reader.read_line().await? => "hello\n");
    see!(writer.write_eof()?);
    see!(reader.read_line().await? => "");
    see!(reader.at_eof() => true);
    Ok(())
}

pub(crate) async fn separators(runtime: Arc<dyn Runtime>) -> Result {
    note!(r#"the server sends "one\r\ntwo;three\nfour" and ends"#);
    let server = start_server(runtime.clone(), LOOPBACK, async |_, mut writer| {
        writer.write(b"one\r\ntwo;three\nfour")
    })
    .await?;
    let (mut reader, _writer) = open_connection(runtime, address(&server)).await?;

    let end = see!(Separator::any(["\r\n", "\n", ";"]));
    see!(reader.read_until(&end).await? => "one\r\n");
    see!(reader.read_until(&end).await? => "two;");
    see!(reader.read_until(&end).await? => "three\n");
    let partial = Bytes::from("four");
    let expected = None;
    see!(reader.read_until(&end).await => Err(ReadError::Incomplete { partial, expected }));
    Ok(())
}

pub(crate) async fn limit(runtime: Arc<dyn Runtime>) -> Result {
    note!(r#"the limit is 10; the server sends "a line of too many bytes\nnext\n""#);
    note!(r#"and "a part of too many bytes;next;""#);
    let server = start_server(runtime.clone(), LOOPBACK, async |_, mut writer| {
        writer.write(b"a line of too many bytes\nnext\n")?;
        writer.write(b"a part of too many bytes;next;")
    })
    .await?;
    let connecting = open_connection(runtime, address(&server)).limit(10);
    let (mut reader, _writer) = connecting.await?;
    let overrun = ReadError::LimitOverrun { consumed: 11 };

    // A line is skipped as a whole.
    see!(reader.read_line().await => Err(overrun.clone()));
    see!(reader.read_line().await? => "next\n");
    // Otherwise nothing is taken, and the program decides.
    see!(reader.read_until(";").await => Err(overrun.clone()));
    see!(reader.read_until(";").await => Err(overrun));
    see!(reader.read_exactly(11).await? => "a part of t");
    see!(reader.read_exactly(11).await? => "oo many byt");
    see!(reader.read_until(";").await? => "es;");
    see!(reader.read_until(";").await? => "next;");
    Ok(())
}

async fn count_bytes(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let all = reader.read_to_eof().await?;
    writer.write(format!("{} bytes\n", all.len()).as_bytes())?;
    Ok(())
}

pub(crate) async fn half_close(runtime: Arc<dyn Runtime>) -> Result {
    note!("the server reads to the end, then answers");
    let server = start_server(runtime.clone(), LOOPBACK, count_bytes).await?;
    let (mut reader, mut writer) = open_connection(runtime, address(&server)).await?;

    see!(writer.write(b"how many?")?);
    see!(writer.write_eof()?);
    see!(writer.write(b"more") => Err(WriteError::Finished));
    see!(reader.read_line().await? => "9 bytes\n");
    Ok(())
}

pub(crate) async fn drain(runtime: Arc<dyn Runtime>) -> Result {
    note!("pieces of 1000 bytes are written until writing should pause");
    let (near, far) = os::socket_pair()?;
    let (_near_reader, mut writer) = open_connection(runtime.clone(), near).await?;
    let (mut slow_reader, _far_writer) = open_connection(runtime.clone(), far).await?;
    // tokio takes nothing on a new socket before its driver has seen it.
    writer.write(b"hello\n")?;
    slow_reader.read_line().await?;
    let piece = [0; 1000];
    let above_high_water = DEFAULT_HIGH_WATER + 1..=DEFAULT_HIGH_WATER + piece.len();

    let mut written = 0;
    while !writer.is_paused() {
        writer.write(piece)?;
        written += piece.len();
    }
    see!(writer.queued(), in above_high_water);
    let taken_by_the_kernel = written - writer.queued();
    see!(taken_by_the_kernel, in 1..=usize::MAX);
    see!(in_20_ms(&runtime, writer.drain()).await => None);
    note!("now the peer reads");
    let (drained, read) = join(writer.drain(), slow_reader.read_exactly(written)).await;
    see!(drained => Ok(()));
    see!(read?.len() => written);
    see!(writer.queued() => 0);
    Ok(())
}

async fn in_two_parts(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    writer.write(b"hel")?;
    reader.read_line().await?;
    writer.write(b"lo\n")?;
    Ok(())
}

pub(crate) async fn cancel(runtime: Arc<dyn Runtime>) -> Result {
    note!(r#"the server sends "hel", and "lo\n" when the client says go on"#);
    let server = start_server(runtime.clone(), LOOPBACK, in_two_parts).await?;
    let (mut reader, mut writer) = open_connection(runtime.clone(), address(&server)).await?;

    see!(from_utf8(reader.peek(3).await?)? => "hel");
    see!(in_20_ms(&runtime, reader.read_line()).await => None);
    see!(in_20_ms(&runtime, reader.read_exactly(6)).await => None);
    see!(from_utf8(reader.buffered())? => "hel");
    see!(writer.write(b"go on\n")?);
    see!(reader.read_line().await? => "hello\n");
    Ok(())
}

async fn hang_up(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    writer.write(b"one\ntwo\nthr")?;
    reader.read_line().await?;
    writer.abort();
    Ok(())
}

fn kind<T>(result: Result<T, ReadError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

pub(crate) async fn reset(runtime: Arc<dyn Runtime>) -> Result {
    note!(r#"the server sends "one\ntwo\nthr", and resets when it gets a line"#);
    let server = start_server(runtime.clone(), LOOPBACK, hang_up).await?;
    let (mut reader, mut writer) = open_connection(runtime, address(&server)).await?;

    see!(reader.read_line().await? => "one\n");
    see!(writer.write(b"hang up\n")?);
    see!(kind(reader.read_exactly(100).await) => Some(ErrorKind::ConnectionReset));
    see!(reader.read_line().await? => "two\n");
    see!(kind(reader.read_line().await) => Some(ErrorKind::ConnectionReset));
    see!(from_utf8(reader.buffered())? => "thr");
    Ok(())
}

async fn moody(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    if reader.read_line().await? == "panic\n" {
        resume_unwind(Box::new("as you wish")); // `panic!`, but it prints nothing
    }
    writer.write(b"here I am\n")?;
    Ok(())
}

pub(crate) async fn panic(runtime: Arc<dyn Runtime>) -> Result {
    note!("the server panics if it is asked to; each client has a connection of its own");
    let (report, reported) = mpsc::channel();
    let server = start_server(runtime.clone(), LOOPBACK, moody)
        .on_handler_error(move |error| {
            if let HandlerErrorCause::Panicked(message) = error.cause {
                let _ = report.send(message);
            }
        })
        .await?;

    let (mut reader, mut writer) = open_connection(runtime.clone(), address(&server)).await?;
    see!(writer.write(b"panic\n")?);
    see!(reader.read_line().await? => "");

    let (mut reader, mut writer) = open_connection(runtime, address(&server)).await?;
    see!(writer.write(b"are you there?\n")?);
    see!(reader.read_line().await? => "here I am\n");

    see!(server.close());
    see!(server.wait_closed().await);
    see!(reported.try_recv()? => "as you wish");
    Ok(())
}

pub(crate) async fn tls(runtime: Arc<dyn Runtime>) -> Result {
    note!("the server has made a certificate for itself, and one client trusts it");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let (certificate, key) = (made.cert.der(), made.signing_key.serialize_der());
    let acceptor = TlsAcceptor::new(vec![certificate.clone()], PrivateKeyDer::try_from(key)?);
    let server = start_server(runtime.clone(), LOOPBACK, send_back).tls(&acceptor);
    let server = server.await?;
    let connect = |connector: TlsConnector| {
        let connecting = open_connection(runtime.clone(), address(&server)).tls(&connector);
        connecting.server_hostname("localhost")
    };

    let (mut reader, mut writer) = connect(TlsConnector::with_roots([certificate.clone()])).await?;
    see!(writer.write(b"secret\n")?);
    see!(reader.read_line().await? => "secret\n");
    let tls = writer.extra_info().tls.as_ref();
    let tls = tls.ok_or("there is no TLS")?;
    see!(tls.protocol => "TLSv1_3");

    note!("the other trusts the roots of the system");
    see!(connect(TlsConnector::new()).await.is_err() => true);
    Ok(())
}

async fn send_body_back(request: Request<Incoming>) -> hyper::Result<Response<Incoming>> {
    Ok(Response::new(request.into_body()))
}

async fn serve_http(stream: Stream) -> hyper::Result<()> {
    let service = service_fn(send_body_back);
    let mut http = http1::Builder::new();
    http.auto_date_header(false);
    http.serve_connection(TokioIo::new(stream), service).await
}

pub(crate) async fn hyper(runtime: Arc<dyn Runtime>) -> Result {
    note!("the server is hyper, which sends bodies back; the client writes HTTP by hand");
    let server = StreamServer::new(runtime.clone(), LOOPBACK, serve_http);
    server.start_serving().await?;
    let sockets = server.sockets();
    let (mut reader, mut writer) = open_connection(runtime, &sockets[0]).await?;

    let request = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    see!(writer.write(request)?);
    see!(reader.read_until("\r\n").await? => "HTTP/1.1 200 OK\r\n");
    see!(reader.read_until("\r\n\r\n").await? => "content-length: 5\r\n\r\n");
    see!(reader.read_exactly(5).await? => "hello");
    Ok(())
}

pub(crate) async fn pair(_: Arc<dyn Runtime>) -> Result {
    note!("two ends in memory; it needs no runtime either");
    let ((mut reader, mut writer), (far_reader, far_writer)) = millpond::pair();

    see!(writer.write(b"one\ntwo")?);
    see!(writer.write_eof()?);
    see!(send_back(far_reader, far_writer).await?);
    see!(reader.read_line().await? => "one\n");
    see!(reader.read_line().await? => "two");
    Ok(())
}

pub(crate) async fn world(_: Arc<dyn Runtime>) -> Result {
    note!("a virtual clock and network, in which each packet takes an hour");
    let hour = Duration::from_secs(3600);
    let sim = Sim::new(42).latency(hour..=hour);
    let hours = sim.run(async {
        echo(millpond_sim::world().runtime()).await?;
        Ok::<_, BoxError>(millpond_sim::world().elapsed().as_secs() / 3600)
    })?;
    note!("how long that took, in there");
    see!(hours => 6);
    Ok(())
}
