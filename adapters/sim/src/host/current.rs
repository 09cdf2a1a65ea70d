//! The host whose task this thread runs.

use std::{cell::RefCell, mem::ManuallyDrop};

use crate::host::host::Host;

thread_local! {
    /// The host that the running task is on, which knows its world. [`Entered`] takes it out again:
    /// without a destructor, it is there when the destructors of other locals run a world.
    static CURRENT: RefCell<ManuallyDrop<Option<Host>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
}

pub(super) fn current() -> Option<Host> {
    CURRENT.with_borrow(|current| (**current).clone())
}

/// Makes a host the current one, until this is dropped.
pub(crate) struct Entered(Option<Host>);

impl Entered {
    pub(crate) fn new(host: Host) -> Self {
        let before = CURRENT.replace(ManuallyDrop::new(Some(host)));
        Self(ManuallyDrop::into_inner(before))
    }

    /// Goes on to another host of the same world.
    pub(crate) fn go_to(&self, id: u32) {
        CURRENT.with_borrow_mut(|current| {
            if let Some(host) = &mut **current {
                host.id = id;
            }
        });
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let entered = CURRENT.replace(ManuallyDrop::new(self.0.take()));
        drop(ManuallyDrop::into_inner(entered));
    }
}

/// The host that the running task is on.
#[track_caller]
pub(crate) fn current_host() -> Host {
    current().expect("this works only within `Sim::run`, on the thread that called it")
}
