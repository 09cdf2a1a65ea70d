//! The table of the guide `from_asyncio` is complete, and what it names is there.

// So are some of the names.
#![cfg(all(unix, feature = "__tls"))]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use millpond::{
    OpenError, ReadError, Runtime, Separator, Server, Stream, StreamMode, StreamOptions,
    StreamReader, StreamServer, StreamWriter, Transport, WriteError,
    adapter::Socket,
    error::TransportError,
    millpond_core::{Reader, Status},
    types::{ConnectPipe, ExtraInfo, Feeder, StartServer, SystemHandle},
};

// With its parameter.
type OpenConnection = millpond::types::OpenConnection;

const GUIDE: &str = include_str!("../docs/from_asyncio.md");

/// Each name of asyncio and the versions that have it, with two spaces or more in between; made by
/// `conformance/tests/python/stream_names.py`.
const NAMES: &str = include_str!("asyncio_names.txt");

struct Row {
    asyncio: Vec<&'static str>,
    versions: &'static str,
    ours: &'static str,
    differences: &'static str,
}

fn rows() -> Vec<Row> {
    let lines = GUIDE.lines().filter(|line| line.starts_with("| `"));
    let rows: Vec<_> = lines.map(row).collect();
    assert!(rows.len() > 200, "most of the table is not found");
    rows
}

fn row(line: &'static str) -> Row {
    let cells = line
        .strip_prefix('|')
        .and_then(|line| line.strip_suffix('|'));
    let cells: Vec<_> = cells.unwrap().split('|').map(str::trim).collect();
    let &[asyncio, versions, ours, differences] = &cells[..] else {
        panic!("not four cells: {line}");
    };
    let asyncio = asyncio
        .split(", `")
        .map(|name| name.trim_matches('`'))
        .collect();
    Row {
        asyncio,
        versions,
        ours,
        differences,
    }
}

fn names() -> BTreeMap<&'static str, &'static str> {
    let split = |line: &'static str| line.split_once("  ").expect("a name and its versions");
    let lines = NAMES.lines().map(split);
    lines
        .map(|(name, versions)| (name, versions.trim()))
        .collect()
}

