//! A handler that sends back what comes.

use std::io;

use millpond_sim::{StreamReader, StreamWriter};

pub(crate) async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    loop {
        let data = reader.read(4096).await?;
        if data.is_empty() {
            return Ok(());
        }
        writer.write_all(&data).await?;
    }
}
