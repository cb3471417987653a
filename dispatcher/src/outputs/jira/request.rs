use streamalert_value::{Map, Value};

use super::config::{Config, Edition};
use crate::outputs::SendError;
use crate::outputs::document::{Markup, document};
use crate::outputs::http::{Method, Request, url_with};
use crate::outputs::json::{cut, map, one_line, text};
use crate::{Publication, to_json};

const SUMMARY_CHARS_MAX: usize = 255;

/// Of descriptions and comments.
const TEXT_CHARS_MAX: usize = 32_767;

/// Issues that are looked at for one with the same summary: JQL finds similar ones, too.
const SAME_SUMMARY_MAX: &str = "20";

/// The title of the issue.
pub(super) fn summary(publication: &Publication) -> String {
    let magic = magic(publication, "issue_summary").and_then(Value::as_str);
    let summary = magic.map_or_else(
        || format!("StreamAlert {}", publication.alert.rule_name),
        str::to_owned,
    );
    match cut(&one_line(&summary), SUMMARY_CHARS_MAX) {
        empty if empty.is_empty() => "StreamAlert".to_owned(),
        summary => summary,
    }
}

/// `jira-v2` is told what StreamAlert's rules tell `jira`, too.
fn magic<'a>(publication: &'a Publication, name: &str) -> Option<&'a Value> {
    let own = publication.magic(publication.output.service(), name);
    own.or_else(|| publication.magic("jira", name))
}

/// By what text is known as that of an alert. The id alone also stands in records of merged alerts.
fn mark(id: &str) -> String {
    format!("alert {id}")
}

/// Looks for the issue or comment that is that of the alert with this id.
pub(super) fn search_id(config: &Config, id: &str) -> Result<Request, SendError> {
    let phrase = phrase(&mark(id));
    let jql = format!("(description ~ {phrase} OR comment ~ {phrase})");
    search(config, &jql, "1")
}

/// Looks for issues with this summary, newest first.
pub(super) fn search_summary(config: &Config, summary: &str) -> Result<Request, SendError> {
    let narrowed = match &config.additional_jql {
        Some(jql) => format!(" AND ({jql})"),
        None => String::new(),
    };
    let jql = format!("summary ~ {}{narrowed} ORDER BY created DESC", phrase(summary));
    search(config, &jql, SAME_SUMMARY_MAX)
}

fn search(config: &Config, jql: &str, count: &str) -> Result<Request, SendError> {
    let jql = format!("project = {} AND {jql}", quoted(&config.project_key));
    let query = [
        ("jql", jql.as_str()),
        ("maxResults", count),
        ("fields", "summary"),
    ];
    let path: &[&str] = match config.edition {
        Edition::DataCenter => &["rest", "api", "2", "search"],
        Edition::Cloud => &["rest", "api", "2", "search", "jql"],
    };
    let url = url_with(&config.url, path, &query)?;
    Request::get(&url).basic(&config.username, &config.password)
}

/// A text of JQL.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Words that stand one after the other: a text in quotes within a text. Characters that mean something to the search
/// are no part of words.
fn phrase(words: &str) -> String {
    let words: String = words
        .chars()
        .map(|c| match c {
            '\\' | '"' => ' ',
            _ => c,
        })
        .collect();
    quoted(&quoted(&words))
}

/// Creates an issue.
pub(super) fn create(config: &Config, publication: &Publication) -> Result<Request, SendError> {
    let mut fields = Map::from_iter([
        ("project".to_owned(), map([("key", text(&config.project_key))])),
        ("summary".to_owned(), Value::Str(summary(publication))),
        ("description".to_owned(), Value::Str(description(publication))),
        ("issuetype".to_owned(), map([("name", text(&config.issue_type))])),
    ]);
    fields.extend(config.fields.clone());
    if let Some(Value::Map(more)) = magic(publication, "additional_fields") {
        fields.extend(more.clone());
    }
    post(
        config,
        &["rest", "api", "2", "issue"],
        &map([("fields", Value::Map(fields))]),
    )
}

/// Adds a comment to the issue with this key.
pub(super) fn comment(config: &Config, publication: &Publication, key: &str) -> Result<Request, SendError> {
    let body = map([("body", Value::Str(description(publication)))]);
    post(config, &["rest", "api", "2", "issue", key, "comment"], &body)
}

fn post(config: &Config, path: &[&str], body: &Value) -> Result<Request, SendError> {
    let url = url_with(&config.url, path, &[])?;
    Request::new(Method::POST, &url)
        .with_json_bytes(to_json(body))
        .basic(&config.username, &config.password)
}

/// What people read; names the alert by its id.
fn description(publication: &Publication) -> String {
    match magic(publication, "description").and_then(Value::as_str) {
        None => document(&publication.card(), Markup::Jira, TEXT_CHARS_MAX),
        Some(text) => {
            let mark = mark(&publication.alert.id.to_string());
            format!("{}\n\n{mark}", cut(text, TEXT_CHARS_MAX - mark.len() - 2))
        }
    }
}
