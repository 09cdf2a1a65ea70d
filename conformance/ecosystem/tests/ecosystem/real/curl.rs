//! curl against hyper on millpond.

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

async fn an_upload_comes_back_by_http1(setup: Setup) {
    an_upload_comes_back(setup, Version::One).await;
}

/// Without an upgrade: the server speaks nothing else.
async fn an_upload_comes_back_by_http2(setup: Setup) {
    an_upload_comes_back(setup, Version::Two).await;
}

async fn an_upload_comes_back(mut setup: Setup, version: Version) {
    let Some(curl) = find("curl") else {
        return;
    };
    let (protocol, option) = match version {
        Version::One => ("http/1.1", "--http1.1"),
        Version::Two if setup.tls.is_some() => ("h2", "--http2"),
        Version::Two => ("h2", "--http2-prior-knowledge"),
    };
    if let Some(tls) = &mut setup.tls {
        tls.acceptor = tls.acceptor.clone().alpn([protocol]);
    }
    let tasks = Tasks(setup.runtime.clone());
    let server = setup
        .serve(move |stream| serve(stream, version, tasks.clone()))
        .await;

    let directory = TempDir::new().unwrap();
    let upload = pattern(1, 3_000_000);
    fs::write(directory.path().join("upload"), &upload).unwrap();
    let scheme = if setup.tls.is_some() { "https" } else { "http" };
    let address = server.address();
    let requests = [("one", "sized"), ("two", "unsized")];
    // curl 7.88 fails when it uses a connection again that it began with HTTP/2, with any server.
    let at_once = if option == "--http2-prior-knowledge" {
        1
    } else {
        2
    };
    for requests in requests.chunks(at_once) {
        let mut command = Command::new(&curl);
        command
            .args(["--disable", "--noproxy", "*", "--silent", "--show-error"])
            .args(["--fail", option, "--insecure", "--data-binary", "@upload"])
            .current_dir(&directory);
        for (file, path) in requests {
            command.args(["--output", file, &format!("{scheme}://{address}/{path}")]);
        }
        Peer::start(&mut command).succeed(&*setup.runtime).await;
    }
    for name in ["one", "two"] {
        assert!(
            fs::read(directory.path().join(name)).unwrap() == upload,
            "{name}"
        );
    }
    match version {
        Version::One => server.end().await,
        // Here curl ends neither HTTP/2 with a GOAWAY nor TLS with close_notify: it closes its socket. With
        // TLS that is cut off, and hyper takes it for an end only if it has nothing more to send. What it
        // did send and curl did not read, such as a window update, makes the system reset the connection.
        Version::Two => server.end_after_leaving().await,
    }
}

super::everywhere! {
    an_upload_comes_back_by_http1,
    an_upload_comes_back_by_http2,
}
