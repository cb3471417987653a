use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Jobs that wait for a slot, in two lanes: fresh ones, and those that a slot has begun and put back because they were
/// over a limit.
///
/// Invariant: a slot holds a job for one exchange with its worker. With two slots or more at least one never takes a
/// job that was begun, and slots that do take both kinds in turn: jobs over their limits delay others by one exchange
/// at most, and are not starved by them.
pub(crate) struct Queue<J> {
    state: Mutex<State<J>>,
    /// Something to take, or the end.
    changed: Notify,
    /// Places in the lane of fresh jobs.
    room: Arc<Semaphore>,
}

struct State<J> {
    fresh: VecDeque<(J, OwnedSemaphorePermit)>,
    begun: VecDeque<J>,
    /// Slots that are at a job of the lane of begun ones, and how many may be.
    at_begun: usize,
    at_begun_max: usize,
    /// Whose turn it is.
    begun_next: bool,
    slots: usize,
    callers: usize,
    closed: bool,
}

/// The queue takes no more jobs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// A caller's right to put jobs, also into a queue that is closing.
pub(crate) struct Caller<J>(Arc<Queue<J>>);

/// A slot's right to take jobs. When the last one is gone, what waits is dropped.
pub(crate) struct Seat<J>(Arc<Queue<J>>);

/// A job in the hands of a slot.
pub(crate) struct Turn<J> {
    queue: Arc<Queue<J>>,
    job: Option<J>,
    was_begun: bool,
}

impl<J> Queue<J> {
    /// A queue for so many slots, and their seats.
    pub(crate) fn new(slots: usize, fresh_max: usize) -> (Arc<Self>, Vec<Seat<J>>) {
        let queue = Arc::new(Self {
            state: Mutex::new(State {
                fresh: VecDeque::new(),
                begun: VecDeque::new(),
                at_begun: 0,
                at_begun_max: slots.saturating_sub(1).max(1),
                begun_next: false,
                slots,
                callers: 0,
                closed: false,
            }),
            changed: Notify::new(),
            room: Arc::new(Semaphore::new(fresh_max.clamp(1, Semaphore::MAX_PERMITS))),
        });
        let seats = (0..slots).map(|_| Seat(queue.clone())).collect();
        (queue, seats)
    }

    /// Lets a caller in.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Caller<J>, Closed> {
        let mut state = self.lock();
        if state.closed {
            return Err(Closed);
        }
        state.callers += 1;
        Ok(Caller(self.clone()))
    }

    /// Lets no more callers in. Slots end when those that are in have gone and nothing waits.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Caller<J> {
    /// Puts a job; waits while the queue is full.
    pub(crate) async fn put(&self, job: J) -> Result<(), Closed> {
        let room = self.0.room.clone().acquire_owned().await.map_err(|_| Closed)?;
        let mut state = self.0.lock();
        if state.slots == 0 {
            return Err(Closed);
        }
        state.fresh.push_back((job, room));
        drop(state);
        self.0.changed.notify_one();
        Ok(())
    }
}

impl<J> Drop for Caller<J> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.callers -= 1;
        let was_last = state.closed && state.callers == 0;
        drop(state);
        if was_last {
            self.0.changed.notify_waiters();
        }
    }
}

impl<J> Seat<J> {
    /// Waits for a job; `None` at the end.
    pub(crate) async fn take(&self) -> Option<Turn<J>> {
        let queue = &self.0;
        let mut changed = pin!(queue.changed.notified());
        loop {
            // Before looking, so that no change between looking and waiting is missed.
            changed.as_mut().enable();
            {
                let mut state = queue.lock();
                if let Some((job, was_begun)) = state.next() {
                    return Some(Turn {
                        queue: queue.clone(),
                        job: Some(job),
                        was_begun,
                    });
                }
                if state.is_over() {
                    return None;
                }
            }
            changed.as_mut().await;
            changed.set(queue.changed.notified());
        }
    }
}

impl<J> Drop for Seat<J> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.slots -= 1;
        if state.slots == 0 {
            state.closed = true;
            self.0.room.close();
            let dropped = (std::mem::take(&mut state.fresh), std::mem::take(&mut state.begun));
            drop(state);
            // Their callers learn of it, and may be quick to come back.
            drop(dropped);
        }
    }
}

impl<J> State<J> {
    fn is_over(&self) -> bool {
        self.closed && self.callers == 0 && self.fresh.is_empty() && self.begun.is_empty()
    }

    fn next(&mut self) -> Option<(J, bool)> {
        let may_take_begun = self.at_begun < self.at_begun_max && !self.begun.is_empty();
        if may_take_begun && (self.begun_next || self.fresh.is_empty()) {
            self.begun_next = false;
            self.at_begun += 1;
            return self.begun.pop_front().map(|job| (job, true));
        }
        let (job, _room) = self.fresh.pop_front()?;
        self.begun_next = true;
        Some((job, false))
    }
}

impl<J> Turn<J> {
    /// The job.
    pub(crate) fn take_job(&mut self) -> Option<J> {
        self.job.take()
    }

    /// Puts a job back that is not finished.
    pub(crate) fn put_back(self, job: J) {
        let mut state = self.queue.lock();
        if state.slots > 0 {
            state.begun.push_back(job);
        }
    }
}

impl<J> Drop for Turn<J> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.at_begun -= usize::from(self.was_begun);
        let is_waiting = !state.begun.is_empty();
        let is_end = state.closed;
        drop(state);
        if is_end {
            self.queue.changed.notify_waiters();
        } else if is_waiting {
            self.queue.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
