//! The table of checks. `docs/LINT.md` is made from it, and the named cases of the tests are its examples.

use crate::Severity;
use Severity::{Error, Warning};

/// One check. Its id and name never change: they stand in users' comments.
#[derive(Debug)]
pub struct Check {
    /// Which one, for code.
    pub code: Code,
    /// Which one, for people and comments: `SA201`.
    pub id: &'static str,
    /// The same as a word: `unknown-key`.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, and what follows from it, in one line.
    pub what: &'static str,
    /// Python that has it, in one line.
    pub example: &'static str,
    /// The same, mended.
    pub better: &'static str,
}

/// The checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table says what each one is")]
pub enum Code {
    SyntaxError,
    TooDeep,
    UnknownSuppression,
    DecoratorNotCalled,
    NoLogs,
    OptionForm,
    UnknownLog,
    UnknownOption,
    MergeHalf,
    Parameters,
    MatcherText,
    MatcherCalled,
    DuplicateRule,
    NoOutputs,
    OutputForm,
    UnknownOutput,
    UnknownPublisher,
    UnknownDatatype,
    UnknownKey,
    RecordChanged,
    NearlyKnownKey,
    WrongType,
    Contradiction,
    AlwaysTrue,
    TextInText,
    LetterCase,
    ConstantCondition,
    ComparedToNone,
    AssertTuple,
    Unreachable,
    NeverFires,
    BareExcept,
    GlobalChanged,
    MutableDefault,
    InputOutput,
    Backtracking,
    NoDocstring,
    NoTestEvent,
}

impl Code {
    /// Its row of the table.
    #[must_use]
    pub fn check(self) -> &'static Check {
        CHECKS
            .iter()
            .find(|check| check.code == self)
            .expect("every code has a row, which a test of this table makes sure of")
    }

    /// The check of an id or name as they stand in comments, whatever their case.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        let found = CHECKS
            .iter()
            .find(|check| check.id.eq_ignore_ascii_case(word) || check.name.eq_ignore_ascii_case(word));
        found.map(|check| check.code)
    }
}

const fn row(
    code: Code,
    (id, name): (&'static str, &'static str),
    severity: Severity,
    what: &'static str,
    (example, better): (&'static str, &'static str),
) -> Check {
    Check {
        code,
        id,
        name,
        severity,
        what,
        example,
        better,
    }
}

