//! The documentation of every output, made from the table and from what the suite recorded.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::golden::file_name;
use super::{Case, PLANTED, wanted};
use crate::outputs::services;
use crate::{Field, FieldKind, Reach, Service};

const NOTE: &str = "<!-- made by the tests of the dispatcher from its sources; change those -->\n";

/// Pictures by service, with what they are. `tests/pictures` has how each was drawn.
const PICTURES: [(&str, &str, &str); 9] = [
    (
        "aws-ses",
        "email.png",
        "The HTML of a mail, as Chromium shows it.",
    ),
    (
        "discord",
        "discord.png",
        "Drawn by a page of ours in colours like Discord's, not by Discord.",
    ),
    ("email", "email.png", "The HTML of a mail, as Chromium shows it."),
    (
        "email",
        "email-narrow.png",
        "A mail about merged alerts on a narrow screen in dark mode, as Chromium shows it.",
    ),
    (
        "google-chat",
        "google-chat.png",
        "Drawn by a page of ours in colours like those of Google Chat, not by Google Chat.",
    ),
    (
        "mattermost",
        "mattermost.png",
        "Drawn by a page of ours in colours like Mattermost's, not by Mattermost.",
    ),
    (
        "slack",
        "slack.png",
        "Drawn by a page of ours in colours like Slack's, not by Slack.",
    ),
    (
        "teams",
        "teams.png",
        "Drawn by the renderer of adaptivecards.io, not by Teams.",
    ),
    (
        "telegram",
        "telegram.png",
        "Drawn by a page of ours in colours like Telegram's, not by Telegram.",
    ),
];

#[test]
fn every_picture_is_there_and_small() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/outputs");
    let mut there = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        there.extend(name.ends_with(".png").then_some(name));
    }
    let listed: BTreeSet<String> = PICTURES
        .iter()
        .map(|(_, picture, _)| (*picture).to_owned())
        .collect();
    assert_eq!(there, listed);
    for (service, picture, _) in PICTURES {
        assert!(services().iter().any(|known| known.name == service), "{service}");
        assert!(
            std::fs::metadata(folder.join(picture)).unwrap().len() <= 150 << 10,
            "{picture}"
        );
    }
}

#[test]
fn the_pages_of_outputs_are_current() {
    for service in wanted() {
        is_current(&format!("{}.md", service.name), &page(service));
    }
    is_current("README.md", &index());
}

/// Compares with the file, or writes it when told to.
fn is_current(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/outputs")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    // services that were written at the same time may have been put into the list in any order
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert!(
        kept == text || (name == "README.md" && lines(&kept) == lines(text)),
        "docs/outputs/{name} is out of date: run the tests once with UPDATE_GOLDEN=1"
    );
}

fn index() -> String {
    let mut text = format!(
        "# Outputs\n\n{NOTE}\nAn output is named `service:descriptor`. `streamalert output services` lists the services. Their \
         fields stand in\n`streamalert.toml` (`[outputs.\"service:descriptor\".fields]`: texts, numbers, flags, lists and tables as they \
         are,\n`env:NAME` for a text in an environment variable, or [another place of secrets](../SETTINGS.md)); an output\nthat only `conf/outputs.json` names has them [in the store of secrets](../OPERATIONS.md#secrets). \
         `streamalert output list`\nshows what is configured, `streamalert output test NAME` sends a test alert. How deliveries are \
         paced, and what\nhappens to those that fail: [OPERATIONS.md](../OPERATIONS.md). How to write an output: the top of\n[outputs.rs](../../dispatcher/src/outputs.rs).\n\n| service | |\n|---|---|\n"
    );
    for service in services() {
        let _ = writeln!(text, "| [{}]({0}.md) | {} |", service.name, service.title);
    }
    text
}

