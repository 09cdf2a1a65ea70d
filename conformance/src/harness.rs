//! Running a scenario on a runtime, within a time limit.

use std::{
    env, fmt, panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use millpond::{Runtime, adapter::BoxFuture};

use crate::{place::Place, setup::Setup};

/// How long a scenario may take: far more than any of them needs, even on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// Sets another time limit, in seconds.
const TIME_LIMIT_VARIABLE: &str = "MILLPOND_TIME_LIMIT";

/// A runtime that is to be tested.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use millpond_conformance::{Harness, Scenario};
/// use millpond_tokio::Tokio;
///
/// /// tokio on several threads; a new runtime for each scenario.
/// struct MultiThread;
///
/// impl Harness for MultiThread {
///     fn run(scenario: Scenario) {
///         let runtime = tokio::runtime::Runtime::new().unwrap();
///         let tokio = Tokio::new(runtime.handle().clone());
///         runtime.block_on(scenario.on(Arc::new(tokio)));
///     }
/// }
/// ```
pub trait Harness {
    /// Runs the future that [`Scenario::on`] makes to its end, on the runtime that it is given.
    ///
    /// It is called for each scenario, on a thread that was made for it.
    fn run(scenario: Scenario);
}

type Start = dyn FnOnce(Arc<dyn Runtime>) -> BoxFuture<'static, ()> + Send;

/// Something that a runtime has to do right.
#[must_use = "does nothing unless it is run"]
pub struct Scenario {
    start: Box<Start>,
    finished: Arc<AtomicBool>,
}

impl Scenario {
    /// The scenario as a future that is to be run on `runtime`. It panics if the runtime, or
    /// `millpond`, is wrong.
    pub fn on(self, runtime: Arc<dyn Runtime>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            (self.start)(runtime).await;
            self.finished.store(true, Ordering::Release);
        })
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario").finish_non_exhaustive()
    }
}

/// Runs a scenario of your own as those of the suite are run.
///
/// # Panics
///
/// If the scenario does, if it does not end in time, or if the harness does not run it to its end.
///
/// # Examples
///
/// ```
/// # use millpond_conformance::{Harness, Scenario};
/// # struct OnSmol;
/// # impl Harness for OnSmol {
/// #     fn run(scenario: Scenario) {
/// #         smol::block_on(scenario.on(std::sync::Arc::new(millpond_smol::Smol)));
/// #     }
/// # }
/// use std::time::Duration;
///
/// millpond_conformance::run::<OnSmol>("sleeping", |runtime| {
///     Box::pin(async move { runtime.sleep(Duration::from_millis(1)).await })
/// });
/// ```
pub fn run<H: Harness>(
    name: &str,
    start: impl FnOnce(Arc<dyn Runtime>) -> BoxFuture<'static, ()> + Send + 'static,
) {
    let finished = Arc::new(AtomicBool::new(false));
    let scenario = Scenario {
        start: Box::new(start),
        finished: finished.clone(),
    };
    within(time_limit(), name, || H::run(scenario));
    assert!(
        finished.load(Ordering::Acquire),
        "the harness did not run {name} to its end"
    );
}

/// Runs a scenario of the suite.
pub fn check<H: Harness>(
    name: &'static str,
    place: Place,
    scenario: fn(Setup) -> BoxFuture<'static, ()>,
) {
    if place.lacks(name) {
        return;
    }
    run::<H>(name, move |runtime| {
        scenario(Setup::new(runtime, place, name))
    });
}

fn time_limit() -> Duration {
    match env::var(TIME_LIMIT_VARIABLE) {
        Ok(text) => Duration::from_secs(text.parse().unwrap_or_else(|error| {
            panic!("{TIME_LIMIT_VARIABLE} is a number of seconds, not {text:?}: {error}")
        })),
        Err(_) => TIME_LIMIT,
    }
}

/// Calls `work` on a thread, which is left behind if it does not end in time.
fn within(limit: Duration, name: &str, work: impl FnOnce() + Send + 'static) {
    let (ended, end) = mpsc::channel();
    let thread = thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let _ended: mpsc::Sender<()> = ended; // dropped in the end, even by a panic
            work();
        })
        .expect("a thread can be started");
    if end.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("{name} did not end within {limit:?}");
    }
    if let Err(payload) = thread.join() {
        panic::resume_unwind(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_TIME: Duration = Duration::from_millis(20);
    const ENOUGH: Duration = Duration::from_secs(60);

    struct Forgetful;

    impl Harness for Forgetful {
        fn run(scenario: Scenario) {
            drop(scenario);
        }
    }

    struct OnSmol;

    impl Harness for OnSmol {
        fn run(scenario: Scenario) {
            smol::block_on(scenario.on(Arc::new(millpond_smol::Smol)));
        }
    }

    #[test]
    #[should_panic(expected = "waiting did not end within 20ms")]
    fn what_hangs_fails_with_its_name() {
        within(NO_TIME, "waiting", || thread::sleep(ENOUGH));
    }

    #[test]
    #[should_panic(expected = "1 is not 2")]
    fn what_panics_fails_with_its_message() {
        within(ENOUGH, "counting", || panic!("1 is not 2"));
    }

    #[test]
    fn what_ends_in_time_passes() {
        within(ENOUGH, "nothing", || {});
    }

    #[test]
    #[should_panic(expected = "the harness did not run nothing to its end")]
    fn a_harness_that_runs_nothing_fails() {
        run::<Forgetful>("nothing", |_| Box::pin(async {}));
    }

    #[test]
    #[should_panic(expected = "1 is not 2")]
    fn a_scenario_that_panics_fails() {
        run::<OnSmol>("counting", |_| Box::pin(async { panic!("1 is not 2") }));
    }

    #[test]
    fn a_scenario_that_ends_passes() {
        run::<OnSmol>("nothing", |_| Box::pin(async {}));
    }
}
