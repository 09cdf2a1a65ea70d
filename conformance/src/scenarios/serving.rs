//! Servers.

use std::{
    io::ErrorKind,
    panic,
    sync::{Arc, Mutex},
};

use futures_channel::{mpsc, oneshot};
use futures_util::{StreamExt, future::join_all};
use millpond::{
    Address, OpenError, Server, StreamReader, StreamWriter, WriteError, error::HandlerErrorCause,
    types::StartServer,
};

use crate::{
    data,
    place::Ending,
    polling::{poll_once, yield_now},
    setup::{Setup, Stream},
};

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> std::io::Result<()> {
    loop {
        let line = reader.read_line().await?;
        if line.is_empty() {
            return Ok(());
        }
        writer.write_all(&line).await?;
    }
}

async fn assert_echoes(stream: &mut Stream) {
    let (reader, writer) = stream;
    writer.write(b"hello\n").unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "hello\n");
}

/// Waits until no client can connect: another thread may have been in the middle of accepting. A client that
/// connects before is not served.
async fn assert_refuses(setup: &Setup, address: &Address) {
    let path_is_gone = matches!(address, Address::Unix(_));
    let expected = match path_is_gone {
        true => ErrorKind::NotFound,
        false => ErrorKind::ConnectionRefused,
    };
    loop {
        match setup.open(address).await {
            Err(error) if error.kind() == expected => return,
            Err(_) => {}
            Ok((mut reader, _writer)) => {
                let served = reader.read(1).await;
                assert!(served.is_err() || served == Ok("".into()), "{served:?}");
            }
        }
    }
}

/// A server whose handlers hand over their streams, and finish on a signal.
type Held = (StreamReader, StreamWriter, oneshot::Sender<()>);

async fn start_holding(setup: &mut Setup) -> (Server, mpsc::UnboundedReceiver<Held>) {
    let (accepted, incoming) = mpsc::unbounded();
    let starting = setup.serve(move |reader, writer| {
        let (end, ended) = oneshot::channel();
        accepted.unbounded_send((reader, writer, end)).unwrap();
        async {
            let _ = ended.await;
        }
    });
    (starting.await.unwrap(), incoming)
}

pub(crate) async fn several_connections_are_served_at_once(mut setup: Setup) {
    let server = setup.serve(echo).await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(setup.client(&server).await);
    }
    for _ in 0..3 {
        for stream in streams.iter_mut().rev() {
            assert_echoes(stream).await;
        }
    }
    join_all(streams.iter_mut().map(assert_echoes)).await;
}

pub(crate) async fn many_clients_can_connect_at_once(mut setup: Setup) {
    let server = setup.serve(echo).await.unwrap();
    let clients = (0..40).map(|_| async {
        let mut stream = setup.client(&server).await;
        assert_echoes(&mut stream).await;
    });
    join_all(clients).await;
}

pub(crate) async fn a_server_can_close_a_stream_by_returning(mut setup: Setup) {
    let sent = data::bytes(1, 1 << 20);
    let to_send = sent.clone();
    let server = setup.serve(move |_, mut writer: StreamWriter| {
        let to_send = to_send.clone();
        async move { writer.write(&to_send) }
    });
    let server = server.await.unwrap();
    let (mut reader, _writer) = setup.client(&server).await;
    data::assert_same(&reader.read_to_eof().await.unwrap(), &sent);
    assert!(reader.at_eof());
}

pub(crate) async fn halves_that_outlive_their_handler_are_closed(mut setup: Setup) {
    let (server, mut incoming) = start_holding(&mut setup).await;
    let (mut client, _client_writer) = setup.client(&server).await;
    let (mut reader, mut writer, end) = incoming.next().await.unwrap();
    writer.write(b"still open\n").unwrap();
    assert_eq!(client.read_line().await.unwrap(), "still open\n");
    drop(end);
    assert_eq!(client.read_to_eof().await.unwrap(), "");
    assert_eq!(reader.read(1).await.unwrap(), "");
    assert_eq!(writer.write(b"?"), Err(WriteError::Closed));
}

