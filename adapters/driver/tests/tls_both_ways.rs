//! Both directions of TLS at once.

#![cfg(feature = "__tls")]

mod support;

use std::{sync::mpsc, thread, time::Duration};

use futures_lite::future::block_on;
use futures_util::future::join4;
use millpond::{Stream, StreamOptions, StreamReader, StreamWriter};
use support::{
    tls::{Pace, Scene, VERSIONS, Way, secure},
    whole,
};

const LEN: usize = 4 << 20;

/// What each side sends is its own.
fn data(seed: usize) -> Vec<u8> {
    (0..LEN).map(|i| ((i * 31 + seed) >> 3) as u8).collect()
}

async fn receive(reader: &mut StreamReader, data: &[u8]) {
    assert!(reader.read_exactly(data.len()).await.unwrap() == data);
}

#[test]
fn both_directions_work_at_once_by_wakers_alone() {
    for version in VERSIONS {
        for seed in [1, 2, 3] {
            let scene = Scene::new();
            let (client, server) = scene.secured(version);
            scene.wire.pace(Way::ToServer, Pace::Random(seed));
            scene.wire.pace(Way::ToClient, Pace::Random(seed + 7));
            let (up, down) = (data(1), data(2));
            let (mut client_reader, client_writer) = client.into_split();
            let (mut server_reader, server_writer) = server.into_split();
            scene.run(async {
                join4(
                    send(client_writer, &up),
                    send(server_writer, &down),
                    receive(&mut client_reader, &down),
                    receive(&mut server_reader, &up),
                )
                .await;
            });
        }
    }
}

async fn send(mut writer: StreamWriter, data: &[u8]) {
    for part in data.chunks(10_007) {
        writer.write_all(part).await.unwrap();
    }
    writer.flush().await.unwrap();
}

/// Runs it on a thread of its own, and fails if it does not end.
fn within<T: Send + 'static>(time: Duration, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, end) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    end.recv_timeout(time).expect("it has not ended in time")
}

/// Four threads: each half of each side has its own.
fn on_threads(client: Stream, server: Stream) {
    within(Duration::from_secs(60), move || {
        let (up, down) = (data(1), data(2));
        let (mut client_reader, client_writer) = client.into_split();
        let (mut server_reader, server_writer) = server.into_split();
        thread::scope(|scope| {
            scope.spawn(|| block_on(send(client_writer, &up)));
            scope.spawn(|| block_on(send(server_writer, &down)));
            scope.spawn(|| block_on(receive(&mut client_reader, &down)));
            scope.spawn(|| block_on(receive(&mut server_reader, &up)));
        });
    });
}

#[test]
fn halves_on_four_threads_do_not_stop_each_other_in_memory() {
    for version in VERSIONS {
        for capacity in [64 * 1024, 1000] {
            let (client, server) = StreamOptions::new().pair(capacity);
            let (mut client, mut server) = (whole(client), whole(server));
            block_on(secure(version, &mut client, &mut server));
            on_threads(client, server);
        }
    }
}
