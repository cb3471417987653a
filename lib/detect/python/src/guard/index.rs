//! For each log type, which rules a record is worth running on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use streamalert_detect::{RuleIndex, RuleSet};
use streamalert_value::{Kind, NodeRef};

use super::cidr::Networks;
use super::cond::{Atom, Fact};
use super::paths::Paths;
use crate::cx::Cx;
use crate::marks::Place;
use crate::obj::Obj;
use crate::ops::key::hash_str;
use crate::program::{PathId, Program};

/// The rules to run, by log type.
#[derive(Debug)]
pub struct Index {
    /// Clauses by rule; `None`: always.
    clauses: Vec<Option<Vec<Atom>>>,
    by_log_type: HashMap<Arc<str>, LogIndex>,
    /// For log types that no rule names: rules for all log types.
    other: LogIndex,
}

/// The index of one log type.
#[derive(Debug)]
pub struct LogIndex {
    /// Its candidate rules in order: bit `i` is for the `i`-th.
    pub rules: Box<[RuleIndex]>,
    /// Rules that are run on every record.
    always: Box<[u64]>,
    paths: Box<[PathIndex]>,
    walk: super::walk::Walk,
}

/// Rules, as places among a log type's candidates.
type Rules = Box<[u32]>;

/// What a field's value says.
#[derive(Debug, Default)]
struct PathIndex {
    path: PathId,
    absent: Rules,
    odd: Rules,
    under_null: Rules,
    filled: Rules,
    empty: Rules,
    present: Rules,
    not_text: Rules,
    container: Rules,
    scalar: Rules,
    list: Rules,
    not_number: Rules,
    null: Rules,
    text: Texts,
    lower: Texts,
    upper: Texts,
    prefixes: Vec<(Box<str>, Rules)>,
    suffixes: Vec<(Box<str>, Rules)>,
    contains: Option<Substrings>,
    lower_contains: Option<Substrings>,
    ints: HashMap<i64, Rules>,
    above: Vec<(f64, Rules)>,
    below: Vec<(f64, Rules)>,
    networks: Vec<(Networks, Rules)>,
    /// Some fact is asked of texts beside equality, so that the text must be made even if it is escaped.
    asks_texts: bool,
}

/// Rules by a text.
#[derive(Debug, Default)]
struct Texts {
    by_hash: HashMap<u64, Vec<(Box<str>, Rules)>, Hashed>,
}

type Hashed = std::hash::BuildHasherDefault<Identity>;

/// Hashes are hashed already.
#[derive(Debug, Default)]
struct Identity(u64);

impl std::hash::Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Rules by a text that is searched for, all at once.
#[derive(Debug)]
struct Substrings {
    automaton: AhoCorasick,
    rules: Vec<Rules>,
}

impl Index {
    /// Finds out on which records each rule may fire or raise. `codes` gives each rule's place in the program, which
    /// gets the field paths that the index asks and no expression does.
    #[must_use]
    pub fn build(program: &mut Program, rules: &RuleSet, codes: &[Option<u32>]) -> Self {
        let mut paths = Paths::new(&program.paths);
        let clauses: Vec<Option<Vec<Atom>>> = codes
            .iter()
            .zip(rules.rules())
            .map(|(code, info)| {
                let rule = program.rules.get((*code)? as usize)?;
                let condition = super::condition(program, &mut paths, rule);
                let condition = super::gate::gated(condition, &mut paths, info);
                condition.clause().map(|(atoms, _)| atoms)
            })
            .collect();
        program.paths.extend(paths.added());
        // Each name once: thousands of rules name the same ones.
        let names: HashSet<&Arc<str>> = rules
            .rules()
            .iter()
            .filter_map(|rule| rule.logs.as_ref())
            .flatten()
            .collect();
        let by_log_type = names
            .into_iter()
            .map(|name| {
                (
                    name.clone(),
                    LogIndex::build(program, rules.for_log_type(name), &clauses),
                )
            })
            .collect();
        // A name that no rule can have: the answer is what rules without log types give.
        let other = LogIndex::build(program, rules.for_log_type("\0"), &clauses);
        Self {
            clauses,
            by_log_type,
            other,
        }
    }

