//! "Get HTTP headers", from asyncio's documentation: it asks a server about a URL and prints the
//! headers of the answer.
//!
//!     cargo run -p millpond-examples --bin http_headers -- http://example.org/

use std::{io, time::Duration};

use clap::Parser;
use http::Uri;
use millpond::{BoxError, connect};
use millpond_examples::{RuntimeName, run};

/// For resolving and connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Args {
    #[arg(long, value_enum, default_value_t)]
    runtime: RuntimeName,
    /// `http://host[:port]/path`
    #[arg(value_parser = parse_url)]
    url: Url,
}

#[derive(Clone)]
struct Url {
    host: String,
    port: u16,
    /// The host and, if it was given, the port.
    authority: String,
    path: String,
}

fn parse_url(text: &str) -> Result<Url, BoxError> {
    let uri: Uri = text.parse()?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err("https needs TLS, which this program does not speak".into()),
        Some(_) | None => return Err("it does not begin with http://".into()),
    }
    let authority = uri.authority().ok_or("it names no host")?;
    let port = match authority.as_str().strip_prefix(authority.host()) {
        Some("") => 80,
        Some(_) => authority.port_u16().ok_or("its port is no port")?,
        None => return Err("a name or password cannot be sent".into()),
    };
    Ok(Url {
        host: authority.host().to_owned(),
        port,
        authority: authority.to_string(),
        path: uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned(),
    })
}

fn main() -> io::Result<()> {
    let Args { runtime, url } = Args::parse();
    run(runtime, async |runtime| {
        let mut stream = connect(runtime, (url.host, url.port))
            .connect_timeout(CONNECT_TIMEOUT)
            .await?;

        let (path, authority) = (url.path, url.authority);
        let question = format!("HEAD {path} HTTP/1.0\r\nHost: {authority}\r\n\r\n");
        stream.write(question.as_bytes())?;

        let mut lines = stream.lines();
        while let Some(line) = lines.next().await {
            let line = line?;
            let header = line.trim_ascii_end();
            if header.is_empty() {
                break;
            }
            // A terminal is no place for whatever a server may send.
            println!("HTTP header> {}", header.escape_ascii());
        }

        // There is no body, or none that matters.
        stream.close();
        stream.wait_closed().await?;
        Ok(())
    })
}
