//! What is exported of loaded rules.

#![allow(clippy::unwrap_used, reason = "a failing test says enough")]

mod support;

use std::time::Duration;

use streamalert_python::{Limits, LoadErrorKind, PoolOptions, PythonPool, export};
use support::document::Document;
use support::{IMPORTS, Repo, interpreters};

fn kinds_repo() -> Repo {
    Repo::new(&[
        ("rules/kinds.py", include_str!("fixtures/export/rules/kinds.py")),
        ("tools/__init__.py", ""),
        ("tools/shared.py", include_str!("fixtures/export/tools/shared.py")),
    ])
}

/// The document of a single file of rules, with the default interpreter.
async fn document_of(text: &str) -> Document {
    let repo = Repo::new(&[("rules/r.py", &format!("{IMPORTS}{text}"))]);
    repo.export_with(&interpreters().await[0]).await
}

#[tokio::test]
async fn every_kind_of_object_has_its_form() {
    let expected = include_str!("fixtures/export/kinds.txt");
    for interpreter in interpreters().await {
        let document = kinds_repo().export_with(&interpreter).await;
        let probe = document.object(&document.rule("probe")["func"]);
        let shown: String = probe["globals"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, id)| format!("{name}: {}\n", document.show(id)))
            .collect();
        assert_eq!(shown, expected, "{}", interpreter.display());
    }
}

#[tokio::test]
async fn a_rule_has_its_function_matchers_outputs_context_and_info() {
    for interpreter in interpreters().await {
        let document = kinds_repo().export_with(&interpreter).await;
        let rule = document.rule("probe");
        assert_eq!(document.show(&rule["func"]), "function probe rules/kinds.py:191");
        assert_eq!(
            document.show(&rule["matchers"][0]),
            "function matcher rules/kinds.py:180"
        );
        assert!(
            document
                .show(&rule["matchers"][1])
                .starts_with("method function made")
        );
        assert_eq!(
            document.show(&rule["dynamic_outputs"][0]),
            "function outputs rules/kinds.py:184"
        );
        assert_eq!(rule["matchers"].as_array().unwrap().len(), 2);
        assert_eq!(
            document.show(&rule["context"]),
            "dict[str \"seen\": list[int 1, str \"a\", none]]"
        );
        assert_eq!(rule["info"]["logs"][0], "t");
        assert_eq!(rule["info"]["line"], 191);
        assert!(document.rule("decorated")["context"].is_null());
        assert_eq!(document.field("version"), 1);
        assert_eq!(document.field("python").as_array().unwrap().len(), 3);
        let source = &document.field("sources")[0];
        assert_eq!(source["file"], "rules/kinds.py");
        assert_eq!(source["text"], include_str!("fixtures/export/rules/kinds.py"));
    }
}

#[tokio::test]
async fn a_decorated_rule_is_its_wrapper_over_what_it_wraps() {
    for interpreter in interpreters().await {
        let document = kinds_repo().export_with(&interpreter).await;
        let wrapper = document.object(&document.rule("decorated")["func"]);
        assert_eq!(wrapper["code_name"], "wrapper");
        assert_eq!(wrapper["name"], "decorated");
        assert_eq!(wrapper["line"], 130, "the line of `@functools.wraps`");
        let inner = &wrapper["closure"]["function"];
        assert_eq!(
            document.show(inner),
            "function decorated rules/kinds.py:204",
            "the line of `@rule`"
        );
        assert_eq!(
            document.show(&document.object(inner)["globals"]["items"]),
            "list[int 1, str \"a\", none]"
        );
        // Twice the same decorator: the inner wrapper is another object with another closure.
        let outer = document.object(document.global("probe", "wrapped"));
        let between = document.object(&outer["closure"]["function"]);
        assert_eq!(between["code_name"], "wrapper");
        assert_eq!(
            document.show(&between["closure"]["function"]),
            "function wrapped rules/kinds.py:136"
        );
    }
}

#[tokio::test]
async fn functions_carry_defaults_and_the_globals_of_code_nested_in_them() {
    for interpreter in interpreters().await {
        let document = kinds_repo().export_with(&interpreter).await;
        let function = document.object(document.global("probe", "defaults"));
        let named = |key: &str| document.named(&function[key], &mut Vec::new());
        assert_eq!(document.show(&function["defaults"][0]), "int 2");
        assert_eq!(named("kwdefaults"), " {c=int 3}");
        assert_eq!(named("globals"), " {late_global=str \"late\"}");
        assert_eq!(named("closure"), " {}");
    }
}

#[tokio::test]
async fn identity_is_kept_and_recursion_ends() {
    let document = kinds_repo().export_with(&interpreters().await[0]).await;
    assert_eq!(
        document.global("probe", "twin_a"),
        document.global("probe", "twin_b")
    );
    assert_ne!(
        document.global("probe", "few"),
        document.global("probe", "fixed_few")
    );
    let even = document.global("probe", "even");
    let uneven = document.object(even)["globals"]["uneven"].clone();
    assert_eq!(document.object(&uneven)["globals"]["even"], *even);
    let context = document.object(&document.rule("probe")["context"]);
    assert_eq!(context["v"][0][1], *document.global("probe", "items"));
}

