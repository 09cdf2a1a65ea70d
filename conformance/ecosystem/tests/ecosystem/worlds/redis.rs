//! redis-rs's multiplexed connection, and a small server.

use redis::RedisError;

use super::{Conversation, Over, Side};
use crate::talk::redis::{answers, ask, serve};

/// Of a value.
const LARGEST: usize = 5000;

fn conversation() -> Conversation<Vec<Vec<u8>>, RedisError> {
    let client: Side<_, _> = |stream| Box::pin(ask(stream, LARGEST));
    Conversation {
        over: Over::Tcp,
        client,
        server: |stream| Box::pin(async { serve(stream).await.map_err(RedisError::from) }),
        answer: || answers(LARGEST),
    }
}

#[test]
fn answers_are_right_or_fail() {
    conversation().check();
}

#[test]
fn answers_are_the_same_again() {
    conversation().check_same();
}
