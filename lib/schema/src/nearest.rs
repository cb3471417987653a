//! Why a unit was not taken, and which schema came closest.

use bytes::Bytes;
use streamalert_value::{Kind, NodeRef};

use crate::convert::describe;
use crate::extract::Found;
use crate::output::{Failure, Unit};
use crate::plan::Refused;
use crate::refusal::{ENVELOPE_DISTANCE, KEYS_DISTANCE, Refusal};
use crate::schema::{Extraction, Schema};
use crate::scratch::Miss;
use crate::unit::{Outcome, UnitRun};

impl UnitRun<'_> {
    /// Why a schema did not take one record.
    pub(crate) fn refusal(&self, schema: &Schema, found: &Found, miss: Miss) -> Refusal {
        let node = self
            .work
            .pool
            .tree(found.doc, self.root.tree())
            .map(|tree| tree.node(found.node));
        match (miss, node) {
            (Miss::Problem, _) => Refusal::Form(found.problem.as_deref().unwrap_or_default().to_owned()),
            (_, None) => Refusal::Form("no record".to_owned()),
            (Miss::Keys, Some(node)) => refused_keys(schema, node),
            (Miss::Values(Refused::Pattern(at)), _) => Refusal::Pattern(schema.patterns[at].path.join(".")),
            (Miss::Values(Refused::WrongType), Some(node)) => Refusal::WrongType(wrong_types(schema, node)),
        }
    }

    /// Why a schema did not take the unit: of several records, what is wrong with the first.
    pub(crate) fn why_not(&mut self, at: usize) -> Refusal {
        let schemas = self.schemas;
        let schema = &*schemas.list[at];
        if schema.broken {
            return Refusal::Broken;
        }
        if let Some(envelope) = &schema.envelope {
            let Some(root) = self.root.object() else {
                return Refusal::Form(self.form());
            };
            let problems = envelope.problems(root);
            if !problems.is_empty() {
                return Refusal::Envelope(problems);
            }
            let mut patterns = schema.patterns.iter().filter(|pattern| pattern.in_envelope);
            if let Some(pattern) = patterns.find(|pattern| !envelope.matches(pattern, root)) {
                return Refusal::Pattern(pattern.path.join("."));
            }
        }
        let is_json = matches!(
            schema.extraction,
            Extraction::Whole | Extraction::Path { .. } | Extraction::RegexKey(_)
        );
        if is_json && self.root.tree().is_none() && !schema.takes_anything() {
            return Refusal::Form(self.form());
        }
        // An attempt leaves the reasons for each record behind.
        let attempted = self.attempt(at).is_some();
        let slot = self.extracted(at);
        let extracted = &self.work.extracted[slot];
        match (self.work.misses.first(), &extracted.problem) {
            (Some((index, miss)), _) if !attempted => self.refusal(schema, &extracted.found[*index], *miss),
            (_, Some(problem)) => Refusal::Form(problem.clone()),
            _ => Refusal::Form("no record".to_owned()),
        }
    }

    fn form(&self) -> String {
        match &self.not_json {
            Some(reason) => reason.clone(),
            None => "not a json object".to_owned(),
        }
    }

    pub(crate) fn unmatched(&mut self) -> Outcome {
        let mut best: Option<(usize, usize)> = None;
        for at in 0..self.schemas.list.len() {
            let distance = self.distance(at);
            if distance < best.map_or(usize::MAX, |(least, _)| least) {
                best = Some((distance, at));
            }
        }
        let best = best.map(|(_, at)| (at, self.why_not(at)));
        let best = best.filter(|(at, refusal)| is_near(&self.schemas.list[*at], refusal));
        let (reason, nearest) = match best {
            Some((at, refusal)) => {
                let log_type = &self.schemas.list[at].log_type;
                (
                    format!("no schema matches, nearest {log_type}: {refusal}"),
                    refusal.nearest(log_type),
                )
            }
            None => (self.reason(), None),
        };
        let failure = Failure {
            sub: (!self.is_payload).then_some(self.first_sub),
            original: Bytes::copy_from_slice(self.original),
            reason,
            nearest,
        };
        Outcome {
            unit: Unit {
                failures: vec![failure],
                ..Unit::default()
            },
            subs: 1,
        }
    }

    /// How far a schema is from taking the unit, counted without writing down the difference.
    fn distance(&mut self, at: usize) -> usize {
        let schemas = self.schemas;
        let schema = &*schemas.list[at];
        if schema.broken {
            return usize::MAX;
        }
        if let Some(envelope) = &schema.envelope {
            let missing = self
                .root
                .object()
                .map_or(usize::MAX, |root| envelope.missing(root).count());
            if missing > 0 {
                return missing.saturating_add(ENVELOPE_DISTANCE);
            }
        }
        let slot = self.extracted(at);
        let first = self.work.extracted[slot].found.first();
        let node = first.and_then(|found| {
            let tree = self.work.pool.tree(found.doc, self.root.tree())?;
            Some(tree.node(found.node)).filter(|node| node.kind() == Kind::Map)
        });
        match node.map(|node| key_differences(schema, node)) {
            Some(0) => self.why_not(at).distance(),
            Some(differences) => differences + KEYS_DISTANCE,
            None => usize::MAX,
        }
    }

    fn reason(&mut self) -> String {
        let mut reason = "no schema matches".to_owned();
        if let Some(not_json) = &self.not_json {
            reason = format!("{reason}: {not_json}");
        }
        if let [only] = self.schemas.list.as_slice() {
            let log_type = std::sync::Arc::clone(&only.log_type);
            reason = format!("{reason}, {log_type}: {}", self.why_not(0));
        }
        reason
    }
}

