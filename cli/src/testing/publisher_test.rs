use streamalert_schema::Query;
use streamalert_value::Value;

/// What an output must get: the value at a path of the publication, compared with a condition.
#[derive(Debug)]
pub(crate) struct PublisherTest {
    /// The output, such as `slack:alerts`.
    pub(crate) output: String,
    /// Line in the test event file.
    pub(crate) line: usize,
    /// The expression as it was written; empty when the test is malformed.
    pub(crate) expression: String,
    check: Result<Check, String>,
}

#[derive(Debug)]
struct Check {
    compiled: Query,
    condition: Condition,
    value: Value,
}

/// How found and expected value are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Is,
    In,
    Contains,
}

/// Why a publisher test does not hold.
#[derive(Debug, Clone)]
pub(crate) enum Unmet {
    /// The test itself is malformed, or its expression cannot be evaluated on the publication.
    Invalid(String),
    /// The publication says something else.
    Differs(Box<Difference>),
}

/// What was found instead of what was expected.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    /// `is`, `in`, `contains`.
    pub(crate) condition: &'static str,
    pub(crate) expected: Value,
    pub(crate) found: Value,
}

impl Condition {
    const ALL: [Self; 3] = [Self::Is, Self::In, Self::Contains];

    const fn word(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::In => "in",
            Self::Contains => "contains",
        }
    }
}

impl PublisherTest {
    /// Reads `[expression, condition, value]` or `{jmespath_expression, condition, value}`.
    pub(crate) fn read(output: &str, line: usize, written: &Value) -> Self {
        let parts = match written {
            Value::List(items) if items.len() == 3 => Ok((&items[0], &items[1], &items[2])),
            Value::List(_) => Err("a list must be [jmespath expression, condition, value]".to_owned()),
            Value::Map(map) => match ["jmespath_expression", "condition", "value"].map(|key| map.get(key)) {
                [Some(expression), Some(condition), Some(value)] => Ok((expression, condition, value)),
                _ => Err("an object must have jmespath_expression, condition and value".to_owned()),
            },
            other => Err(format!("must be a list or an object, not {}", other.type_name())),
        };
        let expression = parts
            .as_ref()
            .ok()
            .and_then(|(expression, ..)| expression.as_str())
            .unwrap_or_default();
        Self {
            output: output.to_owned(),
            line,
            expression: expression.to_owned(),
            check: parts.and_then(|(expression, condition, value)| Check::read(expression, condition, value)),
        }
    }

    /// Why the test can never hold, if so.
    pub(crate) fn malformed(&self) -> Option<&str> {
        self.check.as_ref().err().map(String::as_str)
    }

    /// Compares with what an output would get.
    pub(crate) fn hold_against(&self, publication: &Value) -> Result<(), Unmet> {
        let check = self
            .check
            .as_ref()
            .map_err(|reason| Unmet::Invalid(reason.clone()))?;
        let found = check.compiled.search(publication).map_err(Unmet::Invalid)?;
        if check.holds(&self.expression, &found) {
            return Ok(());
        }
        Err(Unmet::Differs(Box::new(Difference {
            condition: check.condition.word(),
            expected: check.value.clone(),
            found,
        })))
    }
}

impl Check {
    fn read(expression: &Value, condition: &Value, value: &Value) -> Result<Self, String> {
        let expression = expression
            .as_str()
            .ok_or_else(|| format!("the expression must be a text, not {}", expression.to_json()))?;
        let compiled =
            Query::compile(expression).map_err(|error| format!("not a jmespath expression: {error}"))?;
        let named = |one: &Condition| condition.as_str() == Some(one.word());
        let condition = Condition::ALL.into_iter().find(named).ok_or_else(|| {
            let words = Condition::ALL.map(Condition::word).join(", ");
            format!("no such condition: {}; there are {words}", condition.to_json())
        })?;
        Ok(Self {
            compiled,
            condition,
            value: value.clone(),
        })
    }

    fn holds(&self, expression: &str, found: &Value) -> bool {
        match self.condition {
            Condition::Is if enumerates_objects(expression) => equal_in_any_order(found, &self.value),
            Condition::Is => found.python_eq(&self.value),
            Condition::In => contains(&self.value, found),
            Condition::Contains => contains(found, &self.value),
        }
    }
}

/// Whether the order of a found list means nothing: objects are unordered in JMESPath, and its crate sorts keys
/// where Python's library leaves them as they were inserted.
fn enumerates_objects(expression: &str) -> bool {
    ["keys(", "values("]
        .iter()
        .any(|function| expression.contains(function))
        || expression.replace("[*]", "").contains('*')
}

