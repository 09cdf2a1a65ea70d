//! hyper, both sides.

use bytes::Bytes;

use super::setup::Setup;
use crate::talk::{
    http::{Ask, Tasks, Version, ask, serve},
    pattern,
};

async fn http1(setup: Setup) {
    bodies_are_echoed(setup, Version::One).await;
}

async fn http2(setup: Setup) {
    bodies_are_echoed(setup, Version::Two).await;
}

async fn bodies_are_echoed(setup: Setup, version: Version) {
    let tasks = Tasks(setup.runtime.clone());
    let spawned = tasks.clone();
    let server = setup
        .serve(move |stream| serve(stream, version, spawned.clone()))
        .await;
    let lengths = [0, 1, 1000, 70_000, 3_000_000];
    let asks: Vec<Ask> = lengths
        .into_iter()
        .flat_map(|len| [true, false].map(|sized| (sized, len)))
        .map(|(sized, len)| Ask {
            sized,
            body: pattern(len, len).into(),
        })
        .collect();
    let stream = setup.connect(&server).await;
    let answers = ask(stream, version, tasks, &asks).await.unwrap();
    let bodies: Vec<Bytes> = asks.into_iter().map(|ask| ask.body).collect();
    assert!(answers == bodies);
    server.end().await;
}

super::everywhere! {
    http1,
    http2,
}
