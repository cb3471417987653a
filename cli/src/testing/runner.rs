use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use streamalert_detect::{Fixtures, KillReason, RuleOutcome, RuleSet, ThreatIntel};
use streamalert_python::LoadError;
use streamalert_runtime::Runtime;
use streamalert_schema::{SchemaExplanation, Selection, Unit, Verdict as SchemaVerdict};
use streamalert_types::{Clock, Record};

use super::event::{Content, TestEvent};
use super::fixtures::TestFixtures;
use super::mismatch::Mismatch;
use super::verdict::{Seen, SeenAlert, Verdict};
use crate::assembly;
use crate::explain::{ExplainedRecord, Explainer, Explanation};
use crate::failure::Failure;
use crate::project::Project;

/// The rules that there are, and what did not load.
#[derive(Debug, Clone)]
pub(crate) struct RuleBook {
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) load_errors: Vec<LoadError>,
}

/// Runs test events.
pub(crate) struct Runner {
    project: Arc<Project>,
    /// Has no rules: indicators of compromise are added between classification and rules.
    classifier: Explainer,
    rules: Option<Judges>,
}

/// What evaluates rules.
struct Judges {
    explainer: Explainer,
    /// Rules that changed since the others were loaded.
    draft: Option<Draft>,
    book: RuleBook,
}

struct Draft {
    explainer: Explainer,
    /// The rules of the files that it is made of, as they are and as they were.
    instead_of: BTreeSet<String>,
    /// Why what was seen with it is not to be trusted.
    unfit: Option<String>,
}

/// A test event up to the rules, which is the same until it changes itself.
#[derive(Debug)]
pub(crate) struct Prepared {
    units: Vec<Unit>,
    refusal: Option<String>,
    records: Vec<Record>,
    tables: Arc<Fixtures>,
    /// It has indicators of compromise that nobody looks up.
    idle_iocs: bool,
}

impl Runner {
    /// Without rules, events are only classified.
    pub(crate) fn new(
        project: Arc<Project>,
        rules: Option<(Runtime, RuleBook)>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let rules = match rules {
            Some((runtime, book)) => Some(Judges {
                explainer: Explainer::new(&project, Some(runtime), clock.clone())?,
                draft: None,
                book,
            }),
            None => None,
        };
        let mut classifier = Explainer::new(&project, None, clock.clone())?;
        classifier.why = true;
        Ok(Self {
            project,
            classifier,
            rules,
        })
    }

    /// Other rules from now on.
    pub(crate) fn set_rules(
        &mut self,
        runtime: Runtime,
        book: RuleBook,
        clock: &Arc<dyn Clock>,
    ) -> Result<(), Failure> {
        self.rules = Some(Judges {
            explainer: Explainer::new(&self.project, Some(runtime), clock.clone())?,
            draft: None,
            book,
        });
        Ok(())
    }

    /// From now on the rules of a draft in the place of some. `book` has the rules of both.
    pub(crate) fn set_draft(
        &mut self,
        runtime: Runtime,
        instead_of: BTreeSet<String>,
        book: RuleBook,
        clock: &Arc<dyn Clock>,
    ) -> Result<(), Failure> {
        let mut explainer = Explainer::new(&self.project, Some(runtime), clock.clone())?;
        if let Some(rules) = &mut self.rules {
            explainer.publish_by(&self.project, rules.explainer.runtime().cloned());
            rules.book = book;
            rules.draft = Some(Draft {
                explainer,
                instead_of,
                unfit: None,
            });
        }
        Ok(())
    }

    /// Why the verdicts since the last draft need CPython to be given again.
    pub(crate) fn unfit(&self) -> Option<&str> {
        self.rules.as_ref()?.draft.as_ref()?.unfit.as_deref()
    }

