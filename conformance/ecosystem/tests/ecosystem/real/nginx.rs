//! nginx behind a proxy that copies: what curl stores is there, and h2load gets it many times.

use std::{fs, net::SocketAddr, path::Path, process::Command, sync::Arc};

use millpond::{Stream, copy_bidirectional, error::BoxError};
use tempfile::TempDir;

use super::{
    h2load::Load,
    program::Program,
    setup::{Served, Setup},
};
use crate::{
    common::{Peer, find},
    talk::{http::Version, pattern},
};

/// Of a file that is stored.
const LARGE: usize = 3_000_000;

/// Of the file that is asked for many times.
const SMALL: usize = 2000;

const REQUESTS: usize = 2000;

/// As who starts it, in one process; files can be stored and fetched, over TCP and a unix socket.
fn config(address: SocketAddr, tls: bool) -> String {
    let (ssl, certificate) = match tls {
        true => (
            "ssl",
            "ssl_certificate server.pem; ssl_certificate_key server.key;",
        ),
        false => ("", ""),
    };
    format!(
        "daemon off; master_process off; pid pid; error_log stderr notice;
        events {{}}
        http {{
            access_log off; keepalive_requests 100000; client_max_body_size 10m;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            {certificate}
            server {{
                listen {address} {ssl};
                listen unix:socket;
                root files;
                location / {{ dav_methods PUT; }}
            }}
        }}"
    )
}

/// `None` if there is no nginx.
async fn start(setup: &Setup) -> Option<Program> {
    let nginx = find("nginx")?;
    let directory = TempDir::new().unwrap();
    let files = directory.path().join("files");
    fs::create_dir(&files).unwrap();
    fs::write(files.join("small"), pattern(2, SMALL)).unwrap();
    let ready = "event method";
    let program = Program::start(setup, directory, ready, |address, directory| {
        let config = config(address, setup.tls.is_some());
        fs::write(directory.join("config"), config).unwrap();
        let mut command = Command::new(&nginx);
        command.arg("-p").arg(directory);
        command.args(["-e", "stderr", "-c", "config"]);
        command
    });
    Some(program.await)
}

/// In front with TLS as `setup` has it, and towards the upstream as `connect` has it.
async fn proxy<F>(setup: &Setup, connect: impl Fn() -> F + Send + Sync + 'static) -> Served
where
    F: Future<Output = Result<Stream, BoxError>> + Send + 'static,
{
    let connect = Arc::new(connect);
    setup
        .serve(move |mut client: Stream| {
            let connect = connect.clone();
            async move {
                let mut upstream = connect().await?;
                copy_bidirectional(&mut client, &mut upstream).await?;
                Ok::<_, BoxError>(())
            }
        })
        .await
}

async fn over_tcp(setup: Setup) {
    let Some(nginx) = start(&setup).await else {
        return;
    };
    let (runtime, address) = (setup.runtime.clone(), nginx.address);
    let connector = setup.tls.as_ref().map(|tls| tls.connector.clone());
    let connect = move || {
        let connecting = millpond::connect(runtime.clone(), address);
        let connecting = match &connector {
            Some(connector) => connecting.tls(connector),
            None => connecting,
        };
        async { Ok(connecting.await?) }
    };
    let proxy = proxy(&setup, connect).await;
    assert_serves(&setup, proxy, nginx.directory()).await;
}

async fn over_a_unix_socket(setup: Setup) {
    let Some(nginx) = start(&setup).await else {
        return;
    };
    let (runtime, path) = (setup.runtime.clone(), nginx.directory().join("socket"));
    let connect = move || {
        let connecting = millpond::connect_unix(runtime.clone(), &path);
        async { Ok(connecting.await?) }
    };
    let proxy = proxy(&setup, connect).await;
    assert_serves(&setup, proxy, nginx.directory()).await;
}

async fn assert_serves(setup: &Setup, proxy: Served, directory: &Path) {
    let scheme = if setup.tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", proxy.address());
    if let Some(curl) = find("curl") {
        let large = pattern(3, LARGE);
        fs::write(directory.join("upload"), &large).unwrap();
        let mut command = Command::new(curl);
        // Both on one connection.
        command.args(["--disable", "--noproxy", "*", "--silent", "--show-error"]);
        command.args(["--fail", "--insecure", "--http1.1", "--upload-file"]);
        let url = format!("{url}/large");
        command.args(["upload", &url, "--output", "stored"]);
        command.args([&url, "--output", "download"]);
        command.current_dir(directory);
        Peer::start(&mut command).succeed(&*setup.runtime).await;
        assert!(fs::read(directory.join("files/large")).unwrap() == large);
        assert!(fs::read(directory.join("download")).unwrap() == large);
    }
    if let Some(h2load) = Load::new(Version::One) {
        let url = format!("{url}/small");
        h2load.run(setup, &url, REQUESTS, SMALL).await;
    }
    proxy.end_after_leaving().await;
}

super::everywhere! {
    over_a_unix_socket,
    over_tcp,
}
