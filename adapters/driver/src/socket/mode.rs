//! Which directions a stream has.

/// Which directions a stream has; asyncio's `StreamMode` of 3.8.
///
/// What is asked of the other direction is an error that says so:
/// [`ReadError::WriteOnly`](crate::ReadError::WriteOnly),
/// [`WriteError::ReadOnly`](crate::WriteError::ReadOnly).
///
/// ```
/// use millpond::StreamMode;
///
/// let ((_, writer), _peer) = millpond::pair();
/// assert_eq!(writer.transport().mode(), StreamMode::ReadWrite);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there are no other directions")]
pub enum StreamMode {
    /// Bytes come in, as from a pipe that is read.
    Read,
    /// Both directions, as those of a connection.
    #[doc(alias = "READWRITE")]
    ReadWrite,
    /// Bytes go out, as to a pipe that is written.
    Write,
}

impl StreamMode {
    /// Whether bytes can come in.
    ///
    /// ```
    /// assert!(!millpond::StreamMode::Write.can_read());
    /// ```
    pub fn can_read(self) -> bool {
        self != Self::Write
    }

    /// Whether bytes can go out.
    ///
    /// ```
    /// assert!(millpond::StreamMode::Write.can_write());
    /// ```
    pub fn can_write(self) -> bool {
        self != Self::Read
    }
}
