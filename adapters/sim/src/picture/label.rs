//! Text from the wire and from the program, made harmless, and how times are written.

use crate::time::Seconds;

/// What is shown of a text that is longer.
pub(super) const SHOWN: usize = 48;

/// Without characters that a terminal obeys or that change the order of text. The escapes of bytes stay as
/// they are.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => plain.push(character),
            _ => plain.extend(character.escape_debug()),
        }
    }
    plain
}

/// Bytes as text in quotes, as far as they are known and fit, and how many there are.
pub(super) fn shown(known: &[u8], len: u64) -> String {
    let mut text = String::new();
    let mut whole = known.len() as u64 == len;
    for byte in known {
        let next = byte.escape_ascii().to_string();
        if text.len() + next.len() > SHOWN {
            whole = false;
            break;
        }
        text += &next;
    }
    let more = if whole { "" } else { "…" };
    format!("\"{text}{more}\" {}", amount(len))
}

pub(super) fn amount(bytes: u64) -> String {
    format!("{bytes} B")
}

/// A time since the world began.
pub(super) fn seconds(micros: u64) -> Seconds {
    Seconds(micros.saturating_mul(1000))
}

/// A time as it is spoken of: with three digits, in a unit that fits.
pub(super) fn duration(micros: u64) -> String {
    let (unit, name) = match micros {
        0..1_000 => return format!("{micros} µs"),
        1_000..1_000_000 => (1_000, "ms"),
        _ => (1_000_000, "s"),
    };
    let value = micros as f64 / f64::from(unit);
    let decimals = match micros / u64::from(unit as u32) {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    let text = match decimals {
        0 => &text[..],
        _ => text.trim_end_matches('0').trim_end_matches('.'),
    };
    format!("{text} {name}")
}

/// The bytes that a text stands for. `None` if it is no such text.
pub(super) fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        let escaped = match byte {
            b'\\' => *rest.next()?,
            0x20..0x7f if byte != b'"' => {
                bytes.push(byte);
                continue;
            }
            _ => return None,
        };
        bytes.push(match escaped {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'\\' | b'\'' | b'"' => escaped,
            b'x' => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                let (high, low) = (rest.next().and_then(digit)?, rest.next().and_then(digit)?);
                u8::try_from(high << 4 | low).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_survive_their_escapes() {
        for first in 0..=u8::MAX {
            for second in [0, b'\\', b'x', b'n', b'"', b'5', 0xff] {
                let bytes = [first, second];
                let text = bytes.escape_ascii().to_string();
                assert_eq!(unescaped(&text).as_deref(), Some(&bytes[..]), "{text}");
            }
        }
        for broken in ["\\", "\\x", "\\x1", "\\xg0", "\\q", "\"", "ä", "\n"] {
            assert_eq!(unescaped(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn what_is_shown_fits_and_does_not_cut_an_escape() {
        assert_eq!(shown(b"hello\n", 6), "\"hello\\n\" 6 B");
        assert_eq!(shown(b"he", 6), "\"he…\" 6 B");
        let nulls = shown(&[0; 100], 100);
        assert_eq!(nulls, format!("\"{}…\" 100 B", "\\x00".repeat(12)));
    }

    #[test]
    fn times_have_three_digits_at_most() {
        let all = [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1 ms"),
            (1_250, "1.25 ms"),
            (99_940, "99.9 ms"),
            (200_000, "200 ms"),
            (90_000_000, "90 s"),
            (3_600_000_000, "3600 s"),
        ];
        for (micros, text) in all {
            assert_eq!(duration(micros), text);
        }
    }
}
