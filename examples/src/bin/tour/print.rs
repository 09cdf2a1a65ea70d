//! Prints a step: what it gave on tokio and on smol, once if that is the same.

use anstream::println;
use anstyle::{AnsiColor, Style};

use crate::see::Line;

const CODE: Style = AnsiColor::Cyan.on_default();
const GIVEN: Style = AnsiColor::Green.on_default();
const NOTE: Style = Style::new().dimmed();
const TITLE: Style = Style::new().bold();

pub(crate) fn title(number: usize, title: &str) {
    println!("{TITLE}{number}. {title}{TITLE:#}");
}

/// The same step has the same lines on both, but for what they gave.
pub(crate) fn lines(tokio: &[Line], smol: &[Line]) {
    for (index, line) in tokio.iter().enumerate() {
        match (line, smol.get(index)) {
            (Line::Note(text), _) => println!("   {NOTE}// {text}{NOTE:#}"),
            (Line::Code(code, None), _) => println!("   {CODE}{code}{CODE:#}"),
            (Line::Code(code, Some(on_tokio)), Some(Line::Code(_, Some(on_smol)))) => {
                let given = match on_tokio == on_smol {
                    true => on_tokio.clone(),
                    false => format!("{on_tokio} on tokio, {on_smol} on smol"),
                };
                println!("   {CODE}{code:<54}{CODE:#} {GIVEN}{given}{GIVEN:#}");
            }
            (Line::Code(code, Some(given)), _) => {
                println!("   {CODE}{code:<54}{CODE:#} {GIVEN}{given}{GIVEN:#} on tokio");
            }
        }
    }
    println!();
}