    /// The index of a log type.
    #[must_use]
    pub fn of(&self, log_type: &str) -> &LogIndex {
        self.by_log_type.get(log_type).unwrap_or(&self.other)
    }

    /// Facts of which one must hold for a rule to be run; `None`: it is always run.
    #[must_use]
    pub fn clause(&self, rule: RuleIndex) -> Option<&[Atom]> {
        self.clauses.get(rule.as_usize())?.as_deref()
    }
}

impl LogIndex {
    fn build(program: &Program, rules: &[RuleIndex], clauses: &[Option<Vec<Atom>>]) -> Self {
        let mut always = vec![0_u64; rules.len().div_ceil(64)];
        let mut facts: BTreeMap<PathId, BTreeMap<&Fact, Vec<u32>>> = BTreeMap::new();
        for (place, rule) in (0_u32..).zip(rules) {
            match clauses.get(rule.as_usize()).and_then(Option::as_deref) {
                None => always[place as usize / 64] |= 1 << (place % 64),
                Some(atoms) => {
                    for atom in atoms {
                        facts
                            .entry(atom.path)
                            .or_default()
                            .entry(&atom.fact)
                            .or_default()
                            .push(place);
                    }
                }
            }
        }
        let walk = super::walk::Walk::new(program, facts.keys().copied());
        let paths = facts
            .into_iter()
            .map(|(path, facts)| PathIndex::build(path, facts));
        Self {
            rules: rules.into(),
            always: always.into(),
            paths: paths.collect(),
            walk,
        }
    }

    /// Sets the bits of the rules, as places in [`LogIndex::rules`], that may fire or raise on this record.
    pub fn candidates(&self, cx: &Cx<'_>, bits: &mut [u64]) {
        for (word, always) in bits.iter_mut().zip(&self.always) {
            *word = *always;
        }
        self.walk.run(cx);
        for path in &self.paths {
            path.look(cx, bits);
        }
    }

    /// How many rules are run on every record, and how many fields are asked.
    #[must_use]
    pub fn shape(&self) -> (u32, usize) {
        (
            self.always.iter().map(|word| word.count_ones()).sum(),
            self.paths.len(),
        )
    }
}

fn set(bits: &mut [u64], rules: &[u32]) {
    for rule in rules {
        if let Some(word) = bits.get_mut(*rule as usize / 64) {
            *word |= 1 << (rule % 64);
        }
    }
}

impl PathIndex {
    fn build(path: PathId, facts: BTreeMap<&Fact, Vec<u32>>) -> Self {
        let mut index = Self {
            path,
            ..Self::default()
        };
        let (mut contains, mut lower_contains) = (Vec::new(), Vec::new());
        for (fact, rules) in facts {
            let rules: Rules = rules.into();
            match fact {
                Fact::Absent => index.absent = rules,
                Fact::Odd => index.odd = rules,
                Fact::UnderNull => index.under_null = rules,
                Fact::Filled => index.filled = rules,
                Fact::Empty => index.empty = rules,
                Fact::Present => index.present = rules,
                Fact::NotText => index.not_text = rules,
                Fact::Container => index.container = rules,
                Fact::Scalar => index.scalar = rules,
                Fact::List => index.list = rules,
                Fact::NotNumber => index.not_number = rules,
                Fact::Null => index.null = rules,
                Fact::Text(text) => index.text.insert(text, rules),
                Fact::Lower(text) => index.lower.insert(text, rules),
                Fact::Upper(text) => index.upper.insert(text, rules),
                Fact::Prefix(text) => index.prefixes.push((text.clone(), rules)),
                Fact::Suffix(text) => index.suffixes.push((text.clone(), rules)),
                Fact::Contains(text) => contains.push((text.clone(), rules)),
                Fact::LowerContains(text) => lower_contains.push((text.clone(), rules)),
                Fact::Int(number) => {
                    index.ints.insert(*number, rules);
                }
                Fact::Above(bound) => index.above.push((bound.0, rules)),
                Fact::Below(bound) => index.below.push((bound.0, rules)),
                Fact::Network(networks) => index.networks.push((networks.clone(), rules)),
            }
        }
        for (needles, found) in [
            (contains, &mut index.contains),
            (lower_contains, &mut index.lower_contains),
        ] {
            match Substrings::build(needles) {
                Ok(substrings) => *found = substrings,
                // Too large for an automaton: these rules are run whenever the field is there.
                Err(rules) => index.present = index.present.iter().copied().chain(rules).collect(),
            }
        }
        index.asks_texts = !index.prefixes.is_empty()
            || !index.suffixes.is_empty()
            || index.contains.is_some()
            || index.lower_contains.is_some()
            || !index.lower.by_hash.is_empty()
            || !index.upper.by_hash.is_empty()
            || !index.networks.is_empty()
            || !index.text.by_hash.is_empty();
        index
    }

