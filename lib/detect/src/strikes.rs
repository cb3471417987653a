use std::collections::BTreeMap;
use std::time::Duration;

use streamalert_types::Timestamp;

use crate::RuleIndex;

/// When a misbehaving rule is suspended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrikePolicy {
    /// Strikes that suspend a rule.
    pub strikes_max: u32,
    /// A strike older than this is forgotten, so that a rule on one odd record a day keeps running.
    pub forget_after: Duration,
    /// The first suspension; each further one doubles, up to `suspend_max`.
    pub suspend_for: Duration,
    /// The longest suspension.
    pub suspend_max: Duration,
}

impl Default for StrikePolicy {
    fn default() -> Self {
        Self {
            strikes_max: 3,
            forget_after: Duration::from_secs(3600),
            suspend_for: Duration::from_secs(600),
            suspend_max: Duration::from_secs(24 * 3600),
        }
    }
}

/// A rule that is not evaluated for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// The rule.
    pub rule: RuleIndex,
    /// When it runs again.
    pub until: Timestamp,
    /// The last strike's reason.
    pub reason: String,
    /// How often it has been suspended, this time included.
    pub times: u32,
}

/// What a strike or the passing of time leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StrikeEffect {
    /// A strike was counted.
    Warned {
        /// The rule.
        rule: RuleIndex,
        /// Strikes now.
        strikes: u32,
        /// Strikes that suspend.
        strikes_max: u32,
    },
    /// The rule is suspended from now on.
    Suspended(Suspension),
    /// The rule runs again. Its next strike suspends it again.
    Resumed {
        /// The rule.
        rule: RuleIndex,
    },
}

#[derive(Debug, Clone, Default)]
struct Ledger {
    /// Times of the strikes that count, oldest first; never more than `strikes_max`.
    strikes: Vec<Timestamp>,
    suspended: Option<Suspension>,
    suspensions: u32,
}

/// Strikes against rules that were over a limit. Grows with the number of rules that ever were.
#[derive(Debug)]
pub struct Strikes {
    policy: StrikePolicy,
    rules: BTreeMap<RuleIndex, Ledger>,
}

impl Strikes {
    /// No strikes yet.
    #[must_use]
    pub fn new(policy: StrikePolicy) -> Self {
        Self {
            policy,
            rules: BTreeMap::new(),
        }
    }

    /// Counts a strike. A rule that is suspended already (its evaluation had begun before) gets none.
    pub fn strike(&mut self, rule: RuleIndex, reason: &str, now: Timestamp) -> Option<StrikeEffect> {
        let strikes_max = self.policy.strikes_max.max(1);
        let ledger = self.rules.entry(rule).or_default();
        if ledger.suspended.is_some() {
            return None;
        }
        ledger
            .strikes
            .retain(|at| now.since(*at) <= self.policy.forget_after);
        ledger.strikes.push(now);
        let strikes = u32::try_from(ledger.strikes.len()).unwrap_or(u32::MAX);
        if strikes < strikes_max {
            return Some(StrikeEffect::Warned {
                rule,
                strikes,
                strikes_max,
            });
        }
        let doubled = 1_u32.checked_shl(ledger.suspensions.min(16)).unwrap_or(1);
        let duration = self
            .policy
            .suspend_for
            .saturating_mul(doubled)
            .min(self.policy.suspend_max);
        ledger.suspensions += 1;
        let suspension = Suspension {
            rule,
            until: now.plus(duration),
            reason: reason.to_owned(),
            times: ledger.suspensions,
        };
        ledger.suspended = Some(suspension.clone());
        Some(StrikeEffect::Suspended(suspension))
    }