fn page(service: &Service) -> String {
    let mut text = format!("# {}\n\n{NOTE}\n{}\n", service.title, service.page().trim());
    for (_, picture, caption) in PICTURES.iter().filter(|(name, ..)| *name == service.name) {
        let _ = write!(text, "\n![{}]({picture})\n\n*{caption}*\n", service.title);
    }
    let _ = write!(text, "\n## Fields\n\n| field | | |\n|---|---|---|\n");
    for field in service.fields {
        let _ = writeln!(text, "| `{}` | {} | {} |", field.name, kind(field), about(field));
    }
    if service.reach == Reach::Public {
        let about = "`true`: names that lead to internal addresses are allowed (a proxy, a stand-in)";
        let _ = writeln!(text, "| `allow_internal` | flag | {about} |");
    }
    let _ = write!(
        text,
        "\n```toml\n{}```\n\n## Delivery\n\n{}\n",
        example(service),
        pace(service)
    );
    let ways = (service.case)().ways().into_iter();
    let named = ways.map(|(way, _)| way).filter(|way| !way.is_empty());
    for way in std::iter::once("").chain(named) {
        let Ok(recorded) = std::fs::read_to_string(golden(service, way)) else {
            continue;
        };
        let title = if way.is_empty() { "" } else { " to a " };
        let _ = write!(
            text,
            "\n## What is sent{title}{}\n\n{}:\n\n````\n{recorded}````\n",
            way.replace('-', " "),
            match (service.case)() {
                Case::Own(_) => "Recorded by its own tests",
                _ => "About the alert of the tests, with the default publisher",
            }
        );
    }
    let layouts = "tests/golden/layouts";
    let is_there = |kind: &&&str| {
        let layout = format!("{layouts}/{}-alert.{kind}", service.name);
        Path::new(env!("CARGO_MANIFEST_DIR")).join(layout).is_file()
    };
    if let Some(form) = ["json", "html"].iter().find(is_there) {
        let link = |kind: &str| format!("(../../dispatcher/{layouts}/{}-{kind}.{form})", service.name);
        let _ = writeln!(
            text,
            "\nThe layout of an alert [with everything]{}, of [twelve merged]{}, and of one [out of a log that an attacker wrote]{}.",
            link("alert"),
            link("merged"),
            link("hostile")
        );
    }
    text
}

fn golden(service: &Service, way: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/outputs");
    folder.join(file_name(service.name, way))
}

fn kind(field: &Field) -> String {
    let kind = match field.kind {
        FieldKind::Text => "text",
        FieldKind::Number => "number",
        FieldKind::Flag => "flag",
        FieldKind::Map => "table",
        FieldKind::List => "list",
    };
    let mut words = vec![kind];
    words.extend(field.is_secret.then_some("secret"));
    words.extend(field.is_required.then_some("required"));
    words.join(", ")
}

fn about(field: &Field) -> String {
    let mut about = field.about.to_owned();
    if let Some(default) = field.default {
        let _ = write!(about, "; default `{default}`");
    }
    if field.is_short {
        about.push_str("; `conf/outputs.json` gives it");
    }
    about.replace('|', "\\|")
}

fn example(service: &Service) -> String {
    let mut text = format!("[outputs.\"{}:NAME\".fields]\n", service.name);
    for field in service
        .fields
        .iter()
        .filter(|field| field.is_required || !field.example.is_empty())
    {
        let variable = format!("env:{}", field.name.to_ascii_uppercase());
        let value = if field.is_secret {
            &*variable
        } else {
            field.example
        };
        let quote = if value.contains('"') { '\'' } else { '"' };
        let _ = writeln!(text, "{} = {quote}{value}{quote}", field.name);
    }
    text
}

/// The defaults, in words.
fn pace(service: &Service) -> String {
    let options = (service.delivery)();
    let rate = options.rate.map_or_else(
        || "no limit of attempts a second".to_owned(),
        |rate| {
            format!(
                "{} a second in the long run, {} at once",
                rate.per_sec, rate.burst
            )
        },
    );
    let secs = |duration: Duration| duration.as_secs_f64();
    format!(
        "{} at a time; {rate}; {} s for each attempt; from {} s to {} s between attempts, or as long as it is told; after {} \
         failures in a row\none delivery at a time tries whether it is back; a dead letter after {} h.",
        options.concurrency,
        secs(options.timeout),
        secs(options.backoff.first),
        secs(options.backoff.max),
        options.circuit_failures,
        options.dead_letter_after.as_secs() / 3600,
    )
}

#[test]
fn no_page_shows_what_was_planted() {
    for service in wanted() {
        assert!(!page(service).contains(PLANTED), "{}", service.name);
    }
}