    #[inline]
    fn look(&self, cx: &Cx<'_>, bits: &mut [u64]) {
        match cx.place(self.path) {
            Place::Absent => set(bits, &self.absent),
            Place::Odd => set(bits, &self.odd),
            Place::UnderNull => set(bits, &self.under_null),
            Place::Node(node) => {
                let node = cx.node(node);
                let kind = node.kind();
                let plain = match kind {
                    Kind::Text => !node.is_escaped() || cx.object(node).is_ok(),
                    Kind::Int => node.as_i64().is_some(),
                    _ => true,
                };
                if !plain {
                    // Whoever reads it may leave for CPython, or it is too large for the facts about numbers.
                    return self.everything(bits);
                }
                set(bits, &self.present);
                if !(self.filled.is_empty() && self.empty.is_empty()) {
                    let rules = if node.is_truthy() {
                        &self.filled
                    } else {
                        &self.empty
                    };
                    set(bits, rules);
                }
                match kind {
                    Kind::Text => {
                        set(bits, &self.not_number);
                        if self.asks_texts {
                            self.look_text(cx, node, bits);
                        }
                    }
                    kind => self.look_other(kind, node, bits),
                }
            }
        }
    }

    fn look_text<'a>(&self, cx: &Cx<'a>, node: NodeRef<'a>, bits: &mut [u64]) {
        let Ok(Obj::Str(text)) = cx.object(node) else {
            return self.everything(bits);
        };
        self.text.look(text, bits);
        for (prefix, rules) in &self.prefixes {
            if text.starts_with(&**prefix) {
                set(bits, rules);
            }
        }
        for (suffix, rules) in &self.suffixes {
            if text.ends_with(&**suffix) {
                set(bits, rules);
            }
        }
        if let Some(contains) = &self.contains {
            contains.look(text, bits);
        }
        for (networks, rules) in &self.networks {
            if networks.may_hold(text) {
                set(bits, rules);
            }
        }
        if self.lower_contains.is_some() || !self.lower.by_hash.is_empty() {
            with_case(text, char::is_uppercase, str::to_lowercase, |lower| {
                self.lower.look(lower, bits);
                if let Some(contains) = &self.lower_contains {
                    contains.look(lower, bits);
                }
            });
        }
        if !self.upper.by_hash.is_empty() {
            with_case(text, char::is_lowercase, str::to_uppercase, |upper| {
                self.upper.look(upper, bits)
            });
        }
    }

    fn look_other(&self, kind: Kind, node: NodeRef<'_>, bits: &mut [u64]) {
        set(bits, &self.not_text);
        if !matches!(kind, Kind::List | Kind::Map) {
            set(bits, &self.scalar);
        }
        if kind == Kind::List {
            set(bits, &self.list);
        }
        let number = match kind {
            Kind::Null => {
                set(bits, &self.null);
                set(bits, &self.not_number);
                return;
            }
            Kind::List | Kind::Map => {
                set(bits, &self.container);
                set(bits, &self.not_number);
                return;
            }
            Kind::True => 1.0,
            Kind::False => 0.0,
            _ => node.as_f64().unwrap_or(f64::NAN),
        };
        let exact = match kind {
            Kind::True => Some(1),
            Kind::False => Some(0),
            Kind::Int => node.as_i64(),
            // Every float that equals an integer of 64 bits does so after conversion.
            _ => (number.fract() == 0.0 && number.abs() < 9.3e18).then_some(number as i64),
        };
        if let Some(rules) = exact.and_then(|exact| self.ints.get(&exact)) {
            set(bits, rules);
        }
        // Bounds are kept inclusive: rounding of large integers must not hide one.
        for (bound, rules) in &self.above {
            if number >= *bound {
                set(bits, rules);
            }
        }
        for (bound, rules) in &self.below {
            if number <= *bound {
                set(bits, rules);
            }
        }
    }

    /// Every rule that asks anything of this field.
    #[cold]
    fn everything(&self, bits: &mut [u64]) {
        let lists = [
            &self.absent,
            &self.odd,
            &self.under_null,
            &self.filled,
            &self.empty,
            &self.scalar,
            &self.list,
            &self.present,
            &self.not_text,
            &self.container,
            &self.not_number,
            &self.null,
        ];
        for rules in lists {
            set(bits, rules);
        }
        for texts in [&self.text, &self.lower, &self.upper] {
            for (_, rules) in texts.by_hash.values().flatten() {
                set(bits, rules);
            }
        }
        for (_, rules) in self.prefixes.iter().chain(&self.suffixes) {
            set(bits, rules);
        }
        for substrings in [&self.contains, &self.lower_contains].into_iter().flatten() {
            for rules in &substrings.rules {
                set(bits, rules);
            }
        }
        for rules in self.ints.values() {
            set(bits, rules);
        }
        for (_, rules) in self.above.iter().chain(&self.below) {
            set(bits, rules);
        }
        for (_, rules) in &self.networks {
            set(bits, rules);
        }
    }
}