/// Starts a server that reports into what is returned.
async fn start_reporting(starting: StartServer) -> (Server, mpsc::UnboundedReceiver<String>) {
    let (sender, reports) = mpsc::unbounded();
    let server = starting.on_handler_error(move |error| {
        let cause = match &error.cause {
            HandlerErrorCause::Failed(error) => format!("failed: {error}"),
            HandlerErrorCause::Panicked(message) => format!("panicked: {message}"),
            other @ (HandlerErrorCause::Cancelled | _) => panic!("{other:?}"),
        };
        let peer = error.peer_addr.map(|address| address.to_string());
        let report = format!("{} {cause}", peer.unwrap_or_default());
        sender.unbounded_send(report).unwrap();
    });
    (server.await.unwrap(), reports)
}

/// Two clients, of which one makes its handler end badly.
async fn assert_only_one_suffers(
    setup: &Setup,
    started: (Server, mpsc::UnboundedReceiver<String>),
    cause: &str,
) {
    let (server, mut reports) = started;
    let mut good = setup.client(&server).await;
    assert_echoes(&mut good).await;
    let (mut reader, mut writer) = setup.client(&server).await;
    let address = writer.extra_info().local_addr.clone().unwrap();
    writer.write(b"be bad\n").unwrap();
    assert_eq!(reader.read_to_eof().await.unwrap(), "last words");
    assert_eq!(reports.next().await.unwrap(), format!("{address} {cause}"));
    assert_echoes(&mut good).await;
    let mut later = setup.client(&server).await;
    assert_echoes(&mut later).await;
    assert!(poll_once(reports.next()).is_pending());
}

/// Whether the client asks for a bad end; otherwise, its line is echoed.
async fn is_to_be_bad(reader: &mut StreamReader, writer: &mut StreamWriter) -> bool {
    loop {
        match &reader.read_line().await.unwrap()[..] {
            b"" => return false,
            b"be bad\n" => {
                writer.write(b"last words").unwrap();
                return true;
            }
            line => writer.write(line).unwrap(),
        }
    }
}

pub(crate) async fn a_handler_that_fails_is_reported_and_the_others_go_on(mut setup: Setup) {
    let starting =
        setup.serve(
            async |mut reader: StreamReader, mut writer: StreamWriter| match is_to_be_bad(
                &mut reader,
                &mut writer,
            )
            .await
            {
                true => Err("on purpose"),
                false => Ok(()),
            },
        );
    let started = start_reporting(starting).await;
    assert_only_one_suffers(&setup, started, "failed: on purpose").await;
}

pub(crate) async fn a_handler_that_panics_is_reported_and_the_others_go_on(mut setup: Setup) {
    let starting = setup.serve(async |mut reader: StreamReader, mut writer: StreamWriter| {
        if is_to_be_bad(&mut reader, &mut writer).await {
            // Unlike a panic, this prints nothing.
            panic::resume_unwind(Box::new("on purpose"));
        }
    });
    let started = start_reporting(starting).await;
    assert_only_one_suffers(&setup, started, "panicked: on purpose").await;
}

pub(crate) async fn a_closed_server_accepts_no_connection(mut setup: Setup) {
    let server = setup.serve(echo).await.unwrap();
    assert!(server.is_serving());
    let address = server.sockets()[0].clone();
    let mut client = setup.client(&server).await;
    assert_echoes(&mut client).await;
    server.close();
    server.close();
    assert!(!server.is_serving());
    assert_eq!(server.sockets(), []);
    assert_refuses(&setup, &address).await;
    assert_echoes(&mut client).await;
}

