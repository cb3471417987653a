use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply, WebhookReceiver};
use streamalert_types::Alert;
use streamalert_value::Value;
use tokio::time::Instant;

use super::*;
use crate::outputs::Receipt;
use crate::outputs::fixtures::{alert, alert_with_record, context, publication};
use crate::outputs::suite::{Case, HttpCase, PLANTED, Repeats, Server, json_of, within};
use crate::{OutputRegistry, OutputSpec};

const MD5: &str = "7fb55f5a62e78af9b58d08aaeeaef848";

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"url": base, "token": PLANTED});
    Case::Http(HttpCase {
        server: || server(BTreeMap::new()),
        repeats: Repeats::Known,
        // each alert bans another file
        rule: |alert| {
            let md5 = alert.id.to_string().replace('-', "");
            Alert {
                context: wish(&md5),
                ..alert
            }
        },
        shows_record: false,
        ..HttpCase::new(settings, check, |request| {
            (request.method == "POST").then(|| json_of(request)["md5hash"].to_string())
        })
    })
}

/// What the API says of the list of banned files.
fn check(request: &ReceivedRequest) {
    assert_eq!(request.header("x-auth-token"), Some(PLANTED));
    let path = request.path.strip_prefix("/api/v1/banning/blacklist").unwrap();
    match request.method.as_str() {
        "GET" => assert_eq!(path.len(), 33),
        "POST" => {
            let ban = json_of(request);
            assert_eq!((path, ban["md5hash"].as_str().unwrap().len()), ("", 32));
            within(&ban, "/text", 500);
        }
        other => panic!("{other}"),
    }
}

