//! Paths of unix sockets: taking one, also from a server that has died, and giving it back.
//!
//! The system leaves a socket's path behind when its server dies, and then refuses to bind it again.
//! Nothing in it says which path is such a leftover, and nothing replaces one in a single step, so a
//! starter follows these rules:
//!
//! * What is not a socket stays. So does a socket that does anything but refuse connections, twice
//!   in [`PAUSE`]: a server that has bound its path listens on it within that time.
//! * A leftover is moved away before it is removed, and looked at once more: if another starter has
//!   put its own socket in its place meanwhile, that is moved back.
//! * A server that has bound the path and listens makes sure that it has not been moved away in between, and
//!   that it took less than [`PAUSE`]: after that, what is at the path may be another starter's, and it
//!   begins again.
//!
//! A window remains. While a path is being moved back, no client can connect to it, and a third starter
//! may take it. Where a server with a full backlog refuses connections, as on macOS and the BSDs, it
//! looks like a dead one. And an asyncio server that starts on the path takes it without a check.

use std::{
    ffi::OsStr,
    fs,
    hash::{BuildHasher, RandomState},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

use super::{address::of_path, configure::set_buffers, unix_mode};
use crate::socket::{self, Address, Bound, ListenOptions, Listener};

/// How long a socket has to refuse connections until it counts as left behind.
const PAUSE: Duration = Duration::from_millis(10);

/// How often binding is tried: once for every other starter that may be at the same path, and for
/// each time that the machine was too busy to let this one listen within [`PAUSE`].
const ROUNDS: usize = 8;

/// The connections that wait until `Bound::listen` says how many may.
const FIRST_BACKLOG: i32 = 128;

/// A path that was bound; it is removed when this is dropped, if it is still the same.
#[derive(Debug)]
pub(super) struct OwnedPath {
    /// Absolute, so that the program may change its directory.
    path: PathBuf,
    file: File,
    cleanup: bool,
}

impl OwnedPath {
    /// The path that a socket was bound to just now; `None` if it is gone already.
    fn of_bound(path: &Path, cleanup: bool) -> io::Result<Option<Self>> {
        let Some(file) = File::at(path)? else {
            return Ok(None);
        };
        let path = std::path::absolute(path)?;
        Ok(Some(Self {
            path,
            file,
            cleanup,
        }))
    }

    /// Whether the path still leads to the socket, which is open: so the system gives its inode to
    /// nothing else.
    fn is_there(&self) -> bool {
        matches!(
            File::at(&self.path),
            Ok(Some(file)) if (file.device, file.inode) == (self.file.device, self.file.inode)
        )
    }
}

impl Drop for OwnedPath {
    fn drop(&mut self) {
        if self.cleanup && self.is_there() {
            // Who removes it in between has done what is wanted.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds a socket to a path and listens, in the place of a leftover if there is one.
///
/// # Errors
///
/// `AddrInUse`, which says what is in the way; otherwise what the system says.
pub(super) fn bind(path: &Path, options: &ListenOptions) -> io::Result<(Socket, OwnedPath)> {
    let address = of_path(path)?;
    for _ in 0..ROUNDS {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        set_buffers(&socket, &options.socket)?;
        if let Some(mode) = options.unix_mode {
            unix_mode::before_bind(&socket, mode)?;
        }
        let began = Instant::now();
        match socket.bind(&address) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_leftover(path)?;
                continue;
            }
            Err(error) => return Err(error),
        }
        if let Some(owned) = listen_in_time(&socket, path, options.cleanup_socket, began)? {
            if let Some(mode) = options.unix_mode {
                unix_mode::after_bind(path, mode)?;
            }
            return Ok((socket, owned));
        }
    }
    Err(in_use(
        "others take and leave it all the time, or this machine is too busy",
    ))
}

/// Listens on a path that was bound after `began`. `None` if another starter has taken it for a
/// leftover, or may have: then what is there stays.
fn listen_in_time(
    socket: &Socket,
    path: &Path,
    cleanup: bool,
    began: Instant,
) -> io::Result<Option<OwnedPath>> {
    let Some(mut owned) = OwnedPath::of_bound(path, cleanup)? else {
        return Ok(None);
    };
    socket.listen(FIRST_BACKLOG)?;
    if began.elapsed() >= PAUSE {
        // The file may be that of another one already.
        owned.cleanup = false;
        return Ok(None);
    }
    Ok(Some(owned).filter(OwnedPath::is_there))
}

/// A bound or listening socket, and its path, which is removed with it.
pub(super) struct AtPath<T> {
    /// Before the socket, so that the path goes first: as long as the socket listens, no other
    /// starter takes the path, and so what is removed is certainly its own.
    path: OwnedPath,
    inner: T,
}

impl<T> AtPath<T> {
    pub(super) fn new(path: OwnedPath, inner: T) -> Self {
        Self { path, inner }
    }
}

impl Bound for AtPath<Box<dyn Bound>> {
    fn local_addr(&self) -> io::Result<Address> {
        self.inner.local_addr()
    }

    fn listen(self: Box<Self>, backlog: u32) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(AtPath::new(
            self.path,
            self.inner.listen(backlog)?,
        )))
    }
}

