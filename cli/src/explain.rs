//! What becomes of one payload, all the way to its publications, without doing anything: the code behind
//! `explain` and `test`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use streamalert_detect::{
    AlertStamp, EvaluateOptions, Fixtures, RecordOutcome, RuleOutcome, RuleRuntime, ThreatIntel, alert_item,
    build_alert, output_dict,
};
use streamalert_dispatcher::{Publisher as _, Publishers};
use streamalert_runtime::Runtime;
use streamalert_schema::{
    Classified, Payload, RawInput, SchemaExplanation, Scratch, Selection, Unit, UnitExplanation, Verdict,
};
use streamalert_types::{Alert, Clock, OutputName, Position, Record, Sequence, Source};
use streamalert_value::Value;

use crate::failure::Failure;
use crate::project::Project;

/// Everything needed to explain payloads.
pub(crate) struct Explainer {
    selections: HashMap<Source, Selection>,
    runtime: Option<Runtime>,
    publishers: Publishers,
    clock: Arc<dyn Clock>,
    scratch: Scratch,
    /// Say of every schema why it did or did not take a payload.
    pub(crate) why: bool,
    /// Marks records that hold known indicators of compromise.
    pub(crate) threat_intel: Option<ThreatIntel>,
}

/// What became of one payload.
pub(crate) struct Explanation {
    pub(crate) source: Source,
    pub(crate) selection: Option<Selection>,
    pub(crate) classified: Classified,
    /// Per unit, what each schema made of it.
    pub(crate) schemas: Vec<UnitExplanation>,
    pub(crate) records: Vec<ExplainedRecord>,
}

/// One record and what the rules made of it.
pub(crate) struct ExplainedRecord {
    pub(crate) record: Record,
    /// Rule name and outcome, in order of evaluation.
    pub(crate) rules: Vec<(Arc<str>, RuleOutcome)>,
    pub(crate) alerts: Vec<ExplainedAlert>,
}

/// One alert and what its outputs would get.
pub(crate) struct ExplainedAlert {
    pub(crate) alert: Arc<Alert>,
    pub(crate) publications: BTreeMap<OutputName, Result<Value, String>>,
}

