//! How the threads of a runtime spend their time, by the kernel's own account.

use std::time::Duration;

use super::cpu::wall_time;

/// Threads of one name: what they have computed, waited for a processor, and slept, since some moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spent {
    /// Time that has passed.
    pub(super) wall: Duration,
    /// Computing time of all of them.
    pub(super) cpu: Duration,
    /// Ready to run, while the processors did something else: other programs, most of all.
    pub(super) queued: Duration,
    /// How many they are.
    pub(super) threads: u32,
}

impl Spent {
    /// Of the threads of this process that bear `name`, since the process began; `None` where there is no `/proc` to
    /// read it from. Names are cut after 15 bytes.
    pub(super) fn by(name: &str) -> Option<Self> {
        let name = &name[..name.len().min(15)];
        let mut spent = Self {
            wall: wall_time(),
            ..Self::default()
        };
        for entry in std::fs::read_dir("/proc/self/task").ok()? {
            let dir = entry.ok()?.path();
            // Threads end while we look.
            let Ok(comm) = std::fs::read_to_string(dir.join("comm")) else {
                continue;
            };
            if comm.trim_end() != name {
                continue;
            }
            // Nanoseconds of computing, nanoseconds of waiting for it, time slices (proc_pid_schedstat).
            let text = std::fs::read_to_string(dir.join("schedstat")).ok()?;
            let mut nanos = text.split_ascii_whitespace().map(|field| field.parse().ok());
            spent.cpu += Duration::from_nanos(nanos.next()??);
            spent.queued += Duration::from_nanos(nanos.next()??);
            spent.threads += 1;
        }
        Some(spent)
    }

    /// What was spent after `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            wall: self.wall.saturating_sub(before.wall),
            cpu: self.cpu.saturating_sub(before.cpu),
            queued: self.queued.saturating_sub(before.queued),
            threads: self.threads,
        }
    }

    /// The time that would have passed had every thread had a processor whenever it wanted one.
    pub(super) fn undisturbed(&self) -> Duration {
        self.wall.saturating_sub(self.queued / self.threads.max(1))
    }

    /// The share of that time in which a thread had nothing to do or waited for another one: for a lock, an answer.
    pub(super) fn idle(&self) -> f64 {
        let all = self.undisturbed().as_secs_f64() * f64::from(self.threads.max(1));
        1.0 - (self.cpu.as_secs_f64() / all).min(1.0)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::bench::cpu::thread_time;

    #[test]
    fn computing_and_sleeping_threads_are_told_apart() {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let work = || {
            let until = thread_time() + Duration::from_millis(30);
            while thread_time() < until {}
        };
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let before = wall_time();
        let busy = thread("busy").spawn(move || {
            work();
            Spent::by("busy").unwrap()
        });
        let idle = thread("idle").spawn(move || wait.recv().is_err());
        let busy = busy.unwrap().join().unwrap();
        assert_eq!(busy.threads, 1);
        assert!(busy.cpu >= Duration::from_millis(29), "{busy:?}");
        let slept = Spent::by("idle").unwrap();
        assert_eq!(slept.threads, 1);
        assert!(slept.cpu < Duration::from_millis(20), "{slept:?}");
        let slept = slept.since(&Spent {
            wall: before,
            ..Spent::default()
        });
        assert!(slept.idle() > 0.2, "{slept:?}");
        drop(go);
        assert!(idle.unwrap().join().unwrap());
    }
}
