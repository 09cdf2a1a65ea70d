//! Those that need the sockets of the system: they are of the topic `adopting`.

use super::*;

/// That of a socket that was given stays, and is 100 otherwise. The server has a client, and accepts
/// no other one.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) async fn backlogs_are_what_they_should_be(mut setup: Setup) {
    use millpond::{Target, adapter::os};
    for (given, asked, expected) in [
        (Some(3), None, 3),
        (Some(3), Some(7), 7),
        (None, None, 100),
        (None, Some(7), 7),
    ] {
        let path = setup.new_path();
        let target: Target = match given {
            None => (&*path).into(),
            Some(backlog) => {
                let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
                os::SockRef::from(&listener).listen(backlog).unwrap();
                listener.into()
            }
        };
        let server = setup.serve_at(
            target,
            async |mut reader: StreamReader, mut writer: StreamWriter| {
                writer.write(b"hello\n").unwrap();
                let _ended = reader.read_to_eof().await;
            },
        );
        let server = server.max_connections(1);
        let server = match asked {
            Some(backlog) => server.backlog(backlog),
            None => server,
        };
        let server = server.await.unwrap();
        let (mut reader, _writer) = setup.open(&*path).await.unwrap();
        assert_eq!(reader.read_line().await.unwrap(), "hello\n");
        // Linux lets one more wait than the backlog says.
        assert_eq!(
            room(&setup, &path).await,
            expected + 1,
            "{given:?}, {asked:?}"
        );
        drop(server);
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) async fn the_mode_of_a_path_is_what_was_asked_for(mut setup: Setup) {
    use std::os::unix::fs::PermissionsExt;
    for mode in [0o600, 0o666] {
        let path = setup.new_path();
        let server = setup.serve_at(&*path, echo).unix_mode(mode).await.unwrap();
        let now = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(now & 0o777, mode);
        assert_echoes(&setup, &server.sockets()[0]).await;
    }
}

pub(crate) async fn a_socket_that_was_given_can_be_bound_only_once(setup: Setup) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = StreamServer::new(setup.runtime.clone(), listener, echo_stream);
    server.start_serving().await.unwrap();
    assert_echoes(&setup, &server.sockets()[0].clone()).await;
    server.shutdown().await;
    assert_refused_option(&server.bind().await.unwrap_err(), "sock");
    assert_refused_option(&server.serve_forever().await.unwrap_err(), "sock");
}

#[cfg(unix)]
pub(crate) async fn a_path_is_taken_from_the_dead_and_not_from_the_living(mut setup: Setup) {
    let path = setup.new_path();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = setup.serve_at(&*path, echo).await.unwrap();
    let address = server.sockets()[0].clone();
    let error = setup.serve_at(&*path, echo).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let name = path.display().to_string();
    assert!(error.to_string().contains(&name), "{error}");
    assert_echoes(&setup, &address).await;
    server.close();
    server.wait_closed().await;
    assert!(!path.exists());
}

#[cfg(unix)]
pub(crate) async fn only_a_path_of_its_own_is_removed(mut setup: Setup) {
    let path = setup.new_path();
    let kept = setup.serve_at(&*path, echo).cleanup_socket(false);
    let kept = kept.await.unwrap();
    kept.close();
    kept.wait_closed().await;
    assert!(path.exists());

    let stolen = setup.serve_at(&*path, echo).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    stolen.close();
    stolen.wait_closed().await;
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    std::fs::remove_file(&path).unwrap();

    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let adopted = setup.serve_at(listener, echo).await.unwrap();
    adopted.close();
    adopted.wait_closed().await;
    assert!(path.exists());
}
