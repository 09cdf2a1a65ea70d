//! Where to connect to, or to listen on.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use crate::{
    error::OpenError,
    extra_info::Address,
    lookup::Lookup,
    runtime::{Runtime, StdListener, StdSocket},
};

/// The longest path of a unix socket, in bytes: `sun_path` without its NUL, 108 on Linux and
/// Windows, 104 on macOS and the BSDs.
const UNIX_PATH_MAX: usize = if cfg!(any(target_os = "linux", target_os = "android", windows)) {
    107
} else {
    103
};

/// Where to connect to, or to listen on: whatever converts into it. `S` is what can be given
/// instead of an address: a socket that is there already, asyncio's `sock`.
///
/// | from | means |
/// |---|---|
/// | `("example.org", 80)`, `"example.org:80"` | a host, all of whose addresses count |
/// | `(Ipv4Addr, u16)`, `(Ipv6Addr, u16)`, `(IpAddr, u16)`, [`SocketAddr`] | one address |
/// | `Vec<SocketAddr>`, `&[SocketAddr]` | several |
/// | `&Address`, `&Path` | what a server said it listens on, the path of a unix socket |
/// | a path that begins with a NUL, `Path::new("\0name")` | on Linux, an abstract address: one that is in no directory |
/// | a [`StdSocket`] to connect, a [`StdListener`] to listen, or what converts into them | that socket |
///
/// ```
/// use std::net::Ipv4Addr;
///
/// use millpond::{StdSocket, Target};
///
/// let by_name: Target<StdSocket> = ("example.org", 80).into();
/// let by_address: Target<StdSocket> = (Ipv4Addr::LOCALHOST, 8888).into();
/// ```
#[derive(Debug)]
pub struct Target<S>(pub(crate) Kind<S>);

#[derive(Debug)]
pub(crate) enum Kind<S> {
    Host(String, u16),
    /// `host:port`, not yet taken apart.
    Text(String),
    Addresses(Vec<SocketAddr>),
    Path(PathBuf),
    Socket(S),
}

impl<S> From<(&str, u16)> for Target<S> {
    fn from((host, port): (&str, u16)) -> Self {
        Self(Kind::Host(host.to_owned(), port))
    }
}

impl<S> From<(String, u16)> for Target<S> {
    fn from((host, port): (String, u16)) -> Self {
        Self(Kind::Host(host, port))
    }
}

impl<S> From<&str> for Target<S> {
    fn from(address: &str) -> Self {
        Self(Kind::Text(address.to_owned()))
    }
}

impl<S> From<String> for Target<S> {
    fn from(address: String) -> Self {
        Self(Kind::Text(address))
    }
}

impl<S> From<SocketAddr> for Target<S> {
    fn from(address: SocketAddr) -> Self {
        Self(Kind::Addresses(vec![address]))
    }
}

/// # Panics
///
/// If it is that of a unix socket without a path: nothing can be connected to it.
impl<S> From<&Address> for Target<S> {
    fn from(address: &Address) -> Self {
        match address {
            Address::Tcp(address) => (*address).into(),
            Address::Unix(Some(path)) => path.clone().into(),
            Address::Unix(None) => panic!("a unix socket without a path has no address"),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Address::Abstract(name) => {
                use std::os::unix::ffi::OsStringExt;
                let path = [b"\0", &name[..]].concat();
                PathBuf::from(std::ffi::OsString::from_vec(path)).into()
            }
        }
    }
}

impl<S> From<(IpAddr, u16)> for Target<S> {
    fn from(address: (IpAddr, u16)) -> Self {
        SocketAddr::from(address).into()
    }
}

impl<S> From<(Ipv4Addr, u16)> for Target<S> {
    fn from(address: (Ipv4Addr, u16)) -> Self {
        SocketAddr::from(address).into()
    }
}

impl<S> From<(Ipv6Addr, u16)> for Target<S> {
    fn from(address: (Ipv6Addr, u16)) -> Self {
        SocketAddr::from(address).into()
    }
}

impl<S> From<Vec<SocketAddr>> for Target<S> {
    fn from(addresses: Vec<SocketAddr>) -> Self {
        Self(Kind::Addresses(addresses))
    }
}

impl<S> From<&[SocketAddr]> for Target<S> {
    fn from(addresses: &[SocketAddr]) -> Self {
        addresses.to_vec().into()
    }
}

impl<S> From<&Path> for Target<S> {
    fn from(path: &Path) -> Self {
        Self(Kind::Path(path.to_owned()))
    }
}

impl<S> From<PathBuf> for Target<S> {
    fn from(path: PathBuf) -> Self {
        Self(Kind::Path(path))
    }
}

impl From<StdSocket> for Target<StdSocket> {
    fn from(socket: StdSocket) -> Self {
        Self(Kind::Socket(socket))
    }
}

impl From<std::net::TcpStream> for Target<StdSocket> {
    fn from(socket: std::net::TcpStream) -> Self {
        Self(Kind::Socket(socket.into()))
    }
}

impl From<StdListener> for Target<StdListener> {
    fn from(listener: StdListener) -> Self {
        Self(Kind::Socket(listener))
    }
}

impl From<std::net::TcpListener> for Target<StdListener> {
    fn from(listener: std::net::TcpListener) -> Self {
        Self(Kind::Socket(listener.into()))
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::UnixStream> for Target<StdSocket> {
    fn from(socket: std::os::unix::net::UnixStream) -> Self {
        Self(Kind::Socket(socket.into()))
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::UnixListener> for Target<StdListener> {
    fn from(listener: std::os::unix::net::UnixListener) -> Self {
        Self(Kind::Socket(listener.into()))
    }
}

/// The addresses of a target, or the socket that it is.
pub(crate) enum Resolved<S> {
    Addresses(Vec<Address>),
    Socket(S),
}

impl<S> Target<S> {
    pub(crate) async fn resolve(self, runtime: &dyn Runtime) -> Result<Resolved<S>, OpenError> {
        let (host, port) = match self.0 {
            Kind::Socket(socket) => return Ok(Resolved::Socket(socket)),
            Kind::Path(path) => return unix_path(path).map(|at| Resolved::Addresses(vec![at])),
            Kind::Addresses(addresses) if addresses.is_empty() => {
                return Err(OpenError::option("addresses", "there is none"));
            }
            Kind::Addresses(addresses) => return Ok(resolved(addresses)),
            Kind::Host(host, port) => (host, port),
            Kind::Text(text) => host_and_port(&text)?,
        };
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(resolved(vec![SocketAddr::new(ip, port)]));
        }
        if host.contains('\0') {
            return Err(OpenError::option("host", "it contains a NUL"));
        }
        match runtime.resolve(&Lookup::new(Some(&host), port)).await {
            Ok(addresses) if addresses.is_empty() => Err(OpenError::Resolve {
                host,
                source: std::io::Error::new(std::io::ErrorKind::NotFound, "it has no address"),
            }),
            Ok(addresses) => Ok(resolved(addresses)),
            Err(source) => Err(OpenError::Resolve { host, source }),
        }
    }
}

fn resolved<S>(addresses: Vec<SocketAddr>) -> Resolved<S> {
    Resolved::Addresses(addresses.into_iter().map(Address::Tcp).collect())
}

fn host_and_port(text: &str) -> Result<(String, u16), OpenError> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip().to_string(), address.port()));
    }
    text.rsplit_once(':')
        .and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)))
        .ok_or_else(|| {
            OpenError::option("address", format!("{text:?} is not of the form host:port"))
        })
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
