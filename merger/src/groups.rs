use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use slab::Slab;
use smallvec::SmallVec;
use streamalert_detect::merge::window_end;
use streamalert_store::ShardId;
use streamalert_types::{AlertId, GroupId, IdMap, Timestamp};

use streamalert_detect::merge::GroupKey;

/// What a bucket takes in memory beside its text and further members: map and timer entries, allocations.
const BUCKET_BYTES: usize = 256;

/// The alerts of a group. Most groups of a busy day hold one, which is then found without another step in memory.
pub type Members = SmallVec<[Member; 1]>;

/// Limits of the open groups.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Alerts in one group.
    pub group_alerts_max: usize,
    /// Bytes of alerts in one group, beyond the first.
    pub group_bytes_max: usize,
    /// Open groups.
    pub groups_max: usize,
    /// Bytes of all open groups in memory.
    pub bytes_max: usize,
}

/// Why a group is closed before its window has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Early {
    /// It holds as many alerts as it may.
    Alerts(usize),
    /// Its alerts take as many bytes as they may.
    Bytes(usize),
    /// So many groups are open, more than may be.
    Groups(usize),
    /// The open groups take more memory than they may: so many bytes.
    Memory(usize),
}

impl fmt::Display for Early {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, of) = match *self {
            Self::Alerts(count) => (count, "alerts"),
            Self::Bytes(count) => (count, "bytes"),
            Self::Groups(count) => (count, "open groups"),
            Self::Memory(count) => (count, "bytes of open groups"),
        };
        let digits = number.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        write!(f, " {of}")
    }
}

/// What memory knows of an alert that waits in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// When its rule fired.
    pub created: Timestamp,
    /// Its id.
    pub id: AlertId,
    /// The window that its rule had then.
    pub window_mins: u32,
    /// Bytes that its record takes when the group is merged.
    pub weight_bytes: u32,
    /// Steady time at which a group of which it is the oldest ends.
    pub due: Timestamp,
    /// It went out at once, on its own account.
    pub first: bool,
}

/// A group that is complete: to be merged and closed in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Its id, derived from its oldest member: that of no other group, ever.
    pub id: GroupId,
    /// What its members are noted under in the store: the same for all groups of this rule and key.
    pub noted_as: GroupId,
    /// Its shard.
    pub shard: ShardId,
    /// The rule of all members.
    pub rule: Arc<str>,
    /// Canonical text of the merge-key values of all members.
    pub key: Arc<[u8]>,
    /// The members, oldest first; never empty.
    pub members: Members,
    /// Why it is closed before its window has ended, if it is.
    pub early: Option<Early>,
}

impl Closing {
    /// The members that have not gone out yet.
    pub fn rest(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| !member.first)
    }

    /// The member that went out first.
    #[must_use]
    pub fn first(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.first)
    }

    /// Bytes of the records that merging reads.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        self.members
            .iter()
            .map(|member| member.weight_bytes as usize)
            .sum()
    }
}

/// Open groups, by (rule, merge-key values).
///
/// StreamAlert sorted all alerts of a rule by creation and went through them once a minute. Here a key has one
/// bucket whose members are kept in that order whatever the order of arrival, and when the window of the oldest
/// ends, or as many as a group may hold are there, the first group is cut off the front exactly as StreamAlert
/// would: from the oldest on, all that were created within its window. The rest stays. Grouping hence differs
/// from StreamAlert's only where an alert arrives after the group that it would have belonged to was sent.
///
/// Like StreamAlert's, groups of one key close in order of creation. After a step back of the wall clock a group may
/// thus wait for an older one of its key, whose end is not put off by the step.
#[derive(Debug)]
pub struct Groups {
    limits: Limits,
    /// Where in `buckets` a key has its bucket.
    places: IdMap<GroupId, usize>,
    buckets: Slab<Bucket>,
    /// (steady time, place): one entry for each bucket with members. Times come nearly in order, so that both ends
    /// stay in the cache however many there are.
    timers: BTreeSet<(Timestamp, usize)>,
    bytes: usize,
    members: usize,
}

