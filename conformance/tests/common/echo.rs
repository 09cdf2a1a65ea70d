//! What a server does to be served by.

use std::io;

use millpond::{StreamReader, StreamWriter};

/// Sends back every line.
pub(crate) async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    loop {
        let line = reader.read_line().await?;
        if line.is_empty() {
            return Ok(());
        }
        writer.write_all(&line).await?;
    }
}