    /// The rules, if they are run.
    pub(crate) fn book(&self) -> Option<&RuleBook> {
        self.rules.as_ref().map(|rules| &rules.book)
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

    /// Runs one event of `file`; `prepared` is kept from the run before, if it is the same event.
    ///
    /// # Errors
    /// Rules cannot be run at all, or `threat_intel.json` cannot be used.
    pub(crate) async fn run(
        &mut self,
        file: &Path,
        event: &TestEvent,
        prepared: &mut Option<Prepared>,
    ) -> Result<Verdict, Failure> {
        let content = match &event.content {
            Ok(content) => content,
            Err(problems) => return Ok(Verdict::not_run(Mismatch::Invalid(problems.clone()))),
        };
        let prepared = match prepared {
            Some(known) => known,
            none => match self.prepare(file, content).await? {
                Ok(made) => none.insert(made),
                Err(mismatch) => return Ok(Verdict::not_run(mismatch)),
            },
        };
        self.judged(content, prepared).await
    }

    async fn prepare(
        &mut self,
        file: &Path,
        content: &Content,
    ) -> Result<Result<Prepared, Mismatch>, Failure> {
        let definition = self
            .project
            .definitions
            .get(&content.log)
            .map(|(definition, _)| definition);
        let known = self.project.definitions.keys().map(String::as_str);
        let input = match content.payload(definition, known) {
            Ok(input) => input,
            Err(problem) => return Ok(Err(Mismatch::Invalid(vec![problem]))),
        };
        if self.classifier.selection(&input.source).is_none() {
            let known = self
                .project
                .conf
                .data_sources()
                .map(|entry| entry.source.to_string())
                .collect();
            let wanted = format!("{}:{}", content.service, content.source);
            return Ok(Err(Mismatch::Source { wanted, known }));
        }
        let fixtures = match TestFixtures::of_folders(file) {
            Ok(above) => above.with(&content.fixtures),
            Err(problem) => return Ok(Err(Mismatch::Invalid(vec![problem]))),
        };
        let explanation = self.classifier.explain(&input, None, None).await?;
        let units = explanation.classified.units.clone();
        let as_expected = units
            .iter()
            .filter_map(|unit| unit.log_type.as_deref())
            .all(|name| name == content.log)
            && units.iter().any(Unit::is_valid);
        let refusal = if as_expected {
            None
        } else {
            refusal(content, &explanation)
        };
        let intel =
            assembly::threat_intel_of(&self.project, [("test".to_owned(), fixtures.iocs.clone())].into())?;
        Ok(Ok(Prepared {
            units,
            refusal,
            records: with_indicators(explanation, intel.as_ref()),
            tables: Arc::new(Fixtures {
                lookup_tables: fixtures.lookup_tables,
            }),
            idle_iocs: intel.is_none() && !content.fixtures.iocs.is_empty(),
        }))
    }

    async fn judged(&mut self, content: &Content, prepared: &Prepared) -> Result<Verdict, Failure> {
        let mut seen = Seen {
            units: prepared.units.clone(),
            refusal: prepared.refusal.clone(),
            ..Seen::default()
        };
        let Some(rules) = self.rules.as_mut().filter(|_| !content.classify_only) else {
            return Ok(Verdict::of(content, &seen, self.book()));
        };
        let (records, tables) = (&prepared.records, &prepared.tables);
        let evaluated = rules
            .explainer
            .evaluate(records.clone(), Some(tables.clone()))
            .await?;
        match &mut rules.draft {
            None => seen.add(evaluated, |_| true),
            Some(draft) => {
                seen.add(evaluated, |rule| !draft.instead_of.contains(rule));
                let evaluated = draft
                    .explainer
                    .evaluate(records.clone(), Some(tables.clone()))
                    .await?;
                draft.unfit = draft.unfit.take().or_else(|| unfit(&evaluated));
                seen.add(evaluated, |_| true);
            }
        }
        let mut verdict = Verdict::of(content, &seen, Some(&rules.book));
        if prepared.idle_iocs {
            verdict
                .notes
                .push("the threat_intel fixtures mean nothing: threat_intel.json is not enabled".to_owned());
        }
        Ok(verdict)
    }
}

impl Seen {
    fn add(&mut self, evaluated: Vec<ExplainedRecord>, counts: impl Fn(&str) -> bool) {
        for explained in evaluated {
            let outcomes = explained.rules.into_iter().filter(|(name, _)| counts(name));
            self.outcomes
                .extend(outcomes.map(|(name, outcome)| (name.to_string(), outcome)));
            let alerts = explained.alerts.into_iter();
            let alerts = alerts.filter(|explained| counts(&explained.alert.rule_name));
            self.alerts.extend(alerts.map(|explained| {
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
    }
}

/// What a draft, which has no CPython, could not answer.
fn unfit(evaluated: &[ExplainedRecord]) -> Option<String> {
    evaluated.iter().find_map(|explained| {
        let left = explained.rules.iter().find_map(|(name, outcome)| match outcome {
            RuleOutcome::Killed(KillReason::NoPython { why }) => Some(format!("{name}: {why}")),
            _ => None,
        });
        let mut publications = explained
            .alerts
            .iter()
            .flat_map(|alert| alert.publications.values());
        left.or_else(|| publications.find_map(|publication| publication.as_ref().err().cloned()))
    })
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
