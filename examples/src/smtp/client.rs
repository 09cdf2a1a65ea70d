//! The client's side.

use std::io;

use millpond::{Stream, TlsConnector};

use super::{Mail, invalid, next_line};

/// Of one answer.
const MAX_LINES: usize = 100;

/// Sends a mail, over TLS or not at all.
///
/// # Errors
///
/// Those of the stream, and with the kind `InvalidData` what a server says that does not do as it is
/// asked.
pub async fn send(stream: &mut Stream, tls: &TlsConnector, mail: &Mail) -> io::Result<()> {
    expect(stream, "220").await?;
    let offers = ask(stream, "EHLO localhost", "250").await?;
    if !offers.iter().any(|offer| offer == "STARTTLS") {
        return Err(invalid("the server does not offer STARTTLS"));
    }
    ask(stream, "STARTTLS", "220").await?;
    stream.start_tls(tls).await?;

    // What it offered in the clear is forgotten.
    ask(stream, "EHLO localhost", "250").await?;
    let from = checked(&mail.from)?;
    ask(stream, &format!("MAIL FROM:<{from}>"), "250").await?;
    for to in &mail.to {
        let to = checked(to)?;
        ask(stream, &format!("RCPT TO:<{to}>"), "250").await?;
    }
    ask(stream, "DATA", "354").await?;
    for line in &mail.lines {
        let dot = if line.starts_with('.') { "." } else { "" };
        say(stream, &format!("{dot}{}", one_line(line)?)).await?;
    }
    ask(stream, ".", "250").await?;
    ask(stream, "QUIT", "221").await?;
    stream.close();
    stream.wait_closed().await?;
    Ok(())
}

/// It must not end the command that it becomes part of.
fn checked(address: &str) -> io::Result<&str> {
    let allowed = |c: char| c.is_ascii_graphic() && !"<>".contains(c);
    match address.chars().all(allowed) {
        true => Ok(address),
        false => Err(invalid(format!("{address:?} is no address"))),
    }
}

fn one_line(line: &str) -> io::Result<&str> {
    match line.contains(['\r', '\n']) {
        true => Err(invalid(format!("{line:?} is more than a line"))),
        false => Ok(line),
    }
}

async fn say(stream: &mut Stream, line: &str) -> io::Result<()> {
    Ok(stream.write_all(format!("{line}\r\n").as_bytes()).await?)
}

/// The lines of the answer without its code.
async fn ask(stream: &mut Stream, command: &str, code: &str) -> io::Result<Vec<String>> {
    say(stream, command).await?;
    expect(stream, code).await
}

async fn expect(stream: &mut Stream, code: &str) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    while lines.len() < MAX_LINES {
        let line = next_line(stream).await?;
        let line = line.ok_or(io::ErrorKind::UnexpectedEof)?;
        let Some(rest) = line.strip_prefix(code) else {
            return Err(invalid(format!("the server says {line:?}")));
        };
        if let Some(more) = rest.strip_prefix('-') {
            lines.push(more.to_owned());
            continue;
        }
        lines.push(rest.trim_start().to_owned());
        return Ok(lines);
    }
    Err(invalid("the server's answer has too many lines"))
}
