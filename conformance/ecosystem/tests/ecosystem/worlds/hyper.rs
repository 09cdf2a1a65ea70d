//! hyper, both sides.

use bytes::Bytes;

use super::{Conversation, Side};
use crate::talk::{
    http::{self, Ask, Tasks, Version},
    pattern,
};

fn asks() -> Vec<Ask> {
    [(true, 10), (false, 0), (false, 3000), (true, 9000)]
        .map(|(sized, len)| Ask {
            sized,
            body: pattern(len, len).into(),
        })
        .into()
}

fn bodies() -> Vec<Bytes> {
    asks().into_iter().map(|ask| ask.body).collect()
}

fn tasks() -> Tasks {
    Tasks(millpond_sim::runtime())
}

fn conversation(
    client: Side<Vec<Bytes>, hyper::Error>,
    server: Side<(), hyper::Error>,
) -> Conversation<Vec<Bytes>, hyper::Error> {
    Conversation {
        client,
        server,
        answer: bodies,
    }
}

fn http1() -> Conversation<Vec<Bytes>, hyper::Error> {
    conversation(
        |stream| Box::pin(async { http::ask(stream, Version::One, tasks(), &asks()).await }),
        |stream| Box::pin(http::serve(stream, Version::One, tasks())),
    )
}

fn http2() -> Conversation<Vec<Bytes>, hyper::Error> {
    conversation(
        |stream| Box::pin(async { http::ask(stream, Version::Two, tasks(), &asks()).await }),
        |stream| Box::pin(http::serve(stream, Version::Two, tasks())),
    )
}

#[test]
fn http1_is_right_or_fails() {
    http1().check();
}

#[test]
fn http1_is_the_same_again() {
    http1().check_same();
}

#[test]
fn http2_is_right_or_fails() {
    http2().check();
}

#[test]
fn http2_is_the_same_again() {
    http2().check_same();
}
