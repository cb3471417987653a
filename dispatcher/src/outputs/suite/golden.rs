//! What each output sends, kept in files: a change of a request is seen in review, and the documentation shows them.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value as Json;

use super::rig::Far;
use super::wire::{pairs, unbase64, unquoted};
use super::{PLANTED, for_each};
use crate::outputs::fixtures::alert;

/// Headers that say nothing about an output, or differ from run to run.
const PLAIN_HEADERS: [&str; 5] = [
    "accept",
    "content-length",
    "host",
    "user-agent",
    "transfer-encoding",
];

/// Headers by which an SDK of AWS signs, dates and counts.
const SDK_HEADERS: [&str; 7] = [
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "authorization",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-user-agent",
    "x-amzn-query-mode",
];

#[tokio::test]
async fn requests_are_as_recorded() {
    for_each(|rig| async move {
        let name = rig.service.name;
        rig.deliver(alert(1)).await;
        let text = match &rig.far {
            Far::Http { receiver, case, .. } => sent(&receiver.requests(), &receiver.url(""), case.is_sdk),
            Far::Lines(_) => format!("{}\n", pretty(rig.arrived()[0].text.as_bytes())),
            Far::Peer { .. } => panic!("a peer is asked"),
        };
        recorded(name, rig.way, &text);
    })
    .await;
}

#[tokio::test]
async fn what_servers_take_is_as_recorded() {
    super::peer::for_each_peer(|rig| async move {
        rig.deliver(alert(1)).await;
        let taken = super::peer::taken(&rig, 1).await;
        recorded(rig.service.name, rig.way, &(rig.peer().0.sample)(&taken[0]));
    })
    .await;
}

/// Compares what an output sends with its file.
pub(crate) fn recorded(name: &str, way: &str, text: &str) {
    let text = text.replace(PLANTED, "SECRET");
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/outputs")
        .join(file_name(name, way));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == recorded,
        "{name}: run again with UPDATE_GOLDEN=1 if this is meant\n{text}\nrecorded:\n{recorded}"
    );
}

/// Requests to `base` as documentation shows them.
fn sent(requests: &[streamalert_testkit::ReceivedRequest], base: &str, is_sdk: bool) -> String {
    let shown: Vec<String> = requests.iter().map(|request| shown(request, is_sdk)).collect();
    shown
        .join("\n")
        .replace(base, "http://SERVER")
        .replace(base.trim_start_matches("http://"), "SERVER")
}

fn shown(request: &streamalert_testkit::ReceivedRequest, is_sdk: bool) -> String {
    let mut text = format!("{} {}\n", request.method, request.path);
    let mut headers = request.headers.clone();
    headers.sort();
    for (name, value) in headers
        .iter()
        .filter(|(name, _)| !PLAIN_HEADERS.contains(&name.as_str()))
        .filter(|(name, _)| !(is_sdk && SDK_HEADERS.contains(&name.as_str())))
    {
        let _ = writeln!(text, "{name}: {value}");
    }
    if !request.body.is_empty() {
        let is_form = request.header("content-type") == Some("application/x-www-form-urlencoded");
        let shown = match is_form {
            true => pretty_form(&request.body),
            false => pretty(&request.body),
        };
        let _ = writeln!(text, "\n{shown}");
    }
    text
}

/// Where what a service sends is kept.
pub(super) fn file_name(service: &str, way: &str) -> String {
    let hyphen = if way.is_empty() { "" } else { "-" };
    format!("{service}{hyphen}{way}.txt")
}

fn pretty_form(body: &[u8]) -> String {
    let pair = |(name, value): (String, String)| match &*name {
        "RawMessage.Data" => format!("{name} (decoded)=\n{}", mail(&unbase64(&value))),
        _ => format!("{name}={value}"),
    };
    let pairs: Vec<String> = pairs(body).into_iter().map(pair).collect();
    pairs.join("\n")
}

/// Only the beginning of the HTML, which has a file of its own.
fn mail(mail: &[u8]) -> String {
    let mail = unquoted(mail).replace("\r\n", "\n");
    match mail.split_once("<style>").zip(mail.split_once("</html>")) {
        Some(((begin, _), (_, end))) => format!("{begin}… </html>{end}"),
        None => mail,
    }
}

fn pretty(body: &[u8]) -> String {
    match serde_json::from_slice::<Json>(body) {
        Ok(json) => serde_json::to_string_pretty(&json).expect("json that was read can be written"),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}
