use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};
use streamalert_types::{Alert, Update};
use streamalert_value::Value;

use super::*;
use crate::Publication;
use crate::outputs::fixtures::{alert, alert_with_record, magic, publication};
use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of, layouts};

pub(super) fn case() -> Case {
    let webhook = |base: &str| json!({"url": format!("{base}/services/T0/B0/{PLANTED}")});
    let bot = |base: &str| {
        json!({
            "url": format!("{base}/{PLANTED}/api/chat.postMessage"), "token": format!("xoxb-{PLANTED}"),
            "channel": "C0123",
        })
    };
    Case::Ways(vec![
        (
            "",
            Case::Http(HttpCase {
                server: || Box::new(|_| Reply::status(200, "ok")),
                ..HttpCase::new(webhook, check, block_id)
            }),
        ),
        (
            "bot",
            Case::Http(HttpCase {
                server: || Box::new(|_| Reply::status(200, POSTED)),
                refusal: |body| Reply::status(200, &json!({"ok": false, "error": body}).to_string()),
                ..HttpCase::new(bot, check_bot, block_id)
            }),
        ),
    ])
}

/// What the Web API answers to a message.
const POSTED: &str = r#"{"ok":true,"channel":"C0123","ts":"1769846281.000200"}"#;

fn check_bot(request: &ReceivedRequest) {
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, format!("/{PLANTED}/api/chat.postMessage"));
    assert_eq!(
        request.header("authorization"),
        Some(format!("Bearer xoxb-{PLANTED}").as_str())
    );
    let message = json_of(request);
    assert_eq!(message["channel"], "C0123");
    assert_within_limits(&message);
}

fn block_id(request: &ReceivedRequest) -> Option<String> {
    let message = json_of(request);
    Some(
        message["blocks"].as_array()?.last()?["block_id"]
            .as_str()?
            .to_owned(),
    )
}

fn check(request: &ReceivedRequest) {
    let path = format!("/services/T0/B0/{PLANTED}");
    assert_eq!((request.method.as_str(), &request.path), ("POST", &path));
    let message = json_of(request);
    assert!(message["text"].is_string());
    assert_within_limits(&message);
}

fn message(publication: &Publication) -> Json {
    let message: Json = serde_json::from_slice(&to_json(&request::message(publication, "the-key"))).unwrap();
    assert_within_limits(&message);
    message
}

async fn default_message(alert: Alert) -> Json {
    message(&publication(alert, "slack:a").await)
}

async fn with_magic(fields: Json) -> Json {
    message(&magic(publication(alert(1), "slack:a").await, fields))
}

