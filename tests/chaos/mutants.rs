//! Deliberate mistakes in the books, each of which the account must find: an account that cannot fail says nothing.

use std::time::Duration;

use crate::account::{Account, GROUP_MAX};
use crate::arrived::{Alert, Group};
use crate::events::Kind;
use crate::tally::Deed;

/// Makes the variable of this name choose a mistake, to see a run fail.
pub(crate) const VARIABLE: &str = "STREAMALERT_FLEET_MUTANT";

/// A mistake in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// An alert did not come.
    LosesAlert,
    /// A member of a group is not in it.
    LosesMember,
    /// An alert came again, while nothing was done.
    RepeatsAlert,
    /// An alert came again, as another one.
    RenamesAlert,
    /// A member is in a group of another key.
    MixesKeys,
    /// A member is in two groups.
    KeepsMember,
    /// A group holds more than its window.
    IgnoresWindow,
    /// The last record of a shard is not acknowledged.
    AcknowledgesLess,
    /// A fault had no effect.
    SparesFleet,
}

impl Mutant {
    pub(crate) const ALL: [(&'static str, Self); 9] = [
        ("loses-alert", Self::LosesAlert),
        ("loses-member", Self::LosesMember),
        ("repeats-alert", Self::RepeatsAlert),
        ("renames-alert", Self::RenamesAlert),
        ("mixes-keys", Self::MixesKeys),
        ("keeps-member", Self::KeepsMember),
        ("ignores-window", Self::IgnoresWindow),
        ("acknowledges-less", Self::AcknowledgesLess),
        ("spares-fleet", Self::SparesFleet),
    ];

    /// The one that the environment asks for.
    pub(crate) fn from_env() -> Option<Self> {
        let wanted = std::env::var(VARIABLE).ok()?;
        let found = Self::ALL.iter().find(|(name, _)| *name == wanted);
        let known: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
        Some(
            found
                .unwrap_or_else(|| panic!("{VARIABLE} is one of {known:?}"))
                .1,
        )
    }

    /// Makes the mistake. The books hold at least two groups of a kind and one alert.
    pub(crate) fn apply(self, account: &mut Account) {
        match self {
            Self::LosesAlert => {
                let key = single(account);
                account.arrived.deliveries.remove(&key);
            }
            Self::RepeatsAlert => {
                let key = single(account);
                let delivery = account.arrived.deliveries.get_mut(&key).unwrap();
                // Before the first fault.
                delivery.at = vec![Duration::ZERO, Duration::ZERO];
            }
            Self::RenamesAlert => {
                let key = single(account);
                let delivery = account.arrived.deliveries[&key].clone();
                account.arrived.add("another", delivery.alert, delivery.at[0]);
            }
            Self::LosesMember => {
                let group = group(account, has_room);
                group.members.pop();
                group.count = group.members.len();
            }
            Self::MixesKeys => self.misplace(account, |one, other| one != other),
            Self::KeepsMember => self.misplace(account, |one, other| one == other),
            Self::IgnoresWindow => {
                let group = group(account, |group| group.kind == Kind::Windowed);
                group.last = group.first.plus(Duration::from_secs(61));
            }
            Self::AcknowledgesLess => {
                let reading = account
                    .readings
                    .iter_mut()
                    .find(|reading| !reading.closed && reading.last.is_some());
                reading.unwrap().checkpoint = None;
            }
            Self::SparesFleet => account.tally.spare(Deed::ALL[0]),
        }
    }

    /// Puts a member of one group into another of the same kind, whose key is like that or is not. Of one key it stays
    /// where it was as well.
    fn misplace(self, account: &mut Account, fits: impl Fn(&str, &str) -> bool) {
        let from = group(account, has_room).clone();
        let moved = *from.members.last().unwrap();
        let to = group(account, |group| {
            fits(&group.key, &from.key) && group.kind == from.kind && has_room(group)
        });
        to.members.push(moved);
        to.count = to.members.len();
        if self == Self::MixesKeys {
            let from = group(account, |group| *group == from);
            from.members.pop();
            from.count = from.members.len();
        }
    }
}

/// The key of an alert that is not merged.
fn single(account: &Account) -> String {
    let mut deliveries = account.arrived.deliveries.iter();
    let found = deliveries.find(|(_, delivery)| matches!(delivery.alert, Alert::Single { .. }));
    found.expect("there is an alert").0.clone()
}

/// Which may have more members or fewer, as far as one can tell.
fn has_room(group: &Group) -> bool {
    group.members.len() < GROUP_MAX
}

/// The first merged alert like that.
fn group(account: &mut Account, wanted: impl Fn(&Group) -> bool) -> &mut Group {
    let deliveries = account.arrived.deliveries.values_mut();
    let mut groups = deliveries.filter_map(|delivery| match &mut delivery.alert {
        Alert::Merged(group) => Some(group),
        Alert::Single { .. } => None,
    });
    groups
        .find(|group| wanted(group))
        .expect("there is a group like that")
}

/// The mistakes that the account does not find in these books.
pub(crate) fn missed(account: &Account) -> Vec<&'static str> {
    let is_missed = |mutant: Mutant| {
        let mut account = account.clone();
        mutant.apply(&mut account);
        account.findings().is_empty()
    };
    let missed = Mutant::ALL.iter().filter(|(_, mutant)| is_missed(*mutant));
    missed.map(|(name, _)| *name).collect()
}
