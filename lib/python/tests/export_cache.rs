//! When an export is answered from the cache, and when it must not be.

#![allow(clippy::unwrap_used, reason = "a failing test says enough")]

mod support;

use std::path::{Path, PathBuf};

use streamalert_python::{Export, ExportCache, LoadReport, PoolOptions, export};
use support::{Repo, interpreters};

const RULE: &str = "from streamalert.shared.rule import rule\nfrom tools.helper import LIMIT\n\
    @rule(logs=['t'])\ndef r(rec):\n    return LIMIT\n";

/// A repository, with the cache in a folder of its own.
struct Cached {
    repo: Repo,
    dir: tempfile::TempDir,
    interpreter: PathBuf,
}

impl Cached {
    async fn new(files: &[(&str, &str)]) -> Self {
        let cached = Self {
            repo: Repo::new(&[
                ("rules/r.py", RULE),
                ("tools/__init__.py", ""),
                ("tools/helper.py", "LIMIT = 1\n"),
            ]),
            dir: tempfile::tempdir().unwrap(),
            interpreter: interpreters().await[0].clone(),
        };
        for (path, text) in files {
            cached.repo.write(path, text);
        }
        cached
    }

    fn options(&self) -> PoolOptions {
        PoolOptions {
            interpreter: Some(self.interpreter.clone()),
            ..self.repo.options()
        }
    }

    async fn export(&self) -> (LoadReport, Export) {
        self.export_with(&self.options()).await
    }

    async fn export_with(&self, options: &PoolOptions) -> (LoadReport, Export) {
        let cache = ExportCache::new(self.dir.path().join("exports"));
        export(options, Some(&cache)).await.unwrap()
    }

    async fn is_hit(&self) -> bool {
        self.export().await.1.from_cache
    }

