use serde_json::json;

use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, magic, publication};

async fn card_of(record: &str) -> Card {
    publication(alert_with_record(1, record), "jira:a").await.card()
}

#[tokio::test]
async fn a_document_says_what_happened_then_the_facts_then_where_from_then_the_record() {
    for (markup, fact, block) in [
        (Markup::Plain, "eventName: ConsoleLogin", "\n{\n"),
        (Markup::Jira, "eventName         ConsoleLogin", "{noformat}\n{\n"),
        (Markup::Markdown, "- `eventName`: `ConsoleLogin`", "```\n{\n"),
    ] {
        let text = document(&publication(alert(1), "jira:a").await.card(), markup, 4000);
        let id = alert(1).id.to_string();
        let places: Vec<usize> = ["Somebody used the root account", fact, &id, block]
            .iter()
            .map(|part| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}")))
            .collect();
        assert!(places.is_sorted(), "{markup:?}: {text}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_left_out_visibly_and_the_id_stays() {
    let fields: serde_json::Map<_, _> = (0..30)
        .map(|n| (format!("f{n}"), json!("`{x[<".repeat(200))))
        .collect();
    let large = publication(alert_with_record(1, &json!(fields).to_string()), "jira:a").await;
    let context = json!({"context": fields.clone()});
    for card in [large.card(), magic(large.clone(), context).card()] {
        for markup in [Markup::Plain, Markup::Jira, Markup::Markdown] {
            for chars_max in [1000, 1500, 4000, 15_000, 30_000] {
                let text = document(&card, markup, chars_max);
                let chars = text.chars().count();
                assert!(chars <= chars_max, "{markup:?}: {chars} of {chars_max}");
                assert!(
                    text.contains(NOTE) && text.contains(&alert(1).id.to_string()),
                    "{text}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_merged_alert_says_so_and_links_can_be_followed() {
    let record = json!({
        "AlertCount": 12, "AlertTimeFirst": "2026-01-31T07:00:00.000000Z",
        "AlertTimeLast": "2026-01-31T07:03:00.000000Z", "MergedBy": {"user": "a"}, "OtherCommonKeys": {},
    });
    let mut merged = alert_with_record(1, &record.to_string());
    merged.rule_description = "It happened.\nplaybook: https://wiki.example/x(1)\nseverity: high".into();
    let card = publication(merged, "jira:a").await.card();
    for (markup, bold, link) in [
        (
            Markup::Plain,
            "12 alerts merged, ",
            "Playbook: https://wiki.example/x(1)",
        ),
        (
            Markup::Jira,
            "*12 alerts merged*, ",
            "[Playbook|https://wiki.example/x(1)]",
        ),
        (
            Markup::Markdown,
            "**12 alerts merged**, ",
            "[Playbook](<https://wiki.example/x(1)>)",
        ),
    ] {
        let text = document(&card, markup, 4000);
        assert!(
            text.contains(bold) && text.contains(link) && text.contains("High"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn what_an_attacker_writes_into_a_log_means_nothing() {
    let evil = "@everyone `@team` [x](https://evil.example) <img src=x> {noformat}![a|b] {code} [~admin] ``` \r\nh1. x";
    let card = card_of(&json!({"user": evil, "`@team`": "[code]<b>x</b>[/code]"}).to_string()).await;

    let plain = document(&card, Markup::Plain, 4000);
    for means in [
        "https://",
        " @everyone",
        "](",
        "<img",
        "[~admin",
        "[code]",
        "[/code",
    ] {
        assert!(!plain.contains(means), "{means} in {plain}");
    }

    let jira = document(&card, Markup::Jira, 4000);
    let blocks: Vec<&str> = jira.split("{noformat}").collect();
    // outside of blocks, which are every other one, there is nothing of the log
    let outside: String = blocks.iter().step_by(2).copied().collect();
    assert!(
        blocks.len() == 5 && !outside.contains("admin") && !outside.contains("evil"),
        "{jira}"
    );

    let markdown = document(&card, Markup::Markdown, 4000);
    let (facts, block) = markdown
        .split_once("\n````\n")
        .expect("a fence longer than any in it");
    assert!(block.ends_with("\n````") && !block.trim_end_matches('`').contains("````"));
    let fact = facts.lines().find(|line| line.contains("everyone")).unwrap();
    assert!(
        fact.starts_with("- `user`: ````@everyone") && fact.ends_with("````"),
        "{fact}"
    );
    assert!(facts.contains("- `` `@team` ``: `[code]"), "{facts}");
}

#[test]
fn text_outside_of_blocks_is_escaped() {
    assert_eq!(
        Markup::Jira.inert("a*b_c {code} \\n http://x"),
        "a\\*b\\_c \\{code\\} &#92;n hxxp://x"
    );
    assert_eq!(
        Markup::Markdown.inert("@a #1 <b> [x](http://y) & www.z"),
        "@\u{2060}a \\#1 \\<b\\> \\[x\\]\\(hxxp://y\\) &amp; www\u{2060}.z"
    );
    assert_eq!(
        Markup::Plain.inert("a@b.c é://x HTTPS://y 1 < 2 [1, 2]"),
        "a@b.c é://x hxxps://y 1 < 2 [1, 2]"
    );
}

#[test]
fn code_spans_hold_whatever_they_are_given() {
    assert_eq!(code_span("a"), "`a`");
    assert_eq!(code_span("`a"), "`` `a ``");
    assert_eq!(code_span("a``b"), "```a``b```");
    assert_eq!(code_span(""), "–");
}
