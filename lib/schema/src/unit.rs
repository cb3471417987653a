//! One unit: which schema takes it, and its records.

use bytes::Bytes;
use streamalert_types::{Position, RecordId, Source};

use crate::extract::{Extractor, Found, Original, Root};
use crate::normalize::NORMALIZATION_KEY;
use crate::output::{Failure, ParsedRecord, Unit};
use crate::plan::Written;
use crate::pool::DocId;
use crate::schema::Schema;
use crate::scratch::{Extracted, Miss, Work};
use crate::selection::Schemas;
use crate::shape::Order;

/// A unit that is being classified.
pub(crate) struct UnitRun<'a> {
    pub(crate) schemas: &'a Schemas,
    pub(crate) source: &'a Source,
    pub(crate) position: &'a Position,
    pub(crate) root: Root<'a>,
    /// The unit as it came.
    pub(crate) original: &'a [u8],
    /// Why it is not JSON, when it is not.
    pub(crate) not_json: Option<String>,
    /// The number of its first sub-record within the payload.
    pub(crate) first_sub: u32,
    /// It is all that the payload holds.
    pub(crate) is_payload: bool,
    pub(crate) kept_bytes_max: usize,
    pub(crate) work: &'a mut Work,
}

/// A unit's outcome, and how many numbers for sub-records it used up.
pub(crate) struct Outcome {
    pub(crate) unit: Unit,
    pub(crate) subs: u32,
}