impl Listener for AtPath<Box<dyn Listener>> {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn socket::Socket>>> {
        self.inner.poll_accept(cx)
    }

    fn local_addr(&self) -> io::Result<Address> {
        self.inner.local_addr()
    }
}

/// Which file a path leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct File {
    device: u64,
    inode: u64,
    /// When its content changed, which for a socket is when it was made: inodes are used again.
    /// Moving it does not change that.
    made: (i64, i64),
}

impl File {
    /// `None` if there is none. Links are not followed.
    fn at(path: &Path) -> io::Result<Option<Self>> {
        Ok(metadata(path)?.as_ref().map(Self::of))
    }

    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            made: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

fn metadata(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes room at a path that is in use, or finds out why that must not be.
fn remove_leftover(path: &Path) -> io::Result<()> {
    let Some(found) = probe(path)? else {
        return Ok(());
    };
    thread::sleep(PAUSE);
    match probe(path)? {
        None => return Ok(()),
        Some(still) if still == found => {}
        Some(_) => return Err(in_use("another server is starting on it")),
    }
    let aside = unique_name_beside(path);
    match fs::rename(path, &aside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            let why = format!("a dead server left it, and it cannot be moved: {error}");
            return Err(in_use(why));
        }
    }
    if is_leftover(&aside, found) {
        return fs::remove_file(&aside);
    }
    put_back(&aside, path)
}

/// Whether what was moved away is what was found, and still no server listens on it.
fn is_leftover(aside: &Path, found: File) -> bool {
    if of_path(aside).is_err() {
        // Its name is too long to connect to.
        return matches!(File::at(aside), Ok(Some(file)) if file == found);
    }
    matches!(probe(aside), Ok(Some(file)) if file == found)
}

/// Gives a path back to a server that has taken it in the last moment.
fn put_back(aside: &Path, path: &Path) -> io::Result<()> {
    // Unlike a second rename, a link replaces nothing.
    match fs::hard_link(aside, path).and_then(|()| fs::remove_file(aside)) {
        Ok(()) => Err(in_use("another server is starting on it")),
        // Another starter was faster.
        Err(_) if matches!(probe(aside), Ok(Some(_))) => {
            fs::remove_file(aside)?;
            Err(in_use("another server is starting on it"))
        }
        Err(error) => {
            let aside = Address::Unix(Some(aside.to_owned()));
            let why = format!("another server's socket is at {aside} now, as {error}");
            Err(in_use(why))
        }
    }
}

/// The socket at a path, if it refuses connections; `None` if nothing is there any more.
///
/// # Errors
///
/// `AddrInUse` if it is anything else.
fn probe(path: &Path) -> io::Result<Option<File>> {
    let Some(metadata) = metadata(path)? else {
        return Ok(None);
    };
    let kind = metadata.file_type();
    if !kind.is_socket() {
        return Err(in_use(if kind.is_dir() {
            "it is a directory"
        } else if kind.is_symlink() {
            "it is a symbolic link"
        } else if kind.is_file() {
            "it is a regular file"
        } else {
            "it is not a socket"
        }));
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let Err(error) = socket.connect(&of_path(path)?) else {
        return Err(in_use("a server listens on it"));
    };
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => Ok(Some(File::of(&metadata))),
        Some(libc::ENOENT) => Ok(None),
        Some(libc::EAGAIN | libc::EINPROGRESS) => Err(in_use("a server listens on it")),
        _ => {
            let why = format!("it is a socket, and connecting to it failed: {error}");
            Err(in_use(why))
        }
    }
}

/// An unused name in the same directory.
fn unique_name_beside(path: &Path) -> PathBuf {
    // The keys of the hasher are random.
    let name = format!(".{:016x}", RandomState::new().hash_one(path));
    path.with_file_name(OsStr::new(&name))
}

fn in_use(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, why.into())
}

