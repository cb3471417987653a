use std::path::Path;

use serde_json::json;

use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, magic, publication};
use crate::outputs::suite::layouts;

fn heading() -> Heading {
    Heading {
        from: address("StreamAlert <alerts@example.com>").unwrap(),
        reply_to: Some(address("soc@example.com").unwrap()),
        to: addresses("a@example.com, Bé <b@example.com>").unwrap(),
    }
}

fn formatted(publication: &Publication, content: &Content) -> String {
    let message = message(publication, content, &heading()).unwrap();
    String::from_utf8(message.formatted()).expect("mails are ascii")
}

/// The lines of the header of a whole mail, each with what was folded.
fn headers(mail: &str) -> Vec<String> {
    let head = mail.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
    head.split("\r\n").map(str::to_owned).collect()
}

fn recorded(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/layouts")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == kept,
        "{name}: run again with UPDATE_GOLDEN=1 if this is meant\n{text}"
    );
}

#[tokio::test]
async fn mails_are_as_recorded() {
    let links = std::sync::Arc::new(crate::LinkTemplates {
        alert: Some("https://streamalert.example.com/alerts/{id}".to_owned()),
        trace: Some("https://traces.example.com/{trace}".to_owned()),
    });
    for (name, mut publication) in [
        ("alert", layouts::rich("email:a").await),
        ("merged", layouts::merged("email:a").await),
        ("hostile", layouts::hostile("email:a").await),
    ] {
        publication.links = std::sync::Arc::clone(&links);
        let content = content(&publication, "email", Attach::WhenCut);
        recorded(&format!("email-{name}.html"), content.html.as_deref().unwrap());
        let text = format!("Subject: {}\n\n{}", content.subject, content.text.unwrap());
        recorded(&format!("email-{name}.txt"), &text);
    }
}

#[tokio::test]
async fn nothing_out_of_a_log_becomes_a_header_a_tag_or_a_link() {
    let evil = "x\r\nBcc: all@evil.example\r\n\r\n<script>x</script>\r\n.\r\nMAIL FROM:<x@y>";
    let record = json!({"eventName": evil, evil: evil, "a": "file://evil.example/x www.evil.example HTTPS://evil.example"});
    let publication = publication(alert_with_record(1, &record.to_string()), "email:a").await;
    let publication = magic(publication, json!({"rule_name": evil, "rule_description": evil}));
    let content = content(&publication, "email", Attach::Record);
    let (html, text) = (content.html.clone().unwrap(), content.text.clone().unwrap());
    for hidden in ["<script", "file://", "www.", "https://", "HTTPS://", "<a "] {
        assert!(!html.contains(hidden), "{hidden}: {html}");
    }
    assert!(!text.contains("https://"), "{text}");
    let mail = formatted(&publication, &content);
    for header in headers(&mail) {
        assert!(!header.starts_with("Bcc"), "{header}");
    }
    let bare = mail.replace("\r\n", "");
    assert!(!bare.contains('\n') && !bare.contains('\r'), "a bare line end");
    assert!(
        !mail.contains("\r\n.\r\n") && !mail.contains("\r\nMAIL FROM"),
        "{mail}"
    );
    assert!(mail.lines().all(|line| line.len() <= 998));
}

#[tokio::test]
async fn a_mail_that_is_sent_again_is_the_same() {
    let of = async |number, output: &str| {
        let publication = publication(alert(number), output).await;
        formatted(&publication, &content(&publication, "email", Attach::WhenCut))
    };
    let first = of(1, "email:a").await;
    assert_eq!(first, of(1, "email:a").await);
    let id = |mail: &str| {
        let headers = headers(mail);
        let id = headers.iter().find(|line| line.starts_with("Message-ID: "));
        id.expect("a Message-ID").clone()
    };
    assert_eq!(
        id(&first),
        format!("Message-ID: <{}.{}@example.com>", alert(1).id, "91c8e17fc020adc5")
    );
    assert_ne!(id(&first), id(&of(2, "email:a").await));
    assert_ne!(id(&first), id(&of(1, "email:b").await));
    for header in [
        "Auto-Submitted: auto-generated",
        "Date: Sat, 31 Jan 2026 07:59:59 +0000",
        "Reply-To: soc@example.com",
        "Subject: Cloudtrail root login: Somebody used the root account.",
    ] {
        assert!(
            headers(&first).iter().any(|line| line == header),
            "{header}: {first}"
        );
    }
}