    /// Ends suspensions whose time has come. A resumed rule is on probation: one strike suspends it again.
    pub fn tick(&mut self, now: Timestamp) -> Vec<StrikeEffect> {
        let probation = self.policy.strikes_max.saturating_sub(1) as usize;
        let mut effects = Vec::new();
        for (rule, ledger) in &mut self.rules {
            if ledger
                .suspended
                .as_ref()
                .is_some_and(|suspension| suspension.until <= now)
            {
                ledger.suspended = None;
                ledger.strikes = vec![now; probation];
                effects.push(StrikeEffect::Resumed { rule: *rule });
            }
        }
        effects
    }

    /// The rules that are suspended, in order.
    pub fn suspended(&self) -> impl Iterator<Item = &Suspension> {
        self.rules.values().filter_map(|ledger| ledger.suspended.as_ref())
    }

    /// Takes over what is known of the rules of another rule set; `place` tells where a rule is in this one.
    pub fn take_over(&mut self, other: &Self, place: impl Fn(RuleIndex) -> Option<RuleIndex>) {
        for (rule, ledger) in &other.rules {
            if let Some(rule) = place(*rule) {
                let mut ledger = ledger.clone();
                if let Some(suspension) = &mut ledger.suspended {
                    suspension.rule = rule;
                }
                self.rules.insert(rule, ledger);
            }
        }
    }

    /// Whether a rule is suspended.
    #[must_use]
    pub fn is_suspended(&self, rule: RuleIndex) -> bool {
        self.rules
            .get(&rule)
            .is_some_and(|ledger| ledger.suspended.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: RuleIndex = RuleIndex(4);

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_micros(secs * 1_000_000)
    }

    #[test]
    fn a_suspension_goes_with_its_rule_into_another_rule_set() {
        let mut old = Strikes::new(StrikePolicy::default());
        for _ in 0..3 {
            old.strike(RULE, "x", at(0));
        }
        let mut new = Strikes::new(StrikePolicy::default());
        new.take_over(&old, |rule| (rule == RULE).then_some(RuleIndex(1)));
        let suspended: Vec<RuleIndex> = new.suspended().map(|suspension| suspension.rule).collect();
        assert_eq!(suspended, [RuleIndex(1)]);
        assert!(!new.is_suspended(RULE));
    }

    #[test]
    fn the_third_strike_suspends_and_later_ones_do_not_count() {
        let mut strikes = Strikes::new(StrikePolicy::default());
        assert!(matches!(
            strikes.strike(RULE, "x", at(0)),
            Some(StrikeEffect::Warned { strikes: 1, .. })
        ));
        assert!(matches!(
            strikes.strike(RULE, "x", at(1)),
            Some(StrikeEffect::Warned { strikes: 2, .. })
        ));
        let Some(StrikeEffect::Suspended(suspension)) = strikes.strike(RULE, "loop", at(2)) else {
            panic!("not suspended");
        };
        assert_eq!(
            (suspension.until, suspension.times, &*suspension.reason),
            (at(602), 1, "loop")
        );
        assert_eq!(strikes.strike(RULE, "x", at(3)), None);
        assert!(strikes.is_suspended(RULE) && !strikes.is_suspended(RuleIndex(5)));
    }

    #[test]
    fn a_resumed_rule_is_suspended_for_twice_as_long_by_its_next_strike() {
        let mut strikes = Strikes::new(StrikePolicy::default());
        for second in 0..3 {
            strikes.strike(RULE, "x", at(second));
        }
        assert!(strikes.tick(at(601)).is_empty());
        assert_eq!(strikes.tick(at(602)), [StrikeEffect::Resumed { rule: RULE }]);
        let Some(StrikeEffect::Suspended(again)) = strikes.strike(RULE, "x", at(700)) else {
            panic!("not suspended again");
        };
        assert_eq!((again.until, again.times), (at(700 + 1200), 2));
    }

    #[test]
    fn old_strikes_are_forgotten() {
        let mut strikes = Strikes::new(StrikePolicy::default());
        for day in 0..10 {
            let effect = strikes.strike(RULE, "x", at(day * 86_400));
            assert!(
                matches!(effect, Some(StrikeEffect::Warned { strikes: 1, .. })),
                "day {day}"
            );
        }
    }
}
