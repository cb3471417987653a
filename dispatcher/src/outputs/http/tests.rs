use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use streamalert_testkit::{Reply, WebhookReceiver};
use streamalert_types::Timestamp;

use super::reach::is_public;
use super::request::base64;
use super::*;
use crate::SendErrorKind;
use crate::outputs::fixtures::{alert, publication};
use crate::outputs::{Output, Receipt, SendError};

#[test]
fn statuses_are_judged_by_whether_trying_again_can_help() {
    let answer = |status| Answer {
        retry_after: Some(Duration::from_secs(7)),
        ..Answer::of(status, "why")
    };
    for status in [200, 201, 204] {
        assert!(answer(status).judge().is_ok());
    }
    for status in [408, 425, 429, 500, 502, 503, 504, 599] {
        let error = answer(status).judge().unwrap_err();
        let after = Some(Duration::from_secs(7));
        assert_eq!(error.kind, SendErrorKind::Retry { after });
    }
    for status in [100, 301, 302, 307, 400, 401, 403, 404, 405, 410, 413, 422] {
        let error = answer(status).judge().unwrap_err();
        assert_eq!(error.kind, SendErrorKind::Permanent, "{status}");
        assert!(error.message.contains("why") && error.message.contains(&status.to_string()));
    }
}

#[test]
fn a_success_that_is_not_json_is_tried_again_where_json_is_needed() {
    assert_eq!(Answer::of(200, r#"{"id":1}"#).json().unwrap()["id"], 1);
    let error = Answer::of(200, "<html>").json().unwrap_err();
    assert!(error.is_retryable() && error.may_have_happened && error.message.contains("not json"));
    let broken = Answer {
        is_whole: false,
        ..Answer::of(200, r#"{"id":"#)
    };
    assert!(broken.json().unwrap_err().message.contains("broke off"));
    assert!(!Answer::of(404, "{}").json().unwrap_err().is_retryable());
}

#[test]
fn retry_after_comes_as_seconds_or_as_a_date() {
    let now: Timestamp = "2015-10-21T07:27:00.000000Z".parse().unwrap();
    assert_eq!(parse_retry_after("120", now), Some(Duration::from_secs(120)));
    let date = "Wed, 21 Oct 2015 07:28:00 GMT";
    assert_eq!(parse_retry_after(date, now), Some(Duration::from_secs(60)));
    let past = "Wed, 21 Oct 2015 07:00:00 GMT";
    assert_eq!(parse_retry_after(past, now), Some(Duration::ZERO));
    for odd in ["", "-1", "1.5", "soon", "999999999999999999999999"] {
        assert_eq!(parse_retry_after(odd, now), None);
    }
}

#[test]
fn internal_addresses_are_told_from_public_ones() {
    let is_public = |text: &str| is_public(text.parse::<IpAddr>().unwrap());
    for internal in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "2001:db8::1",
    ] {
        assert!(!is_public(internal), "{internal}");
    }
    for public in [
        "1.1.1.1",
        "100.128.0.1",
        "172.32.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ] {
        assert!(is_public(public), "{public}");
    }
}

#[tokio::test]
async fn a_public_service_whose_name_leads_inside_is_not_asked() {
    let receiver = WebhookReceiver::start(None).await;
    let url = receiver.url("/x").replace("127.0.0.1", "localhost");
    for (reach, arrives) in [(Reach::Public, false), (Reach::Any, true)] {
        let poster = Poster {
            client: client(reach, &OwnTls::default()).unwrap(),
            redactor: crate::Redactor::default(),
            clock: Arc::new(streamalert_types::SystemClock),
        };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        let sent = poster
            .send(Request::get(&Secret::new(url.clone())), deadline)
            .await;
        assert_eq!(sent.is_ok(), arrives, "{sent:?}");
        if let Err(error) = sent {
            assert!(
                error.message.contains("allow_internal") && error.is_retryable(),
                "{error}"
            );
        }
    }
    assert_eq!(receiver.count(), 1);
}

#[test]
fn urls_are_put_together_with_their_parts_encoded() {
    let base = Secret::new("https://x.example/api/".to_owned());
    let url = url_with(&base, &["a/b", "ü"], &[("q", "a b&c")]).unwrap();
    assert_eq!(url.expose(), "https://x.example/api/a%2Fb/%C3%BC?q=a+b%26c");
    let kept = url_with(&Secret::new("https://x.example/api?x=1".to_owned()), &["c"], &[]).unwrap();
    assert_eq!(kept.expose(), "https://x.example/api/c?x=1");
}

#[test]
fn base64_is_that_of_the_standard() {
    for (plain, encoded) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(base64(plain.as_bytes()), encoded);
    }
}

/// An API that knows no deduplication: it is searched first. The password goes out as Base64.
struct Issues(Secret);

impl Api for Issues {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        let basic = |request: Request| request.basic("user", &Secret::new("planted-password".to_owned()));
        match answers {
            [] => {
                let url = url_with(&self.0, &["search"], &[("q", parcel.key)])?;
                Ok(Step::Ask(basic(Request::get(&url))?))
            }
            [found] => match found.json()?["keys"].get(0).and_then(serde_json::Value::as_str) {
                Some(key) => Ok(Step::Done(Receipt {
                    reference: Some(key.to_owned()),
                })),
                None => {
                    let url = url_with(&self.0, &["issues"], &[])?;
                    Ok(Step::Ask(basic(Request::post_json(
                        &url,
                        &serde_json::json!({"key": parcel.key}),
                    ))?))
                }
            },
            [_, created, ..] => {
                let key = created.json()?["key"].as_str().map(str::to_owned);
                Ok(Step::Done(Receipt { reference: key }))
            }
        }
    }
}

#[tokio::test]
async fn an_api_that_is_searched_first_creates_once_though_the_answer_was_lost() {
    let receiver = WebhookReceiver::start(None).await;
    let mut created = Vec::new();
    let mut lost = true;
    receiver.choose(move |request| {
        if request.method == "GET" {
            return Reply::status(200, &serde_json::json!({"keys": created}).to_string());
        }
        created.push("ISSUE-1");
        if std::mem::take(&mut lost) {
            return Reply::Reset;
        }
        Reply::status(201, r#"{"key":"ISSUE-1"}"#)
    });
    let poster = Poster {
        client: client(Reach::Any, &OwnTls::default()).unwrap(),
        redactor: crate::Redactor::default(),
        clock: Arc::new(streamalert_types::SystemClock),
    };
    let output = HttpOutput::new(Issues(Secret::new(receiver.url("/api"))), poster);
    let publication = publication(alert(1), "jira:a").await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let error = output.send(&publication, "k", deadline).await.unwrap_err();
    assert!(error.is_retryable() && error.may_have_happened, "{error}");
    let receipt = output.send(&publication, "k", deadline).await.unwrap();
    assert_eq!(receipt.reference.as_deref(), Some("ISSUE-1"));
    let methods: Vec<String> = receiver
        .requests()
        .into_iter()
        .map(|request| request.method)
        .collect();
    assert_eq!(methods, ["GET", "POST", "GET"]);

    let shown = receiver.requests()[0].header("authorization").unwrap().to_owned();
    receiver.then([Reply::status(403, &format!("not you: {shown}"))]);
    let error = output.send(&publication, "k", deadline).await.unwrap_err();
    let token = shown.strip_prefix("Basic ").unwrap();
    assert!(
        error.message.contains("not you") && !error.message.contains(token),
        "{error}"
    );
}
