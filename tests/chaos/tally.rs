//! How often each fault was made, and that it took effect.

use std::collections::BTreeMap;

/// What is done to the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    Killed,
    Frozen,
    Restarted,
    Parted,
    Isolated,
    Throttled,
    Split,
    Merged,
    Joined,
    Left,
    LeftByKill,
}

impl Deed {
    pub(crate) const ALL: [Self; 11] = [
        Self::Killed,
        Self::Frozen,
        Self::Restarted,
        Self::Parted,
        Self::Isolated,
        Self::Throttled,
        Self::Split,
        Self::Merged,
        Self::Joined,
        Self::Left,
        Self::LeftByKill,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Killed => "process killed, started again",
            Self::Frozen => "process frozen for 10 s",
            Self::Restarted => "process asked to end, started again",
            Self::Parted => "link cut",
            Self::Isolated => "all links of a process cut",
            Self::Throttled => "AWS throttled for 5 s",
            Self::Split => "shard of the stream split",
            Self::Merged => "two shards of the stream merged",
            Self::Joined => "merger joined",
            Self::Left => "merger asked to end for good",
            Self::LeftByKill => "merger killed for good",
        }
    }

    /// By what it shows that it took effect.
    pub(crate) const fn effects(self) -> &'static [&'static str] {
        match self {
            Self::Killed | Self::LeftByKill => &["ended by SIGKILL"],
            Self::Frozen => &["stopped by SIGSTOP"],
            Self::Restarted | Self::Left => &["ended in good order"],
            Self::Parted | Self::Isolated => &["held something up"],
            Self::Throttled => &["calls to tables", "to the stream refused", "answers lost"],
            Self::Split => &["parents read to their end", "records in the halves"],
            Self::Merged => &["parents read to their end", "records in what came of them"],
            Self::Joined => &["mergers owned shards at once"],
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    made: BTreeMap<Deed, usize>,
    effects: BTreeMap<(Deed, &'static str), usize>,
}

impl Tally {
    pub(crate) fn made(&mut self, deed: Deed) {
        *self.made.entry(deed).or_default() += 1;
    }

    /// Notes an effect, the first or only one of its deed.
    pub(crate) fn took_effect(&mut self, deed: Deed) {
        let effect = deed.effects()[0];
        *self.effects.entry((deed, effect)).or_default() += 1;
    }

    pub(crate) fn set_effect(&mut self, deed: Deed, index: usize, count: usize) {
        self.effects.insert((deed, deed.effects()[index]), count);
    }

    /// As if it had been made without effect.
    pub(crate) fn spare(&mut self, deed: Deed) {
        self.made(deed);
        for index in 0..deed.effects().len() {
            self.set_effect(deed, index, 0);
        }
    }

    pub(crate) fn count(&self, deed: Deed) -> usize {
        self.made.get(&deed).copied().unwrap_or(0)
    }

    pub(crate) fn effects(&self, deed: Deed) -> impl Iterator<Item = (&'static str, usize)> {
        deed.effects()
            .iter()
            .map(move |effect| (*effect, self.effects.get(&(deed, *effect)).copied().unwrap_or(0)))
    }

    /// What is wrong with the faults: one that never took effect, or, where `all` are due, was never made.
    pub(crate) fn findings(&self, all: bool) -> Vec<String> {
        let mut findings = Vec::new();
        for deed in Deed::ALL {
            match self.count(deed) {
                0 if all => findings.push(format!("never made: {}", deed.name())),
                0 => {}
                made => {
                    let without = self.effects(deed).filter(|(_, count)| *count == 0);
                    findings.extend(without.map(|(effect, _)| {
                        format!("made {made} times without effect: {} ({effect})", deed.name())
                    }));
                }
            }
        }
        findings
    }
}
