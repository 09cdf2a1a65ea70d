//! Taking the path of a unix socket and giving it back.

#![cfg(unix)]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    future::IntoFuture,
    io::{self, ErrorKind},
    net::Ipv4Addr,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{MetadataExt, PermissionsExt, symlink},
            net::{UnixDatagram, UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use millpond::{
    Address, OpenError, Target,
    adapter::{Bound, ListenOptions, Listener, StdListener, os},
};
use socket2::{Domain, SockAddr, Socket, Type};
use support::{
    system::{self, accepts},
    world::World,
};
use tempfile::TempDir;

/// A path that no other test has, in a directory that is removed in the end.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    (directory, path)
}

fn bind(path: &Path) -> io::Result<Box<dyn Bound>> {
    bind_with(path, &ListenOptions::default())
}

fn bind_with(path: &Path, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
    system::bind(&Address::Unix(Some(path.to_owned())), options)
}

fn listen(path: &Path) -> Box<dyn Listener> {
    bind(path).unwrap().listen(10).unwrap()
}

/// Leaves a path behind, as a server that dies does.
fn leave(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    assert!(path.exists());
}

/// Fails unless a connection to the path reaches this listener.
#[track_caller]
fn assert_reachable(path: &Path, listener: &dyn Listener) {
    while accepts(listener) {} // other starters that looked
    let _client = UnixStream::connect(path).unwrap();
    assert!(accepts(listener));
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

#[test]
fn what_a_dead_server_left_is_replaced() {
    let (directory, path) = place();
    leave(&path);
    let listener = listen(&path);
    assert_reachable(&path, &*listener);
    let names = fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(names, 1, "nothing else is left behind");
    drop(listener);
    assert!(!path.exists());
}

#[test]
fn a_dead_datagram_socket_is_replaced_and_a_live_one_kept() {
    let (_directory, path) = place();
    let datagrams = UnixDatagram::bind(&path).unwrap();
    let error = bind(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
    drop(datagrams);
    assert_reachable(&path, &*listen(&path));
}

#[test]
fn a_path_on_which_a_server_listens_is_kept() {
    let (_directory, path) = place();
    let live = listen(&path);
    let before = inode(&path);
    let error = bind(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(error.to_string(), "a server listens on it");
    assert_eq!(inode(&path), before);
    assert_reachable(&path, &*live);
}

/// Elsewhere a full backlog refuses, as a dead server does.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_server_whose_backlog_is_full_counts_as_alive() {
    let (_directory, path) = place();
    let live = bind(&path).unwrap().listen(0).unwrap();
    let address = Address::Unix(Some(path.clone()));
    let mut clients = Vec::new();
    let full = loop {
        match os::connect(&address, &millpond::adapter::ConnectOptions::default()) {
            Ok(client) => clients.push(client),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    let error = bind(&path).unwrap_err();
    assert_eq!(error.to_string(), "a server listens on it");
    assert_reachable(&path, &*live);
}

#[test]
fn a_server_that_is_about_to_listen_is_kept() {
    let (_directory, path) = place();
    for _ in 0..20 {
        let slow = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        slow.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        let before = inode(&path);
        let began = Instant::now();
        let starter = thread::spawn({
            let path = path.clone();
            move || bind(&path).map(drop)
        });
        thread::sleep(Duration::from_millis(3));
        slow.listen(1).unwrap();
        let in_time = began.elapsed() < Duration::from_millis(10);
        let outcome = starter.join().unwrap();
        if in_time {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::AddrInUse);
            assert_eq!(inode(&path), before);
        }
        let _ = fs::remove_file(&path);
    }
}

#[test]
fn what_is_not_a_socket_is_kept_and_named() {
    type Make = fn(&Path);
    let things: [(&str, Make); 6] = [
        ("it is a regular file", |path| {
            fs::write(path, "text").unwrap()
        }),
        ("it is a directory", |path| fs::create_dir(path).unwrap()),
        ("it is a symbolic link", |path| {
            let file = path.with_extension("file");
            fs::write(&file, "text").unwrap();
            symlink(file, path).unwrap();
        }),
        ("it is a symbolic link", |path| {
            symlink(path.with_extension("missing"), path).unwrap();
        }),
        ("it is a symbolic link", |path| {
            let left = path.with_extension("left");
            leave(&left);
            symlink(left, path).unwrap();
        }),
        ("it is not a socket", |path| {
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.unwrap().success());
        }),
    ];
    for (why, make) in things {
        let (directory, path) = place();
        make(&path);
        let before = (
            inode(&path),
            fs::read_dir(directory.path()).unwrap().count(),
        );
        let error = bind(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert_eq!(error.to_string(), why);
        let after = (
            inode(&path),
            fs::read_dir(directory.path()).unwrap().count(),
        );
        assert_eq!(after, before);
    }
}

#[test]
fn a_directory_that_does_not_exist_is_reported_as_missing() {
    let (_directory, path) = place();
    let error = bind(&path.join("socket")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_path_that_cannot_be_one_is_refused() {
    for path in ["", "a\0b", "\0name"] {
        let error = bind(Path::new(path)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path:?}");
    }
}

#[test]
fn closing_removes_the_path_unless_it_should_stay() {
    for (cleanup, listens) in [(true, true), (true, false), (false, true), (false, false)] {
        let (_directory, path) = place();
        let mut options = ListenOptions::default();
        options.cleanup_socket = cleanup;
        let bound = bind_with(&path, &options).unwrap();
        if listens {
            drop(bound.listen(10).unwrap());
        } else {
            drop(bound);
        }
        assert_eq!(
            path.exists(),
            !cleanup,
            "cleanup {cleanup}, listens {listens}"
        );
    }
}

#[test]
fn closing_leaves_what_others_have_put_in_the_place() {
    type Make = fn(&Path);
    let thieves: [Make; 3] = [
        |path| leave(path),
        |path| fs::write(path, "text").unwrap(),
        |path| fs::create_dir(path).unwrap(),
    ];
    for steal in thieves {
        let (_directory, path) = place();
        let listener = listen(&path);
        fs::remove_file(&path).unwrap();
        steal(&path);
        let before = inode(&path);
        drop(listener);
        assert_eq!(inode(&path), before);
    }
}

#[test]
fn closing_after_the_path_was_removed_does_nothing() {
    let (_directory, path) = place();
    let listener = listen(&path);
    fs::remove_file(&path).unwrap();
    drop(listener);
}

#[test]
fn the_path_of_a_socket_that_the_program_gave_is_never_removed() {
    let (_directory, path) = place();
    let given = UnixListener::bind(&path).unwrap();
    let listener = os::bound(World::default().runtime(), given.into())
        .listen(10)
        .unwrap();
    assert_reachable(&path, &*listener);
    drop(listener);
    assert!(path.exists());
}

#[test]
fn a_client_that_connects_before_it_listens_is_accepted_later() {
    let (_directory, path) = place();
    let bound = bind(&path).unwrap();
    assert_eq!(
        bound.local_addr().unwrap(),
        Address::Unix(Some(path.clone()))
    );
    let _client = UnixStream::connect(&path).unwrap();
    assert!(accepts(&*bound.listen(10).unwrap()));
}

#[test]
fn of_two_that_start_at_once_one_gets_the_path() {
    let (directory, path) = place();
    for round in 0..100 {
        if round % 2 == 0 {
            leave(&path);
        }
        let barrier = Arc::new(Barrier::new(2));
        let starters = [0, 1].map(|i| {
            let (barrier, path) = (barrier.clone(), path.clone());
            thread::spawn(move || {
                barrier.wait();
                // One starts a little later, another little each round.
                for _ in 0..i * round * 20 {
                    std::hint::spin_loop();
                }
                bind(&path)?.listen(10)
            })
        });
        let mut winners = Vec::new();
        for starter in starters {
            match starter.join().unwrap() {
                Ok(listener) => winners.push(listener),
                Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        assert_reachable(&path, &*winners[0]);
        drop(winners);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}

/// Looks at a path all the time, and gives each mode that it has had.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn watch(path: PathBuf, over: Arc<AtomicBool>) -> thread::JoinHandle<BTreeSet<u32>> {
    thread::spawn(move || {
        let mut seen = BTreeSet::new();
        while !over.load(Ordering::Acquire) {
            if let Ok(metadata) = fs::symlink_metadata(&path) {
                seen.insert(metadata.mode() & 0o777);
            }
        }
        seen
    })
}

/// In a process of its own, because of its umask: all that this thread and the watcher do is given by
/// the environment.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn the_mode_of_a_path_holds_from_the_first_moment_on_whatever_the_umask_is() {
    const INSIDE: &str = "MILLPOND_TEST_UMASK_IS_SET";
    if std::env::var_os(INSIDE).is_none() {
        let test = "the_mode_of_a_path_holds_from_the_first_moment_on_whatever_the_umask_is";
        for umask in ["000", "022", "077", "777"] {
            let status = std::process::Command::new("sh")
                .args(["-c", "umask $1; exec \"$0\" --exact $2"])
                .arg(std::env::current_exe().unwrap())
                .args([umask, test])
                .env(INSIDE, umask)
                .status();
            assert!(status.unwrap().success(), "umask {umask}");
        }
        return;
    }
    let directory = PathBuf::from("/tmp").join(format!("millpond-mode-{}", std::process::id()));
    // Whatever the umask takes from it.
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    let path = directory.join("socket");
    for mode in [0o600, 0o660, 0o666, 0o777, 0o000] {
        let mut options = ListenOptions::default();
        options.unix_mode = Some(mode);
        let over = Arc::new(AtomicBool::new(false));
        let watcher = watch(path.clone(), over.clone());
        for _ in 0..200 {
            let bound = bind_with(&path, &options).unwrap();
            let now = fs::symlink_metadata(&path).unwrap().mode() & 0o777;
            assert_eq!(now, mode, "{now:o} instead of {mode:o}");
            drop(bound);
        }
        over.store(true, Ordering::Release);
        let seen = watcher.join().unwrap();
        assert!(
            seen.iter().all(|seen| seen & !mode == 0),
            "{seen:?} for {mode}"
        );
    }
    fs::remove_dir(&directory).unwrap();
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_path_without_a_mode_has_what_the_umask_leaves() {
    let (_directory, path) = place();
    let theirs = path.with_file_name("theirs");
    let _std = UnixListener::bind(&theirs).unwrap();
    let _ours = bind(&path).unwrap();
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().mode();
    assert_eq!(mode(&path), mode(&theirs));
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_mode_is_only_for_paths_and_has_nine_bits() {
    let (_directory, path) = place();
    let refused = |target: Target, mode: u32| {
        let server = millpond::start_server(World::default().runtime(), target, async |_, _| {});
        let server = futures_lite::future::block_on(server.unix_mode(mode).into_future());
        let error = server.unwrap_err();
        let OpenError::Option { name, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(name, "unix_mode");
    };
    refused((Ipv4Addr::LOCALHOST, 0).into(), 0o600);
    refused(Path::new("\0abstract").into(), 0o600);
    refused((&*path).into(), 0o1600);
    refused(UnixListener::bind(&path).unwrap().into(), 0o600);
}

/// As many as can connect while no server accepts.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn room(path: &Path) -> usize {
    let mut waiting = Vec::new();
    loop {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&SockAddr::unix(path).unwrap()) {
            Ok(()) => waiting.push(socket),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return waiting.len(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A listening socket with this backlog, or one that is only bound.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn given(path: &Path, backlog: Option<i32>) -> StdListener {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::unix(path).unwrap()).unwrap();
    if let Some(backlog) = backlog {
        socket.listen(backlog).unwrap();
    }
    StdListener::try_from(OwnedFd::from(socket)).unwrap()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_socket_that_listens_keeps_its_backlog_unless_one_is_asked_for() {
    // What it has before, what is asked for, and what it has then.
    let cases = [
        (Some(3), None, 3),
        (Some(200), None, 200),
        (Some(3), Some(7), 7),
        (Some(200), Some(7), 7),
        (None, None, 100),
        (None, Some(7), 7),
    ];
    for (before, asked, expected) in cases {
        let (_directory, path) = place();
        let listener = given(&path, before);
        let server = millpond::start_server(World::default().runtime(), listener, async |_, _| {});
        let server = match asked {
            Some(backlog) => server.backlog(backlog),
            None => server,
        };
        let server = futures_lite::future::block_on(server.into_future()).unwrap();
        // Linux lets one more wait than the backlog says.
        assert_eq!(room(&path), expected + 1, "{before:?}, {asked:?}");
        drop(server);
    }
}
