//! What the load is, and what is to come of it.

use std::collections::BTreeSet;

/// Values that merged events are grouped by.
pub(crate) const GROUPS: usize = 7;

/// What is to come of event `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An alert of its own.
    Single,
    /// A merged one, whose group is full long before its window ends.
    Grouped,
    /// A merged one, whose group is rarely full when its window ends.
    Windowed,
    Noise,
}

impl Kind {
    /// Every fourth event raises an alert of its own, every third one that is merged.
    pub(crate) const fn of(n: usize) -> Self {
        match (n % 4, n % 6) {
            (0, _) => Self::Single,
            (_, 1) => Self::Grouped,
            (_, 3) => Self::Windowed,
            _ => Self::Noise,
        }
    }

    /// As the events and the rules of merged alerts have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Single => "alert",
            Self::Grouped => "grouped",
            Self::Windowed => "windowed",
            Self::Noise => "noise",
        }
    }

    /// The window of the rule, in minutes.
    pub(crate) const fn window_mins(self) -> u64 {
        match self {
            Self::Grouped => 30,
            Self::Windowed => 1,
            Self::Single | Self::Noise => 0,
        }
    }
}

/// The numbers of events of a kind.
pub(crate) fn expected(events: usize, kind: Kind) -> BTreeSet<usize> {
    (0..events).filter(|n| Kind::of(*n) == kind).collect()
}

/// Event `n` as a record.
pub(crate) fn event(n: usize) -> String {
    let (group, kind) = (n % GROUPS, Kind::of(n).name());
    format!(r#"{{"n": {n}, "group": "g{group}", "kind": "{kind}"}}"#)
}
