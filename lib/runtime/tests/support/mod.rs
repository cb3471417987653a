//! A repository in a temporary directory, a runtime over it, and records for it.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "each test file uses its part; what is skipped is told"
)]

use std::path::Path;
use std::sync::Arc;

use streamalert_detect::{EvaluateOptions, RecordOutcome, RuleOutcome, RuleRuntime};
use streamalert_python::PoolOptions;
use streamalert_runtime::{RuleStatistics, Runtime, RuntimeOptions};
use streamalert_types::{DataType, Position, Record, Sequence, Source};

/// What files of rules begin with.
pub(crate) const IMPORTS: &str = "from streamalert.shared.rule import disable, rule\n";

/// Where the rules of [`Repo::with_rules`] are.
const RULES: &str = "rules/r.py";

pub(crate) struct Repo {
    dir: tempfile::TempDir,
}

impl Repo {
    /// With this behind the imports of its only file.
    pub(crate) fn with_rules(source: &str) -> Self {
        let repo = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        repo.write_rules(source);
        repo
    }

    pub(crate) fn write_rules(&self, source: &str) {
        self.write(RULES, &format!("{IMPORTS}{source}"));
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// One thread and one worker.
    pub(crate) fn options(&self) -> RuntimeOptions {
        RuntimeOptions::new(PoolOptions {
            workers: 1,
            ..PoolOptions::for_repo(self.path())
        })
    }

    /// A runtime over files that must all load.
    pub(crate) async fn start(&self) -> Runtime {
        start(self.options()).await
    }
}

/// A runtime over files that must all load.
pub(crate) async fn start(options: RuntimeOptions) -> Runtime {
    let (runtime, report) = Runtime::start(options).await.unwrap();
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    runtime
}

pub(crate) fn record(log_type: &str, json: &str) -> Record {
    let source = Source {
        service: "kinesis".into(),
        resource: "res".into(),
        cluster: Some("prod".into()),
    };
    Record {
        source: Arc::new(source),
        position: Position {
            partition: "p".into(),
            sequence: Sequence::Offset(0),
        },
        sub: 0,
        log_type: log_type.into(),
        data_type: DataType::Json,
        json: json.to_owned().into(),
    }
}

/// `rule=word` for every result.
pub(crate) fn words(runtime: &dyn RuleRuntime, outcome: &RecordOutcome) -> Vec<String> {
    let rules = runtime.rules();
    let results = outcome.results.iter();
    results
        .map(|result| {
            let name = &rules.get(result.rule).unwrap().name;
            format!("{name}={}", result.outcome.trace_word())
        })
        .collect()
}

/// What every rule answers for one record of the log type `a:b`.
pub(crate) async fn trace(runtime: &dyn RuleRuntime, json: &str) -> Vec<String> {
    words(runtime, &traced(runtime, json).await)
}

/// The outcomes of every rule for one record of the log type `a:b`.
pub(crate) async fn traced(runtime: &dyn RuleRuntime, json: &str) -> RecordOutcome {
    let options = EvaluateOptions {
        trace: true,
        ..EvaluateOptions::default()
    };
    let outcomes = runtime.evaluate(vec![record("a:b", json)], options).await;
    outcomes.unwrap().remove(0)
}

/// What a rule answered.
pub(crate) fn outcome<'o>(
    runtime: &dyn RuleRuntime,
    outcome: &'o RecordOutcome,
    rule: &str,
) -> &'o RuleOutcome {
    let index = runtime.rules().find(rule).unwrap().0;
    let result = outcome.results.iter().find(|result| result.rule == index);
    &result.unwrap().outcome
}

/// What a rule did so far.
pub(crate) fn statistics(runtime: &Runtime, rule: &str) -> RuleStatistics {
    let snapshot = runtime.current().statistics().snapshot();
    let found = snapshot.into_iter().find(|(name, _)| **name == *rule);
    found.unwrap().1
}

/// Recorded behaviour; `None`, with a word, where it is absent and absence is allowed.
pub(crate) fn golden(file: &str) -> Option<Vec<serde_json::Value>> {
    let root = std::env::var_os("STREAMALERT_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        Into::into,
    );
    let path = root.join("golden").join(file);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(
            text.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
        ),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{}: {error}", path.display());
            eprintln!("skipped: no {}", path.display());
            None
        }
    }
}
