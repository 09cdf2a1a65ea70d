//! WebSocket messages, and their echo, by either crate: what they make of a stream is the same.

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio_tungstenite::tungstenite::{Error, Message};

/// Sends back what comes, until the peer closes.
pub(crate) async fn echo<S>(mut socket: S) -> Result<(), Error>
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// Sends `messages`, returns their echo, and closes properly.
pub(crate) async fn ask<S>(mut socket: S, messages: &[Message]) -> Result<Vec<Message>, Error>
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    let mut answers = Vec::new();
    for message in messages {
        socket.send(message.clone()).await?;
        answers.push(socket.next().await.ok_or(Error::ConnectionClosed)??);
    }
    socket.close().await?;
    while let Some(message) = socket.next().await {
        message?;
    }
    Ok(answers)
}
