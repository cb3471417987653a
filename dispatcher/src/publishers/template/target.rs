use streamalert_value::{Map, Value};

use super::escape::Markup;

/// Where a template's text goes at a service, and what means something there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) markup: Markup,
    /// The magic field of the message's text.
    pub(super) text: Option<&'static str>,
    /// Whether that field may be a dictionary of `plain` and `html`.
    pub(super) has_parts: bool,
}

const fn target(markup: Markup, text: &'static str) -> Target {
    Target {
        markup,
        text: Some(text),
        has_parts: false,
    }
}

impl Target {
    /// Of a service.
    pub(super) fn of(service: &str) -> Self {
        match service {
            "slack" => target(Markup::Slack, "@slack.text"),
            "discord" => target(Markup::Markdown, "@discord.content"),
            "github" => target(Markup::GitHub, "@github.body"),
            "google-chat" => target(Markup::Plain, "@google-chat.text"),
            // they share their fields
            "jira" | "jira-v2" => target(Markup::Jira, "@jira.description"),
            "mattermost" => target(Markup::Markdown, "@mattermost.text"),
            "opsgenie" => target(Markup::Plain, "@opsgenie.description"),
            "servicenow" => target(Markup::Plain, "@servicenow.description"),
            "pagerduty" => target(Markup::None, "@pagerduty.description"),
            "pagerduty-incident" => target(Markup::None, "@pagerduty-incident.note"),
            "pagerduty-v2" => target(Markup::None, "@pagerduty-v2.summary"),
            "teams" => target(Markup::Markdown, "@teams.description"),
            "telegram" => target(Markup::Html, "@telegram.text"),
            "victorops" => target(Markup::None, "@victorops.state_message"),
            "demisto" => target(Markup::Plain, "@demisto.details"),
            "aws-ses" => Self {
                has_parts: true,
                ..target(Markup::Plain, "@aws-ses.body")
            },
            "email" => Self {
                has_parts: true,
                ..target(Markup::Plain, "@email.body")
            },
            "aws-sns" => target(Markup::None, "@aws-sns.message"),
            _ => Self {
                markup: Markup::None,
                text: None,
                has_parts: false,
            },
        }
    }

    /// What was made so far, with `written` where messages have their text.
    pub(super) fn with(self, made: Value, written: &str, is_html: bool) -> Map {
        let mut fields = match made {
            Value::Map(fields) => fields,
            _ => Map::new(),
        };
        let field = self.text.unwrap_or(if is_html { "html" } else { "text" });
        let written = Value::Str(written.to_owned());
        if !self.has_parts {
            fields.insert(field.to_owned(), written);
            return fields;
        }
        let mut parts = match fields.shift_remove(field) {
            Some(Value::Map(parts)) => parts,
            Some(plain) => Map::from_iter([("plain".to_owned(), plain)]),
            None => Map::new(),
        };
        parts.insert(if is_html { "html" } else { "plain" }.to_owned(), written);
        fields.insert(field.to_owned(), Value::Map(parts));
        fields
    }
}
