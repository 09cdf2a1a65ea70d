//! "Get HTTP headers", from asyncio's documentation: it asks a server about a URL and prints the
//! headers of the answer.
//!
//!     cargo run -p millpond-examples --bin http_headers -- https://example.org/

use std::{io, path::PathBuf, time::Duration};

use clap::Parser;
use http::Uri;
use millpond::{BoxError, connect};
use millpond_examples::{RuntimeName, run, tls};

/// For resolving and connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Args {
    #[arg(long, value_enum, default_value_t)]
    runtime: RuntimeName,
    /// Certificates of authorities to trust, instead of the system's
    #[arg(long)]
    ca: Option<PathBuf>,
    /// `http://host[:port]/path` or `https://host[:port]/path`
    #[arg(value_parser = parse_url)]
    url: Url,
}

#[derive(Clone, Copy, PartialEq)]
enum Scheme {
    Http,
    Https,
}

#[derive(Clone)]
struct Url {
    scheme: Scheme,
    host: String,
    port: u16,
    /// The host and, if it was given, the port.
    authority: String,
    path: String,
}

fn parse_url(text: &str) -> Result<Url, BoxError> {
    let uri: Uri = text.parse()?;
    let (scheme, default_port) = match uri.scheme_str() {
        Some("http") => (Scheme::Http, 80),
        Some("https") => (Scheme::Https, 443),
        Some(_) | None => return Err("it does not begin with http:// or https://".into()),
    };
    let authority = uri.authority().ok_or("it names no host")?;
    let port = match authority.as_str().strip_prefix(authority.host()) {
        Some("") => default_port,
        Some(_) => authority.port_u16().ok_or("its port is no port")?,
        None => return Err("a name or password cannot be sent".into()),
    };
    Ok(Url {
        scheme,
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
    let Args { runtime, ca, url } = Args::parse();
    run(runtime, async |runtime| {
        let mut connecting =
            connect(runtime, (url.host, url.port)).connect_timeout(CONNECT_TIMEOUT);
        if url.scheme == Scheme::Https {
            connecting = connecting.tls(tls::connector(ca.as_deref())?);
        }
        let mut stream = connecting.await?;

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