#[derive(Debug)]
struct Bucket {
    key: GroupId,
    shard: ShardId,
    rule: Arc<str>,
    text: Arc<[u8]>,
    /// Sorted by creation, then id; never empty between two calls.
    members: Members,
    /// What the members weigh.
    weight_bytes: usize,
    /// Until when alerts are created that belong to one that went out at once.
    first_until: Option<Timestamp>,
}

impl Bucket {
    fn new(key: &GroupKey, shard: ShardId, rule: &Arc<str>) -> Self {
        Self {
            key: key.group,
            shard,
            rule: Arc::clone(rule),
            text: Arc::clone(&key.text),
            members: Members::new(),
            weight_bytes: 0,
            first_until: None,
        }
    }

    /// False when it is in already. An older alert that takes the lead does not put off the end of the group: a
    /// wall clock that steps back again and again must not keep it open.
    fn insert(&mut self, mut member: Member) -> bool {
        let order = |other: &Member| (other.created, other.id);
        let place = order(&member);
        let at = match self.members.last() {
            Some(last) if order(last) >= place => self.members.binary_search_by_key(&place, order),
            _ => Err(self.members.len()),
        };
        if let Err(at) = at {
            if at == 0
                && let Some(due) = self.due()
            {
                member.due = member.due.min(due);
            }
            self.members.insert(at, member);
            self.note(&member);
        }
        at.is_err()
    }

    fn note(&mut self, member: &Member) {
        self.weight_bytes += member.weight_bytes as usize;
        if member.first {
            let until = window_end(member.created, member.window_mins);
            self.first_until = self.first_until.max(Some(until));
        }
    }

    fn due(&self) -> Option<Timestamp> {
        self.members.first().map(|oldest| oldest.due)
    }

    fn bytes(&self) -> usize {
        BUCKET_BYTES + self.rule.len() + self.text.len()
    }

    /// Cuts the first group off. The bucket has members.
    fn cut(&mut self, limits: Limits, early: Option<Early>) -> Closing {
        let alerts_max = limits.group_alerts_max;
        let oldest = self.members[0];
        let end = window_end(oldest.created, oldest.window_mins);
        let fits = |member: &&Member| member.created <= end;
        let count = self
            .members
            .iter()
            .take(alerts_max.max(1))
            .take_while(fits)
            .count()
            .max(1);
        let members = if count == self.members.len() {
            std::mem::take(&mut self.members)
        } else {
            self.members.drain(..count).collect()
        };
        (self.weight_bytes, self.first_until) = (0, None);
        for member in self.members.clone() {
            self.note(&member);
        }
        let mut closing = Closing {
            id: GroupId::new(&self.rule, &self.text, oldest.id),
            noted_as: self.key,
            shard: self.shard,
            rule: Arc::clone(&self.rule),
            key: Arc::clone(&self.text),
            members,
            early,
        };
        let (alerts, bytes) = (closing.members.len(), closing.weight_bytes());
        if alerts >= alerts_max {
            closing.early = Some(Early::Alerts(alerts));
        } else if bytes >= limits.group_bytes_max {
            closing.early = Some(Early::Bytes(bytes));
        }
        closing
    }
}

