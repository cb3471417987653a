//! Publishers that come with the program.

use streamalert_value::{Map, Value};

use super::{Whole, fields, layouts};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builtin {
    Default,
    Blank,
    RemoveInternalFields,
    EnumerateFields,
    AddRecord,
    RemoveFields,
    RemoveNormalization,
    PopulateFields,
    StringifyArrays,
    PrettyPrintArrays,
    Redact,
    SlackLayout,
    PagerDutyLayout,
    ShortenTitle,
    CustomDetails,
    HighUrgency,
    LowUrgency,
    /// What the layout has already.
    Nothing,
}

/// Each with its own name, the name in the package `streamalert.publishers`, and StreamAlert's.
const NAMES: [(Builtin, &[&str]); 18] = [
    (
        Builtin::Default,
        &["default", "streamalert.shared.publisher.DefaultPublisher"],
    ),
    (
        Builtin::Blank,
        &[
            "blank",
            "streamalert.publishers.blank",
            "streamalert.shared.publisher.BlankPublisher",
            "publishers.community.generic.blank",
        ],
    ),
    (
        Builtin::RemoveInternalFields,
        &[
            "remove-internal-fields",
            "streamalert.publishers.remove_internal_fields",
            "publishers.community.generic.remove_internal_fields",
        ],
    ),
    (
        Builtin::EnumerateFields,
        &[
            "enumerate-fields",
            "streamalert.publishers.enumerate_fields",
            "publishers.community.generic.enumerate_fields",
        ],
    ),
    (
        Builtin::AddRecord,
        &[
            "add-record",
            "streamalert.publishers.add_record",
            "publishers.community.generic.add_record",
        ],
    ),
    (
        Builtin::RemoveFields,
        &[
            "remove-fields",
            "streamalert.publishers.remove_fields",
            "publishers.community.generic.remove_fields",
        ],
    ),
    (
        Builtin::RemoveNormalization,
        &[
            "remove-streamalert-normalization",
            "streamalert.publishers.remove_streamalert_normalization",
            "publishers.community.generic.remove_streamalert_normalization",
        ],
    ),
    (
        Builtin::PopulateFields,
        &[
            "populate-fields",
            "streamalert.publishers.populate_fields",
            "publishers.community.generic.populate_fields",
        ],
    ),
    (
        Builtin::StringifyArrays,
        &[
            "stringify-arrays",
            "streamalert.publishers.StringifyArrays",
            "publishers.community.generic.StringifyArrays",
        ],
    ),
    (
        Builtin::PrettyPrintArrays,
        &[
            "pretty-print-arrays",
            "streamalert.publishers.PrettyPrintArrays",
            "publishers.community.pagerduty.pagerduty_layout.PrettyPrintArrays",
        ],
    ),
    (Builtin::Redact, &["redact", "streamalert.publishers.redact"]),
    (
        Builtin::SlackLayout,
        &[
            "slack-layout",
            "streamalert.publishers.slack_layout",
            "streamalert.publishers.Summary",
            "publishers.community.slack.slack_layout.Summary",
        ],
    ),
    (
        Builtin::PagerDutyLayout,
        &["pagerduty-layout", "streamalert.publishers.pagerduty_layout"],
    ),
    (
        Builtin::ShortenTitle,
        &[
            "shorten-title",
            "streamalert.publishers.ShortenTitle",
            "publishers.community.pagerduty.pagerduty_layout.ShortenTitle",
        ],
    ),
    (
        Builtin::CustomDetails,
        &[
            "as-custom-details",
            "streamalert.publishers.as_custom_details",
            "publishers.community.pagerduty.pagerduty_layout.as_custom_details",
        ],
    ),
    (
        Builtin::HighUrgency,
        &[
            "high-urgency",
            "streamalert.publishers.v2_high_urgency",
            "publishers.community.pagerduty.pagerduty_layout.v2_high_urgency",
        ],
    ),
    (
        Builtin::LowUrgency,
        &[
            "low-urgency",
            "streamalert.publishers.v2_low_urgency",
            "publishers.community.pagerduty.pagerduty_layout.v2_low_urgency",
        ],
    ),
    (
        Builtin::Nothing,
        &[
            "streamalert.publishers.AttachRuleInfo",
            "streamalert.publishers.AttachPublication",
            "streamalert.publishers.AttachFullRecord",
            "publishers.community.slack.slack_layout.AttachRuleInfo",
            "publishers.community.slack.slack_layout.AttachPublication",
            "publishers.community.slack.slack_layout.AttachFullRecord",
        ],
    ),
];

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().flat_map(|(_, names)| names.iter().copied())
}

