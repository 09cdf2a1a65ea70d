//! The server's side.

use std::io;

use millpond::{Stream, TlsAcceptor};

use super::{Mail, next_line};

const MAX_RECIPIENTS: usize = 100;

/// Bytes of the text of a mail.
const MAX_TEXT: usize = 1 << 20;

const DONE: &str = "250 done";

/// Serves one client, and gives its mails to `deliver`. Mails are taken over TLS only.
///
/// # Errors
///
/// Those of the stream.
pub async fn serve(stream: Stream, tls: TlsAcceptor, deliver: impl FnMut(Mail)) -> io::Result<()> {
    let mut session = Session {
        stream,
        tls,
        deliver,
        step: Step::Greeted,
    };
    session.say("220 localhost ESMTP").await?;
    while let Some(line) = next_line(&mut session.stream).await? {
        match session.answer(Command::parse(&line)).await? {
            Answer::Say(answer) => session.say(answer).await?,
            Answer::SayLast(answer) => return session.say(answer).await,
            Answer::StartTls => session.start_tls().await?,
        }
    }
    Ok(())
}

struct Session<D> {
    stream: Stream,
    tls: TlsAcceptor,
    deliver: D,
    step: Step,
}

enum Step {
    /// It has not sent its name.
    Greeted,
    Idle,
    /// An envelope is filled in.
    Mail(Mail),
}

/// What a command leads to.
enum Answer {
    Say(&'static str),
    /// Behind this is the end.
    SayLast(&'static str),
    StartTls,
}

enum Command {
    Hello,
    StartTls,
    From(String),
    To(String),
    Data,
    Reset,
    Nothing,
    Quit,
    Unknown,
}

impl Command {
    fn parse(line: &str) -> Self {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word.to_ascii_uppercase().as_str(), rest) {
            ("EHLO", _) => Self::Hello,
            ("STARTTLS", "") => Self::StartTls,
            ("MAIL", rest) => address(rest, "FROM:").map_or(Self::Unknown, Self::From),
            ("RCPT", rest) => address(rest, "TO:").map_or(Self::Unknown, Self::To),
            ("DATA", "") => Self::Data,
            ("RSET", "") => Self::Reset,
            ("NOOP", _) => Self::Nothing,
            ("QUIT", "") => Self::Quit,
            _ => Self::Unknown,
        }
    }
}

/// `ada@example.org` in `FROM:<ada@example.org> SIZE=100`.
fn address(text: &str, name: &str) -> Option<String> {
    let (found, rest) = text.split_at_checked(name.len())?;
    let (address, _options) = rest.trim_start().strip_prefix('<')?.split_once('>')?;
    found.eq_ignore_ascii_case(name).then(|| address.to_owned())
}

impl<D: FnMut(Mail)> Session<D> {
    async fn say(&mut self, answer: &str) -> io::Result<()> {
        let answer = format!("{answer}\r\n");
        Ok(self.stream.write_all(answer.as_bytes()).await?)
    }

    /// Fails if something has come meanwhile.
    async fn start_tls(&mut self) -> io::Result<()> {
        self.say("220 go ahead").await?;
        self.stream.start_tls(&self.tls).await?;
        self.step = Step::Greeted; // what it sent in the clear is forgotten
        Ok(())
    }

    async fn answer(&mut self, command: Command) -> io::Result<Answer> {
        let protected = self.stream.extra_info().tls.is_some();
        Ok(Answer::Say(match (command, &mut self.step) {
            (Command::Quit, _) => return Ok(Answer::SayLast("221 good-bye")),
            (Command::StartTls, _) if protected => "503 TLS has begun already",
            // It is not protected, and an attacker may have put it there.
            (Command::StartTls, _) if !self.stream.buffered().is_empty() => {
                return Ok(Answer::SayLast("554 nothing may follow STARTTLS"));
            }
            (Command::StartTls, _) => return Ok(Answer::StartTls),
            (Command::Hello, _) => {
                self.step = Step::Idle;
                match protected {
                    true => "250 localhost",
                    false => "250-localhost\r\n250 STARTTLS",
                }
            }
            (Command::From(_), Step::Idle) if !protected => "530 say STARTTLS first",
            (Command::From(from), Step::Idle) => {
                let mail = Mail {
                    from,
                    ..Mail::default()
                };
                self.step = Step::Mail(mail);
                DONE
            }
            (Command::To(_), Step::Mail(mail)) if mail.to.len() == MAX_RECIPIENTS => {
                "452 too many recipients"
            }
            (Command::To(to), Step::Mail(mail)) => {
                mail.to.push(to);
                DONE
            }
            (Command::Data, Step::Mail(mail)) if !mail.to.is_empty() => {
                let mail = std::mem::take(mail);
                self.step = Step::Idle;
                self.take_text(mail).await?
            }
            (Command::Reset, Step::Idle | Step::Mail(_)) => {
                self.step = Step::Idle;
                DONE
            }
            (Command::Reset | Command::Nothing, _) => DONE,
            (Command::Unknown, _) => "500 no such command",
            _ => "503 not now",
        }))
    }

    async fn take_text(&mut self, mut mail: Mail) -> io::Result<&'static str> {
        self.say("354 go ahead, and end with a dot").await?;
        let mut len = 0_usize;
        while let Some(line) = next_line(&mut self.stream).await? {
            if line == "." {
                if len > MAX_TEXT {
                    return Ok("552 too long");
                }
                (self.deliver)(mail);
                return Ok("250 delivered");
            }
            len = len.saturating_add(line.len() + 2);
            if len <= MAX_TEXT {
                let line = line.strip_prefix('.').unwrap_or(&line);
                mail.lines.push(line.to_owned());
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
