//! How addresses are printed: they are peers' own words, and go to logs and terminals.
#![cfg(unix)]

use std::{collections::HashMap, ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf};

use millpond::{Address, OpenError, Target, types::Info};
use proptest::prelude::*;

fn at(path: &[u8]) -> Address {
    Address::Unix(Some(PathBuf::from(OsString::from_vec(path.to_vec()))))
}

/// Whether a terminal or a reader of logs takes it for text of one line, written from left to right.
#[track_caller]
fn assert_is_plain(text: &str) {
    let odd = |it: char| it.is_control() || ('\u{2028}'..='\u{202e}').contains(&it);
    assert!(!text.contains(odd), "{text:?}");
}

/// Any bytes, with more than chance of what is odd in text.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop::sample::select(vec![
        "\n",
        "\r",
        "\x1b[31m",
        "\0",
        "\x7f",
        "\u{9b}",
        "\u{202e}",
        "\u{2028}",
        "\\",
        "\"",
        "'",
        "\\n",
        "\\x1b",
        "@",
        "/",
        "ü",
        "(unnamed unix socket)",
        "127.0.0.1:80",
        "[::1]:80",
        "\u{301}",
    ]);
    let piece = prop_oneof![
        odd.prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn address() -> impl Strategy<Value = Address> {
    prop_oneof![
        bytes().prop_map(|path| at(&path)),
        bytes().prop_map(|path| at(&[b"/", &path[..]].concat())),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        bytes().prop_map(Address::Abstract),
        any::<([u8; 4], u16)>().prop_map(Address::from),
        any::<([u8; 16], u16)>().prop_map(Address::from),
        Just(Address::Unix(None)),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_of_an_address_is_plain_text(address in address()) {
        assert_is_plain(&address.to_string());
        assert_is_plain(&format!("{address:?}"));
        assert_is_plain(&Info::Address(&address).to_string());
        let source = || std::io::ErrorKind::ConnectionRefused.into();
        let error = OpenError::Connect { attempts: vec![(address.clone(), source())] };
        assert_is_plain(&error.to_string());
        assert_is_plain(&format!("{error:?}"));
        let error = OpenError::Listen { address, source: source() };
        assert_is_plain(&error.to_string());
        assert_is_plain(&format!("{error:?}"));
    }

    #[test]
    fn what_is_printed_of_a_target_is_plain_text(text in bytes(), address in address()) {
        let text = String::from_utf8_lossy(&text).into_owned();
        for target in [
            Target::from(&*text),
            (&*text, 80).into(),
            (["example.org", &*text], 80).into(),
            std::path::Path::new(&text).into(),
            (&address).into(),
        ] {
            assert_is_plain(&target.to_string());
            assert_is_plain(&format!("{target:?}"));
        }
    }

    #[test]
    fn no_two_addresses_are_printed_alike(all in prop::collection::vec(address(), 2..40)) {
        let mut printed = HashMap::new();
        for address in all {
            let text = address.to_string();
            let before = printed.insert(text.clone(), address.clone());
            prop_assert!(before.is_none_or(|it| it == address), "{text}");
        }
    }
}

#[test]
fn addresses_are_printed_as_one_writes_them_if_that_is_plain() {
    for (path, printed) in [
        (&b"/run/docker.sock"[..], "/run/docker.sock"),
        (b"./here", "./here"),
        (b"here/it's", "here/it's"),
        ("/tmp/süß".as_bytes(), "/tmp/süß"),
        (b"/tmp/two words", "/tmp/two words"),
        (
            b"/tmp/a\nmillpond: b\x1b[2J",
            r"/tmp/a\nmillpond: b\u{1b}[2J",
        ),
        (b"/tmp/\xff", r"/tmp/\xff"),
        (br"/tmp/\n", r"/tmp/\\n"),
        ("/tmp/\u{202e}gnp.exe".as_bytes(), r"/tmp/\u{202e}gnp.exe"),
        ("/tmp/\u{9b}31m".as_bytes(), r"/tmp/\u{9b}31m"),
        // What could be something else.
        (b"@name", "\"@name\""),
        (b"127.0.0.1:80", "\"127.0.0.1:80\""),
        (b"[::1]:80", "\"[::1]:80\""),
        (b"(unnamed unix socket)", "\"(unnamed unix socket)\""),
        (b"\"@name\"", r#""\"@name\"""#),
        (b"", "\"\""),
    ] {
        assert_eq!(at(path).to_string(), printed);
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    assert_eq!(
        Address::Abstract(b"a\0\n\xff".to_vec()).to_string(),
        r"@a\0\n\xff"
    );
    assert_eq!(Address::Unix(None).to_string(), "(unnamed unix socket)");
}

#[test]
fn a_client_cannot_forge_a_line_of_a_log_by_its_path() {
    use socket2::{Domain, SockAddr, Socket, Type};

    let directory = tempfile::tempdir().unwrap();
    let listener = std::os::unix::net::UnixListener::bind(directory.path().join("server")).unwrap();
    let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let path = directory.path().join("x\nmillpond: all is well\x1b[2J");
    client.bind(&SockAddr::unix(path).unwrap()).unwrap();
    let server = SockAddr::unix(directory.path().join("server")).unwrap();
    client.connect(&server).unwrap();
    let (accepted, _) = listener.accept().unwrap();

    let peer_addr = millpond::adapter::os::extra_info(&accepted).peer_addr;
    assert!(
        peer_addr
            .as_ref()
            .unwrap()
            .to_string()
            .ends_with(r"x\nmillpond: all is well\u{1b}[2J")
    );
}
