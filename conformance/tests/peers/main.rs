//! Conversations with netcat, socat, curl and Python's `http.server`, on each runtime.

#[path = "../common/mod.rs"]
mod common;
mod curl;
mod http_server;
mod pipes;
