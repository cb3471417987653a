//! An alert as people are to see it: what happened first, the facts next, links and origin last, raw data never first.
//! Pure; every layout (Slack, Teams, Discord, e-mail) is drawn from it.

mod facts;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use streamalert_types::Timestamp;
use streamalert_value::{Map, Value};

use crate::Publication;
pub use facts::Fact;
pub(crate) use text::duration;

/// Everything that a layout shows. Texts are plain: nothing is escaped, and control characters other than line ends and
/// tabs are replaced by U+FFFD. None is longer than 4,000 characters.
#[derive(Debug, Clone)]
pub struct Card {
    /// The rule's name as a title: `Cloudtrail root login`. One line, never empty.
    pub title: String,
    /// How bad it is, where anybody said so.
    pub severity: Severity,
    /// What happened, in one sentence; empty when the rule's docstring does not say.
    pub summary: String,
    /// The fields of the record that tell most, at most ten, most telling first.
    pub facts: Vec<Fact>,
    /// What the rule's context holds, at most twenty.
    pub context: Vec<Fact>,
    /// How many alerts were merged into this one.
    pub merged: Option<Merged>,
    /// Where to go from here: playbook, alert, trace.
    pub links: Vec<Link>,
    /// What is wrong with the publication itself, such as a publisher that failed.
    pub warning: Option<String>,
    /// Where it comes from: log type, entity, cluster, time, alert id, trace id; without empty parts.
    pub origin: Vec<String>,
    /// The record, or what publishers made of it; for the end of a message.
    pub record: Value,
}

/// Characters of any text of a card. Layouts have limits of their own below that.
pub(crate) const TEXT_CHARS_MAX: usize = 4000;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nobody said.
    Unknown,
    /// For the record.
    Info,
    /// To be looked at some time.
    Low,
    /// To be looked at.
    Medium,
    /// To be looked at today.
    High,
    /// To be looked at now.
    Critical,
}

impl Severity {
    /// Reads the words that people use.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word.trim().to_ascii_lowercase().as_str() {
            "critical" | "crit" | "p1" | "sev1" | "emergency" | "fatal" => Self::Critical,
            "high" | "error" | "p2" | "sev2" | "major" => Self::High,
            "medium" | "moderate" | "warning" | "warn" | "p3" | "sev3" => Self::Medium,
            "low" | "minor" | "p4" | "sev4" => Self::Low,
            "info" | "informational" | "information" | "notice" | "debug" | "p5" | "sev5" => Self::Info,
            _ => Self::Unknown,
        }
    }

    /// In one word; empty for [`Severity::Unknown`].
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Info => "Info",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }

    /// A colour, `RRGGBB`; one that can be told from the others also without red and green sight, by its brightness.
    #[must_use]
    pub const fn colour(self) -> &'static str {
        match self {
            Self::Unknown => "5F6B7A",
            Self::Info => "2F80ED",
            Self::Low => "2D9CDB",
            Self::Medium => "E2A100",
            Self::High => "E8590C",
            Self::Critical => "B3001B",
        }
    }
}

/// A merged alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// How many.
    pub count: i64,
    /// When the first was raised.
    pub first: String,
    /// When the last was raised.
    pub last: String,
    /// From first to last; `None` when a time cannot be read.
    pub span_secs: Option<u64>,
    /// They came after one that was sent on its own.
    pub follows: bool,
    /// Why the group was closed before its window ended, if it was: `50 alerts`.
    pub closed_early: Option<String>,
}

impl Merged {
    /// `12 alerts merged`, or `11 more alerts merged` where one was sent before.
    #[must_use]
    pub fn title(&self) -> String {
        let plural = if self.count == 1 { "" } else { "s" };
        let more = if self.follows { "more " } else { "" };
        format!("{} {more}alert{plural} merged", self.count)
    }

    /// `2020-01-01T… to … (3 min)`, and where it is so `, group closed early: 50 alerts`.
    #[must_use]
    pub fn span(&self) -> String {
        let span = match self.span_secs {
            Some(secs) => format!(" ({})", duration(secs)),
            None => String::new(),
        };
        let early = match &self.closed_early {
            Some(reason) => format!(", group closed early: {reason}"),
            None => String::new(),
        };
        format!("{} to {}{span}{early}", self.first, self.last)
    }
}

/// Somewhere to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What is there: `Playbook`, `Alert`, `Trace`.
    pub text: &'static str,
    /// An `http` or `https` url.
    pub url: String,
}

/// Urls of an installation, in which `{id}` stands for the alert's id and `{trace}` for its trace's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkTemplates {
    /// The alert in the console.
    pub alert: Option<String>,
    /// The trace.
    pub trace: Option<String>,
}

