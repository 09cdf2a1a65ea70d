//! Where to connect to, or to listen on.

use std::{
    convert::Infallible,
    fmt, io, mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::IntErrorKind,
    path::{Path, PathBuf},
};

use crate::{
    escape::Escaped,
    host_name::{self, without_brackets},
    open_error::OpenError,
    runtime::{Family, Lookup, Runtime},
    socket::{Address, Socket, StdListener, StdSocket},
};

/// The longest path of a unix socket, in bytes: `sun_path` without its NUL, 108 on Linux and
/// Windows, 104 on macOS and the BSDs.
const UNIX_PATH_MAX: usize = if cfg!(any(target_os = "linux", target_os = "android", windows)) {
    107
} else {
    103
};

/// Where to connect to, or to listen on: whatever converts into it, an address or a socket that is
/// there already, asyncio's `sock`.
///
/// | from | means |
/// |---|---|
/// | `("example.org", 80)`, `"example.org:80"` | a host, all of whose addresses count |
/// | `(Ipv4Addr, u16)`, `(Ipv6Addr, u16)`, `(IpAddr, u16)`, [`SocketAddr`] | one address |
/// | `Vec<SocketAddr>`, `&[SocketAddr]` | several |
/// | `&Address`, `&Path` | what a server listens on, the path of a unix socket |
/// | a path that begins with a NUL, `Path::new("\0name")` | on Linux, an abstract address: one that is in no directory |
/// | `(["localhost", "example.org"], 80)`, `(Vec<String>, u16)` | several hosts, all of whose addresses count |
/// | a socket of the standard library, connected for [`open_connection`](crate::open_connection) and listening for [`start_server`](crate::start_server), a [`StdSocket`], a [`StdListener`], or a `Box<dyn` [`Socket`]`>` | that socket |
///
/// A name with other letters than those of ASCII, `bücher.example`, is looked up and verified in the
/// form that DNS has for it, `xn--bcher-kva.example`, as in asyncio. That needs the feature `idna`, and
/// is an error without it that says so.
///
/// ```
/// use std::net::Ipv4Addr;
///
/// use millpond::Target;
///
/// let by_name = Target::from(("example.org", 80));
/// let by_address = Target::from((Ipv4Addr::LOCALHOST, 8888));
/// ```
///
/// With a socket:
///
/// ```no_run
/// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
/// let socket = std::net::TcpStream::connect("127.0.0.1:80")?;
/// let (mut reader, mut writer) = millpond::open_connection(runtime, socket).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Target(Kind);

#[derive(Debug)]
enum Kind {
    Hosts(Vec<String>, u16),
    /// `host:port`, not yet taken apart.
    Text(String),
    Addresses(Vec<SocketAddr>),
    Path(PathBuf),
    Socket(Given),
    /// The address of a unix socket that has none.
    Unnamed,
    /// There was a socket, and it has been used.
    Used,
}

/// A socket that was given instead of an address.
#[derive(Debug)]
pub(crate) enum Given {
    Connected(Sock),
    Listening(StdListener),
}

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Sock {
    /// One that the runtime uses as it is: of its own kind, or anything else that is a [`Socket`].
    Open(Box<dyn Socket>),
    /// One of the standard library, that the runtime takes over.
    Std(StdSocket),
}

impl From<(&str, u16)> for Target {
    fn from((host, port): (&str, u16)) -> Self {
        Self(Kind::Hosts(vec![host.to_owned()], port))
    }
}

impl From<(String, u16)> for Target {
    fn from((host, port): (String, u16)) -> Self {
        Self(Kind::Hosts(vec![host], port))
    }
}

impl<const N: usize> From<([&str; N], u16)> for Target {
    fn from((hosts, port): ([&str; N], u16)) -> Self {
        Self(Kind::Hosts(hosts.map(ToOwned::to_owned).into(), port))
    }
}

impl From<(Vec<String>, u16)> for Target {
    fn from((hosts, port): (Vec<String>, u16)) -> Self {
        Self(Kind::Hosts(hosts, port))
    }
}

impl From<&str> for Target {
    fn from(address: &str) -> Self {
        Self(Kind::Text(address.to_owned()))
    }
}

impl From<String> for Target {
    fn from(address: String) -> Self {
        Self(Kind::Text(address))
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self(Kind::Addresses(vec![address]))
    }
}

/// That of a unix socket without a path is an error when it is used: nothing can be connected to it.
impl From<&Address> for Target {
    fn from(address: &Address) -> Self {
        match address {
            Address::Tcp(address) => (*address).into(),
            Address::Unix(Some(path)) => path.clone().into(),
            Address::Unix(None) => Self(Kind::Unnamed),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Address::Abstract(name) => {
                use std::os::unix::ffi::OsStringExt;
                let path = [b"\0", &name[..]].concat();
                PathBuf::from(std::ffi::OsString::from_vec(path)).into()
            }
        }
    }
}

