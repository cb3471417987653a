//! Projects with many rules. How they are made is told in `benches/README.md`.

mod values;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use self::values::Values;
use super::corpus::Dice;
use super::{Report, grouped};
use crate::explain::{integer, object, text};
use crate::failure::Failure;

/// Of a hundred rules, so many are about CloudTrail when nothing else is asked for.
const CLOUDTRAIL_PERCENT: u32 = 18;

const CLOUDTRAIL: &str = include_str!("../../../benches/rules/generate/cloudtrail.py");
const OTHERS: &str = include_str!("../../../benches/rules/generate/others.py");
const SHARED: &str = include_str!("../../../benches/rules/generate/shared.py");
const MATCHERS: &str = include_str!("../../../benches/rules/typical/matchers/aws.py");

/// What a rule says, and the import that it then needs. The order is that of the imports.
const IMPORTS: &[(&str, &str)] = &[
    ("json.", "import json"),
    ("re.", "import re"),
    ("fnmatch(", "from fnmatch import fnmatch"),
    ("CloudTrail.", "from matchers.aws import CloudTrail"),
    (
        "by_user(",
        "from rules.helpers.shared import by_user, is_sensitive, outside",
    ),
    ("to_owner]", "from rules.helpers.shared import to_owner"),
    ("@rule", "from streamalert.shared.rule import rule"),
    (
        "get_first_key(",
        "from streamalert.shared.utils import get_first_key",
    ),
    ("in_network(", "from streamalert.shared.utils import in_network"),
];

/// What rules are made.
pub(crate) struct RuleSetOptions {
    /// Equal seeds give equal rules.
    pub(crate) seed: u64,
    pub(crate) rules: u32,
    /// How many apply to `cloudtrail:events`; `None`: 18 of 100.
    pub(crate) cloudtrail: Option<u32>,
}

/// One part of a file of templates: what stands behind `# ---`, and the code.
struct Part {
    name: &'static str,
    code: &'static str,
}

fn parts(file: &'static str) -> Vec<Part> {
    let rest = file.split("\n# --- ").skip(1);
    rest.filter_map(|part| part.split_once('\n'))
        .map(|(name, code)| Part {
            name: name.trim(),
            code: code.trim_end(),
        })
        .collect()
}

/// A file of a project that does not exist yet: path and text.
type Files = BTreeMap<String, String>;

fn files(options: &RuleSetOptions) -> Result<Files, Failure> {
    let wanted = options.rules / 100 * CLOUDTRAIL_PERCENT + options.rules % 100 * CLOUDTRAIL_PERCENT / 100;
    let cloudtrail = options.cloudtrail.unwrap_or(wanted);
    if cloudtrail > options.rules {
        let message = format!("{cloudtrail} of {} rules are too many", options.rules);
        return Err(Failure::Other(message));
    }
    let mut dice = Dice::new(options.seed);
    let mut files = fixed_files();
    let (ours, others) = (parts(CLOUDTRAIL), parts(OTHERS));
    for number in 0..options.rules {
        // Names, not places, decide the order of evaluation; both kinds are mixed by number.
        let (part, at) = if number < cloudtrail {
            (ours.get(number as usize % ours.len().max(1)), number)
        } else {
            let at = number - cloudtrail;
            (others.get(at as usize % others.len().max(1)), at)
        };
        let Some(part) = part else { continue };
        let folder = if number < cloudtrail {
            "cloudtrail"
        } else {
            part.name
        };
        let folder = folder.replace([':', '.'], "_");
        let what = if number < cloudtrail { part.name } else { "other" };
        let name = format!("{folder}_{what}_{at:04}");
        let code = rule(part.code, &name, &mut dice);
        files.insert(format!("rules/{folder}/{name}.py"), code);
        files.insert(format!("rules/{folder}/__init__.py"), String::new());
    }
    Ok(files)
}

