//! tokio's clock counts, not the system's: a test can pause it.

use std::{
    io::ErrorKind,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use millpond_tokio::{StreamReader, StreamWriter, open_connection, start_server};

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_reset_by_a_clock_that_is_paused() {
    let time = tokio::time::Instant::now();
    let began = Instant::now();
    let failed = Arc::new(Mutex::new(None));
    let result = failed.clone();
    let server = start_server(
        "127.0.0.1:0",
        move |mut reader: StreamReader, writer: StreamWriter| {
            let result = result.clone();
            async move {
                let _writer = writer; // or the stream would end at once
                let error = std::io::Error::from(reader.read(1).await.unwrap_err());
                *result.lock().unwrap() = Some(error.kind());
            }
        },
    );
    let server = server
        .idle_timeout(Duration::from_secs(3600))
        .await
        .unwrap();
    let client = open_connection(&server.sockets()[0]).await.unwrap();
    let (mut reader, _writer) = client;
    let ended = reader.read_to_eof().await;
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
    server.close();
    server.wait_closed().await;
    assert_eq!(*failed.lock().unwrap(), Some(ErrorKind::TimedOut));
    assert!(time.elapsed() >= Duration::from_secs(3600));
    assert!(began.elapsed() < Duration::from_secs(600));
}