impl Explainer {
    pub(crate) fn new(
        project: &Project,
        runtime: Option<Runtime>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            selections: project.selections()?,
            publishers: crate::publishers::publishers(project, runtime.clone(), clock.clone()),
            runtime,
            clock,
            scratch: Scratch::new(),
            why: false,
            threat_intel: None,
        })
    }

    /// Has the publishers of another runtime run.
    pub(crate) fn publish_by(&mut self, project: &Project, runtime: Option<Runtime>) {
        self.publishers = crate::publishers::publishers(project, runtime, self.clock.clone());
    }

    /// What evaluates rules.
    pub(crate) const fn runtime(&self) -> Option<&Runtime> {
        self.runtime.as_ref()
    }

    /// Classifies with what the cluster files say of the source; a source they do not have reads nothing.
    pub(crate) fn selection(&self, source: &Source) -> Option<&Selection> {
        let anywhere = Source {
            cluster: None,
            ..source.clone()
        };
        self.selections
            .get(source)
            .or_else(|| self.selections.get(&anywhere))
    }

    /// The source with the cluster that its file names, unless it has one.
    pub(crate) fn located(&self, source: &Source) -> Source {
        if source.cluster.is_some() {
            return source.clone();
        }
        let same = |known: &&Source| known.service == source.service && known.resource == source.resource;
        let known = self
            .selections
            .keys()
            .filter(same)
            .find(|known| known.cluster.is_some());
        known.unwrap_or(source).clone()
    }

    /// Explains one input, with `selection` instead of the source's own if given.
    pub(crate) async fn explain(
        &mut self,
        input: &RawInput,
        selection: Option<&Selection>,
        fixtures: Option<Arc<Fixtures>>,
    ) -> Result<Explanation, Failure> {
        let source = self.located(&input.source);
        let selection = selection.or_else(|| self.selection(&source)).cloned();
        let position = Position {
            partition: "explain".into(),
            sequence: Sequence::Token(input.id.as_str().into()),
        };
        let payload = Payload {
            source: &source,
            position: &position,
            body: input.body(),
        };
        let classified = match &selection {
            Some(selection) => selection.classify(&payload, &mut self.scratch),
            None => Classified {
                failed_record_count: 1,
                units: vec![Unit::default()],
                processed_size: 0,
            },
        };
        let schemas = match &selection {
            Some(selection) if self.why => selection.explain(&payload, &mut self.scratch),
            _ => Vec::new(),
        };
        let records = classified
            .clone()
            .into_records(&Arc::new(source.clone()), &position);
        let marked = |record: Record| match &self.threat_intel {
            Some(intel) => intel.annotate(&record).unwrap_or(record),
            None => record,
        };
        let records = records.into_iter().map(marked).collect();
        let records = self.evaluate(records, fixtures).await?;
        Ok(Explanation {
            source,
            selection,
            classified,
            schemas,
            records,
        })
    }

    /// Evaluates every rule on records.
    pub(crate) async fn evaluate(
        &self,
        records: Vec<Record>,
        fixtures: Option<Arc<Fixtures>>,
    ) -> Result<Vec<ExplainedRecord>, Failure> {
        let Some(runtime) = &self.runtime else {
            let bare = |record| ExplainedRecord {
                record,
                rules: Vec::new(),
                alerts: Vec::new(),
            };
            return Ok(records.into_iter().map(bare).collect());
        };
        let options = EvaluateOptions {
            trace: true,
            fixtures,
        };
        let outcomes = runtime
            .evaluate(records, options)
            .await
            .map_err(|error| Failure::while_doing("cannot evaluate rules", error))?;
        let mut explained = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            explained.push(self.explained(runtime, outcome).await);
        }
        Ok(explained)
    }

    async fn explained(&self, runtime: &Runtime, outcome: RecordOutcome) -> ExplainedRecord {
        let rules = runtime.rules();
        let stamp = AlertStamp {
            created: self.clock.now(),
            staged: false,
            traceparent: "".into(),
            rules_version: rules.version().clone(),
        };
        let mut explained = ExplainedRecord {
            record: outcome.record,
            rules: Vec::new(),
            alerts: Vec::new(),
        };
        for result in outcome.results {
            let Some(rule) = rules.get(result.rule) else {
                continue;
            };
            explained.rules.push((rule.name.clone(), result.outcome.clone()));
            let RuleOutcome::Fired(fired) = result.outcome else {
                continue;
            };
            let alert = Arc::new(build_alert(&explained.record, rule, fired, &stamp));
            let mut publications = BTreeMap::new();
            for output in &alert.outputs {
                let made = self.publishers.publish(&alert, output).await;
                let redacted = |body| self.publishers.redacted(&alert, output, body);
                publications.insert(output.clone(), made.map(redacted));
            }
            explained.alerts.push(ExplainedAlert { alert, publications });
        }
        explained
    }
}

impl Explanation {
    /// The answer in the form of the golden files.
    pub(crate) fn to_value(&self, id: &str) -> Value {
        let units = self.classified.units.iter().enumerate().map(|(number, unit)| {
            let schemas = self.schemas.get(number).map(candidates).unwrap_or_default();
            let parsed = unit.records.iter().map(|record| json(&record.json));
            let invalid = if unit.is_valid() {
                unit.failures.iter().map(|f| json(&f.original)).collect()
            } else {
                Vec::new()
            };
            object([
                ("valid", Value::Bool(unit.is_valid())),
                ("log_schema_type", optional(unit.log_type.as_deref())),
                (
                    "data_type",
                    optional(unit.data_type.map(streamalert_types::DataType::as_str)),
                ),
                ("parsed", Value::List(parsed.collect())),
                ("invalid", Value::List(invalid)),
                ("candidates", Value::List(schemas)),
                (
                    "failures",
                    Value::List(unit.failures.iter().map(failure).collect()),
                ),
            ])
        });
        object([
            ("id", text(id)),
            ("error", Value::Null),
            ("service", text(&self.source.service)),
            ("resource", text(&self.source.resource)),
            ("cluster", optional(self.source.cluster.as_deref())),
            (
                "failed_record_count",
                integer(self.classified.failed_record_count),
            ),
            ("processed_size", integer(self.classified.processed_size)),
            ("payload_records", Value::List(units.collect())),
            ("rules", Value::List(self.records.iter().map(rules).collect())),
            (
                "alerts",
                Value::List(
                    self.records
                        .iter()
                        .flat_map(|record| &record.alerts)
                        .map(alert)
                        .collect(),
                ),
            ),
        ])
    }
}

