//! The tally of the test that this thread runs.

use std::{cell::RefCell, rc::Rc};

use crate::tally::tally::Tally;

thread_local! {
    static CURRENT: RefCell<Option<Rc<RefCell<Tally>>>> = const { RefCell::new(None) };
}

/// Counts in a tally, or in none, until this is dropped.
pub(crate) struct Counting(Option<Rc<RefCell<Tally>>>);

impl Counting {
    pub(crate) fn begin(tally: Option<Rc<RefCell<Tally>>>) -> Self {
        Self(CURRENT.replace(tally))
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Outside of such a test nothing is counted.
pub(super) fn count(change: impl FnOnce(&mut Tally)) {
    // A destructor may count when the thread ends.
    let _ = CURRENT.try_with(|current| {
        if let Some(tally) = &*current.borrow() {
            change(&mut tally.borrow_mut());
        }
    });
}
