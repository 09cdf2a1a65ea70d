//! The few colours of the output.

use anstyle::{AnsiColor, Style};

pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const ERROR: Style = BAD;
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const HEAD: Style = Style::new().bold();
pub(crate) const INPUT: Style = AnsiColor::Cyan.on_default();
pub(crate) const PAUSED: Style = AnsiColor::Yellow.on_default();
