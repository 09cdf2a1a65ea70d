//! What ends a message: one needle, or the first of several.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{fmt, slice};

use memchr::memmem::Finder;

use crate::{automaton::Automaton, byte_set::ByteSet};

/// What [`Request::Until`](crate::Request::Until) reads up to: one sequence of bytes, or the first
/// of several.
///
/// Of several, the one that ends first wins; of two that end together, the shorter one. It is
/// built once and reused: a single byte costs nothing to build, a longer needle an allocation and
/// some precomputing. A clone shares what was computed.
///
/// `As in asyncio:` the rules are those of `readuntil` with a tuple of separators (CPython 3.13).
///
/// # Examples
///
/// ```
/// use millpond_core::{Reader, Request, Separator, Status};
///
/// let end_of_line = Separator::any(["\r\n", "\n"]);
/// let mut reader = Reader::new();
/// reader.feed(b"one\r\ntwo\n");
/// assert_eq!(reader.poll(Request::Until(&end_of_line))?, Status::Ready(5));
/// assert_eq!(&reader.take(5)[..], b"one\r\n");
/// assert_eq!(reader.poll(Request::Until(&end_of_line))?, Status::Ready(4));
/// # Ok::<(), millpond_core::ReadError>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Separator(Kind);

#[derive(Clone)]
enum Kind {
    Byte(u8),
    Pattern(Arc<Pattern>),
}

struct Pattern {
    /// Everything that was asked for, sorted and each once, for comparing and for showing.
    needles: Box<[Box<[u8]>]>,
    /// Length of the longest needle.
    longest: usize,
    matcher: Matcher,
}

/// How to search for a separator.
pub(crate) enum Matcher {
    /// Single bytes.
    Bytes(ByteSet),
    /// Two bytes: look for the second, check the first.
    Pair([u8; 2]),
    /// A longer needle: in bulk by the finder, byte by byte by the automaton.
    Needle(Box<Finder<'static>>, Automaton),
    /// Several needles, of which none contains another.
    Set(Automaton),
}

/// A borrowed view of a separator for the search.
pub(crate) enum MatcherRef<'a> {
    Byte(u8),
    Pattern(&'a Matcher),
}

/// A separator that holds no byte: it would be found everywhere. See
/// [`Separator::try_new`] for an example.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EmptySeparator;

impl Separator {
    /// The line feed, which ends what [`Request::Line`](crate::Request::Line) reads.
    ///
    /// ```
    /// assert_eq!(millpond_core::Separator::NEWLINE, "\n".into());
    /// ```
    pub const NEWLINE: Self = Self::byte(b'\n');

    /// A single byte; usable in constants.
    ///
    /// ```
    /// use millpond_core::Separator;
    ///
    /// const NUL: Separator = Separator::byte(0);
    /// assert_eq!(NUL, Separator::new([0]));
    /// ```
    pub const fn byte(byte: u8) -> Self {
        Self(Kind::Byte(byte))
    }

    /// One sequence of bytes, of any length.
    ///
    /// # Panics
    ///
    /// If `needle` is empty. Use [`try_new`](Self::try_new) for one that comes from outside.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond_core::Separator;
    ///
    /// assert_eq!(format!("{:?}", Separator::new("\r\n")), r#"Separator("\r\n")"#);
    /// ```
    pub fn new(needle: impl AsRef<[u8]>) -> Self {
        Self::try_new(needle).expect("a separator holds at least one byte")
    }

    /// One sequence of bytes, of any length.
    ///
    /// # Errors
    ///
    /// [`EmptySeparator`] if `needle` is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond_core::{EmptySeparator, Separator};
    ///
    /// assert!(Separator::try_new("").is_err());
    /// ```
    pub fn try_new(needle: impl AsRef<[u8]>) -> Result<Self, EmptySeparator> {
        Self::try_any([needle])
    }

    /// Whichever of several sequences of bytes ends first.
    ///
    /// # Panics
    ///
    /// If there is none, or one of them is empty. Use [`try_any`](Self::try_any) for some that come
    /// from outside.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond_core::Separator;
    ///
    /// let word_end = Separator::any([" ", "\t", "\r\n", "\n"]);
    /// ```
    pub fn any<N: AsRef<[u8]>>(needles: impl IntoIterator<Item = N>) -> Self {
        Self::try_any(needles)
            .expect("a separator holds at least one sequence, each of at least one byte")
    }

    /// Whichever of several sequences of bytes ends first.
    ///
    /// # Errors
    ///
    /// [`EmptySeparator`] if there is none, or one of them is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond_core::Separator;
    ///
    /// assert!(Separator::try_any(["\n", ""]).is_err());
    /// ```
    pub fn try_any<N: AsRef<[u8]>>(
        needles: impl IntoIterator<Item = N>,
    ) -> Result<Self, EmptySeparator> {
        let mut needles: Vec<Box<[u8]>> = needles
            .into_iter()
            .map(|needle| needle.as_ref().into())
            .collect();
        needles.sort_unstable_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        match &needles[..] {
            [] => Err(EmptySeparator),
            [shortest, ..] if shortest.is_empty() => Err(EmptySeparator),
            [only] if only.len() == 1 => Ok(Self::byte(only[0])),
            [.., longest] => Ok(Self(Kind::Pattern(Arc::new(Pattern {
                longest: longest.len(),
                matcher: Matcher::new(&needles),
                needles: needles.into(),
            })))),
        }
    }

