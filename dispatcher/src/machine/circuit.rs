use std::time::Duration;

use super::DeliveryKey;

/// Whether an output as a whole is believed to work. After so many retryable failures in a row it is not, and
/// one delivery at a time probes it.
#[derive(Debug)]
pub(super) struct Circuit {
    failures_max: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    Closed {
        failures: u32,
    },
    /// Down. From `until` on, one delivery may probe.
    Open {
        until: Duration,
        probes: u32,
    },
    /// That one is under way.
    Probing {
        key: DeliveryKey,
        probes: u32,
    },
}

impl Circuit {
    /// Closed: the output works.
    pub(super) fn new(failures_max: u32) -> Self {
        Self {
            failures_max,
            state: State::Closed { failures: 0 },
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    /// The earliest moment an attempt may begin; `None` while a probe is under way.
    pub(super) fn allowed_at(&self) -> Option<Duration> {
        match &self.state {
            State::Closed { .. } => Some(Duration::ZERO),
            State::Open { until, .. } => Some(*until),
            State::Probing { .. } => None,
        }
    }

    /// An attempt begins; if the output is down, it is the probe.
    pub(super) fn attempt_begins(&mut self, key: &DeliveryKey) {
        if let State::Open { probes, .. } = self.state {
            self.state = State::Probing {
                key: key.clone(),
                probes,
            };
        }
    }

    /// The output did its work. True when it had been down.
    pub(super) fn answered(&mut self) -> bool {
        let was_open = self.is_open();
        self.state = State::Closed { failures: 0 };
        was_open
    }

    /// An attempt failed in a way that says nothing about its alert. `until` = how long the output is left
    /// alone after the given number of failed probes.
    pub(super) fn failed(&mut self, key: &DeliveryKey, until: impl FnOnce(u32) -> Duration) {
        let probes = match &mut self.state {
            State::Closed { failures } => {
                *failures += 1;
                if *failures < self.failures_max {
                    return;
                }
                1
            }
            State::Probing { key: probe, probes } if probe == key => probes.saturating_add(1),
            // a straggler from before it opened
            State::Open { .. } | State::Probing { .. } => return,
        };
        self.state = State::Open {
            until: until(probes),
            probes,
        };
    }
}
