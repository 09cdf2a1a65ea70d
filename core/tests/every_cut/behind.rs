//! What is asked behind the front, beside the plain model, with every cut.

use millpond_core::{Reader, TransportError};

use crate::{
    ENDS, UNCAPPED,
    conversation::for_every_cut,
    support::{Answer, Ask, End, Model, answer},
};

/// A question, and the reader that it is put to.
struct Case<'a> {
    input: &'a [u8],
    end: End,
    limit: usize,
    cap: usize,
    offset: usize,
    ask: &'a Ask,
}

impl Case<'_> {
    /// Asks after each piece and after the end, and gives the first answer.
    fn first_answer(&self, cuts: &[usize]) -> Option<Answer> {
        let mut reader = Reader::with_limit(self.limit).with_cap(self.cap);
        let mut model = Model::new(self.limit, self.cap);
        let mut came = 0;
        let mut first = None;
        for cut in cuts {
            let piece = &self.input[came..*cut];
            reader.feed(piece);
            model.feed(piece);
            came = *cut;
            let answer = self.ask(&mut reader, &model);
            first = first.or(answer);
        }
        match self.end {
            End::Open => {}
            End::Eof => reader.feed_eof(),
            End::Failed => reader.fail(TransportError::new("reset")),
        }
        model.end = self.end;
        let last = self.ask(&mut reader, &model);
        first.or(last)
    }

    /// Twice, and something else of the front in between: nothing is removed, and the answer stays.
    fn ask(&self, reader: &mut Reader, model: &Model) -> Option<Answer> {
        let Self { offset, ask, .. } = self;
        let expected = model.ask_at(*offset, ask);
        for _ in 0..2 {
            let polled = reader.poll_at(*offset, ask.request());
            let came = answer(reader, polled);
            assert_eq!(
                came, expected,
                "{ask:?} behind {offset} of {:?}",
                model.data
            );
            assert_eq!(reader.buffered(), model.data);
            if let End::Open = model.end {
                let _ = reader.poll(Ask::until(&["\r\n", "ab"]).request());
            }
        }
        expected
    }
}

fn asks() -> Vec<Ask> {
    vec![
        Ask::Exactly(0),
        Ask::Exactly(2),
        Ask::Exactly(usize::MAX),
        Ask::Line,
        Ask::Peek(0),
        Ask::Peek(3),
        Ask::ToEof,
        Ask::until(&["\n"]),
        Ask::until(&["\r\n"]),
        Ask::until(&["aab"]),
        Ask::until(&["abab", "b\n"]),
        Ask::UpTo(2),
    ]
}

#[test]
fn answers_behind_the_front_are_those_of_the_plain_rules_however_the_input_is_cut() {
    for input in [b"aab\naab", b"\r\r\n\n\r\na", b"ababab\n"] {
        for ask in &asks() {
            for (limit, cap) in [(1, UNCAPPED), (3, UNCAPPED), (20, 6)] {
                for offset in [0, 1, 2, 5, 9, usize::MAX] {
                    for end in ENDS {
                        let case = Case {
                            input,
                            end,
                            limit,
                            cap,
                            offset,
                            ask,
                        };
                        let mut answers = Vec::new();
                        for_every_cut(input.len(), |cuts| answers.push(case.first_answer(cuts)));
                        if let Ask::UpTo(_) = ask {
                            continue; // the one that may depend on the cut
                        }
                        assert!(answers.windows(2).all(|two| two[0] == two[1]), "{ask:?}");
                    }
                }
            }
        }
    }
}
