//! "Get HTTP headers", from asyncio's documentation: it asks a server about a URL and prints the
//! headers of the answer.
//!
//!     cargo run -p millpond-examples --bin http_headers -- https://example.org/
//!
//! The request is the original's, so it has neither the query of the URL nor its port; but the port
//! is connected to.

use std::path::PathBuf;

use clap::Parser;
use http::Uri;
use millpond::{connect, error::BoxError};
use millpond_examples::{RuntimeName, run, tls};

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
    let port = match authority.as_str().ends_with(authority.host()) {
        true => default_port,
        false => authority.port_u16().ok_or("its port is no port")?,
    };
    Ok(Url {
        scheme,
        host: authority
            .host()
            .trim_matches(['[', ']'])
            .to_ascii_lowercase(),
        port,
        path: uri.path().to_owned(),
    })
}

/// Each character as the byte of that number.
fn latin1(text: &str) -> Result<Vec<u8>, BoxError> {
    let bytes = text.chars().map(u8::try_from).collect::<Result<_, _>>();
    bytes.map_err(|_| "the URL has characters that are not in Latin-1".into())
}

/// As a terminal can show it: without what would control it.
fn printable(text: &str) -> String {
    let escape = |c: char| match c.is_control() && c != '\t' {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}

fn main() -> Result<(), BoxError> {
    let Args { runtime, ca, url } = Args::parse();
    run(runtime, async |runtime| {
        let Url { host, path, .. } = url;
        let mut connecting = connect(runtime, (host.clone(), url.port));
        if url.scheme == Scheme::Https {
            // As there, a server that hangs up without a word ends the answer.
            let tls = tls::connector(ca.as_deref())?.accept_truncation(true);
            connecting = connecting.tls(tls);
        }
        let mut stream = connecting.await?;

        let query = format!("HEAD {path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
        stream.write(&latin1(&query)?)?;

        let mut lines = stream.lines();
        while let Some(line) = lines.next().await {
            let line: String = line?.iter().copied().map(char::from).collect(); // Latin-1
            let line = line.trim_end();
            if !line.is_empty() {
                println!("HTTP header> {}", printable(line));
            }
        }

        // Ignore the body, close the socket.
        stream.close();
        stream.wait_closed().await?;
        Ok(())
    })
}
