use serde_json::{Value as Json, json};
use streamalert_testkit::emulator::{account, emulated, ministack};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, at_emulator, magic, problem, publication, send};
use crate::outputs::suite::wire::{form, query_fault, unbase64, unquoted};
use crate::outputs::suite::{Case, HttpCase};

const TO: &str = "soc@example.com, On Call <oncall@example.com>";

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"from_email": "streamalert@example.com", "to_emails": TO, "endpoint_url": base, "region": "eu-west-1"});
    let id = |request: &ReceivedRequest| {
        let mail = mail(request);
        let header = mail
            .lines()
            .find(|line| line.starts_with("X-StreamAlert-Alert: "))?;
        Some(header.to_owned())
    };
    Case::Http(HttpCase {
        server: || {
            Box::new(|_| {
                let result = "<SendRawEmailResult><MessageId>m</MessageId></SendRawEmailResult>";
                Reply::status(
                    200,
                    &format!("<SendRawEmailResponse>{result}</SendRawEmailResponse>"),
                )
            })
        },
        busy: query_fault(400, "Throttling", "Maximum sending rate exceeded."),
        refusal: |message| query_fault(400, "MessageRejected", message),
        read: mail,
        is_sdk: true,
        // Base64, of which a query escapes some
        body_bytes_max: 2 * request::MAIL_BYTES_MAX,
        ..HttpCase::new(settings, check, id)
    })
}

fn mail(request: &ReceivedRequest) -> String {
    unquoted(&unbase64(&form(request)["RawMessage.Data"]))
}

/// What the API reference says of `SendRawEmail`.
fn check(request: &ReceivedRequest) {
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
    let form = form(request);
    assert_eq!(
        (&*form["Action"], &*form["Version"]),
        ("SendRawEmail", "2010-12-01")
    );
    assert_eq!(form["Source"], "streamalert@example.com");
    assert_eq!(form["Destinations.member.1"], "soc@example.com");
    assert_eq!(form["Destinations.member.2"], "oncall@example.com");
    let raw = unbase64(&form["RawMessage.Data"]);
    assert!(raw.len() <= 10_000_000 && raw.is_ascii());
    assert!(raw.split(|byte| *byte == b'\n').all(|line| line.len() <= 1000));
    let mail = String::from_utf8(raw).unwrap();
    let (head, _) = mail.split_once("\r\n\r\n").unwrap();
    for header in ["From: ", "To: ", "Subject: ", "Date: ", "MIME-Version: 1.0"] {
        assert!(
            head.lines().any(|line| line.starts_with(header)),
            "{header}: {head}"
        );
    }
}

#[tokio::test]
async fn a_mail_has_the_record_and_what_publishers_give() {
    let config = config::Config {
        from: "a@example.com".parse().unwrap(),
        to: vec!["b@example.com".parse().unwrap()],
    };
    let of = |publication: &Publication| unquoted(&request::mail(publication, &config).unwrap());
    let plain = publication(alert(1), "aws-ses:a").await;
    assert!(of(&plain).contains("filename=\"record.json\""));
    let fields = json!({
        "@aws-ses.subject": "Come quick", "@aws-ses.body": "Rather now", "@aws-ses.attach_record": false,
        "@aws-ses.attachments": {"steps.txt": "1. run"},
    });
    let mail = of(&magic(plain, fields));
    assert!(
        mail.contains("Subject: Come quick\r\n") && mail.contains("Rather now"),
        "{mail}"
    );
    assert!(
        !mail.contains("record.json") && mail.contains("steps.txt"),
        "{mail}"
    );
    let huge = json!({"a": "x".repeat(9_000_000)}).to_string();
    let mail = of(&publication(alert_with_record(1, &huge), "aws-ses:a").await);
    assert!(
        mail.contains("Attachments left out") && mail.len() < 1_000_000,
        "{}",
        mail.len()
    );
}

#[test]
fn addresses_that_are_none_and_too_many_are_refused() {
    let problem = |from: &str, to: &str| problem("aws-ses:a", json!({"from_email": from, "to_emails": to}));
    let many = vec!["a@example.com"; 51].join(",");
    assert_eq!(problem("a@example.com", &many[14..]), "");
    assert!(problem("a@example.com", &many).contains("to_emails: 51 addresses"));
    assert!(problem("a@example.com", "nobody").contains("to_emails: no address"));
    assert!(problem("nobody", "a@example.com").contains("from_email: no address"));
}

#[tokio::test]
async fn a_mail_is_read_back() {
    let Some(emulator) = ministack().await else { return };
    let account = account();
    let client = Client::new(&emulated(&emulator.endpoint(), &account).await);
    let verify = client
        .verify_email_identity()
        .email_address("streamalert@example.com");
    verify.send().await.unwrap();
    let name = "aws-ses:soc";
    // as StreamAlert keeps credentials
    let settings = json!({"from_email": "streamalert@example.com", "to_emails": TO});
    let output = at_emulator(name, &[Json::Null, settings], emulator, &account);
    send(&*output, name, alert(1)).await.unwrap();
    let mails: Json = serde_json::from_str(&emulator.calls(&account).mails().await).unwrap();
    let mails = mails["messages"][&account].as_array().unwrap().clone();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0]["Source"], "streamalert@example.com");
    assert_eq!(
        mails[0]["Subject"],
        "Cloudtrail root login: Somebody used the root account."
    );
    for (part, text) in [("BodyText", "ConsoleLogin"), ("BodyHtml", "<h1")] {
        assert!(mails[0][part].as_str().unwrap().contains(text), "{}", mails[0]);
    }
    // who is not verified is refused
    let other = json!({"from_email": "other@example.com", "to_emails": TO});
    let output = at_emulator(name, &[other], emulator, &account);
    let error = send(&*output, name, alert(2)).await.unwrap_err();
    assert!(
        !error.is_retryable() && error.message.contains("not verified"),
        "{error}"
    );
}