    fn entries(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.dir.path().join("exports"))
            .into_iter()
            .flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// Why a repository with these files is not kept.
async fn refusal(files: &[(&str, &str)]) -> String {
    let cached = Cached::new(files).await;
    let (_, first) = cached.export().await;
    assert!(!cached.is_hit().await, "{files:?}");
    first.not_reusable.join("; ")
}

/// Module-level code before the rule.
async fn refusal_of(line: &str) -> String {
    refusal(&[("rules/r.py", &format!("{line}\n{RULE}"))]).await
}

#[tokio::test]
async fn the_second_time_the_same_answer_comes_from_the_cache() {
    for interpreter in interpreters().await {
        let mut cached = Cached::new(&[]).await;
        cached.interpreter = interpreter;
        let (report, fresh) = cached.export().await;
        assert!(!fresh.from_cache);
        assert_eq!(fresh.not_reusable, [""; 0]);
        let (again, hit) = cached.export().await;
        assert!(hit.from_cache);
        assert_eq!(hit.json, fresh.json);
        assert_eq!(hit.python, fresh.python);
        assert_eq!(again.rules.version(), report.rules.version());
        assert_eq!(again.publishers, report.publishers);
        assert_eq!(again.python_version, report.python_version);
        assert_eq!(cached.entries().len(), 1);
    }
}

#[tokio::test]
async fn a_change_of_a_file_that_was_imported_is_a_miss() {
    let cached = Cached::new(&[]).await;
    cached.export().await;
    assert!(cached.is_hit().await);
    cached.repo.write("tools/helper.py", "LIMIT = 2\n");
    let (_, changed) = cached.export().await;
    assert!(!changed.from_cache);
    assert!(
        String::from_utf8_lossy(&changed.json).contains("LIMIT = 2")
            || String::from_utf8_lossy(&changed.json).contains("\"v\":\"2\"")
    );
    assert!(cached.is_hit().await);
    cached.repo.write("rules/r.py", &format!("{RULE}\n# changed\n"));
    assert!(!cached.is_hit().await);
    // Back to what was there before: that entry is still good.
    cached.repo.write("rules/r.py", RULE);
    assert!(cached.is_hit().await);
}

#[tokio::test]
async fn a_new_file_that_would_be_imported_instead_is_a_miss() {
    let cached = Cached::new(&[("rules/r.py", &format!("import fractions\n{RULE}"))]).await;
    cached.export().await;
    assert!(cached.is_hit().await);
    cached.repo.write("notes.txt", "no module");
    assert!(cached.is_hit().await);
    cached.repo.write("fractions.py", "");
    assert!(!cached.is_hit().await);
}

#[tokio::test]
async fn files_that_are_read_at_import_count() {
    let text = format!("import json\nwith open('data/list.json') as f:\n    DATA = json.load(f)\n{RULE}");
    let cached = Cached::new(&[("rules/r.py", &text), ("data/list.json", "[1]")]).await;
    cached.export().await;
    assert!(cached.is_hit().await);
    cached.repo.write("data/list.json", "[2]");
    assert!(!cached.is_hit().await);
}

#[tokio::test]
async fn files_that_are_missing_and_folders_that_are_listed_count() {
    let text = format!(
        "import os\ntry:\n    open('data/x')\nexcept OSError:\n    pass\nNAMES = os.listdir('names')\n{RULE}"
    );
    let cached = Cached::new(&[("rules/r.py", &text), ("names/a", "")]).await;
    cached.export().await;
    assert!(cached.is_hit().await);
    cached.repo.write("names/b", "");
    assert!(!cached.is_hit().await);
    assert!(cached.is_hit().await);
    cached.repo.write("data/x", "");
    assert!(!cached.is_hit().await);
}

#[tokio::test]
async fn lookup_tables_and_configuration_count() {
    let cached = Cached::new(&[("tables/a.json", "{\"a\": 1}"), ("conf/global.json", "{}")]).await;
    let mut options = cached.options();
    options.lookup_tables.insert("a".into(), "tables/a.json".into());
    let text = format!("from streamalert.shared.config import load_config\nCONFIG = load_config()\n{RULE}");
    cached.repo.write("rules/r.py", &text);
    cached.export_with(&options).await;
    assert!(cached.export_with(&options).await.1.from_cache);
    assert!(!cached.is_hit().await, "without the table it is something else");
    cached.repo.write("tables/a.json", "{\"a\": 2}");
    assert!(!cached.export_with(&options).await.1.from_cache);
    assert!(cached.export_with(&options).await.1.from_cache);
    cached.repo.write("conf/global.json", "{\"a\": {}}");
    assert!(!cached.export_with(&options).await.1.from_cache);
}

#[tokio::test]
async fn variables_of_the_environment_that_are_read_count_but_not_all_of_them() {
    let line = "import os\nA = os.environ.get('STREAMALERT_TEST_NOT_SET'), os.getenv('PATH')\n";
    let cached = Cached::new(&[("rules/r.py", &format!("{line}{RULE}"))]).await;
    cached.export().await;
    assert!(cached.is_hit().await);
    let why = refusal_of("import os\nA = dict(os.environ)").await;
    assert!(why.contains("reads the whole environment"), "{why}");
}

#[tokio::test]
async fn what_cannot_be_compared_later_is_not_kept() {
    for (line, expected) in [
        ("import socket\nsocket.socket()", "uses socket."),
        ("open('out.txt', 'w').close()", "writes the file out.txt"),
        ("import os\nos.mkdir('d')", "uses os.mkdir"),
        (
            "import datetime\nNOW = datetime.datetime.now()",
            "may depend on `now`",
        ),
        (
            "from time import time\nclass A:\n    begun = time()",
            "may depend on `time`",
        ),
        (
            "import uuid\nIDS = [uuid.uuid4() for _ in range(2)]",
            "may depend on `uuid4`",
        ),
        (
            "import os.path\nDEBUG = os.path.exists('debug')",
            "may depend on `exists`",
        ),
        (
            "open('/dev/urandom', 'rb').read(3)",
            "/dev/urandom cannot be compared",
        ),
    ] {
        let why = refusal_of(line).await;
        assert!(why.contains(expected), "{line}: {why}");
    }
}

#[tokio::test]
async fn processes_count_only_where_they_are_allowed() {
    let line = "import subprocess\ntry:\n    subprocess.run(['true'])\nexcept PermissionError:\n    pass";
    let cached = Cached::new(&[("rules/r.py", &format!("{line}\n{RULE}"))]).await;
    cached.export().await;
    assert!(cached.is_hit().await, "refused each time");
    let mut options = cached.options();
    options.limits.allow_processes = true;
    let why = cached.export_with(&options).await.1.not_reusable.join("; ");
    assert!(why.contains("uses subprocess.Popen"), "{why}");
}

#[tokio::test]
async fn an_interpreter_behind_a_script_counts_by_what_it_stands_for() {
    use std::os::unix::fs::PermissionsExt;
    let mut cached = Cached::new(&[]).await;
    let (script, target) = (cached.dir.path().join("python"), cached.dir.path().join("target"));
    std::fs::write(&target, cached.interpreter.as_os_str().as_encoded_bytes()).unwrap();
    let text = format!("#!/bin/sh\nexec \"$(cat {})\" \"$@\"\n", target.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let link = cached.dir.path().join("linked-python");
    std::os::unix::fs::symlink(&cached.interpreter, &link).unwrap();
    cached.interpreter = script;
    cached.export().await;
    assert!(cached.is_hit().await);
    std::fs::write(&target, link.as_os_str().as_encoded_bytes()).unwrap();
    assert!(!cached.is_hit().await);
}

#[tokio::test]
async fn a_clock_that_only_rules_ask_is_no_matter() {
    let text = format!("import time\nfrom random import random\n{RULE}    return time.time() + random()\n");
    let cached = Cached::new(&[("rules/r.py", &text)]).await;
    cached.export().await;
    assert!(cached.is_hit().await);
}

#[tokio::test]
async fn a_repository_with_a_file_that_does_not_load_is_not_kept() {
    let why = refusal(&[("rules/bad.py", "import not_there_at_all\n")]).await;
    assert!(why.contains("not all files loaded"), "{why}");
}

#[tokio::test]
async fn setting_the_times_of_a_file_is_not_kept() {
    // Through a descriptor that was not opened by its name.
    let text = format!(
        "import os\nf = os.dup(os.open('tools/helper.py', os.O_RDONLY))\nos.utime(f, (1, 1))\n{RULE}"
    );
    let why = refusal(&[("rules/r.py", &text)]).await;
    assert!(why.contains("uses os.utime"), "{why}");
}

#[tokio::test]
async fn damaged_entries_are_ignored_and_rewritten() {
    let cached = Cached::new(&[]).await;
    let (_, fresh) = cached.export().await;
    let path = cached.entries().remove(0);
    let whole = std::fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut lying = whole.clone();
    lying.splice(53..61, [0xff; 8]);
    for damaged in [
        &whole[..whole.len() - 1],
        &whole[..30],
        &[],
        &flipped[..],
        &lying[..],
        b"text",
    ] {
        std::fs::write(&path, damaged).unwrap();
        let (_, again) = cached.export().await;
        assert!(!again.from_cache);
        assert_eq!(again.not_reusable, [""; 0]);
        assert_eq!(again.json, fresh.json);
        assert!(cached.is_hit().await);
    }
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_costs_nothing_but_time() {
    let cached = Cached::new(&[]).await;
    std::fs::write(cached.dir.path().join("exports"), "a file").unwrap();
    let (report, export) = cached.export().await;
    assert_eq!(report.rules.rules().len(), 1);
    assert!(
        export.not_reusable[0].starts_with("cannot write "),
        "{:?}",
        export.not_reusable
    );
}

#[tokio::test]
async fn the_newest_eight_entries_are_kept() {
    let cached = Cached::new(&[]).await;
    let mut paths: Vec<PathBuf> = Vec::new();
    for number in 0..10 {
        cached.repo.write("rules/r.py", &format!("{RULE}# {number}\n"));
        cached.export().await;
        let new = cached
            .entries()
            .into_iter()
            .find(|path| !paths.contains(path))
            .unwrap();
        paths.push(new);
    }
    let mut kept = cached.entries();
    kept.sort();
    let mut newest: Vec<&Path> = paths[2..].iter().map(PathBuf::as_path).collect();
    newest.sort();
    assert_eq!(kept, newest);
}