#[test]
fn every_name_of_asyncio_has_one_row_with_its_versions() {
    let mut missing = names();
    let mut wrong = Vec::new();
    for row in rows() {
        for name in row.asyncio {
            match missing.remove(name) {
                Some(versions) if versions == row.versions => {}
                Some(versions) => wrong.push(format!("{name} is of {versions}")),
                None => wrong.push(format!("{name} has two rows, or is none of asyncio")),
            }
        }
    }
    assert!(missing.is_empty(), "no row for {:#?}", missing.keys());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_row_says_what_differs() {
    for row in rows() {
        let name = row.asyncio[0];
        assert!(row.differences.ends_with('.'), "{name}: no sentence");
        let counterpart = links(row.ours).next().is_some();
        match row.ours {
            "none" => {
                assert_ne!(row.differences, "The same.", "{name}: why is there none?")
            }
            _ => assert!(counterpart, "{name}: no link, nor `none`"),
        }
    }
}

#[test]
fn what_the_table_names_is_what_is_there() {
    let named: BTreeSet<String> = rows()
        .iter()
        .flat_map(|row| links(row.ours).chain(links(row.differences)))
        .filter(|name| !name.starts_with("std::"))
        .map(|name| name.replace("millpond_core::", "").replace("adapter::", ""))
        .collect();
    let there: BTreeSet<String> = there().into_iter().collect();
    let unknown: Vec<_> = named.difference(&there).collect();
    assert!(unknown.is_empty(), "add them below: {unknown:#?}");
    let unnamed: Vec<_> = there.difference(&named).collect();
    assert!(unnamed.is_empty(), "the table does not name {unnamed:#?}");
}

/// The names in links of the form ``[`name`]``.
fn links(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split("[`")
        .skip(1)
        .map(|rest| rest.split_once("`]").unwrap().0)
}

/// A name, and code that compiles only if it is there.
macro_rules! there {
    ($(item $name:ident),* $(,)?) => { vec![$({
        #[allow(unused_imports)]
        use millpond::$name;
        stringify!($name).to_owned()
    }),*] };
    ($(of $module:ident $name:ident),* $(,)?) => { vec![$({
        #[allow(unused_imports)]
        use millpond::$module::$name;
        stringify!($name).to_owned()
    }),*] };
    ($(function $name:ident),* $(,)?) => { vec![$({
        #[allow(unused_imports)]
        use millpond::$name;
        concat!(stringify!($name), "()").to_owned()
    }),*] };
    ($(method $type:ident::$name:ident),* $(,)?) => { vec![$({
        let _ = $type::$name;
        concat!(stringify!($type), "::", stringify!($name), "()").to_owned()
    }),*] };
    // With an argument of any type, or of a trait.
    ($(call $type:ident::$name:ident($this:ident: $self:ty) $call:expr),* $(,)?) => { vec![$({
        let _ = |$this: $self| { let _result = $call; };
        concat!(stringify!($type), "::", stringify!($name), "()").to_owned()
    }),*] };
    ($(variant $type:ident::$name:ident),* $(,)?) => { vec![$({
        let _ = |this: &$type| matches!(this, $type::$name { .. });
        concat!(stringify!($type), "::", stringify!($name)).to_owned()
    }),*] };
    ($(field $type:ident::$name:ident),* $(,)?) => { vec![$({
        let _ = |this: &$type| { let _ = &this.$name; };
        concat!(stringify!($type), "::", stringify!($name)).to_owned()
    }),*] };
    ($(field $type:ident::$variant:ident::$name:ident),* $(,)?) => { vec![$({
        let _ = |this: &$type| matches!(this, $type::$variant { $name: _, .. });
        let name = concat!(stringify!($type), "::", stringify!($variant), "::", stringify!($name));
        name.to_owned()
    }),*] };
}

fn there() -> Vec<String> {
    [
        items(),
        opening_and_serving(),
        reading(),
        writing(),
        whole_streams(),
        information_and_errors(),
        tls(),
    ]
    .concat()
}

fn tls() -> Vec<String> {
    use millpond::{TlsAcceptor, TlsConnector, types::StartTls};

    [
        there![item TlsAcceptor, item TlsConnector],
        there![of types TlsInfo],
        there![
            method StartTls::hand_over_buffered,
            method TlsAcceptor::half_close,
            method TlsAcceptor::handshake_timeout,
            method TlsConnector::dangerously_without_verification,
            method TlsConnector::half_close,
            method TlsConnector::handshake_timeout,
        ],
        there![
            call OpenConnection::tls(this: OpenConnection) this.tls(TlsConnector::new()),
            call StartServer::tls(this: (StartServer, TlsAcceptor)) this.0.tls(this.1),
            call StartTls::server_hostname(this: StartTls<'_>) this.server_hostname("x"),
            call Stream::start_tls(this: Stream) drop({ this }.start_tls(TlsConnector::new())),
            call StreamServer::tls(this: (StreamServer, TlsAcceptor)) this.0.tls(this.1),
            call StreamWriter::start_tls(this: (StreamReader, StreamWriter))
                drop({ this.1 }.start_tls(&mut { this.0 }, TlsConnector::new())),
        ],
    ]
    .concat()
}

fn items() -> Vec<String> {
    [
        there![
            item Address,
            item ReadError,
            item Runtime,
            item Separator,
            item Server,
            item Stream,
            item StreamMode,
            item StreamReader,
            item StreamServer,
            item StreamWriter,
            item Target,
            item Transport,
            item UnixStreamServer,
        ],
        there![
            of types Connect,
            of types ConnectPipe,
            of types Family,
            of types Feeder,
            of types HandlerOutput,
            of types KeepAlive,
            of types Lines,
            of types OpenConnection,
            of types ReadPipe,
            of types Shutdown,
            of types StartServer,
            of types WritePipe,
        ],
        there![of adapter Socket, of adapter Spawn, of error TimedOut],
        there![
            function connect,
            function connect_read_pipe,
            function connect_unix,
            function connect_write_pipe,
            function fed,
            function open_connection,
            function open_unix_connection,
            function start_server,
            function start_unix_server,
            function timeout,
        ],
    ]
    .concat()
}

fn opening_and_serving() -> Vec<String> {
    [
    there![
        method ConnectPipe::limit,
        method OpenConnection::family,
        method OpenConnection::flags,
        method OpenConnection::interleave,
        method OpenConnection::limit,
        method OpenConnection::proto,
        method Server::abort_clients,
        method Server::close,
        method Server::close_clients,
        method Server::is_serving,
        method Server::serve_forever,
        method Server::shutdown,
        method Server::sockets,
        method Server::start_serving,
        method Server::wait_closed,
        method StartServer::backlog,
        method StartServer::cleanup_socket,
        method StartServer::family,
        method StartServer::flags,
        method StartServer::limit,
        method StartServer::reuse_address,
        method StartServer::reuse_port,
        method StartServer::start_serving,
        method StreamServer::abort,
        method StreamServer::backlog,
        method StreamServer::bind,
        method StreamServer::close,
        method StreamServer::family,
        method StreamServer::flags,
        method StreamServer::is_bound,
        method StreamServer::is_serving,
        method StreamServer::limit,
        method StreamServer::reuse_address,
        method StreamServer::reuse_port,
        method StreamServer::serve_forever,
        method StreamServer::shutdown,
        method StreamServer::shutdown_timeout,
        method StreamServer::sockets,
        method StreamServer::start_serving,
        method StreamServer::wait_closed,
    ],
    there![
        call OpenConnection::happy_eyeballs_delay(this: OpenConnection) this.happy_eyeballs_delay(None),
        call OpenConnection::local_addr(this: OpenConnection) this.local_addr("127.0.0.1:0"),
        call OpenConnection::server_hostname(this: OpenConnection) this.server_hostname("example.org"),
        call Runtime::now(this: &dyn Runtime) this.now(),
        call StartServer::keep_alive(this: StartServer) this.keep_alive(true),
        call StartServer::on_handler_error(this: StartServer) this.on_handler_error(|_| {}),
        call StreamServer::new(runtime: Arc<dyn Runtime>) StreamServer::new(runtime, "127.0.0.1:0", async |_| {}),
    ],
    ].concat()
}

fn reading() -> Vec<String> {
    [
        there![
            method Feeder::feed,
            method Feeder::feed_eof,
            method Feeder::is_paused,
            method Reader::feed,
            method Reader::feed_eof,
            method StreamReader::error,
            method StreamReader::at_eof,
            method StreamReader::lines,
            method StreamReader::read,
            method StreamReader::read_exactly,
            method StreamReader::read_line,
            method StreamReader::read_to_eof,
            method StreamReader::set_limit,
            method StreamReader::transport,
        ],
        there![
            call Feeder::fail(this: &mut Feeder) this.fail(TransportError::new("lost")),
            call Reader::fail(this: &mut Reader) this.fail(TransportError::new("lost")),
            call Separator::any(needles: [&str; 1]) Separator::any(needles),
            call StreamReader::read_until(this: &mut StreamReader) this.read_until("x"),
            call StreamReader::read_with(this: &mut StreamReader) this.read_with(parse),
        ],
    ]
    .concat()
}

fn writing() -> Vec<String> {
    [
        there![
            method StreamOptions::cap,
            method StreamOptions::close_timeout,
            method StreamOptions::fed,
            method StreamOptions::idle_timeout,
            method StreamOptions::open,
            method StreamOptions::watermarks,
            method StreamWriter::abort,
            method StreamWriter::can_write_eof,
            method StreamWriter::close,
            method StreamWriter::drain,
            method StreamWriter::extra_info,
            method StreamWriter::flush,
            method StreamWriter::is_closing,
            method StreamWriter::is_paused,
            method StreamWriter::queued,
            method StreamWriter::set_watermarks,
            method StreamWriter::transport,
            method StreamWriter::wait_closed,
            method StreamWriter::watermarks,
            method StreamWriter::write_bytes,
            method StreamWriter::write_eof,
            method StreamWriter::write_vectored,
        ],
        there![
            call StreamWriter::write(this: &mut StreamWriter) this.write("x"),
            call StreamWriter::write_all(this: &mut StreamWriter) this.write_all("x"),
        ],
        there![
            call Socket::extra_info(this: &dyn Socket) this.extra_info(),
        ],
    ]
    .concat()
}

fn whole_streams() -> Vec<String> {
    [
        there![
            method Stream::error,
            method Stream::abort,
            method Stream::at_eof,
            method Stream::can_write_eof,
            method Stream::close,
            method Stream::drain,
            method Stream::extra_info,
            method Stream::into_split,
            method Stream::is_closing,
            method Stream::lines,
            method Stream::mode,
            method Stream::read,
            method Stream::read_exactly,
            method Stream::read_line,
            method Stream::read_to_eof,
            method Stream::reunite,
            method Stream::split,
            method Stream::transport,
            method Stream::wait_closed,
            method Stream::write_eof,
            method Stream::write_vectored,
            method StreamMode::can_read,
            method StreamMode::can_write,
        ],
        there![
            call Stream::read_until(this: &mut Stream) this.read_until("x"),
            call Stream::write(this: &mut Stream) this.write("x"),
            call Stream::write_all(this: &mut Stream) this.write_all("x"),
        ],
    ]
    .concat()
}

fn information_and_errors() -> Vec<String> {
    [
        there![
            method ExtraInfo::get,
            method Transport::set_watermarks,
            method Transport::can_write_eof,
            method Transport::abort,
            method Transport::close,
            method Transport::extra_info,
            method Transport::is_closing,
            method Transport::queued,
        ],
        there![
            call Transport::with_socket(this: &Transport) this.with_socket(|_| ()),
        ],
        there![
            variant OpenError::Connect,
            variant ReadError::Incomplete,
            variant ReadError::LimitOverrun,
            variant ReadError::WriteOnly,
            variant StreamMode::Read,
            variant StreamMode::ReadWrite,
            variant StreamMode::Write,
            variant SystemHandle::Pipe,
            variant SystemHandle::Socket,
            variant WriteError::PeerClosed,
            variant WriteError::ReadOnly,
        ],
        there![
            field ExtraInfo::handle,
            field ExtraInfo::local_addr,
            field ExtraInfo::peer_addr,
        ],
        there![
            field ReadError::Incomplete::expected,
            field ReadError::Incomplete::partial,
            field ReadError::LimitOverrun::consumed,
        ],
    ]
    .concat()
}

/// For `read_with`.
fn parse(_: &mut Reader) -> Result<Status<()>, ReadError> {
    Ok(Status::NeedData)
}
