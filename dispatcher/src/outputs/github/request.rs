use serde_json::json;
use streamalert_types::Timestamp;

use super::config::Config;
use crate::Publication;
use crate::outputs::SendError;
use crate::outputs::document::{Markup, document};
use crate::outputs::http::{Request, url_with};
use crate::outputs::json::{cut, one_line};

const TITLE_CHARS_MAX: usize = 256;

/// GitHub takes 65,536, and counts some characters as more than one.
const BODY_CHARS_MAX: usize = 60_000;

/// Issues or comments on one page.
pub(super) const PAGE_ITEMS: usize = 50;

/// A page of the greatest bodies.
const PAGE_BYTES_MAX: usize = 16 << 20;

/// Clocks may differ, and an incident is older than what comes later about it.
const SLACK_MICROS: i64 = 3600 * 1_000_000;

/// By what text is known as that of an alert.
pub(super) fn mark(id: &str) -> String {
    format!("alert {id}")
}

/// A page of the issues that changed since before the alert, newest first.
pub(super) fn issues(config: &Config, publication: &Publication, page: usize) -> Result<Request, SendError> {
    let (since, page) = (since(publication), page.to_string());
    let items = PAGE_ITEMS.to_string();
    let query = [
        ("state", "all"),
        ("sort", "created"),
        ("direction", "desc"),
        ("since", since.as_str()),
        ("per_page", items.as_str()),
        ("page", page.as_str()),
    ];
    get(config, &["issues"], &query)
}

/// The comments on an issue since before the alert.
pub(super) fn comments(
    config: &Config,
    publication: &Publication,
    issue: &str,
) -> Result<Request, SendError> {
    let (since, items) = (since(publication), PAGE_ITEMS.to_string());
    let query = [("since", since.as_str()), ("per_page", items.as_str())];
    get(config, &["issues", issue, "comments"], &query)
}

/// Makes an issue.
pub(super) fn create(config: &Config, publication: &Publication) -> Result<Request, SendError> {
    let title = publication.magic_text("github", "title").map_or_else(
        || format!("StreamAlert: {}", publication.alert.rule_name),
        str::to_owned,
    );
    let issue = json!({
        "title": cut(&one_line(&title), TITLE_CHARS_MAX), "body": body(publication), "labels": config.labels,
    });
    signed(
        config,
        Request::post_json(&url(config, &["issues"], &[])?, &issue),
    )
}

/// Adds a comment to an issue.
pub(super) fn comment(config: &Config, publication: &Publication, issue: &str) -> Result<Request, SendError> {
    let url = url(config, &["issues", issue, "comments"], &[])?;
    signed(
        config,
        Request::post_json(&url, &json!({"body": body(publication)})),
    )
}

fn body(publication: &Publication) -> String {
    match publication.magic_text("github", "body") {
        None => document(&publication.card(), Markup::Markdown, BODY_CHARS_MAX),
        Some(text) => {
            let mark = mark(&publication.alert.id.to_string());
            format!("{}\n\n{mark}", cut(text, BODY_CHARS_MAX - 100))
        }
    }
}

/// An hour before the alert, and the window in which it was merged before that, as GitHub writes times.
fn since(publication: &Publication) -> String {
    let alert = &publication.alert;
    let window = i64::from(alert.merge_window_mins) * 60_000_000;
    let since = alert
        .created
        .as_micros()
        .saturating_sub(SLACK_MICROS)
        .saturating_sub(window);
    let text = Timestamp::from_micros(since).to_string();
    // whole seconds
    format!("{}Z", text.split('.').next().unwrap_or_default())
}

fn get(config: &Config, path: &[&str], query: &[(&str, &str)]) -> Result<Request, SendError> {
    let request = Request::get(&url(config, path, query)?).reads(PAGE_BYTES_MAX);
    signed(config, request)
}

fn url(config: &Config, path: &[&str], query: &[(&str, &str)]) -> Result<crate::Secret, SendError> {
    let path: Vec<&str> = ["repos", &config.owner, &config.name]
        .into_iter()
        .chain(path.iter().copied())
        .collect();
    url_with(&config.api, &path, query)
}

fn signed(config: &Config, request: Request) -> Result<Request, SendError> {
    request
        .authorization("Bearer", &config.access_token)?
        .header("accept", "application/vnd.github+json")?
        .header("x-github-api-version", "2022-11-28")
}
