//! tokio-tungstenite and async-tungstenite, each against itself and the other.

use millpond::Stream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::setup::Setup;
use crate::talk::{
    pattern,
    websocket::{ask, echo},
};

const URL: &str = "ws://localhost/";

async fn echo_by_tokio(stream: Stream) -> Result<(), Error> {
    echo(tokio_tungstenite::accept_async(stream).await?).await
}

async fn echo_by_futures(stream: Stream) -> Result<(), Error> {
    echo(async_tungstenite::accept_async(stream).await?).await
}

fn messages() -> Vec<Message> {
    let text = |len| Message::text("é".repeat(len));
    let binary = |len| Message::binary(pattern(len, len));
    vec![
        text(0),
        text(10),
        binary(1),
        binary(126),
        binary(70_000),
        binary(2_000_000),
        text(60_000),
    ]
}

async fn tokio_tungstenite(setup: Setup) {
    let server = setup.serve(echo_by_futures).await;
    let stream = setup.connect(&server).await;
    let (socket, _) = tokio_tungstenite::client_async(URL, stream).await.unwrap();
    assert!(ask(socket, &messages()).await.unwrap() == messages());
    server.end().await;
}

async fn async_tungstenite(setup: Setup) {
    let server = setup.serve(echo_by_tokio).await;
    let stream = setup.connect(&server).await;
    let (socket, _) = async_tungstenite::client_async(URL, stream).await.unwrap();
    assert!(ask(socket, &messages()).await.unwrap() == messages());
    server.end().await;
}

super::everywhere! {
    async_tungstenite,
    tokio_tungstenite,
}