#[tokio::test]
async fn publishers_may_say_all_of_it_themselves() {
    let fields = json!({
        "@email.subject": "mine\r\nBcc: x", "@email.body": {"plain": "text", "html": "<p>ünï</p>"},
        "@email.attach_record": true, "@email.attachments": {"../a\n.txt": "A", "b.json": {"c": 1}},
    });
    let all = magic(publication(alert(1), "email:a").await, fields);
    let content = content(&all, "email", Attach::WhenCut);
    assert_eq!(content.subject, "mine  Bcc: x");
    assert_eq!(
        (content.text.as_deref(), content.html.as_deref()),
        (Some("text"), Some("<p>ünï</p>"))
    );
    let names: Vec<&str> = content
        .attachments
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(names, ["record.json", "_a_.txt", "b.json"]);
    let mail = formatted(&all, &content);
    assert!(
        mail.contains("multipart/mixed") && mail.contains("<p>=C3=BCn=C3=AF</p>"),
        "{mail}"
    );

    let fields = json!({"@email.body": "only text", "@email.attach_record": false});
    let text = magic(publication(alert(1), "email:a").await, fields);
    let content = super::content(&text, "email", Attach::Record);
    assert_eq!((content.html.as_deref(), content.attachments.len()), (None, 0));
    assert!(formatted(&text, &content).contains("only text"));
}

#[tokio::test]
async fn what_is_cut_is_attached_whole_unless_that_is_too_much() {
    let huge = alert_with_record(1, &json!({"blob": "<&\"é".repeat(100_000)}).to_string());
    let huge = publication(huge, "email:a").await;
    let content = content(&huge, "email", Attach::WhenCut);
    assert!(content.html.as_deref().unwrap().len() < 100_000);
    assert!(
        content
            .html
            .as_deref()
            .unwrap()
            .contains("more characters, the whole alert is attached")
    );
    assert!(content.text.as_deref().unwrap().contains("Attached: alert.json"));
    let whole: serde_json::Value = serde_json::from_slice(&content.attachments[0].bytes).unwrap();
    assert_eq!(whole["record"]["blob"].as_str().unwrap().len(), 500_000);

    let content = super::content(&huge, "email", Attach::LeftOut(7_000_000));
    assert!(content.attachments.is_empty());
    for text in [content.html.unwrap(), content.text.unwrap()] {
        assert!(
            text.contains("7000000 bytes") && text.contains("is in the history"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn however_long_everything_is_a_mail_is_not_clipped() {
    let publication = layouts::endless("email:a").await;
    let content = content(&publication, "email", Attach::WhenCut);
    assert!(content.html.unwrap().len() <= 100_000 && content.text.unwrap().len() <= 60_000);
    assert!(content.subject.chars().count() <= 200);
}

#[test]
fn addresses_that_are_none_are_refused() {
    for text in ["", "nobody", "a@b\r\nBcc: c@d", "a b@c", "<a@b"] {
        assert!(address(text).is_err(), "{text:?}");
    }
    assert_eq!(addresses("a@example.com,, B <b@example.com>").unwrap().len(), 2);
}

#[tokio::test]
async fn what_comes_later_about_an_incident_answers_its_first_mail() {
    let mail =
        |publication: &Publication| formatted(publication, &content(publication, "email", Attach::WhenCut));
    let first = mail(&publication(alert(1), "email:a").await);
    let later = streamalert_types::Alert {
        merging: streamalert_types::Merging::Follows(alert(1).id),
        ..alert(2)
    };
    let mut later = publication(later, "email:a").await;
    later.action = IncidentAction::Update;
    let later = mail(&later);
    let of = |mail: &str, name: &str| -> String {
        let headers = headers(mail);
        let found = headers
            .iter()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.unwrap_or_default().to_owned()
    };
    let id = of(&first, "Message-ID");
    assert!(!id.is_empty() && of(&first, "In-Reply-To").is_empty());
    assert_eq!(
        (of(&later, "In-Reply-To"), of(&later, "References")),
        (id.clone(), id.clone())
    );
    assert_ne!(of(&later, "Message-ID"), id);
    assert_eq!(of(&later, "Subject"), format!("Re: {}", of(&first, "Subject")));
}