#[tokio::test]
async fn a_module_of_the_user_has_the_attributes_that_are_mentioned() {
    for interpreter in interpreters().await {
        let document = kinds_repo().export_with(&interpreter).await;
        let over = document.object(document.global("probe", "over"));
        let shared = document.show(&over["globals"]["shared"]);
        assert!(shared.contains("LIMIT=int 5"), "{shared}");
        assert!(
            shared.contains("over=function over tools/shared.py:25"),
            "{shared}"
        );
        assert!(
            shared.contains("CALLS=unsupported: assigned by `global` in count"),
            "{shared}"
        );
        assert!(shared.contains("fixed=int 2"), "{shared}");
        assert!(
            shared.contains("level=unsupported: assigned by configure of "),
            "{shared}"
        );
        assert!(!shared.contains("NEVER_MENTIONED"), "{shared}");
        // `tools.shared` is the same module by way of its package.
        let package = document.object(&over["globals"]["tools"]);
        assert_eq!(package["attrs"]["shared"], over["globals"]["shared"]);
    }
}

#[tokio::test]
async fn attributes_that_functions_set_on_modules_are_unsupported() {
    let repo = Repo::new(&[
        ("settings.py", "MODE = 'a'\nFIXED = 'b'\n"),
        (
            "rules/r.py",
            "import json\nimport settings\nfrom streamalert.shared.rule import rule\n\
             json.detect_encoding = None\n\
             def switch():\n    settings.MODE = 'c'\n\
             @rule(logs=['t'])\ndef r(rec):\n    return settings.MODE, settings.FIXED, json\n",
        ),
    ]);
    for interpreter in interpreters().await {
        let document = repo.export_with(&interpreter).await;
        let settings = document.object(document.global("r", "settings"));
        let mode = document.show(&settings["attrs"]["MODE"]);
        assert!(mode.starts_with("unsupported: assigned by switch of "), "{mode}");
        assert_eq!(document.show(&settings["attrs"]["FIXED"]), "str \"b\"");
        let json = document.show(document.global("r", "json"));
        assert!(
            json.starts_with("unsupported: the module json is changed by the module of "),
            "{json}"
        );
    }
}

#[tokio::test]
async fn functions_of_installed_packages_are_exported_with_their_source() {
    let rule = "import os, sys\nsys.path.append(os.path.abspath('venv/site-packages'))\n\
        import dep\nfrom dep.inner import twice\nfrom streamalert.shared.rule import rule\n\
        @rule(logs=['t'])\ndef r(rec):\n    return twice(rec['x']), dep.VERSION\n";
    let repo = Repo::new(&[
        ("rules/r.py", rule),
        ("venv/site-packages/dep/__init__.py", "VERSION = '1'\n"),
        (
            "venv/site-packages/dep/inner.py",
            "STEP = 2\ndef twice(x):\n    return x * STEP\n",
        ),
    ]);
    for interpreter in interpreters().await {
        let document = repo.export_with(&interpreter).await;
        let twice = document.global("r", "twice");
        assert_eq!(
            document.show(twice),
            "function twice venv/site-packages/dep/inner.py:2"
        );
        let globals = document.named(&document.object(twice)["globals"], &mut Vec::new());
        assert_eq!(globals, " {STEP=int 2}");
        let module = document.show(document.global("r", "dep"));
        assert_eq!(module, "module dep {VERSION=str \"1\"}");
    }
}

#[tokio::test]
async fn exporting_runs_nothing_of_the_user() {
    let document = Repo::new(&[("rules/r.py", include_str!("fixtures/export/rules/traps.py"))]);
    for interpreter in interpreters().await {
        let document = document.export_with(&interpreter).await;
        assert_eq!(
            document.show(document.global("r", "value")),
            "unsupported: an instance of rules.r.Trap"
        );
        let members = document.show(document.global("r", "members"));
        assert_eq!(
            members,
            "list[unsupported: an instance of rules.r.Words, unsupported: an instance of rules.r.Trap]"
        );
        let class = document.show(document.global("r", "Untouchable"));
        assert_eq!(
            class,
            "unsupported: the class rules.r.Untouchable with a metaclass"
        );
        assert!(
            document
                .show(document.global("r", "hidden"))
                .starts_with("unsupported: ")
        );
    }
}

#[tokio::test]
async fn newlines_and_encodings_are_those_of_the_parser() {
    let repo = Repo::new(&[]);
    let text = b"# coding: latin-1\r\nfrom streamalert.shared.rule import rule\r\n@rule(logs=['t'])\rdef r(rec):\r\n    return '\xe9'\r\n";
    std::fs::create_dir_all(repo.path().join("rules")).unwrap();
    std::fs::write(repo.path().join("rules/r.py"), text).unwrap();
    for interpreter in interpreters().await {
        let document = repo.export_with(&interpreter).await;
        assert_eq!(
            document.field("sources")[0]["text"],
            "# coding: latin-1\nfrom streamalert.shared.rule import rule\n@rule(logs=['t'])\ndef r(rec):\n    return 'é'\n"
        );
        assert_eq!(document.object(&document.rule("r")["func"])["line"], 3);
    }
}

