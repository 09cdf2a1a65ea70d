//! Running a scenario under many schedules.

use std::env;

use shuttle::{
    Config, MaxSteps, Runner,
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
};

/// So many schedules of each scenario and scheduler.
const SCHEDULES: usize = 1_000;

/// No scenario takes as many steps; one that does goes round in circles.
const STEPS: usize = 50_000;

/// At how many places a schedule of the second kind changes which thread comes first.
const DEPTH: usize = 3;

/// Runs `scenario` under schedules by pure chance, and under some that rarely change the thread, which
/// find what needs one thread to be very late.
pub(crate) fn explore(scenario: fn()) {
    if let Ok(schedule) = env::var("MILLPOND_SCHEDULE") {
        return shuttle::replay(scenario, &schedule);
    }
    let schedules = env::var("MILLPOND_SCHEDULES")
        .map_or(SCHEDULES, |number| number.parse().expect("a number"));
    run(RandomScheduler::new(schedules), scenario);
    run(PctScheduler::new(DEPTH, schedules), scenario);
}

fn run(scheduler: impl Scheduler + 'static, scenario: fn()) {
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(STEPS);
    Runner::new(scheduler, config).run(scenario);
}
