//! The catalogue: what must hold in every run.

use std::fmt;

/// A promise that runs are checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Invariant {
    /// Checked at the end, from the store and what outputs got.
    M1,
    /// Checked at the end, for every group.
    M2,
    /// Checked when a group closes, and at the end for those still open.
    M3,
    /// Checked at every commit.
    M4,
    /// Checked at the end, for every alert and every group.
    D1,
    /// Checked at every delivery.
    O1,
    /// Checked at every delivery.
    R1,
    /// Checked at every acknowledgement.
    C1,
    /// Checked at the end.
    Rest,
    /// Checked by each scenario.
    Fault,
}

impl Invariant {
    /// Those of the design. The other two guard the simulation itself.
    pub(crate) const PROMISES: [Self; 8] = [
        Self::M1,
        Self::M2,
        Self::M3,
        Self::M4,
        Self::D1,
        Self::O1,
        Self::R1,
        Self::C1,
    ];

    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::M1 => "M1",
            Self::M2 => "M2",
            Self::M3 => "M3",
            Self::M4 => "M4",
            Self::D1 => "D1",
            Self::O1 => "O1",
            Self::R1 => "R1",
            Self::C1 => "C1",
            Self::Rest => "rest",
            Self::Fault => "fault",
        }
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::M1 => "every acknowledged alert is in exactly one emitted group or still durable",
            Self::M2 => "a group holds one merge key",
            Self::M3 => "no group outlives its window by more than the bound",
            Self::M4 => "only the current epoch commits",
            Self::D1 => "each (alert, output) is delivered or in the dead-letter store",
            Self::O1 => "an update comes after the alert that it follows, and knows where that is",
            Self::R1 => "a staged rule reaches no user output",
            Self::C1 => "a position is acknowledged only after its alerts are durable",
            Self::Rest => "when the faults are over, everything comes to rest",
            Self::Fault => "a scenario makes the fault that it is about",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id(), self.text())
    }
}

/// That an invariant does not hold.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    /// What was seen.
    pub(crate) seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.seen)
    }
}
