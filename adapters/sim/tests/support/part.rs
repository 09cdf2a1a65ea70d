//! What stands in a text between two others.

pub(crate) fn part<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{before:?} in:\n{text}"));
    rest.split_once(after).unwrap().0
}
