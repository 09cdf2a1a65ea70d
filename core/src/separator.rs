//! What ends a message: one needle, or the first of several.

use alloc::{boxed::Box, sync::Arc, vec, vec::Vec};
use core::{fmt, slice};

use crate::{
    automaton::Automaton,
    byte_set::ByteSet,
    short::{self, Few, Short},
};

/// What [`Request::Until`](crate::Request::Until) reads up to: one sequence of bytes, or the first
/// of several.
///
/// Of several, the one that ends first wins; of two that end together, the shorter one. It is
/// built once and reused: one of up to 14 bytes costs nothing to build, a longer one or a set some
/// allocations and time in proportion to its bytes. A clone shares what was computed.
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
#[derive(Clone)]
pub struct Separator(Kind);

#[derive(Clone)]
enum Kind {
    Byte(u8),
    /// Invariant: two bytes or more.
    Short(Short),
    Pattern(Arc<Pattern>),
}

struct Pattern {
    /// Everything that was asked for, sorted and each once, for comparing and for showing.
    needles: Box<[Box<[u8]>]>,
    /// Length of the longest needle.
    longest: usize,
    matcher: Matcher,
}

/// How to search for a separator that is not short.
pub(crate) enum Matcher {
    /// Single bytes.
    Bytes(ByteSet),
    /// Some short needles.
    Few(Few),
    /// A long needle: its last bytes, and all of it.
    Long(Short, Automaton),
    /// Any needles.
    Set(Automaton),
}

/// A borrowed view of a separator for the search.
pub(crate) enum MatcherRef<'a> {
    Byte(u8),
    Short(&'a Short),
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
        match needle.as_ref() {
            [] => Err(EmptySeparator),
            [byte] => Ok(Self::byte(*byte)),
            needle => Ok(match Short::new(needle) {
                Some(short) => Self(Kind::Short(short)),
                None => Self::pattern(vec![needle.into()]),
            }),
        }
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
            [only] => Self::try_new(only),
            _ => Ok(Self::pattern(needles)),
        }
    }

    /// Of needles sorted by length.
    fn pattern(needles: Vec<Box<[u8]>>) -> Self {
        Self(Kind::Pattern(Arc::new(Pattern {
            longest: needles.last().map_or(0, |longest| longest.len()),
            matcher: Matcher::new(&needles),
            needles: needles.into(),
        })))
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
            Kind::Short(short) => short.len(),
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
        let (one, several) = match &self.0 {
            Kind::Byte(byte) => (Some(slice::from_ref(byte)), &[][..]),
            Kind::Short(short) => (Some(short.as_slice()), &[][..]),
            Kind::Pattern(pattern) => (None, &pattern.needles[..]),
        };
        one.into_iter()
            .chain(several.iter().map(|needle| &**needle))
    }

    /// Whether they are equal and were not built apart: in constant time.
    #[inline]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Byte(a), Kind::Byte(b)) => a == b,
            (Kind::Short(a), Kind::Short(b)) => a == b,
            (Kind::Pattern(a), Kind::Pattern(b)) => Arc::ptr_eq(a, b),
            (Kind::Byte(_) | Kind::Short(_) | Kind::Pattern(_), _) => false,
        }
    }

    #[inline]
    pub(crate) fn matcher(&self) -> MatcherRef<'_> {
        match &self.0 {
            Kind::Byte(byte) => MatcherRef::Byte(*byte),
            Kind::Short(short) => MatcherRef::Short(short),
            Kind::Pattern(pattern) => MatcherRef::Pattern(&pattern.matcher),
        }
    }
}

impl Matcher {
    /// Of needles sorted by length.
    fn new(needles: &[Box<[u8]>]) -> Self {
        if needles.iter().all(|needle| needle.len() == 1) {
            return Self::Bytes(ByteSet::new(needles.iter().map(|needle| needle[0])));
        }
        if let [only] = needles {
            let (_, tail) = only.split_at(only.len().saturating_sub(short::MAX));
            let tail = Short::new(tail).expect("a separator holds at least one byte");
            return Self::Long(tail, Automaton::new(needles));
        }
        if let Some(fewer) = without_containing(needles) {
            return Self::new(&fewer);
        }
        match Few::new(needles) {
            Some(few) => Self::Few(few),
            None => Self::Set(Automaton::new(needles)),
        }
    }
}

/// Leaves out each needle that contains a shorter one, which ends no later and so is found instead:
/// of CR LF and LF there remains LF. `None` if there is none, or more needles than are compared with each
/// other.
fn without_containing(needles: &[Box<[u8]>]) -> Option<Vec<Box<[u8]>>> {
    if needles.len() > Few::MOST {
        return None;
    }
    let contains = |needle: &[u8], part: &[u8]| {
        part.len() < needle.len() && needle.windows(part.len()).any(|window| window == part)
    };
    let is_needed = |needle: &[u8]| !needles.iter().any(|part| contains(needle, part));
    let needed = needles.iter().filter(|needle| is_needed(needle));
    let needed: Vec<_> = needed.cloned().collect();
    (needed.len() < needles.len()).then_some(needed)
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

impl PartialEq for Separator {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.needles().eq(other.needles())
    }
}

impl Eq for Separator {}

impl fmt::Debug for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("Separator");
        for needle in self.needles() {
            tuple.field(&Escaped(needle));
        }
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