/// Hands on the text in another case; most texts are in it already.
fn with_case(text: &str, other: fn(char) -> bool, change: fn(&str) -> String, then: impl FnOnce(&str)) {
    if text.is_ascii() && !text.chars().any(other) {
        then(text);
    } else {
        then(&change(text));
    }
}

impl Texts {
    fn insert(&mut self, text: &str, rules: Rules) {
        self.by_hash
            .entry(hash_str(text))
            .or_default()
            .push((text.into(), rules));
    }

    #[inline]
    fn look(&self, text: &str, bits: &mut [u64]) {
        if self.by_hash.is_empty() {
            return;
        }
        for (known, rules) in self.by_hash.get(&hash_str(text)).into_iter().flatten() {
            if **known == *text {
                set(bits, rules);
            }
        }
    }
}

impl Substrings {
    /// `None` for nothing to look for; the rules again when there is too much.
    fn build(needles: Vec<(Box<str>, Rules)>) -> Result<Option<Self>, Vec<u32>> {
        if needles.is_empty() {
            return Ok(None);
        }
        let texts: Vec<&str> = needles.iter().map(|(text, _)| &**text).collect();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(texts);
        let Ok(automaton) = automaton else {
            return Err(needles
                .iter()
                .flat_map(|(_, rules)| rules.iter().copied())
                .collect());
        };
        let rules = needles.into_iter().map(|(_, rules)| rules).collect();
        Ok(Some(Self { automaton, rules }))
    }

    fn look(&self, text: &str, bits: &mut [u64]) {
        for found in self.automaton.find_overlapping_iter(text) {
            if let Some(rules) = self.rules.get(found.pattern().as_usize()) {
                set(bits, rules);
            }
        }
    }
}
