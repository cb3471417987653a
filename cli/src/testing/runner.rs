use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use streamalert_detect::{Fixtures, RuleSet, ThreatIntel};
use streamalert_python::LoadError;
use streamalert_runtime::Runtime;
use streamalert_schema::{RawInput, SchemaExplanation, Selection, Verdict as SchemaVerdict};
use streamalert_types::{Clock, Record};

use super::event::{Content, TestEvent};
use super::fixtures::TestFixtures;
use super::mismatch::Mismatch;
use super::verdict::{Seen, SeenAlert, Verdict};
use crate::assembly;
use crate::explain::{Explainer, Explanation};
use crate::failure::Failure;
use crate::project::Project;

/// The rules that there are, and what did not load.
#[derive(Debug)]
pub(crate) struct RuleBook {
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) load_errors: Vec<LoadError>,
}

/// Runs test events.
pub(crate) struct Runner<'a> {
    project: &'a Project,
    /// Has no rules: indicators of compromise are added between classification and rules.
    classifier: Explainer,
    rules: Option<(Explainer, RuleBook)>,
}

impl<'a> Runner<'a> {
    /// Without rules, events are only classified.
    pub(crate) fn new(
        project: &'a Project,
        rules: Option<(Runtime, RuleBook)>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let rules = match rules {
            Some((runtime, book)) => Some((Explainer::new(project, Some(runtime), clock.clone())?, book)),
            None => None,
        };
        let mut classifier = Explainer::new(project, None, clock.clone())?;
        classifier.why = true;
        Ok(Self {
            project,
            classifier,
            rules,
        })
    }

    /// The rules, if they are run.
    pub(crate) fn book(&self) -> Option<&RuleBook> {
        self.rules.as_ref().map(|(_, book)| book)
    }

    /// Whether an event is about one of `rules`; all are when there are none.
    pub(crate) fn is_about(&self, event: &TestEvent, rules: &BTreeSet<String>) -> bool {
        rules.is_empty()
            || match &event.content {
                Ok(content) => !content.trigger_rules.is_disjoint(rules),
                // It cannot be told, and hiding a malformed event would let it rot.
                Err(_) => true,
            }
    }

    /// Runs one event of `file`.
    ///
    /// # Errors
    /// Rules cannot be run at all, or `threat_intel.json` cannot be used.
    pub(crate) async fn run(
        &mut self,
        file: &Path,
        event: TestEvent,
    ) -> Result<(Option<Content>, Verdict), Failure> {
        let content = match event.content {
            Ok(content) => content,
            Err(problems) => return Ok((None, Verdict::not_run(Mismatch::Invalid(problems)))),
        };
        let definition = self
            .project
            .definitions
            .get(&content.log)
            .map(|(definition, _)| definition);
        let known = self.project.definitions.keys().map(String::as_str);
        let input = match content.payload(definition, known) {
            Ok(input) => input,
            Err(problem) => return Ok((Some(content), Verdict::not_run(Mismatch::Invalid(vec![problem])))),
        };
        if self.classifier.selection(&input.source).is_none() {
            let known = self
                .project
                .conf
                .data_sources()
                .map(|entry| entry.source.to_string())
                .collect();
            let wanted = format!("{}:{}", content.service, content.source);
            return Ok((
                Some(content),
                Verdict::not_run(Mismatch::Source { wanted, known }),
            ));
        }
        let fixtures = match TestFixtures::of_folders(file) {
            Ok(above) => above.with(&content.fixtures),
            Err(problem) => return Ok((Some(content), Verdict::not_run(Mismatch::Invalid(vec![problem])))),
        };
        let verdict = self.judged(&content, &input, &fixtures).await?;
        Ok((Some(content), verdict))
    }

    async fn judged(
        &mut self,
        content: &Content,
        input: &RawInput,
        fixtures: &TestFixtures,
    ) -> Result<Verdict, Failure> {
        let explanation = self.classifier.explain(input, None, None).await?;
        let units = explanation.classified.units.clone();
        let as_expected = units
            .iter()
            .filter_map(|unit| unit.log_type.as_deref())
            .all(|name| name == content.log)
            && units.iter().any(streamalert_schema::Unit::is_valid);
        let refusal = if as_expected {
            None
        } else {
            refusal(content, &explanation)
        };
        let mut seen = Seen {
            units,
            refusal,
            ..Seen::default()
        };
        let Some((explainer, book)) = self.rules.as_ref().filter(|_| !content.classify_only) else {
            return Ok(Verdict::of(content, &seen, self.book()));
        };
        let intel =
            assembly::threat_intel_of(self.project, [("test".to_owned(), fixtures.iocs.clone())].into())?;
        let records = with_indicators(explanation, intel.as_ref());
        let tables = Fixtures {
            lookup_tables: fixtures.lookup_tables.clone(),
        };
        for explained in explainer.evaluate(records, Some(Arc::new(tables))).await? {
            seen.outcomes.extend(
                explained
                    .rules
                    .into_iter()
                    .map(|(name, outcome)| (name.to_string(), outcome)),
            );
            seen.alerts.extend(explained.alerts.into_iter().map(|explained| {
                SeenAlert {
                    rule: explained.alert.rule_name.to_string(),
                    publications: explained
                        .publications
                        .into_iter()
                        .map(|(output, got)| (output.to_string(), got))
                        .collect(),
                }
            }));
        }
        let mut verdict = Verdict::of(content, &seen, Some(book));
        if intel.is_none() && !content.fixtures.iocs.is_empty() {
            verdict
                .notes
                .push("the threat_intel fixtures mean nothing: threat_intel.json is not enabled".to_owned());
        }
        Ok(verdict)
    }
}

fn with_indicators(explanation: Explanation, intel: Option<&ThreatIntel>) -> Vec<Record> {
    let annotated = |record: Record| intel.and_then(|intel| intel.annotate(&record)).unwrap_or(record);
    explanation
        .records
        .into_iter()
        .map(|explained| annotated(explained.record))
        .collect()
}

/// Why the expected log type did not take the event.
fn refusal(content: &Content, explanation: &Explanation) -> Option<String> {
    let selection: &Selection = explanation.selection.as_ref()?;
    if !selection.log_types().any(|name| **name == *content.log) {
        let names: Vec<&str> = selection.log_types().map(|name| &**name).collect();
        return Some(format!(
            "not read by {}, which reads {}",
            explanation.source,
            names.join(", ")
        ));
    }
    let of_log = |schema: &&SchemaExplanation| *schema.log_type == *content.log;
    let mut schemas = explanation
        .schemas
        .iter()
        .flat_map(|unit| &unit.schemas)
        .filter(of_log);
    schemas.find_map(|schema| match &schema.verdict {
        SchemaVerdict::Refused(refusal) => Some(refusal.to_string()),
        SchemaVerdict::Shadowed => Some("would take it, but the other one is tried first".to_owned()),
        SchemaVerdict::Taken { .. } => None,
    })
}
