//! A WebSocket chat: tungstenite over millpond's streams, on either runtime.
//!
//!     cargo run -p millpond-examples --bin websocket_chat
//!     websocat ws://127.0.0.1:8082/                        # in two other terminals
//!
//! What one client says goes to all the others, with its number. No client waits for another: each has a
//! queue of messages, and one that reads so slowly that its queue is full is cut off. So a client takes
//! that queue and a stream's watermark of memory, and no more.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use async_tungstenite::{
    accept_async_with_config,
    tungstenite::{Error, Message, protocol::WebSocketConfig},
};
use clap::Parser;
use futures_channel::mpsc;
use futures_util::{
    StreamExt,
    future::{Either, select},
};
use millpond::{Address, Stream, StreamServer, Transport};
use millpond_examples::{On, run};

/// Bytes of a message.
const MAX_MESSAGE: usize = 16 * 1024;

/// Messages that wait for a client.
const QUEUE: usize = 64;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    on: On,
    /// 0 for any that is free
    #[arg(long, default_value_t = 8082)]
    port: u16,
}

/// The members, by number.
#[derive(Default)]
struct Chat {
    members: Mutex<BTreeMap<u64, Member>>,
    last: AtomicU64,
}

struct Member {
    queue: mpsc::Sender<Message>,
    /// To cut it off while its own task waits for it.
    transport: Transport,
}

impl Chat {
    fn join(self: &Arc<Self>, transport: Transport) -> (Seat, mpsc::Receiver<Message>) {
        let (queue, messages) = mpsc::channel(QUEUE);
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.members().insert(number, Member { queue, transport });
        let chat = self.clone();
        (Seat { chat, number }, messages)
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<u64, Member>> {
        self.members.lock().expect("no task panics meanwhile")
    }
}

/// A member of the chat, until it is dropped.
struct Seat {
    chat: Arc<Chat>,
    number: u64,
}

impl Seat {
    fn say(&self, text: &str) {
        let message = Message::text(format!("{}: {text}", self.number));
        self.chat.members().retain(|number, member| {
            let delivered =
                *number == self.number || member.queue.try_send(message.clone()).is_ok();
            if !delivered {
                member.transport.abort();
            }
            delivered
        });
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.chat.members().remove(&self.number);
    }
}

async fn handle(chat: Arc<Chat>, stream: Stream) -> Result<(), Error> {
    let transport = stream.transport();
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE));
    let socket = accept_async_with_config(stream, Some(config)).await?;
    let (mut outgoing, mut incoming) = socket.split();
    let (seat, mut messages) = chat.join(transport);
    let receiving = async {
        while let Some(message) = incoming.next().await {
            if let Message::Text(text) = message? {
                seat.say(&text);
            }
        }
        Ok(())
    };
    let sending = async {
        while let Some(message) = messages.next().await {
            outgoing.send(message).await?;
        }
        Ok(()) // it was cut off
    };
    match select(Box::pin(receiving), Box::pin(sending)).await {
        Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    run(args.on.runtime, async |runtime| {
        let chat = Arc::new(Chat::default());
        let server = StreamServer::new(runtime, (args.on.host, args.port), move |stream| {
            handle(chat.clone(), stream)
        });
        server.start_serving().await?;
        let addresses: Vec<_> = server.sockets().iter().map(Address::to_string).collect();
        println!("Serving on {}", addresses.join(", "));
        server.serve_forever().await?;
        Ok(())
    })
}

