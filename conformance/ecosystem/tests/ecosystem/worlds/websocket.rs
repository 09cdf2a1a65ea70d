//! tungstenite, both sides. A client masks with random numbers of its own, so where a world is to be the
//! same again, both are servers, who do not.

use millpond_sim::Stream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{Role, WebSocketConfig},
    },
};

use super::{Conversation, Over};
use crate::talk::{
    pattern,
    websocket::{ask, echo},
};

fn messages() -> Vec<Message> {
    let text = |len| Message::text("é".repeat(len));
    let binary = |len| Message::binary(pattern(len, len));
    vec![text(0), binary(1), text(70), binary(5000)]
}

async fn client(stream: Stream) -> Result<Vec<Message>, Error> {
    let (socket, _) = tokio_tungstenite::client_async("ws://localhost/", stream).await?;
    ask(socket, &messages()).await
}

async fn server(stream: Stream) -> Result<(), Error> {
    echo(tokio_tungstenite::accept_async(stream).await?).await
}

async fn unmasked(stream: Stream) -> WebSocketStream<Stream> {
    let config = WebSocketConfig::default().accept_unmasked_frames(true);
    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await
}

#[test]
fn messages_are_right_or_fail() {
    let conversation = Conversation {
        over: Over::Tcp,
        client: |stream| Box::pin(client(stream)),
        server: |stream| Box::pin(server(stream)),
        answer: messages,
    };
    conversation.check();
}

#[test]
fn messages_are_the_same_again() {
    let conversation = Conversation {
        over: Over::Tcp,
        client: |stream| Box::pin(async { ask(unmasked(stream).await, &messages()).await }),
        server: |stream| Box::pin(async { echo(unmasked(stream).await).await }),
        answer: messages,
    };
    conversation.check_same();
}
