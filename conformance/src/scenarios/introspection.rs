//! What a stream shows of itself.

#[cfg(unix)]
use millpond::adapter::os::SockRef;
use millpond::{
    Address,
    types::{ExtraInfo, Info, SystemHandle},
};

use crate::{place::Place, setup::Setup};

pub(crate) async fn both_sides_and_all_handles_have_the_same_addresses(mut setup: Setup) {
    let ((near_reader, near), (_far_reader, far)) = setup.connect().await;
    let (here, there) = (near.extra_info().clone(), far.extra_info());
    assert_eq!(here.peer_addr, there.local_addr);
    assert_eq!(here.local_addr, there.peer_addr);
    let transport = near_reader.transport();
    assert_eq!(*transport.extra_info(), here);
    let near = millpond::Stream::reunite(near_reader, near).unwrap();
    assert_eq!(*near.extra_info(), here);
    // It is known when the stream is gone.
    drop(near);
    assert_eq!(*transport.extra_info(), here);
}

fn address<'a>(info: &'a ExtraInfo, name: &str) -> Option<&'a Address> {
    match info.get(name) {
        Some(Info::Address(address)) => Some(address),
        Some(other) => panic!("{other:?}"),
        None => None,
    }
}

pub(crate) async fn what_is_known_has_the_names_of_asyncio(mut setup: Setup) {
    let ((_near_reader, near), _far) = setup.connect().await;
    let info = near.extra_info();
    assert_eq!(address(info, "peername"), info.peer_addr.as_ref());
    assert_eq!(address(info, "sockname"), info.local_addr.as_ref());
    for name in ["pipe", "sslcontext", "subprocess", "Peername", ""] {
        assert_eq!(info.get(name), None, "{name}");
    }
    let handle = match info.handle {
        Some(SystemHandle::Socket(raw)) => Some(Info::Handle(raw)),
        None => None,
        other => panic!("{other:?}"),
    };
    assert_eq!(info.get("socket"), handle);
}

pub(crate) async fn a_socket_of_the_system_can_be_reached_until_the_stream_is_closed(
    mut setup: Setup,
) {
    let ((_near_reader, mut near), _far) = setup.connect().await;
    let transport = near.transport();
    let size = transport.with_socket(|socket| socket.recv_buffer_size().unwrap());
    let has_socket = match setup.place {
        Place::Sock | Place::StartTls | Place::Tcp | Place::Tls | Place::Tls12 => {
            setup.has_system_sockets()
        }
        #[cfg(unix)]
        Place::Unix => setup.has_system_sockets(),
        Place::Drip
        | Place::FuturesIo
        | Place::Hesitant
        | Place::Memory
        | Place::Narrow
        | Place::TlsMemory => false,
    };
    assert_eq!(size.is_some(), has_socket);
    if let Some(SystemHandle::Socket(raw)) = near.extra_info().handle {
        #[cfg(target_os = "linux")]
        {
            let link = std::fs::read_link(format!("/proc/self/fd/{raw}")).unwrap();
            assert!(link.to_string_lossy().starts_with("socket:"), "{link:?}");
        }
        let _ = raw;
    } else {
        assert!(!has_socket);
    }
    near.close();
    near.wait_closed().await.unwrap();
    assert!(transport.with_socket(|_| ()).is_none());
}

#[cfg(unix)]
pub(crate) async fn a_descriptor_that_is_lent_stays_open_though_the_stream_is_aborted(
    mut setup: Setup,
) {
    use std::os::fd::{AsFd, AsRawFd};

    let ((_near_reader, near), _far) = setup.connect().await;
    let transport = near.transport();
    let lent = transport.with_socket(|socket| {
        SockRef::from(&socket.as_fd()).set_keepalive(true).unwrap();
        transport.abort();
        let others: Vec<_> = (0..10)
            .map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap())
            .collect();
        let number = socket.as_fd().as_raw_fd();
        assert!(others.iter().all(|other| other.as_raw_fd() != number));
        socket.keepalive().unwrap()
    });
    let Some(is_set) = lent else {
        return; // it has no descriptor
    };
    assert!(is_set, "it is the same socket");
    assert!(near.is_closing());
    assert!(transport.with_socket(|_| ()).is_none());
}

#[track_caller]
fn assert_shows(text: &str, what: &[&str]) {
    for what in what {
        assert!(text.contains(what), "{what} is missing in {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}

pub(crate) async fn descriptions_show_the_state_of_a_stream_but_none_of_its_bytes(
    mut setup: Setup,
) {
    let ((mut reader, mut writer), (mut far_reader, mut far)) = setup.connect().await;
    far.write(b"secret").unwrap();
    reader.peek(6).await.unwrap();
    let text = format!("{reader:?}");
    assert_shows(&text, &["StreamReader", "buffered: 6", "limit: 65536"]);
    if let Some(peer) = &writer.extra_info().peer_addr {
        assert_shows(&text, &["peer_addr", &peer.to_string(), "local_addr"]);
    }
    far.write_eof().unwrap();
    reader.read_to_eof().await.unwrap();
    assert_shows(&format!("{reader:?}"), &["buffered: 0", "Eof"]);

    let cork = writer.cork();
    writer.write(b"secret").unwrap();
    assert_shows(&format!("{writer:?}"), &["StreamWriter", "queued: 6"]);
    assert_shows(
        &format!("{:?}", writer.transport()),
        &["Transport", "queued: 6"],
    );
    drop(cork);
    assert_eq!(far_reader.read_exactly(6).await.unwrap(), "secret");
    let transport = writer.transport();
    let stream = millpond::Stream::reunite(reader, writer).unwrap();
    let text = format!("{stream:?}");
    assert_shows(
        &text,
        &["Stream {", "StreamReader", "StreamWriter", "queued: 0"],
    );
    drop(stream);
    assert_shows(&format!("{transport:?}"), &["Transport"]);
}

pub(crate) async fn descriptions_show_a_failure(mut setup: Setup) {
    let ((mut reader, mut writer), _far) = setup.connect().await;
    writer.abort();
    writer.wait_closed().await.unwrap();
    reader.read(1).await.unwrap_err();
    assert_shows(&format!("{reader:?}"), &["Failed", "aborted by this side"]);
    assert_shows(&format!("{writer:?}"), &["queued: 0", "end: Aborted"]);
}
