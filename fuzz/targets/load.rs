//! Any bytes as the rule files of a project: loading, compiling and indexing them ends, soon, with an answer.
//!
//! The first byte chooses the version of Python; a NUL separates files.

#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use streamalert_detect::{RuleInfo, RuleSet};
use streamalert_fuzz::stack;
use streamalert_native::cx::Limits;
use streamalert_native::engine::Engine;
use streamalert_native::{load, lower};

/// Files are imported by these names.
const FILES: [&str; 3] = ["rules/a.py", "b.py", "c/d.py"];

fn check(data: &[u8]) {
    let Some((version, text)) = data.split_first() else {
        return;
    };
    let texts = text.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let files: BTreeMap<String, String> = FILES
        .iter()
        .zip(texts)
        .map(|(name, text)| ((*name).to_owned(), text.into_owned()))
        .collect();
    let mut loaded = load::load(&files, files.keys().map(String::as_str), (3, 8 + version % 6, 7));
    let program = lower::compile(&loaded.export).expect("the version is known");
    let infos = loaded
        .rules
        .iter()
        .zip(&loaded.export.rules)
        .map(|(rule, exported)| {
            let mut info = RuleInfo::named(&rule.name, &["a:b"]);
            info.matchers = exported.matchers.len() as u32;
            info
        });
    // Two rules of one name are the loader's problem, not this one.
    if let Ok(rules) = RuleSet::new(infos.collect()) {
        let _engine = Engine::new(program, Arc::new(rules), Limits::default());
    }
    // An export is a document that anybody could have written: references need not lead anywhere.
    loaded.export.objects.reverse();
    lower::compile(&loaded.export).expect("the version is known");
}

fuzz_target!(|data: &[u8]| stack::run(|| check(data)));
