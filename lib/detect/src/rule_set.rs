use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::{RuleIndex, RuleInfo};

/// Rules that cannot form a set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleSetError {
    /// Two rules have one name. Alert ids hang on the name, so one would hide the other.
    #[error("rule {name} is defined twice: in {first} and in {second}")]
    Duplicate {
        /// The name.
        name: Arc<str>,
        /// `file:line` of the first.
        first: String,
        /// `file:line` of the second.
        second: String,
    },
}

/// An immutable set of rules with an index by log type. Share it as `Arc<RuleSet>`.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Arc<RuleInfo>>,
    by_name: HashMap<Arc<str>, RuleIndex>,
    by_log_type: HashMap<Arc<str>, Box<[RuleIndex]>>,
    any_log_type: Box<[RuleIndex]>,
    version: Arc<str>,
}

impl RuleSet {
    /// Indexes `rules`; evaluation keeps their order.
    ///
    /// # Errors
    /// [`RuleSetError::Duplicate`] when two rules have one name.
    pub fn new(rules: Vec<RuleInfo>) -> Result<Self, RuleSetError> {
        let rules: Vec<Arc<RuleInfo>> = rules.into_iter().map(Arc::new).collect();
        let mut by_name: HashMap<Arc<str>, RuleIndex> = HashMap::with_capacity(rules.len());
        for (index, rule) in (0_u32..).map(RuleIndex).zip(&rules) {
            if let Some(first) = by_name.insert(rule.name.clone(), index) {
                let place = |rule: &RuleInfo| format!("{}:{}", rule.file.display(), rule.line);
                return Err(RuleSetError::Duplicate {
                    name: rule.name.clone(),
                    first: place(&rules[first.as_usize()]),
                    second: place(rule),
                });
            }
        }
        let applying = |log_type: Option<&str>| -> Box<[RuleIndex]> {
            (0_u32..)
                .map(RuleIndex)
                .zip(&rules)
                .filter(|(_, rule)| match log_type {
                    Some(log_type) => rule.applies_to(log_type),
                    None => !rule.disabled && rule.logs.is_none(),
                })
                .map(|(index, _)| index)
                .collect()
        };
        // Each name once: thousands of rules name the same ones.
        let log_types: HashSet<&Arc<str>> = rules
            .iter()
            .filter_map(|rule| rule.logs.as_ref())
            .flatten()
            .collect();
        let by_log_type = log_types
            .into_iter()
            .map(|log| (log.clone(), applying(Some(log))))
            .collect();
        let any_log_type = applying(None);
        let version = version(&rules);
        Ok(Self {
            rules,
            by_name,
            by_log_type,
            any_log_type,
            version,
        })
    }

    /// The rules, disabled ones included, in order of evaluation.
    #[must_use]
    pub fn rules(&self) -> &[Arc<RuleInfo>] {
        &self.rules
    }

    /// One rule.
    #[must_use]
    pub fn get(&self, index: RuleIndex) -> Option<&Arc<RuleInfo>> {
        self.rules.get(index.as_usize())
    }

    /// The rule of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(RuleIndex, &Arc<RuleInfo>)> {
        let index = *self.by_name.get(name)?;
        Some((index, &self.rules[index.as_usize()]))
    }

    /// The rules that are candidates for records of this log type, in order of evaluation.
    #[must_use]
    pub fn for_log_type(&self, log_type: &str) -> &[RuleIndex] {
        self.by_log_type.get(log_type).unwrap_or(&self.any_log_type)
    }

    /// Hash of everything that decides what the rules do; equal sets have equal versions.
    #[must_use]
    pub fn version(&self) -> &Arc<str> {
        &self.version
    }
}

/// The first 64 bits, in hexadecimal, of a hash over every rule's description of itself. `Debug` text serves as
/// the canonical form: it names every field, so a field added later cannot be forgotten here.
fn version(rules: &[Arc<RuleInfo>]) -> Arc<str> {
    let mut hash = blake3::Hasher::new();
    for rule in rules {
        let text = format!("{rule:?}");
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    Arc::from(&hash.finalize().to_hex()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(set: &RuleSet, log_type: &str) -> Vec<String> {
        set.for_log_type(log_type)
            .iter()
            .map(|i| set.rules()[i.as_usize()].name.to_string())
            .collect()
    }

    #[test]
    fn candidates_are_found_by_exact_log_type_and_keep_their_order() {
        let datatypes_only = RuleInfo {
            logs: None,
            ..RuleInfo::named("any", &[])
        };
        let disabled = RuleInfo {
            disabled: true,
            ..RuleInfo::named("off", &["a:b"])
        };
        let never = RuleInfo::named("never", &[]);
        let set = RuleSet::new(vec![
            RuleInfo::named("first", &["a:b", "a:c"]),
            datatypes_only,
            disabled,
            never,
            RuleInfo::named("last", &["a:b"]),
        ])
        .unwrap();
        assert_eq!(names(&set, "a:b"), ["first", "any", "last"]);
        assert_eq!(names(&set, "a:c"), ["first", "any"]);
        assert_eq!(names(&set, "a"), ["any"]);
    }

    #[test]
    fn two_rules_of_one_name_are_refused() {
        let error = RuleSet::new(vec![RuleInfo::named("r", &["a"]), RuleInfo::named("r", &["b"])]);
        assert!(matches!(error, Err(RuleSetError::Duplicate { name, .. }) if &*name == "r"));
    }

    #[test]
    fn the_version_changes_with_any_field_and_with_nothing_else() {
        let version = |rule: RuleInfo| RuleSet::new(vec![rule]).unwrap().version().clone();
        let base = RuleInfo::named("r", &["a"]);
        assert_eq!(version(base.clone()), version(base.clone()));
        assert_ne!(
            version(base.clone()),
            version(RuleInfo {
                merge_window_mins: 1,
                ..base.clone()
            })
        );
        assert_ne!(
            version(base.clone()),
            version(RuleInfo {
                code_hash: "x".into(),
                ..base
            })
        );
    }
}