    /// Length of the longest sequence, in bytes.
    ///
    /// ```
    /// use millpond_core::Separator;
    ///
    /// assert_eq!(Separator::any(["\n", "\r\n"]).longest(), 2);
    /// ```
    #[inline]
    pub fn longest(&self) -> usize {
        match &self.0 {
            Kind::Byte(_) => 1,
            Kind::Pattern(pattern) => pattern.longest,
        }
    }

    /// The sequences it was built from, each once, shorter ones first.
    ///
    /// ```
    /// use millpond_core::Separator;
    ///
    /// let separator = Separator::any(["\r\n", "\n", "\n"]);
    /// assert!(separator.needles().eq([&b"\n"[..], b"\r\n"]));
    /// ```
    pub fn needles(&self) -> impl Iterator<Item = &[u8]> {
        let (byte, several) = match &self.0 {
            Kind::Byte(byte) => (Some(slice::from_ref(byte)), &[][..]),
            Kind::Pattern(pattern) => (None, &pattern.needles[..]),
        };
        byte.into_iter()
            .chain(several.iter().map(|needle| &**needle))
    }

    #[inline]
    pub(crate) fn matcher(&self) -> MatcherRef<'_> {
        match &self.0 {
            Kind::Byte(byte) => MatcherRef::Byte(*byte),
            Kind::Pattern(pattern) => MatcherRef::Pattern(&pattern.matcher),
        }
    }
}

impl Matcher {
    fn new(needles: &[Box<[u8]>]) -> Self {
        let needles = without_containing(needles);
        match &needles[..] {
            [.., longest] if longest.len() == 1 => {
                Self::Bytes(ByteSet::new(needles.iter().map(|needle| needle[0])))
            }
            [only] => match only[..] {
                [first, last] => Self::Pair([first, last]),
                _ => Self::Needle(
                    Box::new(Finder::new(only).into_owned()),
                    Automaton::new(&needles),
                ),
            },
            _ => Self::Set(Automaton::new(&needles)),
        }
    }
}

/// Leaves out each needle that contains another one, because that other one ends no later and is
/// shorter. Of the rest, the one that starts first ends first, and no two end together.
fn without_containing(needles: &[Box<[u8]>]) -> Vec<Box<[u8]>> {
    let mut kept: Vec<Box<[u8]>> = Vec::new();
    // Sorted by length, so a needle can only contain one that came before it.
    for needle in needles {
        if !kept
            .iter()
            .any(|shorter| memchr::memmem::find(needle, shorter).is_some())
        {
            kept.push(needle.clone());
        }
    }
    kept
}

impl From<u8> for Separator {
    fn from(byte: u8) -> Self {
        Self::byte(byte)
    }
}

/// Shares what was computed for the original.
impl From<&Self> for Separator {
    fn from(separator: &Self) -> Self {
        separator.clone()
    }
}

/// # Panics
///
/// If the needle is empty.
impl From<&[u8]> for Separator {
    fn from(needle: &[u8]) -> Self {
        Self::new(needle)
    }
}

/// # Panics
///
/// If the needle is empty.
impl<const N: usize> From<&[u8; N]> for Separator {
    fn from(needle: &[u8; N]) -> Self {
        Self::new(needle)
    }
}

/// # Panics
///
/// If the needle is empty.
impl From<&str> for Separator {
    fn from(needle: &str) -> Self {
        Self::new(needle)
    }
}

impl PartialEq for Kind {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Byte(a), Self::Byte(b)) => a == b,
            (Self::Pattern(a), Self::Pattern(b)) => Arc::ptr_eq(a, b) || same_needles(a, b),
            (Self::Byte(_), Self::Pattern(_)) | (Self::Pattern(_), Self::Byte(_)) => false,
        }
    }
}

impl Eq for Kind {}

#[inline(never)]
fn same_needles(a: &Pattern, b: &Pattern) -> bool {
    a.needles == b.needles
}

impl fmt::Debug for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("Separator");
        match &self.0 {
            Kind::Byte(byte) => tuple.field(&Escaped(&[*byte])),
            Kind::Pattern(pattern) => {
                for needle in &pattern.needles {
                    tuple.field(&Escaped(needle));
                }
                &mut tuple
            }
        };
        tuple.finish()
    }
}

/// Shows bytes as a string with escapes.
struct Escaped<'a>(&'a [u8]);

impl fmt::Debug for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Display for EmptySeparator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a separator must hold at least one sequence, each of at least one byte")
    }
}

impl core::error::Error for EmptySeparator {}
