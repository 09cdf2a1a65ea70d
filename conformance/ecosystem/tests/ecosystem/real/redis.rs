//! redis-rs and a client by hand against redis-server, which speaks TLS, too.

use std::process::Command;

use tempfile::TempDir;

use super::{program::Program, setup::Setup};
use crate::{
    common::find,
    talk::redis::{answers, ask, ask_by_hand},
};

const LARGEST: usize = 3_000_000;

/// `None` if there is no redis-server.
async fn start(setup: &Setup) -> Option<Program> {
    let redis = find("redis-server")?;
    let directory = TempDir::new().unwrap();
    let ready = "eady to accept connections";
    let program = Program::start(setup, directory, ready, |address, _| {
        let port = address.port().to_string();
        let mut command = Command::new(&redis);
        command.args(["--bind", "127.0.0.1", "--save", "", "--dir", "."]);
        match &setup.tls {
            None => command.args(["--port", &port]),
            Some(_) => command
                .args([
                    "--port",
                    "0",
                    "--tls-port",
                    &port,
                    "--tls-auth-clients",
                    "no",
                ])
                .args([
                    "--tls-cert-file",
                    "server.pem",
                    "--tls-key-file",
                    "server.key",
                ]),
        };
        command
    });
    Some(program.await)
}

async fn multiplexed_connection(setup: Setup) {
    let Some(redis) = start(&setup).await else {
        return;
    };
    let stream = setup.connect_to(redis.address).await.unwrap();
    assert!(ask(stream, LARGEST).await.unwrap() == answers(LARGEST));
}

async fn by_hand(setup: Setup) {
    let Some(redis) = start(&setup).await else {
        return;
    };
    let stream = setup.connect_to(redis.address).await.unwrap();
    ask_by_hand(stream, 1000).await.unwrap();
}

super::everywhere! {
    by_hand,
    multiplexed_connection,
}