pub(crate) async fn a_dropped_server_accepts_no_connection(mut setup: Setup) {
    let server = setup.serve(echo).await.unwrap();
    let address = server.sockets()[0].clone();
    let mut client = setup.client(&server).await;
    assert_echoes(&mut client).await;
    drop(server);
    assert_refuses(&setup, &address).await;
    assert_echoes(&mut client).await;
}

pub(crate) async fn wait_closed_waits_for_the_handlers(mut setup: Setup) {
    let (server, mut incoming) = start_holding(&mut setup).await;
    setup.stays_pending(server.wait_closed()).await;
    let clients = [setup.client(&server).await, setup.client(&server).await];
    let (_, _, first) = incoming.next().await.unwrap();
    let (_, _, second) = incoming.next().await.unwrap();
    server.close();
    setup.stays_pending(server.wait_closed()).await;
    drop(first);
    setup.stays_pending(server.wait_closed()).await;
    drop(second);
    server.wait_closed().await;
    server.wait_closed().await;
    drop(clients);
}

pub(crate) async fn a_waiting_wait_closed_is_woken_by_the_last_handler(mut setup: Setup) {
    let (server, mut incoming) = start_holding(&mut setup).await;
    let client = setup.client(&server).await;
    let (_, _, end) = incoming.next().await.unwrap();
    server.close();
    let waiting = setup.spawn(async move { server.wait_closed().await });
    setup.sleep(10).await;
    drop(end);
    waiting.await;
    drop(client);
}

pub(crate) async fn serve_forever_ends_when_the_server_is_closed(mut setup: Setup) {
    let server = Arc::new(setup.serve(echo).await.unwrap());
    setup.stays_pending(server.serve_forever()).await;
    let serving = server.clone();
    let forever = setup.spawn(async move { serving.serve_forever().await });
    setup.sleep(10).await;
    let mut client = setup.client(&server).await;
    assert_echoes(&mut client).await;
    server.close();
    forever.await.unwrap();
    assert!(matches!(
        server.serve_forever().await,
        Err(OpenError::Closed)
    ));
}

pub(crate) async fn an_address_is_free_again_when_its_server_is_closed(mut setup: Setup) {
    let server = setup.serve(echo).await.unwrap();
    let mut client = setup.client(&server).await;
    assert_echoes(&mut client).await;
    let address = server.sockets()[0].clone();
    server.close();
    drop(client);
    server.wait_closed().await;
    let server = setup.serve_at(&address, echo).await.unwrap();
    assert_eq!(server.sockets(), [address]);
    assert_echoes(&mut setup.client(&server).await).await;
}

pub(crate) async fn an_address_in_use_is_an_error_that_names_it(mut setup: Setup) {
    let server = setup.serve(echo).await.unwrap();
    let taken = server.sockets()[0].clone();
    match setup.serve_at(&taken, echo).await {
        Err(OpenError::Listen { address, source }) => {
            assert_eq!(address, taken);
            assert_eq!(source.kind(), ErrorKind::AddrInUse);
        }
        other => panic!("{other:?}"),
    }
    assert_echoes(&mut setup.client(&server).await).await;
}

pub(crate) async fn options_reach_the_streams_of_handlers(mut setup: Setup) {
    let (accepted, mut incoming) = mpsc::unbounded();
    let starting = setup.serve(move |reader: StreamReader, writer: StreamWriter| {
        accepted.unbounded_send((reader, writer)).unwrap();
        std::future::pending::<()>()
    });
    let starting = starting.limit(3).cap(5).watermarks(0, 0).write_cap(1 << 20);
    let buffer = setup.place.unit();
    let server = starting.send_buffer(buffer).await.unwrap();
    let opening = setup.open(&server.sockets()[0]).receive_buffer(buffer);
    let (mut client_reader, mut client) = opening.await.unwrap();
    let (mut reader, mut writer) = incoming.next().await.unwrap();
    assert_eq!(reader.limit(), 3);
    client.write(b"1234\n").unwrap();
    assert!(reader.read_line().await.is_err());
    assert!(reader.read_exactly(6).await.is_err());
    assert!(writer.write(vec![0; (1 << 20) + 1]).is_err());
    setup.fill(&mut writer);
    setup.stays_pending(writer.drain()).await;
    writer.close();
    client_reader.read_to_eof().await.unwrap();
}

