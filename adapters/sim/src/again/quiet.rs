//! Runs a test without printing its panics, and knows where they were.

use std::{
    any::Any,
    cell::RefCell,
    panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind},
    sync::Once,
};

thread_local! {
    /// The panics of what runs quietly on this thread.
    static PANICS: RefCell<Option<Vec<Panic>>> = const { RefCell::new(None) };
}

/// A panic that was not printed.
#[derive(Clone, Debug)]
pub(crate) struct Panic {
    /// The file and the line.
    pub(crate) place: String,
    pub(crate) message: String,
}

/// Whether it ended by a panic, and all panics on the way.
pub(crate) fn run_quietly(run: impl FnOnce()) -> (bool, Vec<Panic>) {
    install();
    let before = PANICS.replace(Some(Vec::new()));
    let failed = catch_unwind(AssertUnwindSafe(run)).is_err();
    let panics = PANICS.replace(before).unwrap_or_default();
    (failed, panics)
}

/// Once for all: a hook that hands on the panics that are to be printed.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !note(info) {
                print(info);
            }
        }));
    });
}

/// Whether the panic is not to be printed.
fn note(info: &PanicHookInfo<'_>) -> bool {
    let noted = PANICS.try_with(|panics| match &mut *panics.borrow_mut() {
        Some(panics) => {
            panics.push(Panic {
                place: info.location().map(ToString::to_string).unwrap_or_default(),
                message: message(info.payload()),
            });
            true
        }
        None => false,
    });
    noted.unwrap_or(false)
}

/// The text of a panic.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_default()
}
