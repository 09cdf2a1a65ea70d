//! tokio-postgres against PostgreSQL: plain, and with TLS that is ours and begins in the middle.

use std::{
    fs, io,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    pin::Pin,
    process::Command,
    task::{Context, Poll},
};

use futures_util::future::{BoxFuture, try_join_all};
use millpond::{Stream, TlsConnector};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    Client, Config, NoTls,
    config::SslMode,
    tls::{ChannelBinding, TlsConnect, TlsStream},
};

use super::{program::Program, setup::Setup};
use crate::{common::find, talk::pattern};

/// It refuses to be run by root; this is a user that every system has.
const NOBODY: u32 = 65534;

/// A database of its own.
struct Database {
    program: Program,
}

impl Database {
    /// `None` if there is no PostgreSQL.
    async fn start(setup: &Setup) -> Option<Self> {
        let postgres = find("postgres")?;
        let directory = TempDir::new().unwrap();
        let init = Path::new(&postgres).with_file_name("initdb");
        let user = User::of(directory.path());
        let mut init = user.command(init);
        init.args(["--pgdata", "data", "--username", "alice", "--auth", "trust"]);
        init.args(["--no-sync", "--locale", "C", "--encoding", "UTF8"]);
        let made = init.current_dir(&directory).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let ready = "ready to accept connections";
        let program = Program::start(setup, directory, ready, |address, directory| {
            let mut command = user.command(&postgres);
            command.args(["-D", "data", "-F", "-k", ".", "-h", "127.0.0.1"]);
            command.args(["-p", &address.port().to_string()]);
            if setup.tls.is_some() {
                let key = directory.join("server.key");
                fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
                user.own(&key);
                command.args(["-c", "ssl=on", "-c", "ssl_cert_file=../server.pem"]);
                command.args(["-c", "ssl_key_file=../server.key"]);
            }
            command
        });
        Some(Self {
            program: program.await,
        })
    }

    /// Runs `test` beside the connection, which has to end well.
    async fn connect(&self, setup: &Setup, test: impl AsyncFnOnce(Client)) {
        let connecting = millpond::connect(setup.runtime.clone(), self.program.address);
        let stream = connecting.await.unwrap();
        let mut config = Config::new();
        config.user("alice").dbname("postgres");
        match &setup.tls {
            None => {
                let (client, connection) = config.connect_raw(stream, NoTls).await.unwrap();
                beside(connection, test(client)).await;
            }
            Some(tls) => {
                config.ssl_mode(SslMode::Require);
                let tls = Tls(tls.connector.clone());
                let (client, connection) = config.connect_raw(stream, tls).await.unwrap();
                beside(connection, test(client)).await;
            }
        }
    }
}

async fn beside(
    connection: impl Future<Output = Result<(), tokio_postgres::Error>>,
    test: impl Future<Output = ()>,
) {
    let (ended, ()) = futures_util::future::join(connection, test).await;
    ended.unwrap();
}

/// Who runs PostgreSQL: not root, which it refuses.
#[derive(Clone, Copy)]
struct User {
    is_root: bool,
}

impl User {
    /// The one that has made `directory`, unless that is root.
    fn of(directory: &Path) -> Self {
        let is_root = fs::metadata(directory).unwrap().uid() == 0;
        let user = Self { is_root };
        user.own(directory);
        user
    }

    fn own(self, path: &Path) {
        if self.is_root {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    fn command(self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

/// Ours, begun in the middle of a stream.
struct Tls(TlsConnector);

impl TlsConnect<Stream> for Tls {
    type Stream = Protected;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Protected>>;

    fn connect(self, mut stream: Stream) -> Self::Future {
        Box::pin(async move {
            stream
                .start_tls(self.0)
                .server_hostname("localhost")
                .await?;
            Ok(Protected(stream))
        })
    }
}

struct Protected(Stream);

impl TlsStream for Protected {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Protected {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(&mut self.0), cx, buf)
    }
}

impl AsyncWrite for Protected {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.0), cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.0), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.0), cx)
    }
}

async fn rows_come_back(setup: Setup) {
    let Some(database) = Database::start(&setup).await else {
        return;
    };
    let ask = async |client: Client| {
        let large = pattern(5, 3_000_000);
        let row = client
            .query_one("SELECT $1::bytea", &[&large])
            .await
            .unwrap();
        assert!(row.get::<_, Vec<u8>>(0) == large);
        // Many at once, on one connection.
        let client = &client;
        let asking = (0..100_i32).map(|n| async move {
            let row = client.query_one("SELECT $1::int4 * 2", &[&n]).await?;
            assert_eq!(row.get::<_, i32>(0), n * 2);
            Ok::<_, tokio_postgres::Error>(())
        });
        try_join_all(asking).await.unwrap();
        let rows = client
            .query("SELECT generate_series(1, 20000)", &[])
            .await
            .unwrap();
        let sum: i64 = rows.iter().map(|row| i64::from(row.get::<_, i32>(0))).sum();
        assert_eq!(sum, 20_000 * 20_001 / 2);
        client.query_one("SELECT 1 / 0", &[]).await.unwrap_err(); // and the connection goes on
        let row = client.query_one(
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            &[],
        );
        assert_eq!(row.await.unwrap().get::<_, bool>(0), setup.tls.is_some());
    };
    database.connect(&setup, ask).await;
}

super::everywhere! {
    rows_come_back,
}
