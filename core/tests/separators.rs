//! Which separators are equal.

use millpond_core::Separator;

#[test]
fn separators_are_equal_if_their_sequences_are() {
    let sets: [&[&str]; 9] = [
        &["a"],
        &["b"],
        &["ab"],
        &["ac"],
        &["a long separator"],
        &["a song separator"],
        &["a", "bc"],
        &["b", "bc"],
        &["b", "bc", "d"],
    ];
    for (i, a) in sets.iter().enumerate() {
        for (j, b) in sets.iter().enumerate() {
            let (a, b) = (Separator::any(*a), Separator::any(b.iter().rev()));
            assert_eq!(a == b, i == j, "{a:?} and {b:?}");
        }
    }
}
