//! What a test says of its worlds: what is to be so in one of them, what never, and how much there was.

use crate::tally::current::count;

/// Says that something is true in one of the worlds of a [`check`](crate::check()) at least: if it never is,
/// the test fails. It draws no choice, so no world becomes another one.
///
/// Where several places have the same name, one of them is enough. A place that is never come to
/// cannot be missed: [`Check::must`](crate::Check::must) names what has to be there. Outside of a check
/// nothing is counted.
///
/// # Examples
///
/// ```
/// use millpond_sim::{check, sometimes, world};
///
/// check(0..100, |sim| {
///     let thrown = sim.run(async { world().choose(6) + 1 });
///     sometimes!(thrown == 6, "a six is thrown");
/// });
/// ```
#[macro_export]
macro_rules! sometimes {
    ($condition:expr, $name:expr $(,)?) => {
        $crate::marks::sometimes($condition, $name)
    };
}

/// Says that this place is come to. Where that is to happen in one of the worlds of a check,
/// [`Check::must`](crate::Check::must) names it. Outside of a check nothing is counted.
///
/// # Examples
///
/// ```
/// use millpond_sim::{Check, reachable, world};
///
/// Check::new(0..100).must("a six is thrown").run(|sim| {
///     sim.run(async {
///         if world().choose(6) == 5 {
///             reachable!("a six is thrown");
///         }
///     })
/// });
/// ```
#[macro_export]
macro_rules! reachable {
    ($name:expr $(,)?) => {
        $crate::marks::sometimes(true, $name)
    };
}

/// Says that this place is never come to.
///
/// # Panics
///
/// Always, so the world fails.
///
/// # Examples
///
/// ```should_panic
/// use millpond_sim::{check, never, world};
///
/// check(0..100, |sim| {
///     sim.run(async {
///         if world().choose(6) == 5 {
///             never!("a six is thrown");
///         }
///     })
/// });
/// ```
#[macro_export]
macro_rules! never {
    ($name:expr $(,)?) => {
        $crate::marks::never($name)
    };
}

/// Notes a number, of whose kind the report of a check has the least and the greatest one, each with its
/// world. Outside of a check nothing is noted.
///
/// # Examples
///
/// ```
/// use millpond_sim::{Check, observe, world};
///
/// let report = Check::new(0..100).run(|sim| {
///     let thrown = sim.run(async { world().choose(6) + 1 });
///     observe!("thrown", thrown);
/// });
/// assert_eq!(report.observed("thrown"), Some(1..=6));
/// ```
#[macro_export]
macro_rules! observe {
    ($name:expr, $value:expr $(,)?) => {
        $crate::marks::observe($name, ($value) as i128)
    };
}

/// Behind [`sometimes!`](crate::sometimes) and [`reachable!`](crate::reachable).
pub fn sometimes(is_true: bool, name: &'static str) {
    count(|tally| tally.mark(name, is_true));
}

/// Behind [`never!`](crate::never).
///
/// # Panics
///
/// Always.
#[track_caller]
pub fn never(name: &str) -> ! {
    panic!("this is never to happen: {name}");
}

/// Behind [`observe!`](crate::observe).
pub fn observe(name: &'static str, value: i128) {
    count(|tally| tally.observe(name, value));
}
