//! Lingering close: reads and drops what still comes, so that no reset destroys the last bytes sent.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use futures_util::future::select;

use super::{
    places::{Lingerer, SocketPlace},
    scratch::with_scratch,
};
use crate::{
    runtime::{Background, Budget},
    socket::Socket,
};

/// How much of what the peer still sends is read and dropped, at the most.
const LINGER_BYTES: usize = 16 * 1024 * 1024;

/// Releases a socket whose own direction has ended.
///
/// A socket that is closed with unread input, or gets some later, is reset by the system, and the
/// reset destroys what the peer has not read yet. So what comes is read and dropped in the
/// background, until the peer has ended, too, but for no longer than `time`, nor than the server has a
/// place for it. Without a clock that cannot be bounded, and the socket is closed at once.
pub(crate) fn linger(
    place: Option<SocketPlace>,
    socket: Arc<dyn Socket>,
    background: &Background,
    time: Duration,
) {
    if time.is_zero() || !matches!(background, Background::Runtime(_)) {
        return;
    }
    let mut left = LINGER_BYTES;
    let now = &mut Context::from_waker(Waker::noop());
    if poll_drop(&*socket, now, &mut left) == Poll::Ready(Peer::Ended) {
        return; // as most peers have
    }
    let (lingerer, entry) = Lingerer::new(place, socket);
    let clock = background.clone();
    background.spawn(async move {
        let _entry = entry;
        let mut budget = Budget::default();
        let ended = poll_fn(|cx| {
            while let Some(socket) = lingerer.socket(cx) {
                match ready!(poll_drop(&*socket, cx, &mut left)) {
                    Peer::Sends => ready!(budget.poll_proceed(cx)),
                    Peer::Ended => break,
                }
            }
            Poll::Ready(())
        });
        if let Some(timer) = clock.timer(time) {
            select(ended, timer).await;
        }
    });
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Peer {
    Sends,
    /// Or has sent too much.
    Ended,
}

/// Reads once and drops what comes.
fn poll_drop(socket: &dyn Socket, cx: &mut Context<'_>, left: &mut usize) -> Poll<Peer> {
    with_scratch(|block| socket.poll_read(cx, block)).map(|read| match read {
        Ok(n) if n > 0 && n <= *left => {
            *left -= n;
            Peer::Sends
        }
        Ok(_) | Err(_) => Peer::Ended,
    })
}
