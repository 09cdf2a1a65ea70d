//! Taking the path of a unix socket and giving it back.

#![cfg(unix)]

mod support;

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::{
        fs::{MetadataExt, symlink},
        net::{UnixDatagram, UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use millpond::{Address, Bound, ListenOptions, Listener, os};
use socket2::{Domain, SockAddr, Socket, Type};
use support::plain::{self, Plain, accepts};
use tempfile::TempDir;

/// A path that nobody else has, in a directory that is removed in the end.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    (directory, path)
}

fn bind(path: &Path) -> io::Result<Box<dyn Bound>> {
    bind_with(path, &ListenOptions::default())
}

fn bind_with(path: &Path, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
    plain::bind(&Address::Unix(Some(path.to_owned())), options)
}

fn listen(path: &Path) -> Box<dyn Listener> {
    bind(path).unwrap().listen(10).unwrap()
}

/// Leaves a path behind, as a server that dies does.
fn leave(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    assert!(path.exists());
}

/// Fails unless whoever connects to the path gets to this listener.
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
        match os::connect(&address, &millpond::ConnectOptions::default()) {
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
fn a_directory_that_does_not_exist_is_said_to_be_missing() {
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
    let listener = os::bound(Arc::new(Plain), given.into()).listen(10).unwrap();
    assert_reachable(&path, &*listener);
    drop(listener);
    assert!(path.exists());
}

#[test]
fn who_connects_before_it_listens_is_accepted_later() {
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
