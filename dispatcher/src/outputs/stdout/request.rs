use super::config::Format;
use crate::Publication;
use crate::outputs::{jsonl, markup};

/// The line to write, newline included.
pub(super) fn line(format: Format, publication: &Publication, key: &str) -> Vec<u8> {
    match format {
        Format::Json => jsonl::line(&publication.body, key),
        Format::Text => text(publication).into_bytes(),
    }
}

/// `TIME [SEVERITY] TITLE: SUMMARY | NAME=VALUE … | URL … | ORIGIN`, without control characters: a terminal obeys some.
fn text(publication: &Publication) -> String {
    let severity = publication.card().severity.word().to_uppercase();
    let severity = if severity.is_empty() { "ALERT" } else { &severity };
    format!(
        "{} [{severity}] {}\n",
        publication.alert.created,
        told(publication)
    )
}

/// `TITLE: SUMMARY | NAME=VALUE … | URL … | ORIGIN` in one line.
pub(in crate::outputs) fn told(publication: &Publication) -> String {
    let card = publication.card();
    let mut parts = vec![markup::plain(&card.headline(), 500)];
    if let Some(merged) = &card.merged {
        parts.push(markup::plain(
            &format!("{}, {}", merged.title(), merged.span()),
            200,
        ));
    }
    let facts = card.facts.iter().chain(&card.context);
    let facts: Vec<String> = facts
        .map(|fact| {
            format!(
                "{}={}",
                markup::plain(&fact.name, 80),
                markup::plain(&fact.value, 200)
            )
        })
        .collect();
    parts.push(facts.join(" "));
    parts.extend(
        card.links
            .iter()
            .map(|link| format!("{}: {}", link.text, link.url)),
    );
    parts.extend(card.warning.as_ref().map(|warning| markup::plain(warning, 300)));
    parts.push(markup::plain(&card.origin.join(" "), 600));
    parts.retain(|part| !part.is_empty());
    parts.join(" | ")
}
