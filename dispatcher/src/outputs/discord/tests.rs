use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::Publication;
use crate::outputs::fixtures::{alert, magic, publication};
use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of, layouts, within};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"url": format!("{base}/api/webhooks/111111111111111111/{PLANTED}")});
    let identity = |request: &ReceivedRequest| {
        let message = json_of(request);
        let footer = message["embeds"][1]["footer"]["text"].as_str()?.to_owned();
        Some(footer.rsplit_once("alert ")?.1.to_owned())
    };
    Case::Http(HttpCase {
        server: || {
            Box::new(|_| {
                Reply::status(
                    200,
                    r#"{"id":"222222222222222222","type":0,"content":"","embeds":[]}"#,
                )
            })
        },
        refusal: |body| Reply::status(400, &json!({"message": body, "code": 50006}).to_string()),
        ..HttpCase::new(settings, check, identity)
    })
}

/// What "Execute Webhook" documents.
fn check(request: &ReceivedRequest) {
    assert_eq!(request.method, "POST");
    assert_eq!(
        request.path,
        format!("/api/webhooks/111111111111111111/{PLANTED}?wait=true")
    );
    check_message(&json_of(request));
}

fn check_message(message: &Json) {
    assert_eq!(message["allowed_mentions"], json!({"parse": []}));
    let embeds = message["embeds"].as_array().unwrap();
    assert!((1..=10).contains(&embeds.len()));
    assert!(layout::measure(embeds) <= 6000, "{}", layout::measure(embeds));
    for embed in embeds {
        if embed.get("title").is_some() {
            within(embed, "/title", 256);
        }
        within(embed, "/description", 4096);
        if embed.get("footer").is_some() {
            within(embed, "/footer/text", 2048);
        }
        let fields = embed.get("fields").and_then(Json::as_array);
        assert!(fields.is_none_or(|fields| fields.len() <= 25));
        for field in fields.into_iter().flatten() {
            within(field, "/name", 256);
            within(field, "/value", 1024);
        }
        if let Some(time) = embed.get("timestamp") {
            assert!(time.as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        }
    }
}

fn message(publication: &Publication) -> Json {
    let message = request::message(publication);
    check_message(&message);
    message
}

#[tokio::test]
async fn embeds_look_as_recorded() {
    let bytes = |publication: &Publication| serde_json::to_vec(&request::message(publication)).unwrap();
    layouts::recorded("discord", bytes).await;
}

#[tokio::test]
async fn a_log_has_no_markdown_and_an_endless_alert_fits() {
    let hostile = message(&layouts::hostile("discord:a").await);
    let description = hostile["embeds"][0]["description"].as_str().unwrap();
    for paragraph in description.split("\n\n").filter(|text| !text.starts_with('`')) {
        assert!(
            !paragraph.contains("[click](") && !paragraph.contains("@everyone"),
            "{paragraph}"
        );
    }
    for field in hostile["embeds"][0]["fields"].as_array().unwrap() {
        let value = field["value"].as_str().unwrap();
        assert!(value.starts_with('`') && value.ends_with('`') && value.matches('`').count() == 2);
        assert!(
            !field["name"]
                .as_str()
                .unwrap()
                .contains(['[', '*', '`', '@', '<'])
        );
    }
    let record = hostile["embeds"][1]["description"].as_str().unwrap();
    assert_eq!(record.matches("```").count(), 2);
    let text = message(&layouts::endless("discord:a").await).to_string();
    assert!(
        text.contains("the whole alert") && text.contains("more fields"),
        "{text}"
    );
}

#[tokio::test]
async fn publishers_may_say_it_themselves() {
    let fields = json!({
        "@discord.content": "c".repeat(3000), "@discord.username": "Guard",
        "@discord.embeds": [{"description": "mine"}],
    });
    let message = message(&magic(publication(alert(1), "discord:a").await, fields));
    within(&message, "/content", 2000);
    assert_eq!(message["username"], "Guard");
    assert_eq!(message["embeds"], json!([{"description": "mine"}]));

    let fields =
        json!({"@discord.embeds": [{"description": "x".repeat(4000)}, {"description": "x".repeat(4000)}]});
    let large = request::message(&magic(publication(alert(1), "discord:a").await, fields));
    check_message(&large);
    assert!(
        large
            .to_string()
            .contains("embeds of the publisher are too large")
    );
}

#[tokio::test]
async fn what_comes_later_edits_the_message_where_it_is() {
    let config = config::Config {
        url: crate::Secret::new("https://x.example/api/webhooks/1/token?thread_id=7".to_owned()),
    };
    let fields = json!({"@discord.username": "Guard"});
    let publication = magic(publication(alert(1), "discord:a").await, fields);
    let request = request::edit(&config, &publication, "22").unwrap();
    assert_eq!(request.method, http::Method::PATCH);
    assert_eq!(
        request.url.expose(),
        "https://x.example/api/webhooks/1/token/messages/22?thread_id=7"
    );
    let message: Json = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(message["allowed_mentions"], json!({"parse": []}));
    assert!(message.get("username").is_none());
    assert!(message.get("embeds").is_none(), "those of the first message stay");
    within(&message, "/content", 2000);

    let merged = layouts::merged("discord:a").await;
    let request = request::edit(&config, &merged, "22").unwrap();
    let message: Json = serde_json::from_slice(&request.body).unwrap();
    let content = message["content"].as_str().unwrap();
    assert!(
        content.contains("alerts merged") && content.contains(" to "),
        "{content}"
    );
    let hostile = request::edit(&config, &layouts::hostile("discord:a").await, "22").unwrap();
    let hostile: Json = serde_json::from_slice(&hostile.body).unwrap();
    within(&hostile, "/content", 2000);
}

#[test]
fn a_wait_is_read_from_the_body_and_the_message_remembered() {
    let busy = Answer::of(
        429,
        r#"{"message":"You are being rate limited.","retry_after":1.5,"global":false}"#,
    );
    let crate::SendErrorKind::Retry { after } = response::judge(&busy).unwrap_err().kind else {
        panic!("not to be tried again")
    };
    assert_eq!(after, Some(std::time::Duration::from_millis(1500)));
    match response::judge(&Answer::of(200, r#"{"id":"22"}"#)).unwrap() {
        Step::Done(receipt) => assert_eq!(receipt.reference.as_deref(), Some("22")),
        other => panic!("{other:?}"),
    }
}
