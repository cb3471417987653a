//! Projects written for one test, and the binary run on them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;

/// Long enough for the slowest machine; tests wait for events and never this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A StreamAlert project in a temporary folder.
pub(crate) struct TestProject {
    dir: TempDir,
}

impl TestProject {
    /// A project with one Kinesis stream, `stream`, that reads the log type `load:event` (`n`, `group`, `kind`).
    pub(crate) fn new(rules: &str) -> Self {
        let project = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        project.write(
            "conf/clusters/test.json",
            r#"{"id": "test", "data_sources": {"kinesis": {"stream": ["load"]}}}"#,
        );
        project.write(
            "conf/global.json",
            r#"{"general": {"rule_locations": ["rules"]}}"#,
        );
        project.write("conf/outputs.json", "{}");
        project.write(
            "conf/schemas/load.json",
            r#"{"load:event": {"parser": "json", "schema": {"n": "integer", "group": "string", "kind": "string"}}}"#,
        );
        project.write("rules/load.py", rules);
        std::fs::create_dir_all(project.path("logs")).unwrap();
        project
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Appends events numbered from `first` to a file of the stream.
    pub(crate) fn append_events(
        &self,
        file: &str,
        first: usize,
        count: usize,
        kind: impl Fn(usize) -> &'static str,
    ) {
        use std::io::Write as _;
        let mut lines = String::new();
        for n in first..first + count {
            let _ = writeln!(
                lines,
                r#"{{"n": {n}, "group": "g{}", "kind": "{}"}}"#,
                n % 7,
                kind(n)
            );
        }
        let path = self.path(file);
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.write_all(lines.as_bytes()).unwrap();
    }

    /// Runs the binary in the project to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        Command::new(binary())
            .args(args)
            .current_dir(self.root())
            .output()
            .unwrap()
    }
}

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    env!("CARGO_BIN_EXE_streamalert").into()
}

/// Standard output of a run that must succeed.
pub(crate) fn stdout(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\nstdout:\n{out}\nstderr:\n{err}",
        output.status
    );
    out
}
