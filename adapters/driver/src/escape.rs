//! Text that others have chosen, made safe for logs and terminals.

use std::fmt::{self, Write as _};

/// These bytes as text: what cannot be printed is escaped as in a string of Rust, and so is a
/// backslash. So no two byte strings look the same.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\'' | '"' => f.write_char(character)?,
                    _ => character.escape_debug().fmt(f)?,
                }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}
