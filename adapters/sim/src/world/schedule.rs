//! Spawning tasks, picking the next one to run, and ending them.

use std::sync::Arc;

use millpond::adapter::BoxFuture;

use crate::{
    tape::Subject,
    trace::event::Event,
    world::{
        state::{Phase, State},
        task::{ROOT, Ready, Slot},
    },
};

impl State {
    /// Gives the task back if the world has ended.
    pub(crate) fn spawn(
        &mut self,
        ready: &Arc<Ready>,
        host: u32,
        task: BoxFuture<'static, ()>,
    ) -> Result<(), BoxFuture<'static, ()>> {
        if self.phase == Phase::Ended {
            return Err(task);
        }
        let number = self.next_task;
        self.next_task += 1;
        self.note(Event::Spawned(number, host));
        let place = self.free_tasks.pop().unwrap_or(self.tasks.len());
        let slot = Slot::new(ready, place, number, host, Some(task));
        slot.waker.wake_task();
        if place == self.tasks.len() {
            self.tasks.push(slot);
        } else {
            self.tasks[place] = slot;
        }
        Ok(())
    }

    /// Takes one of the woken tasks; a random one, unless they are to run in order.
    pub(crate) fn pick(&mut self, ready: &Ready) -> Option<usize> {
        let mut queue = ready.queue();
        let index = match self.settings.in_order {
            true => 0,
            false => self.choices.index(Subject::Order, queue.len()),
        };
        // The first one has waited longest, so no task waits for ever when there are no choices left.
        let task = queue.swap_remove_front(index);
        drop(queue);
        if let Some(task) = task {
            self.tasks[task].waker.reset();
        }
        task
    }

    /// Now and then, wakes a task for no reason.
    pub(crate) fn wake_spuriously(&mut self) {
        if self
            .choices
            .one_in(Subject::WakeUp, self.settings.spurious_wakeups)
        {
            let index = self.choices.index(Subject::WakeUp, self.tasks.len());
            let slot = &self.tasks[index];
            if slot.alive {
                slot.waker.wake_task();
            }
        }
    }

    /// Ends all tasks of a host; the one that runs ends when it waits. They are to be dropped without
    /// the lock.
    pub(crate) fn take_tasks_of(&mut self, host: u32) -> Vec<BoxFuture<'static, ()>> {
        let mut taken = Vec::new();
        for (place, slot) in self.tasks.iter_mut().enumerate().skip(1) {
            if slot.alive && slot.host == host {
                slot.alive = false;
                if let Some((future, _)) = slot.work.take() {
                    taken.push(future);
                    self.free_tasks.push(place);
                }
            }
        }
        taken
    }

    /// Those that have not ended, without the root.
    pub(crate) fn live_tasks(&self) -> impl Iterator<Item = &Slot> {
        self.tasks[1..].iter().filter(|slot| slot.alive)
    }

    pub(crate) fn is_root_alive(&self) -> bool {
        self.tasks.get(ROOT).is_some_and(|slot| slot.alive)
    }
}
