//! Shows code and what it gives, and checks that.

use std::{fmt::Debug, ops::RangeInclusive};

use millpond::error::BoxError;

/// `see!(expression => promised)` or `see!(number, in range)`; or `see!(expression)` for what gives
/// nothing worth showing.
macro_rules! see {
    ($code:expr) => {{
        println!("   {}", stringify!($code));
        $code
    }};
    ($code:expr => $promised:expr) => {
        $crate::see::equal(stringify!($code), &$code, &$promised)?
    };
    ($code:expr, in $range:expr) => {
        $crate::see::within(stringify!($code), $code, $range)?
    };
}
pub(crate) use see;

pub(crate) fn equal<T, P>(code: &str, seen: &T, promised: &P) -> Result<(), BoxError>
where
    T: Debug + PartialEq<P>,
    P: Debug,
{
    println!("   {code:<50} {seen:?}");
    if seen == promised {
        Ok(())
    } else {
        Err(format!("{code} gave {seen:?}, not {promised:?}").into())
    }
}

pub(crate) fn within(
    code: &str,
    seen: usize,
    range: RangeInclusive<usize>,
) -> Result<(), BoxError> {
    println!("   {code:<50} {seen}");
    if range.contains(&seen) {
        Ok(())
    } else {
        Err(format!("{code} gave {seen}, which is not in {range:?}").into())
    }
}
