use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Computing time of the calling thread.
pub(super) fn thread_time() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// Computing time of all threads of this process.
pub(super) fn process_time() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// Time that passes, counted from somewhere.
pub(super) fn wall_time() -> Duration {
    read(ClockId::Monotonic)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let secs = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(secs, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Computing time of all child processes, living and waited for, to the kernel's tick of 10 ms; `None` where there
/// is no `/proc` to read it from.
pub(super) fn children_time() -> Option<Duration> {
    let own = rustix::process::getpid().as_raw_pid().to_string();
    let mut ticks = fields(&own)?.waited_for();
    for entry in std::fs::read_dir("/proc").ok()? {
        let name = entry.ok()?.file_name();
        let Some(name) = name
            .to_str()
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        else {
            continue;
        };
        // Processes come and go while we look.
        if let Some(child) = fields(name).filter(|stat| stat.parent == own) {
            ticks += child.used() + child.waited_for();
        }
    }
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Some(Duration::from_micros(ticks * 1_000_000 / per_second))
}

/// Computing time of a process and of its children and theirs, living and waited for, to the kernel's tick of 10 ms;
/// `None` where there is no `/proc` to read it from.
pub(super) fn family_time(process: u32) -> Option<Duration> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc").ok()? {
        let name = entry.ok()?.file_name().to_string_lossy().into_owned();
        if name.bytes().all(|byte| byte.is_ascii_digit())
            && let Some(stat) = fields(&name)
        {
            all.push((name, stat));
        }
    }
    let mut family = vec![process.to_string()];
    let mut ticks = 0;
    while let Some(next) = family.pop() {
        let own = all.iter().filter(|(name, _)| *name == next);
        ticks += own.map(|(_, stat)| stat.used() + stat.waited_for()).sum::<u64>();
        let children = all.iter().filter(|(_, stat)| stat.parent == next);
        family.extend(children.map(|(name, _)| name.clone()));
    }
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Some(Duration::from_micros(ticks * 1_000_000 / per_second))
}

/// What `/proc/PID/stat` says after the name in parentheses (proc_pid_stat(5)).
struct Stat {
    parent: String,
    /// utime, stime, cutime, cstime, in ticks.
    times: [u64; 4],
}

impl Stat {
    fn used(&self) -> u64 {
        self.times[0] + self.times[1]
    }

    fn waited_for(&self) -> u64 {
        self.times[2] + self.times[3]
    }
}

fn fields(pid: &str) -> Option<Stat> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse().ok();
    Some(Stat {
        parent: (*fields.get(1)?).to_owned(),
        times: [ticks(11)?, ticks(12)?, ticks(13)?, ticks(14)?],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_this_thread_is_counted_and_waiting_is_not() {
        let before = thread_time();
        let mut sum = 0_u64;
        while thread_time() - before < Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let worked = thread_time();
        let other = std::thread::spawn(|| {
            let before = thread_time();
            while thread_time() - before < Duration::from_millis(20) {}
        });
        other.join().unwrap();
        assert!(thread_time() - worked < Duration::from_millis(10));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn work_of_children_is_counted_when_they_have_ended() {
        let before = children_time().unwrap();
        let loops = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        assert!(
            std::process::Command::new("sh")
                .args(["-c", loops])
                .status()
                .unwrap()
                .success()
        );
        assert!(children_time().unwrap() > before);
        let own = rustix::process::getpid().as_raw_pid();
        assert!(family_time(own.unsigned_abs()).unwrap() > children_time().unwrap());
    }
}
