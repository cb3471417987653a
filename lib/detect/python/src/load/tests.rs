use super::*;

fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect()
}

const RULE: &str = "\
import re
from streamalert.shared.rule import disable, rule
from helpers.names import NAMES, is_known

PATTERN = re.compile('a+', re.I)
LIMIT = 60 * 5

class Matchers:
    HOSTS = {'a', 'b'}

    @classmethod
    def known(cls, rec):
        return rec['host'] in cls.HOSTS

    @staticmethod
    def any(rec):
        return True

@rule(logs=['a:b'], outputs=('slack:x',), matchers=[Matchers.any], merge_window_mins=LIMIT, context={'n': 1})
@disable
def first(rec, context):
    '''What it does'''
    return is_known(rec['a']) or rec['b'] in NAMES

@rule(logs=['c'])
def second(rec):
    return bool(PATTERN.match(rec['x']))
";

const NAMES: &str = "\
try:
    import ujson as json
except ImportError:
    import json
NAMES = 'one two'.split() + ['three']
def is_known(name):
    return name in NAMES and MISSING
for name in NAMES:
    pass
UPPER = {n: [m, 1] for n in ('a', 'b') for m in ('a',) if n != m}
OTHER = [f'{x}' for x in (1, 2)]
";

#[test]
fn rules_load_with_what_they_import() {
    let loaded = load(
        &files(&[("rules/a.py", RULE), ("helpers/names.py", NAMES)]),
        ["rules/a.py"],
        (3, 11, 7),
    );
    let told: Vec<String> = loaded.problems.iter().map(Problem::to_string).collect();
    assert_eq!(
        told,
        [
            "helpers/names.py:8: a for loop is not understood without Python",
            "helpers/names.py:11: an f-string is not understood without Python",
        ]
    );
    let [first, second] = loaded.rules.as_slice() else {
        panic!("{:?}", loaded.rules);
    };
    assert_eq!(first.name, "first");
    assert_eq!(first.description.as_deref(), Some("What it does"));
    assert!(first.disabled && !second.disabled);
    assert_eq!((first.line, second.line), (19, 25));
    assert_eq!(
        serde_json::to_value(&first.options).unwrap(),
        serde_json::json!({"logs": ["a:b"], "outputs": ["slack:x"], "merge_window_mins": 300})
    );
    assert_eq!(loaded.export.rules[0].matchers.len(), 1);
    assert!(loaded.export.rules[0].context.is_some());
    let program = crate::lower::compile(&loaded.export).unwrap();
    assert!(
        program.rules.iter().all(|rule| rule.refused.is_none()),
        "{:?}",
        program.points
    );
}

#[test]
fn what_is_beyond_the_subset_is_told_with_its_line() {
    for (text, told) in [
        (
            "x = 1\nwhile x:\n    x = 0\n",
            "a.py:2: a while loop is not understood without Python",
        ),
        (
            "x = y\n",
            "a.py:1: the name y, which is not defined is not understood without Python",
        ),
        (
            "def f(:\n",
            "a.py:1: the file does not parse: Expected a parameter or the end of the parameter list",
        ),
        (
            "from streamalert.shared.rule import rule\n@rule\ndef f(rec):\n    return 1\n",
            "a.py:2: @rule without arguments, which needs logs or datatypes, is not understood without Python",
        ),
        (
            "from streamalert.shared.rule import rule\n@rule(logs=['a'])\ndef f(rec): 1\n@rule(logs=['a'])\ndef f(rec): 2\n",
            "a.py:4: rule [f] already defined in a.py:2",
        ),
    ] {
        let problem = compile_source(text, "a.py").expect_err(text);
        assert_eq!(problem.to_string(), told);
    }
}

#[test]
fn files_that_import_each_other_are_told() {
    let loaded = load(
        &files(&[("a.py", "import b\n"), ("b.py", "import a\n")]),
        ["a.py"],
        (3, 11, 7),
    );
    assert_eq!(
        loaded.problems[0].to_string(),
        "a.py:0: files import each other in a circle"
    );
}

#[test]
fn lambdas_of_one_line_are_told_apart() {
    let text = "F = [lambda r: 1, lambda r: 2]\ndef rule(rec):\n    return F[0](rec) == F[1](rec)\n";
    let program = compile_source(text, "a.py").unwrap();
    let bodies: Vec<String> = program
        .codes
        .iter()
        .map(|code| format!("{:?}", code.body))
        .collect();
    assert_ne!(bodies[0], bodies[1]);
}

#[test]
fn loggers_load_and_a_rule_that_logs_compiles() {
    let text = "\
import logging
from streamalert.shared.logger import get_logger
from streamalert.shared.rule import rule
LOGGER = logging.getLogger(__name__)
OTHER = get_logger('other', 'debug')
logging.basicConfig(level=logging.INFO)
LOGGER.setLevel(logging.DEBUG)
OTHER.info('loaded %s', __name__)

@rule(logs=['a'])
def logs(rec):
    LOGGER.warning('seen %s', rec['a'])
    OTHER.exception('%d', 'no number')
    logging.error('x')
    return LOGGER.info('%s') is None
";
    let program = compile_source(text, "rules/a.py").unwrap();
    assert!(program.rules[0].points.is_empty(), "{:?}", program.points);
}

#[test]
fn what_else_is_done_to_a_logger_is_told() {
    let text = "import logging\nLOGGER = logging.getLogger('x')\nLOGGER.addHandler(Mine())\n";
    let problem = compile_source(text, "a.py").unwrap_err();
    assert_eq!(problem.line, 3, "{problem}");
}

#[test]
fn publishers_are_told_by_their_dotted_names() {
    let rule = "\
from publishers.ours import known, unknown
from streamalert.shared.publisher import DefaultPublisher
from streamalert.shared.rule import rule
@rule(logs=['a'], publishers={'slack:x': [DefaultPublisher, known], 'file:y': known})
def f(rec):
    return True
@rule(logs=['a'], publishers=[unknown])
def g(rec):
    return True
";
    let ours = "\
from streamalert.shared.publisher import Register
@Register
def known(alert, publication):
    return publication
def unknown(alert, publication):
    return publication
";
    let loaded = load(
        &files(&[("rules/a.py", rule), ("publishers/ours.py", ours)]),
        ["rules/a.py"],
        (3, 11, 7),
    );
    assert_eq!(
        loaded.rules[0].options["publishers"],
        serde_json::json!({
            "slack:x": ["streamalert.shared.publisher.DefaultPublisher", "publishers.ours.known"],
            "file:y": "publishers.ours.known",
        })
    );
    assert_eq!(loaded.rules.len(), 1);
    assert_eq!(
        loaded.problems[0].to_string(),
        "rules/a.py:7: such a publisher is not understood without Python"
    );
}