/// A server that keeps bans.
fn server(mut bans: BTreeMap<String, Json>) -> Server {
    Box::new(move |request| {
        let path = request.path.strip_prefix("/api/v1/banning/blacklist").unwrap();
        let md5 = path.trim_start_matches('/').to_owned();
        match request.method.as_str() {
            "GET" => match bans.get(&md5) {
                Some(ban) => Reply::status(200, &ban.to_string()),
                None => Reply::status(404, "Hash not found"),
            },
            "POST" => {
                let ban = json_of(request);
                bans.insert(ban["md5hash"].as_str().unwrap().to_owned(), ban);
                Reply::status(200, r#"{"result": "success"}"#)
            }
            _ => {
                bans.insert(md5, json_of(request));
                Reply::status(200, r#"{"result": "success"}"#)
            }
        }
    })
}

/// What a rule says that wants a file banned.
fn wish(md5: &str) -> Value {
    let context = json!({"carbonblack": {"action": "ban", "value": md5}}).to_string();
    Value::parse_json(context.as_bytes()).unwrap()
}

/// A server that keeps bans, and an output that asks it.
struct Rig {
    receiver: WebhookReceiver,
    output: Arc<dyn Output>,
}

impl Rig {
    async fn with(bans: &[(&str, Json)]) -> Self {
        let receiver = WebhookReceiver::start(None).await;
        let bans = bans.iter().map(|(md5, ban)| (md5.to_uppercase(), ban.clone()));
        receiver.choose(server(bans.collect()));
        let spec = OutputSpec {
            name: "carbonblack:a".parse().unwrap(),
            settings: json!({"url": receiver.url(""), "token": PLANTED}),
            origin: "test".to_owned(),
        };
        let dir = tempfile::tempdir().unwrap();
        let outputs = OutputRegistry::load(std::slice::from_ref(&spec), &context(dir.path())).unwrap();
        let output = outputs.into_outputs().remove(&spec.name).unwrap().output;
        Self { receiver, output }
    }

    async fn send(&self, alert: Alert) -> Result<Receipt, SendError> {
        let publication = publication(alert, "carbonblack:a").await;
        let deadline = Instant::now() + Duration::from_secs(2);
        self.output.send(&publication, "k", deadline).await
    }

    fn methods(&self) -> Vec<String> {
        let requests = self.receiver.requests();
        requests.into_iter().map(|request| request.method).collect()
    }
}

fn banning(md5: &str) -> Alert {
    let mut alert = alert_with_record(1, &json!({"blob": "x".repeat(1_000_000)}).to_string());
    alert.context = wish(md5);
    alert
}

#[tokio::test]
async fn a_file_is_banned_once() {
    let rig = Rig::with(&[]).await;
    for _ in 0..2 {
        let receipt = rig.send(banning(MD5)).await.unwrap();
        assert_eq!(receipt.reference, Some(MD5.to_uppercase()));
    }
    assert_eq!(rig.methods(), ["GET", "POST", "GET"]);
    let ban = json_of(&rig.receiver.requests()[1]);
    let text = format!(
        "Banned by StreamAlert: cloudtrail_root_login, alert {}",
        alert(1).id
    );
    assert_eq!(
        ban,
        json!({"md5hash": MD5.to_uppercase(), "text": text, "enabled": true})
    );
}

#[tokio::test]
async fn a_ban_that_was_switched_off_is_switched_on_and_keeps_the_rest() {
    let off = json!({"md5hash": MD5.to_uppercase(), "text": "theirs", "enabled": false, "ban_count": 3});
    let rig = Rig::with(&[(MD5, off)]).await;
    rig.send(banning(MD5)).await.unwrap();
    rig.send(banning(MD5)).await.unwrap();
    assert_eq!(rig.methods(), ["GET", "PUT", "GET"]);
    let ban = json_of(&rig.receiver.requests()[1]);
    assert_eq!(
        json!([ban["text"], ban["enabled"], ban["ban_count"]]),
        json!(["theirs", true, 3])
    );
}

#[tokio::test]
async fn what_goes_wrong_is_tried_again_unless_it_never_will_go_right() {
    for (replies, is_retryable) in [
        (vec![Reply::status(503, "later")], true),
        (vec![Reply::too_many(7)], true),
        (vec![Reply::Reset], true),
        (vec![Reply::Hang], true),
        (vec![Reply::status(200, "<html>")], true),
        (vec![Reply::status(200, "[]")], true),
        (vec![Reply::status(404, ""), Reply::status(409, "there")], true),
        (vec![Reply::status(404, ""), Reply::status(500, "oh no")], true),
        (vec![Reply::status(401, "who are you")], false),
        (vec![Reply::status(404, ""), Reply::status(403, "not you")], false),
        (vec![Reply::redirect("http://127.0.0.1:1/")], false),
    ] {
        let rig = Rig::with(&[]).await;
        rig.receiver.then(replies.clone());
        let error = rig.send(banning(MD5)).await.unwrap_err();
        assert_eq!(error.is_retryable(), is_retryable, "{replies:?}: {error}");
        rig.send(banning(MD5)).await.unwrap();
    }
}

#[tokio::test]
async fn a_ban_whose_answer_was_lost_is_found() {
    let rig = Rig::with(&[(MD5, json!({"enabled": true}))]).await;
    rig.receiver.then([Reply::status(404, ""), Reply::Reset]);
    let error = rig.send(banning(MD5)).await.unwrap_err();
    assert!(error.is_retryable() && error.may_have_happened(), "{error}");
    rig.send(banning(MD5)).await.unwrap();
    assert_eq!(rig.methods(), ["GET", "POST", "GET"]);
}

#[tokio::test]
async fn the_token_is_not_shown() {
    let rig = Rig::with(&[]).await;
    rig.receiver
        .then([Reply::status(403, &format!("no user has {PLANTED}"))]);
    let error = rig.send(banning(MD5)).await.unwrap_err();
    assert!(
        error.message.contains("no user has") && !error.message.contains(PLANTED),
        "{error}"
    );
    assert!(error.message.contains("[redacted]"));
}

#[tokio::test]
async fn a_rule_that_wants_nothing_that_can_be_done_is_told_so() {
    let rig = Rig::with(&[]).await;
    let with = |context: Json| {
        let mut alert = alert(1);
        alert.context = Value::parse_json(context.to_string().as_bytes()).unwrap();
        alert
    };
    for (context, says) in [
        (json!({}), "does not say"),
        (json!({"carbonblack": "ban"}), "does not say"),
        (
            json!({"carbonblack": {"action": "isolate"}}),
            "cannot \"isolate\"",
        ),
        (json!({"carbonblack": {"action": "ban"}}), "no MD5"),
        (
            json!({"carbonblack": {"action": "ban", "value": "../../user"}}),
            "no MD5",
        ),
        (
            json!({"carbonblack": {"action": "ban", "value": "zz".repeat(16)}}),
            "no MD5",
        ),
    ] {
        let error = rig.send(with(context)).await.unwrap_err();
        assert!(!error.is_retryable() && error.message.contains(says), "{error}");
    }
    assert_eq!(rig.receiver.count(), 0);
}