impl From<(IpAddr, u16)> for Target {
    fn from(address: (IpAddr, u16)) -> Self {
        SocketAddr::from(address).into()
    }
}

impl From<(Ipv4Addr, u16)> for Target {
    fn from(address: (Ipv4Addr, u16)) -> Self {
        SocketAddr::from(address).into()
    }
}

impl From<(Ipv6Addr, u16)> for Target {
    fn from(address: (Ipv6Addr, u16)) -> Self {
        SocketAddr::from(address).into()
    }
}

impl From<Vec<SocketAddr>> for Target {
    fn from(addresses: Vec<SocketAddr>) -> Self {
        Self(Kind::Addresses(addresses))
    }
}

impl From<&[SocketAddr]> for Target {
    fn from(addresses: &[SocketAddr]) -> Self {
        addresses.to_vec().into()
    }
}

impl From<&Path> for Target {
    fn from(path: &Path) -> Self {
        Self(Kind::Path(path.to_owned()))
    }
}

impl From<PathBuf> for Target {
    fn from(path: PathBuf) -> Self {
        Self(Kind::Path(path))
    }
}

impl From<Box<dyn Socket>> for Target {
    fn from(socket: Box<dyn Socket>) -> Self {
        Self(Kind::Socket(Given::Connected(Sock::Open(socket))))
    }
}

impl From<StdSocket> for Target {
    fn from(socket: StdSocket) -> Self {
        Self(Kind::Socket(Given::Connected(Sock::Std(socket))))
    }
}

impl From<std::net::TcpStream> for Target {
    fn from(socket: std::net::TcpStream) -> Self {
        StdSocket::from(socket).into()
    }
}

impl From<StdListener> for Target {
    fn from(listener: StdListener) -> Self {
        Self(Kind::Socket(Given::Listening(listener)))
    }
}