/// Only StreamAlert itself needs to know them.
const INTERNAL: [&str; 3] = ["staged", "publishers", "outputs"];

impl Builtin {
    /// The one of this name, in any spelling.
    pub(super) fn named(name: &str) -> Option<Self> {
        let mut all = NAMES.iter();
        let found = all.find(|(_, names)| names.contains(&name));
        found.map(|(builtin, _)| *builtin)
    }

    /// What follows from what earlier ones made. As in StreamAlert, nothing is an empty dictionary to a publisher that
    /// adds to it.
    pub(super) fn run(self, whole: &Whole<'_>, made: Option<Value>) -> Result<Value, String> {
        match self {
            Self::Default => return Ok(crate::json::output_dict(whole.alert)),
            Self::Blank => return Ok(Value::Map(Map::new())),
            // These shape what is there, and first of all the alert.
            Self::SlackLayout | Self::PagerDutyLayout | Self::Nothing | Self::Redact => {
                let made = whole.or_default(made);
                return Ok(match self {
                    Self::SlackLayout => layouts::slack(whole, made),
                    Self::PagerDutyLayout => layouts::pagerduty(whole, made),
                    _ => made,
                });
            }
            _ => {}
        }
        let mut made = match made {
            None => Map::new(),
            Some(Value::Map(fields)) => fields,
            Some(other) => {
                return Err(format!(
                    "a publication is a dictionary, not {}",
                    other.type_name()
                ));
            }
        };
        match self {
            Self::RemoveInternalFields => made.retain(|name, _| !INTERNAL.contains(&name.as_str())),
            Self::AddRecord => {
                made.insert("record".to_owned(), whole.record());
            }
            Self::EnumerateFields => made = fields::enumerated(&made),
            Self::RemoveFields => {
                let patterns = texts(whole, "remove_fields");
                for pattern in fields::patterns(&patterns)? {
                    fields::remove(&mut made, &|name| pattern.is_match(name));
                }
            }
            Self::RemoveNormalization => {
                fields::remove(&mut made, &|name| name.contains(fields::NORMALIZATION))
            }
            Self::PopulateFields => {
                let whole_made = Value::Map(made);
                let populate = texts(whole, "populate_fields").into_iter();
                made = populate
                    .map(|name| (name.to_owned(), Value::List(fields::values_of(&whole_made, name))))
                    .collect();
            }
            Self::StringifyArrays => fields::stringify(&mut made, "\n"),
            Self::PrettyPrintArrays => fields::stringify(&mut made, "\n\n----------\n\n"),
            Self::ShortenTitle => {
                let names = [
                    "@pagerduty-v2.summary",
                    "@pagerduty-incident.incident_title",
                    "@pagerduty.description",
                ];
                for name in names {
                    put(&mut made, name, &whole.alert.rule_name);
                }
            }
            Self::CustomDetails => {
                let details: Map = made
                    .iter()
                    .filter(|(name, _)| !name.starts_with("@pagerduty"))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                for name in ["@pagerduty.details", "@pagerduty-v2.custom_details"] {
                    made.insert(name.to_owned(), Value::Map(details.clone()));
                }
            }
            Self::HighUrgency => {
                put(&mut made, "@pagerduty-v2.severity", "critical");
                put(&mut made, "@pagerduty-incident.urgency", "high");
            }
            Self::LowUrgency => {
                put(&mut made, "@pagerduty-v2.severity", "warning");
                put(&mut made, "@pagerduty-incident.urgency", "low");
            }
            _ => {}
        }
        Ok(Value::Map(made))
    }
}

fn put(made: &mut Map, name: &str, text: &str) {
    made.insert(name.to_owned(), Value::Str(text.to_owned()));
}

/// A list of texts in the rule's context.
fn texts<'a>(whole: &'a Whole<'_>, name: &str) -> Vec<&'a str> {
    let list = whole.alert.context.get(name).and_then(Value::as_list);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}
