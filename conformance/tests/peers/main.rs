//! Conversations with netcat, socat, curl, openssl and Python's `http.server`, `asyncio` over TLS and
//! `smtplib`, on each runtime.

mod asyncio_tls;
mod certificates;
#[path = "../common/mod.rs"]
mod common;
mod curl;
mod http_server;
mod openssl;
mod pipes;
mod smtp;

/// Bytes in which a loss or a swap shows.
fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (seed + 7 * i + 13 * (i >> 8) + 29 * (i >> 16)).to_le_bytes()[0])
        .collect()
}
