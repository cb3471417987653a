//! One case here and there.

use serde_json::{Value, json};
use streamalert_regex::{
    Anchor, Captures, CompileError, Engine, Flags, Found, Invalid, Limits, MatchError, Pattern, PyVersion,
    Raised, Template, TemplateError,
};

use crate::oracle::Case;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Patterns with texts that were compared.
    pub(crate) pairs: usize,
    pub(crate) linear: usize,
    pub(crate) backtracking: usize,
    pub(crate) untranslatable: usize,
    /// Patterns that Python refuses too.
    pub(crate) invalid: usize,
    /// Texts that went to CPython, since the limit was reached.
    pub(crate) limited: usize,
    /// Texts that took CPython too long.
    pub(crate) slow: usize,
    pub(crate) differences: Vec<String>,
}

impl Tally {
    pub(crate) fn summary(&self) -> String {
        let Tally {
            pairs,
            linear,
            backtracking,
            untranslatable,
            invalid,
            limited,
            slow,
            differences,
        } = self;
        format!(
            "{pairs} pairs; patterns: {linear} linear, {backtracking} backtracking, {untranslatable} untranslatable, \
             {invalid} invalid; texts: {limited} limited, {slow} slow; {} differences",
            differences.len()
        )
    }

    /// The first differences, the short patterns before the long ones.
    pub(crate) fn shown(&self) -> Vec<&String> {
        let mut shown: Vec<&String> = self.differences.iter().collect();
        shown.sort_by_key(|text| text.len());
        shown.truncate(12);
        shown
    }

    fn equal(&mut self, case: &Case, what: &str, here: &Value, there: &Value) {
        if here != there {
            self.differences.push(format!(
                "{what} of {:?} flags {}: here {here}, CPython {there}",
                case.pattern, case.flags
            ));
        }
    }
}

fn failure(invalid: &Invalid) -> Value {
    let class = match invalid.raised {
        Raised::ReError => "error",
        Raised::ValueError => "ValueError",
        Raised::OverflowError => "OverflowError",
        Raised::IndexError => "IndexError",
    };
    json!([class, invalid.message, invalid.position])
}

/// Byte offsets as Python's.
fn chars(text: &str, byte: usize) -> usize {
    text[..byte].chars().count()
}

fn bytes(text: &str, char: usize) -> usize {
    text.char_indices().nth(char).map_or(text.len(), |(at, _)| at)
}

fn spans(pattern: &Pattern, text: &str, captures: &Captures) -> Value {
    let span = |group| match captures.get(group) {
        Some((start, end)) => json!([chars(text, start), chars(text, end)]),
        None => json!([-1, -1]),
    };
    Value::Array((0..=pattern.groups()).map(span).collect())
}

/// Compares a case; `answer` is what CPython says.
pub(crate) fn pattern(case: &Case, answer: &Value, version: PyVersion, tally: &mut Tally) {
    let compiled = Pattern::compile(
        &case.pattern,
        Flags::from_bits(case.flags),
        version,
        &Limits::default(),
    );
    let pattern = match compiled {
        Err(CompileError::Untranslatable { .. }) => {
            tally.untranslatable += 1;
            return;
        }
        Err(CompileError::Invalid(invalid)) => {
            tally.invalid += 1;
            tally.equal(case, "error", &failure(&invalid), &answer["failure"]);
            return;
        }
        Ok(pattern) => pattern,
    };
    if pattern.engine() == Engine::Linear {
        tally.linear += 1;
    } else {
        tally.backtracking += 1;
    }
    if !answer["failure"].is_null() {
        tally.equal(case, "error", &Value::Null, &answer["failure"]);
        return;
    }
    let names: serde_json::Map<String, Value> = pattern
        .group_names()
        .map(|(name, group)| (name.to_owned(), json!(group)))
        .collect();
    let here = json!([pattern.flags().bits(), pattern.groups(), names]);
    tally.equal(
        case,
        "pattern",
        &here,
        &json!([answer["flags"], answer["groups"], answer["names"]]),
    );
    let template = match Template::new(&pattern, &case.template) {
        Ok(template) => {
            tally.equal(
                case,
                &format!("template {:?}", case.template),
                &Value::Null,
                &answer["template"],
            );
            Some(template)
        }
        Err(TemplateError::Invalid(invalid)) => {
            let what = format!("template {:?}", case.template);
            tally.equal(case, &what, &failure(&invalid), &answer["template"]);
            None
        }
        Err(TemplateError::Untranslatable { .. }) => None,
    };
    for (text, answer) in case.texts.iter().zip(answer["texts"].as_array().unwrap()) {
        if answer.is_null() {
            tally.slow += 1;
            continue;
        }
        match one_text(&pattern, template.as_ref(), text, case.count) {
            Ok(here) => {
                tally.pairs += 1;
                for (what, here) in here.as_object().unwrap() {
                    if what == "sub" && here.is_null() {
                        continue;
                    }
                    tally.equal(case, &format!("{what} in {:?}", text.0), here, &answer[what]);
                }
                literals(&pattern, case, &text.0, &answer["iter"], tally);
            }
            Err(_) => tally.limited += 1,
        }
    }
}

