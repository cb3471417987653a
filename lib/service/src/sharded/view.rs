use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use streamalert_store::Lease;

/// Who has a slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    /// Where it is reached, as `host:port`.
    pub(crate) address: Arc<str>,
    /// Of its lease.
    pub(crate) epoch: u64,
}

/// Who has which slot, as far as this node knows, and which of them cannot be reached now. May be wrong at any time:
/// an owner that is none any more says so, and then the table is read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    slots: u16,
    owners: BTreeMap<u16, Owner>,
    down: BTreeSet<Arc<str>>,
    /// No more of this.
    pub(crate) stopped: bool,
}

/// What a reading of the table was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Listed {
    /// Slots with an owner that cannot be called, for its lease has no address.
    pub(crate) without_address: usize,
    /// Leases of slots that there should not be: this node or the table was configured for another number of them.
    pub(crate) beyond: usize,
    /// Whether anything is other than it was.
    pub(crate) changed: bool,
}

impl View {
    pub(crate) fn new(slots: u16) -> Self {
        Self {
            slots: slots.max(1),
            ..Self::default()
        }
    }

    /// Takes over the table. Leases whose keys are no `prefix` and number, such as a later version may write, are
    /// not slots.
    pub(crate) fn listed(&mut self, prefix: &str, leases: &[Lease]) -> Listed {
        let mut listed = Listed::default();
        let mut owners = BTreeMap::new();
        for lease in leases {
            let Some(slot) = slot_of(prefix, &lease.key) else {
                continue;
            };
            if slot >= u64::from(self.slots) {
                listed.beyond += 1;
                continue;
            }
            let Ok(slot) = u16::try_from(slot) else { continue };
            match (&lease.owner, &lease.address) {
                (Some(_), Some(address)) => {
                    let address = Arc::from(address.as_str());
                    let epoch = lease.epoch;
                    owners.insert(slot, Owner { address, epoch });
                }
                (Some(_), None) => listed.without_address += 1,
                (None, _) => {}
            }
        }
        listed.changed = owners != self.owners;
        self.owners = owners;
        listed
    }

    /// `by` says that it does not have `slot`, but, as far as it knows, `hint` has. Answers whether that is news.
    pub(crate) fn refused(&mut self, slot: u16, by: &str, hint: Option<&str>) -> bool {
        let Some(owner) = self.owners.get_mut(&slot).filter(|owner| *owner.address == *by) else {
            return false;
        };
        match hint.filter(|hint| *hint != by) {
            Some(hint) => owner.address = Arc::from(hint),
            None => {
                self.owners.remove(&slot);
            }
        }
        true
    }

    /// The link to `address` broke, or is there again. Answers whether that is news.
    pub(crate) fn link(&mut self, address: &Arc<str>, up: bool) -> bool {
        if up {
            self.down.remove(address)
        } else {
            self.down.insert(Arc::clone(address))
        }
    }

    pub(crate) fn owner(&self, slot: u16) -> Option<&Owner> {
        self.owners.get(&slot)
    }

    pub(crate) fn is_down(&self, address: &str) -> bool {
        self.down.contains(address)
    }

    /// Where the owners are.
    pub(crate) fn addresses(&self) -> BTreeSet<&str> {
        self.owners.values().map(|owner| &*owner.address).collect()
    }

    /// Slots that nobody is known to have.
    pub(crate) fn without_owner(&self) -> usize {
        usize::from(self.slots).saturating_sub(self.owners.len())
    }

    /// Whether the table may soon say something new.
    pub(crate) fn is_unsettled(&self) -> bool {
        !self.down.is_empty() || self.without_owner() > 0
    }
}

/// The number in a key, if the key is `prefix` and a number as we write it.
fn slot_of(prefix: &str, key: &str) -> Option<u64> {
    let text = key.strip_prefix(prefix)?;
    let slot: u64 = text.parse().ok()?;
    (slot.to_string() == text).then_some(slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(key: &str, address: Option<&str>, epoch: u64) -> Lease {
        Lease {
            owner: Some("n".into()),
            address: address.map(str::to_owned),
            epoch,
            ..Lease::free(key)
        }
    }

    fn owner(view: &View, slot: u16) -> Option<(&str, u64)> {
        view.owner(slot).map(|owner| (&*owner.address, owner.epoch))
    }

    #[test]
    fn what_a_later_version_or_another_deployment_writes_is_no_slot() {
        let mut view = View::new(4);
        let listed = view.listed(
            "merger/",
            &[
                lease("merger/0", Some("a:1"), 1),
                lease("merger/1/left", Some("b:1"), 1),
                lease("merger/+2", Some("b:1"), 1),
                lease("merger/002", Some("b:1"), 1),
                lease("merger/4", Some("b:1"), 1),
                lease("merger/65536", Some("b:1"), 1),
                lease("merger/3", None, 1),
                Lease::free("merger/2"),
            ],
        );
        let expected = Listed {
            without_address: 1,
            beyond: 2,
            changed: true,
        };
        assert_eq!(listed, expected);
        assert_eq!((view.addresses(), view.without_owner()), (["a:1"].into(), 3));
    }

    #[test]
    fn a_refusal_counts_against_the_owner_that_was_asked_only() {
        let mut view = View::new(2);
        view.listed(
            "m/",
            &[lease("m/0", Some("a:1"), 3), lease("m/1", Some("a:1"), 3)],
        );
        assert!(!view.refused(0, "old:1", Some("b:1")));
        assert!(view.refused(0, "a:1", Some("b:1")));
        assert_eq!(owner(&view, 0), Some(("b:1", 3)));
        // Says that it has not got it but has: not a place to go.
        assert!(view.refused(1, "a:1", Some("a:1")));
        assert_eq!(owner(&view, 1), None);
        let listed = view.listed("m/", &[lease("m/0", Some("a:1"), 3)]);
        assert!(listed.changed);
        assert_eq!(owner(&view, 0), Some(("a:1", 3)));
    }

    #[test]
    fn a_table_as_before_is_no_news() {
        let mut view = View::new(1);
        let table = [lease("m/0", Some("a:1"), 3)];
        assert!(view.is_unsettled());
        assert!(view.listed("m/", &table).changed && !view.is_unsettled());
        assert!(!view.listed("m/", &table).changed);
        let a: Arc<str> = Arc::from("a:1");
        assert!(view.link(&a, false) && !view.link(&a, false) && view.is_unsettled());
        assert!(view.link(&a, true) && !view.is_unsettled());
    }
}