impl Card {
    /// The card of `publication`. What publishers removed does not come back: everything but the rule's name and the
    /// alert's identity is taken from what they made.
    #[must_use]
    pub fn of(publication: &Publication) -> Self {
        let (fields, alert) = (&*publication.fields(), &publication.alert);
        let text_of = |name: &str| fields.get(name).and_then(Value::as_str);
        let described = fields.contains_key("rule_description") || !publication.is_changed();
        let description =
            text_of("rule_description").unwrap_or(if described { &alert.rule_description } else { "" });
        let record = fields
            .get("record")
            .cloned()
            .unwrap_or_else(|| facts::rest_of(fields));
        let empty = Map::new();
        let content = record.as_map().unwrap_or(&empty);
        let merged = merged(content);
        let facts = match merged {
            Some(_) => facts::merged_facts(content),
            None => facts::telling_facts(content),
        };
        let context = fields.get("context").and_then(Value::as_map);
        Self {
            title: text::title(text_of("rule_name").unwrap_or(&alert.rule_name)),
            severity: severity(fields, description),
            summary: text::clean(text::first_line(description)),
            facts,
            context: context.map(facts::of_context).unwrap_or_default(),
            merged,
            links: links(publication, description),
            warning: text_of("streamalert_publisher_error")
                .map(|error| format!("publisher failed: {}", text::clean(error))),
            origin: origin(publication, fields),
            record,
        }
    }

    /// The record as JSON for people.
    #[must_use]
    pub fn record_text(&self) -> String {
        crate::json::to_pretty_json(&self.record)
    }

    /// Title and summary in one line, for notifications and subjects: `Cloudtrail root login: Somebody used it.`
    #[must_use]
    pub fn headline(&self) -> String {
        let line = self.summary.lines().next().unwrap_or_default();
        if line.is_empty() {
            self.title.clone()
        } else {
            format!("{}: {line}", self.title)
        }
    }
}

/// Said by a publisher, by the rule's context, or by a line `severity: …` of its docstring.
fn severity(fields: &Map, description: &str) -> Severity {
    let context = fields.get("context").and_then(|context| context.get("severity"));
    let said = fields.get("severity").or(context).and_then(Value::as_str);
    let line = || text::labelled(description, &["severity"]).unwrap_or_default();
    Severity::of(said.unwrap_or_else(line))
}

fn merged(record: &Map) -> Option<Merged> {
    let count = record.get("AlertCount")?.as_i64()?;
    let first = record.get("AlertTimeFirst")?.as_str()?;
    let last = record.get("AlertTimeLast")?.as_str()?;
    let span_secs = match (first.parse::<Timestamp>(), last.parse::<Timestamp>()) {
        (Ok(first), Ok(last)) => Some(last.since(first).as_secs()),
        _ => None,
    };
    let (first, last) = (text::short(first, 60), text::short(last, 60));
    Some(Merged {
        count,
        first,
        last,
        span_secs,
        follows: record.get("FirstAlert").is_some(),
        closed_early: record
            .get("ClosedEarly")
            .and_then(Value::as_str)
            .map(|reason| text::short(reason, 40)),
    })
}

fn links(publication: &Publication, description: &str) -> Vec<Link> {
    let (alert, templates): (_, &Arc<LinkTemplates>) = (&publication.alert, &publication.links);
    let filled = |template: &String| {
        template
            .replace("{id}", &alert.id.to_string())
            .replace("{trace}", alert.trace_id().unwrap_or_default())
    };
    let playbook = text::labelled(description, &["playbook", "runbook"]).map(str::to_owned);
    let trace = templates.trace.as_ref().filter(|_| alert.trace_id().is_some());
    let links = [
        ("Playbook", playbook),
        ("Alert", templates.alert.as_ref().map(filled)),
        ("Trace", trace.map(filled)),
    ];
    let link = |(text, url): (&'static str, Option<String>)| {
        Some(Link {
            text,
            url: text::url(&url?)?,
        })
    };
    links.into_iter().filter_map(link).collect()
}

fn origin(publication: &Publication, fields: &Map) -> Vec<String> {
    let alert = &publication.alert;
    let of = |name: &str, otherwise: &str| {
        let text = fields.get(name).and_then(Value::as_str).unwrap_or(otherwise);
        text::short(text, 250)
    };
    let parts = [
        of("log_source", &alert.log_source),
        of("source_entity", &alert.source_entity),
        of("cluster", alert.cluster.as_deref().unwrap_or_default()),
        alert.created.to_string(),
        format!("alert {}", alert.id),
        alert
            .trace_id()
            .map(|id| format!("trace {id}"))
            .unwrap_or_default(),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}