impl From<std::net::TcpListener> for Target {
    fn from(listener: std::net::TcpListener) -> Self {
        StdListener::from(listener).into()
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::UnixStream> for Target {
    fn from(socket: std::os::unix::net::UnixStream) -> Self {
        StdSocket::from(socket).into()
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::UnixListener> for Target {
    fn from(listener: std::os::unix::net::UnixListener) -> Self {
        StdListener::from(listener).into()
    }
}

impl TryFrom<Given> for Sock {
    type Error = OpenError;

    fn try_from(given: Given) -> Result<Self, OpenError> {
        match given {
            Given::Connected(socket) => Ok(socket),
            Given::Listening(_) => Err(OpenError::option(
                "sock",
                "it listens, so nothing can be sent on it: connect to its address, or serve on it",
            )),
        }
    }
}

impl TryFrom<Given> for StdListener {
    type Error = OpenError;

    fn try_from(given: Given) -> Result<Self, OpenError> {
        match given {
            Given::Listening(listener) => Ok(listener),
            Given::Connected(_) => Err(OpenError::option(
                "sock",
                "it is connected, so it cannot accept connections: give a listener, or open it as a \
                 connection",
            )),
        }
    }
}

/// For what needs an address.
impl TryFrom<Given> for Infallible {
    type Error = OpenError;

    fn try_from(_: Given) -> Result<Self, OpenError> {
        Err(OpenError::option(
            "sock",
            "it is a socket: give its address",
        ))
    }
}

/// A target that was checked as far as is possible without a lookup. `S` is the kind of
/// socket that is wanted.
pub(crate) enum Checked<S> {
    Addresses(Vec<Address>),
    Hosts(Vec<Host>, u16),
    Socket(S),
}

pub(crate) enum Host {
    Ip(IpAddr),
    /// To be looked up.
    Name(String),
}

/// What a target is, once it is looked up.
pub(crate) enum Resolved<S> {
    /// Those that were given.
    Addresses(Vec<Address>),
    /// Those of hosts, which share a port.
    Host(Vec<Address>),
    Socket(S),
}

/// What hosts are looked up with; see [`Lookup`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) family: Option<Family>,
    pub(crate) protocol: Option<i32>,
    pub(crate) flags: i32,
    /// The addresses are to be listened on. Only then can a host be empty.
    pub(crate) passive: bool,
}

impl Target {
    /// For now and, if it is no socket, for later.
    pub(crate) fn take(&mut self) -> Self {
        match &self.0 {
            Kind::Socket(_) | Kind::Used => Self(mem::replace(&mut self.0, Kind::Used)),
            Kind::Hosts(hosts, port) => Self(Kind::Hosts(hosts.clone(), *port)),
            Kind::Text(text) => Self(Kind::Text(text.clone())),
            Kind::Addresses(addresses) => Self(Kind::Addresses(addresses.clone())),
            Kind::Path(path) => Self(Kind::Path(path.clone())),
            Kind::Unnamed => Self(Kind::Unnamed),
        }
    }

    /// Whether it is the path of a unix socket, and no abstract address.
    pub(crate) fn is_path(&self) -> bool {
        match &self.0 {
            Kind::Path(path) => path.as_os_str().as_encoded_bytes().first() != Some(&0),
            Kind::Hosts(..)
            | Kind::Text(_)
            | Kind::Addresses(_)
            | Kind::Socket(_)
            | Kind::Unnamed
            | Kind::Used => false,
        }
    }

    /// The name or address of the host, if it is one.
    pub(crate) fn host(&self) -> Option<String> {
        match &self.0 {
            Kind::Hosts(hosts, _) => match &hosts[..] {
                [host] => Some(without_brackets(host).to_owned()),
                _ => None,
            },
            Kind::Text(text) => {
                let (host, _) = host_and_port(text).ok()?;
                Some(without_brackets(&host).to_owned())
            }
            Kind::Addresses(addresses) => match addresses[..] {
                [address] => Some(address.ip().to_string()),
                _ => None,
            },
            Kind::Path(_) | Kind::Socket(_) | Kind::Unnamed | Kind::Used => None,
        }
    }

    pub(crate) async fn resolve<S: TryFrom<Given, Error = OpenError>>(
        self,
        runtime: &dyn Runtime,
        query: &Query,
    ) -> Result<Resolved<S>, OpenError> {
        self.check(query)?.resolve(runtime, query).await
    }

    /// Says what is wrong with it, before the network is touched.
    pub(crate) fn check<S>(self, query: &Query) -> Result<Checked<S>, OpenError>
    where
        S: TryFrom<Given, Error = OpenError>,
    {
        match self.0 {
            Kind::Socket(given) => S::try_from(given).map(Checked::Socket),
            Kind::Used => Err(OpenError::option("sock", "it was already used")),
            Kind::Unnamed => {
                let why = "it is the address of an unnamed unix socket";
                Err(OpenError::option("address", why))
            }
            Kind::Path(path) => unix_path(path).map(|at| Checked::Addresses(vec![at])),
            Kind::Addresses(addresses) => query.check(addresses).map(Checked::Addresses),
            Kind::Hosts(hosts, port) => query.check_hosts(hosts, port),
            Kind::Text(text) => match text.parse() {
                Ok(address) => query.check(vec![address]).map(Checked::Addresses),
                Err(_) => {
                    let (host, port) = host_and_port(&text)?;
                    query.check_hosts(vec![host], port)
                }
            },
        }
    }
}

/// As errors name it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Hosts(hosts, port) => {
                write!(f, "{}:{port}", Escaped(hosts.join(", ").as_bytes()))
            }
            Kind::Text(text) => Escaped(text.as_bytes()).fmt(f),
            Kind::Addresses(addresses) => {
                let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
                f.write_str(&addresses.join(", "))
            }
            Kind::Path(path) => Address::Unix(Some(path.clone())).fmt(f),
            Kind::Socket(_) | Kind::Used => f.write_str("the socket"),
            Kind::Unnamed => f.write_str("(unnamed unix socket)"),
        }
    }
}

impl<S> Checked<S> {
    pub(crate) async fn resolve(
        self,
        runtime: &dyn Runtime,
        query: &Query,
    ) -> Result<Resolved<S>, OpenError> {
        match self {
            Self::Socket(socket) => Ok(Resolved::Socket(socket)),
            Self::Addresses(addresses) => Ok(Resolved::Addresses(addresses)),
            Self::Hosts(hosts, port) => {
                let addresses = query.resolve_all(runtime, hosts, port).await?;
                query.check(addresses).map(Resolved::Host)
            }
        }
    }
}

impl Query {
    async fn resolve_all(
        &self,
        runtime: &dyn Runtime,
        hosts: Vec<Host>,
        port: u16,
    ) -> Result<Vec<SocketAddr>, OpenError> {
        let mut all = Vec::new();
        for host in hosts {
            let addresses = match host {
                Host::Ip(ip) => vec![SocketAddr::new(ip, port)],
                Host::Name(name) => self.resolve(runtime, name, port).await?,
            };
            for address in addresses {
                if !all.contains(&address) {
                    all.push(address);
                }
            }
        }
        Ok(all)
    }

