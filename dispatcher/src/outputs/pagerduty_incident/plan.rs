use streamalert_value::Value;

use crate::Publication;
use crate::outputs::document::Markup;
use crate::outputs::json::{cut, one_line};

/// Responders asked for one incident; each costs a request.
pub(super) const RESPONDERS_MAX: usize = 10;

const TITLE_CHARS_MAX: usize = 1024;
/// Characters of a line of a note.
const NOTE_CHARS_MAX: usize = 2000;

/// What rule and publishers want of an incident.
pub(super) struct Plan {
    pub(super) title: String,
    /// The e-mail address of whom to assign.
    pub(super) assigned_user: Option<String>,
    pub(super) policy_id: Option<String>,
    /// The name of a priority.
    pub(super) priority: Option<String>,
    pub(super) urgency: Option<&'static str>,
    /// E-mail addresses.
    pub(super) responders: Vec<String>,
    pub(super) responder_message: String,
    pub(super) has_record: bool,
    /// `None` = there is to be none.
    note: Option<String>,
    /// By what a note is known as that of this delivery.
    pub(super) mark: String,
    /// Responders that are too many.
    left_out: Vec<String>,
}

impl Plan {
    pub(super) fn of(publication: &Publication) -> Self {
        let alert = &publication.alert;
        let context = alert.context.get("pagerduty-incident");
        let said = |name: &str| context.and_then(|context| context.get(name));
        let said_text = |name: &str| {
            let text = said(name)?.as_str()?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let magic = |name: &str| publication.magic("pagerduty-incident", name);
        let title = publication
            .magic_text("pagerduty-incident", "incident_title")
            .map_or_else(
                || format!("StreamAlert Incident - Rule triggered: {}", alert.rule_name),
                str::to_owned,
            );
        let note = match magic("note").or_else(|| said("note")) {
            Some(Value::Str(note)) if note.trim().is_empty() => None,
            Some(Value::Str(note)) => Some(note.clone()),
            _ => Some(Markup::Plain.inert(&publication.card().headline())),
        };
        let mut responders = match said("responders") {
            Some(Value::Str(one)) => vec![one.clone()],
            Some(Value::List(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        responders.retain(|responder| !responder.trim().is_empty());
        let left_out = responders.split_off(responders.len().min(RESPONDERS_MAX));
        let urgency = match magic("urgency").and_then(Value::as_str) {
            Some("high") => Some("high"),
            Some("low") => Some("low"),
            _ => None,
        };
        Self {
            title: cut(&one_line(&title), TITLE_CHARS_MAX),
            assigned_user: said_text("assigned_user"),
            policy_id: said_text("assigned_policy_id"),
            priority: said_text("incident_priority"),
            urgency,
            responders,
            responder_message: said_text("responder_message")
                .unwrap_or_else(|| "An incident was reported that requires your attention.".to_owned()),
            has_record: said("with_record").and_then(Value::as_bool).unwrap_or(true),
            note,
            mark: format!("alert {}", alert.id),
            left_out,
        }
    }

    /// Whether what is done can be told by a note.
    pub(super) fn has_note(&self) -> bool {
        self.note.is_some()
    }

    /// The note, with whom PagerDuty does not know. Those are told even where no note is wanted.
    pub(super) fn note(&self, unknown: &[String]) -> Option<String> {
        let mut lines: Vec<String> = self.note.iter().cloned().collect();
        if !unknown.is_empty() {
            lines.push(format!("Not known to PagerDuty: {}", unknown.join(", ")));
        }
        if !self.left_out.is_empty() {
            lines.push(format!(
                "Too many responders, not asked: {}",
                self.left_out.join(", ")
            ));
        }
        if lines.is_empty() {
            return None;
        }
        lines.push(format!("({})", self.mark));
        let lines: Vec<String> = lines.iter().map(|line| cut(line, NOTE_CHARS_MAX)).collect();
        Some(lines.join("\n"))
    }
}