pub(crate) async fn a_handler_that_only_reads_gets_everything(mut setup: Setup) {
    let received = Arc::new(Mutex::new(Vec::new()));
    let result = received.clone();
    let server = setup.serve(move |mut reader: StreamReader, _writer| {
        let result = result.clone();
        async move {
            let all = reader.read_to_eof().await.unwrap();
            result.lock().unwrap().extend_from_slice(&all);
        }
    });
    let server = server.await.unwrap();
    let sent = data::bytes(1, 1 << 20);
    let (_reader, mut writer) = setup.client(&server).await;
    writer.write(&sent).unwrap();
    writer.close();
    // It must have been accepted before the server is closed.
    while received.lock().unwrap().is_empty() {
        yield_now().await;
    }
    server.close();
    server.wait_closed().await;
    data::assert_same(&received.lock().unwrap(), &sent);
}

pub(crate) async fn requests_sent_ahead_are_answered_in_order(mut setup: Setup) {
    let server = setup.serve(echo).await.unwrap();
    let (mut reader, mut writer) = setup.client(&server).await;
    let sent: String = (0..2000)
        .map(|number| format!("request {number}\n"))
        .collect();
    writer.write(sent.as_bytes()).unwrap();
    let answers = reader.read_exactly(sent.len()).await.unwrap();
    data::assert_same(&answers, sent.as_bytes());
    writer.close();
}

/// A handler's small writes may be gathered, but not kept.
pub(crate) async fn what_a_handler_writes_leaves_when_it_waits(mut setup: Setup) {
    let (ask, asked) = oneshot::channel::<()>();
    let asked = Mutex::new(Some(asked));
    let starting = setup.serve(move |_, mut writer: StreamWriter| {
        let asked = asked.lock().unwrap().take().unwrap();
        async move {
            writer.write(b"one ").unwrap();
            writer.write(b"two\n").unwrap();
            // Nothing of the stream is waited for.
            asked.await.unwrap();
            writer.write(b"three\n").unwrap();
            writer.flush().await.unwrap();
            assert_eq!(writer.queued(), 0);
            std::future::pending::<()>().await;
        }
    });
    let server = starting.await.unwrap();
    let (mut reader, _writer) = setup.client(&server).await;
    assert_eq!(reader.read_line().await.unwrap(), "one two\n");
    ask.send(()).unwrap();
    assert_eq!(reader.read_line().await.unwrap(), "three\n");
}

pub(crate) async fn a_handler_can_outlive_its_stream(mut setup: Setup) {
    let starting = setup.serve(
        |reader: StreamReader, mut writer: StreamWriter| async move {
            writer.write(b"bye").unwrap();
            drop((reader, writer));
            std::future::pending::<()>().await;
        },
    );
    let server = starting.await.unwrap();
    let (mut reader, _writer) = setup.client(&server).await;
    assert_eq!(reader.read_to_eof().await.unwrap(), "bye");
}

pub(crate) async fn a_handler_can_abort_its_stream(mut setup: Setup) {
    let starting = setup.serve(async |mut reader: StreamReader, mut writer: StreamWriter| {
        // A client that has not noticed that it is connected would fail to connect.
        reader.read_line().await.unwrap();
        writer.abort();
    });
    let server = starting.await.unwrap();
    let (mut reader, mut writer) = setup.client(&server).await;
    writer.write(b"go\n").unwrap();
    let ended = reader.read_to_eof().await;
    match setup.place.ending_of_abort() {
        Ending::Eof => assert_eq!(ended.unwrap(), ""),
        Ending::Reset => assert!(ended.is_err()),
    }
}
