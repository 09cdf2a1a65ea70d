//! Keeps code and what it gives, to be shown, and checks that.

use std::{cell::RefCell, fmt::Debug, ops::RangeInclusive};

use millpond::error::BoxError;

/// One line of what a step has shown.
#[derive(Debug)]
pub(crate) enum Line {
    /// What goes on besides.
    Note(String),
    /// What was called, and what it gave if that is worth showing.
    Code(&'static str, Option<String>),
}

thread_local! {
    /// Of the step that runs on this thread: what it awaits runs here, too.
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// What has been shown on this thread since the last time.
pub(crate) fn take() -> Vec<Line> {
    LINES.take()
}

pub(crate) fn show(line: Line) {
    LINES.with_borrow_mut(|lines| lines.push(line));
}

/// Says what the code does not.
macro_rules! note {
    ($text:expr) => {
        $crate::see::show($crate::see::Line::Note($text.to_string()))
    };
}

/// `see!(expression => promised)` or `see!(number, in range)`; or `see!(expression)` for what gives
/// nothing worth showing.
macro_rules! see {
    ($code:expr) => {{
        $crate::see::show($crate::see::Line::Code(stringify!($code), None));
        $code
    }};
    ($code:expr => $promised:expr) => {
        $crate::see::equal(stringify!($code), &$code, &$promised)?
    };
    ($code:expr, in $range:expr) => {
        $crate::see::within(stringify!($code), $code, $range)?
    };
}
pub(crate) use {note, see};

pub(crate) fn equal<T, P>(code: &'static str, seen: &T, promised: &P) -> Result<(), BoxError>
where
    T: Debug + PartialEq<P>,
    P: Debug,
{
    show(Line::Code(code, Some(format!("{seen:?}"))));
    if seen == promised {
        Ok(())
    } else {
        Err(format!("{code} gave {seen:?}, not {promised:?}").into())
    }
}

pub(crate) fn within(
    code: &'static str,
    seen: usize,
    range: RangeInclusive<usize>,
) -> Result<(), BoxError> {
    show(Line::Code(code, Some(seen.to_string())));
    if range.contains(&seen) {
        Ok(())
    } else {
        Err(format!("{code} gave {seen}, which is not in {range:?}").into())
    }
}