/// Every check, by id.
pub const CHECKS: &[Check] = &[
    row(
        Code::SyntaxError,
        ("SA001", "syntax-error"),
        Error,
        "Python cannot read the file, so none of its rules loads.",
        ("if record['a'] = 1:", "if record['a'] == 1:"),
    ),
    row(
        Code::TooDeep,
        ("SA002", "too-deep"),
        Error,
        "The file is too long or nested too deeply to be read.",
        ("x = ((((((…))))))", "give parts of it a name"),
    ),
    row(
        Code::UnknownSuppression,
        ("SA003", "unknown-suppression"),
        Warning,
        "A comment names a check that does not exist, so it suppresses nothing.",
        (
            "# streamalert: ignore[unknwon-key]",
            "# streamalert: ignore[unknown-key]",
        ),
    ),
    row(
        Code::DecoratorNotCalled,
        ("SA101", "decorator-not-called"),
        Error,
        "`rule` makes a decorator; without parentheses it fails on the function itself.",
        ("@rule", "@rule(logs=['cloudtrail:events'])"),
    ),
    row(
        Code::NoLogs,
        ("SA102", "no-logs"),
        Error,
        "A rule without `logs` and `datatypes` applies to nothing and does not load.",
        (
            "@rule(outputs=['slack:x'])",
            "@rule(logs=['cloudtrail:events'], outputs=['slack:x'])",
        ),
    ),
    row(
        Code::OptionForm,
        ("SA103", "option-form"),
        Error,
        "An option of the decorator has a value of another form than it must have.",
        (
            "@rule(logs='cloudtrail:events')",
            "@rule(logs=['cloudtrail:events'])",
        ),
    ),
    row(
        Code::UnknownLog,
        ("SA104", "unknown-log"),
        Error,
        "No schema has this log type, so the rule never sees a record of it.",
        (
            "@rule(logs=['cloudtrail:event'])",
            "@rule(logs=['cloudtrail:events'])",
        ),
    ),
    row(
        Code::UnknownOption,
        ("SA105", "unknown-option"),
        Error,
        "The decorator ignores keywords that it does not know.",
        ("@rule(logs=[…], output=[…])", "@rule(logs=[…], outputs=[…])"),
    ),
    row(
        Code::MergeHalf,
        ("SA106", "merge-half"),
        Warning,
        "`merge_by_keys` and `merge_window_mins` do something only together, and `merge_send_first` only with both.",
        (
            "@rule(…, merge_by_keys=['user'])",
            "@rule(…, merge_by_keys=['user'], merge_window_mins=5)",
        ),
    ),
    row(
        Code::Parameters,
        ("SA107", "parameters"),
        Error,
        "A rule is called with the record, and with the context if it has one, and with nothing else.",
        ("def no_mfa():", "def no_mfa(record):"),
    ),
    row(
        Code::MatcherText,
        ("SA108", "matcher-text"),
        Error,
        "A matcher is a function; a text cannot be called, so the rule never fires.",
        ("@rule(…, matchers=['prod'])", "@rule(…, matchers=[prod])"),
    ),
    row(
        Code::MatcherCalled,
        ("SA109", "matcher-called"),
        Warning,
        "A matcher is given, not called: what counts is the function that the call would have to return.",
        ("@rule(…, matchers=[prod()])", "@rule(…, matchers=[prod])"),
    ),
    row(
        Code::DuplicateRule,
        ("SA110", "duplicate-rule"),
        Error,
        "Two rules have one name; the file of the second one does not load.",
        ("def no_mfa(record): (twice)", "def no_mfa_okta(record):"),
    ),
    row(
        Code::NoOutputs,
        ("SA111", "no-outputs"),
        Warning,
        "Alerts of a rule without outputs go to the history only; nobody is told.",
        ("@rule(logs=[…])", "@rule(logs=[…], outputs=['slack:security'])"),
    ),
    row(
        Code::OutputForm,
        ("SA112", "output-form"),
        Error,
        "An output is named `service:descriptor`.",
        ("outputs=['slack']", "outputs=['slack:security']"),
    ),
    row(
        Code::UnknownOutput,
        ("SA113", "unknown-output"),
        Error,
        "Neither conf/outputs.json nor streamalert.toml has the output; alerts become dead letters.",
        ("outputs=['slack:secuirty']", "outputs=['slack:security']"),
    ),
    row(
        Code::UnknownPublisher,
        ("SA114", "unknown-publisher"),
        Error,
        "There is no publisher of this name, so the alert goes out as if none were given.",
        (
            "publishers=['publishers.mail.shrot']",
            "publishers=['publishers.mail.short']",
        ),
    ),
    row(
        Code::UnknownDatatype,
        ("SA115", "unknown-datatype"),
        Error,
        "No schema normalizes anything to this type, so no record ever has it.",
        ("datatypes=['sourceAdress']", "datatypes=['sourceAddress']"),
    ),
    row(
        Code::UnknownKey,
        ("SA201", "unknown-key"),
        Error,
        "No schema of the rule's logs has the key: looking it up raises KeyError or finds nothing, always.",
        ("record['evntName']", "record['eventName']"),
    ),
    row(
        Code::RecordChanged,
        ("SA202", "record-changed"),
        Warning,
        "The rule changes the record. Each such rule gets a copy of its own, which costs time on every record.",
        ("record['user'] = user.lower()", "user = user.lower()"),
    ),
    row(
        Code::NearlyKnownKey,
        ("SA203", "nearly-known-key"),
        Warning,
        "The log type keeps keys that its schema does not list, but this one is nearly one that it does.",
        ("record['evntName']", "record['eventName']"),
    ),
    row(
        Code::WrongType,
        ("SA301", "wrong-type"),
        Error,
        "The schema says that the value has another type than what it is compared to: never true.",
        ("record['port'] == '22'", "record['port'] == 22"),
    ),
    row(
        Code::Contradiction,
        ("SA302", "contradiction"),
        Error,
        "One value cannot be equal to two different ones: never true.",
        ("x == 'a' and x == 'b'", "x == 'a' or x == 'b'"),
    ),
    row(
        Code::AlwaysTrue,
        ("SA303", "always-true"),
        Error,
        "Whatever the value is, it differs from one of the two: always true.",
        ("x != 'a' or x != 'b'", "x != 'a' and x != 'b'"),
    ),
    row(
        Code::TextInText,
        ("SA304", "text-in-text"),
        Warning,
        "Parentheses around one text make no tuple: this looks for a part of the text.",
        ("x in ('abc')", "x in ('abc',)"),
    ),
    row(
        Code::LetterCase,
        ("SA305", "letter-case"),
        Error,
        "Text after lower() has no upper-case letters, after upper() no lower-case ones: never true.",
        ("x.lower() == 'Root'", "x.lower() == 'root'"),
    ),
    row(
        Code::ConstantCondition,
        ("SA306", "constant-condition"),
        Warning,
        "The condition, or one part of it, is a constant: it does not depend on the record.",
        ("x == 'a' or 'b'", "x in ('a', 'b')"),
    ),
    row(
        Code::ComparedToNone,
        ("SA307", "compared-to-singleton"),
        Warning,
        "`==` with None, True or False: `is None` is meant, or just the value itself.",
        ("record['error'] == None", "record['error'] is None"),
    ),
    row(
        Code::AssertTuple,
        ("SA308", "assert-tuple"),
        Error,
        "A tuple that is not empty is true, so the assertion never fails.",
        ("assert (x, 'x is missing')", "assert x, 'x is missing'"),
    ),
    row(
        Code::Unreachable,
        ("SA401", "unreachable"),
        Warning,
        "Nothing gets to this line: the one before returns, raises, breaks or continues.",
        ("return False; return x", "return x"),
    ),
    row(
        Code::NeverFires,
        ("SA402", "never-fires"),
        Error,
        "Every path answers nothing or something false, so the rule never fires.",
        ("record['a'] == 'b'", "return record['a'] == 'b'"),
    ),
    row(
        Code::BareExcept,
        ("SA403", "bare-except"),
        Warning,
        "`except:` hides every mistake of the rule, its time limit included.",
        ("except:", "except KeyError:"),
    ),
    row(
        Code::GlobalChanged,
        ("SA501", "global-changed"),
        Warning,
        "A rule changes a global. Processes do not share it, it grows for ever, and the rule cannot run natively.",
        (
            "SEEN.append(record['user'])",
            "use context, merge_by_keys or a lookup table",
        ),
    ),
    row(
        Code::MutableDefault,
        ("SA502", "mutable-default"),
        Warning,
        "The default is made once and shared by all calls.",
        ("def f(record, seen=[]):", "def f(record, seen=None):"),
    ),
    row(
        Code::InputOutput,
        ("SA503", "input-output"),
        Warning,
        "A rule waits, reads a file or talks to the network: every record waits with it.",
        ("requests.get(url)", "use a lookup table"),
    ),
    row(
        Code::Backtracking,
        ("SA504", "backtracking-regex"),
        Warning,
        "Repetition within repetition: on a text that nearly matches, this takes time without end.",
        (r"re.match(r'(a+)+$', x)", r"re.match(r'a+$', x)"),
    ),
    row(
        Code::NoDocstring,
        ("SA601", "no-docstring"),
        Warning,
        "The docstring is the description in every alert; without one, whoever gets it knows only a name.",
        (
            "def no_mfa(record): return …",
            "def no_mfa(record): \"\"\"Sign-in without a second factor.\"\"\"",
        ),
    ),
    row(
        Code::NoTestEvent,
        ("SA602", "no-test-event"),
        Warning,
        "No test event must trigger the rule, so nobody knows whether it can fire.",
        ("trigger_rules: []", "trigger_rules: [\"no_mfa\"]"),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_row_and_rows_are_in_order_of_their_ids() {
        assert!(
            CHECKS
                .windows(2)
                .all(|pair| pair[0].id < pair[1].id && pair[0].code < pair[1].code)
        );
        let last = CHECKS.last().unwrap().code;
        assert_eq!(last as usize + 1, CHECKS.len(), "a code is missing in the table");
        for check in CHECKS {
            assert_eq!(Code::of(check.id), Some(check.code));
            assert_eq!(Code::of(&check.name.to_uppercase()), Some(check.code));
            assert!(!check.what.contains(['|', '\n']), "{}", check.id);
        }
        assert_eq!(Code::of("SA999"), None);
    }
}
