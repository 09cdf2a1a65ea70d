//! The system's resolver.

use std::{collections::HashSet, io, net::SocketAddr};

use dns_lookup::{AddrFamily, AddrInfoHints, LookupError, LookupErrorKind, SockType, getaddrinfo};

use super::lookups::Threads;
use crate::runtime::{BoxFuture, Family, Lookup};

#[cfg(unix)]
use libc::{AI_CANONNAME, AI_NUMERICHOST, AI_PASSIVE};
#[cfg(not(unix))]
const AI_PASSIVE: i32 = 1;
#[cfg(not(unix))]
const AI_CANONNAME: i32 = 2;
#[cfg(not(unix))]
const AI_NUMERICHOST: i32 = 4;

/// One for each name that is looked up. A name can hang for as long as the resolver likes.
static THREADS: Threads = Threads::new(64);

/// The addresses that the system's `getaddrinfo` finds, in its order and each once.
///
/// An address, such as `127.0.0.1` or `fe80::1%eth0`, is answered at once. A name is looked up on a
/// thread of its own, which holds up neither the runtime nor the end of the program. Up to 64 are
/// looked up at a time in all of the program; further ones wait until one of them is found or has
/// failed.
///
/// A protocol that the resolver does not know, as glibc does not know MPTCP, is left to the socket.
///
/// # Errors
///
/// What `getaddrinfo` says; `InvalidInput` for a host that contains a NUL; what the system says if no
/// thread can be started.
///
/// # Cancel safety
///
/// Yes: a lookup that is dropped goes on in the background, or never begins.
///
/// # Examples
///
/// ```
/// use millpond::adapter::{Lookup, os};
///
/// # futures_lite::future::block_on(async {
/// let addresses = os::resolve(&Lookup::new(Some("127.0.0.1"), 80)).await?;
/// assert_eq!(addresses, [([127, 0, 0, 1], 80).into()]);
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[doc(alias = "getaddrinfo")]
pub fn resolve(lookup: &Lookup) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
    let lookup = lookup.clone();
    Box::pin(async move {
        match of_address(&lookup) {
            Some(answer) => answer,
            None => THREADS.run(move || Ok(find(&lookup, lookup.flags)?)).await,
        }
    })
}

/// What does not have to be looked up; `None` for a name.
fn of_address(lookup: &Lookup) -> Option<io::Result<Vec<SocketAddr>>> {
    match find(lookup, lookup.flags | AI_NUMERICHOST) {
        Err(error) if is_of_name(&error) && lookup.flags & AI_NUMERICHOST == 0 => None,
        answer => Some(answer.map_err(io::Error::from)),
    }
}

fn find(lookup: &Lookup, flags: i32) -> Result<Vec<SocketAddr>, LookupError> {
    let passive = if lookup.passive { AI_PASSIVE } else { 0 };
    let mut hints = AddrInfoHints {
        // The canonical name is not used, and need not be text.
        flags: (flags | passive) & !AI_CANONNAME,
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

/// It is no address.
fn is_of_name(error: &LookupError) -> bool {
    matches!(error.kind(), LookupErrorKind::NoName)
}

fn is_of_protocol(error: &LookupError) -> bool {
    matches!(
        error.kind(),
        LookupErrorKind::Socktype | LookupErrorKind::Service
    )
}
