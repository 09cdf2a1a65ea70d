//! h2load against hyper on millpond: many requests at once.

use std::{fs, process::Command};

use tempfile::TempDir;

use super::setup::Setup;
use crate::{
    common::{Peer, find},
    talk::{
        http::{Tasks, Version, serve},
        pattern,
    },
};

const REQUESTS: usize = 3000;

/// Of each request, and of its answer.
const BODY: usize = 2000;

async fn http1(setup: Setup) {
    uploads_come_back(setup, Version::One).await;
}

async fn http2(setup: Setup) {
    uploads_come_back(setup, Version::Two).await;
}

async fn uploads_come_back(mut setup: Setup, version: Version) {
    let Some(mut h2load) = Load::new(version) else {
        return;
    };
    if let Some(tls) = &mut setup.tls {
        tls.acceptor = tls.acceptor.clone().alpn([h2load.protocol()]);
    }
    let tasks = Tasks(setup.runtime.clone());
    let server = setup
        .serve(move |stream| serve(stream, version, tasks.clone()))
        .await;
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("upload"), pattern(5, BODY)).unwrap();
    h2load.command.args(["--data", "upload"]);
    h2load.command.current_dir(&directory);
    let scheme = if setup.tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}/sized", server.address());
    h2load.run(&setup, &url, REQUESTS, BODY).await;
    server.end_after_leaving().await;
}

/// Ten connections, and with HTTP/2 ten requests at once on each.
pub(crate) struct Load {
    pub(crate) command: Command,
    version: Version,
}

impl Load {
    /// `None` if there is no h2load.
    pub(crate) fn new(version: Version) -> Option<Self> {
        let mut command = Command::new(find("h2load")?);
        command.args(["--clients", "10"]);
        match version {
            Version::One => command.arg("--h1"),
            Version::Two => command.args(["--max-concurrent-streams", "10"]),
        };
        Some(Self { command, version })
    }

    /// Its name in TLS.
    pub(crate) fn protocol(&self) -> &'static str {
        match self.version {
            Version::One => "http/1.1",
            Version::Two => "h2",
        }
    }

    /// Asks `requests` times, and every answer must be a good one with a body of `len` bytes.
    pub(crate) async fn run(mut self, setup: &Setup, url: &str, requests: usize, len: usize) {
        let report = tempfile::NamedTempFile::new().unwrap();
        self.command.arg("--requests").arg(requests.to_string());
        self.command.arg(url).stdout(report.reopen().unwrap());
        let mut peer = Peer::start(&mut self.command);
        peer.succeed(&*setup.runtime).await;
        let report = fs::read_to_string(&report).unwrap();
        for expected in [
            format!(
                "requests: {requests} total, {requests} started, {requests} done, {requests} succeeded, \
                 0 failed, 0 errored, 0 timeout"
            ),
            format!("status codes: {requests} 2xx, 0 3xx, 0 4xx, 0 5xx"),
            format!("({}) data", requests * len),
        ] {
            assert!(report.contains(&expected), "no {expected:?} in\n{report}");
        }
    }
}

super::everywhere! {
    http1,
    http2,
}