    async fn resolve(
        &self,
        runtime: &dyn Runtime,
        host: String,
        port: u16,
    ) -> Result<Vec<SocketAddr>, OpenError> {
        let lookup = Lookup {
            host: Some(host.clone()).filter(|host| !host.is_empty()),
            port,
            family: self.family,
            protocol: self.protocol,
            flags: self.flags,
            passive: self.passive,
        };
        match runtime.resolve(&lookup).await {
            Ok(addresses) if addresses.is_empty() => Err(OpenError::Resolve {
                host,
                source: io::Error::new(io::ErrorKind::NotFound, "it has no address"),
            }),
            Ok(addresses) => Ok(addresses),
            Err(source) => Err(OpenError::Resolve { host, source }),
        }
    }

    fn check_hosts<S>(&self, hosts: Vec<String>, port: u16) -> Result<Checked<S>, OpenError> {
        if hosts.is_empty() {
            return Err(OpenError::option("addresses", "there is none"));
        }
        self.check_port(port)?;
        let hosts: Result<_, _> = hosts.into_iter().map(|host| self.host(host)).collect();
        Ok(Checked::Hosts(hosts?, port))
    }

    fn host(&self, host: String) -> Result<Host, OpenError> {
        let host = without_brackets(&host);
        if let Ok(ip) = host.parse() {
            return Ok(Host::Ip(ip));
        }
        if host.is_empty() && !self.passive {
            return Err(OpenError::option("host", "it is empty"));
        }
        let refused = |reason| OpenError::option("host", reason);
        let name = host_name::to_ascii(host).map_err(refused)?;
        host_name::check(&name).map_err(refused)?;
        Ok(Host::Name(name.into_owned()))
    }

    fn check_port(&self, port: u16) -> Result<(), OpenError> {
        if port == 0 && !self.passive {
            return Err(OpenError::option(
                "port",
                "it is 0, and no server listens on port 0",
            ));
        }
        Ok(())
    }

    /// Those that can be used, and at least one.
    fn check(&self, mut addresses: Vec<SocketAddr>) -> Result<Vec<Address>, OpenError> {
        if addresses.is_empty() {
            return Err(OpenError::option("addresses", "there is none"));
        }
        for address in &addresses {
            self.check_port(address.port())?;
        }
        if let Some(family) = self.family {
            addresses.retain(|address| family.matches(address));
            if addresses.is_empty() {
                let reason = format!("no address is of the family {family:?}");
                return Err(OpenError::option("family", reason));
            }
        }
        Ok(addresses.into_iter().map(Address::Tcp).collect())
    }
}

fn host_and_port(text: &str) -> Result<(String, u16), OpenError> {
    let Some((host, port)) = text.rsplit_once(':') else {
        let reason = format!("{text:?} has no port: it must be as in \"example.org:80\"");
        return Err(OpenError::option("address", reason));
    };
    if host.contains(':') && without_brackets(host) == host {
        // Its last part may be a part of the address or a port.
        let reason = format!("{text:?} needs brackets around its host, as in \"[::1]:80\"");
        return Err(OpenError::option("address", reason));
    }
    match port.parse() {
        Ok(port) => Ok((host.to_owned(), port)),
        Err(error) => {
            let why = match *error.kind() == IntErrorKind::PosOverflow {
                true => format!("is above {}", u16::MAX),
                false => "is not a number".to_owned(),
            };
            let reason = format!("the port {port:?} in {text:?} {why}");
            Err(OpenError::option("address", reason))
        }
    }
}

fn unix_path(path: PathBuf) -> Result<Address, OpenError> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.is_empty() {
        return Err(OpenError::option("path", "it is empty"));
    }
    if let Some(name) = bytes.strip_prefix(b"\0") {
        return abstract_address(name);
    }
    if bytes.contains(&0) {
        return Err(OpenError::option("path", "it contains a NUL"));
    }
    let len = bytes.len();
    if len > UNIX_PATH_MAX {
        return Err(OpenError::option(
            "path",
            format!("it has {len} bytes, but that of a unix socket has at most {UNIX_PATH_MAX}"),
        ));
    }
    Ok(Address::Unix(Some(path)))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_address(name: &[u8]) -> Result<Address, OpenError> {
    let len = name.len();
    if len == 0 {
        return Err(OpenError::option("path", "its abstract name is empty"));
    }
    // The NUL that it begins with takes the place of the one that a path ends with.
    if len > UNIX_PATH_MAX {
        return Err(OpenError::option(
            "path",
            format!("its abstract name has {len} bytes, and the most are {UNIX_PATH_MAX}"),
        ));
    }
    Ok(Address::Abstract(name.to_owned()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_address(_: &[u8]) -> Result<Address, OpenError> {
    let why = "it begins with a NUL, and this system has no abstract addresses";
    Err(OpenError::option("path", why))
}