/// What only happens when two starters meet within microseconds.
#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn what_was_moved_is_a_leftover_only_if_it_is_what_was_found_and_still_refuses() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        drop(UnixListener::bind(&path).unwrap());
        let found = File::at(&path).unwrap().unwrap();
        assert!(is_leftover(&path, found));
        for other in [
            File {
                inode: found.inode + 1,
                ..found
            },
            File {
                device: found.device + 1,
                ..found
            },
            File {
                made: (found.made.0, found.made.1 + 1),
                ..found
            },
        ] {
            assert!(!is_leftover(&path, other));
        }
        let live = directory.path().join("live");
        let _listener = UnixListener::bind(&live).unwrap();
        let found = File::at(&live).unwrap().unwrap();
        assert!(!is_leftover(&live, found));
    }

    #[test]
    fn a_lost_path_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let [path, aside] = ["socket", "aside"].map(|name| directory.path().join(name));
        assert!(OwnedPath::of_bound(&path, true).unwrap().is_none());
        let _loser = UnixListener::bind(&path).unwrap();
        let owned = OwnedPath::of_bound(&path, true).unwrap().unwrap();
        assert!(owned.is_there());
        fs::rename(&path, &aside).unwrap();
        assert!(!owned.is_there());
        let _winner = UnixListener::bind(&path).unwrap();
        assert!(!owned.is_there());
        drop(owned);
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_server_stopped_between_bind_and_listen_leaves_the_path_to_its_new_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let slow = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        slow.bind(&of_path(&path).unwrap()).unwrap();
        let long_ago = Instant::now() - PAUSE;
        assert!(
            listen_in_time(&slow, &path, true, long_ago)
                .unwrap()
                .is_none()
        );
        assert!(path.exists());

        // Which may be another one by then.
        drop(slow);
        let slow = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        let aside = directory.path().join("aside");
        slow.bind(&of_path(&aside).unwrap()).unwrap();
        fs::remove_file(&path).unwrap();
        let _winner = UnixListener::bind(&path).unwrap();
        assert!(
            listen_in_time(&slow, &path, true, long_ago)
                .unwrap()
                .is_none()
        );
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_path_lost_before_listening_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let loser = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        loser.bind(&of_path(&path).unwrap()).unwrap();
        fs::remove_file(&path).unwrap();
        let ages_ahead = Instant::now() + Duration::from_secs(600);
        let lost = listen_in_time(&loser, &path, true, ages_ahead).unwrap();
        assert!(lost.is_none());
    }

    #[test]
    fn moving_a_file_does_not_make_it_another() {
        let directory = tempfile::tempdir().unwrap();
        let [path, aside] = ["socket", "aside"].map(|name| directory.path().join(name));
        drop(UnixListener::bind(&path).unwrap());
        let found = File::at(&path).unwrap();
        thread::sleep(PAUSE);
        fs::rename(&path, &aside).unwrap();
        assert_eq!(File::at(&aside).unwrap(), found);
    }

    #[test]
    fn a_live_server_gets_its_path_back() {
        let directory = tempfile::tempdir().unwrap();
        let [path, aside] = ["socket", "aside"].map(|name| directory.path().join(name));
        let _live = UnixListener::bind(&aside).unwrap();
        let error = put_back(&aside, &path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(!aside.exists());
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_server_that_failed_to_start_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let [path, aside] = ["socket", "aside"].map(|name| directory.path().join(name));
        drop(UnixListener::bind(&aside).unwrap());
        let _third = UnixListener::bind(&path).unwrap();
        let error = put_back(&aside, &path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(!aside.exists());
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn putting_back_replaces_nothing_and_says_where_the_socket_is() {
        let directory = tempfile::tempdir().unwrap();
        let [path, aside] = ["socket", "aside"].map(|name| directory.path().join(name));
        let _live = UnixListener::bind(&aside).unwrap();
        fs::write(&path, "a third one").unwrap();
        let error = put_back(&aside, &path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&aside.display().to_string()));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a third one");
        UnixStream::connect(&aside).unwrap();
    }
}