impl UnitRun<'_> {
    /// Finds the first schema that takes any record of the unit.
    pub(crate) fn classify(&mut self) -> Outcome {
        self.begin();
        let order = self.order();
        for at in order.iter() {
            if let Some(outcome) = self.attempt(*at as usize) {
                return outcome;
            }
        }
        self.unmatched()
    }

    pub(crate) fn begin(&mut self) {
        self.work.pool.reset(self.kept_bytes_max);
        self.work.shapes.make_room();
        self.work.extracted_used = 0;
    }

    /// The schemas that come into question, in order.
    pub(crate) fn order(&mut self) -> Order {
        match self.root.object() {
            Some(object) => {
                let shape = self.work.shapes.of(self.schemas, object);
                self.work.shapes.root_order(shape, self.schemas, object)
            }
            None => self
                .schemas
                .order_of(self.root.tree().map(|tree| tree.root().kind())),
        }
    }

    /// Tries one schema; `None` when it takes no record. What it refused is in `misses` either way.
    pub(crate) fn attempt(&mut self, at: usize) -> Option<Outcome> {
        let schemas = self.schemas;
        let schema = &*schemas.list[at];
        self.work.misses.clear();
        self.work.parsed.clear();
        if schema.broken || !self.envelope(schema) {
            return None;
        }
        let slot = self.extracted(at);
        let found = std::mem::take(&mut self.work.extracted[slot].found);
        self.records(at, schema, &found);
        let outcome = (!self.work.parsed.is_empty()).then(|| self.taken(schema, &found));
        self.work.extracted[slot].found = found;
        outcome
    }

    /// Writes the envelope of the schema; false when the unit lacks it or it does not match.
    fn envelope(&mut self, schema: &Schema) -> bool {
        self.work.envelope.clear();
        let Some(envelope) = &schema.envelope else {
            return true;
        };
        let Some(root) = self.root.object() else {
            return false;
        };
        if envelope.write(root, &mut self.work.envelope).is_none() {
            return false;
        }
        schema
            .patterns
            .iter()
            .filter(|pattern| pattern.in_envelope)
            .all(|pattern| envelope.matches(pattern, root))
    }

    /// The slot of the records that the schema's way of extraction finds; found at most once a unit.
    pub(crate) fn extracted(&mut self, at: usize) -> usize {
        let extraction = self.schemas.extractions[at];
        let used = self.work.extracted_used;
        if let Some(slot) = self.work.extracted[..used]
            .iter()
            .position(|one| one.extraction == extraction)
        {
            return slot;
        }
        if used == self.work.extracted.len() {
            self.work.extracted.push(Extracted::default());
        }
        self.work.extracted_used += 1;
        let extracted = &mut self.work.extracted[used];
        extracted.extraction = extraction;
        extracted.found.clear();
        let extractor = Extractor {
            schemas: self.schemas,
            root: self.root,
            pool: &mut self.work.pool,
            shapes: &mut self.work.shapes,
            found: &mut extracted.found,
        };
        extracted.problem = extractor.run(&self.schemas.list[at]).err();
        used
    }

    fn records(&mut self, at: usize, schema: &Schema, found: &[Found]) {
        for (index, one) in found.iter().enumerate() {
            self.work.out.clear();
            match self.record(at, schema, one, self.first_sub + index as u32) {
                Ok(parsed) => self.work.parsed.push(parsed),
                Err(miss) => self.work.misses.push((index, miss)),
            }
        }
    }

    fn record(&mut self, at: usize, schema: &Schema, found: &Found, sub: u32) -> Result<ParsedRecord, Miss> {
        if found.problem.is_some() {
            return Err(Miss::Problem);
        }
        let root = self.root.tree();
        let tree = self.work.pool.tree(found.doc, root).ok_or(Miss::Keys)?;
        let node = tree.node(found.node);
        let Some(plans) = &found.plans else {
            if !schema.takes_anything() {
                return Err(Miss::Keys);
            }
            node.write_json(&mut self.work.out);
            return Ok(self.finished(sub, self.work.out.len()));
        };
        let plan = plans
            .iter()
            .find(|(planned, _)| *planned as usize == at)
            .ok_or(Miss::Keys)?;
        let out = &mut self.work.out;
        let written = plan
            .1
            .write(schema, node, &self.work.envelope, out)
            .map_err(Miss::Values)?;
        let plain_len = out.len();
        self.normalize(schema, node.index(), found.doc, written, sub);
        self.work.out.push(b'}');
        Ok(self.finished(sub, plain_len))
    }

    fn finished(&self, sub: u32, plain_len: usize) -> ParsedRecord {
        let json = Bytes::copy_from_slice(&self.work.out);
        let plain_len = if plain_len + 1 >= json.len() {
            json.len()
        } else {
            plain_len
        };
        ParsedRecord { sub, json, plain_len }
    }

    /// Appends the normalization, if the schema has one. It is of the converted record: where conversion has changed
    /// something, what was written is read again.
    fn normalize(&mut self, schema: &Schema, node: u32, doc: DocId, written: Written, sub: u32) {
        let Some(normalization) = &schema.normalization else {
            return;
        };
        let id = || RecordId::new(self.source, self.position, sub);
        let work = &mut *self.work;
        work.normalization.clear();
        if written.changed || normalization.reads_envelope {
            work.out.push(b'}');
            if let Ok(Ok(tree)) = std::str::from_utf8(&work.out).map(|text| work.reread.parse(text)) {
                normalization.write(tree.root(), id, &mut work.normalization);
            }
            work.out.pop();
        } else if let Some(tree) = work.pool.tree(doc, self.root.tree()) {
            normalization.write(tree.node(node), id, &mut work.normalization);
        }
        if work.out.last() != Some(&b'{') {
            work.out.push(b',');
        }
        work.out.push(b'"');
        work.out.extend_from_slice(NORMALIZATION_KEY.as_bytes());
        work.out.extend_from_slice(b"\":");
        work.out.extend_from_slice(&work.normalization);
    }

    fn taken(&mut self, schema: &Schema, found: &[Found]) -> Outcome {
        let misses = std::mem::take(&mut self.work.misses);
        let failures = misses.iter().map(|(index, miss)| {
            let one = &found[*index];
            let refusal = self.refusal(schema, one, *miss);
            Failure {
                sub: Some(self.first_sub + *index as u32),
                original: self.original_of(one),
                reason: format!("{}: {refusal}", schema.log_type),
                nearest: refusal.nearest(&schema.log_type),
            }
        });
        let failures = failures.collect();
        self.work.misses = misses;
        let unit = Unit {
            log_type: Some(std::sync::Arc::clone(&schema.log_type)),
            data_type: Some(schema.data_type),
            records: self.work.parsed.drain(..).collect(),
            failures,
        };
        Outcome {
            unit,
            subs: found.len() as u32,
        }
    }

    fn original_of(&self, found: &Found) -> Bytes {
        match &found.original {
            Original::Unit => Bytes::copy_from_slice(self.original),
            Original::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
            Original::Node => {
                let tree = self.work.pool.tree(found.doc, self.root.tree());
                tree.map(|tree| Bytes::copy_from_slice(tree.node(found.node).raw().as_bytes()))
                    .unwrap_or_default()
            }
        }
    }
}
