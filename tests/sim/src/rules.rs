//! Rules without an engine: each fires where the script says so.

use std::sync::Arc;

use async_trait::async_trait;
use streamalert_detect::{
    EvaluateOptions, Fired, RecordOutcome, RuleIndex, RuleInfo, RuleOutcome, RuleResult, RuleRuntime,
    RuleSet, RuntimeError,
};
use streamalert_types::Record;
use streamalert_value::Value;

use crate::script::{LOG_TYPE, Rule, fires};

/// Evaluates [`Rule::ALL`].
#[derive(Debug)]
pub(crate) struct ScriptedRules {
    rules: Arc<RuleSet>,
}

impl ScriptedRules {
    pub(crate) fn new() -> Self {
        let rules = Rule::ALL.into_iter().map(info).collect();
        Self {
            rules: Arc::new(RuleSet::new(rules).expect("the rules have different names")),
        }
    }
}

fn info(rule: Rule) -> RuleInfo {
    let mut info = RuleInfo::named(rule.name(), &[LOG_TYPE]);
    info.outputs = rule.outputs();
    info.staged = rule.is_staged();
    if rule.is_grouped() {
        info.merge_by_keys = Arc::from(["k".to_owned()]);
        info.merge_window_mins = 1;
        info.merge_send_first = rule == Rule::First;
    }
    info
}

#[async_trait]
impl RuleRuntime for ScriptedRules {
    fn rules(&self) -> Arc<RuleSet> {
        self.rules.clone()
    }

    async fn evaluate(
        &self,
        records: Vec<Record>,
        _options: EvaluateOptions,
    ) -> Result<Vec<RecordOutcome>, RuntimeError> {
        Ok(records.into_iter().map(outcome).collect())
    }
}

fn outcome(record: Record) -> RecordOutcome {
    let results = (0_u32..)
        .zip(Rule::ALL)
        .filter(|(_, rule)| fires(&record.json, *rule))
        .map(|(at, rule)| RuleResult {
            rule: RuleIndex(at),
            outcome: RuleOutcome::Fired(Fired {
                outputs: rule.outputs(),
                context: Value::Null,
                record: None,
            }),
        })
        .collect();
    RecordOutcome { record, results }
}