fn equal_in_any_order(one: &Value, two: &Value) -> bool {
    let (Value::List(one), Value::List(two)) = (one, two) else {
        return one.python_eq(two);
    };
    let mut rest: Vec<&Value> = two.iter().collect();
    one.len() == two.len()
        && one.iter().all(|item| {
            let at = rest.iter().position(|other| item.python_eq(other));
            at.is_some_and(|at| {
                rest.swap_remove(at);
                true
            })
        })
}

/// Python's `item in whole`.
fn contains(whole: &Value, item: &Value) -> bool {
    match (whole, item) {
        (Value::Str(whole), Value::Str(part)) => whole.contains(part.as_str()),
        (Value::List(items), item) => items.iter().any(|other| other.python_eq(item)),
        (Value::Map(map), Value::Str(key)) => map.contains_key(key),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        Value::parse_json(text.as_bytes()).unwrap()
    }

    fn hold(test: &str, publication: &str) -> Result<(), Unmet> {
        PublisherTest::read("slack:alerts", 1, &json(test)).hold_against(&json(publication))
    }

    const PUBLICATION: &str =
        r#"{"@slack.text": "Rule fired", "b": [{"n": 1}, {"n": 2.0}], "a": {"k": null}, "tags": ["x", "y"]}"#;

    #[test]
    fn both_written_forms_and_all_conditions_compare_as_python_does() {
        for test in [
            r#"["\"@slack.text\"", "is", "Rule fired"]"#,
            r#"{"jmespath_expression": "b[0].n", "condition": "is", "value": 1.0}"#,
            r#"["b[1].n", "is", 2]"#,
            r#"["a.missing", "is", null]"#,
            r#"["a", "is", {"k": null}]"#,
            r#"["b[0].n", "in", [3, 1]]"#,
            r#"["\"@slack.text\"", "in", "The Rule fired"]"#,
            r#"["\"@slack.text\"", "contains", "fired"]"#,
            r#"["tags", "contains", "y"]"#,
            r#"["a", "contains", "k"]"#,
            r#"["length(tags)", "is", 2]"#,
            r#"["b[*].n", "is", [1, 2]]"#,
        ] {
            let held = hold(test, PUBLICATION);
            assert!(held.is_ok(), "{test}: {held:?}");
        }
        for test in [
            r#"["\"@slack.text\"", "is", "rule fired"]"#,
            r#"["\"@slack.text\"", "in", ["Rule"]]"#,
            r#"["\"@slack.text\"", "contains", 1]"#,
            r#"["a.missing", "contains", "x"]"#,
            r#"["b[*].n", "is", [2, 1]]"#,
        ] {
            assert!(
                matches!(hold(test, PUBLICATION), Err(Unmet::Differs(_))),
                "{test}"
            );
        }
    }

    #[test]
    fn keys_of_an_object_have_no_order_but_must_all_be_there() {
        assert!(
            hold(
                r#"["keys(@)", "is", ["tags", "a", "b", "@slack.text"]]"#,
                PUBLICATION
            )
            .is_ok()
        );
        assert!(hold(r#"["keys(@)", "is", ["tags", "a", "b", "b"]]"#, PUBLICATION).is_err());
        assert!(hold(r#"["keys(@)", "is", ["tags", "a", "b"]]"#, PUBLICATION).is_err());
    }

    #[test]
    fn a_test_that_does_not_hold_tells_what_was_found() {
        let Err(Unmet::Differs(difference)) = hold(r#"["tags", "is", ["x"]]"#, PUBLICATION) else {
            panic!("it holds");
        };
        let Difference {
            condition,
            expected,
            found,
        } = *difference;
        assert_eq!(
            (condition, expected.to_json(), found.to_json()),
            ("is", r#"["x"]"#.to_owned(), r#"["x","y"]"#.to_owned())
        );
    }

    #[test]
    fn a_malformed_test_tells_what_is_wrong_with_it() {
        for (test, reason) in [
            (r#"["a", "is"]"#, "[jmespath expression, condition, value]"),
            (
                r#"{"condition": "is", "value": 1}"#,
                "jmespath_expression, condition and value",
            ),
            ("7", "must be a list or an object"),
            (
                r#"["a", "equals", 1]"#,
                "no such condition: \"equals\"; there are is, in, contains",
            ),
            (r#"["a[", "is", 1]"#, "not a jmespath expression"),
            (r#"[1, "is", 1]"#, "the expression must be a text"),
        ] {
            let read = PublisherTest::read("slack:alerts", 1, &json(test));
            assert!(read.malformed().unwrap().contains(reason), "{test}: {read:?}");
        }
        assert!(matches!(
            hold(r#"["keys(tags)", "is", 1]"#, PUBLICATION),
            Err(Unmet::Invalid(_))
        ));
    }
}