/// The schemas that came into question, in the order in which they were tried, with what came of each.
fn candidates(unit: &UnitExplanation) -> Vec<Value> {
    let tried = in_question(unit);
    let row = |schema: &SchemaExplanation| {
        object([
            ("log_type", text(&schema.log_type)),
            ("verdict", text(&verdict(&schema.verdict))),
        ])
    };
    tried.map(row).collect()
}

/// The schemas worth naming: those whose keys brought them into question, or all where none took the unit.
pub(crate) fn in_question(unit: &UnitExplanation) -> impl Iterator<Item = &SchemaExplanation> {
    let refused = |schema: &SchemaExplanation| matches!(schema.verdict, Verdict::Refused(_));
    let by_all = unit.schemas.iter().all(refused);
    unit.schemas
        .iter()
        .filter(move |schema| by_all || schema.candidate || !refused(schema))
}

/// A verdict in one line.
pub(crate) fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Taken { records, failures: 0 } => format!("takes it, {records} records"),
        Verdict::Taken { records, failures } => {
            format!("takes it, {records} records and {failures} failures")
        }
        Verdict::Shadowed => "would take it, but an earlier one did".to_owned(),
        Verdict::Refused(refusal) => format!("refuses it: {refusal}"),
    }
}

fn failure(failure: &streamalert_schema::Failure) -> Value {
    let nearest = failure.nearest.as_ref().map_or(Value::Null, |nearest| {
        let list = |items: &[String]| Value::List(items.iter().map(|item| text(item)).collect());
        object([
            ("log_type", text(&nearest.log_type)),
            ("missing", list(&nearest.missing)),
            ("unexpected", list(&nearest.unexpected)),
            ("wrong_type", list(&nearest.wrong_type)),
        ])
    });
    object([("reason", text(&failure.reason)), ("nearest", nearest)])
}

fn rules(record: &ExplainedRecord) -> Value {
    let fired = record
        .rules
        .iter()
        .filter(|(_, outcome)| matches!(outcome, RuleOutcome::Fired(_)));
    let trace = record
        .rules
        .iter()
        .map(|(name, outcome)| (name.to_string(), text(&outcome.trace_word())));
    object([
        ("fired", Value::List(fired.map(|(name, _)| text(name)).collect())),
        ("trace", Value::Map(trace.collect())),
    ])
}

fn alert(explained: &ExplainedAlert) -> Value {
    let alert = &explained.alert;
    let mut item = alert_item(alert);
    if let Value::Map(item) = &mut item {
        item.insert("Record".to_owned(), json(&alert.record));
    }
    let history = OutputName::history();
    let remaining = alert
        .outputs
        .iter()
        .filter(|output| !alert.merge_enabled() || **output == history);
    let publications = explained.publications.iter().map(|(output, publication)| {
        let value = match publication {
            Ok(value) => value.clone(),
            Err(reason) => object([("error", text(reason))]),
        };
        (output.to_string(), value)
    });
    object([
        ("dynamo", item),
        ("output_dict", output_dict(alert).unwrap_or_default()),
        (
            "remaining_outputs",
            Value::List(remaining.map(|output| text(output.as_str())).collect()),
        ),
        ("merge_enabled", Value::Bool(alert.merge_enabled())),
        ("publications", Value::Map(publications.collect())),
    ])
}

/// What the bytes say as JSON, or the bytes as text.
pub(crate) fn json(bytes: &[u8]) -> Value {
    Value::parse_json(bytes).unwrap_or_else(|_| Value::Str(String::from_utf8_lossy(bytes).into_owned()))
}

pub(crate) fn object<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Map(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

pub(crate) fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn optional(value: Option<&str>) -> Value {
    value.map_or(Value::Null, text)
}

pub(crate) fn integer(number: u64) -> Value {
    i64::try_from(number).map_or_else(|_| Value::BigInt(number.to_string().into()), Value::Int)
}
