//! The system's resolver.

use std::{collections::HashSet, io, net::SocketAddr};

use dns_lookup::{AddrFamily, AddrInfoHints, LookupError, LookupErrorKind, SockType, getaddrinfo};

use crate::lookup::{Family, Lookup};

#[cfg(unix)]
use libc::{AI_CANONNAME, AI_PASSIVE};
#[cfg(not(unix))]
const AI_PASSIVE: i32 = 1;
#[cfg(not(unix))]
const AI_CANONNAME: i32 = 2;

/// The addresses that the system's `getaddrinfo` finds, in its order and each once. It blocks, so
/// it belongs on a thread that may.
///
/// A protocol that the resolver does not know, as glibc does not know MPTCP, is left to the socket.
///
/// # Errors
///
/// What `getaddrinfo` says; `InvalidInput` for a host that contains a NUL.
///
/// # Examples
///
/// ```
/// use millpond::{Lookup, os};
///
/// let addresses = os::resolve(&Lookup::new(Some("127.0.0.1"), 80))?;
/// assert_eq!(addresses, [([127, 0, 0, 1], 80).into()]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "getaddrinfo")]
pub fn resolve(lookup: &Lookup) -> io::Result<Vec<SocketAddr>> {
    let passive = if lookup.passive { AI_PASSIVE } else { 0 };
    let mut hints = AddrInfoHints {
        // Nobody reads the canonical name, and it need not be text.
        flags: (lookup.flags | passive) & !AI_CANONNAME,
        address: lookup.family.map_or(0, |family| match family {
            Family::Ipv4 => AddrFamily::Inet.into(),
            Family::Ipv6 => AddrFamily::Inet6.into(),
        }),
        socktype: SockType::Stream.into(),
        protocol: lookup.protocol.unwrap_or(0),
    };
    let addresses = match ask(lookup, hints) {
        Err(error) if is_of_protocol(&error) && hints.protocol != 0 => {
            hints.protocol = 0;
            ask(lookup, hints)?
        }
        answer => answer?,
    };
    let mut seen = HashSet::new();
    let first = |address: &SocketAddr| seen.insert(*address);
    Ok(addresses.into_iter().filter(first).collect())
}

fn ask(lookup: &Lookup, hints: AddrInfoHints) -> Result<Vec<SocketAddr>, LookupError> {
    let port = lookup.port.to_string();
    let found = getaddrinfo(lookup.host.as_deref(), Some(&port), Some(hints))?;
    let addresses: io::Result<_> = found.map(|info| Ok(info?.sockaddr)).collect();
    Ok(addresses?)
}

fn is_of_protocol(error: &LookupError) -> bool {
    matches!(
        error.kind(),
        LookupErrorKind::Socktype | LookupErrorKind::Service
    )
}
