//! Separators of one sequence and of several, against the plain rule.

use millpond_core::{Reader, Request, Separator, Status};

/// Every word of `a` and `b` of up to so many bytes, shorter ones first.
fn words(longest: usize) -> Vec<Vec<u8>> {
    let mut words = vec![Vec::new()];
    let mut begin = 0;
    for _ in 0..longest {
        let end = words.len();
        for index in begin..end {
            for byte in *b"ab" {
                let mut word = words[index].clone();
                word.push(byte);
                words.push(word);
            }
        }
        begin = end;
    }
    words.split_off(1)
}

/// Where the sequence ends that ends first.
fn first_end(data: &[u8], needles: &[&[u8]]) -> Option<usize> {
    (1..=data.len()).find(|end| {
        let before = &data[..*end];
        needles.iter().any(|needle| before.ends_with(needle))
    })
}

#[test]
fn of_two_sequences_the_one_that_ends_first_is_found() {
    let needles = words(4);
    let inputs = words(7);
    for a in &needles {
        for b in &needles {
            let separator = Separator::any([a, b]);
            for data in &inputs {
                let mut reader = Reader::new();
                reader.feed(data);
                let expected = match first_end(data, &[a, b]) {
                    Some(end) => Status::Ready(end),
                    None => Status::NeedData,
                };
                let answer = reader.poll(Request::Until(&separator));
                assert_eq!(answer, Ok(expected), "{separator:?} in {data:?}");
            }
        }
    }
}

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