#[tokio::test]
async fn large_tables_and_files_are_exported_whole() {
    let words: Vec<String> = (0..100_000).map(|number| format!("'word-{number}'")).collect();
    let text = format!(
        "TABLE = {{{}}}\nDEEP = []\nfor _ in range(50000):\n    DEEP = [DEEP]\n\
         @rule(logs=['t'])\ndef r(rec):\n    return rec['x'] in TABLE or DEEP\n",
        words.join(", ")
    );
    assert!(text.len() > 1_000_000);
    let document = document_of(&text).await;
    let table = document.object(document.global("r", "TABLE"));
    assert_eq!(table["v"].as_array().unwrap().len(), 100_000);
    assert_eq!(document.object(document.global("r", "DEEP"))["t"], "list");
}

#[tokio::test]
async fn thousands_of_rules_in_one_file_are_exported() {
    let mut text = String::from("LIMIT = 3\n");
    for number in 0..10_000 {
        text += &format!("@rule(logs=['t'])\ndef r{number}(rec):\n    return rec['x'] > LIMIT + {number}\n");
    }
    let document = document_of(&text).await;
    assert_eq!(document.field("rules").as_array().unwrap().len(), 10_000);
    assert_eq!(
        document.show(&document.rule("r9999")["func"]),
        "function r9999 rules/r.py:30000"
    );
    assert_eq!(document.global("r0", "LIMIT"), document.global("r9999", "LIMIT"));
}

#[tokio::test]
async fn the_report_is_that_of_a_pool() {
    let repo = Repo::new(&[
        (
            "rules/good.py",
            &format!("{IMPORTS}@rule(logs=['t'], outputs=['x'])\ndef good(rec):\n    return 1\n"),
        ),
        ("rules/bad.py", "import not_there_at_all\n"),
        (
            "rules/text.py",
            &format!("{IMPORTS}@rule(logs='t')\ndef text(rec):\n    return 1\n"),
        ),
        (
            "publishers/p.py",
            "from streamalert.shared.publisher import Register\n@Register\ndef p(a, b):\n    return b\n",
        ),
    ]);
    let (pool, expected) = repo.start().await;
    let (report, exported) = export(&repo.options(), None).await.unwrap();
    pool.shutdown().await;
    assert_eq!(report.rules.version(), expected.rules.version());
    assert_eq!(
        format!("{:?}", report.rules.rules()),
        format!("{:?}", expected.rules.rules())
    );
    assert_eq!(report.publishers, expected.publishers);
    assert_eq!(report.warnings, expected.warnings);
    assert_eq!(report.python_version, expected.python_version);
    let shown = |errors: &[streamalert_python::LoadError]| -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    };
    assert_eq!(shown(&report.errors), shown(&expected.errors));
    assert_eq!(report.errors.len(), 2);
    assert_eq!(
        Document::new(&exported.json)
            .field("rules")
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_file_that_hangs_is_left_out_and_reported() {
    let repo = Repo::new(&[
        ("rules/a.py", "while True:\n    pass\n"),
        (
            "rules/b.py",
            &format!("{IMPORTS}@rule(logs=['t'])\ndef b(rec):\n    return 1\n"),
        ),
        ("rules/c.py", "import os\nos._exit(3)\n"),
    ]);
    let options = PoolOptions {
        limits: Limits {
            load: Duration::from_secs(2),
            ..Limits::default()
        },
        ..repo.options()
    };
    let (report, exported) = export(&options, None).await.unwrap();
    let errors: Vec<_> = report
        .errors
        .iter()
        .map(|error| (error.file.to_str().unwrap(), error.kind))
        .collect();
    assert_eq!(
        errors,
        [
            ("rules/a.py", LoadErrorKind::TimedOut),
            ("rules/c.py", LoadErrorKind::Died)
        ]
    );
    assert_eq!(
        Document::new(&exported.json)
            .field("rules")
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(!exported.not_reusable.is_empty());
}

#[tokio::test]
async fn a_document_beyond_the_memory_limit_is_an_error() {
    let text =
        format!("{IMPORTS}T = list(range(1000, 3000000))\n@rule(logs=['t'])\ndef r(rec):\n    return T\n");
    let repo = Repo::new(&[("rules/r.py", &text)]);
    let mut options = repo.options();
    options.limits.memory_bytes = 256 << 20;
    let error = export(&options, None).await.unwrap_err().to_string();
    assert!(error.contains("exporting the rules ended the worker"), "{error}");
    // The rules themselves fit.
    assert!(PythonPool::start(options).await.is_ok());
}
