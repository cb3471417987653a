//! Deliberate defects, one for each promise: a scenario set that does not notice one of them is worth nothing.

use crate::invariants::Invariant;

/// What a wrapper around a service or a store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The merged alert of every group of several lacks its last member.
    ForgetsMember,
    /// The members of a closed group stay in it.
    KeepsMembers,
    /// All alerts of a rule share a group.
    MixesKeys,
    /// Groups stay open for an hour longer.
    IgnoresWindows,
    /// The store takes writes under any epoch.
    IgnoresFences,
    /// Dead letters are answered and not written.
    DropsDeadLetters,
    /// What is noted as delivered is not noted.
    DropsSettles,
    /// The dispatcher says delivered and delivers nothing, every now and then.
    DropsDeliveries,
    /// Alerts of staged rules are sent like others.
    SendsStaged,
    /// Alerts are acknowledged before they are durable.
    AcksEarly,
}

impl Mutant {
    pub(crate) const ALL: [Self; 10] = [
        Self::ForgetsMember,
        Self::KeepsMembers,
        Self::MixesKeys,
        Self::IgnoresWindows,
        Self::IgnoresFences,
        Self::DropsDeadLetters,
        Self::DropsSettles,
        Self::DropsDeliveries,
        Self::SendsStaged,
        Self::AcksEarly,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ForgetsMember => "forgets-member",
            Self::KeepsMembers => "keeps-members",
            Self::MixesKeys => "mixes-keys",
            Self::IgnoresWindows => "ignores-windows",
            Self::IgnoresFences => "ignores-fences",
            Self::DropsDeadLetters => "drops-dead-letters",
            Self::DropsSettles => "drops-settles",
            Self::DropsDeliveries => "drops-deliveries",
            Self::SendsStaged => "sends-staged",
            Self::AcksEarly => "acks-early",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.name() == name)
    }

    /// The invariant that must notice it.
    pub(crate) const fn breaks(self) -> Invariant {
        match self {
            Self::ForgetsMember | Self::KeepsMembers => Invariant::M1,
            Self::MixesKeys => Invariant::M2,
            Self::IgnoresWindows => Invariant::M3,
            Self::IgnoresFences => Invariant::M4,
            Self::DropsDeadLetters | Self::DropsSettles | Self::DropsDeliveries => Invariant::D1,
            Self::SendsStaged => Invariant::R1,
            Self::AcksEarly => Invariant::C1,
        }
    }
}
