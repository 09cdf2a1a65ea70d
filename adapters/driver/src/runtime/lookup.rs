//! What a host's addresses are asked for with.

use std::net::SocketAddr;

/// A kind of IP addresses; asyncio's `family`.
///
/// # Examples
///
/// ```
/// use millpond::types::Family;
///
/// assert!(Family::Ipv4.matches(&([127, 0, 0, 1], 80).into()));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Family {
    /// Addresses such as `127.0.0.1`; `AF_INET`.
    #[doc(alias = "AF_INET")]
    Ipv4,
    /// Addresses such as `::1`; `AF_INET6`.
    #[doc(alias = "AF_INET6")]
    Ipv6,
}

impl Family {
    /// Whether the address is of this kind.
    ///
    /// See [`Family`] for an example.
    pub fn matches(self, address: &SocketAddr) -> bool {
        match self {
            Self::Ipv4 => address.is_ipv4(),
            Self::Ipv6 => address.is_ipv6(),
        }
    }
}

/// What a host's addresses are asked for with; the arguments of asyncio's `getaddrinfo`.
///
/// # Examples
///
/// ```
/// use millpond::{adapter::Lookup, types::Family};
///
/// let mut lookup = Lookup::new(Some("example.org"), 80);
/// lookup.family = Some(Family::Ipv6);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
#[doc(alias = "getaddrinfo")]
pub struct Lookup {
    /// The host's name or address. `None` is this machine.
    pub host: Option<String>,
    /// The port that the addresses are given.
    pub port: u16,
    /// The kind of addresses; any by default.
    pub family: Option<Family>,
    /// The protocol that they are meant for, asyncio's `proto`; any by default.
    pub protocol: Option<i32>,
    /// The `AI_*` flags of the system's `getaddrinfo`; 0 by default.
    pub flags: i32,
    /// Whether they are to be listened on: without a host they are those of all interfaces then,
    /// and of loopback otherwise.
    pub passive: bool,
}

impl Lookup {
    /// Any address of a host, to connect to.
    ///
    /// See [`Lookup`] for an example.
    pub fn new(host: Option<&str>, port: u16) -> Self {
        Self {
            host: host.map(ToOwned::to_owned),
            port,
            family: None,
            protocol: None,
            flags: 0,
            passive: false,
        }
    }
}