/// A schema is worth naming when at least one key of it is there.
fn is_near(schema: &Schema, refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Keys { missing, .. } => missing.len() < schema.fields.len(),
        Refusal::Envelope(keys) => schema
            .envelope
            .as_ref()
            .is_some_and(|one| keys.len() < one.fields.len()),
        _ => true,
    }
}

/// How many keys are missing and unexpected.
fn key_differences(schema: &Schema, node: NodeRef<'_>) -> usize {
    let (mut unexpected, mut required) = (0, 0);
    for (key, _) in node.members() {
        match schema.fields.find(key) {
            Some(at) => required += usize::from(schema.required[at]),
            None => unexpected += usize::from(!schema.keeps_unknown),
        }
    }
    unexpected + schema.required.iter().filter(|required| **required).count() - required
}

fn refused_keys(schema: &Schema, node: NodeRef<'_>) -> Refusal {
    if node.kind() != Kind::Map {
        return Refusal::Form("not an object".to_owned());
    }
    let needed = schema
        .fields
        .iter()
        .zip(&schema.required)
        .filter(|(_, required)| **required);
    let missing: Vec<String> = needed
        .filter(|(field, _)| node.get_hashed(field.hash, &field.name).is_none())
        .map(|(field, _)| field.name.clone())
        .collect();
    let unexpected: Vec<String> = if schema.keeps_unknown {
        Vec::new()
    } else {
        let unknown = node
            .members()
            .filter(|(key, _)| schema.fields.find(*key).is_none());
        unknown
            .filter_map(|(key, _)| key.as_str().map(std::borrow::Cow::into_owned))
            .collect()
    };
    if missing.is_empty() && unexpected.is_empty() {
        let absent = schema.patterns.iter().find(|pattern| {
            !pattern.in_envelope && pattern.path.first().is_none_or(|key| node.get(key).is_none())
        });
        return Refusal::Pattern(absent.map(|pattern| pattern.path.join(".")).unwrap_or_default());
    }
    Refusal::Keys { missing, unexpected }
}

fn wrong_types(schema: &Schema, node: NodeRef<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in node.members() {
        if let Some(at) = schema.fields.find(key) {
            let field = schema.fields.get(at);
            describe(&field.kind, value, &field.name, &mut found);
        }
    }
    found
}
