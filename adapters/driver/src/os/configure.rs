//! What a socket is set to.

use std::{io, time::Duration};

use socket2::{SockRef, Socket, TcpKeepalive};

use crate::socket::{KeepAlive, SocketOptions};

/// The system takes a C `int`, which a larger number would overflow.
const LARGEST_BUFFER: usize = i32::MAX as usize;

/// Sets the options of a socket that was accepted or given.
///
/// Those of TCP are set on TCP alone.
///
/// # Errors
///
/// What the system says.
///
/// # Examples
///
/// ```
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
/// millpond::adapter::os::configure(&socket, &millpond::adapter::SocketOptions::default())?;
/// assert!(socket.nodelay()?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn configure<'s, S>(socket: &'s S, options: &SocketOptions) -> io::Result<()>
where
    SockRef<'s>: From<&'s S>,
{
    let socket = SockRef::from(socket);
    #[cfg(target_vendor = "apple")]
    socket.set_nosigpipe(true)?; // see `send`
    let address = socket.local_addr()?;
    if address.is_ipv4() || address.is_ipv6() {
        set_tcp(&socket, options)?;
    }
    set_buffers(&socket, options)
}

/// Sets those that TCP has.
pub(super) fn set_tcp(socket: &Socket, options: &SocketOptions) -> io::Result<()> {
    if options.no_delay {
        socket.set_tcp_nodelay(true)?;
    }
    match options.keep_alive {
        KeepAlive::Off => Ok(()),
        KeepAlive::On => socket.set_keepalive(true),
        KeepAlive::After(silence) => {
            // The system counts in whole seconds, and 0 is none.
            let started = u64::from(silence.subsec_nanos() > 0);
            let seconds = silence.as_secs().saturating_add(started).max(1);
            let after = TcpKeepalive::new().with_time(Duration::from_secs(seconds));
            socket.set_tcp_keepalive(&after)
        }
    }
}

/// Sets those that every socket has.
pub(super) fn set_buffers(socket: &Socket, options: &SocketOptions) -> io::Result<()> {
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes.min(LARGEST_BUFFER))?;
    }
    match options.send_buffer {
        Some(bytes) => socket.set_send_buffer_size(bytes.min(LARGEST_BUFFER)),
        None => Ok(()),
    }
}
