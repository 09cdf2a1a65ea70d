//! A server that is a program, in a directory of its own.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::setup::Setup;
use crate::common::Peer;

/// How often it is tried on another port, if another process takes the one that was free.
const ATTEMPTS: usize = 5;

/// Ended, and its directory removed, when this is dropped.
pub(crate) struct Program {
    pub(crate) address: SocketAddr,
    _peer: Peer,
    directory: TempDir,
}

impl Program {
    /// Starts what `command` makes for an address and a directory, which has `server.pem` and
    /// `server.key` where there is TLS, and waits until it prints that it is `ready`.
    pub(crate) async fn start(
        setup: &Setup,
        directory: TempDir,
        ready: &str,
        command: impl Fn(SocketAddr, &Path) -> Command,
    ) -> Self {
        if let Some(tls) = &setup.tls {
            fs::write(directory.path().join("server.pem"), &tls.certificate).unwrap();
            fs::write(directory.path().join("server.key"), &tls.key).unwrap();
        }
        for _ in 0..ATTEMPTS {
            let address = free_address();
            let mut command = command(address, directory.path());
            let printed = directory.path().join("printed");
            let output = fs::File::create(&printed).unwrap();
            command.current_dir(&directory).stdin(Stdio::null());
            command.stdout(output.try_clone().unwrap()).stderr(output);
            let mut peer = Peer::start(&mut command);
            while peer.0.try_wait().unwrap().is_none() {
                if fs::read_to_string(&printed).unwrap().contains(ready) {
                    return Self {
                        address,
                        _peer: peer,
                        directory,
                    };
                }
                setup.runtime.sleep(Duration::from_millis(10)).await;
            }
        }
        let printed = fs::read_to_string(directory.path().join("printed"));
        panic!("the server does not start: {printed:?}");
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// No other process has it, for now.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}