/// What docs.slack.dev documents for the blocks that are used here.
fn assert_within_limits(message: &Json) {
    let chars = |text: &Json| text.as_str().unwrap().chars().count();
    let blocks = message["blocks"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    assert!(blocks.len() <= 50);
    for block in blocks {
        match block["type"].as_str().unwrap() {
            "header" => assert!((1..=150).contains(&chars(&block["text"]["text"]))),
            "section" => {
                if let Some(text) = block.get("text") {
                    assert!(
                        (1..=3000).contains(&chars(&text["text"])),
                        "{}",
                        chars(&text["text"])
                    );
                }
                if let Some(fields) = block.get("fields") {
                    let fields = fields.as_array().unwrap();
                    assert!((1..=10).contains(&fields.len()));
                    assert!(
                        fields
                            .iter()
                            .all(|field| (1..=2000).contains(&chars(&field["text"])))
                    );
                }
            }
            "context" => {
                assert!(chars(&block["block_id"]) <= 255);
                assert!((1..=3000).contains(&chars(&block["elements"][0]["text"])));
            }
            other => panic!("unexpected block {other}"),
        }
    }
}

#[tokio::test]
async fn blocks_look_as_recorded() {
    let bytes = |publication: &Publication| serde_json::to_vec(&message(publication)).unwrap();
    layouts::recorded("slack", bytes).await;
}

#[tokio::test]
async fn the_last_line_tells_the_trace_and_no_fact_does() {
    let traced = Alert {
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
        ..alert(1)
    };
    let message = default_message(traced).await.to_string();
    assert_eq!(message.matches("0af7651916cd43dd8448eb211c80319c").count(), 1);
    assert!(
        message.contains(" · trace 0af7651916cd43dd8448eb211c80319c"),
        "{message}"
    );
    assert!(!default_message(alert(1)).await.to_string().contains("trace"));
}

#[tokio::test]
async fn a_message_says_what_happened_first_and_shows_the_record_last() {
    let message = default_message(alert(1)).await;
    assert_eq!(
        message["text"],
        "*Cloudtrail root login*: Somebody used the root account."
    );
    let blocks = message["blocks"].as_array().unwrap();
    let kinds: Vec<&str> = blocks
        .iter()
        .map(|block| block["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["header", "section", "section", "section", "context"]);
    assert_eq!(blocks[0]["text"]["text"], "Cloudtrail root login");
    assert_eq!(blocks[1]["text"]["text"], "Somebody used the root account.");
    assert_eq!(blocks[2]["fields"][0]["text"], "*eventName*\nConsoleLogin");
    assert_eq!(
        blocks[2]["fields"][1]["text"],
        "*userIdentity.arn*\narn:aws:iam::1:root"
    );
    let record = blocks[3]["text"]["text"].as_str().unwrap();
    assert!(
        record.starts_with("```{\n") && record.ends_with("}```"),
        "{record}"
    );
    assert_eq!(blocks[4]["block_id"], "the-key");
    let footer = blocks[4]["elements"][0]["text"].as_str().unwrap();
    assert!(
        footer.contains("cloudtrail:events · stream · prod") && footer.contains(&alert(1).id.to_string())
    );
}

#[tokio::test]
async fn a_merged_alert_says_how_many_and_over_what_time() {
    let record = json!({
        "AlertCount": 12, "AlertTimeFirst": "2020-01-01T00:00:00.000000Z",
        "AlertTimeLast": "2020-01-01T00:03:30.000000Z", "MergedBy": {"sourceIPAddress": "10.0.0.1"},
        "OtherCommonKeys": {"eventName": "X", "deep": {"er": {"y": 1}}}, "ValueDiffs": {},
    });
    let message = default_message(alert_with_record(1, &record.to_string())).await;
    let line = message["blocks"][2]["text"]["text"].as_str().unwrap();
    assert!(
        line.starts_with("*12 alerts merged*, 2020-01-01T00:00:00") && line.ends_with("(3 min)"),
        "{line}"
    );
    assert_eq!(
        message["blocks"][3]["fields"][0]["text"],
        "*sourceIPAddress*\n10.0.0.1"
    );
    assert_eq!(message["blocks"][3]["fields"][1]["text"], "*eventName*\nX");
}

#[tokio::test]
async fn hostile_and_huge_records_stay_within_the_limits_and_mention_nobody() {
    let many: serde_json::Map<String, Json> = (0..500)
        .map(|n| {
            (
                format!("key{n}<!here>"),
                json!(format!("<!channel>&\u{0}{}", "é".repeat(n * 10))),
            )
        })
        .collect();
    let mut hostile = alert_with_record(1, &Json::Object(many).to_string());
    hostile.rule_name = "<!everyone>".repeat(50).into();
    hostile.rule_description = "<@U123> ```".repeat(2000).into();
    hostile.source_entity = "&".repeat(5000).into();
    let message = default_message(hostile).await;
    let text = message.to_string();
    for mention in ["<!channel>", "<!here>", "<@U123>"] {
        assert!(!text.contains(mention), "{mention}");
    }
    assert!(text.contains("more characters, the whole alert is in the history"));
    assert!(!message["text"].as_str().unwrap().contains("<!"));

    for record in [
        "{}",
        "[]",
        "\"text\"",
        "null",
        "{\"\":\"\"}",
        "not json",
        "{\"a\":\"```<!here>```\"}",
    ] {
        let message = default_message(alert_with_record(1, record)).await;
        let blocks = message["blocks"].as_array().unwrap();
        let fenced = blocks[blocks.len() - 2]["text"]["text"].as_str().unwrap();
        assert_eq!(fenced.matches("```").count(), 2, "{fenced}");
    }
}

#[tokio::test]
async fn magic_fields_of_streamalert_are_honoured() {
    let message = with_magic(json!({"@slack.text": "*custom* <https://x|y>"})).await;
    assert_eq!(message["text"], "*custom* <https://x|y>");
    assert_eq!(message["blocks"][0]["text"]["text"], "*custom* <https://x|y>");
    assert_eq!(
        message["blocks"].as_array().unwrap().last().unwrap()["block_id"],
        "the-key"
    );

    let attachments = json!([{"text": "x".repeat(9000), "color": "#123456"}, "plain"]);
    let message = with_magic(json!({"@slack.attachments": attachments})).await;
    assert!(message.get("blocks").is_none());
    let sent = message["attachments"].as_array().unwrap();
    assert_eq!(
        (sent[0]["color"].as_str(), sent[0]["mrkdwn_in"][0].as_str()),
        (Some("#123456"), Some("text"))
    );
    let text = sent[0]["text"].as_str().unwrap();
    assert!(text.chars().count() <= 4000 && text.ends_with("more characters)"));
    assert_eq!(sent[1]["text"], "plain");

    let many: Vec<Json> = (0..30).map(|n| json!({"text": n.to_string()})).collect();
    let message = with_magic(json!({"@slack.attachments": many})).await;
    let sent = message["attachments"].as_array().unwrap();
    assert_eq!(
        (sent.len(), sent[19]["text"].as_str()),
        (20, Some("11 more attachments left out"))
    );

    let blocks: Vec<Json> = (0..60)
        .map(|_| json!({"type": "section", "text": {"type": "mrkdwn", "text": "x"}}))
        .collect();
    let message = with_magic(json!({"@slack.blocks": blocks, "@slack.username": "bot"})).await;
    assert_eq!(message["blocks"][49]["text"]["text"], "… (11 more blocks)");
    assert_eq!(message["username"], "bot");

    let message = with_magic(json!({"@slack._previous_publication": {"a": 1}, "@pagerduty.x": 1})).await;
    assert!(!message.to_string().contains("_previous_publication") && message.get("x").is_none());
}

#[tokio::test]
async fn what_a_publisher_removed_does_not_come_back() {
    let mut publication = publication(alert(1), "slack:a").await;
    let Value::Map(body) = &mut publication.body else {
        panic!("not a dictionary")
    };
    body.shift_remove("record");
    body.insert("summary".to_owned(), Value::Str("kept".to_owned()));
    let text = message(&publication).to_string();
    assert!(text.contains("kept") && !text.contains("ConsoleLogin"), "{text}");

    publication.body = Value::Str("only text".to_owned());
    assert!(message(&publication).to_string().contains("only text"));
}

#[test]
fn errors_of_slack_are_explained_and_judged() {
    let judge = |status, body: &str| {
        let retry_after = (status == 429).then(|| std::time::Duration::from_secs(30));
        response::judge(&Answer {
            retry_after,
            ..Answer::of(status, body)
        })
    };
    assert!(judge(200, "ok").is_ok());
    for (status, word) in [
        (400, "invalid_payload"),
        (403, "action_prohibited"),
        (404, "channel_not_found"),
        (404, "no_service"),
        (410, "channel_is_archived"),
    ] {
        let error = judge(status, word).unwrap_err();
        assert!(!error.is_retryable());
        assert!(
            error.message.contains(word) && error.message.ends_with(')'),
            "{error}"
        );
    }
    assert!(judge(500, "rollup_error").unwrap_err().is_retryable());
    let error = judge(429, "rate_limited").unwrap_err();
    assert_eq!(
        error.kind,
        crate::SendErrorKind::Retry {
            after: Some(std::time::Duration::from_secs(30))
        }
    );
}

fn bot() -> Slack {
    Slack(config::Config {
        url: crate::Secret::new("http://127.0.0.1/api/chat.postMessage".to_owned()),
        bot: Some(config::Bot {
            token: crate::Secret::new("xoxb-1".to_owned()),
            channel: "C0123".to_owned(),
        }),
    })
}

fn parcel(publication: &Publication) -> Parcel<'_> {
    Parcel {
        publication,
        key: "k",
        now: streamalert_types::Timestamp::from_micros(0),
    }
}

fn asked(step: Result<Step, SendError>) -> Json {
    let Ok(Step::Ask(request)) = step else {
        panic!("{step:?}")
    };
    serde_json::from_slice(&request.body).unwrap()
}

#[tokio::test]
async fn what_a_bot_says_later_about_an_incident_is_in_the_thread_of_its_first_message() {
    let api = bot();
    let publication = publication(alert(1), "slack:a").await;
    assert!(
        asked(api.step(&parcel(&publication), &[]))
            .get("thread_ts")
            .is_none()
    );
    let Ok(Step::Done(receipt)) = api.step(&parcel(&publication), &[Answer::of(200, POSTED)]) else {
        panic!("not done")
    };
    assert_eq!(receipt.reference.as_deref(), Some("1769846281.000200"));

    let publication = publication.updating(Some(Update {
        reference: receipt.reference.map(Into::into),
    }));
    let update = asked(api.step(&parcel(&publication), &[]));
    assert_eq!(update["thread_ts"], "1769846281.000200");
    assert_eq!(
        (&update["channel"], &update["unfurl_links"]),
        (&json!("C0123"), &json!(false))
    );

    let gone = Answer::of(200, r#"{"ok":false,"error":"thread_not_found"}"#);
    let anew = asked(api.step(&parcel(&publication), std::slice::from_ref(&gone)));
    assert!(anew.get("thread_ts").is_none());
    assert!(
        api.step(&parcel(&publication), &[gone, Answer::of(200, POSTED)])
            .is_ok()
    );
}

#[test]
fn errors_of_the_web_api_come_with_status_200_and_are_judged_by_their_names() {
    let judge = |body: &str| response::judge_bot(&Answer::of(200, body));
    let error = judge(r#"{"ok":false,"error":"not_in_channel"}"#).unwrap_err();
    assert!(
        !error.is_retryable() && error.message.ends_with("(invite the bot to the channel)"),
        "{error}"
    );
    let error = judge(r#"{"ok":false,"error":"internal_error"}"#).unwrap_err();
    assert!(error.is_retryable() && error.may_have_happened);
    let error = judge(r#"{"ok":false,"error":"ratelimited"}"#).unwrap_err();
    assert!(error.is_retryable() && !error.may_have_happened);
    assert!(judge("<html>").unwrap_err().may_have_happened);
    assert!(judge("{}").unwrap_err().may_have_happened);
}

#[test]
fn a_bot_needs_token_channel_and_the_url_of_the_method() {
    let webhook = "https://hooks.slack.com/services/T/B/X";
    let api = "https://slack.com/api/chat.postMessage";
    let problem = |fields: Json| crate::outputs::fixtures::problem("slack:a", fields);
    assert!(problem(json!({"url": api})).contains(" token: "));
    assert!(problem(json!({"url": api, "token": "xoxb-1"})).contains(" channel: "));
    assert!(problem(json!({"url": api, "channel": "C1"})).contains(" token: "));
    assert!(problem(json!({"url": webhook, "token": "xoxb-1", "channel": "C1"})).contains(" url: "));
}
