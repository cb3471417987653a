//! A repository in a temporary directory and records for it.
#![allow(dead_code, clippy::print_stderr, reason = "each test file uses its part")]

pub(crate) mod document;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use streamalert_detect::{EvaluateOptions, RecordOutcome, RuleOutcome, RuleRuntime};
use streamalert_python::{LoadReport, PoolOptions, PythonPool};
use streamalert_types::{DataType, Position, Record, Sequence, Source};

pub(crate) struct Repo {
    dir: tempfile::TempDir,
}

impl Repo {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let repo = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for (path, text) in files {
            repo.write(path, text);
        }
        repo
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn options(&self) -> PoolOptions {
        PoolOptions {
            workers: 1,
            ..PoolOptions::for_repo(self.path())
        }
    }

    /// What exporting with this interpreter, which must succeed, makes of it.
    pub(crate) async fn export_with(&self, interpreter: &Path) -> document::Document {
        let options = PoolOptions {
            interpreter: Some(interpreter.to_owned()),
            ..self.options()
        };
        let (report, export) = streamalert_python::export(&options, None).await.unwrap();
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        document::Document::new(&export.json)
    }

    pub(crate) async fn start(&self) -> (PythonPool, LoadReport) {
        PythonPool::start(self.options()).await.unwrap()
    }
}

pub(crate) const IMPORTS: &str = "from streamalert.shared.rule import disable, rule\n";

pub(crate) fn record(log_type: &str, json: &str) -> Record {
    numbered(log_type, json, 0)
}

pub(crate) fn numbered(log_type: &str, json: &str, number: u64) -> Record {
    let source = Source {
        service: "kinesis".into(),
        resource: "res".into(),
        cluster: Some("prod".into()),
    };
    Record {
        source: Arc::new(source),
        position: Position {
            partition: "p".into(),
            sequence: Sequence::Offset(number),
        },
        sub: 0,
        log_type: log_type.into(),
        data_type: DataType::Json,
        json: Bytes::copy_from_slice(json.as_bytes()),
    }
}

/// `rule=word` for every result.
pub(crate) fn words(pool: &PythonPool, outcome: &RecordOutcome) -> Vec<String> {
    let rules = pool.rules();
    outcome
        .results
        .iter()
        .map(|result| {
            format!(
                "{}={}",
                rules.get(result.rule).unwrap().name,
                result.outcome.trace_word()
            )
        })
        .collect()
}

pub(crate) async fn evaluate(pool: &PythonPool, records: Vec<Record>) -> Vec<Vec<String>> {
    let outcomes = pool.evaluate(records, EvaluateOptions::default()).await.unwrap();
    outcomes.iter().map(|outcome| words(pool, outcome)).collect()
}

pub(crate) async fn trace(pool: &PythonPool, record: Record) -> Vec<String> {
    let options = EvaluateOptions {
        trace: true,
        ..EvaluateOptions::default()
    };
    words(pool, &pool.evaluate(vec![record], options).await.unwrap()[0])
}

/// Records on which a rule fired.
pub(crate) fn fired(outcomes: &[RecordOutcome], pool: &PythonPool, rule: &str) -> usize {
    let (index, _) = pool
        .rules()
        .find(rule)
        .map(|(index, rule)| (index, rule.clone()))
        .unwrap();
    outcomes
        .iter()
        .flat_map(|outcome| &outcome.results)
        .filter(|result| result.rule == index && matches!(result.outcome, RuleOutcome::Fired(_)))
        .count()
}

/// The folder of recorded behaviour; `None`, with a word, where it is absent and absence is allowed.
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

/// The interpreters to try what depends on the version with: those of `STREAMALERT_TEST_PYTHONS`, separated as in
/// `PATH`, or the executable behind the one that is found.
pub(crate) async fn interpreters() -> Vec<PathBuf> {
    if let Some(paths) = std::env::var_os("STREAMALERT_TEST_PYTHONS") {
        return std::env::split_paths(&paths).collect();
    }
    let found = streamalert_python::find_interpreter(None).await.unwrap();
    let output = tokio::process::Command::new(found.path)
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .await
        .unwrap();
    vec![String::from_utf8(output.stdout).unwrap().trim().into()]
}