fn one_text(
    pattern: &Pattern,
    template: Option<&Template>,
    (text, pos, endpos): &(String, usize, usize),
    count: usize,
) -> Result<Value, MatchError> {
    let mut captures = pattern.captures();
    let mut run = |anchor, pos, endpos| -> Result<Value, MatchError> {
        let found = pattern.run(anchor, text, pos, endpos, &mut captures)?;
        assert_eq!(
            pattern.is_match_at(anchor, text, pos, endpos)?,
            found,
            "is_match of {}",
            pattern.source()
        );
        assert_eq!(
            pattern.find(anchor, text, pos, endpos)?,
            captures.get(0),
            "find of {}",
            pattern.source()
        );
        Ok(if found {
            spans(pattern, text, &captures)
        } else {
            Value::Null
        })
    };
    let (pos, endpos) = (bytes(text, *pos), bytes(text, *endpos));
    let search = run(Anchor::Search, 0, text.len())?;
    let match_ = run(Anchor::Match, 0, text.len())?;
    let full = run(Anchor::Full, 0, text.len())?;
    let region = [
        run(Anchor::Search, pos, endpos)?,
        if pos > endpos {
            Value::Null
        } else {
            run(Anchor::Match, pos, endpos)?
        },
        run(Anchor::Full, pos, endpos)?,
    ];
    let mut iter = Vec::new();
    let mut matches = pattern.find_iter(text, 0, text.len());
    while matches.next_match(&mut captures)? {
        iter.push(spans(pattern, text, &captures));
    }
    let all = pattern
        .find_all(text, 0, text.len())?
        .into_iter()
        .map(|found| match found {
            Found::Text(text) => json!(text),
            Found::Groups(groups) => json!(groups),
        });
    let sub = match template {
        Some(template) => json!(pattern.sub(template, text, count)?),
        None => Value::Null,
    };
    Ok(json!({
        "search": search,
        "match": match_,
        "full": full,
        "region": region,
        "iter": iter,
        "all": all.collect::<Vec<_>>(),
        "split": pattern.split(text, count)?,
        "sub": sub,
    }))
}

/// Every match contains a required literal and begins with a prefix.
fn literals(pattern: &Pattern, case: &Case, text: &str, matches: &Value, tally: &mut Tally) {
    let (required, prefixes) = (pattern.required_literals(), pattern.literal_prefixes());
    for spans in matches.as_array().unwrap() {
        let at = |end: usize| bytes(text, spans[0][end].as_u64().unwrap() as usize);
        let found = &text[at(0)..at(1)];
        if required
            .as_ref()
            .is_some_and(|all| !all.iter().any(|one| found.contains(one.as_str())))
        {
            tally
                .differences
                .push(format!("{required:?} not in {found:?} of {:?}", case.pattern));
        }
        if prefixes
            .as_ref()
            .is_some_and(|all| !all.iter().any(|one| found.starts_with(one.as_str())))
        {
            tally
                .differences
                .push(format!("{prefixes:?} not before {found:?} of {:?}", case.pattern));
        }
    }
}

/// Which of the letters match the letter that a pattern consists of.
pub(crate) fn case(letters: &str, answer: &Value, version: PyVersion) {
    let compile = |pattern: &str| Pattern::compile(pattern, Flags::IGNORECASE, version, &Limits::default());
    for (c, found) in letters.chars().zip(answer.as_array().unwrap()) {
        for (pattern, found) in [c.to_string(), format!("[{c}-{c}0]")]
            .iter()
            .zip(found.as_array().unwrap())
        {
            match compile(pattern) {
                Ok(pattern) => {
                    let all = pattern.find_all(letters, 0, letters.len()).unwrap();
                    let here: String = all
                        .iter()
                        .map(|found| if let Found::Text(text) = found { *text } else { "" })
                        .collect();
                    assert_eq!(json!(here), *found, "{c} in {version:?}");
                }
                Err(_) => assert!(c > '\u{ffff}', "{pattern}"),
            }
        }
    }
}
