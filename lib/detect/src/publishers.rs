use std::collections::BTreeSet;

use indexmap::IndexMap;
use streamalert_types::{Alert, OutputName};
use streamalert_value::{Map, Value};

/// The publisher of alerts that name none: the alert's output dictionary as it is.
pub const DEFAULT_PUBLISHER: &str = "streamalert.shared.publisher.DefaultPublisher";

/// Publishers that a rule names, resolved to registered names at load; unknown ones are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PublisherPlan {
    /// None asked for.
    #[default]
    None,
    /// These, in order, for every output.
    All(Vec<String>),
    /// By service (`slack`) or output (`slack:security`); first the service's, then the output's.
    ByOutput(IndexMap<String, Vec<String>>),
}

impl PublisherPlan {
    /// The `publishers` of an alert with these outputs: null, or a dictionary from output to names. The history
    /// output gets none, its alerts stay as they are.
    #[must_use]
    pub fn for_outputs(&self, outputs: &BTreeSet<OutputName>) -> Value {
        let history = OutputName::history();
        let names = |output: &OutputName| -> Vec<Value> {
            let names: Vec<&String> = match self {
                Self::None => Vec::new(),
                Self::All(names) => names.iter().collect(),
                Self::ByOutput(map) => [output.service(), output.as_str()]
                    .into_iter()
                    .filter_map(|key| map.get(key))
                    .flatten()
                    .collect(),
            };
            names.into_iter().map(|name| Value::Str(name.clone())).collect()
        };
        if *self == Self::None {
            return Value::Null;
        }
        let map: Map = outputs
            .iter()
            .filter(|output| **output != history)
            .map(|output| (output.as_str().to_owned(), Value::List(names(output))))
            .collect();
        if map.is_empty() {
            Value::Null
        } else {
            Value::Map(map)
        }
    }
}

/// The publishers to run, in order, before `alert` goes to `output`. Empty, or [`DEFAULT_PUBLISHER`] alone, is
/// the plain output dictionary.
#[must_use]
pub fn publisher_names(alert: &Alert, output: &OutputName) -> Vec<String> {
    fn collect(value: &Value, names: &mut Vec<String>) {
        match value {
            Value::Str(name) => names.push(name.clone()),
            Value::List(items) => items.iter().for_each(|item| collect(item, names)),
            _ => {}
        }
    }
    let mut names = Vec::new();
    match &alert.publishers {
        Value::Map(map) => {
            for key in [output.service(), output.as_str()] {
                if let Some(value) = map.get(key) {
                    collect(value, &mut names);
                }
            }
        }
        other => collect(other, &mut names),
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs() -> BTreeSet<OutputName> {
        [
            OutputName::history(),
            "slack:x".parse().unwrap(),
            "pagerduty:y".parse().unwrap(),
        ]
        .into()
    }

    fn shown(plan: &PublisherPlan) -> String {
        format!("{:?}", plan.for_outputs(&outputs()))
    }

    #[test]
    fn a_blanket_publisher_goes_to_every_output_but_the_history() {
        let text = shown(&PublisherPlan::All(vec!["p".into()]));
        assert_eq!(
            text,
            r#"Map({"pagerduty:y": List([Str("p")]), "slack:x": List([Str("p")])})"#
        );
    }

    #[test]
    fn publishers_of_the_service_come_before_those_of_the_output() {
        let by = [
            ("slack:x".to_owned(), vec!["b".to_owned()]),
            ("slack".to_owned(), vec!["a".to_owned()]),
        ];
        let text = shown(&PublisherPlan::ByOutput(by.into_iter().collect()));
        assert_eq!(
            text,
            r#"Map({"pagerduty:y": List([]), "slack:x": List([Str("a"), Str("b")])})"#
        );
    }

    #[test]
    fn no_publishers_is_null_and_an_empty_list_is_an_empty_list_per_output() {
        assert_eq!(shown(&PublisherPlan::None), "Null");
        let text = shown(&PublisherPlan::All(Vec::new()));
        assert_eq!(text, r#"Map({"pagerduty:y": List([]), "slack:x": List([])})"#);
    }
}
