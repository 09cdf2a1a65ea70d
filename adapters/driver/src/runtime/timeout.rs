//! Giving up what takes too long.

use std::{error::Error, fmt, io, time::Duration};

use futures_util::future::{Either, select};

use super::Runtime;

/// Waits for `future`, but not longer than `duration`; asyncio's `wait_for`.
///
/// Every read can be dropped and asked again, so a timeout around one loses nothing. The adapters
/// have a function of the same name that knows its runtime.
///
/// `Differs from asyncio:` the future is dropped where it waits, so it cannot refuse to be cancelled.
///
/// # Errors
///
/// [`TimedOut`] if the time is over first; the future is dropped.
///
/// # Cancel safety
///
/// That of `future`.
///
/// # Examples
///
/// ```
/// use std::{io, time::Duration};
///
/// use millpond::{Bytes, Runtime, StreamReader, timeout};
///
/// async fn command(runtime: &dyn Runtime, reader: &mut StreamReader) -> io::Result<Bytes> {
///     Ok(timeout(runtime, Duration::from_secs(60), reader.read_line()).await??)
/// }
/// ```
#[doc(alias = "wait_for")]
pub async fn timeout<F: IntoFuture>(
    runtime: &dyn Runtime,
    duration: Duration,
    future: F,
) -> Result<F::Output, TimedOut> {
    let future = std::pin::pin!(future.into_future());
    match select(future, runtime.sleep(duration)).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(((), _)) => Err(TimedOut { after: duration }),
    }
}

/// Something took longer than it may. It converts into [`io::Error`] as `TimedOut`.
///
/// See [`timeout`] for an example.
#[derive(Clone, Copy, Eq, PartialEq)]
#[non_exhaustive]
pub struct TimedOut {
    /// How long it may take.
    pub after: Duration,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timed out after {:?}", self.after)
    }
}

impl fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimedOut")
            .field(&format_args!("{self}"))
            .finish()
    }
}

impl Error for TimedOut {}

impl From<TimedOut> for io::Error {
    fn from(error: TimedOut) -> Self {
        Self::new(io::ErrorKind::TimedOut, error)
    }
}
