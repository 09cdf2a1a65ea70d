//! hyper, both sides.

use bytes::Bytes;

use super::{Conversation, Over, Side};
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
    over: Over,
    client: Side<Vec<Bytes>, hyper::Error>,
    server: Side<(), hyper::Error>,
) -> Conversation<Vec<Bytes>, hyper::Error> {
    Conversation {
        over,
        client,
        server,
        answer: bodies,
    }
}

fn http1(over: Over) -> Conversation<Vec<Bytes>, hyper::Error> {
    conversation(
        over,
        |stream| Box::pin(async { http::ask(stream, Version::One, tasks(), &asks()).await }),
        |stream| Box::pin(http::serve(stream, Version::One, tasks())),
    )
}

fn http2(over: Over) -> Conversation<Vec<Bytes>, hyper::Error> {
    conversation(
        over,
        |stream| Box::pin(async { http::ask(stream, Version::Two, tasks(), &asks()).await }),
        |stream| Box::pin(http::serve(stream, Version::Two, tasks())),
    )
}

#[test]
fn http1_is_right_or_fails() {
    http1(Over::Tcp).check();
}

#[test]
fn http1_is_the_same_again() {
    http1(Over::Tcp).check_same();
}

#[test]
fn http1_over_tls_is_right_or_fails() {
    http1(Over::Tls).check();
}

#[test]
fn http1_over_tls_is_the_same_again() {
    http1(Over::Tls).check_same();
}

#[test]
fn http2_is_right_or_fails() {
    http2(Over::Tcp).check();
}

#[test]
fn http2_is_the_same_again() {
    http2(Over::Tcp).check_same();
}

#[test]
fn http2_over_tls_is_right_or_fails() {
    http2(Over::Tls).check();
}

#[test]
fn http2_over_tls_is_the_same_again() {
    http2(Over::Tls).check_same();
}
