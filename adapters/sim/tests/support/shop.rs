//! A server on a host of its own, which gives up a client that is silent for too long.

use std::{io, time::Duration};

use millpond_sim::{StreamReader, StreamWriter, start_server, timeout, world};

const SECOND: Duration = Duration::from_secs(1);

/// Sends each line back.
pub(crate) async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    loop {
        let line = timeout(SECOND * 600, reader.read_line()).await??;
        if line.is_empty() {
            return Ok(());
        }
        writer.write_all(&line).await?;
    }
}

/// On the host of this name, whose failures are expected.
pub(crate) async fn open_shop(name: &str) {
    world().host(name).spawn(async {
        let server = start_server(":80", echo).on_handler_error(|_| {});
        let server = server.on_accept_error(|_| {}).await.unwrap();
        server.serve_forever().await.unwrap();
    });
    world().sleep(SECOND).await;
}
