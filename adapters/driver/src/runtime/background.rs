//! Where a stream's background work runs.

use std::{sync::Arc, time::Duration};

use super::{BoxFuture, Runtime, Spawn};

#[derive(Clone)]
pub(crate) enum Background {
    /// On a runtime, which can also wait.
    Runtime(Arc<dyn Runtime>),
    /// Somewhere that only takes tasks.
    Spawner(Arc<dyn Spawn>),
}

impl Background {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Runtime(runtime) => runtime.spawn(Box::pin(task)),
            Self::Spawner(spawner) => spawner.spawn(Box::pin(task)),
        }
    }

    /// Ends after so long, if there is a clock.
    pub(crate) fn timer(&self, duration: Duration) -> Option<BoxFuture<'static, ()>> {
        match self {
            Self::Runtime(runtime) => Some(runtime.sleep(duration)),
            Self::Spawner(_) => None,
        }
    }
}
