//! Clients of tokio-tungstenite and async-tungstenite, on sockets of their own runtimes, in one chat.

use async_tungstenite::tungstenite::{Error, Message};
use futures_util::{Sink, SinkExt, Stream, StreamExt};

use crate::program::{RUNTIMES, Server, TIME_LIMIT};

type Received = Result<Message, Error>;

async fn hear(client: &mut (impl Stream<Item = Received> + Unpin)) -> String {
    let message = client.next().await.unwrap().unwrap();
    message.into_text().unwrap().to_string()
}

/// Each says something that only the other hears, in turn.
async fn converse<A, B>(one: &mut A, two: &mut B)
where
    A: Stream<Item = Received> + Sink<Message, Error = Error> + Unpin,
    B: Stream<Item = Received> + Sink<Message, Error = Error> + Unpin,
{
    two.send(Message::text("hello")).await.unwrap();
    assert_eq!(hear(one).await, "2: hello");
    for n in 0..100 {
        one.send(Message::text(n.to_string())).await.unwrap();
        assert_eq!(hear(two).await, format!("1: {n}"));
        two.send(Message::text("ü".repeat(n))).await.unwrap();
        assert_eq!(hear(one).await, format!("2: {}", "ü".repeat(n)));
    }
    one.close().await.unwrap();
    while one.next().await.is_some() {}
}

#[test]
fn clients_of_both_crates_hear_each_other() {
    for runtime in RUNTIMES {
        let server = Server::start(env!("CARGO_BIN_EXE_websocket_chat"), runtime);
        let tokio = tokio::runtime::Runtime::new().unwrap();
        let talking = async {
            let socket = tokio::net::TcpStream::connect(&server.address).await;
            let connecting = tokio_tungstenite::client_async("ws://chat/", socket.unwrap());
            let mut one = connecting.await.unwrap().0;
            // When this is answered, it has its seat, which is the first one.
            one.send(Message::Ping("?".into())).await.unwrap();
            assert_eq!(
                one.next().await.unwrap().unwrap(),
                Message::Pong("?".into())
            );
            let socket = smol::net::TcpStream::connect(&server.address).await;
            let connecting = async_tungstenite::client_async("ws://chat/", socket.unwrap());
            let mut two = connecting.await.unwrap().0;
            converse(&mut one, &mut two).await;
        };
        let limited = async { tokio::time::timeout(TIME_LIMIT, talking).await };
        tokio.block_on(limited).expect("they go on");
    }
}