impl Groups {
    /// No groups.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            places: IdMap::default(),
            buckets: Slab::new(),
            timers: BTreeSet::new(),
            bytes: 0,
            members: 0,
        }
    }

    /// A durable alert joins its group. Answers the group that is full with it. An alert that is in already is
    /// ignored.
    pub fn add(
        &mut self,
        shard: ShardId,
        rule: &Arc<str>,
        key: &GroupKey,
        member: Member,
    ) -> Option<Closing> {
        let place = *self.places.entry(key.group).or_insert_with(|| {
            let bucket = Bucket::new(key, shard, rule);
            self.bytes += bucket.bytes();
            self.buckets.insert(bucket)
        });
        let bucket = self.buckets.get_mut(place)?;
        let before = bucket.due();
        if !bucket.insert(member) {
            return None;
        }
        let full = bucket.members.len() >= self.limits.group_alerts_max
            || bucket.weight_bytes >= self.limits.group_bytes_max;
        let after = bucket.due();
        self.members += 1;
        self.bytes += size_of::<Member>();
        self.retime(place, before, after);
        // With this many, either the group of the oldest is full or the newest lies behind its window: in order
        // of creation nothing more can join it.
        if full { self.cut(place, None) } else { None }
    }

    /// Whether an alert waits in the open groups of this key.
    #[must_use]
    pub fn contains(&self, key: GroupId, alert: AlertId) -> bool {
        let place = self.places.get(&key);
        place
            .and_then(|place| self.buckets.get(*place))
            .is_some_and(|bucket| bucket.members.iter().any(|member| member.id == alert))
    }

    /// Whether an alert of this key that was created then belongs to one that went out at once.
    #[must_use]
    pub fn has_first(&self, key: GroupId, created: Timestamp) -> bool {
        let bucket = self.places.get(&key).and_then(|place| self.buckets.get(*place));
        bucket.is_some_and(|bucket| bucket.first_until.is_some_and(|until| created <= until))
    }

    /// The group of the oldest of this key ends now, at the steady time `now`.
    pub fn hurry(&mut self, key: GroupId, now: Timestamp) {
        let Some(&place) = self.places.get(&key) else {
            return;
        };
        let Some(bucket) = self.buckets.get_mut(place) else {
            return;
        };
        let before = bucket.due();
        if let Some(oldest) = bucket.members.first_mut() {
            oldest.due = oldest.due.min(now);
        }
        let after = bucket.due();
        self.retime(place, before, after);
    }

    /// A group whose window has ended at the steady time `now`, if any is left.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<Closing> {
        let &(due, place) = self.timers.first()?;
        if due > now { None } else { self.cut(place, None) }
    }

    /// The group nearest to its end while the open groups take more memory than they may.
    pub fn pop_over_limit(&mut self) -> Option<Closing> {
        let early = if self.bytes > self.limits.bytes_max {
            Early::Memory(self.bytes)
        } else if self.len() > self.limits.groups_max {
            Early::Groups(self.len())
        } else {
            return None;
        };
        let &(_, place) = self.timers.first()?;
        self.cut(place, Some(early))
    }

    /// The group nearest to its end.
    pub fn pop_any(&mut self) -> Option<Closing> {
        let &(_, place) = self.timers.first()?;
        self.cut(place, None)
    }

    /// When the next window ends, in steady time.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Forgets all groups of a shard. Costs a pass over everything: for a change of ownership only.
    pub fn forget(&mut self, shard: ShardId) {
        let gone: Vec<usize> = self
            .buckets
            .iter()
            .filter(|(_, bucket)| bucket.shard == shard)
            .map(|(place, _)| place)
            .collect();
        for place in gone {
            let bucket = self.remove(place);
            if let Some(due) = bucket.due() {
                self.timers.remove(&(due, place));
            }
            self.members -= bucket.members.len();
            self.bytes -= bucket.members.len() * size_of::<Member>();
        }
    }

    /// Number of open groups.
    #[must_use]
    pub fn len(&self) -> usize {
        self.timers.len()
    }

    /// Whether no group is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.timers.is_empty()
    }

    /// Number of alerts in open groups.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members
    }

    /// Bytes that the open groups take, by the estimate that the limit is about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn cut(&mut self, place: usize, early: Option<Early>) -> Option<Closing> {
        let bucket = self.buckets.get_mut(place)?;
        let before = bucket.due();
        before?;
        let closing = bucket.cut(self.limits, early);
        let after = bucket.due();
        self.members -= closing.members.len();
        self.bytes -= closing.members.len() * size_of::<Member>();
        self.retime(place, before, after);
        if after.is_none() {
            self.remove(place);
        }
        Some(closing)
    }

    fn remove(&mut self, place: usize) -> Bucket {
        let bucket = self.buckets.remove(place);
        self.places.remove(&bucket.key);
        self.bytes -= bucket.bytes();
        bucket
    }

    fn retime(&mut self, place: usize, before: Option<Timestamp>, after: Option<Timestamp>) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.timers.remove(&(before, place));
        }
        if let Some(after) = after {
            self.timers.insert((after, place));
        }
    }
}

#[cfg(test)]
mod tests;
