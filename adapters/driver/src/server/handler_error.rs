//! How a handler failed.

use std::{any::Any, error::Error, fmt, io, time::Duration};

use crate::socket::Address;

/// An error of any kind, for handlers to return.
///
/// ```
/// use millpond::{StreamReader, StreamWriter, error::BoxError};
///
/// async fn add(mut reader: StreamReader, mut writer: StreamWriter) -> Result<(), BoxError> {
///     let line = reader.read_line().await?;
///     let sum: i64 = std::str::from_utf8(&line)?.split('+').map(|n| n.trim().parse::<i64>()).sum::<Result<_, _>>()?;
///     writer.write(format!("{sum}\n").as_bytes())?;
///     Ok(())
/// }
/// ```
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a handler of a server failed. See
/// [`on_handler_error`](crate::types::StartServer::on_handler_error) for an example.
#[non_exhaustive]
pub struct HandlerError {
    /// The peer that it served.
    pub peer_addr: Option<Address>,
    /// What happened.
    pub cause: HandlerErrorCause,
    pub(crate) client_has_left: bool,
}

impl HandlerError {
    /// Whether the handler failed because of its client: it has reset the connection, closed it in the
    /// middle of a message, sent nothing until a timeout, or was idle when a graceful shutdown began. This
    /// is no fault of the handler, so it is not printed by default.
    ///
    /// ```no_run
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
    /// let server = millpond::start_server(runtime, "127.0.0.1:8888", async |_, _| {});
    /// let server = server.on_handler_error(|error| {
    ///     if !error.client_has_left() {
    ///         eprintln!("{error}");
    ///     }
    /// });
    /// # Ok(()) }
    /// ```
    pub fn client_has_left(&self) -> bool {
        self.client_has_left
    }
}

/// How a handler failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum HandlerErrorCause {
    /// It had not finished by the shutdown deadline.
    Cancelled,
    /// It was cancelled: the [idle timeout](crate::StreamOptions::idle_timeout) has ended its connection,
    /// and it had not finished within the time that it has for that.
    Idle {
        /// How long no byte was read or written.
        timeout: Duration,
    },
    /// It returned an error.
    Failed(BoxError),
    /// It panicked, with this message.
    Panicked(String),
}

/// The message of a panic.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "(no message)".to_owned())
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the handler for ")?;
        match &self.peer_addr {
            Some(address) => address.fmt(f)?,
            None => f.write_str("an unknown peer")?,
        }
        write!(f, " {}", self.cause)
    }
}

impl fmt::Display for HandlerErrorCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => {
                f.write_str("was cancelled: it had not finished by the shutdown deadline")
            }
            Self::Idle { timeout } => write!(
                f,
                "was cancelled: nothing was read or written for {timeout:?}, and it had not finished by \
                 itself"
            ),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
        }
    }
}

impl Error for HandlerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            HandlerErrorCause::Failed(error) => error.source(),
            HandlerErrorCause::Cancelled
            | HandlerErrorCause::Idle { .. }
            | HandlerErrorCause::Panicked(_) => None,
        }
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HandlerError")
            .field(&format_args!("{self}"))
            .finish()
    }
}

/// An error, what caused it, what caused that, and so on.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| cause_of(*error))
}

fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        // Its source is not what is in it, but the source of that.
        Some(error) => error.get_ref().map(|inner| inner as _),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use millpond_core::TransportError;

    use super::*;
    use crate::open_error::OpenError;

    #[derive(Debug)]
    struct Outer(fmt::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    fn chain(error: &dyn Error) -> Vec<String> {
        let mut texts = vec![error.to_string()];
        let mut next = error.source();
        while let Some(error) = next {
            texts.push(error.to_string());
            next = error.source();
        }
        texts
    }

    /// An error of a handler or a runtime is in the text once, and its own cause is not lost.
    #[test]
    fn the_text_has_the_cause_and_source_has_the_next_one() {
        let chains = |error: &dyn Error, text: &str| {
            assert_eq!(chain(error), [text, &fmt::Error.to_string()]);
        };
        let failed = |error: BoxError| HandlerError {
            peer_addr: Some(Address::from(([127, 0, 0, 1], 80))),
            cause: HandlerErrorCause::Failed(error),
            client_has_left: false,
        };
        let handler = "the handler for 127.0.0.1:80 failed: outer";
        let error = failed(Outer(fmt::Error).into());
        chains(&error, handler);
        assert_eq!(format!("{error:?}"), format!("HandlerError({error})"));

        let io = || io::Error::other(Outer(fmt::Error));
        let error = failed(TransportError::from(io()).into());
        chains(&error, handler);
        let error = OpenError::Adopt { source: io() };
        chains(&error, "the socket cannot be used: outer");
        chains(&io::Error::from(error), "the socket cannot be used: outer");
    }
}
