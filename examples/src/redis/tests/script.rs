//! The client against a peer that plays a script, in memory.

use std::io;

use futures_util::future::{join, poll_fn};
use millpond_sim::{Script, Stream, pair};

use super::{
    super::{Client, Value, command},
    bulk, text,
};

/// What a client makes of a peer.
fn with_peer<T>(script: Script, talk: impl AsyncFnOnce(Client) -> T) -> T {
    smol::block_on(async {
        let ((reader, writer), peer) = pair();
        let client = Client::new(Stream::reunite(reader, writer).unwrap());
        let (came, played) = join(talk(client), script.play(peer)).await;
        played.unwrap();
        came
    })
}

#[test]
fn a_command_is_answered() {
    let script = Script::new()
        .expect("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
        .send("$5\r\nvalue\r\n");
    let answer = with_peer(script, async |mut client| {
        client.command(["GET", "k"]).await
    });
    assert_eq!(answer.unwrap(), bulk("value"));
}

#[test]
fn a_pipeline_is_sent_before_any_answer_and_a_refusal_ends_nothing() {
    let script = Script::new()
        .expect(command(["INCR", "k"]))
        .expect(command(["GET", "k"]))
        .send("-ERR value is not an integer\r\n$1\r\nv\r\n");
    let answers = with_peer(script, async |mut client| {
        client
            .pipeline([["INCR", "k"], ["GET", "k"]])
            .await
            .unwrap()
    });
    let refused = answers[0].clone().checked().unwrap_err();
    assert_eq!(refused.to_string(), "ERR value is not an integer");
    assert_eq!(answers[1], bulk("v"));
}

#[test]
fn messages_come_until_the_client_has_enough() {
    let message = "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n";
    let script = Script::new()
        .expect(command(["SUBSCRIBE", "news", "more"]))
        .send("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n")
        .send(message)
        .send("*3\r\n$9\r\nsubscribe\r\n$4\r\nmore\r\n:2\r\n")
        // As version 3 has it.
        .send(message.replace('*', ">"))
        .expect(command(["UNSUBSCRIBE"]))
        .send(message)
        .send("*3\r\n$11\r\nunsubscribe\r\n$4\r\nnews\r\n:1\r\n")
        .send("*3\r\n$11\r\nunsubscribe\r\n$4\r\nmore\r\n:0\r\n")
        .expect(command(["PING"]))
        .send("+PONG\r\n");
    let pong = with_peer(script, async |client| {
        let mut subscription = client.subscribe(["news", "more"]).await?;
        for _ in 0..2 {
            let message = subscription.message().await?.expect("a message");
            assert_eq!(
                (&*message.channel, &*message.payload),
                (&b"news"[..], &b"hello"[..])
            );
        }
        subscription.unsubscribe().await?.command(["PING"]).await
    });
    assert_eq!(pong.unwrap(), text("PONG"));
}

#[test]
fn a_subscription_ends_with_the_stream() {
    let script = Script::new()
        .expect(command(["SUBSCRIBE", "news"]))
        .send("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    let end = with_peer(script, async |client| {
        client.subscribe(["news"]).await?.message().await
    });
    assert_eq!(end.unwrap(), None);
}

/// The next command gets its own answer, and not that of the one before.
#[test]
fn the_answer_of_a_cancelled_command_is_skipped() {
    let script = Script::new()
        .expect(command(["GET", "a"]))
        .send("$1\r\n")
        .expect(command(["GET", "b"]))
        .send("1\r\n$1\r\n2\r\n");
    let answer = with_peer(script, async |mut client| {
        let mut polls = 0;
        let mut first = Box::pin(client.command(["GET", "a"]));
        poll_fn(|cx| {
            assert!(first.as_mut().poll(cx).is_pending());
            polls += 1;
            match polls {
                2 => std::task::Poll::Ready(()),
                _ => std::task::Poll::Pending,
            }
        })
        .await;
        drop(first);
        client.command(["GET", "b"]).await
    });
    assert_eq!(answer.unwrap(), bulk("2"));
}

#[test]
fn behind_nonsense_nothing_is_believed() {
    let script = Script::new()
        .expect(command(["PING"]))
        .send("HTTP/1.1 400 Bad Request\r\n+PONG\r\n")
        .expect_reset();
    let (first, second) = with_peer(script, async |mut client| {
        let first = client.command(["PING"]).await;
        (first, client.command(["PING"]).await)
    });
    assert_eq!(first.unwrap_err().kind(), io::ErrorKind::InvalidData);
    second.unwrap_err();
}

#[test]
fn a_server_that_leaves_owes_an_answer() {
    for sent in ["", "*2\r\n:1\r\n", "$5\r\nhal"] {
        let script = Script::new().expect(command(["PING"])).send(sent);
        let left = with_peer(script, async |mut client| client.command(["PING"]).await);
        let kind = left.unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::UnexpectedEof, "{sent:?}");
    }
    let nothing: Value = with_peer(Script::new(), async |_| Value::Null);
    assert_eq!(nothing, Value::Null);
}