fn fixed_files() -> Files {
    let conf = r#"{"general": {"rule_locations": ["rules"], "matcher_locations": ["matchers"], "publisher_locations": []}}"#;
    let cluster = r#"{"id": "bench", "data_sources": {"s3": {"bench.cloudtrail": ["cloudtrail"]}, "kinesis": {"bench_stream": ["osquery"]}}}"#;
    let settings = "[outputs.\"file:alerts\"]\npath = \".streamalert/alerts.jsonl\"\n\n[outputs.\"file:urgent\"]\npath = \".streamalert/urgent.jsonl\"\n";
    let files = [
        ("conf/global.json", conf),
        ("conf/outputs.json", r#"{"file": ["alerts", "urgent"]}"#),
        ("conf/clusters/bench.json", cluster),
        ("streamalert.toml", settings),
        ("matchers/__init__.py", ""),
        ("matchers/aws.py", MATCHERS),
        ("rules/__init__.py", ""),
        ("rules/helpers/__init__.py", ""),
        ("rules/helpers/shared.py", SHARED),
    ];
    files
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .into()
}

/// The template with values in place, and the imports it needs.
fn rule(code: &str, name: &str, dice: &mut Dice) -> String {
    let mut values = Values::default();
    let mut body = String::new();
    let mut rest = code;
    while let Some((before, after)) = rest.split_once("__") {
        body.push_str(before);
        match after.split_once("__") {
            Some(("NAME", more)) => {
                body.push_str(name);
                rest = more;
            }
            Some((placeholder, more)) => {
                body.push_str(values.get(placeholder, dice));
                rest = more;
            }
            None => {
                body.push_str("__");
                rest = after;
            }
        }
    }
    body.push_str(rest);
    let mut file = String::from("\"\"\"Made by streamalert bench rules-generate.\"\"\"\n");
    for (needs, import) in IMPORTS {
        if body.contains(needs) {
            let _ = writeln!(file, "{import}");
        }
    }
    // A file that begins with a constant has one empty line before it, one that begins with a rule has two.
    let gap = if body.starts_with('@') { "\n\n" } else { "\n" };
    file.push_str(gap);
    file.push_str(&body);
    file.push('\n');
    file
}

/// Writes a project with rules made from templates.
pub(crate) fn rule_set(options: &RuleSetOptions, out: &Path) -> Result<Report, Failure> {
    if out.join("rules").exists() {
        let message = format!("{} holds rules already; name a new folder", out.display());
        return Err(Failure::Other(message));
    }
    let files = files(options)?;
    for (path, text) in &files {
        let path = out.join(path);
        let failed = |error| Failure::while_doing(&format!("cannot write {}", path.display()), error);
        std::fs::create_dir_all(path.parent().unwrap_or(out)).map_err(failed)?;
        std::fs::write(&path, text).map_err(failed)?;
    }
    let cloudtrail = count(&files, "rules/cloudtrail/");
    let json = object([
        ("rules", integer(u64::from(options.rules))),
        ("cloudtrail", integer(cloudtrail)),
        ("files", integer(files.len() as u64)),
        ("out", text(&out.display().to_string())),
    ]);
    let lines = vec![format!(
        "rules: {} in {}, {} of them about cloudtrail:events",
        grouped(f64::from(options.rules)),
        out.display(),
        grouped(cloudtrail as f64),
    )];
    Ok(Report { json, lines })
}

fn count(files: &Files, folder: &str) -> u64 {
    let of_folder = |path: &&String| path.starts_with(folder) && !path.ends_with("__init__.py");
    files.keys().filter(of_folder).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(seed: u64, rules: u32, cloudtrail: Option<u32>) -> Files {
        files(&RuleSetOptions {
            seed,
            rules,
            cloudtrail,
        })
        .unwrap()
    }

    #[test]
    fn rule_sets_have_the_promised_number_of_rules_for_cloudtrail() {
        for (rules, wanted, cloudtrail) in [(500, None, 90), (800, Some(146), 146), (5_000, None, 900)] {
            let files = made(1, rules, wanted);
            assert_eq!(count(&files, "rules/cloudtrail/"), cloudtrail);
            let all = files
                .values()
                .map(|text| text.matches("\n@rule(").count())
                .sum::<usize>();
            assert_eq!(all, rules as usize);
            let about = files
                .values()
                .filter(|text| text.contains("logs=['cloudtrail:events']"));
            assert_eq!(about.count() as u64, cloudtrail);
        }
    }

    #[test]
    fn equal_seeds_give_equal_rules_and_others_do_not() {
        assert_eq!(made(1, 300, None), made(1, 300, None));
        assert_ne!(made(1, 300, None), made(2, 300, None));
    }

    #[test]
    fn no_placeholder_is_left_and_rules_of_one_template_differ() {
        let files = made(1, 600, None);
        for (path, text) in &files {
            assert!(!text.contains("__"), "{path}: {text}");
        }
        let bodies: std::collections::BTreeSet<&str> = files
            .iter()
            .filter(|(path, _)| path.contains("cloudtrail_set_of_calls"))
            .filter_map(|(_, text)| text.split_once("_CALLS = ")?.1.split_once('\n'))
            .map(|(calls, _)| calls)
            .collect();
        assert_eq!(bodies.len(), 6, "{bodies:?}");
    }

    #[test]
    fn more_rules_for_cloudtrail_than_rules_are_refused() {
        let options = RuleSetOptions {
            seed: 1,
            rules: 10,
            cloudtrail: Some(11),
        };
        assert!(files(&options).is_err());
    }
}
