//! Arrows that go the wrong way, in crates that are made up.

use std::path::PathBuf;

use crate::{
    house::House,
    order::{self, Order},
};

const ROOT: &str = "
    mod high;
    mod low;
    pub use high::High as Top;
    pub use self::low::*;
    pub mod front { pub use crate::high::High; }
    pub struct OfTheRoot;
";

const HIGH: &str = "
    use crate::low::{Low, deep::Deep};
    pub struct High(Low, Deep);
    #[macro_export] macro_rules! made_high { () => {} }
";

fn order() -> Order {
    let table = r#"
        [[crate]]
        root = "src/lib.rs"
        rooms = ["lib", "high", "low"]
    "#;
    order::read(table).remove(0)
}

/// What is wrong in a crate whose lower room has this code.
fn problems(low: &str, deep: &str) -> Vec<String> {
    let files = [
        ("high.rs", HIGH),
        ("lib.rs", ROOT),
        ("low/deep.rs", deep),
        ("low/mod.rs", low),
    ]
    .map(|(file, text)| (PathBuf::from(file), text.to_owned()));
    order().problems(&House::read("lib.rs", &files).unwrap())
}

const LOW: &str = "pub mod deep; pub struct Low;";
const DEEP: &str = "pub struct Deep;";

fn assert_caught(deep: &str) {
    let found = problems(LOW, &format!("{DEEP}\n{deep}"));
    assert_eq!(
        found,
        ["src/low/deep.rs:2: low uses high, which is above it"],
        "{deep}"
    );
}

#[test]
fn an_arrow_that_goes_up_is_caught_however_it_is_written() {
    for wrong in [
        "use crate::high::High;",
        "use crate::{high::{self, High}, low::Low};",
        "use crate::high;",
        "use super::super::high::High;",
        "use crate::{high as tall}; fn f(_: tall::High) {}",
        "fn f(_: Vec<crate::high::High>) {}",
        "fn f() { let _ = crate::high::High::new(); }",
        "impl crate::high::Trait for Deep {}",
        "mod inner { use super::super::super::high::High; }",
        "macro_rules! m { () => { $crate::high::High } }",
        "fn f() { println!(\"{}\", crate::high::high()); }",
        "fn f() { m! { use crate::{high, low}; } }",
        "crate::made_high!();",
    ] {
        assert_caught(wrong);
    }
}

#[test]
fn a_name_of_the_root_is_that_of_the_room_it_comes_from() {
    assert_caught("use crate::Top;");
    assert_caught("fn f(_: crate::Top) {}");
    assert_caught("use crate::front::High;");
    assert_eq!(problems(LOW, "use crate::Low;"), [""; 0]);
    let found = problems(LOW, "use crate::OfTheRoot;");
    assert_eq!(
        found,
        ["src/low/deep.rs:1: low uses lib, which is above it"]
    );
}

#[test]
fn what_is_no_use_is_none() {
    for right in [
        "//! [`crate::high::High`]",
        "/// [`crate::high`]\npub(in crate::low) fn f() {}",
        "fn f() -> &'static str { \"crate::high::High\" }",
        "use high::other; // a crate",
        "#[cfg(test)] mod tests { use crate::high::High; }",
    ] {
        let deep = format!("{right}\n{DEEP}");
        assert_eq!(problems(LOW, &deep), [""; 0], "{right}");
    }
}

#[test]
fn files_that_need_each_other_are_a_circle() {
    let low = "pub mod deep; use deep::Deep; pub struct Low(Deep);";
    let deep = "pub struct Deep(Box<super::Low>);";
    let found = problems(low, deep);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with(r#"src/lib.rs: in a circle: {"low/deep.rs", "low/mod.rs"}"#));

    // A front door is none.
    let low = "pub mod deep; pub use deep::Deep; pub struct Low;";
    assert_eq!(problems(low, deep), [""; 0]);
}

#[test]
fn rooms_and_table_are_the_same() {
    let files = [("lib.rs", "mod other;"), ("other.rs", "")]
        .map(|(file, text)| (PathBuf::from(file), text.to_owned()));
    let found = order().problems(&House::read("lib.rs", &files).unwrap());
    let expected = [
        "src/lib.rs: the room other is not in the table",
        "src/lib.rs: there is no room high",
        "src/lib.rs: there is no room low",
    ];
    assert_eq!(found, expected);
}