/// The same handler, unchanged, where there are no sockets.
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_tungstenite::{WebSocketStream, client_async};
    use futures_util::{SinkExt, future::join_all};
    use millpond_sim::{Sim, check, connect, stream_server, timeout, world};

    use super::*;

    const ADDRESS: &str = "localhost:80";

    type Client = WebSocketStream<Stream>;

    async fn start() -> (Arc<Chat>, StreamServer) {
        let chat = Arc::new(Chat::default());
        let shared = chat.clone();
        let server = stream_server(ADDRESS, move |stream| handle(shared.clone(), stream));
        let server = server.on_handler_error(|_| {}).on_accept_error(|_| {});
        server.start_serving().await.unwrap();
        (chat, server)
    }

    async fn enter() -> Result<Client, Error> {
        let stream = connect(ADDRESS).await.map_err(io::Error::from)?;
        Ok(client_async("ws://localhost/", stream).await?.0)
    }

    async fn hear(client: &mut Client) -> Result<String, Error> {
        let message = client.next().await.ok_or(Error::ConnectionClosed)??;
        Ok(message.into_text()?.to_string())
    }

    /// A handshake is answered before the client has its seat.
    async fn are_seated(chat: &Chat, count: usize) {
        while chat.members().len() != count {
            world().sleep(Duration::from_millis(10)).await;
        }
    }

    #[test]
    fn all_others_hear_everything_in_order_however_the_network_cuts_it() {
        check(0..50, |sim| {
            let latency = Duration::ZERO..=Duration::from_millis(100);
            sim.rough().latency(latency).no_leaks().run(async {
                let (chat, server) = start().await;
                let mut clients = join_all([(); 3].map(|()| enter())).await;
                are_seated(&chat, 3).await;
                for client in &mut clients {
                    for n in 0..20 {
                        let text = Message::text(n.to_string().repeat(100));
                        client.as_mut().unwrap().feed(text).await.unwrap();
                    }
                    client.as_mut().unwrap().flush().await.unwrap();
                }
                let hearing = clients.into_iter().map(async |client| {
                    let mut client = client.unwrap();
                    let mut next = BTreeMap::new();
                    for _ in 0..40 {
                        let heard = hear(&mut client).await.unwrap();
                        let (from, text) = heard.split_once(": ").unwrap();
                        let n = next.entry(from.to_owned()).or_insert(0);
                        assert_eq!(text, n.to_string().repeat(100));
                        *n += 1;
                    }
                    assert_eq!(next.len(), 2);
                    client.close(None).await.unwrap();
                    while client.next().await.is_some() {}
                });
                join_all(hearing).await;
                server.shutdown().await;
            });
        });
    }

    #[test]
    fn one_that_does_not_read_is_cut_off_and_no_other_waits() {
        Sim::new(1).no_leaks().run(async {
            let (chat, server) = start().await;
            let mut slow = enter().await.unwrap();
            let mut quick = enter().await.unwrap();
            let mut talker = enter().await.unwrap();
            are_seated(&chat, 3).await;
            let text = "x".repeat(10_000);
            let mut sent = 0;
            while chat.members().len() == 3 {
                talker.send(Message::text(&text)).await.unwrap();
                assert!(hear(&mut quick).await.unwrap().ends_with(&text));
                sent += 1;
                assert!(sent < 1000, "no member is cut off");
            }
            assert!(sent > QUEUE);
            let mut heard = 0;
            while hear(&mut slow).await.is_ok() {
                heard += 1;
            }
            assert!(heard < sent);
            talker.send(Message::text("bye")).await.unwrap();
            assert!(hear(&mut quick).await.unwrap().ends_with(": bye"));
            drop((slow, quick, talker));
            server.shutdown().await;
        });
    }

    #[test]
    fn what_is_received_was_sent_whatever_fails_and_the_next_ones_are_served() {
        async fn talk() -> Result<(), Error> {
            let (mut one, mut two) = (enter().await?, enter().await?);
            for n in 0..3 {
                // The other may not be seated yet, so this one is not always heard.
                one.send(Message::text(n.to_string())).await?;
            }
            two.send(Message::text("two")).await?;
            let heard = hear(&mut one).await?;
            assert!(heard.ends_with(": two"), "{heard}");
            Ok(())
        }

        check(0..200, |sim| {
            sim.rough().random_faults(2).no_leaks().run(async {
                let (_chat, server) = start().await;
                let _ = timeout(Duration::from_secs(300), talk()).await;
                world().stop_faults();
                talk().await.unwrap();
                server.close();
                server.abort_clients();
                server.wait_closed().await;
            });
        });
    }
}
